//! A message on its way to a queue: choosing it, trying another one, and what came of it.
//!
//! | state of a send | leaves on | to |
//! |---|---|---|
//! | Waiting for room | fewer are under way, or fewer bytes | Waiting in line, or Routing |
//! | | the deadline | ended |
//! | Waiting in line | it is the first of its key | Routing |
//! | | the deadline | ended |
//! | Routing | the topic's route | Sent |
//! | | no such topic, the deadline | ended |
//! | | the window of its broker is full | Waiting for its turn |
//! | | it is for a time, and its broker's version is not known | Pausing |
//! | Waiting for its turn | whatever frees a place, as an answer, here or elsewhere | Routing |
//! | | its broker has moved | Routing |
//! | | the deadline | ended |
//! | Sent | stored (codes 0, 10, 11, 12) | ended |
//! | | never left this process | Sent elsewhere; costs no attempt |
//! | | an error another queue may not have, a lost connection | Sent elsewhere, or ended |
//! | | the broker is busy (code 2) | Pausing; costs no attempt |
//! | | one of several connections to the broker was lost | Pausing, or ended |
//! | | no answer within `try_timeout`, and another broker is there | Sent elsewhere |
//! | Pausing | the pause | Sent elsewhere |
//! | | another error, the deadline | ended |
//! | Sent, oneway | the frame is given to the connection | ended |
//!
//! Codes: `SEND_MESSAGE_V2` (310), `SEND_BATCH_MESSAGE` (320), `SEND_REPLY_MESSAGE_V2` (325).

mod ending;
mod groups;
mod held;
mod line;
mod machine;
mod oneway;
mod outcome;
mod places;
mod request;
mod room;
mod tries;
mod version;
mod window;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use groups::Groups;
use line::{Key, Lines};
pub(crate) use machine::Producers;
pub(crate) use window::Turn;

pub use crate::effects::{PushedReply, ReplyMessage, SendReceipt, SendStatus};

use crate::effects::SendOwner;
use crate::error::{Attempts, Failure, Stored};
use crate::frame::Opaque;
use crate::id::BrokerId;
use crate::message::{Publish, java_string_hash};
use crate::name::QueueName;
use crate::route::{Route, RouteQueue};
use crate::time::Instant;
use crate::timer::TimerKey;

/// Which queue a message goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "MessageQueueSelector", alias = "QueueSelector")]
pub enum QueueSelection {
    /// The topic's queues in turn, as Java's default; a second try goes to another broker.
    #[default]
    InTurn,
    /// Any queue; a second try goes to another broker.
    Random,
    /// The queue at this place, modulo the number of queues, of all that may be written to, by
    /// broker name and number (`SelectMessageQueueByHash`); of a topic with `orderTopicConf`, in
    /// that order. The same one while the route stays the same. Every try goes there.
    Hash(i32),
    /// This queue, whether or not the route has it. Every try goes there.
    Queue {
        /// The broker group.
        broker: Arc<str>,
        /// The queue's number; -1 lets the broker pick one. Brokers of 4.8.0 then pick one below 0
        /// half of the time, which no consumer reads.
        queue: i32,
    },
}

impl QueueSelection {
    /// What its order is kept by, within a topic.
    fn order(&self) -> i32 {
        match self {
            Self::Hash(hash) => *hash,
            Self::Queue { broker, queue } => java_string_hash(broker).wrapping_add(*queue),
            Self::InTurn | Self::Random => 0,
        }
    }

    /// Whether it is one queue, by name.
    const fn names_queue(&self) -> bool {
        matches!(self, Self::Queue { .. })
    }

    /// Whether every try goes to the same queue: such messages are often meant to keep an order.
    pub(crate) const fn is_fixed(&self) -> bool {
        match self {
            Self::InTurn | Self::Random => false,
            Self::Hash(_) | Self::Queue { .. } => true,
        }
    }
}

/// How one message is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendOptions {
    /// Which queue it goes to; `None`: its producer's, else in turn.
    pub selection: Option<QueueSelection>,
    /// From the call to its end; `None`: its producer's, else the client's `send_timeout`.
    pub timeout: Option<Duration>,
    /// How often it is given to a broker, the first time included; `None`: its producer's, else the
    /// client's `send_attempts`. 0 counts as 1.
    pub attempts: Option<u32>,
    /// No answer is asked for: the call ends when the message is given to its connection (a queue
    /// of at most 256 KiB before the socket), and nobody will know whether it was stored.
    pub oneway: bool,
    /// One of its key is under way at a time.
    pub(crate) ordered: bool,
    /// For whom it is, where it is not the application's.
    pub(crate) owner: Option<SendOwner>,
}

impl SendOptions {
    /// To that queue of that broker.
    pub fn to(queue: &QueueName) -> Self {
        let (broker, queue) = (queue.broker.clone(), queue.queue as i32);
        Self::default().selection(QueueSelection::Queue { broker, queue })
    }

