//! Messages that could not be handled: sent back, retried, and dead.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ListenerId};
use rocketry_core::body::{GroupConfig, RouteBody};
use rocketry_core::frame::request::{SendBackRequest, SendRequest};
use rocketry_core::frame::{Kind, Request, RequestCode, ResponseCode};
use rocketry_core::message::RecordList;

use crate::delays::{SCHEDULE, property};
use crate::routes::route_of;
use crate::world::*;

const RETRY: &str = "%RETRY%group_a";
const DEAD: &str = "%DLQ%group_a";
/// "hi" as zlib stores it.
const ZLIB: &[u8] = b"\x78\x01\x01\x02\x00\xfd\xff\x68\x69\x01\x3b\x00\xd2";

fn group(retry_queue_nums: i32, retry_max_times: i32) -> GroupConfig {
    let group_name = GROUP.to_owned();
    GroupConfig { group_name, retry_queue_nums, retry_max_times, ..GroupConfig::default() }
}

/// A world with one message, and the place of that one in the commit log.
fn one_message(config: ClusterConfig) -> (World, Client, i64) {
    let mut world = World::new(config.topic(TOPIC, 1));
    let mut client = world.connect(BROKER);
    world.publish(&mut client, tagged("A"), "failed");
    let at = position(&world, TOPIC, 0);
    (world, client, at)
}

fn stored(world: &World, topic: &str) -> RecordList {
    let queues = world.session.cluster().queues(0, topic).map_or(0, |(read, _)| read) as i32;
    let lists = (0..queues).map(|queue| world.session.cluster().messages(0, topic, queue));
    lists.max_by_key(RecordList::len).unwrap_or_default()
}

fn position(world: &World, topic: &str, index: usize) -> i64 {
    stored(world, topic).record(index).unwrap().commit_log_offset()
}

fn back(offset: i64, delay_level: i32) -> SendBackRequest {
    SendBackRequest {
        offset,
        delay_level,
        group: Arc::from(GROUP),
        topic: Some(Arc::from(TOPIC)),
        max_reconsume_times: Some(16),
        ..Default::default()
    }
}

fn send_back(
    world: &mut World,
    client: &mut Client,
    request: SendBackRequest,
) -> (ResponseCode, String) {
    let (reply, _) = world.ask(client, Kind::Plain, Request::SendBack(request), "");
    (reply.code, reply.remark.unwrap_or_default().into())
}

fn sent_back(world: &mut World, client: &mut Client, request: SendBackRequest) {
    assert_eq!(send_back(world, client, request), (ResponseCode::SUCCESS, String::new()));
}

#[test]
fn a_heartbeat_makes_the_groups_retry_topic_and_the_nameserver_hears_of_it() {
    for (config, queues) in [(None, 1), (Some(group(3, 16)), 3)] {
        let mut world = World::one_topic(1);
        if let Some(config) = config {
            world.session.with(|cluster| cluster.set_group(&config));
        }
        let mut client = world.connect(BROKER);
        world.beat(&mut client, "c1", "*", 1);
        let mut names = world.connect(ListenerId::Nameserver);
        let (code, body) = route_of(&mut world, &mut names, RETRY);
        assert_eq!(code, ResponseCode::SUCCESS);
        let route = RouteBody::parse(&body).unwrap();
        let found = &route.queues[0];
        assert_eq!((found.read_queues, found.write_queues, found.perm), (queues, queues, 6));
    }
}

#[test]
fn a_message_sent_back_waits_longer_each_time_and_keeps_where_it_came_from() {
    let (mut world, mut client, at) = one_message(ClusterConfig::default());
    let first = stored(&world, TOPIC);
    let first = first.record(0).unwrap();
    sent_back(&mut world, &mut client, back(at, 0));
    assert_eq!(world.session.cluster().messages(0, SCHEDULE, 2).len(), 1, "level 3");
    world.pass(Duration::from_secs(9));
    assert_eq!(world.session.cluster().stored(RETRY), 0);
    world.pass(Duration::from_secs(1));

    let list = stored(&world, RETRY);
    let record = list.record(0).unwrap();
    assert_eq!((record.reconsume_times(), record.tags()), (1, Some("A")));
    assert_eq!(record.born_host(), first.born_host());
    assert_eq!(record.born_timestamp(), first.born_timestamp());
    assert_eq!((record.flag(), &record.body().unwrap()[..]), (3, &b"failed"[..]));
    let origin = first.offset_message_id().to_string();
    let told = |record: &rocketry_core::message::Record<'_>| {
        ["RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "WAIT", "DELAY", "REAL_TOPIC", "KEYS"]
            .map(|name| property(record, name))
    };
    assert_eq!(told(&record), [TOPIC, &*origin, "false", "3", RETRY, "k"]);

    let again = position(&world, RETRY, 0);
    sent_back(&mut world, &mut client, back(again, 0));
    world.pass(Duration::from_secs(30));
    let list = stored(&world, RETRY);
    let record = list.record(1).unwrap();
    assert_eq!(record.reconsume_times(), 2);
    assert_eq!(told(&record), [TOPIC, &*origin, "false", "4", RETRY, "k"]);
    sent_back(&mut world, &mut client, back(again, 1));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.session.cluster().stored(RETRY), 3, "a level of the client's own choice");
}

