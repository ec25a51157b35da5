//! The served cluster over real sockets of 127.0.0.1.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rocketry_core::body::RouteBody;
use rocketry_core::frame::request::{PullRequest, RouteRequest, SendRequest};
use rocketry_core::frame::{
    Content, Frame, Inbound, Kind, Limits, Opaque, OutFrame, Outbound, Request, RequestCode,
    ResponseCode,
};
use rocketry_core::message::RecordList;
use rocketry_core::time::UnixMillis;

use super::{Served, any_port};
use crate::broker::{ClusterConfig, Fault, ListenerId, Requests};

struct Client {
    socket: TcpStream,
    inbound: Inbound,
    sequence: u32,
}

impl Client {
    fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { socket, inbound: Inbound::new(Limits::default()), sequence: 0 }
    }

    fn send(&mut self, kind: Kind, requests: impl IntoIterator<Item = (Request, Bytes)>) {
        let mut out = Outbound::new();
        for (request, body) in requests {
            self.sequence += 1;
            let opaque = Opaque::new(kind, self.sequence);
            out.push(&OutFrame::request_with_body(opaque, request, body)).unwrap();
        }
        while !out.is_empty() {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = out.slices(&mut slices);
            let written = self.socket.write_vectored(&slices[..count]).unwrap();
            out.advance(written);
        }
    }

    fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.inbound.next_frame().unwrap() {
                return Some(frame);
            }
            let count = self.socket.read(self.inbound.space()).unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.inbound.filled(count);
        }
    }

    fn ask(&mut self, kind: Kind, request: Request, body: &'static str) -> (ResponseCode, Bytes) {
        self.send(kind, [(request, Bytes::from_static(body.as_bytes()))]);
        let frame = self.receive().expect("a reply");
        (code_of(&frame), frame.body)
    }
}

fn code_of(frame: &Frame) -> ResponseCode {
    match &frame.content {
        Content::Reply(reply) => reply.code,
        Content::Request { .. } => panic!("{frame:?} is not a reply"),
    }
}

fn served(brokers: usize) -> Served {
    Served::start(ClusterConfig::default().brokers(brokers).topic("topic_a", 2)).unwrap()
}

fn message() -> Request {
    Request::Send(SendRequest {
        producer_group: Arc::from("producers"),
        topic: Arc::from("topic_a"),
        default_topic: Arc::from("TBW102"),
        default_topic_queues: 4,
        queue_id: 0,
        sys_flag: 0,
        born_timestamp: 0,
        flag: 0,
        properties: None,
        reconsume_times: None,
        unit_mode: None,
        max_reconsume_times: None,
        batch: None,
        broker: None,
        ..Default::default()
    })
}

fn pull(offset: i64, wait: Duration) -> Request {
    Request::Pull(PullRequest {
        consumer_group: Arc::from("group_a"),
        topic: Arc::from("topic_a"),
        queue_id: 0,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: 6,
        commit_offset: 0,
        suspend_timeout_millis: wait.as_millis() as i64,
        subscription: Some(Arc::from("*")),
        sub_version: 0,
        expression_type: None,
        broker: None,
        ..Default::default()
    })
}

fn address(served: &Served, broker: usize) -> String {
    served.broker(broker).unwrap().to_string()
}

#[test]
fn a_route_leads_to_the_brokers_that_listen() {
    let served = served(2);
    let mut names = Client::connect(&served.namesrv());
    let route = Request::Route(RouteRequest { topic: Arc::from("topic_a"), ..Default::default() });
    let (code, body) = names.ask(Kind::Route, route, "");
    assert_eq!(code, ResponseCode::SUCCESS);
    let route = RouteBody::parse(&body).unwrap();
    assert_eq!(route.brokers.len(), 2);
    for broker in &route.brokers {
        let mut client = Client::connect(&broker.addresses[&0]);
        assert_eq!(client.ask(Kind::Send, message(), "x").0, ResponseCode::SUCCESS);
    }
    assert_eq!(served.with(|cluster| cluster.stored("topic_a")), 2);
}

