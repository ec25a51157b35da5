//! Work under a [script](super::script) of faults, and what has to hold of it: what was answered is
//! in the log, what is in the log is delivered, queues keep their order and their one holder, no
//! offset passes what is not settled, and the accounts balance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rocketry::{
    Client, Config, Consumer, Message, MessageView, Run, RunOptions, SendReceipt, Start, Stored,
    Verdict,
};

use super::script::{MASTERS, Scene};
use crate::cases::common::named;
use crate::cases::order::verdict::{Ends, handlings, judge};
use crate::cases::place::{Place, note};
use crate::rig::diary::{Entry, Mark, clock};
use crate::rig::{Rig, eventually};

/// A seed of the caller's, for the same script again.
const SEED: &str = "FAULT_SEED";
const TOPIC: &str = "storm";
const QUEUES: u32 = 4;
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(4);
const DEADLINE: Duration = Duration::from_secs(3);
/// What a machine that is busy may take beyond a deadline.
const LATE: Duration = Duration::from_secs(4);
/// A queue whose holder lost it may stay locked for a minute, and is looked at each 20 s then.
const REST: Duration = Duration::from_secs(130);
/// One message of so many is given back once.
const FAILS: usize = 53;

/// A broker's number, by its name, and a queue.
type At = (usize, u32);
/// What a group has settled, by queue.
type Settled = Mutex<BTreeMap<At, BTreeSet<i64>>>;

fn number(message: &MessageView) -> usize {
    std::str::from_utf8(message.body()).expect("a text").parse().expect("a number")
}

fn at(message: &MessageView) -> At {
    let queue = message.queue();
    (usize::from(&*queue.broker == "broker-b"), queue.queue)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic within")
}

/// What a group has handled.
#[derive(Default)]
struct Group {
    settled: Settled,
    came: Mutex<BTreeSet<usize>>,
}

impl Group {
    /// A handler is done with a message: told before the client hears of it.
    fn settles(&self, message: &MessageView) {
        let offset = message.offset().expect("a place");
        locked(&self.settled).entry(at(message)).or_default().insert(offset);
        locked(&self.came).insert(number(message));
    }

    /// The first place of a queue that is not settled.
    fn lowest(&self, at: At) -> i64 {
        let settled = locked(&self.settled);
        let mut next = 0;
        for offset in settled.get(&at).into_iter().flatten() {
            if *offset != next {
                break;
            }
            next += 1;
        }
        next
    }

    fn missing(&self, wanted: &BTreeSet<usize>) -> usize {
        let came = locked(&self.came);
        wanted.iter().filter(|number| !came.contains(*number)).count()
    }
}

/// Whom messages go to, and what came of them.
#[derive(Default)]
struct Books {
    pushed: Group,
    ordered: Group,
    /// What each orderly member has written down.
    diaries: [Mutex<Vec<Entry>>; 2],
    sent: Mutex<Vec<(usize, SendReceipt)>>,
    failed: AtomicU32,
    slowest: Mutex<Duration>,
    next: AtomicU32,
    /// No more is sent.
    calm: AtomicBool,
    stop: AtomicBool,
}

const GROUPS: [&str; 2] = ["storm_pushed", "storm_ordered"];

impl Books {
    fn groups(&self) -> [(&'static str, &Group); 2] {
        [(GROUPS[0], &self.pushed), (GROUPS[1], &self.ordered)]
    }

    /// Sends one message after the other, until it is calm.
    fn call(&self, client: &Client) {
        let producer = client.producer("storm").expect("a producer");
        while !self.calm.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed) as usize;
            let begun = Instant::now();
            let result = producer.send(Message::new(named(TOPIC), number.to_string())).wait();
            let mut slowest = locked(&self.slowest);
            *slowest = slowest.max(begun.elapsed());
            drop(slowest);
            match result {
                Ok(receipt) => locked(&self.sent).push((number, receipt)),
                Err(error) => {
                    assert!(error.stored() != Stored::Yes, "{error}");
                    self.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            thread::sleep(PAUSE);
        }
    }

    fn push(&self, consumer: &mut Consumer) {
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(next) = consumer.recv_timeout(Duration::from_millis(20)) else { continue };
            let delivery = next.expect("a readable message");
            if number(&delivery).is_multiple_of(FAILS) && delivery.attempts() < 2 {
                delivery.retry_here(Duration::from_millis(30));
                continue;
            }
            self.pushed.settles(&delivery);
            delivery.ack();
        }
    }

