//! What the handles do in a child of `fork`: the process's id is asked for through the host, so no
//! test needs to fork.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use rocketry_core::client::adapter::{Clock, Host, Shared};
use rocketry_core::client::{
    Client, EndError, Pending, RecvError, RecvTimeoutError, SubscribeError,
};
use rocketry_core::config::Config;
use rocketry_core::error::{ErrorKind, QueryError, Refused, SendError, Stored};
use rocketry_core::message::Message;
use rocketry_core::name::Topic;
use rocketry_core::time::{Instant, UnixMillis};

/// A host whose process may become another one, which takes a millisecond. Nobody moves the
/// client's bytes.
#[derive(Clone, Default)]
struct Parent(Arc<AtomicU32>);

impl Clock for Parent {
    fn now(&self) -> Instant {
        Instant::ZERO + Duration::from_millis(self.process().into())
    }

    fn unix(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }

    fn process(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Host for Parent {
    fn may_block(&self) -> bool {
        true
    }
}

fn client() -> (Parent, Client) {
    let host = Parent::default();
    let config = Config::new("ns:9876").unwrap();
    let client = Client::new(Shared::new(config, 7, host.clone(), host.clone()));
    (host, client)
}

fn fork(host: &Parent) {
    host.0.fetch_add(1, Ordering::Relaxed);
}

fn topic() -> Topic {
    Topic::new("orders").unwrap()
}

fn message() -> Message {
    Message::new(topic(), "body")
}

fn poll<T>(pending: Pending<T>) -> Poll<T> {
    pin!(pending).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn life_06_calls_that_begin_in_a_forked_child_are_refused() {
    let (host, client) = client();
    let producer = client.producer("shop").unwrap();
    let batch = [message(), message()];
    fork(&host);
    let refused = SendError::Refused(Refused::Forked);
    let error = producer.send(message()).wait().unwrap_err();
    assert_eq!((&error, error.kind()), (&refused, ErrorKind::Forked));
    assert_eq!((error.stored(), error.is_retriable()), (Stored::No, false));
    assert!(error.to_string().contains("fork"), "{error}");
    assert_eq!(producer.send_oneway(message()).wait(), Err(refused.clone()));
    assert_eq!(producer.send_batch(&batch).wait().unwrap_err(), refused);
    let by_selector = producer.send_with_selector(message(), |_, _| Some(0));
    assert_eq!(by_selector.wait().unwrap_err(), refused);
    assert_eq!(client.queues(&topic()).wait(), Err(QueryError::Refused(Refused::Forked)));
    let joined = client.consumer("billing").unwrap().topic(topic(), "*").start();
    assert_eq!(joined.unwrap_err(), SubscribeError::Refused(Refused::Forked));
    assert_eq!(client.shutdown().wait(), Err(EndError::Forked));
    drop((producer, client));
}

#[test]
fn life_06_what_was_begun_before_a_fork_ends_in_the_child_with_an_error_that_says_so() {
    let (host, client) = client();
    let producer = client.producer("shop").unwrap();
    let (waited, polled) = (producer.send(message()), producer.send(message()));
    let (asked, dropped) = (client.queues(&topic()), producer.send(message()));
    let mut consumer = client.consumer("billing").unwrap().topic(topic(), "*").start().unwrap();
    let (ended, end) = (client.shutdown(), client.shutdown());
    assert!(poll(producer.send(message())).is_ready(), "it is stopping");
    fork(&host);
    let error = waited.wait().unwrap_err();
    assert_eq!((&error, error.kind()), (&SendError::Forked, ErrorKind::Forked));
    assert_eq!((error.stored(), error.is_retriable()), (Stored::Unknown, false));
    assert!(error.to_string().contains("fork"), "{error}");
    assert_eq!(poll(polled), Poll::Ready(Err(SendError::Forked)));
    assert_eq!(asked.wait(), Err(QueryError::Forked));
    let forked = || Err(EndError::Forked);
    assert_eq!((ended.wait(), poll(end)), (forked(), Poll::Ready(forked())));
    assert_eq!(consumer.recv().unwrap_err(), RecvError::Forked);
    let received = consumer.recv_timeout(Duration::from_secs(1));
    assert_eq!(received.unwrap_err(), RecvTimeoutError::Forked);
    let mut streamed = || {
        let polled = Pin::new(&mut consumer).poll_next(&mut Context::from_waker(Waker::noop()));
        polled.map(|item| item.map(|received| received.map(drop)))
    };
    assert_eq!(streamed(), Poll::Ready(Some(Err(RecvError::Forked))));
    assert_eq!(streamed(), Poll::Ready(None), "a stream ends after what ended it");
    assert_eq!(consumer.close().wait(), forked());
    drop(dropped);
}

#[test]
fn the_parent_of_a_fork_goes_on() {
    let (host, client) = client();
    let producer = client.producer("shop").unwrap();
    let sent = producer.send(message());
    fork(&host);
    host.0.fetch_sub(1, Ordering::Relaxed);
    assert!(poll(sent).is_pending());
    assert_eq!(client.stats().counters.sends_in_flight(), 1);
}
