//! Handlers, suspended consumers, and what is committed of what they did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketry::{BatchContext, Ended, MessageView, RunOptions, Verdict};

use crate::cases::common::await_stored;
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, await_committed, committed_each, committed_sum, consume, drain, drained,
    next, number, queues, send_all, send_to, take,
};
use crate::rig::eventually;

/// How often each message came.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<usize, usize>>>);

impl Seen {
    /// Adds one, and gives how often it has come.
    fn add(&self, message: &MessageView) -> usize {
        let mut seen = self.0.lock().expect("no panic within");
        let times = seen.entry(number(message)).or_default();
        *times += 1;
        *times
    }

    fn count(&self) -> usize {
        self.0.lock().expect("no panic within").len()
    }

    fn times(&self, body: usize) -> usize {
        self.0.lock().expect("no panic within").get(&body).copied().unwrap_or(0)
    }
}

pub(crate) fn sixteen_handlers_are_given_ten_thousand_messages(place: &Place) {
    const COUNT: usize = 10_000;
    let (topic, group, seen) = (place.topic(8), place.name(), Seen::default());
    let mut config = place.config();
    config.send_timeout = SOON;
    let rig = place.rig_with(config);
    for part in 0..20 {
        send_all(&rig, &topic, part * 500..(part + 1) * 500);
    }
    let own = seen.clone();
    let handler = move |message: &MessageView| _ = own.add(message);
    let consumer = consume(&rig, &group, &topic, "*");
    let run = consumer.run(RunOptions::default().concurrency(16), handler).expect("it runs");
    assert!(eventually(SOON * 2, || seen.count() == COUNT), "{} came", seen.count());
    let idle = || run.stats().in_progress == 0 && run.stats().handled >= COUNT as u64;
    assert!(eventually(SOON, idle), "{:?}", run.stats());
    let again = run.stats().handled - COUNT as u64;
    note!(place, "{:?}: {again} of {COUNT} came again", place.on());
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    let each = committed_each(&rig, &place.broker(), &group, &topic, 8);
    let sum: i64 = each.iter().flatten().sum();
    assert_eq!(sum, COUNT as i64, "an offset has a gap before it: {each:?}");
}

pub(crate) fn what_is_committed_is_the_lowest_offset_that_is_not_settled(place: &Place) {
    let (topic, group, broker) = (place.topic(1), place.name(), place.broker());
    let rig = place.rig();
    send_to(&rig, &queues(&rig, &topic)[0], 0..20);
    let mut consumer = consume(&rig, &group, &topic, "*");
    let mut held = take(&mut consumer, 20);
    let open = held.remove(7);
    held.into_iter().for_each(acked);
    await_committed(&rig, &broker, &group, &topic, 7);
    // It ends with its message unsettled, and the next one gets what was not committed.
    rig.client.shutdown().wait().expect("an end");
    drop((open, consumer));
    let other = place.rig();
    let mut next = consume(&other, &group, &topic, "*");
    assert_eq!(drained(&mut next, QUIET * 2), (7..20).collect::<Vec<_>>());
}

pub(crate) fn of_a_batch_the_first_are_done_and_the_rest_comes_again(place: &Place) {
    let (topic, group, seen) = (place.topic(1), place.name(), Seen::default());
    let rig = place.rig();
    send_to(&rig, &queues(&rig, &topic)[0], 0..12);
    await_stored(&rig, &topic, 12);
    let own = seen.clone();
    let handler = move |messages: &[MessageView], batch: &mut BatchContext| {
        messages.iter().for_each(|message| _ = own.add(message));
        if messages.iter().all(|message| message.attempts() == 1) {
            batch.done(messages.len() / 2);
            return Verdict::RetryAfter(Duration::from_secs(1));
        }
        Verdict::Ack
    };
    let options = RunOptions::default().concurrency(1).batch(12, Duration::from_secs(1));
    let run = consume(&rig, &group, &topic, "*").run_batches(options, handler).expect("it runs");
    let twice = || (0..12).filter(|body| seen.times(*body) == 2).count();
    assert!(eventually(SOON, || twice() == 6), "{:?}", seen.0);
    std::thread::sleep(QUIET);
    let times: Vec<usize> = (0..12).map(|body| seen.times(body)).collect();
    assert_eq!(times, [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    await_committed(&rig, &place.broker(), &group, &topic, 12);
}

pub(crate) fn a_message_whose_handler_panics_comes_again(place: &Place) {
    let (topic, group, seen) = (place.topic(1), place.name(), Seen::default());
    let rig = place.rig();
    send_to(&rig, &queues(&rig, &topic)[0], 0..10);
    let own = seen.clone();
    let handler = move |message: &MessageView| {
        let times = own.add(message);
        if number(message) == 3 && times == 1 {
            // A panic without a line on standard error.
            std::panic::resume_unwind(Box::new("not this one"));
        }
    };
    let consumer = consume(&rig, &group, &topic, "*");
    let run = consumer.run(RunOptions::default().concurrency(1), handler).expect("it runs");
    assert!(eventually(SOON, || seen.count() == 10), "a worker that panicked is gone");
    assert!(eventually(SOON, || seen.times(3) == 2), "it came {} times", seen.times(3));
    assert_eq!(run.stop(SOON).wait().expect("an end"), Ended::InOrder);
    await_committed(&rig, &place.broker(), &group, &topic, 10);
}

pub(crate) fn a_suspended_consumer_is_given_nothing_until_it_is_resumed(place: &Place) {
    let (topic, group, broker) = (place.topic(2), place.name(), place.broker());
    let rig = place.rig();
    send_all(&rig, &topic, 0..10);
    let mut consumer = consume(&rig, &group, &topic, "*");
    let held = take(&mut consumer, 10);
    let control = consumer.control();
    control.suspend();
    send_all(&rig, &topic, 10..20);
    assert!(consumer.recv_timeout(QUIET * 2).is_err(), "something came meanwhile");
    // It is a member still, and what is settled meanwhile is committed.
    held.into_iter().for_each(acked);
    let sum = || committed_sum(&rig, &broker, &group, &topic, 2);
    assert!(eventually(SOON, || sum() == 10), "{} is committed", sum());
    control.resume();
    assert_eq!(drained(&mut consumer, QUIET * 2), (10..20).collect::<Vec<_>>());
}

pub(crate) fn three_groups_get_all_of_a_topic_each(place: &Place) {
    let topic = place.topic(4);
    let rig = place.rig();
    let mut consumers: Vec<_> = (0..3).map(|_| consume(&rig, &place.name(), &topic, "*")).collect();
    send_all(&rig, &topic, 0..100);
    for consumer in &mut consumers {
        let first = next(consumer);
        let mut bodies = vec![number(&first)];
        acked(first);
        bodies.extend(drain(consumer, QUIET * 2));
        bodies.sort_unstable();
        assert_eq!(bodies, (0..100).collect::<Vec<_>>());
    }
}
