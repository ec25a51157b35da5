//! What is noted about a cluster in its folder, so that other processes can use and end it.
//!
//! `state` holds `key=value` lines; each member has a folder of its own, with its process in a
//! file `pid`.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::LiveError;
use super::error::While;
use super::group::{self, Group};
use super::plan::{Member, Role};

const FILE: &str = "state";

/// How a member of a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Its process is there.
    Runs,
    /// SIGSTOP has stopped it.
    Stopped,
    /// It was killed or ended.
    Ended,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Condition::Runs => "runs",
            Condition::Stopped => "stopped",
            Condition::Ended => "ended",
        })
    }
}

/// What one state file says: all that is needed to start a member again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) version: String,
    pub(super) java: PathBuf,
    pub(super) jars: PathBuf,
    /// When the JVMs end by themselves, in seconds after 1970.
    pub(super) until: u64,
    /// Further lines of the brokers' properties.
    pub(super) conf: Vec<String>,
    pub(super) members: Vec<Member>,
    /// The process that will clean up, and its birth; `None` after `live up`.
    pub(super) owner: Option<Group>,
}

impl State {
    /// The addresses of the members of a role, with `;` between.
    pub(super) fn addresses(&self, role: Role) -> String {
        let of_role = self.members.iter().filter(|member| member.role == role);
        of_role.map(Member::address).collect::<Vec<_>>().join(";")
    }

    /// The first master's address.
    pub(super) fn broker(&self) -> String {
        let first = self.members.iter().find(|member| member.role == Role::Master);
        first.map(Member::address).unwrap_or_default()
    }

    /// How many masters and slaves there are.
    pub(super) fn brokers(&self) -> usize {
        self.members.iter().filter(|member| member.role != Role::Nameserver).count()
    }

    /// The member of that name.
    pub(super) fn member(&self, name: &str) -> Result<&Member, LiveError> {
        self.members.iter().find(|member| member.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.members.iter().map(|member| &*member.name).collect();
            LiveError::NoMember { name: name.to_owned(), there: names.join(", ") }
        })
    }

    /// What is left of the cluster's life, `None` when it is over.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until.checked_sub(unix_seconds()).filter(|left| *left > 0);
        left.map(Duration::from_secs)
    }

    /// The groups to end, slaves first.
    pub(super) fn groups(&self, folder: &Path) -> Vec<Group> {
        self.members.iter().rev().filter_map(|member| group_of(folder, &member.name)).collect()
    }

    fn alive(&self, folder: &Path) -> bool {
        self.groups(folder).iter().any(|group| group.alive())
    }

    /// Nobody will come back for it: its owner died, or its time is over.
    pub(super) fn stale(&self, folder: &Path) -> bool {
        match self.owner {
            Some(owner) => !owner_lives(owner),
            None => self.left().is_none() && !self.alive(folder),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "version={}\njava={}\njars={}\nuntil={}\n",
            self.version,
            self.java.display(),
            self.jars.display(),
            self.until
        );
        for line in &self.conf {
            text.push_str(&format!("conf={line}\n"));
        }
        for member in &self.members {
            text.push_str(&format!("member={}\n", member.to_text()));
        }
        if let Some(owner) = self.owner {
            text.push_str(&format!("owner={}\n", owner.to_text()));
        }
        text
    }

    fn from_text(text: &str) -> Option<State> {
        let lines = || text.lines().filter_map(|line| line.split_once('='));
        let all = |wanted: &'static str| {
            lines().filter(move |(key, _)| *key == wanted).map(|(_, value)| value)
        };
        let one = |key| all(key).next();
        Some(State {
            version: one("version")?.to_owned(),
            java: PathBuf::from(one("java")?),
            jars: PathBuf::from(one("jars")?),
            until: one("until")?.parse().ok()?,
            conf: all("conf").map(str::to_owned).collect(),
            members: all("member").map(Member::from_text).collect::<Option<_>>()?,
            owner: one("owner").and_then(Group::from_text),
        })
    }
}

/// Seconds after 1970 by the system's clock.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn pid_file(folder: &Path, member: &str) -> PathBuf {
    folder.join(member).join("pid")
}

/// The group that a member runs in, or ran in last. One file per member, so that two processes
/// can hurt and mend two members of a cluster at a time.
pub(super) fn group_of(folder: &Path, member: &str) -> Option<Group> {
    Group::from_text(&fs::read_to_string(pid_file(folder, member)).ok()?)
}

