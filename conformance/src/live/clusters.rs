//! The folder of all clusters, which remembers across processes which JVMs are ours.
//!
//! `DIR/NAME/` is one cluster. It belongs to the process that started it, or to nobody once
//! `live up` has let go of it. A cluster whose owner has died is swept by the next start.

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
use super::plan::{Member, Role};
use super::state::{self, Condition, State};

/// The folder of all clusters; a folder per user below the temporary folder without it.
const STATE: &str = "ROCKETRY_STATE";
/// How long a JVM may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster of this machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Running {
    /// The name of its folder.
    pub name: String,
    /// The RocketMQ version.
    pub version: String,
    /// The nameservers' `HOST:PORT`, with `;` between them.
    pub namesrv: String,
    /// The first master's `HOST:PORT`.
    pub broker: String,
    /// The members, nameservers first, and how each of them is.
    pub members: Vec<(Member, Condition)>,
    /// The process that uses it and will clean it up; `None` once `live up` has let go of it.
    pub owner: Option<i32>,
}

fn root() -> Result<PathBuf, LiveError> {
    let folder = match env::var_os(STATE).filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let user = rustix::process::getuid().as_raw();
            env::temp_dir().join(format!("rocketry-clusters-{user}"))
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

fn folders() -> Result<Vec<PathBuf>, LiveError> {
    let root = root()?;
    let entries = fs::read_dir(&root).during(|| format!("reading {}", root.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Every cluster that has a state.
fn all() -> Result<Vec<(PathBuf, State)>, LiveError> {
    let mut found = Vec::new();
    for folder in folders()? {
        if let Some(state) = state::load(&folder)? {
            found.push((folder, state));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// Ends and deletes what nobody will come back for.
pub(super) fn sweep() -> Result<(), LiveError> {
    for (folder, state) in all()?.into_iter().filter(|(folder, state)| state.stale(folder)) {
        group::end(&state.groups(&folder), Duration::ZERO);
        delete(&folder)?;
    }
    for folder in folders()? {
        let is_dead = |id| !state::owner_lives(Group { id, birth: 0 });
        if state::load(&folder)?.is_none() && maker(&folder).is_some_and(is_dead) {
            delete(&folder)?;
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

/// The clusters that `live up` started or that another process uses, in the order of their names.
///
/// # Errors
///
/// [`LiveError::Io`] or [`LiveError::State`] when the state folder can't be read.
pub fn running() -> Result<Vec<Running>, LiveError> {
    let all = all()?.into_iter();
    Ok(all.filter(|(folder, state)| !state.stale(folder)).map(describe).collect())
}

/// The cluster of that name, whoever started it; without a name, the only one that `live up`
/// started.
pub(super) fn find(name: Option<&str>) -> Result<(PathBuf, State), LiveError> {
    let mut found = all()?;
    let there: Vec<String> = found.iter().map(|(folder, _)| name_of(folder)).collect();
    found.retain(|(folder, state)| match name {
        Some(name) => name_of(folder) == name,
        None => state.owner.is_none() && !state.stale(folder),
    });
    let asked = match (name, found.len()) {
        (_, 1) => return Ok(found.swap_remove(0)),
        (Some(name), _) => format!("no cluster is called {name}"),
        (None, 0) => "no cluster runs that nobody else uses".to_owned(),
        (None, _) => "several clusters run: name one of them".to_owned(),
    };
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    Err(LiveError::NoCluster { asked, there: format!("there are: {there}") })
}

/// A cluster's name is that of its folder.
pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn describe((folder, state): (PathBuf, State)) -> Running {
    let condition = |member: Member| {
        let condition = state::condition(&folder, &member.name);
        (member, condition)
    };
    Running {
        name: name_of(&folder),
        namesrv: state.addresses(Role::Nameserver),
        broker: state.broker(),
        version: state.version,
        owner: state.owner.map(|owner| owner.id),
        members: state.members.into_iter().map(condition).collect(),
    }
}

/// Stops the clusters that `live up` started, only those of `which` version or name if one is
/// given, with SIGTERM and after 10 s SIGKILL, and deletes their data. Clusters that another
/// process still uses are left alone. Returns the ones stopped.
///
/// # Errors
///
/// [`LiveError::Io`] or [`LiveError::State`] when the state folder can't be read or emptied.
pub fn down(which: Option<&str>) -> Result<Vec<Running>, LiveError> {
    sweep()?;
    let ours: Vec<_> = all()?
        .into_iter()
        .filter(|(_, state)| state.owner.is_none())
        .filter(|(folder, state)| {
            which.is_none_or(|which| which == state.version || which == name_of(folder))
        })
        .collect();
    // All at once: a 5.x broker takes longer than our patience to end by itself.
    let groups: Vec<Group> = ours.iter().flat_map(|(folder, state)| state.groups(folder)).collect();
    let stopped: Vec<Running> = ours.iter().cloned().map(describe).collect();
    group::end(&groups, PATIENCE);
    for (folder, _) in ours {
        delete(&folder)?;
    }
    Ok(stopped)
}

/// Kills every member at once and deletes the data of a cluster.
pub(super) fn wipe(folder: &Path, state: &State) -> Result<(), LiveError> {
    group::end(&state.groups(folder), Duration::ZERO);
    delete(folder)
}
