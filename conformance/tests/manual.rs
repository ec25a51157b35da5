//! The loop of the manual (`core/src/lib.rs`), word for word, with sockets and the embedded broker.

use rocketry_conformance::embedded::EmbeddedCluster;

include!("../../core/manual/own_loop.rs");

#[test]
fn a_loop_written_from_the_manual_sends_a_thousand_messages_and_ends_by_itself() {
    let cluster = EmbeddedCluster::start().unwrap();
    cluster.create_topic("orders", 4);
    assert_eq!(send_all(&cluster.namesrv(), "orders", 1000).unwrap(), 1000);
    assert_eq!(cluster.stored("orders").len(), 1000);
}

#[test]
fn it_ends_where_nobody_listens() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(send_all(&nobody.to_string(), "orders", 3).unwrap(), 0);
}
