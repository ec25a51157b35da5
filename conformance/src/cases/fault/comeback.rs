//! Consumers whose brokers go and come: all of them at once, or one more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rocketry::{Config, Consumer, Message};

use crate::cases::common::named;
use crate::cases::place::{Place, note};
use crate::cases::reading::{QUIET, SOON, acked, consume, drained, next, number, send_all};
use crate::live;
use crate::rig::{On, Rig, eventually};

const CLIENTS: usize = 12;
const TOPIC: &str = "comes_back";

/// Each has a group of its own, so that each gets every message.
fn readers(on: On, namesrv: &str) -> Vec<(Rig, Consumer)> {
    let reader = |number: usize| {
        let rig = Rig::start(on, namesrv);
        let consumer = consume(&rig, &format!("back_{on:?}_{number}"), TOPIC, "*");
        (rig, consumer)
    };
    (0..CLIENTS).map(reader).collect()
}

pub(crate) fn all_clients_come_back_with_their_brokers(place: &Place) {
    let mut cluster = place.cluster(|options| options.brokers = 2);
    cluster.create_topic(TOPIC, 2).expect("created");
    let (on, namesrv) = (place.on(), cluster.namesrv());
    let mut config = Config::new(&namesrv).expect("settings");
    config.send_timeout = Duration::from_secs(30);
    let sender = Rig::with(on, config);
    let mut readers = readers(on, &namesrv);
    send_all(&sender, TOPIC, 0..8);
    for (_, consumer) in &mut readers {
        (0..8).for_each(|_| acked(next(consumer)));
    }
    for broker in ["broker-a", "broker-b"] {
        cluster.kill(broker).expect("killed");
    }
    std::thread::sleep(Duration::from_secs(10));
    for broker in ["broker-a", "broker-b"] {
        cluster.restart(broker).expect("it starts again");
    }
    let back = Instant::now();
    // Each broker has all of its queues written to.
    send_all(&sender, TOPIC, 8..16);
    note!(place, "{on:?}: sends flow {:?} after both were back", back.elapsed());
    let mut moments = Vec::new();
    let mut seen = vec![BTreeSet::new(); CLIENTS];
    // Who only reads hears of them with its next look at the route, 5 s apart at first.
    let all = eventually(SOON * 2, || {
        for (at, (_, consumer)) in readers.iter_mut().enumerate() {
            while let Ok(next) = consumer.recv_timeout(Duration::from_millis(1)) {
                let delivery = next.expect("a readable message");
                let body = number(&delivery);
                acked(delivery);
                if body >= 8 && seen[at].insert(body) && seen[at].len() == 8 {
                    moments.push(back.elapsed());
                }
            }
        }
        moments.len() == CLIENTS
    });
    note!(place, "{on:?}: {CLIENTS} clients had everything after {moments:?}");
    assert!(all, "{} of {CLIENTS} came back: {seen:?}", moments.len());
}

pub(crate) fn a_broker_that_is_added_or_leaves_is_followed(place: &Place) {
    let mut cluster = place.cluster(|options| options.brokers = 2);
    let (on, namesrv) = (place.on(), cluster.namesrv());
    let addresses: Vec<String> = cluster
        .members()
        .iter()
        .filter(|one| one.name.starts_with("broker"))
        .map(|one| one.address())
        .collect();
    live::create_topic(&namesrv, &addresses[0], TOPIC, 4).expect("on the first");
    let mut config = Config::new(&namesrv).expect("settings");
    config.route_refresh_interval = Duration::from_secs(2);
    let rigs = [(); 2].map(|()| Rig::with(on, config.clone()));
    let mut consumers = rigs.each_ref().map(|rig| consume(rig, "followers", TOPIC, "*"));
    let owned = |consumers: &[Consumer; 2]| {
        let queues: Vec<_> = consumers.iter().flat_map(Consumer::queues).collect();
        let distinct: BTreeSet<_> =
            queues.iter().map(|queue| (queue.broker.clone(), queue.queue)).collect();
        if distinct.len() == queues.len() { queues.len() } else { 0 }
    };
    assert!(eventually(SOON, || owned(&consumers) == 4), "{}", owned(&consumers));
    live::create_topic(&namesrv, &addresses[1], TOPIC, 4).expect("on the second");
    let added = Instant::now();
    assert!(eventually(SOON, || owned(&consumers) == 8), "{}", owned(&consumers));
    note!(place, "{on:?}: eight queues {:?} after the second broker has them", added.elapsed());
    let producer = rigs[0].client.producer("followed").expect("a producer");
    let both = eventually(SOON, || {
        let message = Message::new(named(TOPIC), "0");
        &*producer.send(message).wait().expect("stored").broker == "broker-b"
    });
    assert!(both, "nothing is sent to the second one");
    consumers.iter_mut().for_each(|consumer| drop(drained(consumer, QUIET)));
    send_all(&rigs[0], TOPIC, 100..140);
    let came = consumers.each_mut().map(|consumer| drained(consumer, QUIET * 2)).concat();
    let new = came.into_iter().filter(|body| *body >= 100);
    assert_eq!(new.collect::<BTreeSet<_>>(), (100..140).collect());
    cluster.kill("broker-b").expect("killed");
    let gone = Instant::now();
    let four = eventually(SOON, || owned(&consumers) == 4);
    note!(place, "{on:?}: four queues {:?} after the second broker was killed", gone.elapsed());
    assert!(four, "{}", owned(&consumers));
    send_all(&rigs[0], TOPIC, 200..240);
    let came = consumers.each_mut().map(|consumer| drained(consumer, QUIET * 2)).concat();
    // Members hear of the route at different times, and a queue that moves then brings some again.
    let new = came.into_iter().filter(|body| *body >= 200);
    assert_eq!(new.collect::<BTreeSet<_>>(), (200..240).collect());
}
