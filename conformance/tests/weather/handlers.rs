//! Handlers that are called: by threads, by tasks and in batches, on every runtime.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{
    Client, Config, Consumer, EndError, Ended, Message, MessageView, RecvError, Run, RunOptions,
    SendOptions, SimpleMessageListener, Start, Topic, Verdict,
};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    push_01_sixteen_handlers_are_given_every_message_and_all_is_committed,
    push_01_sixteen_tasks_are_given_every_message_and_all_is_committed,
    push_09_a_panic_is_a_retry_and_its_worker_lives_on,
    push_09_a_task_that_panics_is_a_retry_and_its_worker_lives_on,
    push_10_a_stop_with_a_handler_that_never_ends_is_over_in_time,
    push_11_handlers_are_given_nothing_while_their_consumer_is_suspended,
    push_12_more_and_fewer_workers_take_effect,
    limit_12_slow_handlers_keep_neither_their_neighbours_nor_another_consumer,
    a_stop_waits_for_busy_handlers_and_begins_no_other,
    a_run_that_is_dropped_leaves_at_once,
    errors_and_verdicts_have_their_messages_come_again,
    a_batch_has_what_is_there_and_waits_for_more,
    push_08_of_a_batch_the_first_are_done_and_the_rest_comes_again,
    a_run_ends_with_its_client,
    how_a_consumer_left_is_told_however_late_it_is_asked,
    topics_come_and_go_while_handlers_run,
    a_listener_keeps_and_tells_what_comes,
);

const GROUP: &str = "handlers";
const PATIENCE: Duration = Duration::from_secs(20);

fn rig(on: On, served: &Served) -> Rig {
    let mut config = Config::new(&served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    config.retry_delay = Duration::from_millis(100);
    config.shutdown_timeout = Duration::from_secs(10);
    Rig::with(on, config)
}

fn message(body: usize) -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), body.to_string())
}

fn send(client: &Client, count: usize) {
    let producer = client.producer(GROUP).expect("a producer");
    let sent: Vec<_> = (0..count).map(|body| producer.send(message(body))).collect();
    sent.into_iter().for_each(|call| drop(call.wait().expect("sent")));
}

/// All into one queue, in order.
fn send_to_one(client: &Client, count: usize) {
    let producer = client.producer(GROUP).expect("a producer");
    let topic = Topic::new(TOPIC).expect("a topic");
    let queue = client.queues(&topic).wait().expect("queues").swap_remove(0);
    for body in 0..count {
        producer.send_with(message(body), SendOptions::to(&queue)).wait().expect("sent");
    }
}

fn consumer(client: &Client) -> Consumer {
    let builder = client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

fn committed(served: &Served) -> i64 {
    let of = |queue| served.with(|cluster| cluster.committed(0, GROUP, TOPIC, queue)).unwrap_or(0);
    (0..8).map(of).sum()
}

fn number(view: &MessageView) -> usize {
    std::str::from_utf8(view.body()).expect("a text").parse().expect("a number")
}

/// How often each message came.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<usize, usize>>>);

impl Seen {
    /// Adds one, and gives how often it has come.
    fn add(&self, view: &MessageView) -> usize {
        let mut seen = self.0.lock().expect("no panic");
        let times = seen.entry(number(view)).or_default();
        *times += 1;
        *times
    }

    fn count(&self) -> usize {
        self.0.lock().expect("no panic").len()
    }

    /// Whether all of so many came.
    fn all(&self, count: usize) -> bool {
        eventually(PATIENCE, || self.count() == count)
    }
}

fn stop(run: Run) -> Ended {
    run.stop(PATIENCE).wait().expect("an end")
}

fn push_01_sixteen_handlers_are_given_every_message_and_all_is_committed(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send(&rig.client, 1000);
    let own = seen.clone();
    let handler = move |view: &MessageView| _ = own.add(view);
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(16), handler);
    let run = run.expect("it runs");
    assert!(seen.all(1000), "{} came", seen.count());
    assert!(eventually(PATIENCE, || run.stats().handled == 1000 && run.stats().in_progress == 0));
    let stats = run.stats();
    assert_eq!((stats.workers, stats.failed, stats.times.count()), (16, 0, 1000));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 1000));
}

fn push_01_sixteen_tasks_are_given_every_message_and_all_is_committed(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send(&rig.client, 1000);
    let own = seen.clone();
    let handler = move |view: MessageView| {
        let own = own.clone();
        async move {
            own.add(&view);
        }
    };
    let run = consumer(&rig.client).run_async(RunOptions::default().concurrency(16), handler);
    let run = run.expect("it runs");
    assert!(seen.all(1000), "{} came", seen.count());
    assert!(eventually(PATIENCE, || run.stats().handled == 1000));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 1000));
}

