//! Orderly consumers as their users meet them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::body::{LockBody, LockedBody, MessageQueue};
use rocketry::proto::frame::request::PlainRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::{
    BatchContext, Consumer, ConsumerOptions, Delivery, Ended, MessageView, QueueName, Run,
    RunOptions, Start, Verdict,
};

use crate::cases::common::{await_stored, named};
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, ask, await_committed, committed_sum, next, number, queues, send_to,
};
use crate::rig::member::Member;
use crate::rig::{On, Rig, eventually};

const SECOND: Duration = Duration::from_secs(1);

/// An orderly consumer from the first message on.
fn consume(rig: &Rig, group: &str, topic: &str, tags: &str) -> Consumer {
    let builder = rig.client.consumer(group).expect("a group").topic(topic, tags);
    builder.orderly().start_at(Start::First).start().expect("a consumer")
}

/// What handlers saw: the messages of each queue in the order in which they came, and how many of
/// a queue were being handled at once.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<u32, Vec<usize>>>>, Arc<Mutex<BTreeMap<u32, usize>>>);

impl Seen {
    /// Handles a message, which takes so long.
    fn handle(&self, message: &MessageView, takes: Duration) {
        let queue = message.queue().queue;
        let busy = || self.1.lock().expect("no panic within");
        let before = std::mem::replace(busy().entry(queue).or_default(), 1);
        assert_eq!(before, 0, "two messages of queue {queue} at once");
        self.0.lock().expect("no panic within").entry(queue).or_default().push(number(message));
        thread::sleep(takes);
        busy().insert(queue, 0);
    }

    fn count(&self) -> usize {
        self.0.lock().expect("no panic within").values().map(Vec::len).sum()
    }

    /// The messages of each queue came in order; those that came again count once.
    fn assert_in_order(&self) {
        for (queue, bodies) in self.0.lock().expect("no panic within").iter() {
            let mut before = BTreeSet::new();
            let first = bodies.iter().filter(|body| before.insert(**body));
            assert!(first.is_sorted(), "queue {queue}: {bodies:?}");
        }
    }

    fn distinct(&self) -> usize {
        let seen = self.0.lock().expect("no panic within");
        let distinct = |bodies: &Vec<usize>| {
            let mut bodies = bodies.clone();
            bodies.sort_unstable();
            bodies.dedup();
            bodies.len()
        };
        seen.values().map(distinct).sum()
    }
}

fn run(consumer: Consumer, seen: &Seen, workers: usize, takes: Duration) -> Run {
    let own = seen.clone();
    let handler = move |message: &MessageView| own.handle(message, takes);
    consumer.run(RunOptions::default().concurrency(workers), handler).expect("it runs")
}

/// Sends so many messages, each queue's in the order of their numbers.
fn send_each(rig: &Rig, topic: &str, each: usize) {
    for (number, queue) in queues(rig, topic).iter().enumerate() {
        send_to(rig, queue, number * each..(number + 1) * each);
    }
}

pub(crate) fn eight_queues_are_handled_each_in_its_order(place: &Place) {
    let (topic, group, seen) = (place.topic(8), place.name(), Seen::default());
    let rig = place.rig();
    send_each(&rig, &topic, 30);
    let begun = Instant::now();
    let run = run(consume(&rig, &group, &topic, "*"), &seen, 16, Duration::from_millis(5));
    assert!(eventually(SOON, || seen.count() == 240), "{} of 240", seen.count());
    note!(place, "240 messages of 8 queues, 5 ms each, in {:?}", begun.elapsed());
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    seen.assert_in_order();
    assert_eq!(seen.count(), 240, "some came twice");
    assert_eq!(committed_sum(&rig, &place.broker(), &group, &topic, 8), 240);
}

pub(crate) fn sixteen_workers_handle_one_queue_one_by_one(place: &Place) {
    let (topic, group, seen) = (place.topic(1), place.name(), Seen::default());
    let rig = place.rig();
    send_each(&rig, &topic, 1000);
    let consumer = consume(&rig, &group, &topic, "*");
    let run = if place.on() == On::Threads {
        run(consumer, &seen, 16, Duration::ZERO)
    } else {
        let own = seen.clone();
        let handler = move |message: MessageView| {
            let own = own.clone();
            async move { own.handle(&message, Duration::ZERO) }
        };
        consumer.run_async(RunOptions::default().concurrency(16), handler).expect("it runs")
    };
    assert!(eventually(SOON, || seen.count() >= 1000), "{} of 1000", seen.count());
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    seen.assert_in_order();
    assert_eq!(seen.count(), 1000, "some came twice");
    await_committed(&rig, &place.broker(), &group, &topic, 1000);
}

