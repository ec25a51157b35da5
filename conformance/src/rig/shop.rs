//! A shop in a process of its own: transactions whose local work is an entry in a book on the disk,
//! to be killed at any point.
//!
//! The process is this program itself, told by the environment what to be, as a
//! [`member`](super::member) is.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rocketry::{CheckedHalf, Message, Resolution, TransactionProducer};

use super::{On, Rig};

/// A shop lives for so long at most.
const LIFE: Duration = Duration::from_secs(900);
/// Transactions at once in a shop.
const CALLERS: usize = 4;
/// Pause of each caller between two of them: kills should come in the middle.
const PAUSE: Duration = Duration::from_millis(40);

/// What the transactions of a group have come to, for all processes: a folder with a link for each,
/// whose target says it. A link is there whole or not at all, and is made once.
#[derive(Clone, Debug)]
pub struct Book {
    folder: PathBuf,
}

impl Book {
    /// The one in this folder, which is there.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Writes down how a transaction ended, unless that is decided. Gives what counts.
    pub fn decide(&self, name: &str, resolution: Resolution) -> Resolution {
        let word = if resolution == Resolution::Commit { "commit" } else { "rollback" };
        match symlink(word, self.folder.join(name)) {
            Ok(()) => resolution,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.of(name).expect("it is there")
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// How it ended, if that is decided.
    pub fn of(&self, name: &str) -> Option<Resolution> {
        let word = fs::read_link(self.folder.join(name)).ok()?;
        Some(if word == Path::new("commit") { Resolution::Commit } else { Resolution::RollBack })
    }

    /// All that is decided.
    pub fn all(&self) -> Vec<(String, Resolution)> {
        let names = fs::read_dir(&self.folder).expect("the folder");
        let names = names.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.into_string().expect("a text"));
        names.map(|name| (name.clone(), self.of(&name).expect("it is there"))).collect()
    }

    /// What a checker says: a transaction that nothing is written of never will be committed.
    pub fn check(&self, half: &CheckedHalf) -> Resolution {
        self.decide(half.transaction_id(), Resolution::RollBack)
    }
}

/// What a shop does with its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custom {
    /// It ends them in turn: commits, rolls back, says that it does not know, says nothing.
    Ends,
    /// It begins so many, and never ends them.
    Leaves(usize),
}

/// A running shop.
#[derive(Debug)]
pub struct Shop {
    child: Child,
    reader: Option<JoinHandle<Vec<String>>>,
    begun: Arc<AtomicUsize>,
}

impl Shop {
    /// Starts one, whose transactions have names that begin with its own.
    pub fn start(
        on: On,
        (namesrv, group, topic): (&str, &str, &str),
        (name, book, custom): (&str, &Book, Custom),
    ) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.env("SHOP_ON", on.name()).env("SHOP_NAMESRV", namesrv).env("SHOP_NAME", name);
        command.env("SHOP_GROUP", group).env("SHOP_TOPIC", topic).env("SHOP_BOOK", &book.folder);
        if let Custom::Leaves(count) = custom {
            command.env("SHOP_LEAVES", count.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let begun = Arc::<AtomicUsize>::default();
        let (count, out) = (begun.clone(), child.stdout.take().expect("its output"));
        let reader = thread::spawn(move || {
            let mut names = Vec::new();
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(name) = line.strip_prefix("begun ") {
                    names.push(name.to_owned());
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            names
        });
        Self { child, reader: Some(reader), begun }
    }

    /// How many half messages it has stored.
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// Kills it as `kill -9` does, and gives the names of those.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        let reader = self.reader.take().expect("it is there until now");
        reader.join().expect("no panic")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is a shop until killed; false at once when nobody asked for it.
pub(super) fn be_shop() -> bool {
    let Ok(on) = env::var("SHOP_ON") else { return false };
    thread::spawn(|| {
        // The other end is closed when whoever started this has ended.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    let set = |name: &str| env::var(name).expect("set by the parent");
    let mut config = rocketry::Config::new(set("SHOP_NAMESRV")).expect("settings that work");
    config.send_timeout = Duration::from_secs(10);
    let rig = Rig::with(On::named(&on).expect("a runtime"), config);
    let book = Book::at(Path::new(&set("SHOP_BOOK")));
    let checks = book.clone();
    let producer =
        rig.client.transaction_producer(set("SHOP_GROUP"), move |half| checks.check(half));
    let (producer, name, topic) = (producer.expect("a group"), set("SHOP_NAME"), set("SHOP_TOPIC"));
    let leaves = env::var("SHOP_LEAVES").ok().map(|count| count.parse().expect("a number"));
    if let Some(count) = leaves {
        let halves: Vec<_> = (0..count)
            .map(|number: usize| {
                let body = format!("{name} {number}");
                let half = producer.begin(Message::new(topic.as_str(), body.clone()));
                let half = half.wait().expect("a half message");
                told(&body);
                half
            })
            .collect();
        thread::sleep(LIFE);
        drop(halves);
        return true;
    }
    let until = Instant::now() + LIFE;
    let call = |caller: usize| {
        for number in 0.. {
            if Instant::now() > until {
                return;
            }
            sell(&producer, &book, &topic, (&format!("{name}-{caller}-{number}"), number));
            thread::sleep(PAUSE);
        }
    };
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || call(caller));
        }
    });
    true
}

fn told(name: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "begun {name}").and_then(|()| out.flush());
}

/// One transaction. What can't be begun is nothing.
fn sell(producer: &TransactionProducer, book: &Book, topic: &str, (name, number): (&str, usize)) {
    let message = Message::new(topic, name.to_owned()).transaction_id(name);
    let Ok(half) = producer.begin(message).wait() else { return };
    told(name);
    let ended = match number % 6 {
        // The work fails.
        0 => half.end(book.decide(name, Resolution::RollBack)),
        // It is done, and the end is never told.
        1 => {
            book.decide(name, Resolution::Commit);
            return drop(half);
        }
        // Nothing is done.
        2 => return drop(half),
        // It is done, and that is forgotten.
        3 => {
            book.decide(name, Resolution::Commit);
            half.end(Resolution::Unknown)
        }
        _ => half.end(book.decide(name, Resolution::Commit)),
    };
    let _ = ended.wait();
}
