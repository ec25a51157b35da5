//! What a real broker keeps of the offsets that a group commits: on a slave while the master is
//! away, over a kill, over a topic that is made anew.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::live::{Cluster, Member};
use bytes::Bytes;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::reply::ReplyFields;
use rocketry::proto::frame::request::MaxOffsetRequest;
use rocketry::{Client, Consumer, Delivery, Message, SendOptions};

use crate::cases::common::{all, cluster_of, named, topic_on_slave};
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{self, SOON, acked, committed, peer};
use crate::rig::{On, Rig, eventually};

/// Sends messages of these bodies to the topic's first queue.
fn send(client: &Client, name: &str, bodies: std::ops::Range<u32>) {
    let producer = client.producer("commits").expect("a producer");
    let queue = client.queues(&named(name)).wait().expect("queues").swap_remove(0);
    for body in bodies {
        let message = Message::new(named(name), body.to_string());
        producer.send_with(message, SendOptions::to(&queue)).wait().expect("stored");
    }
}

fn consume(rig: &Rig, group: &str, topic: &str) -> Consumer {
    reading::consume(rig, group, topic, "*")
}

fn body(delivery: &Delivery) -> u32 {
    let text = String::from_utf8(delivery.body().to_vec()).expect("text");
    text.parse().expect("a number")
}

/// The next `count` deliveries.
fn take(rig: &Rig, consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let next = |at| {
        let next = consumer.recv_timeout(SOON);
        let next = next.unwrap_or_else(|_| panic!("{at} of {count} came: {}", rig.client.stats()));
        next.expect("a readable message")
    };
    (0..count).map(next).collect()
}

/// Takes and acknowledges all that comes until nothing has come for that long.
fn drain(consumer: &mut Consumer, quiet: Duration) -> Vec<u32> {
    let mut bodies = Vec::new();
    while let Ok(next) = consumer.recv_timeout(quiet) {
        let delivery = next.expect("a readable message");
        bodies.push(body(&delivery));
        delivery.ack();
    }
    bodies
}

/// The end of a topic's queue 0 at one broker.
pub(crate) fn end(client: &Client, broker: &str, topic: &str) -> Option<i64> {
    let request =
        Request::MaxOffset(MaxOffsetRequest { topic: topic.into(), ..Default::default() });
    let answer = client.admin().call(peer(broker), request, Bytes::new()).wait().ok()?;
    match &answer.fields {
        Ok(ReplyFields::Offset(fields)) => Some(fields.offset),
        _ => None,
    }
}

fn member<'c>(cluster: &'c Cluster, name: &str) -> &'c Member {
    cluster.members().iter().find(|member| member.name == name).expect("a member")
}

/// Without this a slave of 5.x answers pulls with nothing.
pub(crate) const SLAVE_READS: &[Setting] = &[("slaveReadEnable", "true")];
/// So that a kill takes offsets along.
pub(crate) const SELDOM_FLUSHED: &[Setting] = &[("flushConsumerOffsetInterval", "60000")];

/// A master whose slave may be read.
fn with_slave(place: &Place) -> Cluster {
    place.cluster(|options| options.slaves = true)
}

fn topic_on_both(cluster: &Cluster, topic: &str) {
    cluster.create_topic(topic, 1).expect("the topic is created");
    let slave = member(cluster, "broker-a-slave").address();
    topic_on_slave(&cluster.namesrv(), &slave, topic, 1);
}

/// Another member of a group that has settled 0 to 89: it gets 90 to 99 and settles them.
fn resume(cluster: &Cluster, group: &str, name: &str) -> (Consumer, Rig) {
    let mut config = rocketry::Config::new(cluster.namesrv()).expect("settings");
    // It sends nothing, and hears of a master when it asks for the route again.
    config.route_refresh_interval = Duration::from_secs(3);
    let rig = Rig::with(On::Threads, config);
    let mut consumer = consume(&rig, group, name);
    let first = take(&rig, &mut consumer, 10);
    let bodies: Vec<u32> = first.iter().map(body).collect();
    assert_eq!(bodies, (90..100).collect::<Vec<_>>(), "{group}");
    first.into_iter().for_each(acked);
    let more = drain(&mut consumer, Duration::from_secs(1));
    assert!(more.is_empty(), "{group}: {more:?}");
    (consumer, rig)
}

