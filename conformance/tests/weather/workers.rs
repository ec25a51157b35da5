//! Workers that handlers run on: how many there are, what keeps them alive, and who is woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use log::{Log, Metadata, Record};
use rocketry::{
    Client, Config, Consumer, Ended, Message, MessageView, RunError, RunOptions, Start, Topic,
};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, appender, on_all, served};

on_all!(
    push_12_a_worker_that_leaves_while_it_gathers_is_not_seated_twice,
    push_11_a_message_taken_at_the_moment_of_a_suspension_is_handled_after_the_resume,
    push_09_a_future_whose_drop_panics_leaves_its_worker_alive,
    push_12_a_number_of_workers_that_can_not_be_is_refused,
    a_payload_whose_drop_panics_leaves_its_worker_alive,
    push_09_an_appender_that_panics_leaves_workers_alive,
);

const GROUP: &str = "workers";
const PATIENCE: Duration = Duration::from_secs(8);

fn rig(on: On, served: &Served) -> Rig {
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    config.retry_delay = Duration::from_millis(100);
    config.shutdown_timeout = Duration::from_secs(5);
    Rig::with(on, config)
}

fn send(client: &Client, count: usize) {
    let producer = client.producer(GROUP).expect("a producer");
    for body in 0..count {
        let message = Message::new(Topic::new(TOPIC).expect("a topic"), body.to_string());
        producer.send(message).wait().expect("sent");
    }
}

fn consumer(client: &Client) -> Consumer {
    let builder = client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
    builder.start_at(Start::First).start().expect("a consumer")
}

fn push_12_a_worker_that_leaves_while_it_gathers_is_not_seated_twice(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let hold = Arc::new(AtomicBool::new(true));
    let own = hold.clone();
    let options = RunOptions::default().concurrency(1..=8).start_with(8);
    let options = options.batch(10, Duration::from_millis(100));
    let run = consumer(&rig.client).run_batches(options, move |_, _| {
        while own.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(2));
        }
    });
    let run = run.expect("it runs");
    assert!(eventually(PATIENCE, || run.stats().workers == 8));
    // All but the first leave while one of them gathers or handles what it had; then they come.
    let mut sent = 0;
    for _ in 0..3 {
        hold.store(true, Ordering::Relaxed);
        send(&rig.client, 1);
        sent += 1;
        thread::sleep(Duration::from_millis(30));
        run.set_concurrency(1).expect("fewer");
        assert!(eventually(PATIENCE, || run.stats().in_progress > 0), "{:?}", run.stats());
        run.set_concurrency(8).expect("threads");
        hold.store(false, Ordering::Relaxed);
        assert!(eventually(PATIENCE, || run.stats().in_progress == 0));
        thread::sleep(Duration::from_millis(100));
    }
    for round in 0..30 {
        send(&rig.client, 1);
        sent += 1;
        let handled = || run.stats().handled == sent;
        assert!(eventually(PATIENCE, handled), "round {round}: {:?} of {sent}", run.stats());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(run.stop(PATIENCE).wait(), Ok(Ended::InOrder));
}

fn push_11_a_message_taken_at_the_moment_of_a_suspension_is_handled_after_the_resume(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let seen = Arc::new(AtomicUsize::new(0));
    let own = seen.clone();
    let handler = move |_: &MessageView| _ = own.fetch_add(1, Ordering::SeqCst);
    let run = consumer(&rig.client).run(RunOptions::default().concurrency(4), handler);
    let run = run.expect("it runs");
    send(&rig.client, 1);
    assert!(eventually(PATIENCE, || seen.load(Ordering::SeqCst) == 1));
    let control = run.control();
    for round in 2..1000 {
        let (own, client) = (control.clone(), &rig.client);
        thread::scope(|scope| {
            scope.spawn(move || {
                let until = Instant::now() + Duration::from_micros(200 + round as u64 % 50 * 20);
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                own.suspend();
            });
            send(client, 1);
        });
        thread::sleep(Duration::from_millis(2));
        control.resume();
        let came = eventually(Duration::from_secs(5), || seen.load(Ordering::SeqCst) == round);
        assert!(came, "round {round}: {} came", seen.load(Ordering::SeqCst));
    }
    assert_eq!(run.stop(PATIENCE).wait(), Ok(Ended::InOrder));
}

/// A future that is ready at once, and panics when it is dropped.
struct Bad;

impl Future for Bad {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("a guard in the handler's future, as it should");
    }
}

fn push_09_a_future_whose_drop_panics_leaves_its_worker_alive(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let run = consumer(&rig.client)
        .run_async(RunOptions::default().concurrency(2), |_: MessageView| Bad)
        .expect("it runs");
    send(&rig.client, 8);
    let counted = || run.stats().handled + run.stats().failed >= 8;
    assert!(eventually(PATIENCE, counted), "{:?}", run.stats());
    assert_eq!(run.stats().workers, 2, "{:?}", run.stats());
}

/// What panics once more when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a payload, as it should");
        }
    }
}

fn bad() {
    std::panic::panic_any(Payload)
}

fn a_payload_whose_drop_panics_leaves_its_worker_alive(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let run = consumer(&rig.client)
        .run(RunOptions::default().concurrency(2), |_: &MessageView| {
            bad();
        })
        .expect("it runs");
    send(&rig.client, 8);
    assert!(eventually(PATIENCE, || run.stats().failed >= 8), "{:?}", run.stats());
    assert_eq!(run.stats().workers, 2, "{:?}", run.stats());
}

fn push_12_a_number_of_workers_that_can_not_be_is_refused(on: On) {
    let served = served();
    let rig = rig(on, &served);
    let options = RunOptions::default().concurrency(1..=usize::MAX);
    let run = consumer(&rig.client).run(options, |_: &MessageView| ());
    assert!(matches!(run, Err(RunError::Concurrency(_))), "{run:?}");
    // The refused one leaves in the background, and its group is taken until then.
    let mut next = None;
    let another = || rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "*").start();
    let joined = eventually(PATIENCE, || {
        next = another().ok();
        next.is_some()
    });
    let next = next.filter(|_| joined).expect("the group is free again");
    let options = RunOptions::default().concurrency(1..=20);
    let run = next.run(options, |_: &MessageView| ()).expect("it runs");
    assert_eq!(run.set_concurrency(usize::MAX).expect("threads"), 20);
}

/// Panics at what is told of handlers that fail.
struct BadAppender;

impl Log for BadAppender {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        assert!(!record.args().to_string().contains("the handler of message"), "a bad appender");
    }

    fn flush(&self) {}
}

fn push_09_an_appender_that_panics_leaves_workers_alive(on: On) {
    appender::in_a_process(on, "a bad appender");
}

pub(crate) fn a_bad_appender(on: On) {
    crate::install(BadAppender);
    let served = served();
    let rig = rig(on, &served);
    let run = consumer(&rig.client)
        .run(RunOptions::default().concurrency(2), |_: &MessageView| Err::<(), _>("as it should"))
        .expect("it runs");
    for _ in 0..3 {
        send(&rig.client, 4);
        // A failure is told once a second.
        thread::sleep(Duration::from_millis(1200));
    }
    assert_eq!(run.stats().workers, 2, "{:?}", run.stats());
}
