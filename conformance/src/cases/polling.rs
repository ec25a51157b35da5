//! Consumers that are polled: queues assigned and shared, sought, paused and committed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use rocketry::client::PullConsumerBuilder;
use rocketry::{MessageView, PullConsumer, QueueName, Start};

use crate::cases::common::await_stored;
use crate::cases::place::{Place, note};
use crate::cases::reading::{QUIET, SOON, await_committed, number, queues, send_all, send_to};
use crate::rig::{On, Rig, eventually};

fn builder(rig: &Rig, group: &str) -> PullConsumerBuilder {
    rig.client.pull_consumer(group).expect("a group").start_at(Start::First)
}

/// A consumer of a topic's queues, whoever else is in the group.
fn assigned(rig: &Rig, group: &str, queues: &[QueueName]) -> PullConsumer {
    builder(rig, group).assign(queues.iter().cloned()).start().expect("a consumer")
}

/// The messages of one poll.
fn poll(consumer: &mut PullConsumer, within: Duration) -> Vec<MessageView> {
    let polled = consumer.poll(within).expect("a consumer that lives");
    polled.into_iter().map(|one| one.expect("a readable message")).collect()
}

/// What polls give until so many have come, in order; fewer where no more come in time.
fn take(consumer: &mut PullConsumer, count: usize) -> Vec<MessageView> {
    let (mut taken, begun) = (Vec::new(), Instant::now());
    while taken.len() < count && begun.elapsed() < SOON {
        taken.extend(poll(consumer, Duration::from_millis(200)));
    }
    taken
}

fn numbers(messages: &[MessageView]) -> Vec<usize> {
    messages.iter().map(number).collect()
}

fn range(from: usize, end: usize) -> Vec<usize> {
    (from..end).collect()
}

/// A topic of one queue with so many messages.
fn one_queue(place: &Place, messages: usize) -> (Rig, QueueName) {
    let topic = place.topic(1);
    let rig = place.rig();
    let queue = queues(&rig, &topic).swap_remove(0);
    send_to(&rig, &queue, 0..messages);
    await_stored(&rig, &topic, messages as i64);
    (rig, queue)
}

pub(crate) fn an_assigned_queue_is_polled_from_where_it_was_sought(place: &Place) {
    let (rig, queue) = one_queue(place, 40);
    let mut consumer = assigned(&rig, &place.name(), std::slice::from_ref(&queue));
    for to in [13, 39, 0, 40, 22] {
        consumer.seek(&queue, to).wait().expect("sought");
        assert_eq!(consumer.position(&queue), Some(to));
        let taken = take(&mut consumer, 40 - to as usize);
        assert_eq!(numbers(&taken), range(to as usize, 40), "sought {to}");
        let places: Vec<_> = taken.iter().map(MessageView::offset).collect();
        assert_eq!(places, (to..40).map(Some).collect::<Vec<_>>());
    }
    for wrong in [-1, 41] {
        let error = consumer.seek(&queue, wrong).wait().expect_err("out of range");
        assert!(error.to_string().ends_with("it has 0 to 40"), "{error}");
    }
    assert_eq!(consumer.position(&queue), Some(40));
    consumer.close().wait().expect("closed");
}

