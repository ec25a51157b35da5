//! Calls that are refused at once.

use std::sync::Arc;

use crate::message::UniqueId;
use crate::name::{Group, NameError, Topic};

/// Why a call was refused at once: nothing was sent and nothing will be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The client is stopping or has stopped.
    #[error("the client has been shut down")]
    Stopped,
    /// `max_pending` calls have not ended yet.
    #[error("{0} sends are pending already, as many as max_pending allows")]
    Full(usize),
    /// Sends that have not ended take `max_pending_bytes`.
    #[error("sends of {0} bytes are pending already, as much as max_pending_bytes allows")]
    FullOfBytes(usize),
    /// As many sends as `max_waiting` allows wait for room.
    #[error("{0} sends wait for room already, as many as max_waiting allows")]
    FullOfWaiting(usize),
    /// Sends that wait for room take `max_waiting_bytes`.
    #[error("sends of {0} bytes wait for room already, as much as max_waiting_bytes allows")]
    FullOfWaitingBytes(usize),
    /// This client has a consumer of that group already: a second one would steal from the first.
    /// One that was dropped counts until it has left, in the background; `close` tells when it has.
    #[error("this client already has a consumer of group {0}")]
    DuplicateGroup(Group),
    /// The consumer names one topic twice, with tags of which brokers would keep the last ones.
    #[error("the consumer names topic {0} twice: join its tags with ||")]
    DuplicateTopic(Topic),
    /// The half message of that id is not decided yet: a second one would be taken for it.
    #[error("the half message {0} is not decided yet")]
    Undecided(UniqueId),
    /// A request with that correlation id waits for its reply already, which would be for both.
    #[error("a request with the correlation id {0} waits for its reply already")]
    DuplicateRequest(Arc<str>),
    /// What was to be begun as a transaction is no half message: a batch can't be one.
    #[error("only a single half message begins a transaction, no batch and no plain message")]
    NotHalf,
    /// The call was given no time.
    #[error("the call was given no time: its deadline has passed already")]
    NoTime,
    /// A consumer needs at least one topic, unless it is started without any on purpose.
    #[error("the consumer has no topic: name one, or start it without_topics and subscribe later")]
    NoTopic,
    /// A name is longer than brokers take, with the client's namespace before it, is nobody's to
    /// choose, or is of another namespace than the client's.
    #[error(transparent)]
    Name(Box<NameError>),
    /// This process is a child of `fork` of the one that made the client. Nothing was sent: make a
    /// client of the child's own.
    #[error("this process is a fork of the one that made the client: make a client of its own")]
    Forked,
}
