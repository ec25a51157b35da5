//! Routes: which brokers have which queues of a topic.
//!
//! | state of a topic | leaves on | to |
//! |---|---|---|
//! | Idle | a call needs it, or a better one; the refresh interval; its broker is lost | Asking |
//! | | it has lost queues that a consumer reads, for a while | Asking |
//! | Asking | a route | Idle; Paused while somebody waits for another one |
//! | | one nameserver does not know the topic, fails, or is silent | the next one is asked |
//! | | all that answer say that there is none | Idle; Paused while somebody waits |
//! | | all failed | Paused if somebody waits, else Idle |
//! | Paused | the pause | Asking |
//!
//! Codes: `GET_ROUTEINFO_BY_TOPIC` (105). A topic nobody knows is looked up as `TBW102`, the topic
//! of brokers that create topics by themselves (`DefaultMQProducerImpl.tryToFindTopicPublishInfo`).
//! A known route serves on while no nameserver answers, and while they say that the topic is gone:
//! that is what they say of a topic whose only broker is down, and what one says that was just
//! started. They are believed once they have said so twice, `route_refresh_interval` apart, and no
//! broker of the route is connected.

mod answer;
mod ask;
mod compile;
mod entry;
mod known;
mod lookup;
mod outcome;
mod shrunk;
mod stats;
mod table;
mod waiters;

pub(crate) use crate::id::RouteQueue;
pub(crate) use ask::{Directory, Ways};
pub(crate) use compile::{Learnt, Named, Route};
use entry::{Entry, Fetch, Source, Told};
pub(crate) use known::Known;
use lookup::{Said, Step};
use outcome::Missing;
use shrunk::Shrunk;
pub use stats::TopicStats;
use table::Next;
pub(crate) use table::Routes;
use waiters::Waiters;

use crate::id::OpId;
use crate::time::Instant;

/// The topic whose route stands for topics that a broker will create on their first message.
pub(crate) const FALLBACK: &str = "TBW102";

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A route at all.
    Route,
    /// The end of one look-up, whatever it brings: the route may be out of date.
    News,
    /// A route other than the present one, which is of no use.
    Change,
}

/// An operation that waits for a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) op: OpId,
    pub(crate) wait: Wait,
    /// When it ends without what it waits for.
    pub(crate) deadline: Instant,
    /// The operation is content with a topic that a broker would create.
    pub(crate) creates: bool,
}
