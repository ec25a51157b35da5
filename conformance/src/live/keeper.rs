//! A small shell that ends our JVMs when we die without a word.
//!
//! It reads from a pipe whose other end only we hold. When our process is killed the system closes
//! that end, the shell sees the end of the file, kills the groups that the folder's `*/pid` files
//! name, and deletes the folder. The word `done` sends it away.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

const SCRIPT: &str = r#"
read -r word && [ "$word" = done ] && exit 0
for file in "$1"/*/pid; do
  group=
  read -r group <"$file"
  [ -n "$group" ] && kill -s KILL -- "-${group%%:*}"
done 2>/dev/null
sleep 0.2
rm -rf -- "$1"
"#;

/// The shell and our end of its pipe.
#[derive(Debug)]
pub(super) struct Keeper {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Keeper {
    /// `None` without a shell: then only `timeout` and the sweep stand guard.
    pub(super) fn start(folder: &Path) -> Option<Keeper> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "keeper"]).arg(folder);
        // A group of its own, so that a Ctrl-C meant for us does not end the guard.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let pipe = child.stdin.take();
        Some(Keeper { child, pipe })
    }

    /// Nothing is left to guard.
    pub(super) fn dismiss(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A keeper that somebody killed can't be told; the other guards remain.
            let _ = writeln!(pipe, "done").and_then(|()| pipe.flush());
        }
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::time::Duration;

    use super::super::group;
    use super::*;

    #[test]
    fn the_end_of_the_pipe_ends_the_groups_and_their_data() {
        let folder = env::temp_dir().join(format!("rocketry-keeper-{}", std::process::id()));
        fs::create_dir_all(folder.join("broker-a")).expect("a folder");
        let life = Duration::from_secs(30);
        let (mut child, group) = group::spawn(
            Path::new("sleep"),
            &["20".to_owned()],
            &folder,
            Path::new("/dev/null"),
            life,
        )
        .expect("sleep starts");
        let mut keeper = Keeper::start(&folder).expect("a shell");
        fs::write(folder.join("broker-a").join("pid"), group.to_text()).expect("written");
        keeper.pipe = None;
        keeper.child.wait().expect("it ends");
        assert!(!group.alive());
        assert!(!folder.exists());
        child.wait().expect("it was ours");
    }

    #[test]
    fn a_dismissed_keeper_touches_nothing() {
        let folder = env::temp_dir().join(format!("rocketry-dismissed-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Keeper::start(&folder).expect("a shell").dismiss();
        assert!(folder.exists());
        fs::remove_dir_all(&folder).expect("still ours");
    }
}
