//! Sends that wait for room in the window: whom room, a stop and a dropped future wake. Nobody
//! moves bytes here, so nothing happens that a test does not do.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rocketry_core::client::adapter::{self, Host, Shared, Step};
use rocketry_core::client::{Client, Ended, Pending, Producer};
use rocketry_core::config::Config;
use rocketry_core::engine::Cancelled;
use rocketry_core::error::{SendError, Stored};
use rocketry_core::message::Message;
use rocketry_core::name::Topic;
use rocketry_core::producer::SendReceipt;
use rocketry_core::time::{Instant, UnixMillis};

type Sent = Pending<Result<SendReceipt, SendError>>;

/// A clock that the test moves on, in milliseconds.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl adapter::Clock for Clock {
    fn now(&self) -> Instant {
        Instant::ZERO + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn unix(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }

    fn process(&self) -> u32 {
        1
    }
}

impl Host for Clock {
    fn may_block(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future, and how often it was woken.
struct Waiter {
    sent: Sent,
    woken: Arc<Count>,
}

impl Waiter {
    fn new(producer: &Producer) -> Self {
        let mut waiter = Self { sent: send(producer), woken: Arc::default() };
        assert!(waiter.poll().is_pending());
        waiter
    }

    fn poll(&mut self) -> Poll<Result<SendReceipt, SendError>> {
        let waker = Waker::from(self.woken.clone());
        Pin::new(&mut self.sent).poll(&mut Context::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

fn send(producer: &Producer) -> Sent {
    producer.send(Message::new(Topic::new("orders").unwrap(), "body"))
}

/// A client with room for one send, that send, and its producer.
fn full() -> (Clock, Arc<Shared>, Client, Producer, Sent) {
    let mut config = Config::new("ns:9876").unwrap();
    (config.max_pending, config.wait_for_room) = (1, true);
    config.send_timeout = Duration::from_secs(60);
    let clock = Clock::default();
    let shared = Shared::new(config, 7, clock.clone(), clock.clone());
    let client = Client::new(shared.clone());
    let producer = client.producer("shop").unwrap();
    let first = send(&producer);
    (clock, shared, client, producer, first)
}

#[test]
fn a_send_that_waits_for_room_begins_unpolled_and_goes_on_when_it_is_dropped() {
    let (_clock, _shared, client, producer, first) = full();
    let dropped = send(&producer);
    let mut next = Waiter::new(&producer);
    let begun = || client.stats().counters.sends_begun;
    assert_eq!((begun(), client.stats().open.operations), (3, 3));
    drop(dropped);
    assert_eq!(first.cancel(), Cancelled::Removed);
    // The dropped one is under way; nobody was woken, since nothing has ended for anybody.
    assert_eq!((client.stats().open.operations, next.woken()), (2, 0));
    assert!(next.poll().is_pending());
    assert_eq!(next.sent.cancel(), Cancelled::Removed);
    assert_eq!(client.stats().open.operations, 1);
}

#[test]
fn a_stop_ends_those_that_wait_for_room_and_wakes_each() {
    let (clock, shared, client, producer, first) = full();
    let mut waiters: Vec<Waiter> = (0..5).map(|_| Waiter::new(&producer)).collect();
    let mut ended = client.shutdown();
    assert!(pin!(&mut ended).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Nothing answers: the shutdown's deadline passes, and its sends end.
    clock.0.store(60_000, Ordering::Relaxed);
    while let Step::Connect(..) | Step::Fetch(..) = shared.step(Waker::noop()) {}
    shared.tick();
    assert!(waiters.iter().all(|waiter| waiter.woken() > 0), "some would wait for ever");
    for waiter in &mut waiters {
        let ended = waiter.poll();
        let stored = match &ended {
            Poll::Ready(Err(error)) => Some(error.stored()),
            Poll::Ready(Ok(_)) | Poll::Pending => None,
        };
        assert_eq!(stored, Some(Stored::No), "{ended:?}");
    }
    assert_eq!(ended.wait(), Ok(Ended::InOrder));
    assert!(first.wait().is_err());
}

#[test]
fn a_shutdown_that_is_polled_again_keeps_one_waker_and_none_once_it_is_dropped() {
    let (_clock, _shared, client, _producer, _first) = full();
    let mut ended = client.shutdown();
    let flags: Vec<Arc<Count>> = (0..100).map(|_| Arc::default()).collect();
    for flag in &flags {
        let waker = Waker::from(flag.clone());
        assert!(pin!(&mut ended).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let kept = || flags.iter().filter(|flag| Arc::strong_count(flag) > 1).count();
    assert_eq!(kept(), 1);
    drop(ended);
    assert_eq!(kept(), 0);
}
