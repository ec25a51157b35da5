//! Offsets that are kept elsewhere than by brokers: whose they are, who keeps them, and the work of
//! loading and saving them, which is done outside of the engine and of whatever lock is held for
//! it.

mod job;
mod restore;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

pub use job::{LoadJob, LoadedOffsets, SaveJob, SavedOffsets};
pub(crate) use job::{Ticket, Work};
pub use restore::{BACKUP, FILE, restore};

use crate::name::{Group, QueueName};

/// Offsets by queue: of each, the first one that is not done with.
pub type Offsets = BTreeMap<QueueName, i64>;

/// What a store's functions fail with: any error, which is told of as the sentence that it prints.
/// One that is an [`OffsetStoreError`] keeps its kind.
pub type StoreFailure = Box<dyn Error + Send + Sync>;

/// Whose offsets are loaded, or saved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct OffsetOwner {
    /// The client whose own they are, of a group that broadcasts: `address@instance_name`, and
    /// `address@DEFAULT` for one without a name, as Java names such a client. None where the
    /// members share the queues: the offsets are the group's.
    pub client: Option<Arc<str>>,
    /// The group.
    pub group: Group,
}

impl OffsetOwner {
    /// The offsets of that group, as that client has them.
    pub fn new(client: impl Into<Arc<str>>, group: Group) -> Self {
        Self { client: Some(client.into()), group }
    }

    /// The offsets of a group whose members share the queues.
    pub const fn shared(group: Group) -> Self {
        Self { client: None, group }
    }
}

/// What a store has of a group's offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredOffsets {
    /// The offsets: none where nothing was ever saved.
    pub offsets: Offsets,
    /// What was damaged and could not be read, though the rest could: it is told of, and reading
    /// goes on.
    pub damage: Option<String>,
}

impl From<Offsets> for StoredOffsets {
    fn from(offsets: Offsets) -> Self {
        Self { offsets, damage: None }
    }
}

impl StoredOffsets {
    /// The same, of which something could not be read.
    #[must_use]
    pub fn damaged(mut self, damage: impl Into<String>) -> Self {
        self.damage = Some(damage.into());
        self
    }
}

/// Keeps the offsets of groups: in files, a database, or wherever the application likes
/// (Java's `OffsetStore`).
///
/// Each function is called on a thread that may block, never with a lock of the client's held, and
/// one after the other for one consumer. What it panics with ends there, and counts as an error;
/// after one it is called again, after pauses from 1 s to 30 s.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use rocketry_core::offsets::{OffsetOwner, OffsetStore, Offsets, StoreFailure, StoredOffsets};
///
/// #[derive(Debug, Default)]
/// struct InMemory(Mutex<HashMap<OffsetOwner, Offsets>>);
///
/// impl OffsetStore for InMemory {
///     fn load(&self, of: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
///         let all = self.0.lock().map_err(|_| "poisoned")?;
///         Ok(all.get(of).cloned().unwrap_or_default().into())
///     }
///
///     fn save(&self, of: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure> {
///         let mut all = self.0.lock().map_err(|_| "poisoned")?;
///         all.entry(of.clone()).or_default().extend(offsets.clone());
///         Ok(())
///     }
/// }
/// ```
pub trait OffsetStore: Send + Sync + 'static {
    /// All offsets that are stored of a group.
    ///
    /// # Errors
    ///
    /// When they can't be had now. The consumer begins nowhere before they are: a guess would skip
    /// messages.
    fn load(&self, of: &OffsetOwner) -> Result<StoredOffsets, StoreFailure>;

    /// Stores these offsets. What is stored of other queues stays: their brokers may be away.
    ///
    /// # Errors
    ///
    /// When it is not known that they are stored. Consuming goes on, and they are given again.
    fn save(&self, of: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure>;

    /// The consumer leaves, and what it had was saved, or failed to be: nothing more comes unless
    /// that is tried again. For stores that hold a file open, or a lock.
    fn close(&self, of: &OffsetOwner) {
        let _ = of;
    }
}

/// A store of the application's, which a consumer is given.
#[derive(Clone)]
pub struct OwnStore(Arc<dyn OffsetStore>);

impl OwnStore {
    /// That store.
    pub fn new(store: Arc<dyn OffsetStore>) -> Self {
        Self(store)
    }
}

impl fmt::Debug for OwnStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnStore")
    }
}

/// A store is the same as itself alone.
impl PartialEq for OwnStore {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Eq for OwnStore {}

/// Where there are no files: every load and save fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl OffsetStore for NoFiles {
    fn load(&self, _: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        Err(OffsetStoreError::NoFiles.into())
    }

    fn save(&self, _: &OffsetOwner, _: &Offsets) -> Result<(), StoreFailure> {
        Err(OffsetStoreError::NoFiles.into())
    }
}

/// Why offsets were not loaded, or not saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetStoreError {
    /// Another client has the file: in this process or in another one.
    #[error(
        "{path} is locked by another client, of this process or another one: give each client an \
         instance_name of its own"
    )]
    Locked {
        /// The file that is locked.
        path: String,
    },
    /// A name is to be a folder's, and can't be.
    #[error("{name:?} can't be the name of a folder: offsets are kept in one of that name")]
    Folder {
        /// The name.
        name: String,
    },
    /// There is no home to keep files in.
    #[error("no home is known to keep offsets in: set offset_store_path")]
    NoHome,
    /// The system refused.
    #[error("{doing} {path}: {error}")]
    Io {
        /// What was tried, as "writing".
        doing: &'static str,
        /// The file, or folder.
        path: String,
        /// What kind of failure it was.
        kind: io::ErrorKind,
        /// What the system said.
        error: String,
    },
    /// More is to be stored than would be read back.
    #[error("{path} would have more than {limit} bytes, and not be read back")]
    TooLarge {
        /// The file.
        path: String,
        /// How many it may have.
        limit: usize,
    },
    /// The loop that drives this engine has no files.
    #[error("this program keeps no files: give the consumer an offset store of its own")]
    NoFiles,
    /// The system gave no thread to do it on.
    #[error("no thread: {error}")]
    NoThread {
        /// What the system said.
        error: String,
    },
    /// The store of the application's panicked.
    #[error("the offset store panicked")]
    Panicked,
    /// What the store of the application's said.
    #[error("{reason}")]
    Other {
        /// In its words.
        reason: Arc<str>,
    },
}

impl OffsetStoreError {
    /// What the system refused, of a file or folder.
    pub fn io(doing: &'static str, path: impl Into<String>, error: &io::Error) -> Self {
        Self::Io { doing, path: path.into(), kind: error.kind(), error: error.to_string() }
    }

    fn of(failure: &StoreFailure) -> Self {
        match failure.downcast_ref::<Self>() {
            Some(own) => own.clone(),
            None => Self::Other { reason: failure.to_string().into() },
        }
    }
}