    fn handle(&self, member: usize, message: &MessageView) -> Verdict {
        let entry = |mark| {
            // The clock first, as a witness does.
            let (when, left) = (clock(), message.lock_remaining().expect("a lock"));
            let (broker, queue) = at(message);
            let offset = message.offset().expect("a place").cast_unsigned();
            let queue = broker as u32 * QUEUES + queue;
            Entry { mark, queue, offset, number: number(message) as u32, left, at: when }
        };
        let write = |mark| {
            let entry = entry(mark);
            locked(&self.diaries[member]).push(entry);
        };
        write(Mark::Begun);
        thread::sleep(Duration::from_micros(300));
        if number(message).is_multiple_of(FAILS) && message.attempts() < 2 {
            write(Mark::Back);
            return Verdict::RetryAfter(Duration::from_millis(20));
        }
        self.ordered.settles(message);
        write(Mark::Done);
        Verdict::Ack
    }
}

/// Two clients with a member of each group, and one that sends.
struct Work {
    books: Arc<Books>,
    rigs: Vec<Rig>,
    threads: Vec<JoinHandle<()>>,
    runs: Vec<Run>,
}

impl Work {
    fn start(place: &Place, namesrv: &str) -> Self {
        let mut config = Config::new(namesrv).expect("settings");
        config.send_timeout = DEADLINE;
        let rigs: Vec<Rig> = (0..2).map(|_| Rig::with(place.on(), config.clone())).collect();
        let (books, mut threads, mut runs) = (Arc::<Books>::default(), Vec::new(), Vec::new());
        for (member, rig) in rigs.iter().enumerate() {
            let consumer = |group: &str| {
                let builder = rig.client.consumer(group).expect("a group");
                builder.topic(TOPIC, "*").start_at(Start::First)
            };
            let (own, mut pushed) = (books.clone(), consumer(GROUPS[0]).start().expect("one"));
            threads.push(thread::spawn(move || own.push(&mut pushed)));
            let ordered = consumer(GROUPS[1]).orderly().start().expect("one");
            let own = books.clone();
            let handler = move |message: &MessageView| own.handle(member, message);
            let options = RunOptions::default().concurrency(8);
            runs.push(ordered.run(options, handler).expect("it runs"));
        }
        for _ in 0..CALLERS {
            let (own, client) = (books.clone(), rigs[0].client.clone());
            threads.push(thread::spawn(move || own.call(&client)));
        }
        Self { books, rigs, threads, runs }
    }

