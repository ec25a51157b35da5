//! Calls of the application: their ids, and how many there may be.

use crate::id::{OpId, Slots};

/// Whose a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpKind {
    /// The producer's.
    Send,
    /// The producer's, that waits for a reply.
    Request,
    /// The query's.
    Query,
    /// The end of a transaction.
    End,
    /// A consumer's, that commits.
    Commit,
}

/// The calls that have not ended, each kept by the machine whose it is.
pub(crate) type Ops = Slots<OpId, OpKind>;

/// What [`Engine::cancel`](crate::engine::Engine::cancel) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Nothing had left this process, or what had was refused: the message is not stored, the
    /// request not done, and will not be.
    Removed,
    /// The request had left: the message may be stored, the request done. Its answer will be
    /// ignored.
    Detached,
    /// The call had ended before: there was nothing left to give up.
    Ended,
}
