//! The folder that remembers which JVMs are ours, across processes.
//!
//! `DIR/NAME/` is one cluster: its configuration, output and data, and a file `state` of
//! `key=value` lines. A cluster belongs to the process that started it, or to nobody once
//! `live up` has let go of it. A cluster whose owner has died is swept by the next start.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::LiveError;
use super::error::While;
use super::group::{self, Group};

/// The folder of all clusters; a folder per user below the temporary folder without it.
const STATE: &str = "ROCKETRY_STATE";
const FILE: &str = "state";
/// How long a JVM may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster that `live up` started and let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The name of its folder.
    pub name: String,
    /// The RocketMQ version.
    pub version: String,
    /// The nameserver's `HOST:PORT`.
    pub namesrv: String,
    /// The broker's `HOST:PORT`.
    pub broker: String,
}

/// What one state file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) version: String,
    pub(super) namesrv: String,
    pub(super) broker: String,
    /// The groups to end, the broker's first.
    pub(super) groups: Vec<Group>,
    /// The process that will clean up, and its birth; `None` after `live up`.
    pub(super) owner: Option<Group>,
}

impl State {
    fn alive(&self) -> bool {
        self.groups.iter().any(|group| group.alive())
    }

    /// Nobody will come back for it: its owner died, or its JVMs did.
    fn stale(&self) -> bool {
        match self.owner {
            Some(owner) => !owner_lives(owner),
            None => !self.alive(),
        }
    }

    fn to_text(&self) -> String {
        let mut text =
            format!("version={}\nnamesrv={}\nbroker={}\n", self.version, self.namesrv, self.broker);
        for (key, group) in ["broker_group", "namesrv_group"].iter().zip(&self.groups) {
            text.push_str(&format!("{key}={}:{}\n", group.id, group.birth));
        }
        if let Some(owner) = self.owner {
            text.push_str(&format!("owner={}:{}\n", owner.id, owner.birth));
        }
        text
    }

    fn from_text(text: &str) -> Option<State> {
        let lines: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.split_once('=')).collect();
        let group = |key: &str| {
            let (id, birth) = lines.get(key)?.split_once(':')?;
            Some(Group { id: id.parse().ok()?, birth: birth.parse().ok()? })
        };
        Some(State {
            version: (*lines.get("version")?).to_owned(),
            namesrv: (*lines.get("namesrv")?).to_owned(),
            broker: (*lines.get("broker")?).to_owned(),
            groups: ["broker_group", "namesrv_group"].into_iter().filter_map(group).collect(),
            owner: group("owner"),
        })
    }
}

/// This process, as the owner of a cluster.
pub(super) fn us() -> Option<Group> {
    let id = i32::try_from(process::id()).ok()?;
    Some(Group { id, birth: group::birth(id).unwrap_or(0) })
}

/// Unlike a group's leader, an owner is one process of any group. A birth of 0 is not known.
fn owner_lives(owner: Group) -> bool {
    match group::birth(owner.id) {
        Some(birth) => owner.birth == 0 || birth == owner.birth,
        None => rustix::process::Pid::from_raw(owner.id)
            .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok()),
    }
}

fn root() -> Result<PathBuf, LiveError> {
    let folder = match env::var_os(STATE).filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let user = rustix::process::getuid().as_raw();
            env::temp_dir().join(format!("rocketry-live-{user}"))
        }
    };
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.during(|| format!("creating {}", folder.display()))?;
    fs::canonicalize(&folder).during(|| format!("opening {}", folder.display()))
}

/// A new folder for one cluster.
pub(super) fn create(version: &str) -> Result<PathBuf, LiveError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let root = root()?;
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = root.join(format!("{version}-{}-{number}", process::id()));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => {
                return made.during(|| format!("creating {}", folder.display())).map(|()| folder);
            }
        }
    }
}

/// Writes beside and renames, so that a reader never sees half a file.
pub(super) fn save(folder: &Path, state: &State) -> Result<(), LiveError> {
    let next = folder.join("state.next");
    fs::write(&next, state.to_text())
        .and_then(|()| fs::rename(&next, folder.join(FILE)))
        .during(|| format!("writing the state of {}", folder.display()))
}

