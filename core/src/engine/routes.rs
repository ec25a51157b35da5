//! Look-ups of routes: what the machines below are handed of those above, and who hears of it.

use std::collections::BTreeSet;

use super::{Engine, Operation};
use crate::error::{Attempt, CloseReason, PeerKind, QueryError, SendError};
use crate::fetch::FetchId;
use crate::id::{OpId, PeerId};
use crate::name::Topic;
use crate::query::{Query, Target};
use crate::remoting::Context;
use crate::route::{Directory, Routes, Wait, Waiter};

impl Engine {
    /// The look-ups, with all that they are handed.
    pub(super) fn with_routes(
        &mut self,
        act: impl FnOnce(&mut Routes, &mut Context, &mut Directory<'_>),
    ) {
        let Self { ctx, routes, names, brokers, consumers, .. } = self;
        let reads = &|topic: &Topic| consumers.reads(topic);
        act(routes, ctx, &mut Directory { names, brokers, reads });
    }

    /// Has a topic looked up; `waiter` goes on when what it waits for has come.
    pub(super) fn want_route(&mut self, topic: &Topic, waiter: Option<(OpId, Wait)>) {
        let waiter = waiter.and_then(|(op, wait)| {
            let operation = self.operations.get(op)?;
            let (deadline, creates) = (operation.deadline(), operation.creates());
            Some(Waiter { op, wait, deadline, creates })
        });
        self.routes.want(&mut self.ctx, &self.names, topic, waiter);
    }

    /// Looks a topic in use up again.
    pub(super) fn refresh_route(&mut self, topic: &Topic) {
        if self.life.is_running() {
            self.want_route(topic, None);
        }
    }

    /// All routes in use are to be looked up again.
    pub(super) fn refresh_routes(&mut self) {
        let (consumed, running) = (self.consumed(), self.life.is_running());
        let Self { ctx, routes, names, brokers, .. } = self;
        routes.refresh(ctx, names, brokers, &consumed, running);
        self.forget_unnamed();
        self.routes.refresh_later(&mut self.ctx);
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
        let peers = &mut self.ctx.remoting.peers;
        peers.forget(&|id| named.contains(&id) || names.has(id) || calls.on(id) > 0);
    }

    /// A connection was lost, and what a broker knew by it.
    pub(super) fn lost(&mut self, peer: PeerId, idle: bool) {
        self.brokers.forgot(peer);
        let peers = &self.ctx.remoting.peers;
        if !idle && peers.kind(peer) != PeerKind::NameServer && self.life.is_running() {
            let lost = self.brokers.with(peers.main(peer));
            self.routes.broker_lost(&mut self.ctx, &self.names, &lost);
        }
    }

    /// Whether the answer to a request is still waited for: an adapter may stop otherwise.
    pub fn is_fetching(&self, fetch: FetchId) -> bool {
        !self.life.is_stopped() && self.names.is_fetching(fetch)
    }

    /// Asks for the list of nameservers, if an address server tells it.
    pub(super) fn fetch_servers(&mut self) {
        if self.life.is_running() || self.names.is_empty() {
            self.names.fetch(&mut self.ctx);
        }
    }

    /// A nameserver is not in the list any more: it finishes what it was asked.
    pub(super) fn unlisted(&mut self, peer: PeerId) {
        if let Some(conn) = self.ctx.remoting.peers.connection(peer) {
            self.part_from(peer, conn, CloseReason::Unlisted);
        }
        self.ctx.close_if_drained(peer);
    }

    /// The first list of nameservers is there.
    pub(super) fn servers_known(&mut self) {
        self.routes.servers_known(&mut self.ctx, &self.names);
        for op in self.waiting_for_servers() {
            self.route_ask(op);
        }
    }

    /// There is none, and whoever waits learns why.
    pub(super) fn servers_failed(&mut self, attempt: &Attempt) {
        self.routes.tried(attempt);
        for op in self.waiting_for_servers() {
            if let Some(Operation::Ask(asked)) = self.operations.get_mut(op) {
                asked.attempts.push(attempt.clone());
            }
        }
    }

    /// Questions to a nameserver that nobody could be asked so far.
    fn waiting_for_servers(&self) -> Vec<OpId> {
        let waits = |operation: &Operation| match operation {
            Operation::Ask(asked) => self.waits_for_servers(&asked.query) && asked.call.is_none(),
            Operation::Send(_) => false,
        };
        self.operations.iter().filter(|(_, operation)| waits(operation)).map(|(op, _)| op).collect()
    }

    /// Whether a question is to any nameserver.
    pub(super) fn waits_for_servers(&self, query: &Query) -> bool {
        matches!(query, Query::Call(call) if matches!(call.target, Target::NameServer))
    }

    /// What a call waited for of its topic's route has come.
    pub(super) fn routed(&mut self, op: OpId) {
        if self.send_of(op).is_some() {
            self.route_send(op);
        } else {
            self.route_ask(op);
        }
    }

    /// No route will come for a call.
    pub(super) fn unrouted(&mut self, op: OpId, error: SendError) {
        if self.send_of(op).is_some() {
            return self.end_send(op, Err(error));
        }
        if let SendError::NoTopic { topic, attempts } | SendError::NoRoute { topic, attempts } =
            error
        {
            self.end_ask(op, Err(QueryError::NoRoute { topic, attempts }));
        }
    }
}
