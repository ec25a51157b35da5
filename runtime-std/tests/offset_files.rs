//! Files of offsets: whole whenever the process is killed, locked, restored, and told of.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rocketry_core::body::OffsetFile;
use rocketry_core::name::{Group, QueueName, Topic};
use rocketry_core::offsets::{
    BACKUP, FILE, OffsetOwner, OffsetStore, OffsetStoreError, Offsets, StoreFailure,
};
use rocketry_std::base::OffsetFiles;

/// Says to this program, as a child, where it is to write.
const CHILD: &str = "ROCKETRY_TEST_OFFSETS";

fn owner(client: &str, group: &str) -> OffsetOwner {
    OffsetOwner::new(client, Group::new(group).unwrap())
}

/// Every queue of so many at the same offset: a file of several offsets was not written whole.
fn offsets(queues: u32, offset: i64) -> Offsets {
    let topic = Topic::new("orders").unwrap();
    let of = |queue| (QueueName { topic: topic.clone(), broker: "broker-a".into(), queue }, offset);
    (0..queues).map(of).collect()
}

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rocketry-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn files(&self) -> OffsetFiles {
        OffsetFiles::new(self.0.to_str())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn kind(failure: &StoreFailure) -> &OffsetStoreError {
    failure.downcast_ref().unwrap()
}

fn read(path: &Path) -> OffsetFile {
    OffsetFile::parse(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn bcast_05_files_lie_where_java_has_them_and_keep_what_others_stored() {
    let folder = Folder::new("layout");
    let (of, files) = (owner("10.0.0.1@DEFAULT", "cache"), folder.files());
    assert_eq!(files.load(&of).unwrap().offsets, Offsets::new());
    files.save(&of, &offsets(3, 7)).unwrap();
    files.save(&of, &offsets(1, 9)).unwrap();
    let file = folder.0.join("10.0.0.1@DEFAULT/cache/offsets.json");
    let mut expected = offsets(3, 7);
    expected.extend(offsets(1, 9));
    assert_eq!(read(&file).offsets, expected);
    assert_eq!(read(&file.with_file_name(BACKUP)).offsets, offsets(3, 7));
    files.close(&of);
    assert_eq!(folder.files().load(&of).unwrap().offsets, expected);
}

#[test]
fn a_file_is_one_clients_until_it_is_closed() {
    let folder = Folder::new("lock");
    let (of, one, two) = (owner("a@one", "g"), folder.files(), folder.files());
    one.load(&of).unwrap();
    for failure in [two.load(&of).err(), two.save(&of, &offsets(1, 1)).err()] {
        let failure = failure.unwrap();
        assert!(matches!(kind(&failure), OffsetStoreError::Locked { .. }), "{failure}");
        assert!(failure.to_string().contains("a@one/g/offsets.json"), "{failure}");
    }
    two.load(&owner("a@two", "g")).unwrap();
    one.close(&of);
    two.load(&of).unwrap();
    drop(two);
    one.load(&of).unwrap();
}

#[test]
fn bcast_06_a_file_that_is_cut_has_its_backup_read_and_never_becomes_the_backup() {
    let folder = Folder::new("torn");
    let of = owner("a@one", "g");
    let files = folder.files();
    files.save(&of, &offsets(2, 5)).unwrap();
    files.save(&of, &offsets(2, 6)).unwrap();
    files.close(&of);
    let at = files.folder(&of).unwrap();
    for torn in [&b""[..], b"{\n\t\"offsetTable\":{{", b"\0\0\0\0"] {
        fs::write(at.join(FILE), torn).unwrap();
        let loaded = files.load(&of).unwrap();
        assert_eq!(loaded.offsets, offsets(2, 5));
        assert!(loaded.damage.unwrap().contains("its backup is"));
        files.save(&of, &offsets(1, 8)).unwrap();
        assert_eq!(read(&at.join(BACKUP)).offsets, offsets(2, 5), "what was cut is no backup");
        assert_eq!(read(&at.join(FILE)).offsets.len(), 2);
        files.close(&of);
    }
    fs::write(at.join(FILE), b"").unwrap();
    fs::write(at.join(BACKUP), b"7").unwrap();
    let loaded = files.load(&of).unwrap();
    assert_eq!(loaded.offsets, Offsets::new());
    assert!(loaded.damage.unwrap().contains("as if new"));
}

#[test]
fn a_disk_that_can_not_be_written_is_told_and_read_all_the_same() {
    let folder = Folder::new("readonly");
    let of = owner("a@one", "g");
    let files = folder.files();
    files.save(&of, &offsets(1, 5)).unwrap();
    // Root may write anywhere: what stands in the way is a folder of that name.
    let at = files.folder(&of).unwrap();
    fs::create_dir(at.join("offsets.json.tmp")).unwrap();
    let failure = files.save(&of, &offsets(1, 6)).unwrap_err();
    assert!(matches!(kind(&failure), OffsetStoreError::Io { doing: "writing", .. }), "{failure}");
    assert_eq!(read(&at.join(FILE)).offsets, offsets(1, 5));
    fs::remove_dir(at.join("offsets.json.tmp")).unwrap();
    files.save(&of, &offsets(1, 7)).unwrap();
    files.close(&of);
    assert_eq!(read(&at.join(FILE)).offsets, offsets(1, 7));

    fs::remove_file(at.join("offsets.lock")).unwrap();
    fs::create_dir(at.join("offsets.lock")).unwrap();
    let loaded = files.load(&of).unwrap();
    assert_eq!(loaded.offsets, offsets(1, 7));
    assert!(loaded.damage.unwrap().contains("locking"));
    assert!(files.save(&of, &offsets(1, 8)).is_err());
    let nowhere = OffsetFiles::new(at.join(FILE).to_str());
    assert_eq!(nowhere.load(&of).unwrap().offsets, Offsets::new());
    assert!(nowhere.save(&of, &offsets(1, 8)).is_err());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = Folder::new("names");
    for name in ["..", ".", "", "a/../../b", "a\\b", "a\0b", "a\nb", &"x".repeat(256)] {
        let failure = folder.files().load(&owner(name, "g")).unwrap_err();
        assert!(matches!(kind(&failure), OffsetStoreError::Folder { .. }), "{name:?}: {failure}");
    }
    folder.files().load(&owner("::1@a b", "%RETRY%g|x-_")).unwrap();
}

/// What the child of the test below does: it writes until it is killed.
#[test]
fn writes_until_it_is_killed() {
    let Ok(root) = std::env::var(CHILD) else { return };
    let (files, of) = (OffsetFiles::new(Some(&root)), owner("a@one", "g"));
    let begun = files.load(&of).unwrap().offsets.into_values().next().unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(20);
    for offset in begun + 1.. {
        files.save(&of, &offsets(200, offset)).unwrap();
        if Instant::now() >= until {
            return;
        }
    }
}

fn child(root: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_until_it_is_killed"]).env(CHILD, root);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn bcast_07_whenever_the_process_is_killed_the_file_is_whole() {
    let folder = Folder::new("killed");
    let file = folder.0.join("a@one/g").join(FILE);
    let mut last = 0;
    for round in 0..30 {
        let mut child = child(&folder.0);
        let begun = Instant::now();
        // The first file of this round, and then somewhere in the middle of another one.
        let is_newer = || {
            let json = fs::read(&file).ok();
            let whole = json.map(|json| OffsetFile::parse(&json).unwrap());
            whole.is_some_and(|file| file.offsets.into_values().any(|offset| offset > last))
        };
        while !is_newer() {
            assert!(begun.elapsed() < Duration::from_secs(15), "round {round} writes nothing");
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(Duration::from_micros(137 * (round % 11)));
        child.kill().unwrap();
        child.wait().unwrap();
        let whole = read(&file).offsets;
        let offset = *whole.values().next().unwrap();
        assert_eq!(whole, offsets(200, offset), "of one save, in round {round}");
        assert!(offset > last, "round {round} went on from the file: {offset} after {last}");
        last = offset;
        let backup = file.with_file_name(BACKUP);
        if round == 0 && !backup.exists() {
            // killed before its second save
            continue;
        }
        let backup = read(&backup).offsets;
        assert!(backup.values().all(|older| *older <= offset), "round {round}");
    }
    assert!(folder.files().load(&owner("a@one", "g")).unwrap().damage.is_none());
}

/// A program that another thread starts has every open file for a moment, and so its locks.
#[cfg(unix)]
#[test]
fn a_file_that_is_closed_is_free_though_a_process_is_just_being_started() {
    let folder = Folder::new("forked");
    let (of, one, two) = (owner("a@one", "g"), folder.files(), folder.files());
    let done = AtomicBool::new(false);
    let refused = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let refused = (0..200).flat_map(|_| [&one, &two]).find_map(|files| {
            let refused = files.load(&of).err();
            files.close(&of);
            refused
        });
        done.store(true, Ordering::Relaxed);
        refused
    });
    assert!(refused.is_none(), "{refused:?}");
}