/// The same kill shows both: what a consumer commits meanwhile, and a send that waits for the
/// master.
pub(crate) fn a_slave_alone_keeps_offsets_and_a_send_waits_for_the_master(place: &Place) {
    let mut cluster = with_slave(place);
    let slave = member(&cluster, "broker-a-slave").address();
    let watcher = Rig::watcher(&cluster.namesrv());
    let works = all(&place.pair(), |on| {
        let name = format!("alone_{on:?}");
        topic_on_both(&cluster, &name);
        send(&watcher.client, &name, 0..100);
        (Rig::start(on, &cluster.namesrv()), format!("group_{on:?}"), name)
    });
    let copied = |name: &str| end(&watcher.client, &slave, name);
    let first_ten = works.iter().map(|(rig, group, name)| {
        assert!(eventually(SOON, || copied(name) == Some(100)), "{:?} copied", copied(name));
        let mut consumer = consume(rig, group, name);
        take(rig, &mut consumer, 10).into_iter().for_each(acked);
        consumer
    });
    let mut consumers: Vec<Consumer> = first_ten.collect();
    let broker = cluster.broker();
    let at_master = |group: &str, name: &str| committed(&watcher.client, &broker, group, name);
    for (_, group, name) in &works {
        let told = eventually(SOON, || at_master(group, name) == Some(10));
        assert!(told, "{group}: {:?} at the master", at_master(group, name));
    }

    cluster.kill("broker-a").expect("killed");
    let patient = SendOptions::default().timeout(Duration::from_secs(90));
    let waiting = works.iter().map(|(rig, _, name)| {
        let producer = rig.client.producer("waits").expect("a producer");
        let message = Message::new(named(name), "100");
        (Instant::now(), producer.send_with(message, patient.clone()))
    });
    let waiting: Vec<_> = waiting.collect();
    for (consumer, (rig, group, name)) in consumers.iter_mut().zip(&works) {
        take(rig, consumer, 80).into_iter().for_each(acked);
        let at_slave = || committed(&watcher.client, &slave, group, name);
        let kept = eventually(SOON, || at_slave() == Some(90));
        assert!(kept, "{group}: {:?} at the slave; {:?}", at_slave(), rig.client.stats().consumers);
    }
    // The same group once more, while the slave is alone: it has 0 to 89 behind it.
    for consumer in consumers {
        consumer.close().wait().expect("an end");
    }
    let again = works.iter().map(|(_, group, name)| {
        let again = resume(&cluster, group, name);
        let at_slave = || committed(&watcher.client, &slave, group, name);
        assert!(eventually(SOON, || at_slave() == Some(100)), "{group}: {:?}", at_slave());
        again
    });
    let again: Vec<(Consumer, Rig)> = again.collect();
    cluster.restart("broker-a").expect("it starts again");
    let registered = Instant::now();
    assert_eq!(cluster.broker(), broker);
    for ((begun, sent), (rig, _, name)) in waiting.into_iter().zip(&works) {
        let receipt = sent.wait().expect("a send that waits for the master is stored");
        let late = registered.elapsed();
        note!(place, "{name}: a send waited for {:?}, {late:?} of them of need", begun.elapsed());
        assert_eq!(*receipt.broker, *"broker-a");
        let next = rig.client.producer("waits").expect("a producer");
        next.send(Message::new(named(name), "101")).wait().expect("stored");
        assert!(registered.elapsed() < Duration::from_secs(3), "{:?}", registered.elapsed());
    }
    for (_, group, name) in &works {
        // It remembered 10, and would have told its slave so within a minute.
        let told = || at_master(group, name).is_some_and(|offset| offset >= 100);
        assert!(eventually(SOON, told), "{group}: {:?} at the master", at_master(group, name));
        note!(place, "{group}: told to the master {:?} after it was back", registered.elapsed());
    }
    drop(again);
}

/// A broker writes its table of offsets now and then: what it acknowledged since dies with it.
pub(crate) fn offsets_that_died_with_a_killed_broker_are_committed_again(place: &Place) {
    let mut cluster = place.cluster(|_| ());
    // It writes the table once, ten seconds after its start, and then once a minute.
    let file = cluster.folder().join("broker-a/store/config/consumerOffset.json");
    assert!(eventually(SOON, || file.exists()), "the broker never wrote {}", file.display());
    let watcher = Rig::watcher(&cluster.namesrv());
    let works = all(&place.pair(), |on| {
        let (group, name) = (format!("group_{on:?}"), format!("died_{on:?}"));
        cluster.create_topic(&name, 1).expect("the topic is created");
        send(&watcher.client, &name, 0..50);
        let rig = Rig::start(on, &cluster.namesrv());
        let mut consumer = consume(&rig, &group, &name);
        take(&rig, &mut consumer, 50).into_iter().for_each(acked);
        (consumer, rig, group, name)
    });
    let broker = cluster.broker();
    let stored = |group: &str, name: &str| committed(&watcher.client, &broker, group, name);
    for (_, _, group, name) in &works {
        assert!(eventually(SOON, || stored(group, name) == Some(50)), "{group} never committed");
    }
    cluster.kill("broker-a").expect("killed");
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert!(!kept.contains("died_"), "the broker kept {kept}");
    cluster.restart("broker-a").expect("it starts again");
    let registered = Instant::now();
    for (_, _, group, name) in &works {
        let again = eventually(SOON, || stored(group, name) == Some(50));
        note!(place, "{group}: committed again {:?} after the registration", registered.elapsed());
        assert!(again, "{group}: {:?} is committed", stored(group, name));
    }
    works.iter().for_each(|(.., name)| send(&watcher.client, name, 50..51));
    for (mut consumer, rig, group, name) in works {
        assert_eq!(drain(&mut consumer, Duration::from_secs(1)), [50], "{group}");
        consumer.close().wait().expect("an end");
        rig.client.shutdown().wait().expect("an end");
        send(&watcher.client, &name, 51..52);
        let mut fresh = consume(&watcher, &group, &name);
        assert_eq!(drain(&mut fresh, Duration::from_secs(2)), [51], "{group}");
    }
}