pub(crate) fn two_that_subscribe_share_the_queues(place: &Place) {
    let (topic, group) = (place.topic(4), place.name());
    let rigs = [place.rig(), place.rig()];
    let of = |rig: &Rig| builder(rig, &group).topic(&*topic, "*").start().expect("a consumer");
    let mut consumers = [of(&rigs[0]), of(&rigs[1])];
    let shared = eventually(Duration::from_secs(40), || {
        consumers.iter().all(|consumer| consumer.queues().len() == 2)
    });
    assert!(shared, "{:?}", consumers.each_ref().map(|consumer| consumer.queues().len()));
    send_all(&rigs[0], &topic, 0..80);
    let (mut seen, mut from) = (Vec::new(), [BTreeSet::new(), BTreeSet::new()]);
    let begun = Instant::now();
    while seen.len() < 80 && begun.elapsed() < SOON {
        for (consumer, from) in consumers.iter_mut().zip(&mut from) {
            let polled = poll(consumer, Duration::from_millis(50));
            from.extend(polled.iter().map(|message| message.queue().queue));
            seen.extend(numbers(&polled));
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, range(0, 80));
    assert!(from[0].is_disjoint(&from[1]), "{from:?}");
    assert_eq!((from[0].len(), from[1].len()), (2, 2));
}

pub(crate) fn a_paused_queue_gives_nothing_and_loses_nothing(place: &Place) {
    let topic = place.topic(2);
    let rig = place.rig();
    let both = queues(&rig, &topic);
    send_to(&rig, &both[0], 0..40);
    send_to(&rig, &both[1], 100..140);
    let mut consumer = assigned(&rig, &place.name(), &both);
    let mut first = take(&mut consumer, 10);
    consumer.pause(&both[..1]).expect("its own");
    assert_eq!(consumer.paused(), both[..1]);
    let mut seen = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < 2 * QUIET {
        seen.extend(poll(&mut consumer, Duration::from_millis(100)));
    }
    assert!(seen.iter().all(|message| *message.queue() == both[1]), "{seen:?}");
    send_to(&rig, &both[0], 40..50);
    assert!(poll(&mut consumer, QUIET).is_empty());
    consumer.resume(&both[..1]).expect("its own");
    first.extend(seen);
    let left = 90 - first.len();
    first.extend(take(&mut consumer, left));
    let of = |queue: &QueueName| -> Vec<usize> {
        first.iter().filter(|message| message.queue() == queue).map(number).collect()
    };
    assert_eq!((of(&both[0]), of(&both[1])), (range(0, 50), range(100, 140)));
}

pub(crate) fn begin_end_and_a_time_are_sought(place: &Place) {
    let (rig, queue) = one_queue(place, 10);
    let mut consumer = assigned(&rig, &place.name(), std::slice::from_ref(&queue));
    assert_eq!(numbers(&take(&mut consumer, 10)), range(0, 10));
    std::thread::sleep(Duration::from_millis(1100));
    let between = SystemTime::now();
    std::thread::sleep(Duration::from_millis(1100));
    send_to(&rig, &queue, 10..20);
    await_stored(&rig, queue.topic.as_str(), 20);
    consumer.seek_to_begin(&queue).wait().expect("sought");
    assert_eq!(numbers(&take(&mut consumer, 20)), range(0, 20));
    assert_eq!(consumer.offset_for_time(&queue, between).wait(), Ok(10));
    consumer.seek_to_time(&queue, between).wait().expect("sought");
    assert_eq!(numbers(&take(&mut consumer, 10)), range(10, 20));
    consumer.seek_to_begin(&queue).wait().expect("sought");
    consumer.seek_to_end(&queue).wait().expect("sought");
    assert!(poll(&mut consumer, QUIET).is_empty());
    send_to(&rig, &queue, 20..21);
    assert_eq!(numbers(&take(&mut consumer, 1)), [20]);
}

pub(crate) fn what_was_not_committed_comes_again(place: &Place) {
    let (rig, queue) = one_queue(place, 40);
    let (group, broker) = (place.name(), place.broker());
    let start = |auto: bool| {
        let builder = builder(&rig, &group).assign([queue.clone()]);
        builder.auto_commit(auto).start().expect("a consumer")
    };
    let mut consumer = start(false);
    assert_eq!(numbers(&take(&mut consumer, 40)), range(0, 40));
    consumer.close().wait().expect("closed");
    let mut consumer = start(false);
    assert_eq!(numbers(&take(&mut consumer, 40)), range(0, 40));
    consumer.commit_offsets([(queue.clone(), 15)]).wait().expect("committed");
    assert_eq!(consumer.committed(&queue).wait(), Ok(Some(15)));
    drop(consumer);
    await_left(&rig, &group);
    // What is in hand when a consumer is dropped comes again; what a close settles does not.
    let mut consumer = start(true);
    assert_eq!(numbers(&poll(&mut consumer, SOON))[0], 15);
    drop(consumer);
    await_left(&rig, &group);
    let mut consumer = start(true);
    let polled = numbers(&poll(&mut consumer, SOON));
    assert_eq!(polled[0], 15);
    consumer.close().wait().expect("closed");
    let next = 15 + polled.len() as i64;
    await_committed(&rig, &broker, &group, queue.topic.as_str(), next);
    let mut consumer = start(true);
    assert_eq!(number(&poll(&mut consumer, SOON)[0]), next as usize);
    consumer.commit().wait().expect("committed");
    assert!(consumer.committed(&queue).wait().expect("an answer") > Some(next));
}

/// One that was dropped leaves in the background.
fn await_left(rig: &Rig, group: &str) {
    let left = || {
        let stats = rig.client.stats();
        stats.consumers.iter().all(|consumer| consumer.group.as_str() != group)
    };
    assert!(eventually(SOON, left), "it has not left");
}

pub(crate) fn a_poll_keeps_its_time(place: &Place) {
    let (rig, queue) = one_queue(place, 0);
    let mut consumer = assigned(&rig, &place.name(), std::slice::from_ref(&queue));
    let there = eventually(SOON, || consumer.position(&queue).is_some());
    assert!(there, "where it begins is not known");
    let timed = |consumer: &mut PullConsumer, within| {
        let begun = Instant::now();
        let polled = next((&rig, place.on()), consumer, within);
        (polled.len(), begun.elapsed())
    };
    let most = [Duration::ZERO, Duration::from_millis(300)].map(|within| {
        let mut times: Vec<Duration> = (0..5)
            .map(|_| {
                let (polled, took) = timed(&mut consumer, within);
                assert_eq!(polled, 0);
                assert!(took >= within, "{took:?} for {within:?}");
                took
            })
            .collect();
        times.sort_unstable();
        // A machine that is busy delays some.
        times[2]
    });
    note!(place, "{:?}: polls of nothing took {most:?}", place.on());
    assert!(most[0] < Duration::from_millis(50), "{most:?}");
    assert!(most[1] < Duration::from_millis(600), "{most:?}");
    // One that waits is given what comes.
    let sender = place.rig();
    let (late, to) = (Duration::from_millis(500), queue.clone());
    let sending = std::thread::spawn(move || {
        std::thread::sleep(late);
        send_to(&sender, &to, 0..1);
    });
    let (polled, took) = timed(&mut consumer, SOON);
    sending.join().expect("sent");
    assert_eq!(polled, 1);
    assert!(took < SOON / 2, "{took:?}");
}

/// One poll, awaited where callers are tasks.
fn next((rig, on): (&Rig, On), consumer: &mut PullConsumer, within: Duration) -> Vec<MessageView> {
    let polled = match (rig.handle(), on) {
        (Some(tokio), _) => tokio.block_on(consumer.next(within)),
        (None, On::Threads) => consumer.poll(within),
        (None, _) => smol::block_on(consumer.next(within)),
    };
    let polled = polled.expect("a consumer that lives");
    polled.into_iter().map(|one| one.expect("a readable message")).collect()
}
