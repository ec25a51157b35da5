//! What the examples share: one run's cluster, names and count of messages.
#![allow(dead_code, reason = "each example is a program of its own and takes what it needs")]

mod cluster;
mod tally;

use std::error::Error;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use rocketry::{Client, Config, Group, Message, Pem, SendError, Stored, Topic};

use cluster::Cluster;
use tally::Tally;

const USAGE: &str = "usage: EXAMPLE [COUNT]
Sends COUNT messages (10000 if not given, 1 to 100000000) and consumes them again.
quickstart also takes --runtime std, tokio, smol or async-std;
logging takes --log text|json|color, --log-level LEVEL and --log-file PATH.
With NAMESRV_ADDR set they go to that cluster, else to a broker embedded in this process;
with TOPIC set they go to that topic, else to a new one.";
const MOST: usize = 100_000_000;

/// Bytes of each message's body.
const BODY: usize = 1024;
/// The exit code of a program ended by Ctrl-C (128 + SIGINT).
const INTERRUPTED: u8 = 130;
/// A message that has not come after this is lost. Taking the queues of a consumer that is gone
/// can take a broker half as long.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to listen for duplicates once every message is there.
const ENCORE: Duration = Duration::from_millis(100);

/// How long to leave a busy broker alone.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// How often a run may send a message again.
const REPEATS: usize = 10_000;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;
pub(crate) type Outcome = Result<(), Failure>;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// One run: where it goes, under which names, and what came of it.
#[derive(Debug)]
pub(crate) struct Run {
    cluster: Cluster,
    topic: Topic,
    group: Group,
    tag: String,
    count: usize,
    tally: Tally,
    repeats: AtomicUsize,
}

/// The settings of a client of that cluster: what the environment says, for one of the user's.
pub(crate) fn config_at(namesrv: &str) -> Result<Config, Failure> {
    Ok(match std::env::var("NAMESRV_ADDR") {
        Ok(given) if given == namesrv => rocketry::blocking::config_from_env()?,
        _ => Config::new(namesrv)?,
    })
}

impl Run {
    /// `COUNT` messages through the cluster at `NAMESRV_ADDR`, or through an embedded broker.
    ///
    /// Topic, group and tag are new in each run, so that messages of earlier runs don't disturb.
    fn new(count: usize) -> Result<Self, Failure> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let name = format!("rocketry-{:x}-{:x}", since.as_millis(), std::process::id());
        let topic = match std::env::var("TOPIC") {
            Ok(given) if !given.is_empty() => {
                Topic::new(&given).map_err(|error| format!("TOPIC={given}: {error}"))?
            }
            _ => Topic::new(&name)?,
        };
        let cluster = Cluster::new(&topic)?;
        let (group, tally) = (Group::new(&name)?, Tally::new(count));
        println!("{cluster}, topic {topic}, {BODY} bytes a message");
        let repeats = AtomicUsize::new(REPEATS);
        Ok(Self { cluster, topic, group, tag: name, count, tally, repeats })
    }

    /// The authority of the cluster's certificates.
    pub(crate) fn authority(&self) -> Pem {
        self.cluster.authority()
    }

    /// The nameservers' addresses.
    pub(crate) fn namesrv(&self) -> &str {
        self.cluster.namesrv()
    }

    /// The settings of its clients: what the environment says, for a cluster of the user's.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        config_at(self.namesrv())
    }

    pub(crate) const fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) const fn group(&self) -> &Group {
        &self.group
    }

    /// The tag of this run's messages, to subscribe with.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Messages to send.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// What was sent and what came back so far.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The message number `index`, from 0. Its body begins with the number.
    pub(crate) fn message(&self, index: usize) -> Message {
        message_of(&self.topic, &self.tag, index)
    }

    /// A broker has said that it stored the message number `index`.
    pub(crate) fn sent(&self, index: usize) {
        self.tally.note_sent(index);
    }

    /// Whether to send a message again, after [`PAUSE`]. Brokers refuse when they are too busy, as
    /// a cold one is for its first seconds; the client has tried twice by then.
    pub(crate) fn may_repeat(&self, error: &SendError) -> bool {
        let is_busy = matches!(error, SendError::Rejected { .. }) && error.is_retriable();
        // What may have been stored would come twice.
        is_busy && error.stored() == Stored::No && {
            let take = |left: usize| left.checked_sub(1);
            self.repeats.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        }
    }

    /// A message with this body was delivered.
    pub(crate) fn received(&self, body: &[u8]) {
        match number(body) {
            Some(index) => self.tally.note_received(index),
            None => eprintln!("a message that no run of the examples sent was delivered"),
        }
    }

    /// How long to wait for the next message; after that there is none.
    pub(crate) fn patience(&self) -> Duration {
        if self.tally.is_complete() { ENCORE } else { PATIENCE }
    }
}

/// The message number `index` of the run with that tag.
pub(crate) fn message_of(topic: &Topic, tag: &str, index: usize) -> Message {
    let mut body = index.to_string().into_bytes();
    body.resize(BODY, b' ');
    Message::new(topic.clone(), body).tag(tag)
}