    /// To the queue that `key` hashes to (`String.hashCode`), as Java's
    /// `SelectMessageQueueByHash`. That gives the queue alone: of several messages of a key under
    /// way at once, one that is sent again is stored behind those that followed it. See
    /// [`ordered`](Self::ordered).
    pub fn hash(key: &str) -> Self {
        Self::default().selection(QueueSelection::Hash(java_string_hash(key)))
    }

    /// To the queue that `key` hashes to, and in the order of the calls: of a topic's messages of
    /// one key the client keeps one under way, all its tries included, while the others wait behind
    /// it. One round trip at a time is what a key gets, and no key waits for another, unless they
    /// have one hash. But those that wait for their key are under way as well: as many of one slow
    /// key as `max_pending` leave no room for those of any other.
    ///
    /// The deadline of each runs from its call, and one that fails does not stop those behind it:
    /// whoever needs none of them stored after a gap waits for each result before the next call.
    /// So it is with one that ends as [`Stored::Unknown`]: it may be stored yet, behind the next.
    /// A message that waits for room keeps its place as well. The order lasts as long as the key
    /// keeps its queue, which a change of the route may end.
    pub fn ordered(key: &str) -> Self {
        Self { ordered: true, ..Self::hash(key) }
    }

    /// To the queue that this chooses.
    #[must_use]
    pub fn selection(mut self, selection: QueueSelection) -> Self {
        self.selection = Some(selection);
        self
    }

    /// With a deadline of its own.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Given to a broker so often at most, the first time included.
    #[must_use]
    #[doc(alias = "setRetryTimesWhenSendFailed")]
    pub const fn attempts(mut self, most: u32) -> Self {
        self.attempts = Some(most);
        self
    }

    /// Without an answer.
    #[must_use]
    pub const fn oneway(mut self) -> Self {
        self.oneway = true;
        self
    }
}

/// Brokers' largest frame in bytes, unless they are told otherwise (`frameMaxLength`).
pub(crate) const FRAME: usize = 16 << 20;

/// One send.
#[derive(Debug)]
pub(crate) struct Send {
    pub(crate) publish: Arc<Publish>,
    /// For whom it is, where it is not the application's.
    pub(crate) owner: Option<SendOwner>,
    /// When it was asked for.
    pub(crate) since: Instant,
    /// When it has to end.
    pub(crate) deadline: Instant,
    /// When the present or last try began.
    pub(crate) tried: Instant,
    /// Fires at its deadline, and before when the present try may have run out.
    pub(crate) timer: TimerKey,
    /// From a try to the next one on another broker; `None`: it has no other broker to go to.
    pub(crate) limit: Option<Duration>,
    pub(crate) selection: QueueSelection,
    /// Tries there are.
    pub(crate) most: u32,
    pub(crate) oneway: bool,
    /// The line it is in.
    pub(crate) line: Option<Key>,
    /// Others are before it there.
    pub(crate) behind: bool,
    /// Tries whose frame may have left.
    pub(crate) tries: u32,
    pub(crate) stored: Stored,
    pub(crate) attempts: Attempts,
    /// Broker and queue of the present or last try.
    pub(crate) at: Option<(BrokerId, i32)>,
    /// Busy brokers' refusals.
    pub(crate) busy: u32,
    /// How it stands to the window of its broker.
    pub(crate) turn: Turn,
    /// It has waited for room, or for its turn.
    pub(crate) queued: bool,
    /// The pause before the next try.
    pub(crate) pause: Option<TimerKey>,
    /// The broker whose version it pauses for.
    pub(crate) unknown: Option<version::Unknown>,
    /// The request of the present try.
    pub(crate) call: Option<Opaque>,
    /// Tries that ran out, and whose answers may still come.
    pub(crate) earlier: Vec<Earlier>,
    /// What its first try was told that stored it, but not as well as asked for: that is what the
    /// send ends with when no other try does better.
    pub(crate) receipt: Option<Box<SendReceipt>>,
    /// Why the last try failed that there was, while an answer to an earlier one may come.
    pub(crate) failed: Option<Failure>,
}

/// A try that ran out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Earlier {
    pub(crate) opaque: Opaque,
    pub(crate) broker: BrokerId,
    /// When it began.
    pub(crate) tried: Instant,
}

impl Send {
    pub(crate) fn new(
        publish: Arc<Publish>,
        options: SendOptions,
        most: u32,
        since: Instant,
        (timer, deadline, limit): (TimerKey, Instant, Option<Duration>),
    ) -> Self {
        let SendOptions { selection, oneway, ordered, owner, .. } = options;
        let selection = selection.unwrap_or_default();
        let line = ordered.then(|| (publish.topic().clone(), selection.order()));
        Self {
            publish,
            owner,
            since,
            deadline,
            tried: since,
            timer,
            limit,
            selection,
            most,
            oneway,
            line,
            behind: false,
            tries: 0,
            stored: Stored::No,
            attempts: Attempts::default(),
            at: None,
            busy: 0,
            turn: Turn::Free,
            queued: false,
            pause: None,
            unknown: None,
            call: None,
            earlier: Vec::new(),
            receipt: None,
            failed: None,
        }
    }