/// Which of the queues somebody else could lock now, who gives them back.
pub(crate) fn lockable(rig: &Rig, broker: &str, group: &str, queues: &[QueueName]) -> usize {
    let by_name = |queue: &QueueName| MessageQueue {
        broker_name: queue.broker.to_string(),
        queue_id: queue.queue as i32,
        topic: queue.topic.to_string(),
    };
    let body = LockBody {
        client_id: "somebody@else".to_owned(),
        consumer_group: group.to_owned(),
        queues: queues.iter().map(by_name).collect(),
        only_this_broker: false,
    };
    let request = Request::Lock(PlainRequest::default());
    let answer = ask(rig, broker, request, body.to_json());
    assert_eq!(answer.code, ResponseCode::SUCCESS, "{:?}", answer.remark);
    let locked = LockedBody::parse(&answer.body).expect("a list of queues").queues;
    let back = LockBody { queues: locked.clone(), ..body };
    ask(rig, broker, Request::Unlock(PlainRequest::default()), back.to_json());
    locked.len()
}

pub(crate) fn a_queue_is_locked_before_its_first_delivery(place: &Place) {
    let (topic, group) = (place.topic(4), place.name());
    let rig = place.rig();
    send_each(&rig, &topic, 2);
    let all = queues(&rig, &topic);
    assert_eq!(lockable(&rig, &place.broker(), &group, &all), 4, "nobody has them");
    let mut consumer = consume(&rig, &group, &topic, "*");
    let delivery = next(&mut consumer);
    assert_eq!(lockable(&rig, &place.broker(), &group, &all), 0, "they are the consumer's");
    let left = delivery.lock_remaining().expect("a lock");
    assert!(left > 20 * SECOND && left <= 30 * SECOND, "{left:?}");
    acked(delivery);
    assert_eq!(consumer.close().wait().expect("an end"), Ended::InOrder);
    assert_eq!(lockable(&rig, &place.broker(), &group, &all), 4, "they were given back");
}

pub(crate) fn who_leaves_unlocks_and_another_takes_over_within_a_second(place: &Place) {
    let (topic, group, seen) = (place.topic(4), place.name(), Seen::default());
    let (first, second) = (place.rig(), place.rig());
    send_each(&first, &topic, 50);
    let own = run(consume(&first, &group, &topic, "*"), &seen, 4, Duration::ZERO);
    assert!(eventually(SOON, || seen.count() == 200), "{} of 200", seen.count());
    let took = Seen::default();
    let other = run(consume(&second, &group, &topic, "*"), &took, 4, Duration::ZERO);
    let shared = || second.client.stats().consumers[0].queues.len() >= 2;
    assert!(eventually(SOON, shared), "{}", second.client.stats());
    let begun = Instant::now();
    first.client.shutdown().wait().expect("an end");
    let ended = begun.elapsed();
    drop(own);
    for queue in queues(&second, &topic) {
        send_to(&second, &queue, 1000..1001);
    }
    assert!(eventually(SOON, || took.count() == 4), "{} of 4", took.count());
    let takeover = begun.elapsed() - ended;
    note!(place, "shut down in {ended:?}; another had all queues {takeover:?} later");
    assert!(takeover < SECOND, "{takeover:?}");
    assert_eq!(other.stop(SOON).wait().expect("an end"), Ended::InOrder);
}

pub(crate) fn a_message_that_is_to_come_again_holds_up_the_next_one(place: &Place) {
    let (topic, group) = (place.topic(1), place.name());
    let rig = place.rig();
    send_each(&rig, &topic, 3);
    await_stored(&rig, &topic, 3);
    let mut consumer = consume(&rig, &group, &topic, "*");
    let mut delivery = next(&mut consumer);
    for (attempt, pause) in [SECOND, 2 * SECOND].into_iter().enumerate() {
        assert_eq!((number(&delivery), delivery.attempts() as usize), (0, attempt + 1));
        let begun = Instant::now();
        assert!(delivery.retry().is_taken(), "ours");
        delivery = next(&mut consumer);
        let took = begun.elapsed();
        note!(place, "attempt {} after {took:?}", attempt + 2);
        assert!(took >= pause && took < pause + SECOND, "{took:?}");
    }
    assert_eq!((number(&delivery), delivery.attempts()), (0, 3));
    let begun = Instant::now();
    assert!(delivery.retry_after(SECOND / 5).is_taken(), "ours");
    let delivery = next(&mut consumer);
    assert!(begun.elapsed() >= SECOND / 5 && number(&delivery) == 0, "{:?}", begun.elapsed());
    acked(delivery);
    for body in 1..3 {
        let delivery = next(&mut consumer);
        assert_eq!((number(&delivery), delivery.attempts()), (body, 1));
        acked(delivery);
    }
    await_committed(&rig, &place.broker(), &group, &topic, 3);
}

