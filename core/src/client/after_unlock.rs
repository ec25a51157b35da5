//! What a hold of the lock leaves to be done without it.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use super::link::{Open, Sink, Writer};
use super::listening::Listening;
use crate::allocation::Strategy;
use crate::engine::{Job, Note};
use crate::id::ConnectionId;
use crate::message::Publish;

/// What is left to do after unlocking.
#[derive(Default)]
pub(crate) struct AfterUnlock {
    pub(crate) wakers: Vec<Waker>,
    pub(super) notes: Vec<Note>,
    pub(super) shutdowns: Vec<Arc<dyn Sink>>,
    pub(super) spent: Vec<Arc<Publish>>,
    pub(super) bodies: Vec<Bytes>,
    pub(super) ended: Vec<Open>,
    pub(super) write: Option<PendingWrite>,
    /// What the engine wants computed.
    pub(super) jobs: Vec<Job>,
    /// Those that have to be told of changes.
    pub(super) listeners: Vec<Arc<Listening>>,
    /// What is the application's own, and needed no more.
    pub(super) rules: Vec<Strategy>,
}

impl AfterUnlock {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        let Self { wakers, notes, shutdowns, spent, bodies, ended, write, .. } = self;
        let Self { jobs, listeners, rules, .. } = self;
        (wakers.is_empty() && notes.is_empty() && shutdowns.is_empty() && spent.is_empty())
            && (bodies.is_empty() && ended.is_empty() && write.is_none())
            && (jobs.is_empty() && listeners.is_empty() && rules.is_empty())
    }
}

/// A write to be done by whoever holds it, after unlocking.
pub(crate) struct PendingWrite {
    pub(super) conn: ConnectionId,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) writer: Box<Writer>,
    /// Others may have something to send as well: nothing is taken out yet.
    pub(super) yields: bool,
}
