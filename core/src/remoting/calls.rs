//! Requests on their way: which answer belongs to whom.
//!
//! An opaque names its request by a 26-bit sequence that never repeats while anything could still
//! answer it (67 million requests later at the soonest). The table is a ring indexed by the low
//! bits, so that open and close cost O(1); a sequence whose place is still taken (a long poll) is
//! skipped. An answer is taken only from the peer that was asked, with the kind that was asked for.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::frame::{Kind, Opaque};
use crate::id::{
    BrokerId, CheckId, ConnectionId, MessageKey, OpId, PeerId, QueueKey, SubscriptionId,
};
use crate::name::Topic;
use crate::timer::TimerKey;

/// Places in an empty ring.
const FIRST: usize = 64;
const MASK: u32 = (1 << Opaque::SEQUENCE_BITS) - 1;

/// What an answer is for, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A message of the application.
    Send(OpId),
    /// A question of the application.
    Query(OpId),
    /// The route of a topic; `fallback` asks for `TBW102` instead. For that one of its look-ups.
    Route { topic: Topic, fallback: bool, lookup: u64 },
    /// What the client is to its brokers.
    Broker(BrokerAsk),
    /// How a half message ended.
    Half(HalfAsk),
    /// A consumer's.
    Consumer(SubscriptionId, ConsumerAsk),
}

/// What brokers are asked for the client's own sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokerAsk {
    /// A heartbeat that tells that revision of what we are.
    Heartbeat { revision: u64 },
    /// Whether a broker that is left alone is well again.
    Probe(BrokerId),
    /// A consumer's or, without one, a producer's farewell.
    Unregister(Option<SubscriptionId>),
    /// The farewell of a producer group, whose client goes on.
    Withdraw,
}

/// What tells a broker how a half message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfAsk {
    /// A call of the application.
    End(OpId),
    /// Whether another client of the group has ended it meanwhile.
    LookFirst(OpId),
    /// Whether the message of a half one is in its topic already.
    Look(CheckId),
    /// The answer to a check that commits what is not in its topic yet.
    Commit(CheckId),
    /// Any other answer to a check, or the end of what is not to be: nobody waits.
    Told { commit: bool },
}

/// What brokers are asked for a consumer's sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerAsk {
    /// The members of its group.
    Members { question: u32 },
    /// The queues of a topic that are its own.
    Assigned { question: u32 },
    /// What its group subscribes to.
    Group,
    /// Where to begin in a queue.
    Offset { queue: QueueKey, of: OffsetOf },
    /// Messages of a queue.
    Pull { queue: QueueKey },
    /// The group's offset of a queue, stored.
    Commit { queue: QueueKey, broker: BrokerId, offset: i64, within: Duration },
    /// Whether a broker can filter as it wishes to.
    Check { wish: u32 },
    /// Locks of queues of that broker, or their end.
    Locks { broker: BrokerId },
    /// A message of that broker, taken back.
    SendBack { message: MessageKey, broker: BrokerId },
}

/// Which offset a queue begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetOf {
    /// What the group has stored.
    Group,
    /// An end of the queue, since the group has none.
    End,
}

/// One request without an answer yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) peer: PeerId,
    pub(crate) purpose: Purpose,
    /// Set for requests of our own; the application's operations carry their own deadline.
    pub(crate) timer: Option<TimerKey>,
    /// The connection whose writer was handed the frame: the peer may have seen it.
    pub(crate) on: Option<ConnectionId>,
    /// That connection is gone, and the frame had not been written whole.
    pub(crate) unsent: bool,
}

impl Call {
    /// A request that has not left yet.
    pub(crate) const fn new(peer: PeerId, purpose: Purpose) -> Self {
        Self { peer, purpose, timer: None, on: None, unsent: false }
    }

    /// Whether the peer may have seen it.
    pub(crate) const fn has_left(&self) -> bool {
        self.on.is_some() && !self.unsent
    }
}

/// All requests on their way.
#[derive(Debug)]
pub(crate) struct Calls {
    ring: Vec<Option<(Opaque, Call)>>,
    next: u32,
    open: usize,
    /// How many of them are to each peer, and how many of those are pulls.
    on: Vec<OnPeer>,
    pulls: u32,
    /// The last pull went there.
    pulled: PeerId,
}

/// Requests to one peer that have no answer.
#[derive(Clone, Copy, Debug, Default)]
struct OnPeer {
    all: u32,
    pulls: u32,
}

impl Default for Calls {
    fn default() -> Self {
        let (on, pulls, pulled) = (Vec::new(), 0, PeerId(0));
        Self { ring: Self::places(FIRST), next: 0, open: 0, on, pulls, pulled }
    }
}