#[test]
fn a_delayed_message_ends_a_long_poll_when_the_timer_brings_it() {
    let delay = Duration::from_millis(150);
    let config = ClusterConfig::default().delay_levels([delay]).topic("topic_a", 2);
    let served = Served::start(config).unwrap();
    let mut consumer = Client::connect(&address(&served, 0));
    let mut producer = Client::connect(&address(&served, 0));
    consumer.send(Kind::Pull, [(pull(0, Duration::from_secs(60)), Bytes::new())]);
    let Request::Send(plain) = message() else { panic!("a send") };
    let properties = Some(Arc::from("DELAY\u{1}1\u{2}"));
    let started = Instant::now();
    let delayed = Request::Send(SendRequest { properties, ..plain });
    assert_eq!(producer.ask(Kind::Send, delayed, "later").0, ResponseCode::SUCCESS);
    let frame = consumer.receive().expect("the message");
    assert!(started.elapsed() >= delay);
    assert_eq!(code_of(&frame), ResponseCode::SUCCESS);
    assert_eq!(RecordList::cut(frame.body).record(0).unwrap().body().unwrap(), "later");
}

#[test]
fn a_killed_broker_has_the_offsets_that_it_had_the_time_to_write() {
    let flush = Duration::from_millis(40);
    for (waits, kept) in [(false, None), (true, Some(7))] {
        let mut config = ClusterConfig::default().topic("topic_a", 2);
        config.brokers[0].offset_flush = if waits { flush } else { Duration::from_secs(3600) };
        let served = Served::start(config).unwrap();
        let mut client = Client::connect(&address(&served, 0));
        let Request::Pull(plain) = pull(0, Duration::ZERO) else { panic!("a pull") };
        let committing = PullRequest { sys_flag: 5, commit_offset: 7, ..plain };
        client.ask(Kind::Pull, Request::Pull(committing), "");
        std::thread::sleep(flush + flush);
        served.kill_broker(0);
        served.start_broker(0).unwrap();
        let found = served.with(|cluster| cluster.committed(0, "group_a", "topic_a", 0));
        assert_eq!(found, kept);
    }
}

#[test]
fn a_long_poll_ends_by_a_message_or_by_the_timer() {
    let served = served(1);
    let mut consumer = Client::connect(&address(&served, 0));
    let mut producer = Client::connect(&address(&served, 0));
    let started = Instant::now();
    let wait = Duration::from_millis(150);
    assert_eq!(consumer.ask(Kind::Pull, pull(0, wait), "").0, ResponseCode::PULL_NOT_FOUND);
    assert!(started.elapsed() >= wait);

    consumer.send(Kind::Pull, [(pull(0, Duration::from_secs(60)), Bytes::new())]);
    while served.with(|cluster| cluster.held_pulls(0)) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(producer.ask(Kind::Send, message(), "hello").0, ResponseCode::SUCCESS);
    let found = consumer.receive().unwrap();
    let records = RecordList::cut(found.body);
    assert_eq!(records.record(0).unwrap().body().unwrap(), "hello");
}

#[test]
fn many_sends_in_one_write_are_all_answered() {
    let served = served(1);
    let mut client = Client::connect(&address(&served, 0));
    client.send(Kind::Send, (0..2000).map(|_| (message(), Bytes::from_static(&[7; 1024]))));
    for _ in 0..2000 {
        assert_eq!(code_of(&client.receive().unwrap()), ResponseCode::SUCCESS);
    }
    assert_eq!(served.with(|cluster| cluster.max_offset(0, "topic_a", 0)), Some(2000));
}

#[test]
fn a_peer_that_does_not_read_holds_nobody_else_up() {
    let served = served(1);
    let mut producer = Client::connect(&address(&served, 0));
    producer.send(Kind::Send, (0..64).map(|_| (message(), Bytes::from_static(&[7; 8000]))));
    for _ in 0..64 {
        producer.receive().unwrap();
    }
    let mut stalled = Client::connect(&address(&served, 0));
    // More than the sockets' buffers take: 200 times 240 KiB.
    stalled.send(Kind::Pull, (0..200).map(|_| (pull(0, Duration::ZERO), Bytes::new())));
    while served.with(|cluster| cluster.requests(RequestCode::PULL_MESSAGE)) < 200 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let started = Instant::now();
    assert_eq!(producer.ask(Kind::Send, message(), "x").0, ResponseCode::SUCCESS);
    assert!(started.elapsed() < Duration::from_secs(2));
    for _ in 0..200 {
        let found = stalled.receive().expect("every reply arrives once it is read");
        assert!(RecordList::cut(found.body).len() > 20);
    }
}

