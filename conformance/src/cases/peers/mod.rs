//! Apache's own clients as processes of their own, beside ours in a cluster.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::live;
use crate::rig::eventually;

const JAVA: &str = include_str!("Peer.java");
const MODELS: &str = include_str!("Models.java");
const TRANSACTIONS: &str = include_str!("Transactions.java");
const GO: &str = include_str!("member.go");
/// What `member.go` needs; the rest is found out when it is built.
const GO_MODULE: &str =
    "module member\n\ngo 1.21\n\nrequire github.com/apache/rocketmq-client-go/v2 v2.1.2\n";

/// A running client, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
    folder: PathBuf,
}

fn folder(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("rocketry-{name}-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Peer {
    /// Apache's client for Java, of a version whose jars are there.
    pub(crate) fn java(version: &str, words: &[&str]) -> Self {
        Self::run(version, ("Peer.java", JAVA), words)
    }

    /// The same by each of its models, see `Models.java`.
    pub(crate) fn models(version: &str, namesrv: &str, prefix: &str) -> Self {
        Self::run(version, ("Models.java", MODELS), &[namesrv, prefix])
    }

    /// The same with transactions, see `Transactions.java`.
    pub(crate) fn transactions(version: &str, words: &[&str]) -> Self {
        Self::run(version, ("Transactions.java", TRANSACTIONS), words)
    }

    fn run(version: &str, (name, program): (&str, &str), words: &[&str]) -> Self {
        let folder = folder("java");
        let source = folder.join(name);
        fs::write(&source, program).expect("written");
        let mut command = live::java_program(version, &folder).expect("Java and its jars");
        command.arg(&source).args(words);
        Self::start(command, folder)
    }

    /// Apache's client for Go; none without a toolchain, or where its modules can't be had.
    pub(crate) fn go(words: &[&str]) -> Option<Self> {
        let folder = folder("go");
        fs::write(folder.join("member.go"), GO).expect("written");
        fs::write(folder.join("go.mod"), GO_MODULE).expect("written");
        let mut build = Command::new("go");
        build.args(["build", "-mod=mod", "-o", "member", "."]).current_dir(&folder);
        build.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if !build.status().is_ok_and(|status| status.success()) {
            let _ = fs::remove_dir_all(&folder);
            return None;
        }
        let mut command = Command::new(folder.join("member"));
        command.args(words).env("HOME", &folder);
        Some(Self::start(command, folder))
    }

    fn start(mut command: Command, folder: PathBuf) -> Self {
        command.current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let errors = fs::File::create(folder.join("errors")).expect("a file");
        let mut child = command.stderr(errors).spawn().expect("a process");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("its output"));
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let own = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                own.lock().expect("no panic within").push(line);
            }
        });
        Self { child, input, lines, folder }
    }

    /// Waits until it says that it is ready: a JVM compiles its program first.
    pub(crate) fn await_ready(&self) {
        self.await_ready_within(Duration::from_secs(60));
    }

    pub(crate) fn await_ready_within(&self, within: Duration) {
        let ready = || self.lines.lock().expect("no panic within").iter().any(|l| l == "ready");
        let come = eventually(within, ready);
        let errors = fs::read_to_string(self.folder.join("errors")).unwrap_or_default();
        assert!(come, "a peer never was ready: {:?}; {errors}", self.lines);
    }

    /// What stood behind this word in its lines, in order.
    pub(crate) fn told(&self, word: &str) -> Vec<String> {
        let lines = self.lines.lock().expect("no panic within");
        let of = lines.iter().filter_map(|line| line.strip_prefix(word));
        of.map(|rest| rest.trim().to_owned()).collect()
    }

    /// All that it said of this cluster.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.lock().expect("no panic within").clone()
    }

    /// Has it leave in good order.
    pub(crate) fn leave(&mut self) {
        drop(self.input.take());
        let ended = eventually(Duration::from_secs(30), || {
            self.child.try_wait().is_ok_and(|status| status.is_some())
        });
        assert!(ended, "a peer does not end");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
