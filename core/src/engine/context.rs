//! What every sub-machine gets: the time, chance, timers, and where to put its effects.

use std::collections::VecDeque;

use super::quiet::Quiet;
use crate::config::Config;
use crate::engine::{Command, Event, Note};
use crate::fetch::FetchId;
use crate::frame::Opaque;
use crate::id::{ConnectionId, OpId, PeerId, QueueKey, SubscriptionId};
use crate::name::Topic;
use crate::rng::Rng;
use crate::time::Instant;
use crate::timer::Timers;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimerKind {
    /// The deadline of a call of the application, or of its present try.
    Deadline(OpId),
    /// The deadline of a request of our own.
    #[doc(hidden)]
    Call(Opaque),
    /// A message that a busy broker refused is to be sent again.
    Resend(OpId),
    /// A broker that let a try run out is to be asked whether it answers.
    #[doc(hidden)]
    Slow(PeerId),
    /// A connection has to be there by now.
    Connect(ConnectionId),
    /// The pause before a reconnect is over.
    #[doc(hidden)]
    Reconnect(PeerId),
    /// A peer with requests that are overdue has to have said something by now.
    #[doc(hidden)]
    Silence(PeerId),
    /// A connection may have been idle for long enough.
    #[doc(hidden)]
    Idle(PeerId),
    /// A topic is to be looked up again after a pause.
    Route(Topic),
    /// A nameserver has been silent for as long as it may: the next one is asked.
    RouteSlow(Topic),
    /// All routes in use are to be looked up again.
    Routes,
    /// The address server is to be asked.
    Fetch,
    /// The address server should have answered.
    FetchSlow(FetchId),
    /// Brokers are to hear from us.
    Heartbeat,
    /// A broker that did not take a heartbeat is to get another one.
    #[doc(hidden)]
    Greet(PeerId, u64),
    /// Consumers are to commit.
    Commit,
    /// Brokers that are left alone are to be asked whether they are well again.
    Probe,
    /// A minute is over in which notes were left out.
    Notes,
    /// A consumer is to look at its share.
    Rebalance(SubscriptionId),
    /// A queue's pause is over.
    Queue(SubscriptionId, QueueKey),
    /// A message is to be delivered again.
    Again(SubscriptionId),
    /// Work is left that was too much for one turn.
    Turn,
    /// A consumer's or the client's leave has taken long enough.
    Leave(Option<SubscriptionId>),
    /// A consumer has had its time to finish.
    Drain(SubscriptionId),
}

/// Where effects go.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) commands: VecDeque<Command>,
    pub(crate) events: VecDeque<Event>,
    pub(super) quiet: Quiet,
    /// The engine's clock.
    pub(super) now: Instant,
}

impl Out {
    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Tells of a change of state, unless too much was told of the same thing just now.
    pub(crate) fn note(&mut self, note: Note) {
        self.events.extend(self.quiet.admit(self.now, note).map(Event::Note));
    }

    /// Tells the last of what was left out, where its minute is over.
    pub(super) fn flush_notes(&mut self) {
        self.events.extend(self.quiet.flush(self.now).into_iter().map(Event::Note));
    }

    pub(super) const fn suppressed(&self) -> u64 {
        self.quiet.suppressed()
    }
}

/// What a sub-machine may touch besides itself.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) rng: &'a mut Rng,
    pub(crate) timers: &'a mut Timers<TimerKind>,
    pub(crate) out: &'a mut Out,
    pub(crate) config: &'a Config,
}
