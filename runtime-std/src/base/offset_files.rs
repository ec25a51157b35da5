//! Files of offsets, as Java's client keeps them for groups that broadcast
//! (`LocalFileOffsetStore`): `<root>/<client>/<group>/offsets.json`, and the one before as
//! `offsets.json.bak`.
//!
//! A file is written whole beside the old one, brought to the disk, and renamed over it: whenever
//! the process or the machine stops, the old or the new one is there. A file next to it is locked
//! while its consumer is there, since two that write in turn would each undo what the other has
//! done; the system lets go of it with the process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rocketry_core::body::{BODY_MAX, OffsetFile};
use rocketry_core::offsets::{
    BACKUP, FILE, OffsetOwner, OffsetStore, OffsetStoreError, Offsets, StoreFailure, StoredOffsets,
    restore,
};

/// Where Java keeps them, in the user's home.
const FOLDER: &str = ".rocketmq_offsets";
/// What is locked; Java has no such file, and does not mind it.
const LOCK: &str = "offsets.lock";
/// What is written before it is renamed.
const TEMPORARY: &str = "offsets.json.tmp";
const OLD: &str = "offsets.json.old";

type Kept<T> = Result<T, OffsetStoreError>;

/// The files of one client.
#[derive(Debug)]
pub struct OffsetFiles {
    root: Option<PathBuf>,
    open: Mutex<BTreeMap<OffsetOwner, Open>>,
}

/// The file of a consumer that is there.
#[derive(Debug)]
struct Open {
    folder: PathBuf,
    _lock: Lock,
    /// What the file has: other queues' offsets, too.
    offsets: Offsets,
    /// The file can be read: it is worth a backup.
    whole: bool,
}

impl OffsetFiles {
    /// Files below `root`, or else where Java has them: `.rocketmq_offsets` in the user's home.
    pub fn new(root: Option<&str>) -> Self {
        let home = || std::env::home_dir().map(|home| home.join(FOLDER));
        Self { root: root.map(PathBuf::from).or_else(home), open: Mutex::default() }
    }

    /// The folder of a group's files.
    ///
    /// # Errors
    ///
    /// Without a home, and where a name can't be a folder's.
    pub fn folder(&self, of: &OffsetOwner) -> Result<PathBuf, OffsetStoreError> {
        let root = self.root.as_ref().ok_or(OffsetStoreError::NoHome)?;
        Ok(root
            .join(component(of.client.as_deref().unwrap_or_default())?)
            .join(component(of.group.as_str())?))
    }

    fn with_open<T>(
        &self,
        of: &OffsetOwner,
        act: impl FnOnce(&mut Open, Option<String>) -> Kept<T>,
    ) -> Kept<T> {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(of) {
            return act(open, None);
        }
        let folder = self.folder(of)?;
        let lock = lock(&folder)?;
        let StoredOffsets { offsets, damage, .. } = read(&folder)?;
        let whole = damage.is_none();
        let open = Open { folder, _lock: lock, offsets, whole };
        act(all.entry(of.clone()).or_insert(open), damage)
    }
}

impl OffsetStore for OffsetFiles {
    /// Where the disk can't be written, the file is read all the same, without a lock: consuming
    /// goes on.
    fn load(&self, of: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        let loaded = self.with_open(of, |open, damage| {
            let loaded = StoredOffsets::from(open.offsets.clone());
            Ok(match damage {
                Some(damage) => loaded.damaged(damage),
                None => loaded,
            })
        });
        let unlocked = match loaded {
            Err(error @ OffsetStoreError::Io { doing: LOCKING, .. }) => error,
            loaded => return Ok(loaded?),
        };
        let found = read(&self.folder(of)?)?;
        let damage = found.damage.iter().cloned().chain([unlocked.to_string()]);
        let damage = damage.collect::<Vec<_>>().join("; ");
        Ok(found.damaged(damage))
    }

    fn save(&self, of: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure> {
        let given = offsets.iter().map(|(queue, offset)| (queue.clone(), *offset));
        Ok(self.with_open(of, |open, _| {
            open.offsets.extend(given);
            open.write()
        })?)
    }

    fn close(&self, of: &OffsetOwner) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(of);
    }
}

