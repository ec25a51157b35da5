//! Ways to brokers: routes looked up, and requests of our own sent.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Command, Engine, Operation, TimerKind};
use crate::error::PeerKind;
use crate::id::PeerId;

impl Engine {
    /// Lets go of brokers, and of addresses of brokers, that no route names any more.
    pub(super) fn forget_unrouted(&mut self) {
        let brokers = self.routes.brokers();
        let used = brokers.into_iter().flat_map(|id| self.brokers.peers(id)).collect();
        self.ctx.remoting.peers.want_only(&used);
    }

    /// Forgets brokers and addresses that nothing names any more.
    fn forget_unnamed(&mut self) {
        let mut used = self.routes.brokers();
        let consumers = self.consumers.iter();
        let queues = consumers.flat_map(|(_, consumer)| consumer.queues.iter());
        used.extend(queues.map(|(_, queue)| queue.at.broker));
        used.extend(self.operations.iter().filter_map(|(_, operation)| match operation {
            Operation::Send(send) => send.at.map(|(broker, _)| broker),
            Operation::Ask(_) => None,
        }));
        for gone in self.brokers.forget(&used) {
            self.healths.forget(gone);
        }
        let brokers = self.brokers.ids();
        let named: BTreeSet<PeerId> = brokers.flat_map(|id| self.brokers.peers(id)).collect();
        let (names, calls) = (&self.names, &self.ctx.remoting.calls);
        self.ctx
            .remoting
            .peers
            .forget(&|id| named.contains(&id) || names.has(id) || calls.on(id) > 0);
    }

    /// Looks the topics up again that were last asked for long enough ago. The next round is drawn
    /// up to a quarter late, and never early: no topic is asked for more often than configured, and
    /// clients that began together drift apart.
    pub(super) fn refresh_routes(&mut self) {
        let (now, age) = (self.ctx.fx.now, self.ctx.fx.config.route_refresh);
        let (due, forgotten) = self.routes.due(now, age, &self.consumed());
        due.iter().for_each(|topic| self.refresh_route(topic));
        if forgotten {
            self.forget_unrouted();
        }
        self.forget_unnamed();
        let late = self.ctx.fx.rng.below(age.as_nanos() as u64 / 4);
        let next = self.routes.oldest(now) + age + Duration::from_nanos(late);
        // A topic that can't be asked for, since no nameserver is set, stays due.
        self.ctx.fx.timers.at(next.max(now + age / 4), TimerKind::Routes);
    }

    /// A connection was lost: the topics of its broker are looked up again, since their masters may
    /// have moved.
    pub(super) fn lost(&mut self, peer: PeerId, idle: bool) {
        self.brokers.forgot(peer);
        if idle
            || self.ctx.remoting.peers.kind(peer) == PeerKind::NameServer
            || !self.life.is_running()
        {
            return;
        }
        for broker in self.brokers.with(self.ctx.remoting.peers.main(peer)) {
            for topic in self.routes.touched_by(self.ctx.fx.now, broker) {
                self.refresh_route(&topic);
            }
        }
    }

    /// Ends with what the peer sent being no frames: the connection is closed for it.
    pub(super) fn malformed(
        &mut self,
        conn: crate::id::ConnectionId,
        error: crate::frame::FrameError,
    ) {
        let (peers, fx) = self.ctx.peers();
        peers.close(fx, conn, error.into());
    }

    /// The commands that wait, for tests and traces.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.ctx.fx.commands.iter()
    }
}
