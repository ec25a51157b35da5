//! Bad weather on real sockets: wrong addresses, brokers that go and come back, connections cut
//! anywhere, ends in every order. On tokio and on plain threads alike, against the embedded broker.

mod address;
mod appender;
mod cuts;
mod ending;
mod handles;
mod leaks;
mod reentry;
mod restart;
#[path = "../rig/mod.rs"]
mod rig;
mod sharing;

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

/// The topic of these tests, with eight queues.
const TOPIC: &str = "weather";

/// A served cluster of one broker that has [`TOPIC`].
fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 8)).expect("a served cluster")
}

#[test]
#[ignore = "started by the tests that kill it"]
fn a_member_in_a_process_of_its_own() {
    rig::member::be_member();
}
