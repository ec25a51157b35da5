//! Bodies that Java compressed, and what Java opens of ours.

use std::time::Duration;

use rocketry::proto::config::Compression;
use rocketry::proto::message::java_string_hash;
use rocketry::{Message, MessageView};

use crate::cases::common::named;
use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::cases::reading::{acked, consume, next};
use crate::rig::eventually;

const COUNT: usize = 8;
const LENGTH: usize = 20_000;
/// A member of Java's that was not in the list when it joined looks at its share again after 20 s.
const REBALANCED: Duration = Duration::from_secs(60);

/// What Java's program prints of a body.
fn sum(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).expect("a text");
    format!("{} {}", body.len(), java_string_hash(text))
}

/// Java's bodies of this kind come to us as they were, and ours to Java.
fn both_ways(place: &Place, kind: Compression, name: &str) {
    let (theirs, ours) = (place.topic(1), place.topic(1));
    let (namesrv, group) = (place.namesrv(), place.name());
    let mut config = place.config();
    (config.compression, config.compress_over) = (Some(kind), 100);
    let rig = place.rig_with(config);
    let (count, length) = (COUNT.to_string(), LENGTH.to_string());
    let words = ["send", &namesrv, &theirs, name, &count, &length];
    let sender = Peer::java(place.version(), &words);
    let reader = Peer::java(place.version(), &["member", &namesrv, &group, &ours]);
    sender.await_ready();
    let mut consumer = consume(&rig, &place.name(), &theirs, "*");
    let (mut came, mut stored) = (Vec::new(), 0);
    for _ in 0..COUNT {
        let delivery = next(&mut consumer);
        let view: &MessageView = &delivery;
        let record = view.message();
        assert_eq!(record.compression().map(|kind| format!("{kind:?}")), Some(format!("{kind:?}")));
        stored += record.raw_body().len();
        came.push(sum(view.body()));
        acked(delivery);
    }
    note!(place, "Java {}, {name}: {COUNT} bodies of {LENGTH} bytes in {stored}", place.version());
    assert_eq!(came, sender.told("sent"));

    reader.await_ready();
    let producer = rig.client.producer("packed").expect("a producer");
    let mut sent: Vec<String> = (0..COUNT)
        .map(|at| {
            let body = format!("message {at} of ours ").repeat(1000 + at);
            producer.send(Message::new(named(&ours), body.clone())).wait().expect("stored");
            sum(body.as_bytes())
        })
        .collect();
    assert!(
        eventually(REBALANCED, || reader.told("seen").len() >= COUNT),
        "{:?}",
        reader.told("seen")
    );
    let mut seen = reader.told("seen");
    sent.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, sent);
}

pub(crate) fn zlib_goes_both_ways(place: &Place) {
    both_ways(place, Compression::Zlib, "ZLIB");
}

pub(crate) fn lz4_goes_both_ways(place: &Place) {
    both_ways(place, Compression::Lz4, "LZ4");
}

pub(crate) fn zstandard_goes_both_ways(place: &Place) {
    both_ways(place, Compression::Zstd, "ZSTD");
}
