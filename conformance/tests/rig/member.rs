//! A member of a consumer group in a process of its own, to be killed: the only honest way to
//! vanish.
//!
//! The process is the test binary itself, told by the environment what to be: a test binary that
//! uses this declares the ignored test [`NAME`] and has it call [`be_member`].

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rocketry::Start;

use super::{On, Rig};

/// The test that is the other process.
pub const NAME: &str = "a_member_in_a_process_of_its_own";

/// A running member.
pub struct Member {
    child: Child,
    seen: Arc<Mutex<BTreeSet<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Member {
    pub fn start(on: On, namesrv: &str, group: &str, topic: &str) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--exact", NAME, "--ignored", "--nocapture"]);
        command.env("MEMBER_ON", format!("{on:?}")).env("MEMBER_NAMESRV", namesrv);
        command.env("MEMBER_GROUP", group).env("MEMBER_TOPIC", topic);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
        let seen = Arc::<Mutex<BTreeSet<String>>>::default();
        let (own, out) = (seen.clone(), child.stdout.take().expect("its output"));
        let reader = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(id) = line.strip_prefix("seen ") {
                    own.lock().expect("no panic").insert(id.to_owned());
                }
            }
        });
        Self { child, seen, reader: Some(reader) }
    }

    /// How many messages it has handled.
    pub fn count(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    /// Kills it as `kill -9` does, and gives the messages it had handled.
    pub fn kill(mut self) -> BTreeSet<String> {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no panic");
        }
        std::mem::take(&mut *self.seen.lock().expect("no panic"))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Consumes until killed, a minute at most; nothing when nobody asked for it.
pub fn be_member() {
    let Ok(on) = env::var("MEMBER_ON") else { return };
    // The harness has begun a line.
    println!();
    let set = |name: &str| env::var(name).expect("set by the parent");
    let rig = Rig::start(On::named(&on), &set("MEMBER_NAMESRV"));
    let builder = rig.client.consumer(set("MEMBER_GROUP")).expect("a group");
    let builder = builder.topic(set("MEMBER_TOPIC"), "*").start_at(Start::First);
    let mut consumer = builder.start().expect("a consumer");
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while std::time::Instant::now() < until {
        let Ok(delivery) = consumer.recv_timeout(Duration::from_millis(100)) else { continue };
        let delivery = delivery.expect("a readable message");
        let mut out = std::io::stdout().lock();
        let id = delivery.message().unique_id().expect("a unique id").to_owned();
        // Told before it is settled: what was settled has been told.
        if writeln!(out, "seen {id}").and_then(|()| out.flush()).is_err() {
            return;
        }
        drop(out);
        delivery.ack();
    }
}
