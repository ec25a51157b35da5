//! Addresses that swallow, refuse and answer, and what every adapter must make of them: said once,
//! and tried by the tests of each adapter with its own connecting.

#![allow(dead_code, reason = "each crate tries what it has")]

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rocketry_core::client::adapter::{Host, Work};
use rocketry_core::config::{Config, SocketOptions};
use rocketry_core::error::ConnectError;
use socket2::{Domain, Socket, Type};

pub(crate) type Tried = Result<(), Box<dyn Error>>;

/// An address that swallows who connects, for as long as the sockets live: a listener whose queue
/// is full and that accepts nobody.
pub(crate) fn black_hole() -> io::Result<(SocketAddr, Socket, Vec<TcpStream>)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(0)?;
    let at = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok();
    let filling: Vec<_> = std::iter::from_fn(connect).take(64).collect();
    assert!(filling.len() < 64, "the queue never fills");
    Ok((at, socket, filling))
}

/// An address that swallows, one that refuses, and one that answers.
pub(crate) type Ways = ((SocketAddr, Socket, Vec<TcpStream>), SocketAddr, TcpListener);

pub(crate) fn ways() -> io::Result<Ways> {
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    Ok((black_hole()?, closed, TcpListener::bind("127.0.0.1:0")?))
}

/// `connect` connects as for a name that has these addresses, within 3 s, and gives the address of
/// our end.
pub(crate) fn the_first_address_that_answers_wins(
    connect: impl FnOnce(Vec<SocketAddr>) -> Result<SocketAddr, ConnectError>,
) -> Tried {
    let (hole, closed, open) = ways()?;
    let begun = Instant::now();
    let stream = connect(vec![hole.0, closed, open.local_addr()?])?;
    let took = begun.elapsed();
    assert_eq!(open.accept()?.1, stream);
    let stagger = Duration::from_millis(250);
    assert!(stagger <= took && took < Duration::from_secs(2), "{took:?}");
    Ok(())
}

/// As above, where nobody listens.
pub(crate) fn every_refusal_is_reported(
    connect: impl FnOnce(Vec<SocketAddr>) -> Result<SocketAddr, ConnectError>,
) -> Tried {
    let closed = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.2:0")?];
    let closed = closed.map(|listener| listener.local_addr());
    let closed = [closed[0].as_ref(), closed[1].as_ref()].map(|at| at.copied().ok());
    let error = connect(closed.into_iter().flatten().collect()).err();
    let Some(ConnectError::Addresses { failures, more: 0 }) = error else {
        return Err(format!("{error:?}").into());
    };
    let kind = io::ErrorKind::ConnectionRefused;
    for (failure, address) in failures.iter().zip(closed.into_iter().flatten()) {
        assert_eq!(failure.address, address);
        assert!(matches!(failure.error, ConnectError::Io { kind: k, .. } if k == kind));
    }
    assert_eq!(failures.len(), 2);
    Ok(())
}

/// `dial` connects to one address, and `nodelay` reads that option.
pub(crate) fn a_connection_has_its_clients_options<S>(
    dial: impl FnOnce(SocketAddr, SocketOptions) -> io::Result<S>,
    nodelay: impl FnOnce(&S) -> io::Result<bool>,
) -> Tried {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 3));
    let mut config = Config::default();
    config.tcp_nodelay = false;
    config.local_address = Some(local);
    let stream = dial(address, config.socket())?;
    assert_eq!(listener.accept()?.1.ip(), local);
    assert!(!nodelay(&stream)?);
    Ok(())
}

/// `dial` connects to one address.
pub(crate) fn a_port_that_nothing_listens_on_refuses<S>(
    dial: impl FnOnce(SocketAddr, SocketOptions) -> io::Result<S>,
) -> Tried {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let kind = dial(free, Config::default().socket()).err().map(|error| error.kind());
    assert_eq!(kind, Some(io::ErrorKind::ConnectionRefused));
    Ok(())
}

/// Both kinds of work run elsewhere to their end, and what blocks runs where it may.
pub(crate) fn a_host_runs_what_blocks_and_what_is_polled<H: Host + Clone>(host: &H) -> Tried {
    let (told, tells) = mpsc::channel();
    let (here, within) = (thread::current().id(), Duration::from_secs(5));
    let (blocks, own) = (told.clone(), host.clone());
    host.spawn(Work::Blocking(Box::new(move || {
        thread::sleep(Duration::from_millis(20));
        let mut blocked = false;
        own.block(&mut || blocked = true);
        let _ = blocks.send(own.may_block() && blocked && thread::current().id() != here);
    })))?;
    assert!(tells.recv_timeout(within)?);
    let mut polls = 0;
    let polled = std::future::poll_fn(move |cx| {
        polls += 1;
        if polls < 3 {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        let _ = told.send(thread::current().id() != here);
        std::task::Poll::Ready(())
    });
    host.spawn(Work::Task(Box::pin(polled)))?;
    assert!(tells.recv_timeout(within)?);
    Ok(())
}
