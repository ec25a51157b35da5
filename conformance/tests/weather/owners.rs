//! Bodies whose memory is the application's, and who call the client when they are freed: nothing
//! of the kind may happen under the client's lock, in whatever way a message ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::request::PlainRequest;
use rocketry::proto::frame::{Request, RequestCode};
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;
use rocketry::{Client, Config, Message, Producer, SendOptions, Topic};
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::{Deaf, TOPIC, black_hole, broker_at, on_all, served};

on_all!(
    a_cancelled_message_may_call_the_client_when_it_is_freed,
    frames_of_ended_sends_may_call_the_client_when_they_are_freed,
    bodies_of_requests_may_call_the_client_when_they_are_freed,
    what_is_lost_with_a_connection_may_call_the_client_when_it_is_freed,
    what_a_shutdown_ends_may_call_the_client_when_it_is_freed,
);

/// Calls the client when it is freed.
struct Calling {
    client: Client,
    producer: Producer,
    freed: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Calling {
    fn as_ref(&self) -> &[u8] {
        b"calling"
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let _ = self.client.stats();
        drop(self.producer.send_with(message("freed"), SendOptions::default().timeout(SHORT)));
        self.freed.fetch_add(1, Ordering::SeqCst);
    }
}

const SHORT: Duration = Duration::from_millis(100);

fn message(body: impl Into<Bytes>) -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), body)
}

/// A client, its producer, and how many bodies were freed.
struct Set {
    rig: Rig,
    producer: Producer,
    freed: Arc<AtomicUsize>,
}

impl Set {
    fn new(on: On, config: Config) -> Self {
        let rig = Rig::with(on, config);
        let producer = rig.client.producer("owners").expect("a producer");
        Self { rig, producer, freed: Arc::default() }
    }

    fn body(&self) -> Bytes {
        let (client, producer) = (self.rig.client.clone(), self.producer.clone());
        Bytes::from_owner(Calling { client, producer, freed: self.freed.clone() })
    }

    fn freed(&self, count: usize) {
        let all = || self.freed.load(Ordering::SeqCst) == count;
        assert!(eventually(Duration::from_secs(10), all), "{:?} of {count}", self.freed);
        let _ = self.rig.client.stats();
    }
}

/// Runs `act` and fails where it never returns: a thread that waits for a lock it holds itself.
fn returns(act: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        act();
        done.send(()).expect("a test");
    });
    match end.recv_timeout(Duration::from_secs(30)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        Err(mpsc::RecvTimeoutError::Disconnected) | Ok(()) => thread.join().expect("no panic"),
    }
}

fn config(served: &Served) -> Config {
    let mut config = Config::new(served.namesrv()).expect("settings that work");
    config.send_attempts = 1;
    config
}

fn a_cancelled_message_may_call_the_client_when_it_is_freed(on: On) {
    returns(move || {
        let served = served();
        let set = Set::new(on, config(&served));
        set.producer.send(message("warm")).wait().expect("stored");
        let delay = Duration::from_millis(300);
        served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, delay));
        for _ in 0..20 {
            set.producer.send(message(set.body())).cancel();
        }
        set.freed(20);
        let oneway = SendOptions::default().oneway();
        drop(set.producer.send_with(message(set.body()), oneway));
        set.freed(21);
    });
}

fn frames_of_ended_sends_may_call_the_client_when_they_are_freed(on: On) {
    returns(move || {
        let served = served();
        let (hole, _socket, _filling) = black_hole();
        let mut config = broker_at(hole, &served);
        config.connect_timeout = Duration::from_millis(600);
        let set = Set::new(on, config);
        // They end while their frames wait for a connection, which then can't be had.
        let within = || SendOptions::default().timeout(Duration::from_millis(200));
        let sends = |count: usize| -> Vec<_> {
            (0..count).map(|_| set.producer.send_with(message(set.body()), within())).collect()
        };
        for pending in sends(9) {
            pending.wait().expect_err("nobody is there");
        }
        set.freed(9);
        for pending in sends(4) {
            pending.cancel();
        }
        set.freed(13);
    });
}

fn bodies_of_requests_may_call_the_client_when_they_are_freed(on: On) {
    returns(move || {
        let served = served();
        let (hole, _socket, _filling) = black_hole();
        let mut config = config(&served);
        config.request_timeout = Duration::from_millis(800);
        config.connect_timeout = Duration::from_millis(1600);
        let set = Set::new(on, config);
        let request = || Request::ClusterInfo(PlainRequest::default());
        let admin = set.rig.client.admin();
        let served_at = Target::NameServer;
        admin.call(served_at, request(), set.body()).wait().expect("an answer");
        set.freed(1);
        let endpoint = Endpoint::parse(&hole.to_string()).expect("an address");
        let nobody = || Target::Peer(PeerKind::Broker, endpoint.clone());
        admin.call(nobody(), request(), set.body()).wait().expect_err("nobody is there");
        admin.call(nobody(), request(), set.body()).cancel();
        set.freed(3);
        set.rig.client.shutdown().wait().expect("an end");
        admin.call(nobody(), request(), set.body()).wait().expect_err("it has stopped");
        set.freed(4);
    });
}

fn what_is_lost_with_a_connection_may_call_the_client_when_it_is_freed(on: On) {
    returns(move || {
        let (served, deaf) = (served(), Deaf::start());
        let set = Set::new(on, broker_at(deaf.address, &served));
        // More than the sockets take, so that the others stay in the queue.
        let big = Bytes::from(vec![7; 1 << 20]);
        let within = |millis| SendOptions::default().timeout(Duration::from_millis(millis));
        let filling: Vec<_> =
            (0..24).map(|_| set.producer.send_with(message(big.clone()), within(1000))).collect();
        // These end before their connection is lost, the others with it.
        let ended: Vec<_> =
            (0..5).map(|_| set.producer.send_with(message(set.body()), within(300))).collect();
        for pending in ended {
            pending.wait().expect_err("nobody reads it");
        }
        for _ in 0..10 {
            drop(set.producer.send_with(message(set.body()), within(1000)));
        }
        thread::sleep(Duration::from_millis(100));
        deaf.hang_up();
        for pending in filling {
            pending.wait().expect_err("nobody reads it");
        }
        set.freed(15);
    });
}

fn what_a_shutdown_ends_may_call_the_client_when_it_is_freed(on: On) {
    returns(move || {
        let served = served();
        let (hole, _socket, _filling) = black_hole();
        let mut config = broker_at(hole, &served);
        config.shutdown_timeout = Duration::from_millis(500);
        let set = Set::new(on, config);
        let sends: Vec<_> = (0..5).map(|_| set.producer.send(message(set.body()))).collect();
        set.rig.client.shutdown().wait().expect("an end");
        for pending in sends {
            pending.wait().expect_err("it has stopped");
        }
        set.freed(5);
    });
}
