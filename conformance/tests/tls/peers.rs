//! Clients on every runtime, before peers that are no servers of TLS, or bad ones.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::error::{CloseReason, ConnectError, Failure, TlsError};
use rocketry::{Config, Message, SendError, Topic};
use rocketry_conformance::certificates::{self, CA};
use rocketry_conformance::rig::{On, Rig};
use rocketry_core::tls::Handshake;

/// A nameserver's address, whose connections are served so, each on a thread of its own that ends
/// with its connection.
fn peer(serve: fn(&TcpStream) -> io::Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        // More than any test here comes with.
        for stream in listener.incoming().take(200).flatten() {
            let patience = Some(Duration::from_secs(10));
            thread::spawn(move || {
                stream.set_read_timeout(patience).and_then(|()| serve(&stream)).ok();
            });
        }
    });
    address
}

fn error(on: On, namesrv: &str) -> SendError {
    let mut config = Config::new(namesrv).expect("an address");
    (config.tls, config.tls_ca) = (true, Some(CA.into()));
    config.send_timeout = Duration::from_millis(700);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer("tls").expect("a producer");
    let topic = Topic::new("orders").expect("a topic");
    let (begun, before) = (Instant::now(), cpu());
    let error = producer.send(Message::new(topic, "x")).wait().expect_err("nobody takes it");
    assert!(begun.elapsed() < Duration::from_secs(3), "{on:?}: {:?}", begun.elapsed());
    // Nobody spins, as far as the other tests of this process let one see it.
    assert!(cpu() - before < Duration::from_secs(2), "{on:?}: {:?}", cpu() - before);
    rig.client.shutdown().wait().expect("an end");
    error
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn says(error: &SendError, expected: &TlsError) -> bool {
    let mut all = error.attempts().into_iter().flat_map(|all| all.iter());
    all.any(|attempt| match &attempt.failure {
        Failure::Connect(ConnectError::Tls(error)) => error == expected,
        Failure::Closed(CloseReason::Tls(error)) => error == expected,
        _ => false,
    })
}

#[test]
fn a_peer_that_speaks_something_else_is_named_on_every_runtime() {
    let http = peer(|mut stream| {
        let mut hello = [0; 1024];
        let _ = stream.read(&mut hello)?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    });
    for on in On::ALL {
        let error = error(on, &http);
        assert!(says(&error, &TlsError::NotTls), "{on:?}: {error:?}");
        assert!(error.to_string().contains("may not offer TLS"), "{error}");
    }
}

#[test]
fn a_peer_that_closes_in_the_middle_of_the_handshake_is_named_on_every_runtime() {
    let closes = peer(|mut stream| {
        let mut hello = [0; 2048];
        let _ = stream.read(&mut hello)?;
        // The beginning of a record, which never ends.
        stream.write_all(&[0x16, 3, 3, 0, 122, 2])
    });
    for on in On::ALL {
        let error = error(on, &closes);
        assert!(says(&error, &TlsError::HungUp), "{on:?}: {error:?}");
    }
}

/// Goes through the handshake, reads one request, and hangs up without `close_notify`.
fn cut(mut stream: &TcpStream) -> io::Result<()> {
    let server = certificates::server(certificates::SERVER, false).expect("a certificate");
    let filter = server.filter()?;
    let mut end = stream;
    loop {
        match filter.handshake(|space| stream.read(space), |bytes| end.write(bytes)) {
            Ok(Handshake::Done) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut request = [0; 1024];
    let count = filter.read(&mut request, |space| stream.read(space), |bytes| end.write(bytes))?;
    assert!(count > 8, "a request");
    Ok(())
}

#[test]
fn a_stream_that_is_cut_off_says_so_on_every_runtime() {
    let cuts = peer(cut);
    for on in On::ALL {
        let error = error(on, &cuts);
        assert!(says(&error, &TlsError::Truncated), "{on:?}: {error:?}");
    }
}