impl Calls {
    fn places(count: usize) -> Vec<Option<(Opaque, Call)>> {
        std::iter::repeat_with(|| None).take(count).collect()
    }

    fn place(&self, opaque: Opaque) -> usize {
        opaque.sequence() as usize & (self.ring.len() - 1)
    }

    /// Keeps `call` and gives the opaque its request must carry.
    pub(crate) fn open(&mut self, kind: Kind, call: Call) -> Opaque {
        let peer = call.peer.0 as usize;
        if self.on.len() <= peer {
            self.on.resize(peer + 1, OnPeer::default());
        }
        self.on[peer].all += 1;
        if kind == Kind::Pull {
            (self.pulls, self.pulled) = (self.pulls + 1, call.peer);
            self.on[peer].pulls += 1;
        }
        if self.open * 2 >= self.ring.len() {
            self.grow();
        }
        loop {
            let opaque = Opaque::new(kind, self.next);
            self.next = (self.next + 1) & MASK;
            let place = self.place(opaque);
            if self.ring[place].is_none() {
                self.ring[place] = Some((opaque, call));
                self.open += 1;
                return opaque;
            }
        }
    }

    /// An opaque for a request that nobody waits for.
    pub(crate) fn skip(&mut self, kind: Kind) -> Opaque {
        let opaque = Opaque::new(kind, self.next);
        self.next = (self.next + 1) & MASK;
        opaque
    }