impl Open {
    /// Writes the file.
    fn write(&mut self) -> Kept<()> {
        let file = self.folder.join(FILE);
        let too_large = || OffsetStoreError::TooLarge { path: shown(&file), limit: BODY_MAX };
        let mut whole = OffsetFile::default();
        whole.offsets.clone_from(&self.offsets);
        let json = whole.to_json().ok_or_else(too_large)?;
        let temporary = self.folder.join(TEMPORARY);
        let wrote = File::create(&temporary).and_then(|mut out| {
            out.write_all(&json)?;
            out.sync_all()
        });
        told("writing", &temporary, wrote)?;
        if self.whole {
            told("keeping the backup of", &file, keep(&self.folder))?;
        }
        told("replacing", &file, fs::rename(&temporary, &file))?;
        self.whole = true;
        told("bringing to the disk", &self.folder, sync(&self.folder))
    }
}

/// What is tried where a file is locked: see [`OffsetFiles::load`].
const LOCKING: &str = "locking";

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn told<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Kept<T> {
    result.map_err(|error| OffsetStoreError::io(doing, shown(path), &error))
}

/// A name as the name of a folder. Groups have no other characters than these, instances may.
fn component(name: &str) -> Kept<&str> {
    const UNIX: &[char] = &['/', '\\'];
    const WINDOWS: &[char] = &['<', '>', ':', '"', '|', '?', '*'];
    let device = |name: &str| {
        let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
        let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
        matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
            || port.is_some_and(|port| port.len() == 1 && port.as_bytes()[0].is_ascii_digit())
    };
    let odd = name.contains(UNIX) || name.chars().any(char::is_control);
    let odd = odd || matches!(name, "" | "." | "..") || name.len() > 255;
    let windows = name.contains(WINDOWS) || name.ends_with(['.', ' ']) || device(name);
    if odd || (cfg!(windows) && windows) {
        return Err(OffsetStoreError::Folder { name: name.to_owned() });
    }
    Ok(name)
}

/// A locked file.
#[derive(Debug)]
struct Lock(#[cfg_attr(windows, allow(dead_code))] File);

/// To close the file is not enough: a process that was just forked off, by whoever starts a
/// program, has it open too until its `exec`, and the lock with it.
#[cfg(unix)]
impl Drop for Lock {
    fn drop(&mut self) {
        // what can't be unlocked is unlocked by being closed
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
}

/// Makes the folder, and locks its files.
fn lock(folder: &Path) -> Kept<Lock> {
    told(LOCKING, folder, fs::create_dir_all(folder))?;
    let path = folder.join(LOCK);
    match lock_file(&path) {
        Ok(Some(lock)) => Ok(Lock(lock)),
        Ok(None) => Err(OffsetStoreError::Locked { path: shown(&folder.join(FILE)) }),
        Err(error) => Err(OffsetStoreError::io(LOCKING, shown(&path), &error)),
    }
}

/// A lock of the system's on a file; `None`: somebody else has it.
#[cfg(unix)]
fn lock_file(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;

    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A file that nobody else may open.
#[cfg(windows)]
fn lock_file(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;

    /// `ERROR_SHARING_VIOLATION`.
    const SHARED: i32 = 32;
    let mut options = File::options();
    let opened = options.write(true).create(true).truncate(false).share_mode(0).open(path);
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(SHARED) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is there, whole or not.
fn read(folder: &Path) -> Kept<StoredOffsets> {
    let [file, backup] = [FILE, BACKUP].map(|name| contents(&folder.join(name)));
    Ok(restore(file?.as_deref(), backup?.as_deref()))
}

/// What a file has; none where it is not there. One that is too large to be read whole is cut, and
/// so is no JSON.
fn contents(path: &Path) -> Kept<Option<Vec<u8>>> {
    use std::io::Read;

    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(OffsetStoreError::io("reading", shown(path), &error)),
    };
    let mut bytes = Vec::new();
    told("reading", path, file.take(BODY_MAX as u64 + 1).read_to_end(&mut bytes))?;
    Ok(Some(bytes))
}

/// The file as it is becomes the backup, and stays the file.
fn keep(folder: &Path) -> io::Result<()> {
    let [file, old, backup] = [FILE, OLD, BACKUP].map(|name| folder.join(name));
    if let Err(error) = fs::remove_file(&old)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    match fs::hard_link(&file, &old) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        // File systems without links.
        Err(_) => _ = fs::copy(&file, &old)?,
    }
    fs::rename(&old, &backup)
}

/// Brings the names of a folder to the disk.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder can't be opened as a file.
#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
