//! Addresses that are wrong: each says what to look at.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::blocking::ClientError;
use rocketry::{Config, ConfigError, Message, QueryError, SendError, Stored, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig};
use crate::{TOPIC, black_hole, on_all, served};

on_all!(
    a_typo_is_a_typed_error_that_quotes_it,
    a_nameserver_that_is_not_there_fails_by_the_deadline_with_a_hint,
    a_name_without_an_address_fails_by_the_deadline,
    an_address_that_swallows_everything_fails_by_the_deadline,
    a_brokers_port_as_nameserver_fails_at_once_with_a_hint,
    an_unknown_topic_fails_at_once_where_brokers_create_none,
    a_peer_that_speaks_http_is_named_as_such,
);

const TIMEOUT: Duration = Duration::from_millis(800);

/// Sends one message to `topic` and gives the error and how long it took.
fn refused(on: On, namesrv: &str, topic: &str) -> (SendError, Duration) {
    let mut config = Config::new(namesrv).expect("settings that work");
    config.send_timeout = TIMEOUT;
    config.request_timeout = TIMEOUT;
    let rig = Rig::with(on, config);
    let producer = rig.client.producer("weather").expect("a producer");
    let topic = Topic::new(topic).expect("a topic");
    let begun = Instant::now();
    let error = producer.send(Message::new(topic, "x")).wait().expect_err("nobody stores this");
    assert_eq!(error.stored(), Stored::No, "{error}");
    (error, begun.elapsed())
}

fn at_once(took: Duration) -> bool {
    took < Duration::from_millis(500)
}

fn by_the_deadline(took: Duration) -> bool {
    took < TIMEOUT + Duration::from_millis(500)
}

fn a_typo_is_a_typed_error_that_quotes_it(on: On) {
    const TYPO: &str = "127.0.0.1;9876";
    let refused = match on {
        On::Threads => rocketry::blocking::connect(TYPO),
        On::Tokio => {
            let tokio = crate::rig::tokio_runtime();
            let _entered = tokio.enter();
            rocketry::tokio::connect(TYPO)
        }
        On::Smol => rocketry::smol::connect(TYPO),
        On::AsyncStd => rocketry::async_std::connect(TYPO),
    };
    let error = refused.expect_err("a typo");
    let text = error.to_string();
    let wrong = matches!(error, ClientError::Config(ConfigError::Address(_)));
    assert!(wrong && text.contains("\"127.0.0.1\"") && text.contains("host:port"), "{text}");
}

/// A port of 127.0.0.1 where nobody listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

fn a_nameserver_that_is_not_there_fails_by_the_deadline_with_a_hint(on: On) {
    let address = closed_port().to_string();
    let (error, took) = refused(on, &address, TOPIC);
    let text = error.to_string();
    assert!(matches!(error, SendError::NoRoute { .. }) && error.is_retriable(), "{error:?}");
    assert!(text.contains(&address) && text.contains("nothing listens there"), "{text}");
    assert!(by_the_deadline(took), "{took:?}");
}

fn a_name_without_an_address_fails_by_the_deadline(on: On) {
    let (error, took) = refused(on, "nameserver.invalid:9876", TOPIC);
    let text = error.to_string();
    assert!(text.contains("nameserver.invalid:9876"), "{text}");
    assert!(text.contains("the name has no address"), "{text}");
    assert!(by_the_deadline(took), "{took:?}");
}

fn an_address_that_swallows_everything_fails_by_the_deadline(on: On) {
    let hole = black_hole();
    let (error, took) = refused(on, &hole.0.to_string(), TOPIC);
    assert!(matches!(error, SendError::NoRoute { .. }) && error.is_retriable(), "{error:?}");
    assert!(error.to_string().contains(&hole.0.to_string()), "{error}");
    assert!(by_the_deadline(took), "{took:?}");
    println!("{error}");
}

fn a_brokers_port_as_nameserver_fails_at_once_with_a_hint(on: On) {
    let served = served();
    let address = served.broker(0).expect("a broker").to_string();
    let (error, took) = refused(on, &address, TOPIC);
    let text = error.to_string();
    assert!(matches!(error, SendError::NoRoute { .. }), "{error:?}");
    assert!(text.contains("looks like a broker's port") && text.contains("9876"), "{text}");
    assert!(at_once(took), "{took:?}");
}

fn an_unknown_topic_fails_at_once_where_brokers_create_none(on: On) {
    let config = ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() };
    let served = Served::start(config).expect("a served cluster");
    let (error, took) = refused(on, &served.namesrv(), "unknown");
    assert!(matches!(&error, SendError::NoTopic { topic, .. } if topic.as_str() == "unknown"));
    assert!(error.to_string().contains(&served.namesrv()), "{error}");
    assert!(at_once(took) && !error.is_retriable(), "{took:?}");

    let rig = Rig::start(on, &served.namesrv());
    let asked = rig.client.queues(&Topic::new("unknown").expect("a topic")).wait();
    assert!(matches!(asked, Err(QueryError::NoRoute { .. })), "{asked:?}");
}

fn a_peer_that_speaks_http_is_named_as_such(on: On) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let (error, took) = refused(on, &address, TOPIC);
    let text = error.to_string();
    assert!(text.contains("HTTP") && text.contains(&address), "{text}");
    assert!(by_the_deadline(took), "{took:?}");
}
