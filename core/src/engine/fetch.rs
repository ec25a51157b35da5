//! The address server: its list becomes the nameservers, and calls that waited for it go on.

use bytes::Bytes;

use super::{Engine, Note, Operation};
use crate::effects::Effects;
use crate::error::{Attempt, CloseReason, Failure, PeerKind};
use crate::fetch::{self, FetchError, FetchFailure, FetchId};
use crate::id::PeerId;
use crate::name::Endpoint;
use crate::nameserver::Source;
use crate::query::{Query, Target};

impl Engine {
    /// Whether the answer to a request is still waited for: an adapter may stop otherwise.
    pub fn is_fetching(&self, fetch: FetchId) -> bool {
        let fetching = self.names.source().and_then(Source::fetching);
        !self.life.is_stopped() && fetching.is_some_and(|(own, _)| own == fetch)
    }

    /// Asks for the list of nameservers, if an address server tells it.
    pub(super) fn fetch_servers(&mut self) {
        if self.life.is_running() || self.names.is_empty() {
            self.with_source(|source, fx| source.begin(fx));
        }
    }

    fn with_source<T>(&mut self, act: impl FnOnce(&mut Source, &mut Effects) -> T) -> Option<T> {
        let fx = &mut self.ctx.fx;
        self.names.source_mut().map(|source| act(source, fx))
    }

    /// The address server answered, or did not.
    pub(super) fn fetched(&mut self, fetch: FetchId, result: Result<Bytes, FetchError>) {
        let result = result.and_then(|page| fetch::servers(&page));
        let (well, known) = (result.is_ok(), !self.names.is_empty());
        let failing = self.names.source().is_some_and(Source::is_failing);
        let ended = self.with_source(|source, fx| source.ended(fx, fetch, well, known));
        if ended != Some(true) {
            return;
        }
        match result {
            Ok(servers) => self.adopt(&servers),
            Err(error) => self.fetch_failed(error, failing),
        }
    }

    /// No answer by `request_timeout`.
    pub(super) fn fetch_slow(&mut self, fetch: FetchId) {
        self.fetched(fetch, Err(FetchError::TimedOut(self.ctx.fx.config.request_timeout)));
    }

    /// Takes a list over: new nameservers may be asked from now on, those that are gone finish
    /// what they were asked, and the current one stays current while it is listed.
    fn adopt(&mut self, servers: &[Endpoint]) {
        let first = self.names.is_empty();
        let peers =
            servers.iter().map(|server| self.ctx.remoting.peers.at(PeerKind::NameServer, server));
        let peers: Vec<PeerId> = peers.collect();
        let start = self.ctx.fx.rng.next_u64();
        let Some(gone) = self.names.adopt(peers, start) else { return };
        self.ctx.fx.note(Note::NameServers { servers: servers.to_vec() });
        for peer in gone {
            if let Some(conn) = self.ctx.remoting.peers.connection(peer) {
                self.part_from(peer, conn, CloseReason::Unlisted);
            }
            self.ctx.close_if_drained(peer);
        }
        if first {
            for topic in self.routes.asking() {
                self.ask_route(&topic);
            }
            for op in self.waiting_for_servers() {
                self.route_ask(op);
            }
        }
    }

    /// The list before it stays; calls that have none learn why.
    fn fetch_failed(&mut self, error: FetchError, failing: bool) {
        let Some(url) = self.names.source().map(|source| source.url().clone()) else { return };
        if !failing {
            self.ctx.fx.note(Note::FetchFailed { url: url.clone(), error: error.clone() });
        }
        if !self.names.is_empty() {
            return;
        }
        let endpoint = url.endpoint().clone();
        let failure = Failure::Fetch(Box::new(FetchFailure { url, error }));
        let attempt = Attempt { endpoint, peer: PeerKind::AddressServer, failure, opaque: None };
        self.routes.tried(&attempt);
        for op in self.waiting_for_servers() {
            if let Some(Operation::Ask(asked)) = self.operations.get_mut(op) {
                asked.attempts.push(attempt.clone());
            }
        }
    }

    /// What a call without an answer was waiting for, where no nameserver is known yet.
    pub(super) fn unfetched(&self) -> Option<Attempt> {
        let source = self.names.source().filter(|_| self.names.is_empty())?;
        let (_, since) = source.fetching()?;
        let error = FetchError::TimedOut(self.ctx.fx.now.since(since));
        let (endpoint, url) = (source.url().endpoint().clone(), source.url().clone());
        let failure = Failure::Fetch(Box::new(FetchFailure { url, error }));
        Some(Attempt { endpoint, peer: PeerKind::AddressServer, failure, opaque: None })
    }

    /// Questions to a nameserver that nobody could be asked so far.
    fn waiting_for_servers(&self) -> Vec<crate::id::OpId> {
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
}
