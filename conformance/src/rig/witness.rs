//! A member of a group that handles messages in their order, in a process of its own that can be
//! killed and stopped, and that keeps a [diary](super::diary).
//!
//! It is this program itself, as [`member`](super::member) is.

use std::env;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rocketry::{Config, MessageView, RunOptions, Start, Verdict};
use rustix::process::{Pid, Signal, kill_process};

use super::diary::{Diary, Entry, Mark, clock};
use super::{On, Rig, eventually};

/// A message takes this long at least.
const TAKES: Duration = Duration::from_micros(300);
/// One of so many is given back once.
const FAILS: u32 = 997;
const PAUSE: Duration = Duration::from_millis(20);
/// Handlers end in that time.
const GRACE: Duration = Duration::from_secs(10);

/// A running member.
#[derive(Debug)]
pub struct Witness {
    child: Child,
    name: String,
}

/// What a member does.
#[derive(Clone, Debug)]
pub struct Task<'t> {
    /// On which runtime.
    pub on: On,
    /// The nameserver's address.
    pub namesrv: &'t str,
    /// The group.
    pub group: &'t str,
    /// The topic, from its first message on.
    pub topic: &'t str,
    /// How long the process lives at most.
    pub life: Duration,
}

impl Witness {
    /// Starts one that writes such a diary.
    pub fn start(name: String, task: &Task<'_>, diary: &Path) -> Self {
        drop(Diary::create(diary).expect("a new diary"));
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.env("WITNESS_ON", task.on.name()).env("MEMBER_NAMESRV", task.namesrv);
        command.env("MEMBER_GROUP", task.group).env("MEMBER_TOPIC", task.topic);
        command.env("WITNESS_LIFE", task.life.as_secs().to_string());
        command.env("WITNESS_DIARY", diary);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self { child: command.spawn().expect("a process"), name }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process"), signal).expect("it runs");
    }

    /// Stops it (SIGSTOP): its connections stay, and nothing of it goes on.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it as `kill -9` does; it is gone when this returns.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Has it end in good order, and waits for that.
    pub fn leave(&mut self) {
        let mut orders = self.child.stdin.take().expect("its input");
        writeln!(orders, "leave").and_then(|()| orders.flush()).expect("it listens");
        let ended = || self.child.try_wait().expect("a process").is_some();
        assert!(eventually(GRACE * 3, ended), "{} does not end", self.name);
        assert!(self.child.wait().expect("ended").success(), "{} fails", self.name);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Handles a message, and writes it down.
fn handle(diary: &Diary, message: &MessageView) -> Verdict {
    let text = std::str::from_utf8(message.body()).expect("a text");
    let number: u32 = text.trim_end_matches('.').parse().expect("a number");
    let entry = |mark| {
        // The clock first: who is stopped between the two holds the lock no longer than told.
        let (at, left) = (clock(), message.lock_remaining().expect("a lock"));
        let offset = message.offset().expect("a place").cast_unsigned();
        Entry { mark, queue: message.queue().queue, offset, number, left, at }
    };
    diary.write(entry(Mark::Begun)).expect("written down");
    thread::sleep(TAKES);
    let fails = number.is_multiple_of(FAILS) && message.attempts() < 2;
    diary.write(entry(if fails { Mark::Back } else { Mark::Done })).expect("written down");
    if fails { Verdict::RetryAfter(PAUSE) } else { Verdict::Ack }
}

/// Is a member until it is told to leave; false at once when nobody asked for it.
pub(super) fn be_witness() -> bool {
    let Ok(on) = env::var("WITNESS_ON") else { return false };
    // One that is stopped can't see its parent end.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).expect("taken");
    let set = |name: &str| env::var(name).expect("set by the parent");
    let life = Duration::from_secs(set("WITNESS_LIFE").parse().expect("seconds"));
    thread::spawn(move || {
        thread::sleep(life);
        std::process::exit(1);
    });
    let path = set("WITNESS_DIARY");
    let diary = Diary::append(Path::new(&path)).expect("a diary");
    let config = Config::new(set("MEMBER_NAMESRV")).expect("settings that work");
    let rig = Rig::with(On::named(&on).expect("a runtime"), config);
    let builder = rig.client.consumer(set("MEMBER_GROUP")).expect("a group");
    let builder = builder.topic(set("MEMBER_TOPIC"), "*").start_at(Start::First).orderly();
    let consumer = builder.start().expect("a consumer");
    let options = RunOptions::default().concurrency(16);
    let handler = move |message: &MessageView| handle(&diary, message);
    let run = consumer.run(options, handler).expect("it runs");
    let mut order = String::new();
    if std::io::stdin().lock().read_line(&mut order).is_err() || order != "leave\n" {
        // Whoever started this has ended.
        std::process::exit(1);
    }
    run.stop(GRACE).wait().expect("an end");
    rig.client.shutdown().wait().expect("an end");
    true
}
