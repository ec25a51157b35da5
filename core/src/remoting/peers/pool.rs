//! Lanes: several connections to one broker, over which sends are spread.
//!
//! A lane is a peer of its own, so that one which is down or silent is dealt with as any other, and
//! holds up only what was given to it. The first lane is the broker itself, which also carries
//! everything else: heartbeats, pulls, offsets, questions. With `vip_channel` the lanes lead to the
//! port two below (`MixAll.brokerVIPChannel`) and none of them is the broker itself.

use super::{Peers, State};
use crate::effects::Effects;
use crate::error::PeerKind;
use crate::id::PeerId;

impl Peers {
    /// The peer that a lane belongs to; itself for all others.
    pub(crate) fn main(&self, id: PeerId) -> PeerId {
        self.list[id.0 as usize].main
    }

    /// The lane of a broker that the next send takes: one that is connected before one that is
    /// not yet; among those the one with the fewest sends under way, or the next in turn. With
    /// `keep`, always the same one as long as it is as good as the others. Lanes that are not
    /// connected are, from then on, being connected.
    pub(crate) fn lane(&mut self, fx: &mut Effects, main: PeerId, keep: Option<usize>) -> PeerId {
        let (count, vip) = (fx.config.connections_per_broker as usize, fx.config.vip_channel);
        if count == 1 && !vip {
            return main;
        }
        if self.peer(main).lanes.is_empty() {
            self.add_lanes(main, count, vip);
        }
        let peer = self.peer(main);
        let first = keep.unwrap_or(peer.turn);
        peer.turn = peer.turn.wrapping_add(1);
        let lanes = std::mem::take(&mut peer.lanes);
        let turns = (0..lanes.len()).map(|step| lanes[first.wrapping_add(step) % lanes.len()]);
        let cost = |id: &PeerId| {
            let sends = if keep.is_some() { 0 } else { self.list[id.0 as usize].sends };
            (self.rank(*id), sends)
        };
        let chosen = turns.min_by_key(cost).unwrap_or(main);
        self.peer(main).lanes = lanes;
        // The main one too: brokers hear heartbeats there, even if sends go to another port.
        self.probe(fx, main);
        chosen
    }

    /// The lane for messages that a broker may close a connection for: nothing else goes over it,
    /// so that nothing else is lost with it.
    pub(crate) fn wide(&mut self, main: PeerId) -> PeerId {
        let peer = self.peer(main);
        if let Some(wide) = peer.wide {
            return wide;
        }
        let like = peer.lanes.first().copied().unwrap_or(main);
        let endpoint = self.endpoint(like).clone();
        let wide = self.add(PeerKind::Broker, endpoint, Some(main));
        self.peer(main).wide = Some(wide);
        wide
    }

    /// A broker let a try run out: it is tried last until it answers anything. True if a timer is
    /// to be set that asks it, since none is.
    pub(crate) fn slow_down(&mut self, main: PeerId) -> bool {
        let peer = self.peer(main);
        peer.slow = true;
        !std::mem::replace(&mut peer.probed, true)
    }

    /// The timer that [`slow_down`](Self::slow_down) wanted has fired.
    pub(crate) fn probe_over(&mut self, main: PeerId) {
        self.peer(main).probed = false;
    }

    /// Whether a broker let a try run out and has said nothing since.
    pub(crate) fn is_slow(&self, main: PeerId) -> bool {
        self.list[main.0 as usize].slow
    }

    fn add_lanes(&mut self, main: PeerId, count: usize, vip: bool) {
        let plain = self.endpoint(main).clone();
        let endpoint = plain.below(2).filter(|_| vip);
        let own = if endpoint.is_some() { None } else { Some(main) };
        let endpoint = endpoint.unwrap_or(plain);
        let others = count - usize::from(own.is_some());
        let mut lanes: Vec<PeerId> = own.into_iter().collect();
        for _ in 0..others {
            lanes.push(self.add(PeerKind::Broker, endpoint.clone(), Some(main)));
        }
        self.peer(main).lanes = lanes;
    }

    /// How far a lane is from carrying a send.
    fn rank(&self, id: PeerId) -> u8 {
        let peer = &self.list[id.0 as usize];
        match peer.state {
            State::Connected { .. } if !peer.overdue => 0,
            State::Idle | State::Connecting { .. } if peer.failures == 0 => 1,
            State::Connected { .. } | State::Closing { .. } => 2,
            State::Idle | State::Connecting { .. } => 3,
            State::Backoff { .. } => 4,
        }
    }

    /// Whether there are other connections to the same broker and port.
    pub(crate) fn has_twins(&self, id: PeerId) -> bool {
        let lanes = &self.list[self.main(id).0 as usize].lanes;
        lanes.len() > 1
    }

    /// Whether sends to a broker find no connection and would have to wait for one that may not
    /// come: the last attempt failed on a lane, and no other lane is there.
    pub(crate) fn is_down(&self, main: PeerId) -> bool {
        let lanes = &self.list[main.0 as usize].lanes;
        if lanes.is_empty() {
            return self.is_away(main);
        }
        !lanes.iter().any(|id| self.is_connected(*id)) && lanes.iter().any(|id| self.is_away(*id))
    }

    /// Whether there is a connection to a broker, on whatever lane.
    pub(crate) fn is_reached(&self, main: PeerId) -> bool {
        let lanes = &self.list[main.0 as usize].lanes;
        self.is_connected(main) || lanes.iter().any(|id| self.is_connected(*id))
    }

    /// Sends pass a broker over that is down: it is connected to all the same once its pause is
    /// over, with no message waiting for it, so that it is found when it is back.
    pub(crate) fn probe(&mut self, fx: &mut Effects, main: PeerId) {
        let lanes = std::mem::take(&mut self.peer(main).lanes);
        for id in lanes.iter().chain([&main]) {
            self.reach(fx, *id);
        }
        self.peer(main).lanes = lanes;
    }

    /// Whether the last attempt failed and none has succeeded since.
    fn is_away(&self, id: PeerId) -> bool {
        let peer = &self.list[id.0 as usize];
        match peer.state {
            State::Backoff { .. } => true,
            State::Idle | State::Connecting { .. } => peer.failures > 0,
            State::Connected { .. } | State::Closing { .. } => false,
        }
    }
}
