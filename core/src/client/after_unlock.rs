//! What a hold of the lock leaves to be done without it.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use super::checking::Checking;
use super::link::{Open, Sink, Writer};
use super::listening::Listening;
use crate::allocation::Strategy;
use crate::engine::{Input, Job, Note};
use crate::id::ConnectionId;
use crate::message::Publish;
use crate::offsets::{LoadJob, OffsetStore, OffsetStoreError, OwnStore, SaveJob};

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
    pub(super) stores: Vec<OwnStore>,
    /// Who has half messages to look at.
    pub(super) checks: Vec<Arc<Checking>>,
    /// Offsets that the engine wants loaded, and saved.
    pub(super) offsets: Vec<OffsetJob>,
}

impl AfterUnlock {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        let Self { wakers, notes, shutdowns, spent, bodies, ended, write, .. } = self;
        let Self { jobs, listeners, rules, stores, checks, offsets, .. } = self;
        (wakers.is_empty() && notes.is_empty() && shutdowns.is_empty() && spent.is_empty())
            && (bodies.is_empty() && ended.is_empty() && write.is_none())
            && (jobs.is_empty() && listeners.is_empty() && rules.is_empty())
            && (stores.is_empty() && checks.is_empty() && offsets.is_empty())
    }
}

/// Offsets to be loaded or saved, on a thread of their own.
#[derive(Clone)]
pub(super) enum OffsetJob {
    Load(LoadJob),
    Save(SaveJob),
}

impl OffsetJob {
    /// Does it. Gives what to tell.
    pub(super) fn run(self, files: &dyn OffsetStore) -> Input {
        match self {
            Self::Load(job) => Input::Loaded { done: job.run(files) },
            Self::Save(job) => Input::Saved { done: job.run(files) },
        }
    }

    /// There is no thread to do it on.
    pub(super) fn fail(self, error: OffsetStoreError) -> Input {
        match self {
            Self::Load(job) => Input::Loaded { done: job.fail(error) },
            Self::Save(job) => Input::Saved { done: job.fail(error) },
        }
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
