//! Networks and brokers that misbehave for a while: nothing hangs, nothing answered is missing, and
//! what is said of a message is true.

use std::cell::Cell;
use std::rc::Rc;

use rocketry_conformance::broker::{ClusterConfig, Fault, Requests};
use rocketry_conformance::sim::{ClientId, Delivered, Door, Pace, Way, World};
use rocketry_core::consumer::Filter;
use rocketry_core::error::{SendError, Stored};
use rocketry_core::frame::RequestCode;
use rocketry_core::id::OpId;
use rocketry_core::message::Message;

use crate::setting::*;

/// Each message lies where its receipt says.
fn all_lie_where_told(world: &World, client: ClientId, ops: &[OpId]) {
    for op in ops {
        let sent = world.sent(client, *op);
        let receipt = sent.ended.as_ref().unwrap().result.as_ref().unwrap();
        let records = world.cluster().messages(0, TOPIC, receipt.queue);
        let record = records.record(receipt.offset as usize).unwrap();
        assert_eq!(record.unique_id(), Some(sent.id.as_str()));
        assert_eq!(record.queue_offset(), receipt.offset);
    }
}

/// A client that has sent one message.
fn warm(seed: u64) -> (World, ClientId) {
    let (mut world, client) = pair(seed, 4);
    store(&mut world, client, "warm");
    (world, client)
}

/// Sends until one is stored; how many it took.
fn tries_until_stored(world: &mut World, client: ClientId) -> usize {
    let stored = |_: &usize| {
        let op = send(world, client, "next");
        world.end_of(client, op).1.is_ok()
    };
    (1..30).find(stored).expect("thirty sends in a row fail")
}

/// What was said of a send is what is in the log.
fn said_truly(world: &World, client: ClientId, op: OpId) {
    let sent = world.sent(client, op);
    let copies = world.copies(TOPIC, sent.id.as_str());
    match &sent.ended.as_ref().unwrap().result {
        Ok(_) => assert!(copies >= 1),
        Err(error) => match error.stored() {
            Stored::No => assert_eq!(copies, 0, "{error}"),
            Stored::Yes => assert!(copies >= 1, "{error}"),
            Stored::Unknown => {}
        },
    }
}

#[test]
fn fault_14_answers_belong_to_their_sends_whatever_the_delays() {
    for seed in 0..10 {
        let (mut world, client) = warm(seed);
        world.latency(ms(100), ms(800));
        let ops: Vec<_> = (0..100)
            .map(|n| world.send_within(client, message(n.to_string()), 60 * SECOND).unwrap())
            .collect();
        world.run_for(20 * SECOND);
        all_lie_where_told(&world, client, &ops);
        assert_eq!(world.cluster().stored(TOPIC), 101);
    }
}

#[test]
fn fault_17_an_answer_lost_after_the_message_was_stored_loses_nothing_and_keeps_its_id() {
    let (mut world, client) = warm(1);
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Close]));
    let op = send(&mut world, client, "twice");
    let receipt = world.end_of(client, op).1.unwrap();
    assert_eq!(receipt.message_id, world.sent(client, op).id);
    assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 2);

    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, [Fault::Mute]));
    let op = send(&mut world, client, "once");
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }), "{error}");
    assert_eq!(world.copies(TOPIC, world.sent(client, op).id.as_str()), 1);
}

#[test]
fn fault_18_an_answer_that_comes_twice_is_one() {
    let (mut world, client) = warm(2);
    let twice = (0..40).map(|n| Fault::Twice(ms(n * 10)));
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, twice));
    let ops: Vec<_> = (0..40).map(|n| send(&mut world, client, &n.to_string())).collect();
    world.run_for(3 * SECOND);
    all_lie_where_told(&world, client, &ops);
    assert_eq!(world.cluster().stored(TOPIC), 41);
    assert_eq!(world.engine(client).stats().operations, 0);
}

#[test]
fn fault_19_answers_in_any_order_belong_to_their_sends() {
    let (mut world, client) = warm(3);
    // A different one of each five comes last.
    let late = (0..100).map(|n| match n * 7 % 5 {
        0 => Fault::Pass,
        place => Fault::Late(ms(place * 100 + n)),
    });
    world.with_cluster(|cluster| cluster.push_faults(Requests::Sends, late));
    let ops: Vec<_> = (0..100).map(|n| send(&mut world, client, &n.to_string())).collect();
    world.run_for(3 * SECOND);
    let mut ends: Vec<_> =
        ops.iter().map(|op| world.sent(client, *op).ended.as_ref().unwrap().at).collect();
    assert!(!ends.is_sorted(), "no answer overtook another");
    all_lie_where_told(&world, client, &ops);
    ends.sort();
    assert!(ends[99].since(ends[0]) > ms(300));
}

/// Sends with one byte of the broker's answer changed.
fn send_corrupt(at: usize, flip: u8) -> bool {
    let (mut world, client) = warm(at as u64);
    let changed = Rc::new(Cell::new(false));
    let own = changed.clone();
    world.tamper(move |endpoint, way, bytes| {
        if endpoint == BROKER && way == Way::Down && at < bytes.len() && !own.get() {
            bytes[at] ^= flip;
            own.set(true);
        }
    });
    let op = send(&mut world, client, "x");
    let _ = world.end_of(client, op);
    said_truly(&world, client, op);
    if at < 4 {
        // A frame that claims to be longer swallows those behind it: each of their sends ends at
        // its deadline until the connection does.
        let next = send(&mut world, client, "swallowed");
        let _ = world.end_of(client, next);
        said_truly(&world, client, next);
        world.cut_all(BROKER);
    }
    tries_until_stored(&mut world, client);
    world.run_for(30 * SECOND);
    assert_eq!(world.engine(client).stats().operations, 0);
    changed.get()
}

