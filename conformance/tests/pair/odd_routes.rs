//! Routes that say odd things: addresses that can't be read, impossible rows, an order of queues.

use rocketry_conformance::broker::{BrokerConfig, ClusterConfig, ListenerId};
use rocketry_conformance::sim::{ClientId, Host, World};
use rocketry_core::engine::Note;
use rocketry_core::message::java_string_hash;
use rocketry_core::name::Endpoint;
use rocketry_core::producer::{QueueSelection, SendOptions};

use crate::setting::*;

/// A route of `TOPIC` with four queues on "broker-a" at this address.
fn route_at(address: &str) -> String {
    format!(
        r#"{{"queueDatas":[{{"brokerName":"broker-a","perm":6,"readQueueNums":4,
        "writeQueueNums":4,"topicSysFlag":0}}],"brokerDatas":[{{"brokerName":"broker-a",
        "cluster":"c","brokerAddrs":{{"0":"{address}"}}}}]}}"#
    )
}

fn notes(world: &World, client: ClientId, wanted: fn(&Note) -> bool) -> Vec<String> {
    world.notes(client).filter(|note| wanted(note)).map(ToString::to_string).collect()
}

#[test]
fn ns_21_an_address_that_cant_be_read_is_named_in_a_log_line_and_in_the_error() {
    let told = "1.2.3.4 #comment:10911";
    let (mut world, client) = pair(1, 4);
    world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(route_at(told).as_bytes())));
    let op = send(&mut world, client, "x");
    let error = world.end_of(client, op).1.unwrap_err().to_string();
    for part in [told, "broker-a", "brokerIP1", "rewrite_addresses"] {
        assert!(error.contains(part), "{error}");
    }
    let told_of = notes(&world, client, |note| matches!(note, Note::UnreadableAddress { .. }));
    assert!(told_of[0].contains(told) && told_of[0].contains("broker-a"), "{told_of:?}");
    assert!(told_of.len() <= 5, "{told_of:?}");
}

#[test]
fn ns_21_rewrite_addresses_may_name_an_address_that_cant_be_read() {
    let told = "1.2.3.4 #comment:10911";
    let mut world = world(2, 4);
    world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(route_at(told).as_bytes())));
    let mut config = config();
    config.rewrite_addresses = vec![(told.to_owned(), Endpoint::parse(BROKER).unwrap())];
    let client = world.client(config);
    store(&mut world, client, "x");
}

#[test]
fn ns_21_ipv6_without_brackets_connects() {
    let mut world = world(3, 4);
    let told = "fd00::1:10911";
    world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(route_at(told).as_bytes())));
    world.host("[fd00::1]:10911", Host::Cluster(ListenerId::Broker(0)));
    let client = world.client(config());
    store(&mut world, client, "x");
    assert_eq!(world.open_links("[fd00::1]:10911"), 1);
}

#[test]
fn ns_21_each_thing_that_a_route_may_lack_has_words_of_its_own() {
    let row = |perm: i64, writes: i64| {
        let row = r#"{"brokerName":"broker-a","readQueueNums":4,"topicSysFlag":0,"#;
        let brokers = r#""brokerDatas":[{"brokerName":"broker-a","cluster":"c","#;
        format!(
            r#"{{"queueDatas":[{row}"perm":{perm},"writeQueueNums":{writes}}}],{brokers}
            "brokerAddrs":{{"0":"{BROKER}"}}}}]}}"#
        )
    };
    let to_nobody = QueueSelection::Queue { broker: "nobody".into(), queue: 0 };
    for (body, aim, part, retriable) in [
        ("{}".to_owned(), QueueSelection::InTurn, "names no queue", true),
        (row(4, 4), QueueSelection::InTurn, "may be written to", false),
        (row(6, 0), QueueSelection::Hash(1), "may be written to", false),
        (row(-1, 4), QueueSelection::InTurn, "perm is -1", true),
        (route_at("a b:1"), QueueSelection::Random, "can't be read", true),
        (
            row(6, 4).replace("\"0\":", "\"1\":"),
            QueueSelection::Hash(3),
            "no master of broker",
            true,
        ),
        (row(6, 4), to_nobody, "no route names broker nobody", true),
    ] {
        let (mut world, client) = pair(4, 4);
        world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(body.as_bytes())));
        let mut options = SendOptions::default().timeout(SECOND);
        options = options.selection(aim);
        let op = world.send_with(client, message("x"), options).unwrap();
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(error.is_retriable(), retriable, "{error}");
        assert_eq!(took == SECOND, retriable, "{took:?} {error}");
    }
}

#[test]
fn ns_22_hashes_go_where_the_order_conf_says() {
    let brokers = ["b-0", "b-1"].into_iter().enumerate().map(|(at, name)| {
        let endpoint = format!("127.0.0.1:{}", 10911 + 10 * at);
        BrokerConfig::new(name, &endpoint)
    });
    let config = ClusterConfig { brokers: brokers.collect(), ..ClusterConfig::default() };
    let mut world = World::new(5, config.topic(TOPIC, 2));
    world.with_cluster(|cluster| cluster.set_order(TOPIC, Some("b-1:2;b-0:1")));
    let client = world.client(crate::setting::config());
    let places = [("b-1", 0), ("b-1", 1), ("b-0", 0)];
    for key in ["customer-1", "customer-2", "customer-3", "polygenelubricants"] {
        let op = world.send_with(client, message("x"), SendOptions::hash(key)).unwrap();
        let receipt = world.end_of(client, op).1.unwrap();
        let at = (i64::from(java_string_hash(key)) % 3).unsigned_abs() as usize;
        assert_eq!((&*receipt.broker, receipt.queue), places[at], "{key}");
    }
    // Malformed, it is as if there were none.
    for conf in ["b-1:two;b-0:1", "b-1", ";;", "b-1:99999999999"] {
        world.with_cluster(|cluster| cluster.set_order(TOPIC, Some(conf)));
        let fresh = world.client(crate::setting::config());
        let op = world.send_with(fresh, message("x"), SendOptions::hash("customer-1")).unwrap();
        let receipt = world.end_of(fresh, op).1.unwrap();
        let at = (i64::from(java_string_hash("customer-1")) % 4).unsigned_abs() as usize;
        let plain = [("b-0", 0), ("b-0", 1), ("b-1", 0), ("b-1", 1)];
        assert_eq!((&*receipt.broker, receipt.queue), plain[at], "{conf}");
    }
}

#[test]
fn ns_23_one_impossible_row_is_refused_and_told_and_the_others_are_used() {
    for bad in [
        r#"{"brokerName":"b","perm":6,"readQueueNums":4,"writeQueueNums":2147483647}"#,
        r#"{"brokerName":"b","perm":-1,"readQueueNums":4,"writeQueueNums":4}"#,
        r#"{"brokerName":"b","perm":6,"readQueueNums":"four","writeQueueNums":4}"#,
    ] {
        let (mut world, client) = pair(6, 4);
        let good = route_at(BROKER);
        let body = good.replacen("\"queueDatas\":[", &format!("\"queueDatas\":[{bad},"), 1);
        world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(body.as_bytes())));
        store(&mut world, client, "x");
        world.run_for(100 * SECOND);
        let told = notes(&world, client, |note| matches!(note, Note::RowRefused { .. }));
        assert!(told.len() == 1 && told[0].contains(TOPIC), "{told:?}");
    }
}