/// Messages that panic when they first come, one in ten.
fn panics_once(seen: &Seen, view: &MessageView) {
    let times = seen.add(view);
    assert!(
        !number(view).is_multiple_of(10) || times > 1,
        "the tenth message panics, as it should"
    );
}

fn push_09_a_panic_is_a_retry_and_its_worker_lives_on(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send(&rig.client, 100);
    let own = seen.clone();
    let handler = move |view: &MessageView| panics_once(&own, view);
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(2), handler);
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 100), "{:?}", run.stats());
    let stats = run.stats();
    assert_eq!((stats.panicked, stats.failed, stats.workers), (10, 10, 2));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 100));
}

fn push_09_a_task_that_panics_is_a_retry_and_its_worker_lives_on(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send(&rig.client, 100);
    let own = seen.clone();
    let handler = move |view: MessageView| {
        let own = own.clone();
        // Half of them before there is a future.
        if number(&view).is_multiple_of(20) {
            panics_once(&own, &view);
            return futures::future::Either::Left(async {});
        }
        futures::future::Either::Right(async move { panics_once(&own, &view) })
    };
    let run = consumer(&rig.client).run_async(RunOptions::default().concurrency(2), handler);
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 100), "{:?}", run.stats());
    let stats = run.stats();
    assert_eq!((stats.panicked, stats.failed, stats.workers), (10, 10, 2));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 100));
}

fn push_10_a_stop_with_a_handler_that_never_ends_is_over_in_time(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send_to_one(&rig.client, 2);
    let release = Arc::new(AtomicBool::new(false));
    let own = release.clone();
    let handler = move |view: &MessageView| {
        while number(view) == 0 && !own.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
    };
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(2), handler);
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 1 && run.stats().in_progress == 1));
    let began = Instant::now();
    let ended = run.stop(Duration::from_millis(300)).wait();
    assert_eq!(ended, Ok(Ended::Unsettled(1)));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(committed(&served), 0, "nothing of the one that hangs is acknowledged");
    release.store(true, Ordering::Relaxed);
}

fn push_11_handlers_are_given_nothing_while_their_consumer_is_suspended(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send(&rig.client, 200);
    let own = seen.clone();
    let slow = Duration::from_millis(2);
    let handler = move |view: &MessageView| {
        own.add(view);
        thread::sleep(slow);
    };
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(4), handler);
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || seen.count() > 10));
    let control = run.control();
    control.suspend();
    assert!(control.is_suspended() && eventually(PATIENCE, || run.stats().in_progress == 0));
    let before = seen.count();
    send(&rig.client, 200);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(seen.count(), before, "something was handed out");
    control.resume();
    assert!(seen.all(200), "{} came", seen.count());
    assert!(eventually(PATIENCE, || run.stats().handled == 400));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 400));
}

fn push_12_more_and_fewer_workers_take_effect(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig.client, 200);
    let gate = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let own = gate.clone();
    let handler = move |_: &MessageView| {
        let busy = own.0.fetch_add(1, Ordering::SeqCst) + 1;
        own.1.fetch_max(busy, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(3));
        own.0.fetch_sub(1, Ordering::SeqCst);
    };
    let options = RunOptions::default().concurrency(1..=8).start_with(1);
    let run = consumer(&rig.client).run(options, handler).expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled > 10));
    assert_eq!(gate.1.load(Ordering::SeqCst), 1, "one at a time");
    assert_eq!(run.set_concurrency(50).expect("threads"), 8, "within the bounds");
    assert!(eventually(PATIENCE, || gate.1.load(Ordering::SeqCst) == 8), "never eight at once");
    assert_eq!(run.set_concurrency(2).expect("fewer"), 2);
    assert!(eventually(PATIENCE, || run.stats().workers == 2), "{:?}", run.stats());
    gate.1.store(0, Ordering::SeqCst);
    send(&rig.client, 50);
    assert!(eventually(PATIENCE, || run.stats().handled == 250), "{:?}", run.stats());
    assert_eq!(gate.1.load(Ordering::SeqCst), 2, "two at once");
    assert_eq!(stop(run), Ended::InOrder);
}

