//! The list of nameservers, where an address server tells it.

use bytes::Bytes;

use super::{NameServers, Source};
use crate::effects::{Note, Signal};
use crate::error::{Attempt, Failure, PeerKind};
use crate::fetch::{self, FetchError, FetchFailure, FetchId};
use crate::id::PeerId;
use crate::name::Endpoint;
use crate::remoting::Context;
use crate::time::Instant;

impl NameServers {
    /// Whether the answer to a request is still waited for.
    pub(crate) fn is_fetching(&self, fetch: FetchId) -> bool {
        let fetching = self.source().and_then(Source::fetching);
        fetching.is_some_and(|(own, _)| own == fetch)
    }

    /// Asks for the list, if an address server tells it.
    pub(crate) fn fetch(&mut self, ctx: &mut Context) {
        if let Some(source) = self.source_mut() {
            source.begin(&mut ctx.fx);
        }
    }

    /// The address server answered, or did not.
    pub(crate) fn fetched(
        &mut self,
        ctx: &mut Context,
        fetch: FetchId,
        result: Result<Bytes, FetchError>,
    ) {
        let result = result.and_then(|page| fetch::servers(&page));
        let (well, known) = (result.is_ok(), !self.is_empty());
        let failing = self.source().is_some_and(Source::is_failing);
        let source = self.source_mut();
        if !source.is_some_and(|source| source.ended(&mut ctx.fx, fetch, well, known)) {
            return;
        }
        match result {
            Ok(servers) => self.take(ctx, &servers),
            Err(error) => self.fetch_failed(ctx, error, failing),
        }
    }

    /// No answer by `request_timeout`.
    pub(crate) fn fetch_slow(&mut self, ctx: &mut Context, fetch: FetchId) {
        let within = ctx.fx.config.request_timeout;
        self.fetched(ctx, fetch, Err(FetchError::TimedOut(within)));
    }

    /// Takes a list over: new nameservers may be asked from now on, those that are gone finish
    /// what they were asked, and the current one stays current while it is listed.
    fn take(&mut self, ctx: &mut Context, servers: &[Endpoint]) {
        let first = self.is_empty();
        let peers =
            servers.iter().map(|server| ctx.remoting.peers.at(PeerKind::NameServer, server));
        let peers: Vec<PeerId> = peers.collect();
        let start = ctx.fx.rng.next_u64();
        let Some(gone) = self.adopt(peers, start) else { return };
        ctx.fx.note(Note::NameServers { servers: servers.to_vec() });
        gone.into_iter().for_each(|peer| ctx.fx.signal(Signal::Unlisted(peer)));
        if first {
            ctx.fx.signal(Signal::ServersKnown);
        }
    }

    /// The list before it stays; calls that have none learn why.
    fn fetch_failed(&self, ctx: &mut Context, error: FetchError, failing: bool) {
        let Some(url) = self.source().map(|source| source.url().clone()) else { return };
        if !failing {
            ctx.fx.note(Note::FetchFailed { url: url.clone(), error: error.clone() });
        }
        if self.is_empty() {
            let endpoint = url.endpoint().clone();
            let failure = Failure::Fetch(Box::new(FetchFailure { url, error }));
            let peer = PeerKind::AddressServer;
            let attempt = Attempt { endpoint, peer, failure, opaque: None };
            ctx.fx.signal(Signal::ServersFailed(Box::new(attempt)));
        }
    }

    /// What a call without an answer was waiting for, where no nameserver is known yet.
    pub(crate) fn unfetched(&self, now: Instant) -> Option<Attempt> {
        let source = self.source().filter(|_| self.is_empty())?;
        let (_, since) = source.fetching()?;
        let error = FetchError::TimedOut(now.since(since));
        let (endpoint, url) = (source.url().endpoint().clone(), source.url().clone());
        let failure = Failure::Fetch(Box::new(FetchFailure { url, error }));
        Some(Attempt { endpoint, peer: PeerKind::AddressServer, failure, opaque: None })
    }
}