    /// Whether its broker may close the connection over it: it is larger than brokers' frames are
    /// by default, or a connection was lost in the middle of it.
    pub(crate) fn is_wide(&self) -> bool {
        let last = self.attempts.last().map(|attempt| &attempt.failure);
        self.publish.wire_size() > FRAME || matches!(last, Some(Failure::Cut(_)))
    }

    /// The requests under way for it, each with its broker and when it was given to that.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Opaque, BrokerId, Instant)> {
        let present =
            self.call.zip(self.at).map(|(opaque, (broker, _))| (opaque, broker, self.tried));
        self.earlier.iter().map(|one| (one.opaque, one.broker, one.tried)).chain(present)
    }

    /// Whether an answer now comes so late that one of a broker with more to do would come too
    /// late: its try has taken half of all the time that the send had.
    pub(crate) fn is_slow(&self, now: Instant) -> bool {
        now.since(self.tried) > self.deadline.since(self.since) / 2
    }

    /// Bytes that it takes of its broker's window: none where it is over the limit of brokers'
    /// frames, since it has a connection of its own and must not keep others waiting.
    pub(crate) fn window_size(&self) -> usize {
        Some(self.publish.wire_size()).filter(|size| *size <= FRAME).unwrap_or_default()
    }

    /// Whether the message may be stored, as far as is known: a try that ran out may have stored it
    /// until its broker says otherwise.
    pub(crate) fn known(&self) -> Stored {
        let open = if self.earlier.is_empty() { Stored::No } else { Stored::Unknown };
        self.stored.max(open)
    }

    /// Whether that broker was given the message in a try that ran out, and may answer yet.
    pub(crate) fn has_left_for(&self, broker: BrokerId) -> bool {
        self.earlier.iter().any(|one| one.broker == broker)
    }

    /// Whether a broker refused the last try.
    pub(crate) fn is_refused(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|attempt| matches!(attempt.failure, Failure::Refused { .. }))
    }
}

/// The next queue in turn, of a broker that has not got the message, as long as there is one: not
/// on the one that failed last nor on one that is down, as long as there are others; else not the
/// queue that failed last, as long as there are others.
pub(crate) fn choose(
    route: &Route,
    turn: u32,
    last: Option<RouteQueue>,
    has_it: &dyn Fn(BrokerId) -> bool,
    is_down: &dyn Fn(BrokerId) -> bool,
) -> Option<RouteQueue> {
    let count = route.writable.len();
    if count == 0 {
        return None;
    }
    let at = |step: usize| route.writable[(turn as usize % count + step) % count];
    let find = |wanted: &dyn Fn(RouteQueue) -> bool| {
        (0..count).map(at).find(|q| !has_it(q.broker) && wanted(*q))
    };
    let other_broker = |q: RouteQueue| last.is_none_or(|last| last.broker != q.broker);
    let other_queue = |q: RouteQueue| last != Some(q);
    find(&|q| other_broker(q) && !is_down(q.broker))
        .or_else(|| find(&|q| other_queue(q) && !is_down(q.broker)))
        .or_else(|| find(&other_broker))
        .or_else(|| find(&other_queue))
        .or_else(|| Some(at(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(_: BrokerId) -> bool {
        false
    }

    fn route() -> Route {
        let queue = |broker, queue| RouteQueue { broker: BrokerId(broker), queue };
        let writable = vec![queue(0, 0), queue(0, 1), queue(1, 0), queue(1, 1)];
        Route { writable, ..Route::default() }
    }

    #[test]
    fn queues_take_turns_evenly() {
        let route = route();
        let mut seen = std::collections::BTreeMap::new();
        for turn in 7..407 {
            *seen.entry(choose(&route, turn, None, &no, &no).unwrap()).or_insert(0) += 1;
        }
        assert!(seen.len() == 4 && seen.values().all(|count| *count == 100), "{seen:?}");
    }

    #[test]
    fn a_retry_goes_to_another_broker_and_else_to_another_queue() {
        let route = route();
        let last = Some(route.writable[2]);
        let pick = |down: &dyn Fn(BrokerId) -> bool| choose(&route, 2, last, &no, down).unwrap();
        assert_eq!(pick(&|_| false), route.writable[0]);
        assert_eq!(pick(&|broker| broker == BrokerId(0)), route.writable[3]);
        let only = Route { writable: vec![route.writable[2]], ..Route::default() };
        assert_eq!(choose(&only, 9, last, &no, &|_| true), last);
        assert_eq!(choose(&Route::default(), 0, None, &no, &no), None);
        let pick = |has: &dyn Fn(BrokerId) -> bool| choose(&route, 2, last, has, &|_| true);
        assert_eq!(pick(&|broker| broker == BrokerId(0)), Some(route.writable[3]));
        assert!(pick(&|_| true).is_some());
    }
}