    /// Everything ends, each in its time.
    fn end(mut self) {
        self.books.stop.store(true, Ordering::Relaxed);
        for run in self.runs.drain(..) {
            run.stop(Duration::from_secs(10)).wait().expect("an end");
        }
        self.threads.drain(..).for_each(|thread| thread.join().expect("no panic within"));
        for rig in &self.rigs {
            let balanced = || {
                let stats = rig.client.stats();
                let counters = stats.counters;
                let ended = counters.sends_stored + counters.sends_handed;
                let ended = ended + counters.sends_failed + counters.sends_cancelled;
                (counters.sends_begun, stats.open.operations) == (ended, 0)
            };
            assert!(eventually(DEADLINE + LATE, balanced), "{}", rig.client.stats());
            rig.client.shutdown().wait().expect("an end");
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.books.calm.store(true, Ordering::Relaxed);
        self.books.stop.store(true, Ordering::Relaxed);
    }
}

/// No offset that a broker has passes what is not settled.
fn offsets_are_true(scene: &Scene, books: &Books) {
    for (group, own) in books.groups() {
        for broker in 0..MASTERS {
            for queue in 0..QUEUES {
                // In this order: what is settled only grows.
                let committed = scene
                    .served
                    .with(|cluster| cluster.committed(broker, group, TOPIC, queue.cast_signed()));
                let lowest = own.lowest((broker, queue));
                let committed = committed.unwrap_or_default();
                assert!(
                    committed <= lowest,
                    "{group}: {committed} is committed of queue {queue} at broker {broker}, and \
                     {lowest} is not settled"
                );
            }
        }
    }
}

/// What was answered lies where the receipt says.
fn all_is_in_the_log(scene: &Scene, sent: &[(usize, SendReceipt)]) {
    let mut log = BTreeMap::new();
    for broker in 0..MASTERS {
        for queue in 0..QUEUES.cast_signed() {
            let records = scene.served.with(|cluster| cluster.messages(broker, TOPIC, queue));
            for record in records.items().filter_map(|item| item.record()) {
                let body = String::from_utf8(record.raw_body().to_vec()).expect("a text");
                log.insert((broker, queue, record.queue_offset()), body);
            }
        }
    }
    for (number, receipt) in sent {
        let broker = usize::from(&*receipt.broker == "broker-b");
        let found = log.get(&(broker, receipt.queue, receipt.offset));
        assert_eq!(found, Some(&number.to_string()), "{receipt:?}");
    }
}

/// Each queue's messages came in their order, and to one handler at a time.
fn order_is_kept(place: &Place, scene: &Scene, books: &Books) {
    let ends = locked(&scene.ends).clone();
    for (broker, ends) in ends.into_iter().enumerate() {
        let ends = Ends { broker: ends, ..Ends::default() };
        let mut all = Vec::new();
        for (member, diary) in books.diaries.iter().enumerate() {
            let own = |entry: &&Entry| (entry.queue / QUEUES) as usize == broker;
            let entries: Vec<Entry> = locked(diary).iter().filter(own).copied().collect();
            all.extend(handlings(member, &entries, &ends));
        }
        let verdict = judge(all, u32::MAX);
        note!(
            place,
            "broker {broker}: {} messages in order, {} came again, {} since they were given back",
            verdict.distinct,
            verdict.again.len(),
            verdict.returned
        );
        let (disorders, overlaps) = (&verdict.disorders, &verdict.overlaps);
        assert!(disorders.is_empty(), "{} out of order: {:?}", disorders.len(), disorders.first());
        assert!(overlaps.is_empty(), "{} at once: {:?}", overlaps.len(), overlaps.first());
    }
}

fn seed() -> u64 {
    let given = std::env::var(SEED).ok().map(|text| text.parse().expect("a number"));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    given.unwrap_or_else(|| u64::from(now().subsec_nanos()))
}

/// Suffers the script while the offsets are looked at.
fn suffer(scene: &Scene, books: &Books, seed: u64, time: Duration) -> Vec<String> {
    thread::scope(|scope| {
        let script = scope.spawn(|| scene.suffer(seed, time));
        while !script.is_finished() {
            offsets_are_true(scene, books);
            thread::sleep(Duration::from_millis(40));
        }
        script.join().expect("no panic within")
    })
}

pub(crate) fn a_script_of_all_faults_breaks_no_promise(place: &Place) {
    let (seed, time) = (seed(), Duration::from_secs(if place.is_long() { 60 } else { 5 }));
    note!(place, "{SEED}={seed} has the same script again");
    let scene = Scene::start(TOPIC, QUEUES);
    let work = Work::start(place, &scene.namesrv());
    let books = work.books.clone();
    let handled = || locked(&books.ordered.came).len().min(locked(&books.pushed.came).len());
    assert!(eventually(REST, || handled() > 100), "nothing comes");
    let told = suffer(&scene, &books, seed, time);
    told.iter().for_each(|fault| note!(place, "{fault}"));
    let (calm, before) = (Instant::now(), locked(&books.sent).len());
    let stored = || locked(&books.sent).len();
    assert!(eventually(REST, || stored() > before + 100), "sends do not go on");
    note!(place, "a hundred more were stored {:?} after the last fault", calm.elapsed());
    books.calm.store(true, Ordering::Relaxed);
    let slowest = || *locked(&books.slowest);
    thread::sleep(Duration::from_millis(100));
    let sent = || -> BTreeSet<usize> { locked(&books.sent).iter().map(|one| one.0).collect() };
    let missing = || (books.pushed.missing(&sent()), books.ordered.missing(&sent()));
    let all = eventually(REST, || {
        offsets_are_true(&scene, &books);
        missing() == (0, 0)
    });
    note!(
        place,
        "{} answered, {} failed, the slowest {:?}; {:?} of them were lost, {:?} after the storm",
        stored(),
        books.failed.load(Ordering::Relaxed),
        slowest(),
        missing(),
        calm.elapsed()
    );
    let stats = || work.rigs.iter().map(|rig| rig.client.stats().to_string()).collect::<String>();
    assert!(all, "{:?} are missing: {}", missing(), stats());
    assert!(slowest() < DEADLINE + LATE, "a send took {:?}", slowest());
    work.end();
    offsets_are_true(&scene, &books);
    all_is_in_the_log(&scene, &locked(&books.sent));
    order_is_kept(place, &scene, &books);
}
