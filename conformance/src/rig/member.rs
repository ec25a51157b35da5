//! A member of a consumer group in a process of its own, to be killed: the only honest way to
//! vanish.
//!
//! The process is this program itself, told by the environment what to be: a program that runs such
//! cases calls [`be_member`] before anything else.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rocketry::Start;

use super::{Access, On, Rig};

/// A running member.
#[derive(Debug)]
pub struct Member {
    child: Child,
    seen: Arc<Mutex<BTreeSet<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Member {
    /// Starts one, which consumes the topic from its first message on.
    pub fn start(on: On, at: (&str, &Access), group: &str, topic: &str) -> Self {
        Self::with(on, at, group, topic, false)
    }

    /// The same, in the order of each queue.
    pub fn start_orderly(on: On, at: (&str, &Access), group: &str, topic: &str) -> Self {
        Self::with(on, at, group, topic, true)
    }

    fn with(
        on: On,
        (namesrv, access): (&str, &Access),
        group: &str,
        topic: &str,
        orderly: bool,
    ) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.envs(access.vars());
        command.env("MEMBER_ON", on.name()).env("MEMBER_NAMESRV", namesrv);
        command.env("MEMBER_GROUP", group).env("MEMBER_TOPIC", topic);
        if orderly {
            command.env("MEMBER_ORDERLY", "yes");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
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

/// Consumes until killed, a minute at most, or is a [shop](super::shop), a
/// [witness](super::witness), a [flood](super::flood) or a [toil](super::toil); false at once when
/// nobody asked for any.
pub fn be_member() -> bool {
    use super::{flood, shop, toil, witness};
    if shop::be_shop() || witness::be_witness() || flood::be_flood() || toil::be_toil() {
        return true;
    }
    let Ok(on) = env::var("MEMBER_ON") else { return false };
    thread::spawn(|| {
        // The other end is closed when whoever started this has ended.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let on = On::named(&on).expect("a runtime");
    let set = |name: &str| env::var(name).expect("set by the parent");
    let config = rocketry::Config::new(set("MEMBER_NAMESRV")).expect("settings that work");
    let access = Access::of_environment().expect("set by the parent");
    let rig = Rig::with(on, access.give(config));
    let builder = rig.client.consumer(set("MEMBER_GROUP")).expect("a group");
    let builder = builder.topic(set("MEMBER_TOPIC"), "*").start_at(Start::First);
    let orderly = env::var_os("MEMBER_ORDERLY").is_some();
    let builder = if orderly { builder.orderly() } else { builder };
    let mut consumer = builder.start().expect("a consumer");
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while std::time::Instant::now() < until {
        let Ok(delivery) = consumer.recv_timeout(Duration::from_millis(100)) else { continue };
        let delivery = delivery.expect("a readable message");
        let mut out = std::io::stdout().lock();
        let id = delivery.message().unique_id().expect("a unique id").to_owned();
        // Told before it is settled: what was settled has been told.
        if writeln!(out, "seen {id}").and_then(|()| out.flush()).is_err() {
            return true;
        }
        drop(out);
        delivery.ack();
    }
    true
}
