//! A JVM and its guard as one process group, so that a signal reaches both and nothing else.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// How often we look whether a group has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A process group we started, and the birth of its leader: numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The leader's process id, which names the group too.
    pub(super) id: i32,
    /// Clock ticks after boot at which the leader started; 0 where the system has no `/proc`.
    pub(super) birth: u64,
}

/// Starts `program` as the leader of a new group, its output in `out`, its life bounded.
pub(super) fn spawn(
    program: &Path,
    args: &[String],
    home: &Path,
    out: &Path,
    life: Duration,
) -> io::Result<(Child, Group)> {
    let mut command = if super::java::on_path("timeout") {
        let mut guarded = Command::new("timeout");
        guarded.args(["-k", "10", &life.as_secs().max(1).to_string()]).arg(program);
        guarded
    } else {
        Command::new(program)
    };
    let output = File::create(out)?;
    command.args(args).env("ROCKETMQ_HOME", home).current_dir(home).process_group(0);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let child = command.spawn()?;
    let id = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok((child, Group { id, birth: birth(id).unwrap_or(0) }))
}

impl Group {
    /// Whether a process of the group still runs; zombies don't.
    pub(super) fn alive(self) -> bool {
        let Some(pid) = Pid::from_raw(self.id) else { return false };
        if test_kill_process_group(pid).is_err() {
            return false;
        }
        // Another process has taken the number since.
        if self.birth != 0 && birth(self.id).is_some_and(|now| now != self.birth) {
            return false;
        }
        running(self.id).unwrap_or(true)
    }

    pub(super) fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.id).filter(|_| self.alive()) {
            // The only failure left is that it ended just now.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Stops the JVM (SIGSTOP), but not its guard: the guard's time runs on.
    pub(super) fn freeze(self) {
        match self.work() {
            work if work.is_empty() => self.signal(Signal::STOP),
            work => {
                for pid in work.iter().filter_map(|(id, _)| Pid::from_raw(*id)) {
                    // The only failure is that it ended just now.
                    let _ = kill_process(pid, Signal::STOP);
                }
            }
        }
    }

    /// Whether SIGSTOP has stopped the JVM; false where the system has no `/proc`.
    pub(super) fn frozen(self) -> bool {
        self.work().iter().any(|(_, fields)| fields.first().is_some_and(|state| state == "T"))
    }

    /// The processes that do the work: all but the leader, or the leader when it is alone.
    fn work(self) -> Vec<(i32, Vec<String>)> {
        if !self.alive() {
            return Vec::new();
        }
        let all = members(self.id).unwrap_or_default();
        let alone = all.len() == 1;
        all.into_iter().filter(|(id, _)| alone || *id != self.id).collect()
    }

    /// `ID:BIRTH`, as it stands in a file.
    pub(super) fn to_text(self) -> String {
        format!("{}:{}", self.id, self.birth)
    }

    pub(super) fn from_text(text: &str) -> Option<Group> {
        let (id, birth) = text.trim().split_once(':')?;
        Some(Group { id: id.parse().ok()?, birth: birth.parse().ok()? })
    }

    pub(super) fn gone_within(self, patience: Duration) -> bool {
        let start = Instant::now();
        while self.alive() {
            if start.elapsed() >= patience {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}

/// Asks all with SIGTERM, waits up to `patience`, then insists with SIGKILL.
pub(super) fn end(groups: &[Group], patience: Duration) {
    if !patience.is_zero() {
        for group in groups {
            group.signal(Signal::TERM);
            group.signal(Signal::CONT);
        }
    }
    let start = Instant::now();
    let left = |group: &&Group| !group.gone_within(patience.saturating_sub(start.elapsed()));
    let left: Vec<&Group> = groups.iter().filter(left).collect();
    for group in &left {
        group.signal(Signal::KILL);
    }
    for group in left {
        group.gone_within(Duration::from_secs(5));
    }
}

/// Whether the group has a process that is no zombie; `None` where the system has no `/proc`.
fn running(group: i32) -> Option<bool> {
    members(group).map(|members| !members.is_empty())
}

/// The processes of a group that are no zombies, with their `stat`; `None` without `/proc`.
fn members(group: i32) -> Option<Vec<(i32, Vec<String>)>> {
    let wanted = group.to_string();
    let mut found = Vec::new();
    let mut seen = false;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Some(fields) = stat(id) else { continue };
        seen = true;
        if fields.get(2) == Some(&wanted) && !is_zombie(&fields) {
            found.push((id, fields));
        }
    }
    seen.then_some(found)
}

/// A killed JVM shows as a zombie as soon as its first thread has ended, while the others still
/// hold its ports; the 20th field of `stat` counts them.
fn is_zombie(fields: &[String]) -> bool {
    let threads = fields.get(17).and_then(|count| count.parse().ok()).unwrap_or(0);
    matches!(fields.first().map(String::as_str), Some("Z" | "X")) && threads <= 1
}

/// When the process started, in clock ticks after boot (`man 5 proc`: the 22nd field of `stat`).
pub(super) fn birth(id: i32) -> Option<u64> {
    stat(id)?.get(19)?.parse().ok()
}

/// The fields of `/proc/ID/stat` after the program's name, which may hold anything: the first is
/// the state, the third the group.
fn stat(id: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(seconds: &str) -> (Child, Group) {
        let home = std::env::temp_dir();
        let args = [seconds.to_owned()];
        let out = Path::new("/dev/null");
        spawn(Path::new("sleep"), &args, &home, out, Duration::from_secs(30)).expect("sleep starts")
    }

    #[test]
    fn a_group_ends_with_its_guard() {
        let (mut child, group) = sleeper("20");
        assert!(group.alive());
        end(&[group], Duration::from_secs(5));
        assert!(!group.alive());
        child.wait().expect("it was ours");
    }

    #[test]
    fn a_stopped_group_lives_and_still_ends() {
        let (mut child, group) = sleeper("20");
        group.signal(Signal::STOP);
        assert!(group.alive());
        end(&[group], Duration::from_secs(5));
        assert!(!group.alive());
        child.wait().expect("it was ours");
    }

    #[test]
    fn the_guard_of_a_frozen_process_watches_on() {
        let (mut child, group) = sleeper("20");
        if !super::super::java::on_path("timeout") || group.birth == 0 {
            end(&[group], Duration::from_secs(5));
            child.wait().expect("it was ours");
            return;
        }
        let start = Instant::now();
        while members(group.id).expect("processes").len() < 2 {
            assert!(start.elapsed() < Duration::from_secs(10), "the guard starts its charge");
            thread::sleep(LOOK);
        }
        assert!(!group.frozen());
        group.freeze();
        while !group.frozen() {
            assert!(start.elapsed() < Duration::from_secs(10), "it freezes");
            thread::sleep(LOOK);
        }
        let leader = stat(group.id).expect("the guard");
        assert_ne!(leader[0], "T");
        group.signal(Signal::CONT);
        end(&[group], Duration::from_secs(5));
        assert!(!group.alive());
        child.wait().expect("it was ours");
    }

    #[test]
    fn a_number_used_again_is_not_our_group() {
        let (mut child, group) = sleeper("20");
        let other = Group { birth: group.birth + 1, ..group };
        if group.birth != 0 {
            assert!(!other.alive());
        }
        end(&[group], Duration::from_secs(5));
        child.wait().expect("it was ours");
    }
}