/// Notes the group that a member runs in; `None` once it was killed, since numbers are used again.
pub(super) fn set_group(
    folder: &Path,
    member: &str,
    group: Option<Group>,
) -> Result<(), LiveError> {
    let file = pid_file(folder, member);
    let doing = || format!("writing {}", file.display());
    let Some(group) = group else {
        return match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).during(doing),
            _ => Ok(()),
        };
    };
    let next = file.with_extension("next");
    fs::write(&next, format!("{}\n", group.to_text()))
        .and_then(|()| fs::rename(&next, &file))
        .during(doing)
}

/// How a member is now.
pub(super) fn condition(folder: &Path, member: &str) -> Condition {
    match group_of(folder, member).filter(|group| group.alive()) {
        None => Condition::Ended,
        Some(group) if group.frozen() => Condition::Stopped,
        Some(_) => Condition::Runs,
    }
}

/// This process, as the owner of a cluster.
pub(super) fn us() -> Option<Group> {
    let id = i32::try_from(process::id()).ok()?;
    Some(Group { id, birth: group::birth(id).unwrap_or(0) })
}

/// Unlike a group's leader, an owner is one process of any group. A birth of 0 is not known.
pub(super) fn owner_lives(owner: Group) -> bool {
    match group::birth(owner.id) {
        Some(birth) => owner.birth == 0 || birth == owner.birth,
        None => rustix::process::Pid::from_raw(owner.id)
            .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok()),
    }
}

/// Writes beside and renames, so that a reader never sees half a file.
pub(super) fn save(folder: &Path, state: &State) -> Result<(), LiveError> {
    let next = folder.join("state.next");
    fs::write(&next, state.to_text())
        .and_then(|()| fs::rename(&next, folder.join(FILE)))
        .during(|| format!("writing the state of {}", folder.display()))
}

/// What a folder's state says; `None` for a folder that is being made now, or a leftover.
pub(super) fn load(folder: &Path) -> Result<Option<State>, LiveError> {
    let Ok(text) = fs::read_to_string(folder.join(FILE)) else { return Ok(None) };
    State::from_text(&text).map(Some).ok_or_else(|| LiveError::State(folder.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::plan::Shape;
    use super::*;

    fn sample(owner: Option<Group>) -> State {
        State {
            version: "5.3.3".to_owned(),
            java: PathBuf::from("java"),
            jars: PathBuf::from("some where/5.3.3"),
            until: unix_seconds() + 60,
            conf: vec!["a=b=c".to_owned(), "d=".to_owned()],
            members: Shape { nameservers: 2, brokers: 1, slaves: true, controllers: false }
                .members(20_001),
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
        let broken = sample(None).to_text().replace("member=broker-a master", "member=../x master");
        assert_eq!(State::from_text(&broken), None);
    }

    #[test]
    fn a_cluster_is_stale_only_without_its_owner() {
        let nowhere = Path::new("nowhere");
        assert!(!sample(us()).stale(nowhere));
        let dead = us().map(|us| Group { birth: us.birth + 1, ..us });
        if us().is_some_and(|us| us.birth != 0) {
            assert!(sample(dead).stale(nowhere));
        }
    }

    #[test]
    fn a_cluster_of_nobodys_waits_for_its_time_even_when_all_were_killed() {
        let nowhere = Path::new("nowhere");
        let state = sample(None);
        assert!(!state.stale(nowhere) && state.left().is_some());
        let over = State { until: unix_seconds() - 1, ..state };
        assert!(over.stale(nowhere) && over.left().is_none());
    }

    #[test]
    fn members_are_found_by_name_and_listed_by_role() {
        let state = sample(None);
        assert_eq!(state.addresses(Role::Nameserver), "127.0.0.1:20001;127.0.0.1:20002");
        assert_eq!(state.broker(), "127.0.0.1:20005");
        assert_eq!(state.brokers(), 2);
        assert_eq!(state.member("broker-a-slave").expect("a member").port, 20_009);
        let error = state.member("broker-b").expect_err("there is none").to_string();
        let names = "namesrv-1, namesrv-2, broker-a, broker-a-slave";
        assert_eq!(error, format!("no member is called broker-b; there are {names}"));
    }

    #[test]
    fn a_killed_member_is_forgotten() {
        let folder = std::env::temp_dir().join(format!("rocketry-state-{}", process::id()));
        fs::create_dir_all(folder.join("broker-a")).expect("a folder");
        let group = Group { id: 7, birth: 8 };
        set_group(&folder, "broker-a", Some(group)).expect("written");
        assert_eq!(group_of(&folder, "broker-a"), Some(group));
        set_group(&folder, "broker-a", None).expect("removed");
        set_group(&folder, "broker-a", None).expect("nothing to remove");
        assert_eq!(group_of(&folder, "broker-a"), None);
        assert_eq!(condition(&folder, "broker-a"), Condition::Ended);
        fs::remove_dir_all(&folder).expect("deleted");
    }
}
