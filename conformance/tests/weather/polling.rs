//! Consumers that are polled, on every runtime: calls that wait, are dropped, and end.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::client::RecvError;
use rocketry::{
    CommitError, Config, EndError, Ended, ErrorKind, Filter, Message, PullConsumer, QueueName,
    SeekError, Start, SubscribeError, Topic,
};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::unreadable::{queue, with_damage};
use crate::{TOPIC, on_all, served};

on_all!(
    a_poll_that_is_dropped_loses_nothing,
    a_message_that_cant_be_read_comes_in_its_place_and_is_passed_by_the_next_poll,
    what_is_asked_of_a_consumer_that_has_ended_is_an_error_of_its_kind,
    any_thread_may_seek_pause_and_commit_while_another_one_polls,
    who_wants_to_know_is_told_of_queues,
    a_filter_that_brokers_refuse_is_why_polls_end,
);

const GROUP: &str = "pollers";
const LONG: Duration = Duration::from_secs(20);

fn rig(on: On, served: &Served) -> Rig {
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    Rig::with(on, config)
}

fn start(rig: &Rig) -> PullConsumer {
    let builder = rig.client.pull_consumer(GROUP).expect("a group").topic(TOPIC, "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

fn send(rig: &Rig, count: usize) {
    let producer = rig.client.producer(GROUP).expect("a producer");
    for body in 0..count {
        producer.send(Message::new(topic(), body.to_string())).wait().expect("sent");
    }
}

fn topic() -> Topic {
    Topic::new(TOPIC).expect("a topic")
}

/// What polls give until so many have come.
fn take(consumer: &mut PullConsumer, count: usize) -> usize {
    let (mut taken, began) = (0, Instant::now());
    while taken < count && began.elapsed() < LONG {
        taken += consumer.poll(Duration::from_millis(100)).expect("a consumer that lives").len();
    }
    taken
}

fn committed(served: &Served) -> i64 {
    let of = |queue| served.with(|cluster| cluster.committed(0, GROUP, TOPIC, queue)).unwrap_or(0);
    (0..8).map(of).sum()
}

fn a_poll_that_is_dropped_loses_nothing(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let mut consumer = start(&rig);
    let pause = Duration::from_millis(300);
    for _ in 0..3 {
        let ended =
            smol::block_on(smol::future::or(async { Some(consumer.next(LONG).await) }, async {
                smol::Timer::after(pause).await;
                None
            }));
        assert!(ended.is_none(), "there is nothing yet");
    }
    send(&rig, 50);
    let began = Instant::now();
    let first = smol::block_on(consumer.next(LONG)).expect("messages").len();
    assert!((1..=10).contains(&first), "{first}");
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    // One that is begun and dropped has settled what the one before gave.
    drop(smol::block_on(async { smol::future::poll_once(consumer.next(LONG)).await }));
    assert!(take(&mut consumer, 50 - first) <= 50 - first);
    assert_eq!(consumer.close().wait(), Ok(Ended::InOrder));
    assert_eq!(committed(&served), 50);
}

fn a_message_that_cant_be_read_comes_in_its_place_and_is_passed_by_the_next_poll(on: On) {
    let served = served();
    let rig = with_damage(on, &served);
    let builder = rig.client.pull_consumer(GROUP).expect("a group").assign([queue()]);
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let began = Instant::now();
    let mut polled = Vec::new();
    while polled.len() < 3 && began.elapsed() < LONG {
        polled.extend(consumer.poll(LONG).expect("messages"));
    }
    let unreadable = polled.remove(1).expect_err("the second can't be read");
    assert_eq!((unreadable.offset, &unreadable.queue), (Some(1), &queue()));
    assert!(polled.iter().all(Result::is_ok), "{polled:?}");
    // Its own verbs change nothing: it neither comes again nor becomes a dead letter.
    assert!(unreadable.reject().is_taken(), "nothing to do");
    assert!(consumer.poll(Duration::from_millis(500)).expect("nothing").is_empty());
    assert!(eventually(LONG, || committed(&served) == 3), "{}", committed(&served));
    assert_eq!(served.with(|cluster| cluster.stored(&format!("%DLQ%{GROUP}"))), 0);
}

fn what_is_asked_of_a_consumer_that_has_ended_is_an_error_of_its_kind(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig, 20);
    let queues = rig.client.queues(&topic()).wait().expect("queues");
    let both = rig.client.pull_consumer(GROUP).expect("a group").topic(TOPIC, "*");
    let both = both.assign(queues.clone()).start().expect_err("one or the other");
    assert_eq!((&both, both.kind()), (&SubscribeError::Assigned, ErrorKind::Invalid));
    let none = rig.client.pull_consumer(GROUP).expect("a group").start();
    assert_eq!(none.expect_err("nothing to read").kind(), ErrorKind::Invalid);

    let mut consumer = start(&rig);
    assert!(!consumer.poll(LONG).expect("messages").is_empty());
    assert_eq!(consumer.assign(queues.clone()), Err(SubscribeError::Assigned));
    let other = QueueName { queue: 9, ..queues[0].clone() };
    let seek = consumer.seek(&other, 0).wait().expect_err("no such queue");
    assert!(matches!(seek, SeekError::Query(_) | SeekError::NotAssigned(_)), "{seek}");
    let pause = consumer.pause(std::slice::from_ref(&other)).expect_err("no such queue");
    assert_eq!(pause.queue, other);
    let control = consumer.control();
    // What is in hand is held until the next poll, which is too late now.
    let ended = rig.client.shutdown().wait().expect("ended");
    assert!(matches!(ended, Ended::Unsettled(1..=10)), "{ended:?}");
    let left = |polled: Result<Vec<_>, RecvError>| polled.expect_err("it has left");
    assert_eq!(left(consumer.poll(LONG)), RecvError::Left);
    assert_eq!(left(consumer.poll(Duration::ZERO)), RecvError::Left);
    assert_eq!(left(smol::block_on(consumer.next(LONG))), RecvError::Left);
    assert_eq!(control.commit().wait(), Err(CommitError::Stopped));
    assert_eq!(control.position(&queues[0]), None);
    let seek = control.seek_to_begin(&queues[0]).wait().expect_err("it has left");
    assert_eq!(seek.kind(), ErrorKind::Stopped);
    assert!(control.resume(&queues).is_err() && control.queues().is_empty());
}

fn any_thread_may_seek_pause_and_commit_while_another_one_polls(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig, 200);
    let mut consumer = start(&rig);
    assert_eq!(take(&mut consumer, 200), 200);
    let control = consumer.control();
    let polling = thread::spawn(move || {
        let mut polled = 0;
        while let Ok(some) = consumer.poll(Duration::from_millis(50)) {
            polled += some.len();
            if polled >= 600 {
                break;
            }
        }
        (polled, consumer)
    });
    let began = Instant::now();
    while !polling.is_finished() && began.elapsed() < LONG {
        let queues = control.queues();
        for queue in &queues {
            control.pause(std::slice::from_ref(queue)).expect("its own");
            control.seek_to_begin(queue).wait().expect("sought");
            control.resume(std::slice::from_ref(queue)).expect("its own");
        }
        control.commit().wait().expect("committed");
        thread::sleep(Duration::from_millis(20));
    }
    let (polled, mut consumer) = polling.join().expect("no panic");
    assert!(polled >= 600, "{polled}");
    for queue in consumer.queues() {
        consumer.seek_to_begin(&queue).wait().expect("sought");
    }
    assert_eq!(take(&mut consumer, 200), 200);
    assert!(consumer.poll(Duration::from_millis(300)).expect("nothing").is_empty());
    assert!(eventually(LONG, || committed(&served) == 200), "{}", committed(&served));
}

