//! Many topics in one consumer, and topics that change.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rocketry::proto::body::TopicConfig;
use rocketry::{Message, Start};

use crate::cases::common::{await_stored, cluster_of, named};
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, committed_at, consume, drained, next, queues, send_all, take,
};
use crate::rig::eventually;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn a_hundred_topics_all_flow(place: &Place) {
    let rig = place.rig();
    let first = place.topic(1);
    let (cluster, _) = cluster_of(&rig, &first);
    let names: Vec<String> = (0..100).map(|at| format!("{first}_{at}")).collect();
    for name in &names {
        let spec = TopicConfig::new(name, 1);
        rig.client.admin().create_topic(&cluster, &spec).wait().expect("created");
    }
    let builder = rig.client.consumer(place.name()).expect("a group").start_at(Start::First);
    let builder = names.iter().fold(builder, |builder, name| builder.topic(&**name, "*"));
    let mut consumer = builder.start().expect("a consumer");
    let producer = rig.client.producer("hundred").expect("a producer");
    let begun = Instant::now();
    for name in &names {
        producer.send(Message::new(named(name), name.clone())).wait().expect("stored");
    }
    let mut seen = BTreeSet::new();
    while seen.len() < names.len() {
        let delivery = next(&mut consumer);
        assert!(delivery.body() == delivery.topic(), "{delivery:?}");
        seen.insert(delivery.topic().to_owned());
        acked(delivery);
    }
    note!(place, "{:?}: a message of each of 100 topics after {:?}", place.on(), begun.elapsed());
    assert_eq!(seen, names.into_iter().collect());
}

pub(crate) fn a_topic_is_subscribed_to_and_left_while_the_consumer_runs(place: &Place) {
    let (one, other, group) = (place.topic(2), place.topic(2), place.name());
    let (rig, broker) = (place.rig(), place.broker());
    let mut consumer = consume(&rig, &group, &one, "*");
    send_all(&rig, &one, 0..4);
    take(&mut consumer, 4).into_iter().for_each(acked);
    send_all(&rig, &other, 100..110);
    await_stored(&rig, &other, 10);

    let begun = Instant::now();
    consumer.subscribe(&*other, "*").expect("subscribed");
    let of = |topic: &str| {
        let queues = consumer.queues();
        queues.iter().filter(|queue| queue.topic.as_str() == topic).count()
    };
    let both = eventually(SECOND, || (of(&one), of(&other)) == (2, 2));
    note!(place, "{:?}: both topics' queues after {:?}", place.on(), begun.elapsed());
    assert!(both, "{:?}", consumer.queues());
    assert_eq!(drained(&mut consumer, QUIET), (100..110).collect::<Vec<_>>());

    assert!(consumer.unsubscribe(&*one).expect("done"), "it was read");
    let of = |topic: &str| {
        let queues = consumer.queues();
        queues.iter().filter(|queue| queue.topic.as_str() == topic).count()
    };
    assert!(eventually(SECOND, || (of(&one), of(&other)) == (0, 2)), "{:?}", consumer.queues());
    let kept =
        || (0..2).filter_map(|queue| committed_at(&rig.client, &broker, &group, (&one, queue)));
    assert!(eventually(SOON, || kept().sum::<i64>() == 4), "what was settled is not committed");
    send_all(&rig, &one, 4..8);
    send_all(&rig, &other, 110..112);
    assert_eq!(drained(&mut consumer, QUIET), [110, 111]);
    // Whoever reads it again goes on there.
    consumer.subscribe(&*one, "*").expect("subscribed");
    assert_eq!(drained(&mut consumer, QUIET * 2), [4, 5, 6, 7]);
}

/// A topic gets more queues, and fewer to read and write.
pub(crate) fn queues_that_come_and_go_are_followed(place: &Place) {
    let (topic, group) = (place.topic(8), place.name());
    let mut config = place.config();
    config.route_refresh_interval = Duration::from_secs(2);
    let rigs = [(); 2].map(|()| place.rig_with(config.clone()));
    let mut consumers = rigs.each_ref().map(|rig| consume(rig, &group, &topic, "*"));
    let shared = |consumers: &[rocketry::Consumer; 2]| {
        let queues: Vec<_> = consumers.iter().flat_map(|one| one.queues()).collect();
        let distinct: BTreeSet<u32> = queues.iter().map(|queue| queue.queue).collect();
        if distinct.len() == queues.len() { queues.len() } else { 0 }
    };
    assert!(eventually(SOON, || shared(&consumers) == 8), "{}", shared(&consumers));
    let (cluster, _) = cluster_of(&rigs[0], &topic);
    for count in [16, 4] {
        let spec = TopicConfig::new(&topic, count);
        rigs[0].client.admin().create_topic(&cluster, &spec).wait().expect("changed");
        let begun = Instant::now();
        let followed = eventually(SOON, || shared(&consumers) == count as usize);
        note!(place, "{:?}: {count} queues after {:?}", place.on(), begun.elapsed());
        assert!(followed, "{count}: {}", shared(&consumers));
        assert!(eventually(SOON, || queues(&rigs[0], &topic).len() == count as usize));
        send_all(&rigs[0], &topic, 0..32);
        let both = consumers.each_mut().map(|consumer| drained(consumer, QUIET * 2));
        let all = both.concat();
        // What a member had at hand when a queue moved comes to the next one as well.
        let bodies: BTreeSet<usize> = all.iter().copied().collect();
        note!(
            place,
            "{:?}: {} came, {} of them twice",
            place.on(),
            bodies.len(),
            all.len().saturating_sub(32)
        );
        assert!(bodies.into_iter().eq(0..32), "{all:?}");
    }
}
