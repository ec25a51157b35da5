//! What queues permit: to write, to read, both.

use std::time::Duration;

use rocketry::proto::body::TopicConfig;
use rocketry::{Config, Message};

use crate::cases::common::{cluster_of, named, topic_on_slave};
use crate::cases::off::end;
use crate::cases::place::Place;
use crate::cases::reading::{QUIET, SOON, acked, consume, drain, next, send_all};
use crate::rig::{Rig, eventually};

pub(crate) fn permissions_say_who_may_write_and_read(place: &Place) {
    let topic = place.topic(2);
    let mut config = place.config();
    config.route_refresh_interval = Duration::from_secs(1);
    config.send_timeout = Duration::from_secs(2);
    let rig = place.rig_with(config);
    let (cluster, _) = cluster_of(&rig, &topic);
    let set = |perm: i32| {
        let spec = TopicConfig { perm, ..TopicConfig::new(&topic, 2) };
        rig.client.admin().create_topic(&cluster, &spec).wait().expect("changed");
        let told = || rig.client.admin().route(&named(&topic)).wait();
        let shown =
            eventually(SOON, || told().is_ok_and(|route| route.queues[0].perm as i32 == perm));
        assert!(shown, "{perm}: {:?}", told());
        // The client hears of it with its next look at the route.
        std::thread::sleep(Duration::from_secs(3));
    };
    let send = |body: usize| {
        let producer = rig.client.producer("permitted").expect("a producer");
        producer.send(Message::new(named(&topic), body.to_string())).wait()
    };
    send_all(&rig, &topic, 0..4);
    let mut consumer = consume(&rig, &place.name(), &topic, "*");
    (0..4).for_each(|_| acked(next(&mut consumer)));
    // To write only.
    set(2);
    send(4).expect("it may be written");
    assert_eq!(drain(&mut consumer, QUIET * 2), [0; 0], "it may not be read");
    // To read only.
    set(4);
    let error = send(5).expect_err("it may not be written").to_string();
    place.note(format!("{:?}: a send says: {error}", place.on()));
    assert_eq!(drain(&mut consumer, QUIET * 3), [4], "it may be read");
    set(6);
    send(6).expect("it may be written");
    assert_eq!(drain(&mut consumer, QUIET * 3), [6]);
}

/// A slave alone is read from, and nothing is sent to it.
pub(crate) fn a_slave_alone_is_read_from_and_not_written_to(place: &Place) {
    let mut cluster = place.cluster(|options| options.slaves = true);
    cluster.create_topic("of_a_slave", 1).expect("created");
    let slave = cluster.members().iter().find(|member| member.name == "broker-a-slave");
    let slave = slave.expect("a slave").address();
    topic_on_slave(&cluster.namesrv(), &slave, "of_a_slave", 1);
    let watcher = Rig::watcher(&cluster.namesrv());
    send_all(&watcher, "of_a_slave", 0..40);
    let copied = || end(&watcher.client, &slave, "of_a_slave") == Some(40);
    assert!(eventually(SOON * 2, copied), "the slave copied nothing");
    cluster.kill("broker-a").expect("killed");
    for on in place.pair() {
        let mut config = Config::new(cluster.namesrv()).expect("settings");
        config.send_timeout = Duration::from_secs(2);
        let rig = Rig::with(on, config);
        let mut consumer = consume(&rig, &format!("slave_{on:?}"), "of_a_slave", "*");
        let mut came: Vec<usize> = (0..40)
            .map(|_| {
                let delivery = next(&mut consumer);
                let body = crate::cases::reading::number(&delivery);
                acked(delivery);
                body
            })
            .collect();
        came.sort_unstable();
        assert_eq!(came, (0..40).collect::<Vec<_>>(), "{on:?}");
        let producer = rig.client.producer("refused").expect("a producer");
        let message = Message::new(named("of_a_slave"), "x");
        let error = producer.send(message).wait().expect_err("there is no master");
        place.note(format!("{on:?}: a send says: {error}"));
    }
}
