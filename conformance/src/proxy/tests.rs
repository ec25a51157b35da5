use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Direction, Proxy};

/// A server that answers every byte with the same byte, behind a proxy.
fn echo() -> Proxy {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = listener.local_addr().expect("an address");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Proxy::start(at).expect("a proxy")
}

fn client(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream
}

#[test]
fn exactly_so_many_bytes_pass_before_a_cut() {
    let proxy = echo();
    let mut stream = client(&proxy);
    proxy.cut_after(Direction::Down, 7);
    stream.write_all(b"0123456789").expect("written");
    let mut read = Vec::new();
    stream.read_to_end(&mut read).expect("an end in order");
    assert_eq!((read.as_slice(), proxy.cuts()), (&b"0123456"[..], 1));

    proxy.cut_after(Direction::Up, 3);
    let mut stream = client(&proxy);
    stream.write_all(b"0123456789").expect("written");
    // The rest may meet a closed socket, which answers with a reset.
    let _ = stream.read_to_end(&mut Vec::new());
    assert_eq!((proxy.cuts(), proxy.taken()), (2, 2));
}

#[test]
fn a_stalled_direction_keeps_its_bytes_until_it_goes_on() {
    let proxy = echo();
    let mut stream = client(&proxy);
    proxy.stall(Direction::Down);
    stream.write_all(b"abc").expect("written");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let mut read = [0; 3];
    let error = stream.read(&mut read).expect_err("nothing comes");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    proxy.go_on(Direction::Down);
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.read_exact(&mut read).expect("it comes");
    assert_eq!(&read, b"abc");
}

#[test]
fn a_reset_is_a_reset_and_a_closed_port_refuses() {
    let proxy = echo();
    let mut stream = client(&proxy);
    stream.write_all(b"a").expect("written");
    stream.read_exact(&mut [0]).expect("answered");
    proxy.reset();
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    proxy.refuse();
    let error = TcpStream::connect(proxy.address()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    proxy.admit().expect("the port is free");
    client(&proxy).write_all(b"b").expect("taken");
}

#[test]
fn a_slow_direction_lets_bytes_pass_at_its_pace_until_it_is_told_otherwise() {
    let proxy = echo();
    let mut stream = client(&proxy);
    stream.write_all(b"a").expect("written");
    stream.read_exact(&mut [0]).expect("answered");
    proxy.slow(Direction::Up, Some(1000));
    // The thread that carries may read its next part as one of before.
    stream.write_all(b"b").expect("written");
    stream.read_exact(&mut [0]).expect("answered");
    let begun = Instant::now();
    stream.write_all(&[b'c'; 600]).expect("written");
    stream.read_exact(&mut [0; 600]).expect("answered");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(500), "{took:?}");

    stream.write_all(&[b'd'; 60_000]).expect("written");
    proxy.slow(Direction::Up, None);
    let begun = Instant::now();
    stream.read_exact(&mut [0; 60_000]).expect("answered");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