#[test]
fn compressed_bodies_stay_compressed_and_their_checksums_hold() {
    let mut world = World::one_topic(1);
    let mut client = world.connect(BROKER);
    let request = Request::Send(SendRequest { sys_flag: 1, ..message(TOPIC, 0) });
    world.send_as(&client, Kind::Send, request, Bytes::from_static(ZLIB), false);
    world.received(&mut client);
    let at = position(&world, TOPIC, 0);
    sent_back(&mut world, &mut client, back(at, 1));
    sent_back(&mut world, &mut client, back(at, -1));
    world.pass(Duration::from_secs(1));
    for topic in [SCHEDULE, RETRY, DEAD] {
        let list = stored(&world, topic);
        let record = list.record(0).unwrap();
        assert_eq!((record.sys_flag(), &record.raw_body()[..]), (1, ZLIB), "{topic}");
        assert_eq!(&record.body().unwrap()[..], b"hi", "{topic}: checked and opened");
    }
}

#[test]
fn below_level_0_and_after_the_last_attempt_a_message_is_dead_at_once() {
    let (mut world, mut client, at) = one_message(ClusterConfig::default());
    let mut reader = world.connect(BROKER);
    sent_back(&mut world, &mut client, back(at, -1));
    let mut pull = waiting(pull_from(1));
    pull.topic = Arc::from(DEAD);
    world.send_as(&reader, Kind::Pull, Request::Pull(pull), Bytes::new(), false);
    assert!(world.received(&mut reader).is_empty());
    let last = SendBackRequest { max_reconsume_times: Some(0), ..back(at, 0) };
    sent_back(&mut world, &mut client, last);
    assert_eq!(world.received(&mut reader).len(), 1, "who waits for dead letters is woken");
    let list = stored(&world, DEAD);
    assert_eq!((list.len(), world.session.cluster().queues(0, DEAD)), (2, Some((1, 1))));
    for record in [list.record(0).unwrap(), list.record(1).unwrap()] {
        assert_eq!((record.reconsume_times(), property(&record, "DELAY")), (1, "0".to_owned()));
        assert_eq!(property(&record, "RETRY_TOPIC"), TOPIC);
    }
}

#[test]
fn the_groups_limit_counts_where_the_client_names_none_or_is_too_old_to() {
    let (mut world, mut client, at) = one_message(ClusterConfig::default());
    world.session.with(|cluster| cluster.set_group(&group(1, 0)));
    let unnamed = SendBackRequest { max_reconsume_times: None, ..back(at, 1) };
    sent_back(&mut world, &mut client, unnamed);
    assert_eq!(world.session.cluster().stored(DEAD), 1);
    sent_back(&mut world, &mut client, back(at, 1));
    assert_eq!(
        (world.session.cluster().stored(DEAD), world.session.cluster().stored(SCHEDULE)),
        (1, 1)
    );

    for (version, dead) in [(120, 2), (121, 2)] {
        let header = format!(
            r#"{{"code":36,"version":{version},"flag":0,"opaque":7,"language":"PYTHON","extFields":
            {{"offset":"{at}","group":"{GROUP}","delayLevel":"1","maxReconsumeTimes":"5"}}}}"#
        );
        let mut frame = (header.len() as u32 + 4).to_be_bytes().to_vec();
        frame.extend_from_slice(&(header.len() as u32).to_be_bytes());
        frame.extend_from_slice(header.as_bytes());
        world.session.bytes_in(world.now, client.conn, &frame).unwrap();
        assert_eq!(world.received(&mut client).len(), 1);
        assert_eq!(world.session.cluster().stored(DEAD), dead, "{version}");
    }
}

