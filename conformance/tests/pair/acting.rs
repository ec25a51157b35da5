//! A slave that stands in for its master: routes give its address as the master's.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{Pace, World};
use rocketry_core::config::Config;

use crate::setting::*;

const MASTER: usize = 0;
const SLAVE: usize = 1;

/// With much to read.
fn begin(seed: u64) -> World {
    let cluster =
        ClusterConfig { acting_masters: true, slave_reads: true, ..ClusterConfig::default() };
    let mut world = without_retries(World::new(seed, cluster.slaves().topic(TOPIC, 2)));
    let producer = world.client(config());
    store_many(&mut world, producer, 200);
    world
}

fn quick() -> Config {
    let mut config = config();
    config.route_refresh_interval = 2 * SECOND;
    config
}

fn stored(world: &World, broker: usize) -> i64 {
    let of = |queue| world.cluster().committed(broker, GROUP, TOPIC, queue).unwrap_or(0);
    of(0) + of(1)
}

fn holder(world: &World, broker: usize) -> [Option<&str>; 2] {
    [0, 1].map(|queue| world.cluster().lock_holder(broker, (GROUP, TOPIC), queue))
}

/// The master goes while there is much to read, and comes back before it ends.
fn over_an_absence(world: &mut World, mut look: impl FnMut(&World, usize)) {
    world.run_for(5 * SECOND);
    look(world, MASTER);
    let (before, kept) = (world.distinct(), stored(world, MASTER));
    assert!(before > 10 && before < 100, "{before}");
    world.take_down(MASTER);
    world.run_for(20 * SECOND);
    look(world, SLAVE);
    assert!(world.distinct() > before + 20, "{} of {before}", world.distinct());
    assert!(stored(world, SLAVE) > kept + 20, "{} of {kept}", stored(world, SLAVE));
    assert!(world.distinct() < 190, "{}: there is something left", world.distinct());
    // What it was told it has forgotten, as one does that is killed, and its slave follows it.
    world.with_cluster(|cluster| {
        for queue in [0, 1] {
            cluster.set_committed(MASTER, GROUP, TOPIC, queue, kept / 4);
        }
    });
    world.bring_up(MASTER);
    world.run_until(120 * SECOND, |world| world.distinct() == 200).unwrap();
    world.run_until(10 * SECOND, |world| stored(world, MASTER) == 200).unwrap();
    look(world, MASTER);
}

#[test]
fn fault_35_an_acting_master_is_read_and_told_the_offsets_and_so_is_the_master_when_it_is_back() {
    for seed in 0..5 {
        let mut world = begin(seed);
        let client = world.client(quick());
        let mut subscribe = from_first(GROUP);
        subscribe.options = subscribe.options.pull_batch(2).queue_messages(2);
        world.subscribe(client, subscribe, Pace::Within(2 * SECOND)).unwrap();
        over_an_absence(&mut world, |_, _| ());
    }
}

#[test]
fn fault_35_orderly_consumers_lock_at_an_acting_master_and_again_at_the_master() {
    for seed in 0..5 {
        let mut world = begin(seed);
        let members = [(); 2].map(|()| {
            let client = world.client(quick());
            let mut subscribe = from_first(GROUP);
            subscribe.options = subscribe.options.orderly();
            world.subscribe(client, subscribe, Pace::InOrder(SECOND)).unwrap();
            client
        });
        let ids = |world: &World| members.map(|one| world.engine(one).client_id().to_string());
        over_an_absence(&mut world, |world, broker| {
            let ids = ids(world);
            let mut holders = holder(world, broker);
            holders.sort_unstable();
            let mut wanted = ids.each_ref().map(|id| Some(&**id));
            wanted.sort_unstable();
            assert_eq!(holders, wanted, "{seed}: at {broker}");
        });
    }
}
