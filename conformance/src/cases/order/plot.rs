//! Messages of many keys through a group of orderly members, each a process of its own: they join
//! and leave, are killed (kill -9) and stopped (SIGSTOP), and the broker is killed.
//!
//! Each writes down when it begins and ends with which message, and for how long its lock lasts
//! then ([`diary`](crate::rig::diary)). What that comes to is looked at in the end.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Message, Pending, SendError, SendOptions, SendReceipt};

use super::verdict::{Ends, Handling, Verdict, Whose, gaps, handlings, judge};
use crate::cases::common::{await_stored, named};
use crate::cases::loss::Ground;
use crate::cases::place::{Place, note};
use crate::cases::reading::{SOON, committed_each};
use crate::rig::diary::{Entry, Mark, Reader, clock};
use crate::rig::witness::{Task, Witness};
use crate::rig::{On, Rig, eventually, patient};

const QUEUES: u32 = 16;
const TOPIC: &str = "in_order";
const GROUP: &str = "one_by_one";
/// No more than one message of a key is under way.
const WINDOW: usize = 256;
/// The queues of a member that was killed are locked for a minute, and what has waited meanwhile is
/// handled then.
const REST: Duration = Duration::from_secs(120);
/// One that was stopped is not missed for as long: its connection stands.
const LONGEST: Duration = Duration::from_secs(100);

/// What becomes of the group. Members are named by their place among those that run, from the one
/// that has run for the longest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Join,
    Leave(usize),
    Kill(usize),
    /// Stops a member, which stays the last one.
    Stop(usize),
    /// Lets it go on.
    GoOn,
    /// The broker is killed and started again.
    Broker,
}

/// A course of things, by the seconds after the first message.
struct Course {
    messages: usize,
    keys: u32,
    seconds: u64,
    acts: &'static [(u64, Act)],
}

use Act::{Broker, GoOn, Join, Kill, Leave, Stop};

/// A member is stopped for 40 s while another one is killed, a third joins, and the broker forgets
/// its locks.
const SHORT: &[(u64, Act)] = &[
    (3, Join),
    (6, Join),
    (10, Broker),
    (20, Leave(0)),
    (23, Join),
    (27, Kill(0)),
    (28, Stop(0)),
    (32, Join),
    (45, Broker),
    (68, GoOn),
];

/// The same, one after the other and with the broker's locks left to run out: the queues of who is
/// killed, and of one that is stopped for longer than they last, go to others after a minute.
const LONG: &[(u64, Act)] = &[
    (10, Join),
    (20, Join),
    (40, Kill(0)),
    (45, Join),
    (115, Broker),
    (145, Stop(0)),
    (150, Leave(0)),
    (185, GoOn),
    (195, Join),
    (205, Broker),
    (240, Stop(0)),
    (245, Kill(0)),
    (250, Join),
    (325, GoOn),
    (335, Leave(0)),
    (345, Join),
];

fn course(place: &Place) -> Course {
    let (messages, keys) = match (place.served(), place.is_long()) {
        (Some(_), _) => (20_000, 1_000),
        (None, false) => (60_000, 2_000),
        (None, true) => (1_000_000, 10_000),
    };
    let long = place.served().is_none() && place.is_long();
    let (seconds, acts) = if long { (390, LONG) } else { (72, SHORT) };
    Course { messages, keys, seconds, acts }
}