fn folders() -> Result<Vec<PathBuf>, LiveError> {
    let root = root()?;
    let entries = fs::read_dir(&root).during(|| format!("reading {}", root.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Every cluster with a state. A folder without one is being made at this moment, or a leftover.
fn all() -> Result<Vec<(PathBuf, State)>, LiveError> {
    let mut found = Vec::new();
    for folder in folders()? {
        let Ok(text) = fs::read_to_string(folder.join(FILE)) else { continue };
        let state = State::from_text(&text).ok_or_else(|| LiveError::State(folder.clone()))?;
        found.push((folder, state));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// Ends and deletes what nobody will come back for.
pub(super) fn sweep() -> Result<(), LiveError> {
    for (folder, state) in all()?.into_iter().filter(|(_, state)| state.stale()) {
        group::end(&state.groups, Duration::ZERO);
        delete(&folder)?;
    }
    for folder in folders()?.iter().filter(|folder| !folder.join(FILE).exists()) {
        if maker(folder).is_some_and(|id| !owner_lives(Group { id, birth: 0 })) {
            delete(folder)?;
        }
    }
    Ok(())
}

/// The process that made a folder, as its name tells.
fn maker(folder: &Path) -> Option<i32> {
    folder.file_name()?.to_str()?.rsplit('-').nth(1)?.parse().ok()
}

pub(super) fn delete(folder: &Path) -> Result<(), LiveError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.during(|| format!("deleting {}", folder.display())),
    }
}

/// The clusters that `live up` started, oldest name first.
///
/// # Errors
///
/// [`LiveError::Io`] or [`LiveError::State`] when the state folder can't be read.
pub fn running() -> Result<Vec<Running>, LiveError> {
    let free = all()?.into_iter().filter(|(_, state)| state.owner.is_none() && state.alive());
    Ok(free.map(|(folder, state)| describe(&folder, state)).collect())
}

fn describe(folder: &Path, state: State) -> Running {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    Running {
        name: name.unwrap_or_default(),
        version: state.version,
        namesrv: state.namesrv,
        broker: state.broker,
    }
}

/// Stops the clusters that `live up` started, only those of `version` if one is given, with
/// SIGTERM and after 10 s SIGKILL, and deletes their data. Clusters that another process still
/// uses are left alone. Returns the ones stopped.
///
/// # Errors
///
/// [`LiveError::Io`] or [`LiveError::State`] when the state folder can't be read or emptied.
pub fn down(version: Option<&str>) -> Result<Vec<Running>, LiveError> {
    sweep()?;
    let ours: Vec<_> = all()?
        .into_iter()
        .filter(|(_, state)| state.owner.is_none())
        .filter(|(_, state)| version.is_none_or(|wanted| wanted == state.version))
        .collect();
    // All at once: a 5.x broker takes longer than our patience to end by itself.
    let groups: Vec<Group> = ours.iter().flat_map(|(_, state)| state.groups.clone()).collect();
    group::end(&groups, PATIENCE);
    let mut stopped = Vec::new();
    for (folder, state) in ours {
        delete(&folder)?;
        stopped.push(describe(&folder, state));
    }
    Ok(stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(owner: Option<Group>) -> State {
        State {
            version: "5.3.3".to_owned(),
            namesrv: "127.0.0.1:20001".to_owned(),
            broker: "127.0.0.1:20004".to_owned(),
            groups: vec![Group { id: 71, birth: 5 }, Group { id: 70, birth: 4 }],
            owner,
        }
    }

    #[test]
    fn a_state_reads_back_as_written() {
        for owner in [None, Some(Group { id: 9, birth: 1 })] {
            let state = sample(owner);
            assert_eq!(State::from_text(&state.to_text()), Some(state));
        }
        assert_eq!(State::from_text("version=5.3.3\n"), None);
    }

    #[test]
    fn a_cluster_is_stale_only_without_its_owner() {
        assert!(!sample(us()).stale());
        let dead = us().map(|us| Group { birth: us.birth + 1, ..us });
        if us().is_some_and(|us| us.birth != 0) {
            assert!(sample(dead).stale());
        }
    }
}