fn limit_12_slow_handlers_keep_neither_their_neighbours_nor_another_consumer(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let (hold, seen, fast) = (Arc::new(AtomicBool::new(true)), Seen::default(), Seen::default());
    send_to_one(&rig.client, 60);
    let (own, held) = (seen.clone(), hold.clone());
    let handler = move |view: &MessageView| {
        // Three of the first pull take long.
        while number(view) < 3 && held.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        own.add(view);
    };
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(4), handler);
    let run = run.expect("it runs");
    let own = fast.clone();
    let builder = rig.client.consumer("fast").expect("a group").topic(TOPIC, "*");
    let other = builder.start_at(Start::First).start().expect("a consumer");
    let handler = move |view: &MessageView| _ = own.add(view);
    let other = other.run(RunOptions::default().concurrency(1), handler).expect("it runs");
    // The neighbours behind them in the same pull, and the other consumer, do not wait for those.
    assert!(fast.all(60), "{} came", fast.count());
    assert!(seen.all(57), "{} came", seen.count());
    assert_eq!(run.stats().in_progress, 3);
    hold.store(false, Ordering::Relaxed);
    assert!(seen.all(60));
    assert_eq!((stop(run), stop(other)), (Ended::InOrder, Ended::InOrder));
}

fn a_stop_waits_for_busy_handlers_and_begins_no_other(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send_to_one(&rig.client, 30);
    let (own, hold) = (seen.clone(), Arc::new(AtomicBool::new(true)));
    let held = hold.clone();
    let handler = move |view: &MessageView| {
        own.add(view);
        while held.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
    };
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(3), handler);
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().in_progress == 3));
    let ending = run.stop(PATIENCE);
    thread::sleep(Duration::from_millis(100));
    hold.store(false, Ordering::Relaxed);
    assert_eq!(ending.wait(), Ok(Ended::InOrder));
    assert_eq!((seen.count(), committed(&served)), (3, 3), "what they did counts, and no more");
}

fn a_run_that_is_dropped_leaves_at_once(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig.client, 10);
    let run = consumer(&rig.client).run(RunOptions::default(), |_| ()).expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 10));
    let control = run.control();
    drop(run);
    assert_eq!(control.ended().wait(), Ok(Ended::InOrder));
    let gone = || served.with(|cluster| cluster.consumers(0, GROUP).is_empty());
    assert!(eventually(PATIENCE, gone));
    assert_eq!(committed(&served), 10);
}

fn errors_and_verdicts_have_their_messages_come_again(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send(&rig.client, 40);
    let own = seen.clone();
    let handler = move |view: &MessageView| match (own.add(view), number(view) % 4) {
        (1, 0) => Ok(Verdict::Retry),
        (1, 1) => Ok(Verdict::RetryHere(Duration::from_millis(10))),
        (1, 2) => Err("the first time"),
        _ => Ok(Verdict::Ack),
    };
    let run = consumer(&rig.client).run(RunOptions::default(), handler).expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 40), "{:?}", run.stats());
    assert_eq!((run.stats().failed, run.stats().panicked), (30, 0));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 40));
}

fn a_batch_has_what_is_there_and_waits_for_more(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig.client, 100);
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let own = sizes.clone();
    let options = RunOptions::default().concurrency(2).batch(25, Duration::from_secs(5));
    let run = consumer(&rig.client).run_batches(options, move |views, _| {
        own.lock().expect("no panic").push(views.len());
    });
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 100), "{:?}", run.stats());
    let found = sizes.lock().expect("no panic").clone();
    // Of two that gather side by side, the last two may have waited with what was left.
    assert!(found.iter().all(|size| (1..=25).contains(size)), "{found:?}");
    assert!(found.iter().filter(|size| **size == 25).count() >= 2, "{found:?}");
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 100));
}

fn push_08_of_a_batch_the_first_are_done_and_the_rest_comes_again(on: On) {
    let (served, seen) = (served(), Seen::default());
    let rig = rig(on, &served);
    send_to_one(&rig.client, 32);
    let own = seen.clone();
    let options = RunOptions::default().concurrency(1).batch(8, Duration::ZERO);
    let run = consumer(&rig.client).run_batches(options, move |views, batch| {
        let first = views.iter().map(|view| own.add(view)).max();
        if first == Some(1) {
            batch.done(3);
        }
    });
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 32), "{:?}", run.stats());
    let again = seen.0.lock().expect("no panic").values().filter(|times| **times > 1).count();
    assert_eq!((again, run.stats().failed), (20, 20), "five of each eight");
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 32));
}

fn a_run_ends_with_its_client(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig.client, 10);
    let run = consumer(&rig.client).run(RunOptions::default(), |_| ()).expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 10));
    let (first, second) = (run.ended(), run.ended());
    assert_eq!(rig.client.shutdown().wait(), Ok(Ended::InOrder));
    assert_eq!((first.wait(), second.wait()), (Ok(Ended::InOrder), Ok(Ended::InOrder)));
    assert!(eventually(PATIENCE, || run.stats().workers == 0), "{:?}", run.stats());
    assert_eq!(committed(&served), 10);
    assert_eq!(run.set_concurrency(4).expect("nothing to do"), 4);
    assert_eq!(run.stats().workers, 0);
    let error = RecvError::Left.to_string();
    assert!(error.contains("left"), "{error}");
}

