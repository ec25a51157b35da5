//! Where the list of nameservers comes from, where an address server tells it.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Resting | the time of the next request has come | Fetching |
//! | Fetching | a list | Resting for two minutes, give or take a quarter |
//! | | an error, or `request_timeout` | Resting, longer with each failure |
//!
//! While no nameserver is known the pauses are those of a reconnect, at most `reconnect_max`; with
//! a list they grow to the two minutes. A bad list changes nothing: the one before it stays.

use std::time::Duration;

use crate::effects::{Command, Effects, TimerKind};
use crate::fetch::{FetchId, Url};
use crate::time::Instant;
use crate::timer::TimerKey;

/// How often the list is asked for (`MQClientInstance.startScheduledTask`).
const REFRESH: Duration = Duration::from_secs(120);

#[derive(Debug)]
enum State {
    Resting,
    Fetching { fetch: FetchId, timer: TimerKey, since: Instant },
}

/// The address server of one client.
#[derive(Debug)]
pub(crate) struct Source {
    url: Url,
    state: State,
    issued: u64,
    failures: u32,
}

impl Source {
    pub(crate) const fn new(url: Url) -> Self {
        Self { url, state: State::Resting, issued: 0, failures: 0 }
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// Asks for the list.
    pub(crate) fn begin(&mut self, fx: &mut Effects) {
        match self.state {
            State::Fetching { .. } => return,
            State::Resting => {}
        }
        self.issued += 1;
        let fetch = FetchId(self.issued);
        let within = fx.config.request_timeout;
        let timer = fx.after(within, TimerKind::FetchSlow(fetch));
        self.state = State::Fetching { fetch, timer, since: fx.now };
        fx.command(Command::Fetch { fetch, url: self.url.clone() });
    }

    /// Whether an answer is waited for, and since when.
    pub(crate) fn fetching(&self) -> Option<(FetchId, Instant)> {
        match self.state {
            State::Fetching { fetch, since, .. } => Some((fetch, since)),
            State::Resting => None,
        }
    }

    /// A request has ended, well or not. False if nobody waits for it any more. `known`: there are
    /// nameservers to go on with.
    pub(crate) fn ended(
        &mut self,
        fx: &mut Effects,
        ended: FetchId,
        well: bool,
        known: bool,
    ) -> bool {
        let State::Fetching { fetch, timer, .. } = self.state else { return false };
        if fetch != ended {
            return false;
        }
        fx.timers.cancel(timer);
        self.state = State::Resting;
        let doubled = fx.config.reconnect_min.saturating_mul(1 << self.failures.min(16));
        let most = if known { REFRESH } else { fx.config.reconnect_max };
        let pause = if well { REFRESH } else { doubled.min(most) };
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
        fx.timers.at(fx.now + fx.rng.jitter(pause), TimerKind::Fetch);
        true
    }

    /// Nobody will wait for the list any more; what comes is let drop.
    pub(crate) fn stop(&mut self) {
        self.state = State::Resting;
    }

    /// The timer that is kept, if one is.
    pub(crate) const fn timer(&self) -> Option<TimerKey> {
        match self.state {
            State::Fetching { timer, .. } => Some(timer),
            State::Resting => None,
        }
    }

    /// Whether the last request failed and none has succeeded since.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }
}
