//! What every machine is handed and may change besides itself: time, chance, timers, and where its
//! effects go.

mod admission;
mod answer;
mod command;
mod counters;
mod event;
mod facts;
mod group_words;
mod half;
mod input;
mod note;
mod planted;
mod receipt;
mod reply;
mod signal;
mod spent;
mod store_facts;
mod throttle;
mod timer_kind;

use std::collections::VecDeque;
use std::sync::Arc;

pub use admission::Cancelled;
pub(crate) use admission::{OpKind, Ops};
pub use answer::{Answer, QueueChoice, Response};
pub use command::Command;
pub use counters::Counters;
pub use event::{Event, Leftover};
pub use facts::Fact;
pub(crate) use half::HalfStored;
pub use half::{CheckedHalf, Resolution, TransactionReceipt, TransactionState};
pub use input::Input;
pub use note::Note;
pub(crate) use planted::Plant;
#[cfg(feature = "planted")]
pub use planted::Planted;
#[cfg(not(feature = "planted"))]
pub(crate) use planted::Planted;
pub use receipt::{SendReceipt, SendStatus};
pub use reply::{PushedReply, ReplyMessage};
pub(crate) use signal::{SendOwner, Signal, Unrouted};
use spent::Spent;
pub use timer_kind::{ConsumerTimer, TimerKind};

use crate::config::Config;
use crate::name::Namespace;
use crate::rng::Rng;
use crate::time::{Instant, UnixMillis};
use crate::timer::Timers;
use throttle::Throttle;

/// What never changes, the clock, chance, timers, and the effects that wait to be taken.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) config: Arc<Config>,
    /// Where its topics and groups lie.
    pub(crate) namespace: Namespace,
    pub(crate) client_id: Arc<str>,
    pub(crate) now: Instant,
    /// Wall time at `anchor`.
    pub(crate) unix: UnixMillis,
    pub(crate) anchor: Instant,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers<TimerKind>,
    pub(crate) counters: Counters,
    /// Calls of the application that have not ended.
    pub(crate) ops: Ops,
    /// A fault put back on purpose, where such are built.
    pub(crate) plant: Plant,
    pub(crate) commands: VecDeque<Command>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) signals: VecDeque<Signal>,
    pub(crate) spent: Spent,
    pub(crate) throttle: Throttle,
}

impl Effects {
    /// Nothing to be done yet. `unix` is the wall time at `now`.
    pub(crate) fn new(config: Arc<Config>, rng: Rng, now: Instant, unix: UnixMillis) -> Self {
        Self {
            namespace: Namespace::of(&config),
            client_id: config.client_id(),
            config,
            now,
            unix,
            anchor: now,
            rng,
            timers: Timers::default(),
            counters: Counters::default(),
            ops: Ops::default(),
            plant: Plant::default(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            signals: VecDeque::new(),
            spent: Spent::default(),
            throttle: Throttle::default(),
        }
    }

    /// The wall time that belongs to the present moment.
    pub(crate) fn unix(&self) -> UnixMillis {
        self.unix + self.now.since(self.anchor)
    }

    /// Has a timer fire after so long.
    pub(crate) fn after(
        &mut self,
        after: std::time::Duration,
        kind: TimerKind,
    ) -> crate::timer::TimerKey {
        self.timers.after(self.now, after, kind)
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Tells another machine something: the engine carries it there, first in, first out, before
    /// the next completion, timer or verb.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.signals.push_back(signal);
    }

    /// Tells of a change of state, unless too much was told of the same thing just now.
    pub(crate) fn note(&mut self, note: Note) {
        self.events.extend(self.throttle.admit(self.now, note).map(Event::Note));
    }

    /// Tells the last of what was left out, where its minute is over.
    pub(crate) fn flush_notes(&mut self) {
        self.events.extend(self.throttle.flush(self.now).into_iter().map(Event::Note));
    }
}