pub(crate) fn a_message_that_came_too_often_is_dead_and_the_next_one_comes(place: &Place) {
    let (topic, group) = (place.topic(1), place.name());
    let rig = place.rig();
    send_each(&rig, &topic, 3);
    let mut options = ConsumerOptions::default().orderly().max_reconsume_times(1);
    options = options.start_at(Start::First).retry_delay(Duration::from_millis(100));
    let builder = rig.client.consumer_with(&*group, options).expect("a group");
    let mut consumer = builder.topic(&*topic, "*").start().expect("a consumer");
    for attempt in 1..=2 {
        let delivery = next(&mut consumer);
        assert_eq!((number(&delivery), delivery.attempts()), (0, attempt));
        assert!(delivery.retry().is_taken(), "ours");
    }
    let delivery = next(&mut consumer);
    assert_eq!(number(&delivery), 1);
    let letters = format!("%DLQ%{group}");
    let there = || rig.client.queues(&named(&letters)).wait().is_ok();
    assert!(eventually(SOON, there), "there is no {letters}");
    await_stored(&rig, &letters, 1);
    assert!(delivery.reject().is_taken(), "ours");
    let delivery = next(&mut consumer);
    assert_eq!(number(&delivery), 2);
    await_stored(&rig, &letters, 2);
    acked(delivery);
    await_committed(&rig, &place.broker(), &group, &topic, 3);
}