/// Sends the messages that `of` gives for each number, 256 numbers at a time, and notes the first
/// one of each.
pub(crate) fn send_all(run: &Run, client: &Client, of: impl Fn(usize) -> Vec<Message>) -> Outcome {
    send_range(run, client, 0..run.count(), of)
}

/// Sends the messages of these numbers, and notes each.
pub(crate) fn send_some(run: &Run, client: &Client, numbers: Range<usize>) -> Outcome {
    send_range(run, client, numbers, |index| vec![run.message(index)])
}

fn send_range(
    run: &Run,
    client: &Client,
    numbers: Range<usize>,
    of: impl Fn(usize) -> Vec<Message>,
) -> Outcome {
    let producer = client.producer(run.group())?;
    for first in numbers.clone().step_by(256).take_while(|_| !is_stopped()) {
        let indices = first..(first + 256).min(numbers.end);
        let sent: Vec<_> = indices
            .flat_map(|index| of(index).into_iter().enumerate().map(move |(at, m)| (index, at, m)))
            .map(|(index, at, message)| (index, at, producer.send(message)))
            .collect();
        for (index, at, call) in sent {
            let mut ended = call.wait();
            while let Err(error) = ended {
                if !run.may_repeat(&error) {
                    return Err(error.into());
                }
                thread::sleep(PAUSE);
                ended = producer.send(of(index).swap_remove(at)).wait();
            }
            if at == 0 {
                run.sent(index);
            }
        }
    }
    Ok(())
}

/// The number of the message with this body; `None` for one that no run has sent.
pub(crate) fn number(body: &[u8]) -> Option<usize> {
    std::str::from_utf8(body).ok().and_then(|text| text.trim_end().parse().ok())
}

/// Runs an example to its end: its last line tells what was sent and what came back.
pub(crate) fn main(
    args: impl IntoIterator<Item = String>,
    job: impl FnOnce(&Run) -> Outcome,
) -> ExitCode {
    main_shared(args, |run| job(run))
}

/// As [`main`], for a job whose handlers hold the run.
pub(crate) fn main_shared(
    args: impl IntoIterator<Item = String>,
    job: impl FnOnce(&Arc<Run>) -> Outcome,
) -> ExitCode {
    start(args, |run| {
        job(run)?;
        println!("{}", run.tally);
        Ok(if run.tally.is_exact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Runs an example that tells in its own words how it went. It succeeds where `job` does.
pub(crate) fn main_in_own_words(
    args: impl IntoIterator<Item = String>,
    job: impl FnOnce(&Run) -> Outcome,
) -> ExitCode {
    start(args, |run| job(run).map(|()| ExitCode::SUCCESS))
}

fn start(
    args: impl IntoIterator<Item = String>,
    job: impl FnOnce(&Arc<Run>) -> Result<ExitCode, Failure>,
) -> ExitCode {
    let args: Vec<String> = args.into_iter().collect();
    let count = match args.as_slice() {
        [] => Ok(10_000),
        [help] if help == "--help" || help == "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [count] => count.parse().map_err(drop),
        _ => Err(()),
    };
    let Ok(count @ 1..=MOST) = count else {
        eprintln!("not understood: {}\n{USAGE}", args.join(" "));
        return ExitCode::from(2);
    };
    match Run::new(count) {
        Ok(run) => {
            let run = Arc::new(run);
            report(&run, job(&run))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn report(run: &Run, ended: Result<ExitCode, Failure>) -> ExitCode {
    if is_stopped() {
        eprintln!("interrupted: {} sent, {} consumed", run.tally.sent(), run.tally.consumed());
        return ExitCode::from(INTERRUPTED);
    }
    match ended {
        Ok(code) => code,
        Err(error) => {
            let advice = advice(run, error.downcast_ref());
            eprintln!("{}: {error}{advice}", run.cluster);
            ExitCode::FAILURE
        }
    }
}

/// What to do about an error, where there is something to do.
fn advice(run: &Run, error: Option<&SendError>) -> String {
    match error {
        Some(SendError::NoTopic { .. }) => format!(
            "; create one with `mqadmin updateTopic -n '{}' -c DefaultCluster -t NAME` and run \
             this again with TOPIC=NAME, or set autoCreateTopicEnable=true on the brokers",
            run.namesrv(),
        ),
        _ => String::new(),
    }
}

/// Whether Ctrl-C was pressed.
pub(crate) fn is_stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// The first Ctrl-C calls `stop`, a second one ends the process at once.
///
/// What to do in `stop`: shut the client down. That ends every wait of its producers and consumers,
/// so that the program leaves by the path it always takes. It ends handlers as well, within its own
/// time: a program that gives them longer does nothing here, stops them when [`is_stopped`] says
/// so, and shuts the client down then.
pub(crate) fn on_ctrl_c(stop: impl Fn() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if STOPPED.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
        stop();
    })
}