    fn grow(&mut self) {
        let mut size = self.ring.len() * 2;
        'again: loop {
            let mut ring = Self::places(size);
            for (opaque, call) in self.ring.iter().flatten() {
                let place = opaque.sequence() as usize & (size - 1);
                if ring[place].is_some() {
                    size *= 2;
                    continue 'again;
                }
                ring[place] = Some((*opaque, call.clone()));
            }
            self.ring = ring;
            return;
        }
    }

    /// The call of `opaque`, if it still waits.
    pub(crate) fn find(&mut self, opaque: Opaque) -> Option<&mut Call> {
        let place = self.place(opaque);
        let (kept, call) = self.ring[place].as_mut()?;
        (*kept == opaque).then_some(call)
    }

    /// Whether the call of `opaque` still waits.
    pub(crate) fn has(&self, opaque: Opaque) -> bool {
        self.ring[self.place(opaque)].as_ref().is_some_and(|(kept, _)| *kept == opaque)
    }

    /// To whom the request went, and on which connection if it has left.
    pub(crate) fn place_of(&self, opaque: Opaque) -> Option<(PeerId, Option<ConnectionId>)> {
        let (kept, call) = self.ring[self.place(opaque)].as_ref()?;
        (*kept == opaque).then_some((call.peer, call.on))
    }

    /// Ends a call whatever peer it was for.
    pub(crate) fn close(&mut self, opaque: Opaque) -> Option<Call> {
        self.find(opaque)?;
        let place = self.place(opaque);
        self.open -= 1;
        let (_, call) = self.ring[place].take()?;
        let on = &mut self.on[call.peer.0 as usize];
        on.all -= 1;
        if opaque.kind() == Some(Kind::Pull) {
            (self.pulls, on.pulls) = (self.pulls - 1, on.pulls - 1);
        }
        Some(call)
    }

    /// Ends the call that `peer` answers with `opaque`. An answer from another peer, of another
    /// kind, late or twice, belongs to nobody.
    pub(crate) fn answered(&mut self, peer: PeerId, opaque: Opaque) -> Option<Call> {
        if self.find(opaque)?.peer != peer {
            return None;
        }
        self.close(opaque)
    }

    /// Forgets every call. Answers to them still belong to nobody: the sequence goes on.
    pub(crate) fn clear(&mut self) {
        self.ring.fill_with(|| None);
        self.on.fill(OnPeer::default());
        (self.open, self.pulls) = (0, 0);
    }

    /// The timer of each call that has one.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.ring.iter().flatten().filter_map(|(_, call)| call.timer)
    }

    /// The opaques of all calls to `peer`, oldest first: what is sent again goes in that order.
    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<Opaque> {
        let calls = self.ring.iter().flatten().filter(|(_, call)| call.peer == peer);
        let mut opaques: Vec<Opaque> = calls.map(|(opaque, _)| *opaque).collect();
        opaques.sort_by_key(|opaque| Reverse(self.next.wrapping_sub(opaque.sequence() + 1) & MASK));
        opaques
    }

    /// Requests to `peer` without an answer.
    pub(crate) fn on(&self, peer: PeerId) -> u32 {
        self.on.get(peer.0 as usize).map_or(0, |on| on.all)
    }

    /// How many of them are pulls.
    pub(crate) fn pulls_on(&self, peer: PeerId) -> u32 {
        self.on.get(peer.0 as usize).map_or(0, |on| on.pulls)
    }

    /// The peer that all pulls without an answer went to, if there are any and it is one.
    pub(crate) fn puller(&self) -> Option<PeerId> {
        (self.pulls > 0 && self.pulls_on(self.pulled) == self.pulls).then_some(self.pulled)
    }

    /// The questions about queues of consumers: where to begin, and pulls.
    pub(crate) fn of_queues(&self) -> impl Iterator<Item = (SubscriptionId, QueueKey, Opaque)> {
        self.ring.iter().flatten().filter_map(|(opaque, call)| match call.purpose {
            Purpose::Consumer(
                sub,
                ConsumerAsk::Offset { queue, .. } | ConsumerAsk::Pull { queue },
            ) => Some((sub, queue, *opaque)),
            _ => None,
        })
    }

    /// The pulls are counted right.
    pub(crate) fn check(&self) {
        let pulls = |peer: Option<PeerId>| {
            let calls = self.ring.iter().flatten();
            let pulls = calls.filter(|(opaque, _)| opaque.kind() == Some(Kind::Pull));
            pulls.filter(|(_, call)| peer.is_none_or(|peer| peer == call.peer)).count()
        };
        assert_eq!(self.pulls as usize, pulls(None), "pulls are miscounted");
        if let Some(peer) = self.puller() {
            assert_eq!(self.pulls as usize, pulls(Some(peer)), "pulls go to others, too");
        }
    }

    /// Messages that brokers are asked to take back.
    pub(crate) fn send_backs(
        &self,
    ) -> impl Iterator<Item = (SubscriptionId, MessageKey, BrokerId)> {
        self.ring.iter().flatten().filter_map(|(_, call)| match call.purpose {
            Purpose::Consumer(sub, ConsumerAsk::SendBack { message, broker }) => {
                Some((sub, message, broker))
            }
            _ => None,
        })
    }

    /// How many requests to each peer have left on a connection and have no answer, polls aside.
    pub(crate) fn owed(&self) -> BTreeMap<(PeerId, ConnectionId), u32> {
        let mut owed = BTreeMap::new();
        for (opaque, call) in self.ring.iter().flatten() {
            if let Some(conn) = call.on.filter(|_| opaque.kind() != Some(Kind::Pull)) {
                *owed.entry((call.peer, conn)).or_default() += 1;
            }
        }
        owed
    }

    /// The sends under way to each peer, ends of transactions among them.
    pub(crate) fn sends(&self) -> BTreeMap<PeerId, u32> {
        let mut sends = BTreeMap::new();
        for (_, call) in self.ring.iter().flatten() {
            if matches!(call.purpose, Purpose::Send(_) | Purpose::Half(HalfAsk::End(_))) {
                *sends.entry(call.peer).or_default() += 1;
            }
        }
        sends
    }

    /// The peer of each call.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.ring.iter().flatten().map(|(_, call)| call.peer)
    }

    /// Requests without an answer.
    pub(crate) fn len(&self) -> usize {
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(peer: u32) -> Call {
        Call::new(PeerId(peer), Purpose::Broker(BrokerAsk::Withdraw))
    }

    #[test]
    fn an_answer_is_taken_once_from_the_peer_that_was_asked() {
        let mut calls = Calls::default();
        let opaque = calls.open(Kind::Heartbeat, call(1));
        assert!(calls.answered(PeerId(2), opaque).is_none());
        let other = Opaque::new(Kind::Send, opaque.sequence());
        assert!(calls.answered(PeerId(1), other).is_none());
        assert!(calls.answered(PeerId(1), opaque).is_some());
        assert!(calls.answered(PeerId(1), opaque).is_none());
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn wire_09_a_long_poll_keeps_its_place_while_the_sequence_goes_round() {
        let mut calls = Calls::default();
        let poll = calls.open(Kind::Pull, call(1));
        for _ in 0..1000 {
            let opaque = calls.open(Kind::Send, call(1));
            assert_ne!(opaque.sequence(), poll.sequence());
            calls.close(opaque).unwrap();
        }
        assert_eq!(calls.ring.len(), FIRST);
        assert!(calls.answered(PeerId(1), poll).is_some());
    }

    #[test]
    fn many_calls_in_flight_are_all_found_again() {
        let mut calls = Calls { next: MASK - 3000, ..Calls::default() };
        let opaques: Vec<_> = (0..70_000).map(|_| calls.open(Kind::Send, call(3))).collect();
        assert_eq!(calls.of_peer(PeerId(3)), opaques, "oldest first, past the sequence's end");
        assert!(opaques.iter().all(|opaque| calls.close(*opaque).is_some()));
        assert_eq!(calls.len(), 0);
    }
}