#[test]
fn a_stopped_broker_refuses_and_comes_back_on_its_port_with_its_data() {
    let served = served(1);
    let at = address(&served, 0);
    let mut client = Client::connect(&at);
    assert_eq!(client.ask(Kind::Send, message(), "kept").0, ResponseCode::SUCCESS);
    served.stop_broker(0);
    assert!(client.receive().is_none(), "the connection is closed");
    assert!(TcpStream::connect(&at).is_err(), "the port refuses");
    served.stop_broker(0);
    served.start_broker(0).unwrap();
    served.start_broker(0).unwrap();
    let mut client = Client::connect(&at);
    let (_, body) = client.ask(Kind::Pull, pull(0, Duration::ZERO), "");
    assert_eq!(RecordList::cut(body).len(), 1);
}

#[test]
fn dropping_a_served_cluster_closes_everything() {
    let served = served(2);
    let (names, broker) = (served.namesrv(), address(&served, 1));
    let mut client = Client::connect(&broker);
    client.send(Kind::Pull, [(pull(0, Duration::from_secs(60)), Bytes::new())]);
    while served.with(|cluster| cluster.connections(ListenerId::Broker(1))) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let started = Instant::now();
    drop(served);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(client.receive().is_none());
    assert!(TcpStream::connect(&names).is_err() && TcpStream::connect(&broker).is_err());
}

#[test]
fn an_answer_that_is_a_connections_last_arrives_before_its_end() {
    let served = served(1);
    let faults = [Fault::AnswerAndClose, Fault::Close];
    served.with(|cluster| cluster.push_faults(Requests::Sends, faults));
    for answers in [1, 0] {
        let mut client = Client::connect(&address(&served, 0));
        client.send(Kind::Send, [(message(), Bytes::from_static(b"x"))]);
        let came = std::iter::from_fn(|| client.receive()).count();
        assert_eq!(came, answers, "and then the end, not a wait");
    }
    assert_eq!(served.with(|cluster| cluster.stored("topic_a")), 2);
}

#[test]
fn no_message_is_stored_before_the_time_at_which_it_was_sent() {
    // Many clusters: each is born at another part of a millisecond.
    for _ in 0..30 {
        let served = served(1);
        let mut client = Client::connect(&address(&served, 0));
        for _ in 0..5 {
            let sent = UnixMillis::from(SystemTime::now());
            assert_eq!(client.ask(Kind::Send, message(), "x").0, ResponseCode::SUCCESS);
            let done = UnixMillis::from(SystemTime::now());
            let stored = served.with(|cluster| cluster.messages(0, "topic_a", 0));
            let at = stored.record(stored.len() - 1).unwrap().store_timestamp().0;
            // What lay between the two looks at the clocks is time that it may be ahead.
            assert!(sent.0 <= at && at <= done.0 + 50, "{sent:?} {at} {done:?}");
        }
    }
}

#[test]
fn a_broker_that_starts_elsewhere_is_in_the_routes_there() {
    let served = served(1);
    let old = served.broker(0).unwrap();
    assert_eq!(served.start_broker_at(0, any_port()).unwrap(), old, "it runs");
    served.stop_broker(0);
    // Takes the old port, so that any other one is free.
    let _held = std::net::TcpListener::bind(old).unwrap();
    let new = served.start_broker_at(0, any_port()).unwrap();
    assert_eq!((new == old, served.broker(0)), (false, Some(new)));
    assert_eq!(served.with(|cluster| cluster.endpoint(0).unwrap().to_owned()), new.to_string());
    let mut client = Client::connect(&new.to_string());
    client.send(Kind::Send, [(message(), Bytes::from_static(b"x"))]);
    assert!(client.receive().is_some());
}

/// As Apache's brokers do: they close, and hand what has come on.
#[test]
#[cfg(feature = "tls")]
fn tls_02_who_comes_without_tls_to_who_enforces_it_is_cut_off_and_has_been_heard() {
    use super::{Listen, ServeTls, TlsMode};
    use crate::certificates::{self, SERVER};

    let server = certificates::server(SERVER, false).unwrap();
    let tls = ServeTls { mode: TlsMode::Enforcing, server };
    let config = ClusterConfig::default().topic("topic_a", 2);
    let served = Served::start_tls(config, &Listen::default(), tls).unwrap();
    let mut client = Client::connect(&address(&served, 0));
    client.send(Kind::Send, [(message(), Bytes::from_static(b"x"))]);
    assert!(client.receive().is_none(), "no answer");
    let stored = || served.with(|cluster| cluster.stored("topic_a"));
    assert!(crate::rig::eventually(Duration::from_secs(10), || stored() == 1), "{}", stored());
}