/// Sends all, as many in each second as in any other: each message until it is stored, and no
/// sooner than the one before it of its key.
fn send(rig: &Rig, course: &Course, sent: &AtomicUsize) -> usize {
    type Sent = Pending<Result<SendReceipt, SendError>>;
    let producer = rig.client.producer("in_order").expect("a producer");
    let (topic, keys) = (named(TOPIC), course.keys as usize);
    let call = |number: usize| -> Sent {
        let message = Message::new(topic.clone(), format!("{number:.<100}"));
        producer.send_with(message, SendOptions::ordered(&(number % keys).to_string()))
    };
    let (mut window, mut next, mut repeated) = (VecDeque::<(usize, Sent)>::new(), 0, 0);
    let begun = Instant::now();
    while next < course.messages || !window.is_empty() {
        let due = begun.elapsed().as_secs_f64() / course.seconds as f64 * course.messages as f64;
        if next < course.messages && window.len() < WINDOW && next as f64 <= due {
            window.push_back((next, call(next)));
            next += 1;
        } else if let Some((number, call_of)) = window.pop_front() {
            if let Err(error) = call_of.wait() {
                assert!(error.is_retriable(), "{error}");
                repeated += 1;
                thread::sleep(Duration::from_millis(20));
                window.push_front((number, call(number)));
            } else {
                sent.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
    repeated
}

/// The diaries of all members there were.
struct Diaries {
    folder: PathBuf,
    readers: Vec<Reader>,
    entries: Vec<Vec<Entry>>,
    came: Vec<bool>,
    missing: usize,
}

impl Diaries {
    fn new(place: &Place, messages: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("rocketry-{}", place.name()));
        fs::create_dir(&folder).expect("a folder");
        let (came, missing) = (vec![false; messages], messages);
        Self { folder, readers: Vec::new(), entries: Vec::new(), came, missing }
    }

    fn path(&self, member: usize) -> PathBuf {
        self.folder.join(member.to_string())
    }

    /// How many messages have not been handled yet.
    fn look(&mut self) -> usize {
        for (reader, all) in self.readers.iter_mut().zip(&mut self.entries) {
            let new = reader.read().expect("read");
            for done in new.iter().filter(|entry| entry.mark == Mark::Done) {
                let came = &mut self.came[done.number as usize];
                self.missing -= usize::from(!std::mem::replace(came, true));
            }
            all.extend(new);
        }
        self.missing
    }
}

impl Drop for Diaries {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What happened to whom.
struct Event {
    what: String,
    at: u64,
    whose: Whose,
}

struct Run<'p> {
    place: &'p Place,
    ground: Ground<'p>,
    diaries: Diaries,
    members: Vec<(usize, Witness)>,
    stopped: Option<(usize, Witness)>,
    ends: Ends,
    events: Vec<Event>,
}

impl Run<'_> {
    fn join(&mut self) {
        let number = self.diaries.readers.len();
        let (namesrv, _) = self.ground.at();
        let life = Duration::from_secs(900);
        let task =
            Task { on: self.on(number), namesrv: &namesrv, group: GROUP, topic: TOPIC, life };
        let path = self.diaries.path(number);
        let member = Witness::start(format!("member {number} on {}", task.on.name()), &task, &path);
        self.diaries.readers.push(Reader::open(&path).expect("it was made"));
        self.diaries.entries.push(Vec::new());
        self.members.push((number, member));
    }

    fn on(&self, number: usize) -> On {
        let all = self.place.runtimes();
        all[number % all.len()]
    }

    fn event(&mut self, what: String, whose: Whose) {
        self.events.push(Event { what, at: clock(), whose });
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Join => {
                self.event("one joins".to_owned(), Whose::All);
                self.join();
            }
            Act::Leave(at) => {
                let (number, mut member) = self.members.remove(at);
                self.event(format!("{} leaves", member.name()), Whose::Gone(number));
                member.leave();
            }
            Act::Kill(at) => {
                let (number, mut member) = self.members.remove(at);
                self.event(format!("{} is killed", member.name()), Whose::Gone(number));
                member.kill();
                self.ends.members.insert(number, clock());
            }
            Act::Stop(at) => {
                let (number, member) = self.members.remove(at);
                member.stop();
                self.event(format!("{} is stopped", member.name()), Whose::Stopped(number));
                self.stopped = Some((number, member));
            }
            Act::GoOn => {
                let (number, member) = self.stopped.take().expect("one is stopped");
                self.event(format!("{} goes on", member.name()), Whose::All);
                member.go_on();
                self.members.push((number, member));
            }
            Act::Broker => {
                self.ends.broker.push(clock());
                self.event("the broker is killed".to_owned(), Whose::All);
                self.ground.kill_and_restart();
            }
        }
    }

    /// What the diaries come to.
    fn judge(&self, keys: u32) -> (Verdict, Vec<Handling>) {
        let all = self.diaries.entries.iter().enumerate();
        let all = all.flat_map(|(member, entries)| handlings(member, entries, &self.ends));
        let mut all: Vec<Handling> = all.collect();
        let verdict = judge(all.clone(), keys);
        all.sort_unstable_by_key(|one| one.begun);
        (verdict, all)
    }

    /// Tells how long queues stood still after each event, and how many messages came twice before
    /// the next one.
    fn tell_gaps(&self, all: &[Handling], again: &[u64]) {
        for (number, Event { what, at, whose }) in self.events.iter().enumerate() {
            let until = self.events.get(number + 1).map_or(u64::MAX, |next| next.at);
            let twice = again.iter().filter(|again| (*at..until).contains(*again)).count();
            let gaps = gaps(all, *whose, *at);
            let most = gaps.values().max().copied().unwrap_or_default();
            let least = gaps.values().min().copied().unwrap_or_default();
            let many = gaps.len();
            note!(
                self.place,
                "{what}: {many} queues go on after {least:.1?} to {most:.1?}; {twice} came twice"
            );
            assert!(most < LONGEST, "{what}: {gaps:?}");
        }
    }
}