fn how_a_consumer_left_is_told_however_late_it_is_asked(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig.client, 4);
    let mut consumer = consumer(&rig.client);
    let control = consumer.control();
    let held = consumer.recv().expect("one comes").expect("readable");
    drop(consumer);
    assert_eq!(control.ended().wait(), Ok(Ended::Unsettled(1)));
    drop(held);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(control.clone().ended().wait(), Ok(Ended::Unsettled(1)), "as before");
    drop(control);
    assert_eq!(rig.client.shutdown().wait(), Ok(Ended::InOrder));
}

fn topics_come_and_go_while_handlers_run(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let builder = rig.client.consumer(GROUP).expect("a group").without_topics();
    let consumer = builder.start_at(Start::First).start().expect("a consumer");
    let run = consumer.run(RunOptions::default(), |_| ()).expect("it runs");
    let control = run.control();
    assert!(control.queues().is_empty() && control.subscriptions().is_empty());
    send(&rig.client, 10);
    control.subscribe(TOPIC, "*").expect("a topic");
    assert!(eventually(PATIENCE, || run.stats().handled == 10), "{:?}", run.stats());
    assert!(!control.queues().is_empty() && control.subscriptions().len() == 1);
    assert_eq!(control.unsubscribe(TOPIC), Ok(true));
    assert!(eventually(PATIENCE, || control.queues().is_empty()));
    assert_eq!((stop(run), committed(&served)), (Ended::InOrder, 10));
    assert!(control.subscribe(TOPIC, "*").is_err(), "it has left");
}

fn a_listener_keeps_and_tells_what_comes(on: On) {
    let served = served();
    let rig = rig(on, &served);
    send(&rig.client, 20);
    let keeping = SimpleMessageListener::keeping();
    let run = consumer(&rig.client).run(RunOptions::default(), keeping.handler());
    let run = run.expect("it runs");
    let mut bodies: Vec<usize> = keeping.wait_for(20, PATIENCE).iter().map(number).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, (0..20).collect::<Vec<_>>());
    assert_eq!(stop(run), Ended::InOrder);
    // They are whole copies, and outlive their consumer.
    for message in keeping.messages() {
        let record = message.message();
        assert_eq!(record.body().expect("readable"), message.body());
        assert!(
            message.queue().topic.as_str() == TOPIC && message.offset().is_some(),
            "{message:?}"
        );
    }
    let lines = Arc::new(Mutex::new(Vec::new()));
    let own = lines.clone();
    let telling = SimpleMessageListener::telling(move |line: &str| {
        own.lock().expect("no panic").push(line.to_owned());
    });
    let builder = rig.client.consumer("told").expect("a group").topic(TOPIC, "*");
    let other = builder.start_at(Start::First).start().expect("a consumer");
    let run = other.run(RunOptions::default(), telling.handler()).expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 20));
    let lines = lines.lock().expect("no panic");
    let told = |line: &String| {
        line.starts_with("weather/broker-a/") && line.ends_with(" attempt=1 bytes=2")
    };
    assert_eq!(lines.iter().filter(|line| told(line)).count(), 10, "{lines:?}");
    assert_eq!((lines.len(), telling.messages().len()), (20, 0));
}

#[test]
fn handlers_end_with_their_runtime() {
    let served = served();
    let Rig { client, tokio } = rig(On::Tokio, &served);
    send(&client, 10);
    let run = consumer(&client).run(RunOptions::default().concurrency(4), |_| ());
    let run = run.expect("it runs");
    let builder = client.consumer("tasks").expect("a group").topic(TOPIC, "*");
    let other = builder.start_at(Start::First).start().expect("a consumer");
    let never = |_: MessageView| futures::future::pending::<()>();
    let tasks = other.run_async(RunOptions::default().concurrency(4), never).expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().handled == 10 && tasks.stats().in_progress == 4));
    drop(tokio);
    assert!(eventually(PATIENCE, || run.stats().workers == 0 && tasks.stats().workers == 0));
    assert_eq!((tasks.stats().in_progress, tasks.stats().handled), (0, 0));
    assert_eq!(run.ended().wait(), Err(EndError::RuntimeGone));
    assert_eq!(tasks.stop(PATIENCE).wait(), Err(EndError::RuntimeGone));
}
