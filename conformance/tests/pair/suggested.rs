//! Slaves that brokers suggest to read at (`suggestWhichBrokerId`).

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Pace, World};

use crate::setting::*;

const MASTER: usize = 0;
const SLAVE: usize = 1;

/// A master and its slave, which remain in the routes while they are down where they are not
/// hidden; and one who consumes a queue.
fn begin(hidden: bool) -> (World, ClientId) {
    let cluster = ClusterConfig { hide_down_brokers: hidden, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(1, cluster.slaves().topic(TOPIC, 1)));
    let client = world.client(config());
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 1);
    world.run_until(5 * SECOND, |world| held(world) == (1, 0)).unwrap();
    (world, client)
}

/// Pulls that wait at the master, and at the slave.
fn held(world: &World) -> (usize, usize) {
    (world.cluster().held_pulls(MASTER), world.cluster().held_pulls(SLAVE))
}

fn suggest(world: &mut World, id: u64) {
    world.with_cluster(|cluster| [MASTER, SLAVE].map(|at| cluster.set_suggested(at, id)));
}

#[test]
fn pull_08_a_suggestion_is_followed_and_left_again() {
    let (mut world, client) = begin(true);
    let slave = world.cluster().endpoint(SLAVE).unwrap().to_owned();
    assert_eq!(world.open_links(&slave), 0, "nobody connects to a slave that is not suggested");
    suggest(&mut world, 1);
    store(&mut world, client, "a");
    let took = world.run_until(60 * SECOND, |world| held(world) == (0, 1)).unwrap();
    assert!(took < 20 * SECOND, "{took:?}: with the answer after the slave knows us");
    for i in 0..5 {
        let (before, body) = (world.distinct(), format!("b{i}"));
        store(&mut world, client, &body);
        let took = world.run_until(SECOND, |world| world.distinct() == before + 1).unwrap();
        assert!(took < ms(200), "{took:?}: the slave wakes it");
        world.run_until(SECOND, |world| held(world) == (0, 1)).unwrap();
    }
    suggest(&mut world, 0);
    store(&mut world, client, "c");
    world.run_until(SECOND, |world| held(world) == (1, 0)).unwrap();
    world.run_for(30 * SECOND);
    assert_eq!((held(&world), world.distinct()), ((1, 0), 8));
    assert_eq!(committed(&world), Some(8));
}

#[test]
fn pull_08_one_that_the_route_does_not_have_is_not_followed() {
    for id in [2, 7, u64::MAX / 2] {
        let (mut world, client) = begin(true);
        suggest(&mut world, id);
        for i in 0..5 {
            store(&mut world, client, &format!("a{i}"));
            world.run_for(SECOND);
        }
        assert_eq!((held(&world), world.distinct()), ((1, 0), 6));
    }
}

#[test]
fn pull_08_while_the_slave_is_away_its_master_is_read_from() {
    let (mut world, client) = begin(false);
    suggest(&mut world, 1);
    world.take_down(SLAVE);
    for i in 0..5 {
        store(&mut world, client, &format!("a{i}"));
        world.run_for(SECOND);
    }
    assert_eq!((held(&world), world.distinct()), ((1, 0), 6));
    world.bring_up(SLAVE);
    store(&mut world, client, "b");
    world.run_until(60 * SECOND, |world| held(world) == (0, 1)).unwrap();
    // Its connection ends in the midst of a pull.
    world.take_down(SLAVE);
    world.run_for(SECOND);
    assert_eq!(held(&world), (1, 0));
    store(&mut world, client, "c");
    world.run_until(SECOND, |world| world.distinct() == 8).unwrap();
}

#[test]
fn fault_24_a_slave_that_is_there_is_read_from_as_soon_as_the_master_is_not() {
    let (mut world, client) = begin(false);
    suggest(&mut world, 1);
    store(&mut world, client, "a");
    world.run_until(60 * SECOND, |world| held(world) == (0, 1)).unwrap();
    suggest(&mut world, 0);
    store(&mut world, client, "b");
    world.run_until(SECOND, |world| held(world) == (1, 0)).unwrap();
    // The slave keeps what waits, and does not send it back to a master that is away.
    world.with_cluster(|cluster| cluster.set_suggested(SLAVE, 1));
    world.take_down(MASTER);
    let took = world.run_until(10 * SECOND, |world| held(world) == (0, 1)).unwrap();
    assert!(took < SECOND, "{took:?}");
    world.bring_up(MASTER);
    suggest(&mut world, 0);
    world.run_until(60 * SECOND, |world| held(world) == (1, 0)).unwrap();
    store(&mut world, client, "c");
    world.run_until(SECOND, |world| world.distinct() == 4).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(committed(&world), Some(4), "the master is told when it is back");
}
