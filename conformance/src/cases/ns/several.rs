//! Two real nameservers that do not agree, or of which one is silent.

use std::thread;
use std::time::{Duration, Instant};

use crate::live::{self, Cluster};
use bytes::Bytes;
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::DeleteTopicInNameServerRequest;
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;
use rocketry::{Config, Message, Topic};

use crate::cases::common::all;
use crate::cases::place::{Place, Setting, note};
use crate::rig::collector::Collector;
use crate::rig::{Rig, eventually};

/// One broker that tells its two nameservers once a minute.
pub(crate) const SELDOM_TOLD: &[Setting] =
    &[("registerNameServerPeriod", "60000"), ("autoCreateTopicEnable", "false")];

fn two_nameservers(place: &Place) -> Cluster {
    place.cluster(|options| options.nameservers = 2)
}

/// The nameservers' addresses, in both orders.
fn orders(cluster: &Cluster) -> [String; 2] {
    let all = cluster.namesrv();
    let (first, second) = all.split_once(';').expect("two");
    [format!("{first};{second}"), format!("{second};{first}")]
}

/// Waits for the answer to one send.
fn send(rig: &Rig, topic: &str) -> Duration {
    let producer = rig.client.producer("names").expect("a producer");
    let message = Message::new(Topic::new(topic).expect("a topic"), "x");
    let begun = Instant::now();
    let sent = producer.send(message).wait();
    assert!(sent.is_ok(), "{topic}: {sent:?} after {:?}", begun.elapsed());
    begun.elapsed()
}

/// A nameserver that was just started knows nothing until brokers tell it. They do that now and
/// then, and a round in which they did shows nothing.
pub(crate) fn a_nameserver_that_was_just_started_is_not_believed_alone(place: &Place) {
    let mut cluster = two_nameservers(place);
    cluster.create_topic("known", 4).expect("the topic is created");
    let [first, _] = orders(&cluster);
    let young = first.split(';').next().expect("an address");
    let asked = || live::route_queues(young, "known").expect("an answer");
    let mut shown = false;
    for _ in 0..3 {
        cluster.restart("namesrv-1").expect("it starts again, with nothing");
        for on in place.pair() {
            for namesrv in orders(&cluster) {
                let rig = Rig::start(on, &namesrv);
                let consumer = Collector::start(&rig, &format!("g_{on:?}"), "known");
                let took = send(&rig, "known");
                let came = || consumer.look(|seen| !seen.ids.is_empty());
                let soon = eventually(Duration::from_secs(10), came);
                assert!(soon, "{on:?}, {namesrv}: nothing comes");
                note!(place, "{on:?}: stored after {took:?}");
                assert!(took < Duration::from_secs(2), "{on:?}, {namesrv}: {took:?}");
                rig.client.shutdown().wait().expect("an end");
            }
        }
        shown = asked().is_none();
        if shown {
            break;
        }
    }
    assert!(shown, "the broker told it meanwhile, each time: the test showed nothing");
}

/// As an operator does who deletes a topic at one nameserver only.
pub(crate) fn a_topic_that_one_nameserver_forgets_is_sent_to_and_consumed_on(place: &Place) {
    let cluster = two_nameservers(place);
    cluster.create_topic("forgotten", 4).expect("the topic is created");
    let rigs = all(&place.pair(), |on| {
        let mut config = Config::new(cluster.namesrv()).expect("settings");
        config.route_refresh_interval = Duration::from_millis(500);
        let rig = place.rig_with(config);
        let consumer = Collector::start(&rig, &format!("g_{on:?}"), "forgotten");
        send(&rig, "forgotten");
        (rig, consumer)
    });
    for (_, consumer) in &rigs {
        let came = || consumer.look(|seen| seen.ids.len() == 2);
        assert!(eventually(Duration::from_secs(10), came), "nothing comes");
    }
    // Whichever of the two is asked first forgets it in its turn, and is told again at the end.
    for (namesrv, queues) in cluster.namesrv().split(';').zip([5, 6]) {
        let server = Endpoint::parse(namesrv).expect("an address");
        let forget = Request::DeleteTopicInNameServer(DeleteTopicInNameServerRequest {
            topic: "forgotten".into(),
            ..Default::default()
        });
        let target = Target::Peer(PeerKind::NameServer, server);
        let admin = rigs[0].0.client.admin();
        admin.call(target, forget, Bytes::new()).wait().expect("forgotten");
        assert_eq!(live::route_queues(namesrv, "forgotten").expect("an answer"), None);
        let before = rigs.iter().map(|(_, consumer)| consumer.look(|seen| seen.ids.len()));
        let before: Vec<usize> = before.collect();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            for (rig, _) in &rigs {
                let took = send(rig, "forgotten");
                assert!(took < Duration::from_secs(1), "{took:?}");
            }
            thread::sleep(Duration::from_millis(100));
        }
        for ((_, consumer), before) in rigs.iter().zip(before) {
            let came = || consumer.look(|seen| seen.ids.len() > before + 20);
            assert!(eventually(Duration::from_secs(5), came), "nothing comes any more");
        }
        // What does not change is not told.
        cluster.create_topic("forgotten", queues).expect("told again");
    }
}

/// SIGSTOP: the system takes connections and nobody answers.
pub(crate) fn a_silent_nameserver_costs_a_first_send_a_third_of_its_deadline(place: &Place) {
    let cluster = two_nameservers(place);
    for name in ["silent", "later"] {
        cluster.create_topic(name, 4).expect("the topic is created");
    }
    // A third of the deadline, and time for a busy machine.
    let limit = Config::new(cluster.namesrv()).expect("settings").send_timeout / 3;
    let limit = limit + Duration::from_millis(700);
    for silent in ["namesrv-1", "namesrv-2"] {
        let rigs = all(&place.pair(), |on| Rig::start(on, &cluster.namesrv()));
        for rig in &rigs {
            send(rig, "silent");
        }
        cluster.stop(silent).expect("frozen");
        for rig in &rigs {
            let took = send(rig, "later");
            note!(place, "{silent} in mid-life: {took:?}");
            assert!(took < limit, "{silent} in mid-life: {took:?}");
            rig.client.shutdown().wait().expect("an end");
        }
        for on in place.pair() {
            for namesrv in orders(&cluster) {
                let rig = Rig::start(on, &namesrv);
                let took = send(&rig, "silent");
                note!(place, "{on:?}, {silent} at the start: {took:?}");
                assert!(took < limit, "{on:?}, {silent} at the start: {took:?}");
                rig.client.shutdown().wait().expect("an end");
            }
        }
        cluster.cont(silent).expect("thawed");
    }
}
