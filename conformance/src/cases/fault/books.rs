//! What work under a [script](super::script) of faults comes to, and what has to hold of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Client, Consumer, Message, MessageView, SendReceipt, Stored, Verdict};

use super::script::{MASTERS, Scene};
use crate::cases::common::named;
use crate::cases::order::verdict::{Ends, handlings, judge};
use crate::cases::place::{Place, note};
use crate::rig::diary::{Entry, Mark, clock};

pub(super) const TOPIC: &str = "storm";
pub(super) const QUEUES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(4);
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

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic within")
}

/// What a group has handled.
#[derive(Default)]
pub(super) struct Group {
    pub(super) settled: Settled,
    pub(super) came: Mutex<BTreeSet<usize>>,
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

    pub(super) fn missing(&self, wanted: &BTreeSet<usize>) -> usize {
        let came = locked(&self.came);
        wanted.iter().filter(|number| !came.contains(*number)).count()
    }
}

/// Whom messages go to, and what came of them.
#[derive(Default)]
pub(super) struct Books {
    pub(super) pushed: Group,
    pub(super) ordered: Group,
    /// What each orderly member has written down.
    pub(super) diaries: [Mutex<Vec<Entry>>; 2],
    pub(super) sent: Mutex<Vec<(usize, SendReceipt)>>,
    pub(super) failed: AtomicU32,
    pub(super) slowest: Mutex<Duration>,
    next: AtomicU32,
    /// No more is sent.
    pub(super) calm: AtomicBool,
    pub(super) stop: AtomicBool,
}

pub(super) const GROUPS: [&str; 2] = ["storm_pushed", "storm_ordered"];

impl Books {
    fn groups(&self) -> [(&'static str, &Group); 2] {
        [(GROUPS[0], &self.pushed), (GROUPS[1], &self.ordered)]
    }

    /// Sends one message after the other, until it is calm.
    pub(super) fn call(&self, client: &Client) {
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

    pub(super) fn push(&self, consumer: &mut Consumer) {
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

    pub(super) fn handle(&self, member: usize, message: &MessageView) -> Verdict {
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

/// No offset that a broker has passes what is not settled.
pub(super) fn offsets_are_true(scene: &Scene, books: &Books) {
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
pub(super) fn all_is_in_the_log(scene: &Scene, sent: &[(usize, SendReceipt)]) {
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
pub(super) fn order_is_kept(place: &Place, scene: &Scene, books: &Books) {
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

#[cfg(test)]
mod tests {
    use std::panic::{self, AssertUnwindSafe};

    use super::*;
    use crate::rig::{On, Rig};

    fn is_found(check: impl FnOnce()) -> bool {
        panic::catch_unwind(AssertUnwindSafe(check)).is_err()
    }

    #[test]
    fn an_offset_that_passes_what_is_not_settled_is_found() {
        let (scene, books) = (Scene::start(TOPIC, QUEUES), Books::default());
        locked(&books.pushed.settled).insert((1, 2), BTreeSet::from([0, 1, 2, 4]));
        let commit = |offset| {
            scene.served.with(|cluster| cluster.set_committed(1, GROUPS[0], TOPIC, 2, offset));
            is_found(|| offsets_are_true(&scene, &books))
        };
        assert_eq!([2, 3, 4].map(commit), [false, false, true]);
    }

    #[test]
    fn a_message_that_is_not_where_its_receipt_says_is_found() {
        let scene = Scene::start(TOPIC, QUEUES);
        let rig = Rig::watcher(&scene.namesrv());
        let producer = rig.client.producer("storm").expect("a producer");
        let receipt = producer.send(Message::new(named(TOPIC), "7")).wait().expect("stored");
        let sent = |number| is_found(|| all_is_in_the_log(&scene, &[(number, receipt.clone())]));
        assert_eq!([7, 8].map(sent), [false, true]);
    }

    #[test]
    fn two_holders_and_messages_out_of_order_are_found() {
        let case = crate::cases::all().find(|case| case.id == "FAULT-32").expect("a case");
        let (place, scene) = (Place::embedded(case, &[On::Threads]), Scene::start(TOPIC, QUEUES));
        let left = Duration::from_secs(20);
        let entry = |mark, offset, at| {
            let queue = QUEUES + 1;
            Entry { mark, queue, offset, number: offset as u32, left, at }
        };
        let kept = |diaries: [&[Entry]; 2]| {
            let diaries = diaries.map(|diary| diary.to_vec().into());
            let books = Books { diaries, ..Books::default() };
            !is_found(|| order_is_kept(&place, &scene, &books))
        };
        let handled =
            |offset, at| [entry(Mark::Begun, offset, at), entry(Mark::Done, offset, at + 5)];
        assert!(kept([&handled(0, 10), &handled(1, 20)]));
        assert!(!kept([&handled(0, 10), &handled(1, 12)]), "two at once");
        assert!(!kept([&handled(1, 10), &handled(0, 20)]), "out of order");
        assert!(!kept([&handled(0, 10), &handled(2, 20)]), "one is missing");
    }
}
