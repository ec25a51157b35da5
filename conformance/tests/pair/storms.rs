//! Faults drawn at random for thirty seconds, then calm: nothing is lost, late or left behind.

use std::time::Duration;

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::engine::Cancelled;
use rocketry_core::error::Stored;
use rocketry_core::time::Instant;

use crate::observing::assert_balanced;
use crate::setting::*;

const STORM: Duration = Duration::from_secs(30);
/// After a storm everything stored is delivered within this.
const CALM: Duration = Duration::from_secs(60);

/// Sends a message every 40 ms or so.
fn traffic(world: &mut World, producers: &[ClientId], seed: u64) {
    for i in 0..(STORM.as_millis() as u64 / 40) {
        let client = producers[i as usize % producers.len()];
        world.later(ms(40 * i + (i * seed) % 37), move |world| {
            // Some with a deadline of their own.
            let within = if i % 5 == 0 { ms(200 + 131 * (i % 40)) } else { 3 * SECOND };
            let op = world.send_within(client, message(format!("{i}")), within).unwrap();
            if i % 17 == 0 {
                world.later(ms(i % 90), move |world| {
                    if world.sent(client, op).ended.is_none() {
                        world.cancel(client, op);
                    }
                });
            }
        });
    }
}

/// What everything comes to after a storm.
fn assert_whole(world: &mut World, clients: &[ClientId], calm: Instant) -> Duration {
    world.assert_all_ended();
    let copies = world.all_copies(TOPIC);
    let stored = |id: &str| copies.contains_key(id);
    let mut good = Vec::new();
    for client in clients {
        for sent in world.sends(*client) {
            let id = sent.id.to_string();
            match sent.ended.as_ref().map(|ended| &ended.result) {
                Some(Ok(_)) => good.push(id),
                Some(Err(error)) => match error.stored() {
                    Stored::No => {
                        assert!(!stored(&id), "{id}: {error}");
                    }
                    Stored::Yes => good.push(id),
                    Stored::Unknown => {}
                },
                None => {
                    let removed = sent.cancelled == Some(Cancelled::Removed);
                    assert!(!removed || !stored(&id), "{id} was cancelled");
                }
            }
        }
    }
    assert!(good.len() > 200, "only {} were stored", good.len());
    for id in &good {
        assert!(stored(id), "{id} was answered and is not there");
    }
    let took = world.run_until(CALM, |world| good.iter().all(|id| world.has_delivered(id)));
    if took.is_none() {
        let missing = good.iter().filter(|id| !world.has_delivered(id)).count();
        panic!("{missing} of {} were not delivered", good.len());
    }
    let mut first = std::collections::BTreeMap::new();
    for one in world.delivered() {
        first.entry(one.id.clone().unwrap_or_default()).or_insert(one.at);
    }
    first.into_values().max().unwrap().since(calm)
}

/// Consumers that come and go during the storm; the first one stays.
fn crowd(world: &mut World, seed: u64) -> Vec<ClientId> {
    let members: Vec<ClientId> = (0..4).map(|_| world.client(crate::setting::config())).collect();
    let pace = Pace::Within(ms(1 + 60 * (seed % 9)));
    consume(world, members[0], pace);
    let second = consume(world, members[1], pace);
    let (leaver, doomed, late) = (members[1], members[2], members[3]);
    let seed = seed % 60;
    world.later(ms(8000 + 37 * seed), move |world| {
        consume(world, doomed, pace);
    });
    world.later(ms(15_000 + 101 * seed), move |world| world.leave(leaver, second).unwrap());
    world.later(ms(18_000 + 89 * seed), move |world| world.vanish(doomed));
    world.later(ms(20_000 + 53 * seed), move |world| {
        consume(world, late, pace);
    });
    members
}

/// What one storm came to.
struct Course {
    steps: u64,
    stored: u64,
    delivered: usize,
    /// From the calm until the last message was delivered that had been stored.
    took: Duration,
}

fn storm(seed: u64) -> Course {
    let brokers = 1 + (seed % 2) as usize;
    let mut config = ClusterConfig::default().brokers(brokers).topic(TOPIC, 4);
    config.hide_down_brokers = seed % 4 < 2;
    let mut world = World::new(seed, config);
    let producers: Vec<ClientId> = (0..2).map(|_| world.client(crate::setting::config())).collect();
    let members = crowd(&mut world, seed);
    traffic(&mut world, &producers, seed);
    let calm = world.now() + STORM;
    world.storm(STORM, ms(100 + 50 * (seed % 10)));
    for tick in 1..STORM.as_secs() * 4 {
        world.later(ms(250 * tick), |world| world.assert_none_passed(GROUP, TOPIC));
    }
    world.run_for(STORM + 4 * SECOND);
    let took = assert_whole(&mut world, &producers, calm);
    world.assert_none_passed(GROUP, TOPIC);
    for client in &producers {
        assert_balanced(&world, *client);
    }
    for client in producers.iter().chain(&members) {
        world.shutdown(*client);
    }
    world.run_for(4 * SECOND);
    for client in producers.iter().chain(&members).filter(|client| **client != members[2]) {
        assert!(world.stopped_at(*client).is_some());
        assert_eq!(world.engine(*client).stats(), Default::default());
    }
    let (steps, stored) = (world.steps(), world.cluster().stored(TOPIC));
    Course { steps, stored, delivered: world.delivered().len(), took }
}

fn storms(seeds: std::ops::Range<u64>) {
    let (mut steps, mut stored, mut delivered, mut worst) = (0, 0, 0, Duration::ZERO);
    for seed in seeds.clone() {
        let course = storm(seed);
        (steps, stored) = (steps + course.steps, stored + course.stored);
        (delivered, worst) = (delivered + course.delivered, worst.max(course.took));
    }
    println!(
        "storms {seeds:?}: {steps} steps, {stored} messages stored, {delivered} deliveries, the \
         last one {worst:?} after the calm"
    );
}

#[test]
fn fault_32_nothing_is_lost_in_storms_1_to_18() {
    storms(1..19);
}

#[test]
fn fault_32_nothing_is_lost_in_storms_19_to_36() {
    storms(19..37);
}

#[test]
fn fault_32_nothing_is_lost_in_storms_37_to_54() {
    storms(37..55);
}

/// As many storms as wanted, from the seed on that `STORM_SEED` tells.
#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_COUNT=500"]
fn fault_32_nothing_is_lost_in_as_many_storms_as_wanted() {
    let number = |name: &str, else_: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(else_)
    };
    let (first, count) = (number("STORM_SEED", 1000), number("STORM_COUNT", 200));
    storms(first..first + count);
}