pub(crate) fn order_is_kept_while_a_group_grows_and_shrinks(place: &Place) {
    let (topic, group, seen) = (place.topic(8), place.name(), Seen::default());
    let rigs = [(); 4].map(|()| place.rig());
    let sender = place.rig();
    let all = queues(&sender, &topic);
    let takes = Duration::from_millis(2);
    let start = |rig: &Rig| run(consume(rig, &group, &topic, "*"), &seen, 8, takes);
    let sent = AtomicUsize::new(0);
    let send = |rounds: usize| {
        for _ in 0..rounds {
            let round = sent.fetch_add(1, Ordering::Relaxed);
            for queue in &all {
                send_to(&sender, queue, round..round + 1);
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    let mut runs = vec![start(&rigs[0]), start(&rigs[1])];
    send(50);
    runs.extend([start(&rigs[2]), start(&rigs[3])]);
    send(100);
    for run in runs.drain(..2) {
        assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    }
    send(50);
    let count = 200 * 8;
    assert!(eventually(SOON * 3, || seen.distinct() == count), "{} of {count}", seen.distinct());
    seen.assert_in_order();
    note!(place, "{} of {count} came again", seen.count() - count);
    assert_eq!(seen.count(), count, "some came twice");
}

pub(crate) fn the_queues_of_one_that_is_killed_are_taken_over_in_time(place: &Place) {
    let (topic, group, seen) = (place.topic(4), place.name(), Seen::default());
    let rig = place.rig();
    send_each(&rig, &topic, 25);
    let at = (&*place.namesrv(), place.access());
    let member = Member::start_orderly(place.on(), at, &group, &topic);
    assert!(eventually(SOON, || member.count() == 100), "{} of 100", member.count());
    let other = run(consume(&rig, &group, &topic, "*"), &seen, 4, Duration::ZERO);
    thread::sleep(3 * SECOND);
    member.kill();
    let begun = Instant::now();
    for queue in queues(&rig, &topic) {
        send_to(&rig, &queue, 1000..1001);
    }
    let took_over = || {
        let bodies = seen.0.lock().expect("no panic within");
        bodies.values().filter(|bodies| bodies.contains(&1000)).count() == 4
    };
    assert!(eventually(SOON * 5, took_over), "{:?}", seen.0);
    let took = begun.elapsed();
    note!(place, "{:?}: all queues taken over {took:?} after the kill", place.on());
    assert!(took < 85 * SECOND, "{took:?}");
    seen.assert_in_order();
    assert_eq!(other.stop(SOON).wait().expect("an end"), Ended::InOrder);
}

pub(crate) fn the_messages_of_a_tag_come_in_their_order(place: &Place) {
    let (topic, group, seen) = (place.topic(2), place.name(), Seen::default());
    let rig = place.rig();
    let producer = rig.client.producer("tags").expect("a producer");
    for queue in queues(&rig, &topic) {
        for body in 0..100 {
            let tag = if body % 3 == 0 { "eu" } else { "us" };
            let message = rocketry::Message::new(queue.topic.clone(), body.to_string()).tag(tag);
            let to = rocketry::SendOptions::to(&queue);
            producer.send_with(message, to).wait().expect("stored");
        }
    }
    let run = run(consume(&rig, &group, &topic, "eu"), &seen, 4, Duration::ZERO);
    assert!(eventually(SOON, || seen.count() == 68), "{} of 68", seen.count());
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    let wanted: Vec<usize> = (0..100).filter(|body| body % 3 == 0).collect();
    for bodies in seen.0.lock().expect("no panic within").values() {
        assert_eq!(*bodies, wanted);
    }
}

pub(crate) fn of_a_batch_that_fails_all_comes_again_before_anything_else(place: &Place) {
    let (topic, group) = (place.topic(1), place.name());
    let rig = place.rig();
    send_each(&rig, &topic, 20);
    await_stored(&rig, &topic, 20);
    let came = Arc::<Mutex<Vec<usize>>>::default();
    let own = came.clone();
    let handler = move |messages: &[MessageView], batch: &mut BatchContext| {
        own.lock().expect("no panic within").extend(messages.iter().map(number));
        let fails = |message: &MessageView| number(message) == 7 && message.attempts() < 3;
        if let Some(at) = messages.iter().position(fails) {
            batch.done(at);
            return Verdict::RetryAfter(Duration::from_millis(100));
        }
        Verdict::Ack
    };
    let options = RunOptions::default().concurrency(4).batch(5, Duration::ZERO);
    let run = consume(&rig, &group, &topic, "*").run_batches(options, handler).expect("it runs");
    let done = || came.lock().expect("no panic within").last() == Some(&19);
    assert!(eventually(SOON, done), "{came:?}");
    thread::sleep(QUIET);
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    let came = came.lock().expect("no panic within").clone();
    let sevens: Vec<usize> =
        came.iter().enumerate().filter(|(_, body)| **body == 7).map(|(at, _)| at).collect();
    assert_eq!(sevens.len(), 3, "{came:?}");
    let mut before = came[..sevens[0]].to_vec();
    before.dedup();
    assert_eq!(before, (0..7).collect::<Vec<_>>());
    assert!(came[sevens[2]..].is_sorted(), "{came:?}");
    await_committed(&rig, &place.broker(), &group, &topic, 20);
}

pub(crate) fn a_run_is_committed_or_rolled_back_as_a_whole(place: &Place) {
    let (topic, group) = (place.topic(2), place.name());
    let rig = place.rig();
    send_each(&rig, &topic, 20);
    await_stored(&rig, &topic, 40);
    let mut consumer = consume(&rig, &group, &topic, "*");
    let take = |consumer: &mut Consumer| -> Vec<Delivery> {
        let batch = consumer.recv_batch(8, SOON).expect("some in time");
        let batch: Vec<Delivery> =
            batch.into_iter().map(|one| one.expect("a readable message")).collect();
        let first = batch.first().expect("a message").queue().clone();
        assert!(batch.iter().all(|one| *one.queue() == first), "of one queue");
        batch
    };
    let numbers = |batch: &[Delivery]| batch.iter().map(|one| number(one)).collect::<Vec<_>>();
    // One of each queue may be out, and no third one.
    let (first, second) = (take(&mut consumer), take(&mut consumer));
    assert_ne!(first[0].queue(), second[0].queue());
    let none = consumer.recv_batch(8, QUIET).expect("no error");
    assert!(none.is_empty(), "a queue has two holders");
    let (before, queue) = (numbers(&first), first[0].queue().clone());
    // Rolled back: all of it comes again, in its order, and nothing of its queue before.
    first.into_iter().for_each(|one| assert!(one.retry_after(SECOND / 5).is_taken(), "ours"));
    second.into_iter().for_each(acked);
    let mut after = Vec::new();
    while after.len() < 20 {
        let batch = take(&mut consumer);
        if *batch[0].queue() == queue {
            after.extend(numbers(&batch));
        }
        batch.into_iter().for_each(acked);
    }
    assert_eq!(after[..before.len()], before, "it comes again as a whole");
    assert!(after.is_sorted(), "{after:?}");
    let sum = || committed_sum(&rig, &place.broker(), &group, &topic, 2);
    while sum() < 40 {
        consumer.recv_batch(8, QUIET).expect("no error").into_iter().flatten().for_each(acked);
    }
}
