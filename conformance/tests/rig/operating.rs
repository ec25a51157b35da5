//! What operators do, and what a client is to the brokers.

use std::time::Duration;

use rocketry::proto::body::{ProducerConnections, TopicConfig};
use rocketry::proto::error::PeerKind;
use rocketry::proto::frame::request::ProducerConnectionsRequest;
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;
use rocketry::{Message, SendOptions, Topic};

use super::producing::{await_stored, named, queue_of};
use super::{On, Rig, eventually};

const SOON: Duration = Duration::from_secs(20);

/// The cluster's name and the address of the topic's master.
fn cluster(rig: &Rig, topic: &str) -> (String, Endpoint) {
    let route = rig.client.admin().route(&named(topic)).wait().expect("a route");
    let broker = &route.brokers[0];
    let master = Endpoint::parse(&broker.addresses[&0]).expect("an address");
    (broker.cluster.to_string(), master)
}

pub fn adm_01_a_topic_is_created_changed_and_deleted(on: On, namesrv: &str, topic: &str) {
    let rig = Rig::start(on, namesrv);
    let (admin, (cluster, _)) = (rig.client.admin(), cluster(&rig, topic));
    let made = format!("{topic}_made");
    let queues = || {
        let route = admin.route(&named(&made)).wait().ok()?;
        let queues = route.queues.first()?;
        Some((queues.read_queues, queues.write_queues))
    };
    assert_eq!(queues(), None);
    for count in [3_u32, 5] {
        let spec = TopicConfig { perm: 6, ..TopicConfig::new(&made, count as i32) };
        admin.create_topic(&cluster, &spec).wait().expect("created, then changed");
        let told = eventually(SOON, || queues() == Some((count, count)));
        assert!(told, "the nameserver knows of {:?}", queues());
    }
    assert!(admin.topics().wait().expect("topics").topics.contains(&made));
    let producer = rig.client.producer("operating").expect("a producer");
    let receipt = producer.send(Message::new(named(&made), "x")).wait().expect("stored");
    let queue = queue_of(&receipt);
    assert_eq!(admin.search_offset(&queue, 0).wait().expect("an offset"), 0);
    admin.delete_topic(&cluster, &named(&made)).wait().expect("deleted");
    assert!(eventually(SOON, || queues().is_none()), "it is still there");
}

pub fn adm_05_clusters_and_a_brokers_settings_are_read(on: On, namesrv: &str, topic: &str) {
    let rig = Rig::start(on, namesrv);
    let (admin, (cluster, master)) = (rig.client.admin(), cluster(&rig, topic));
    let info = admin.cluster().wait().expect("the cluster");
    let name = info.clusters[&cluster].first().expect("a broker");
    assert_eq!(info.brokers[name].addresses[&0], master.as_str());
    let settings = admin.broker_config(&master).wait().expect("its settings");
    assert_eq!(&settings["brokerName"], name);
    assert_eq!((&*settings["brokerId"], &*settings["brokerClusterName"]), ("0", &*cluster));
    assert!(settings["maxMessageSize"].parse::<u64>().expect("a number") >= 4 << 20);
    // A nameserver has no such thing, or something else.
    let elsewhere = Endpoint::parse("127.0.0.1:1").expect("an address");
    assert!(admin.broker_config(&elsewhere).wait().is_err());
}

pub fn a_queue_is_read_by_plain_pulls(on: On, namesrv: &str, topic: &str) {
    let message = |body: String| Message::new(named(topic), body);
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("operating").expect("a producer");
    let queues = rig.client.queues(&named(topic)).wait().expect("queues");
    for n in 0..40 {
        let options = SendOptions::to(&queues[2]);
        producer.send_with(message(format!("{n}")), options).wait().expect("stored");
    }
    await_stored(&rig, topic, 40);
    let admin = rig.client.admin();
    let (mut offset, mut seen) = (0, Vec::new());
    while seen.len() < 40 {
        let pulled = admin.pull(&queues[2], offset, 16).wait().expect("pulled");
        assert_eq!((pulled.min_offset, pulled.max_offset), (0, 40));
        for item in pulled.records.items() {
            let body = item.record().expect("readable").body().expect("whole");
            seen.push(String::from_utf8(body.to_vec()).expect("text"));
        }
        assert!(pulled.next_offset > offset);
        offset = pulled.next_offset;
    }
    assert_eq!(seen, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
    let beyond = admin.pull(&queues[2], 40, 16).wait().expect("answered");
    assert_eq!(beyond.records.len(), 0);
    let route = admin.route(&named(topic)).wait().expect("a route");
    assert_eq!(route.queues[0].write_queues, 8);
    let nothing = admin.route(&Topic::new("no_such_topic").expect("a topic")).wait();
    assert!(nothing.expect_err("no route").to_string().contains("TOPIC_NOT_EXIST"));
}

/// Java refuses a second producer of a group in one client; here it joins the first.
pub fn life_07_producers_of_one_group_send_side_by_side(on: On, namesrv: &str, topic: &str) {
    let group = format!("g-{topic}");
    let rigs = [(); 2].map(|()| Rig::start(on, namesrv));
    let of = |rig: &Rig| [(); 2].map(|()| rig.client.producer(&*group).expect("a producer"));
    let producers = [of(&rigs[0]), of(&rigs[1])].concat();
    for producer in &producers {
        producer.send(Message::new(named(topic), "x")).wait().expect("stored");
    }
    await_stored(&rigs[0], topic, 4);
    let (_, master) = cluster(&rigs[0], topic);
    let ask = || {
        let target = Target::Peer(PeerKind::Broker, master.clone());
        let group = group.as_str().into();
        let fields = ProducerConnectionsRequest { producer_group: group, ..Default::default() };
        let request = Request::ProducerConnections(fields);
        rigs[0].client.admin().call(target, request, bytes::Bytes::new()).wait().expect("answered")
    };
    if ask().code == ResponseCode::REQUEST_CODE_NOT_SUPPORTED {
        return;
    }
    let both = eventually(SOON, || {
        let answer = ask();
        let known = ProducerConnections::parse(&answer.body).unwrap_or_default();
        let ids = rigs.each_ref().map(|rig| rig.client.id());
        ids.iter().all(|id| known.connections.iter().any(|one| *one.client_id == **id))
    });
    assert!(both, "the broker knows {:?}", ask());
}