/// What is held of the topic's old life is stale; what is held of the new one bounds the commits.
pub(crate) fn a_topic_made_anew_is_never_committed_past_what_is_unsettled(place: &Place) {
    let on = place.on();
    let (broker, name, group) = (place.broker(), place.topic(1), place.name());
    let mut config = place.config();
    config.commit_interval = Duration::from_millis(200);
    config.pull_suspend = Duration::from_secs(1);
    let rig = place.rig_with(config);
    send(&rig.client, &name, 0..100);
    let mut consumer = consume(&rig, &group, &name);
    let mut held = take(&rig, &mut consumer, 100);
    held.drain(..90).for_each(acked);
    let stored = || committed(&rig.client, &broker, &group, &name);
    assert!(eventually(SOON, || stored() == Some(90)), "{on:?}: {:?}", stored());

    let admin = rig.client.admin();
    admin.delete_topic(&cluster_of(&rig, &name).0, &named(&name)).wait().expect("deleted");
    place.create(&name, 1);
    // Who asks 5.3.3 for too much is sent to the end: it has to ask while that is the begin.
    let next = || rig.client.stats().consumers[0].queues.first().map(|queue| queue.next);
    let moved = eventually(SOON, || next() == Some(0));
    assert!(moved, "{on:?}: {:?}", rig.client.stats().consumers);
    send(&rig.client, &name, 1000..1060);
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    let mut open = Vec::new();
    let begun = Instant::now();
    while seen.len() < 60 && begun.elapsed() < SOON {
        let Ok(next) = consumer.recv_timeout(Duration::from_millis(200)) else { continue };
        let delivery = next.expect("a readable message");
        let body = body(&delivery);
        assert!(body >= 1000, "{on:?}: {body} is of the old life");
        *seen.entry(body).or_default() += 1;
        match body {
            1030 => open.push(delivery),
            _ => acked(delivery),
        }
    }
    note!(place, "{on:?}: {} of 60 came after {:?}", seen.len(), begun.elapsed());
    assert_eq!(seen.len(), 60, "{on:?}: {:?}", rig.client.stats().consumers);
    let stale = held.into_iter().map(Delivery::ack).filter(|settled| settled.is_moved());
    assert_eq!(stale.count(), 10, "{on:?}: what was held of the old life is not stale");
    // 4.x keeps the offset of the old life until it is told another.
    let over = eventually(SOON, || stored() != Some(90));
    assert!(over, "{on:?}: the old life's offset stays");
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        let stored = stored();
        assert!(stored.is_none_or(|stored| stored <= 30), "{on:?}: {stored:?} is committed");
        thread::sleep(Duration::from_millis(50));
    }
    open.into_iter().for_each(acked);
    assert!(eventually(SOON, || stored() == Some(60)), "{on:?}: {:?}", stored());
    rig.client.shutdown().wait().expect("an end");
}

/// Handlers settle what they hold after the shutdown has begun.
pub(crate) fn a_shutdown_waits_for_busy_handlers_and_nothing_of_theirs_comes_again(place: &Place) {
    let on = place.on();
    let (broker, name, group) = (place.broker(), place.topic(1), place.name());
    let rig = place.rig();
    send(&rig.client, &name, 0..20);
    let mut consumer = consume(&rig, &group, &name);
    let held = take(&rig, &mut consumer, 8);
    let handlers = held.into_iter().map(|delivery| {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(800));
            delivery.ack().is_taken()
        })
    });
    let handlers: Vec<_> = handlers.collect();
    let begun = Instant::now();
    rig.client.shutdown().wait().expect("an end");
    let took = begun.elapsed();
    let taken = handlers.into_iter().map(|handler| handler.join().expect("no panic"));
    let taken = taken.filter(|taken| *taken).count();
    note!(place, "{on:?}: shut down in {took:?}, {taken} of 8 acks taken");
    assert_eq!(taken, 8, "{on:?}: acks came too late");
    assert!(took < Duration::from_millis(2500), "{on:?}: {took:?}");
    drop(consumer);
    let rig = place.rig();
    assert_eq!(committed(&rig.client, &broker, &group, &name), Some(8), "{on:?}");
    let mut next = consume(&rig, &group, &name);
    let bodies = drain(&mut next, Duration::from_secs(2));
    assert_eq!(bodies, (8..20).collect::<Vec<_>>(), "{on:?}");
    rig.client.shutdown().wait().expect("an end");
}
