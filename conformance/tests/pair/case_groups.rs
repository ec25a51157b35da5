//! Rows of the catalogue about offsets, members and brokers of a group, under virtual time.

use rocketry_conformance::broker::{Fault, ListenerId};
use rocketry_conformance::sim::{ClientId, Pace, Way, World};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::name::QueueName;

use crate::setting::*;

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;
const OTHER: &str = "127.0.0.1:10921";

fn committed(world: &World, broker: usize, queue: i32) -> i64 {
    world.cluster().committed(broker, GROUP, TOPIC, queue).unwrap_or(0)
}

fn queues(world: &World, (client, sub): (ClientId, SubscriptionId)) -> Vec<QueueName> {
    let mut queues = world.engine(client).queues(sub);
    queues.sort_by_key(|queue| (queue.broker.clone(), queue.queue));
    queues
}

#[test]
fn off_08_no_commit_moves_an_offset_back_while_members_come_and_go() {
    for seed in 1..=8 {
        let (mut world, client) = pair(seed, 4);
        consume(&mut world, client, Pace::AtOnce);
        let mut last = [0; 4];
        let mut other = None;
        for round in 0..60 {
            for body in 0..8 {
                send(&mut world, client, &format!("{round}-{body}"));
            }
            match round % 15 {
                4 => {
                    let client = world.client(config());
                    other = Some((client, consume(&mut world, client, Pace::AtOnce)));
                }
                12 => {
                    let (client, sub) = other.take().unwrap();
                    world.leave(client, sub).unwrap();
                }
                _ => {}
            }
            for _ in 0..10 {
                world.run_for(ms(100));
                for (queue, last) in last.iter_mut().enumerate() {
                    let now = committed(&world, 0, queue as i32);
                    assert!(now >= *last, "{seed}: queue {queue} went from {last} to {now}");
                    *last = now;
                }
            }
        }
        world.run_for(10 * SECOND);
        assert_eq!((0..4).map(|queue| committed(&world, 0, queue)).sum::<i64>(), 480);
        assert_eq!(world.distinct(), 480);
    }
}

#[test]
fn off_15_a_broker_that_refuses_commits_keeps_the_others_from_none() {
    let mut world = brokers(1, 2, 2);
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    let refused = vec![Fault::Refuse(ResponseCode::SYSTEM_ERROR); 40];
    world.with_cluster(|cluster| cluster.push_faults_at(ListenerId::Broker(0), COMMIT, refused));
    store_many(&mut world, client, 80);
    world.run_for(8 * SECOND);
    let at = |world: &World, broker| (0..2).map(|queue| committed(world, broker, queue)).sum();
    let all: (i64, i64) = (at(&world, 0), at(&world, 1));
    assert_eq!(all.0, 0);
    assert_eq!(all.1, world.cluster().stored_on(1, TOPIC) as i64);
    world.with_cluster(|cluster| cluster.clear_faults());
    world.run_for(8 * SECOND);
    assert_eq!(at(&world, 0) + all.1, 80);
}

#[test]
fn fault_31_who_is_cut_off_from_one_broker_keeps_its_queues_and_reads_the_others() {
    let mut world = brokers(2, 2, 4);
    let one = world.client(config());
    let first = (one, consume(&mut world, one, Pace::AtOnce));
    world.run_for(5 * SECOND);
    let two = world.client(config());
    let second = (two, consume(&mut world, two, Pace::AtOnce));
    world.run_for(5 * SECOND);
    let shares = [queues(&world, first), queues(&world, second)];
    assert_eq!(shares.each_ref().map(Vec::len), [4, 4]);
    // Whatever the second one connects to the second broker with is dead.
    let until = 60;
    for second in 0..until {
        world.later(second * SECOND, |world| {
            for number in 1..world.open_links(OTHER) {
                world.stall_one(OTHER, number, Way::Up);
                world.stall_one(OTHER, number, Way::Down);
            }
        });
    }
    world.run_for(2 * SECOND);
    let sender = world.client(config());
    let on = |world: &World, broker: &str| {
        let of = |one: &&rocketry_conformance::sim::Delivered| &*one.queue.broker == broker;
        world.delivered().iter().filter(of).count()
    };
    let before = [on(&world, "broker-a"), on(&world, "broker-b")];
    // A sender of its own would be cut off as well: its links to that broker come later.
    let mut sent = 0;
    for _ in 0..50 {
        world.run_for(SECOND);
        let queue = QueueName { queue: sent % 4, ..shares[0][0].clone() };
        let queue = QueueName { broker: "broker-a".into(), ..queue };
        let options = rocketry_core::producer::SendOptions::to(&queue);
        world.send_with(sender, message(sent.to_string()), options).unwrap();
        sent += 1;
    }
    world.run_for(SECOND);
    assert_eq!(on(&world, "broker-a") - before[0], sent as usize, "the other broker's queues wait");
    assert_eq!([queues(&world, first), queues(&world, second)], shares, "queues were taken");
    world.run_for(until * SECOND);
    world.unstall_all();
    world.run_for(60 * SECOND);
    store_many(&mut world, sender, 40);
    world.run_until(10 * SECOND, |world| world.distinct() == sent as usize + 40).unwrap();
}

#[test]
fn limit_08_a_hundred_consumers_of_one_client_share_its_connections() {
    let mut world = brokers(3, 2, 1);
    let client = world.client(config());
    for number in 0..100 {
        world.subscribe(client, from_first(&format!("group_{number}")), Pace::AtOnce).unwrap();
    }
    world.run_for(10 * SECOND);
    store(&mut world, client, "x");
    world.run_until(10 * SECOND, |world| world.delivered().len() == 100).unwrap();
    world.run_for(60 * SECOND);
    assert_eq!([BROKER, OTHER].map(|at| world.open_links(at)), [1, 1]);
}