fn who_wants_to_know_is_told_of_queues(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let queues = rig.client.queues(&topic()).wait().expect("queues");
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let (own, all) = (told.clone(), told.clone());
    let builder = rig.client.pull_consumer(GROUP).expect("a group");
    let builder = builder.assign(queues[..2].to_vec()).on_queues(move |change| {
        let (gained, lost) = (change.gained.len(), change.lost.len());
        own.lock().expect("no panic").push(format!("+{gained} -{lost}"));
    });
    let builder = builder.on_topics(move |topic| {
        all.lock().expect("no panic").push(format!("{} in all", topic.queues.len()));
    });
    let consumer = builder.start().expect("a consumer");
    let heard = |many: &[&str]| {
        let told = told.lock().expect("no panic");
        many.iter().all(|one| told.iter().any(|line| line == one))
    };
    assert!(eventually(LONG, || heard(&["+2 -0", "8 in all"])), "{told:?}");
    consumer.assign(queues[1..4].to_vec()).expect("assigned");
    assert!(eventually(LONG, || heard(&["+2 -1"])), "{told:?}");
    consumer.close().wait().expect("closed");
    assert!(eventually(LONG, || heard(&["+0 -3"])), "{told:?}");
}

fn a_filter_that_brokers_refuse_is_why_polls_end(on: On) {
    // Its brokers filter by no properties.
    let served = served();
    let rig = rig(on, &served);
    let sql = Filter::sql("a > 5").expect("an expression");
    let builder = rig.client.pull_consumer(GROUP).expect("a group").topic(TOPIC, sql);
    let mut consumer = builder.start().expect("a consumer");
    let refused = |polled: Result<Vec<_>, RecvError>| {
        let error = polled.expect_err("refused");
        assert!(matches!(&error, RecvError::Filter(of) if of.topic == topic()), "{error:?}");
    };
    refused(consumer.poll(LONG));
    refused(consumer.poll(Duration::ZERO));
    refused(smol::block_on(consumer.next(LONG)));
    assert!(matches!(consumer.ended().wait(), Err(EndError::Filter(_))));
}
