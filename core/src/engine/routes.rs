//! Look-ups of routes: what the machines below are handed of those above, and who hears of it.

use std::collections::BTreeSet;

use super::Engine;
use crate::error::{Attempt, CloseReason, PeerKind};
use crate::fetch::FetchId;
use crate::id::PeerId;
use crate::name::Topic;
use crate::remoting::Context;
use crate::route::{Directory, Routes};

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

    /// Looks a topic in use up again.
    pub(super) fn refresh_route(&mut self, topic: &Topic) {
        if self.shutdown.is_running() {
            self.routes.want(&mut self.ctx, &self.names, topic, None);
        }
    }

    /// A topic has lost queues a while ago: whoever reads it should hear when they are back.
    pub(super) fn route_shrunk(&mut self, topic: &Topic) {
        if self.routes.shrunk_due(&mut self.ctx, topic) && self.consumers.reads(topic) {
            self.refresh_route(topic);
        }
    }

    /// All routes in use are to be looked up again.
    pub(super) fn refresh_routes(&mut self) {
        let (mut consumed, running) = (self.consumers.consumed(), self.shutdown.is_running());
        self.transactions.let_go(&self.ctx);
        consumed.extend(self.transactions.topics().cloned());
        let Self { ctx, routes, names, brokers, .. } = self;
        routes.refresh(ctx, names, brokers, &consumed, running);
        self.forget_unnamed();
        self.routes.refresh_later(&mut self.ctx);
    }

    /// Forgets brokers and addresses that nothing names any more.
    fn forget_unnamed(&mut self) {
        let mut used = self.routes.brokers();
        used.extend(self.consumers.brokers());
        used.extend(self.producers.used_brokers());
        for gone in self.brokers.forget(&used) {
            self.producers.healths.forget(gone);
        }
        let brokers = self.brokers.ids();
        let named: BTreeSet<PeerId> = brokers.flat_map(|id| self.brokers.peers(id)).collect();
        let Self { names, producers, ctx, .. } = self;
        let calls = &ctx.remoting.calls;
        let used =
            |id| named.contains(&id) || names.has(id) || calls.on(id) > 0 || !producers.is_idle(id);
        for gone in ctx.remoting.peers.forget(&used) {
            producers.forget(gone);
        }
    }

    /// A connection was lost, and what a broker knew by it.
    pub(super) fn lost(&mut self, peer: PeerId, idle: bool) {
        self.brokers.forgot(peer);
        let (consumers, ctx, known) = self.consumers();
        consumers.lost(ctx, known, peer);
        let peers = &self.ctx.remoting.peers;
        if !idle && peers.kind(peer) != PeerKind::NameServer && self.shutdown.is_running() {
            let lost = self.brokers.with(peers.main(peer));
            self.routes.broker_lost(&mut self.ctx, &self.names, &lost);
        }
    }

    /// Whether the answer to a request is still waited for: an adapter may stop otherwise.
    pub fn is_fetching(&self, fetch: FetchId) -> bool {
        !self.shutdown.is_stopped() && self.names.is_fetching(fetch)
    }

    /// Asks for the list of nameservers, if an address server tells it.
    pub(super) fn fetch_servers(&mut self) {
        if self.shutdown.is_running() || self.names.is_empty() {
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
        let (queries, ctx, mut ways, healths) = self.queries();
        queries.servers_known(ctx, &mut ways, healths);
    }

    /// There is none, and whoever waits learns why.
    pub(super) fn servers_failed(&mut self, attempt: &Attempt) {
        self.routes.tried(attempt);
        self.queries.servers_failed(attempt);
    }
}
