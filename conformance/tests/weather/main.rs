//! Bad weather on real sockets: wrong addresses, brokers that go and come back, connections cut
//! anywhere, ends in every order. On every runtime alike, against the embedded broker.

mod address;
mod appender;
mod callers;
mod connections;
mod cuts;
mod draining;
mod ending;
mod handles;
mod hooks;
mod leaks;
mod owners;
mod producing;
mod reentry;
mod restart;
#[path = "../rig/mod.rs"]
mod rig;
mod scale;
mod sharing;
mod sieges;
mod starting;
mod unreadable;
mod volume;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;
use socket2::{Domain, Socket, Type};

/// The topic of these tests, with eight queues.
const TOPIC: &str = "weather";

/// A served cluster of one broker that has [`TOPIC`].
fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 8)).expect("a served cluster")
}

/// An address that swallows who connects, for as long as the sockets live: a listener whose queue
/// is full and that accepts nobody.
fn black_hole() -> (SocketAddr, Socket, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
    socket.listen(0).expect("a listener");
    let at = socket.local_addr().ok().and_then(|at| at.as_socket()).expect("an address");
    let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok();
    let filling: Vec<_> = std::iter::from_fn(connect).take(64).collect();
    assert!(filling.len() < 64, "the queue never fills");
    (at, socket, filling)
}

#[test]
#[ignore = "started by the tests that kill it"]
fn a_member_in_a_process_of_its_own() {
    rig::member::be_member();
}
