//! Addresses that are wrong: each says what to look at.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::blocking::ClientError;
use rocketry::{Config, ConfigError, Message, SendError, Stored, Topic};

use crate::rig::{On, Rig};
use crate::{Closed, TOPIC, black_hole, on_all};

on_all!(
    a_typo_is_a_typed_error_that_quotes_it,
    a_nameserver_that_is_not_there_fails_by_the_deadline_with_a_hint,
    a_name_without_an_address_fails_by_the_deadline,
    an_address_that_swallows_everything_fails_by_the_deadline,
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

fn a_nameserver_that_is_not_there_fails_by_the_deadline_with_a_hint(on: On) {
    let closed = Closed::port();
    let address = closed.address().to_string();
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
