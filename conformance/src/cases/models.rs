//! Apache's client for Java on the embedded broker, beside the same on Apache's.

use std::time::Duration;

use crate::broker::{ClusterConfig, TopicConfig};
use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::embedded::EmbeddedCluster;
use crate::live;

const TOPICS: [&str; 5] = ["orderly", "broadcast", "polled", "sql", "retried"];
const QUEUES: u32 = 4;
/// Five models one after the other, some of which wait for delays.
const LONG: Duration = Duration::from_secs(180);

/// What Java says of a cluster, of the lines that tell of what it got.
fn said(version: &str, namesrv: &str, prefix: &str) -> Vec<String> {
    let java = Peer::models(version, namesrv, prefix);
    java.await_ready_within(LONG);
    let told = |line: &String| TOPICS.iter().chain(OTHER).any(|word| line.starts_with(word));
    java.said().into_iter().filter(told).collect()
}

/// What its lines begin with besides.
const OTHER: &[&str] = &["committed", "assigned", "refused"];

pub(crate) fn java_finds_the_embedded_broker_as_it_finds_this_one(place: &Place) {
    let prefix = place.name();
    for topic in TOPICS {
        let topic = format!("{prefix}{topic}");
        place.create(&topic, QUEUES);
    }
    let live = said(place.version(), &place.namesrv(), &prefix);
    note!(place, "{}", live.join("\n"));

    let mut config = ClusterConfig::default().brokers(1);
    config.property_filter = true;
    config.version = live::ordinal_of(place.version()).expect("a version that is known");
    for topic in TOPICS {
        config.topics.push(TopicConfig::new(format!("{prefix}{topic}"), QUEUES));
    }
    let embedded = EmbeddedCluster::start_with(config).expect("an embedded broker");
    assert_eq!(said(place.version(), &embedded.namesrv(), &prefix), live);
    // Of 4 queues one has a message more: it was given back in its order.
    let orderly = live.iter().filter(|line| line.starts_with("orderly")).count();
    assert_eq!((orderly, live.len()), (4, 23), "{live:#?}");
    assert_eq!(embedded.stored(&format!("%DLQ%{prefix}group_retried")).len(), 1);
}