fn ground(place: &Place) -> Ground<'_> {
    let ground = Ground::of(place, |options| options.life = Duration::from_secs(1800));
    let (namesrv, broker) = ground.at();
    crate::live::create_topic(&namesrv, &broker, TOPIC, QUEUES).expect("created");
    ground
}

pub(crate) fn first_deliveries_come_in_order_whatever_becomes_of_members_and_broker(place: &Place) {
    let (course, ground) = (course(place), ground(place));
    let (namesrv, broker) = ground.at();
    let mut config = patient(&namesrv);
    config.send_timeout = Duration::from_secs(20);
    let (sender, watcher) = (Rig::with(place.on(), config), Rig::watcher(&namesrv));
    let diaries = Diaries::new(place, course.messages);
    let (members, events, ends) = (Vec::new(), Vec::new(), Ends::default());
    let mut run = Run { place, ground, diaries, members, stopped: None, ends, events };
    run.join();
    run.join();
    let (begun, sent) = (Instant::now(), AtomicUsize::new(0));
    let repeated = thread::scope(|scope| {
        let sending = scope.spawn(|| send(&sender, &course, &sent));
        for (at, act) in course.acts {
            thread::sleep(Duration::from_secs(*at).saturating_sub(begun.elapsed()));
            run.act(*act);
            run.diaries.look();
        }
        sending.join().expect("no panic within")
    });
    note!(
        place,
        "{} messages stored after {:?}, {repeated} sends repeated",
        course.messages,
        begun.elapsed()
    );
    let all = eventually(REST, || run.diaries.look() == 0);
    note!(place, "{} of them were lost; {:?}", run.diaries.missing, begun.elapsed());
    assert!(all, "{} of {} are missing", run.diaries.missing, course.messages);
    run.members.iter_mut().for_each(|(_, member)| member.leave());
    run.diaries.look();
    let (verdict, handlings) = run.judge(course.keys);
    tell(place, &run, &verdict);
    run.tell_gaps(&handlings, &verdict.again);
    assert_eq!(verdict.distinct, course.messages);
    all_is_committed(&watcher, &broker, &verdict.firsts);
    sender.client.shutdown().wait().expect("an end");
}

fn tell(place: &Place, run: &Run<'_>, verdict: &Verdict) {
    let Verdict { again, returned, late, disorders, overlaps, .. } = verdict;
    note!(
        place,
        "{} members in all: {} out of order, {} at once; {} came twice, {returned} since they \
         were given back; {late} came as their lock ran out",
        run.diaries.readers.len(),
        disorders.len(),
        overlaps.len(),
        again.len()
    );
    let some = |all: &[String]| all.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(disorders.is_empty(), "{} out of order:\n{}", disorders.len(), some(disorders));
    assert!(overlaps.is_empty(), "{} at once:\n{}", overlaps.len(), some(overlaps));
}

/// What was handled is all there is, and the group's offsets say so.
fn all_is_committed(watcher: &Rig, broker: &str, firsts: &BTreeMap<u32, u64>) {
    let all: u64 = firsts.values().sum();
    await_stored(watcher, TOPIC, all.cast_signed());
    let wanted: Vec<Option<i64>> =
        (0..QUEUES).map(|queue| firsts.get(&queue).map(|count| count.cast_signed())).collect();
    let stored = || committed_each(watcher, broker, GROUP, TOPIC, QUEUES as i32);
    assert!(eventually(SOON, || stored() == wanted), "{:?}, not {wanted:?}", stored());
}
