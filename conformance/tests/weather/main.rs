//! Bad weather on real sockets: wrong addresses, brokers that go and come back, connections cut
//! anywhere, ends in every order. On every runtime alike, against the embedded broker.

mod address;
mod appender;
mod callers;
mod connections;
mod cuts;
mod draining;
mod driving;
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
#[path = "../../../runtime-std/src/base/trial.rs"]
mod trial;
mod unreadable;
mod volume;

use std::net::{SocketAddr, TcpStream};

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;
use socket2::Socket;

/// The topic of these tests, with eight queues.
const TOPIC: &str = "weather";

/// A served cluster of one broker that has [`TOPIC`].
fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 8)).expect("a served cluster")
}

/// An address that swallows who connects, for as long as the sockets live.
fn black_hole() -> (SocketAddr, Socket, Vec<TcpStream>) {
    trial::black_hole().expect("sockets")
}

#[test]
#[ignore = "started by the tests that kill it"]
fn a_member_in_a_process_of_its_own() {
    rig::member::be_member();
}
