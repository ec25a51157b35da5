//! One load, or one save: what an engine asks for, and what it is told.

use std::fmt;

use super::{OffsetOwner, OffsetStore, OffsetStoreError, Offsets, OwnStore, StoredOffsets};
use crate::contain::contained;
use crate::id::SubscriptionId;

/// Whose it is, and which of its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) sub: SubscriptionId,
    pub(crate) number: u64,
}

/// Where it is done, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) ticket: Ticket,
    pub(crate) of: OffsetOwner,
    /// The application's store; that of the program's files where there is none.
    pub(crate) own: Option<OwnStore>,
}

/// The application's own, or else that of the program's files.
fn store<'a>(own: &'a Option<OwnStore>, files: &'a dyn OffsetStore) -> &'a dyn OffsetStore {
    own.as_ref().map_or(files, |own| &*own.0)
}

/// Offsets that the engine wants loaded: [`run`](Self::run) it on a thread that may block, and tell
/// what it gives by [`Input::Loaded`](crate::engine::Input::Loaded).
///
/// ```no_run
/// # use rocketry_core::engine::{Command, Engine, Input};
/// # use rocketry_core::offsets::OffsetStore;
/// # fn f(engine: &mut Engine, now: rocketry_core::time::Instant, files: &dyn OffsetStore) {
/// match engine.poll_command() {
///     Some(Command::Load { job }) => engine.handle(now, Input::Loaded { done: job.run(files) }),
///     Some(Command::Save { job }) => engine.handle(now, Input::Saved { done: job.run(files) }),
///     _ => {}
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct LoadJob(pub(crate) Work);

/// Offsets that the engine wants saved, likewise; told by
/// [`Input::Saved`](crate::engine::Input::Saved).
#[derive(Clone, PartialEq, Eq)]
pub struct SaveJob {
    pub(crate) work: Work,
    pub(crate) offsets: Offsets,
    /// The consumer leaves: nothing comes after it.
    pub(crate) last: bool,
}

/// What a [`LoadJob`] came to.
#[derive(Clone, Debug)]
pub struct LoadedOffsets {
    pub(crate) ticket: Ticket,
    pub(crate) result: Result<StoredOffsets, OffsetStoreError>,
}

/// What a [`SaveJob`] came to.
#[derive(Clone, Debug)]
pub struct SavedOffsets {
    pub(crate) ticket: Ticket,
    pub(crate) result: Result<(), OffsetStoreError>,
}

impl LoadJob {
    /// Whose offsets.
    pub const fn of(&self) -> &OffsetOwner {
        &self.0.of
    }

    /// Does it: from the application's own store, or else from `files`. What a store panics with
    /// ends here.
    pub fn run(self, files: &dyn OffsetStore) -> LoadedOffsets {
        let Work { ticket, of, own } = self.0;
        let loaded = contained(|| {
            let loaded = store(&own, files).load(&of);
            drop(own);
            loaded.map_err(|failure| OffsetStoreError::of(&failure))
        });
        let result = loaded.unwrap_or(Err(OffsetStoreError::Panicked));
        LoadedOffsets { ticket, result }
    }

    /// It can't be done now.
    pub fn fail(self, error: OffsetStoreError) -> LoadedOffsets {
        LoadedOffsets { ticket: self.0.ticket, result: Err(error) }
    }
}

impl SaveJob {
    /// Whose offsets.
    pub const fn of(&self) -> &OffsetOwner {
        &self.work.of
    }

    /// The offsets.
    pub const fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// Does it: in the application's own store, or else in `files`.
    pub fn run(self, files: &dyn OffsetStore) -> SavedOffsets {
        let Self { work: Work { ticket, of, own }, offsets, last } = self;
        let saved = contained(|| {
            let store = store(&own, files);
            let saved = if offsets.is_empty() { Ok(()) } else { store.save(&of, &offsets) };
            // Nobody may be left to say so once more.
            if last {
                store.close(&of);
            }
            drop(own);
            saved.map_err(|failure| OffsetStoreError::of(&failure))
        });
        let result = saved.unwrap_or(Err(OffsetStoreError::Panicked));
        SavedOffsets { ticket, result }
    }

    /// It can't be done now.
    pub fn fail(self, error: OffsetStoreError) -> SavedOffsets {
        SavedOffsets { ticket: self.work.ticket, result: Err(error) }
    }
}

impl fmt::Debug for LoadJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Work { ticket, of, .. } = &self.0;
        write!(f, "LoadJob {{ group: {:?}, number: {} }}", of.group, ticket.number)
    }
}

impl fmt::Debug for SaveJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, number) = (&self.work.of.group, self.work.ticket.number);
        let (queues, last) = (self.offsets.len(), self.last);
        write!(f, "SaveJob {{ group: {group:?}, number: {number}, queues: {queues}")?;
        write!(f, ", last: {last} }}")
    }
}