#[test]
fn fault_20_a_byte_changed_anywhere_in_an_answer_makes_nothing_hang_nor_lie() {
    for flip in [0x01, 0x10, 0x80, 0xff] {
        let changed = (0..400).take_while(|at| send_corrupt(*at, flip)).count();
        assert!(changed > 100, "{changed}");
    }
}

#[test]
fn a_broker_that_answers_garbage_ends_every_send_by_its_deadline_and_is_used_again() {
    for seed in 0..20 {
        let (mut world, client) = warm(seed);
        let mut next = seed;
        world.tamper(move |endpoint, way, bytes| {
            if endpoint == BROKER && way == Way::Down {
                bytes.iter_mut().for_each(|byte| {
                    next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *byte = (next >> 33) as u8;
                });
            }
        });
        let ops: Vec<_> = (0..20).map(|n| send(&mut world, client, &n.to_string())).collect();
        world.run_for(3 * SECOND);
        ops.iter().for_each(|op| said_truly(&world, client, *op));
        world.tamper_no_more();
        tries_until_stored(&mut world, client);
    }
}

#[test]
fn fault_21_ten_minutes_without_any_nameserver_stop_no_send() {
    let (mut world, client) = warm(4);
    world.door(NS, Door::Refuse);
    world.cut_all(NS);
    for n in 0..120 {
        world.run_for(5 * SECOND);
        store(&mut world, client, &n.to_string());
    }
    // A connection is made anew without them, too.
    world.cut_all(BROKER);
    store(&mut world, client, "again");
    world.door(NS, Door::Open);
    let asked = world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC);
    let back = world.run_until(90 * SECOND, |world| {
        world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC) > asked
    });
    assert!(back.is_some(), "the route is never asked for again");
}

#[test]
fn fault_26_a_broker_that_comes_and_goes_every_second_leaves_nothing_behind() {
    let (mut world, client) = warm(5);
    world.run_for(60 * SECOND);
    let calm = world.engine(client).stats();
    let mut most = 0;
    let mut ops = Vec::new();
    for n in 0..60 {
        if n % 2 == 0 {
            world.take_down(0)
        } else {
            world.bring_up(0)
        }
        for _ in 0..20 {
            ops.push(send(&mut world, client, &n.to_string()));
            world.run_for(ms(50));
            most = most.max(world.engine(client).stats().timers);
        }
    }
    world.run_for(60 * SECOND);
    let copies = world.all_copies(TOPIC);
    for op in &ops {
        // A send may wait for three seconds, longer than the broker is away.
        let sent = world.sent(client, *op);
        assert!(sent.ended.as_ref().unwrap().result.is_ok());
        assert!(copies.contains_key(sent.id.as_str()), "answered and not there");
    }
    assert!(most < 200, "{most} timers");
    assert_eq!(world.engine(client).stats(), calm);
}

#[test]
fn life_07_a_broker_knows_each_client_of_a_producer_group() {
    let (mut world, client) = warm(6);
    let other = world.client(config());
    for client in [client, other] {
        world.produce(client);
        world.produce(client);
        store(&mut world, client, "x");
    }
    world.run_for(SECOND);
    assert_eq!(world.cluster().producers(0, "producers").len(), 2);
}

#[test]
fn fault_13_large_pulls_from_a_broker_that_writes_slowly_do_not_starve_long_polls() {
    // A Java broker's 256 KiB an answer, at 1 MiB a second, by the scale of 1 to 16.
    const RATE: u64 = 64 << 10;
    let cluster = ClusterConfig { pull_bytes: 16 << 10, ..ClusterConfig::default() };
    let mut world = World::new(1, cluster.topic(TOPIC, 4).topic("small", 1));
    let (reader, sender) = (world.client(config()), world.client(config()));
    let mut subscribe = from_first(GROUP);
    subscribe.topics.push((topic("small"), Filter::All));
    world.subscribe(reader, subscribe, Pace::AtOnce).unwrap();
    world.run_for(5 * SECOND);
    // The sender has connections of its own, which are as slow only towards it.
    world.slow(BROKER, Way::Down, RATE);
    let large = 400;
    for _ in 0..large {
        let op = world.try_send(sender, message(vec![b'x'; 6 << 10])).unwrap();
        world.end_of(sender, op).1.unwrap();
    }
    // They take forty seconds to come. What is small comes between them.
    let small = |one: &&Delivered| one.queue.topic.as_str() == "small";
    for number in 0..8 {
        let op = world.try_send(sender, Message::new(topic("small"), number.to_string())).unwrap();
        world.end_of(sender, op).1.unwrap();
        let came = |world: &World| world.delivered().iter().filter(small).count() == number + 1;
        let took = world.run_until(10 * SECOND, came).unwrap();
        // One answer of each other queue is before it.
        assert!(took < 2 * SECOND, "{took:?}");
        assert!(world.distinct() < large, "the large ones are still coming");
    }
    world.run_until(60 * SECOND, |world| world.distinct() == large + 8).unwrap();
}