#[test]
fn what_cannot_be_sent_back_is_refused_in_javas_words() {
    let (mut world, mut client, at) = one_message(ClusterConfig::default());
    for lost in [at + 1, -1, 1 << 40] {
        let words = format!("look message by offset failed, {lost}");
        let told = send_back(&mut world, &mut client, back(lost, 0));
        assert_eq!(told, (ResponseCode::SYSTEM_ERROR, words));
    }
    world.session.with(|cluster| cluster.set_group(&group(0, 16)));
    sent_back(&mut world, &mut client, back(at, 0));
    assert_eq!(world.session.cluster().stored(SCHEDULE), 0, "without retry queues it is dropped");
    world.session.with(|cluster| {
        cluster.set_group(&group(1, 16));
        cluster.set_broker_perm(0, 4);
    });
    let told = send_back(&mut world, &mut client, back(at, 0));
    let words = "the broker[127.0.0.1] sending message is forbidden".to_owned();
    assert_eq!(told, (ResponseCode::NO_PERMISSION, words));

    let config = ClusterConfig { auto_create_groups: false, ..ClusterConfig::default() };
    let (mut world, mut client, at) = one_message(config);
    let (code, words) = send_back(&mut world, &mut client, back(at, 0));
    assert_eq!(code, ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);
    assert!(words.starts_with("subscription group not exist, group_a "), "{words}");
    world.beat(&mut client, "c1", "*", 1);
    assert!(world.session.cluster().consumers(0, GROUP).is_empty(), "such a group has no members");
    assert_eq!(world.session.cluster().queues(0, RETRY), None);
    let pulled = world.pull(&mut client, pull_from(0));
    assert_eq!(pulled.code, ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);

    let mut world = World::new(ClusterConfig::default().slaves().topic(TOPIC, 1));
    let mut client = world.connect(ListenerId::Broker(1));
    assert_eq!(send_back(&mut world, &mut client, back(0, 0)).0, ResponseCode::SYSTEM_BUSY);
}

#[test]
fn a_message_that_retention_took_is_not_found() {
    let (mut world, mut client, at) = one_message(ClusterConfig::default());
    world.publish(&mut client, tagged("A"), "second");
    let second = position(&world, TOPIC, 1);
    world.session.with(|cluster| cluster.expire(0, TOPIC, 0, 1));
    assert_eq!(send_back(&mut world, &mut client, back(at, 0)).0, ResponseCode::SYSTEM_ERROR);
    sent_back(&mut world, &mut client, back(second, 0));
}

/// A message that a client sends to the retry topic by itself, with this count of attempts.
fn retried(times: i32, most: Option<i32>) -> SendRequest {
    let properties = "DELAY\u{1}1\u{2}RETRY_TOPIC\u{1}topic_a\u{2}";
    SendRequest {
        properties: Some(Arc::from(properties)),
        reconsume_times: Some(times),
        max_reconsume_times: most,
        ..message(RETRY, 0)
    }
}

#[test]
fn a_send_to_the_retry_topic_is_dead_after_its_last_attempt_too() {
    for (version, times, dead) in [(479, 2, 0), (479, 3, 1), (407, 1, 0), (407, 2, 1)] {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let mut world = World::new(config);
        let mut client = world.connect(BROKER);
        let (code, told) = world.publish(&mut client, retried(times, Some(2)), "x");
        assert_eq!((code, told.unwrap().queue_id), (ResponseCode::SUCCESS, 0));
        world.pass(Duration::from_secs(1));
        let found = [DEAD, RETRY].map(|topic| world.session.cluster().stored(topic));
        assert_eq!(found, [dead, 1 - dead], "{version}, {times} of 2");
        let topic = if dead == 1 { DEAD } else { RETRY };
        let list = stored(&world, topic);
        let record = list.record(0).unwrap();
        assert_eq!(record.reconsume_times(), times);
        let level = if dead == 1 && version > 407 { "-1" } else { "1" };
        assert_eq!(property(&record, "DELAY"), level, "before 5.0 dead letters wait as well");
    }
}

#[test]
fn of_sends_to_the_retry_topic_the_groups_limit_counts_where_none_is_named() {
    let mut world = World::one_topic(1);
    world.session.with(|cluster| cluster.set_group(&group(1, 4)));
    let mut client = world.connect(BROKER);
    for (times, dead) in [(4, 0), (5, 1)] {
        world.publish(&mut client, retried(times, None), "x");
        assert_eq!(world.session.cluster().stored(DEAD), dead, "{times}");
    }
    let config = ClusterConfig { auto_create_groups: false, ..ClusterConfig::default() };
    let mut world = World::new(config);
    let mut client = world.connect(BROKER);
    let (code, _) = world.publish(&mut client, retried(0, None), "x");
    assert_eq!(code, ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST);
}

#[test]
fn dead_letters_could_not_be_read_before_4_9_2() {
    for (version, perm) in [(373, 2), (407, 6), (479, 6)] {
        let config = ClusterConfig { version, ..ClusterConfig::default() };
        let (mut world, mut client, at) = one_message(config);
        sent_back(&mut world, &mut client, back(at, -1));
        assert_eq!(world.session.cluster().requests(RequestCode::CONSUMER_SEND_MSG_BACK), 1);
        let mut names = world.connect(ListenerId::Nameserver);
        let (_, body) = route_of(&mut world, &mut names, DEAD);
        assert_eq!(RouteBody::parse(&body).unwrap().queues[0].perm, perm, "{version}");
    }
}
