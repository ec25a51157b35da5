//! Why a query has no answer.

use super::{Attempt, Attempts, Lack, Refused, lack};
use crate::name::Topic;

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The call was refused at once.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The topic, or that queue of it, has no route.
    #[error("no route for topic {topic}{attempts}{}", lack::advice(.attempts.last()))]
    NoRoute {
        /// The topic.
        topic: Topic,
        /// Whom we asked.
        attempts: Attempts,
    },
    /// The route has no queue, or no broker, that could be asked, and none came by the deadline.
    #[error("topic {topic} can't be asked about: {lack}{attempts}")]
    NoQueue {
        /// The topic.
        topic: Topic,
        /// What is missing.
        lack: Box<Lack>,
        /// Whom we asked.
        attempts: Attempts,
    },
    /// The peer failed or refused.
    #[error("{0}")]
    Failed(Attempt),
    /// The deadline passed.
    #[error("no answer by the deadline{attempts}")]
    TimedOut {
        /// Each try.
        attempts: Attempts,
    },
    /// The client stopped, or its runtime is gone.
    #[error("the client stopped before the answer came")]
    Stopped,
    /// Waiting on this thread would block the very one that has to do the work: the only one of a
    /// runtime, or one that calls a waker, a log appender or a body's owner. The call goes on.
    #[error("waiting here would block the thread that does the work: await the call instead")]
    WouldDeadlock,
    /// The call was begun before this process was forked from the one that made the client.
    #[error("this process is a fork of the one that made the call, in which alone it ends")]
    Forked,
}
