//! One command of the user's, run with addresses in its environment.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;
use super::stop::{INTERRUPTED, Stop};

/// How long a command may take to end after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `command` to its end and ends as it did, or with 130 after Ctrl-C.
pub(super) fn run(command: &[OsString], env: &[(&str, String)], stop: &Stop) -> Outcome {
    let (program, args) = command.split_first().ok_or("no command")?;
    let child = Command::new(program)
        .args(args)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .spawn()
        .map_err(|error| format!("can't start {}: {error}", program.display()))?;
    let (process, name) = (child.id(), program.to_string_lossy());
    log::info!(process, program = &*name; "the command runs");
    let ended = watch(child, stop)?;
    log::info!(process, code = code(ended), interrupted = stop.raised(); "the command ended");
    Ok(if stop.raised() { INTERRUPTED } else { code(ended) }.into())
}

/// Waits for the command. On a signal it gets one too (a terminal has sent it to both already, a
/// supervisor only to us), and some time to end by itself.
fn watch(mut child: Child, stop: &Stop) -> io::Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match asked {
            None if stop.raised() => {
                asked = Some(Instant::now());
                if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    kill_process(pid, Signal::TERM)?;
                }
            }
            Some(since) if since.elapsed() >= PATIENCE => {
                child.kill()?;
                return child.wait();
            }
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The command's exit code; as shells do, 128 and the signal for one that a signal ended.
fn code(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_commands() {
        for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
            let ended = Command::new("sh").args(["-c", script]).status().expect("a shell");
            assert_eq!(code(ended), expected, "{script}");
        }
    }
}
