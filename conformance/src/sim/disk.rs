//! The disk of a world's host: files of offsets, in Java's layout, that are locked by those who
//! have them open, and that may be torn, lost, slow, or full.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocketry_core::body::OffsetFile;
use rocketry_core::offsets::{
    LoadJob, OffsetOwner, OffsetStore, OffsetStoreError, Offsets, SaveJob, StoreFailure,
    StoredOffsets, restore,
};

use super::app::ClientId;
use super::happening::Happening;
use super::world::World;

/// What is done with a group's offsets, in its own time.
#[derive(Clone, Debug)]
pub(super) enum DiskJob {
    Load(LoadJob),
    Save(SaveJob),
}

impl DiskJob {
    const fn of(&self) -> &OffsetOwner {
        match self {
            Self::Load(job) => job.of(),
            Self::Save(job) => job.of(),
        }
    }
}

/// A file of offsets, and the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFiles {
    /// `offsets.json`.
    pub file: Option<Vec<u8>>,
    /// `offsets.json.bak`.
    pub backup: Option<Vec<u8>>,
}

/// What the disk does otherwise than it should.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFaults {
    /// Nothing can be read.
    pub unreadable: bool,
    /// Nothing can be written: the disk is full.
    pub full: bool,
    /// Each load and save takes so long; else up to 2 ms.
    pub takes: Option<Duration>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<OffsetOwner, OffsetFiles>,
    locks: BTreeMap<OffsetOwner, ClientId>,
    faults: DiskFaults,
    loads: usize,
    saves: usize,
}

/// One disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk as one client has it.
struct View {
    disk: Disk,
    client: ClientId,
}

impl View {
    fn locked(&self, of: &OffsetOwner) -> Result<MutexGuard<'_, State>, StoreFailure> {
        let mut state = self.disk.state();
        let holder = *state.locks.entry(of.clone()).or_insert(self.client);
        match holder == self.client {
            true => Ok(state),
            false => Err(OffsetStoreError::Locked { path: of.group.to_string() }.into()),
        }
    }
}

impl OffsetStore for View {
    fn load(&self, of: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        let mut state = self.locked(of)?;
        state.loads += 1;
        if state.faults.unreadable {
            return Err("the disk gives nothing".into());
        }
        let found = state.files.get(of).cloned().unwrap_or_default();
        Ok(restore(found.file.as_deref(), found.backup.as_deref()))
    }

    fn save(&self, of: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure> {
        let mut state = self.locked(of)?;
        state.saves += 1;
        if state.faults.full {
            return Err("the disk is full".into());
        }
        let found = state.files.entry(of.clone()).or_default();
        let whole = found.file.as_deref().is_some_and(|json| OffsetFile::parse(json).is_ok());
        let mut file = OffsetFile::default();
        file.offsets = restore(found.file.as_deref(), found.backup.as_deref()).offsets;
        file.offsets.extend(offsets.iter().map(|(queue, offset)| (queue.clone(), *offset)));
        let old = found.file.replace(file.to_json().ok_or("too large")?);
        if whole {
            found.backup = old;
        }
        Ok(())
    }

    fn close(&self, of: &OffsetOwner) {
        let held = |key: &OffsetOwner, holder: &ClientId| key == of && *holder == self.client;
        self.disk.state().locks.retain(|key, holder| !held(key, holder));
    }
}

impl World {
    /// Does it a while later.
    pub(super) fn keep_offsets(&mut self, client: ClientId, job: DiskJob) {
        let faults = self.disk.state().faults;
        let drawn = Duration::from_micros(self.rng.below(2000));
        let at = self.now + faults.takes.unwrap_or(drawn);
        self.schedule(at, Happening::Disk { client, job });
    }

    /// Its time has come. What a process that is gone had begun is not done.
    pub(super) fn disk_turns(&mut self, client: ClientId, job: DiskJob) {
        if self.clients[client.0].gone {
            self.disk.state().locks.retain(|of, holder| of != job.of() || *holder != client);
            return;
        }
        let view = View { disk: self.disk.clone(), client };
        match job {
            DiskJob::Load(job) => {
                let done = job.run(&view);
                self.tell(client, |session, now| session.loaded(now, done));
            }
            DiskJob::Save(job) => {
                let done = job.run(&view);
                self.tell(client, |session, now| session.saved(now, done));
            }
        }
    }

    /// What the disk does from now on.
    pub fn set_disk(&mut self, faults: DiskFaults) {
        self.disk.state().faults = faults;
    }

    /// The files of a group's offsets, as that client has them.
    pub fn offset_files(&self, of: &OffsetOwner) -> OffsetFiles {
        self.disk.state().files.get(of).cloned().unwrap_or_default()
    }

    /// Puts other files there.
    pub fn set_offset_files(&mut self, of: &OffsetOwner, files: OffsetFiles) {
        self.disk.state().files.insert(of.clone(), files);
    }

    /// All whose offsets are there.
    pub fn offset_owners(&self) -> Vec<OffsetOwner> {
        self.disk.state().files.keys().cloned().collect()
    }

    /// Loads and saves so far.
    pub fn disk_work(&self) -> (usize, usize) {
        let state = self.disk.state();
        (state.loads, state.saves)
    }

    /// A process is gone, and its locks with it.
    pub(super) fn unlock_files(&mut self, client: ClientId) {
        self.disk.state().locks.retain(|_, holder| *holder != client);
    }
}
