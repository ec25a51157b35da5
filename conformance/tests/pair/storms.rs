//! Faults drawn at random for thirty seconds, then calm: nothing is lost, late or left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rocketry_conformance::sim::{
    BroadcastScene, DealScene, GroupScene, Gust, PollScene, Scene, broadcast, course, deals,
    groups, polls,
};

use crate::observing::assert_balanced;

/// Storms from seed to seed, and what they came to.
fn storms(seeds: std::ops::Range<u64>, scene: impl Fn(u64) -> Scene) {
    let (mut steps, mut stored, mut delivered, mut worst) = (0, 0, 0, Duration::ZERO);
    let mut struck: BTreeMap<Gust, u64> = BTreeMap::new();
    let start = Instant::now();
    for seed in seeds.clone() {
        let shown = Shown(seed);
        let course = course(seed, &scene(seed));
        for client in &course.producers {
            assert_balanced(&course.world, *client);
        }
        drop(shown);
        (steps, stored) =
            (steps + course.world.steps(), stored + course.world.cluster().stored("topic_a"));
        (delivered, worst) = (delivered + course.world.delivered().len(), worst.max(course.took));
        for (gust, count) in course.world.struck() {
            *struck.entry(*gust).or_default() += count;
        }
    }
    let rate = (seeds.end - seeds.start) as f64 / start.elapsed().as_secs_f64() * 60.0;
    println!(
        "storms {seeds:?}: {rate:.0} seeds a minute, {steps} steps, {stored} messages stored, \
         {delivered} deliveries, the last one {worst:?} after the calm\n{struck:?}"
    );
}

/// Names the seed when its storm fails.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the storm of seed {} failed", self.0);
        }
    }
}

#[test]
fn fault_32_nothing_is_lost_in_storms_1_to_18() {
    storms(1..19, Scene::network);
}

#[test]
fn fault_32_nothing_is_lost_in_storms_19_to_36() {
    storms(19..37, Scene::network);
}

#[test]
fn fault_32_nothing_is_lost_in_storms_37_to_54() {
    storms(37..55, Scene::network);
}

#[test]
fn fault_32_nothing_is_lost_where_routes_change_too() {
    storms(1..25, Scene::all);
}

/// Storms upon groups of consumers from seed to seed, and what they came to.
fn group_storms(seeds: std::ops::Range<u64>, scene: impl Fn(u64) -> GroupScene) {
    let (mut stored, mut delivered, mut repeated, mut dead, mut deeds) = (0, 0, 0, 0, 0);
    let (mut worst, mut most) = (Duration::ZERO, 0);
    let mut struck: BTreeMap<Gust, u64> = BTreeMap::new();
    let start = Instant::now();
    for seed in seeds.clone() {
        let shown = Shown(seed);
        let course = groups(seed, &scene(seed));
        drop(shown);
        stored +=
            ["topic_a", "topic_b"].map(|t| course.world.cluster().stored(t)).iter().sum::<u64>();
        delivered += course.world.delivered().len();
        (repeated, most) = (repeated + course.repeated, most.max(course.repeated));
        (dead, deeds, worst) = (dead + course.dead, deeds + course.deeds, worst.max(course.took));
        for (gust, count) in course.world.struck() {
            *struck.entry(*gust).or_default() += count;
        }
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "storms upon groups {seeds:?}: {took:.0} s, {stored} messages stored, {delivered} \
         deliveries, {dead} dead letters, {deeds} deeds, {repeated} repetitions, at most {most} \
         in a storm, the last message settled {worst:?} after the calm\n{struck:?}"
    );
}

#[test]
fn fault_32_no_group_loses_anything_in_storms_1_to_3() {
    group_storms(1..4, GroupScene::new);
}

#[test]
fn fault_32_no_group_loses_anything_in_storms_4_to_6() {
    group_storms(4..7, GroupScene::new);
}

/// Storms upon consumers that are polled, from seed to seed, and what they came to.
fn poll_storms(seeds: std::ops::Range<u64>) {
    let (mut polled, mut seeks, mut worst) = (0, 0, Duration::ZERO);
    let start = Instant::now();
    for seed in seeds.clone() {
        let shown = Shown(seed);
        let course = polls(seed, &PollScene::default());
        drop(shown);
        (polled, seeks) = (polled + course.polled, seeks + course.seeks);
        worst = worst.max(course.took);
    }
    let rate = (seeds.end - seeds.start) as f64 / start.elapsed().as_secs_f64() * 60.0;
    println!(
        "storms upon pollers {seeds:?}: {rate:.0} seeds a minute, {polled} messages polled, \
         {seeks} seeks, all of it polled {worst:?} after the calm"
    );
}

/// Storms upon a group that broadcasts from seed to seed, and what they came to.
fn broadcast_storms(seeds: std::ops::Range<u64>) {
    let (mut lives, mut torn, mut delivered, mut worst) = (0, 0, 0, Duration::ZERO);
    for seed in seeds.clone() {
        let shown = Shown(seed);
        let course = broadcast(seed, &BroadcastScene::new(seed));
        drop(shown);
        (lives, torn) = (lives + course.lives, torn + course.torn);
        delivered += course.world.delivered().len();
        worst = worst.max(course.took);
    }
    println!(
        "storms upon a group that broadcasts {seeds:?}: {lives} lives of members, {torn} files \
         torn, {delivered} deliveries, all stored {worst:?} after the calm at most"
    );
}

/// Storms upon transactions from seed to seed, and what they came to.
fn deal_storms(seeds: std::ops::Range<u64>) {
    let (mut begun, mut committed, mut checked, mut copies, mut doubled) = (0, 0, 0, 0, 0);
    let start = Instant::now();
    for seed in seeds.clone() {
        let shown = Shown(seed);
        let course = deals(seed, &DealScene::default());
        drop(shown);
        (begun, committed) = (begun + course.begun, committed + course.committed);
        doubled += course.doubled;
        (checked, copies) = (checked + course.checked, copies + course.copies);
    }
    let rate = (seeds.end - seeds.start) as f64 / start.elapsed().as_secs_f64() * 60.0;
    println!(
        "storms upon transactions {seeds:?}: {rate:.0} seeds a minute, {begun} begun, {committed} \
         committed, {doubled} of them by two clients, {checked} checks, {copies} copies rolled back"
    );
}

#[test]
fn txn_06_each_transaction_has_one_end_in_storms_1_to_8() {
    deal_storms(1..9);
}

#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_DEALS=500"]
fn txn_06_each_transaction_has_one_end_in_as_many_storms_as_wanted() {
    deal_storms(seeds(number("STORM_DEALS", 200)));
}

#[test]
fn pull_14_seeks_under_load_skip_nothing_in_storms_1_to_20() {
    poll_storms(1..21);
}

#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_POLLS=500"]
fn pull_14_seeks_under_load_skip_nothing_in_as_many_storms_as_wanted() {
    poll_storms(seeds(number("STORM_POLLS", 200)));
}

#[test]
fn fault_32_each_that_broadcasts_handles_all_in_storms_1_to_6() {
    broadcast_storms(1..7);
}

/// As many as wanted, as below.
#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_COUNT=500"]
fn fault_32_each_that_broadcasts_handles_all_in_as_many_storms_as_wanted() {
    broadcast_storms(seeds(number("STORM_COUNT", 200)));
}

#[test]
fn ord_09_order_holds_and_no_queue_has_two_holders_in_storms_1_and_2() {
    group_storms(1..3, GroupScene::orderly);
}

#[test]
fn ord_09_order_holds_and_no_queue_has_two_holders_in_storms_3_and_4() {
    group_storms(3..5, GroupScene::orderly);
}

fn number(name: &str, else_: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(else_)
}

/// So many seeds from the one that `STORM_SEED` tells.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let first = number("STORM_SEED", 1000);
    first..first + count
}

/// The kinds of faults that `STORM_GUSTS` names.
fn gusts() -> Option<Vec<Gust>> {
    let only = std::env::var("STORM_GUSTS").ok()?;
    let known: BTreeSet<Gust> = Gust::ALL.iter().chain(Gust::GROUPS).copied().collect();
    let named = |gust: &Gust| only.split(',').any(|name| name == format!("{gust:?}"));
    let gusts: Vec<Gust> = known.into_iter().filter(named).collect();
    assert!(!gusts.is_empty(), "no gust is named so: {only}");
    Some(gusts)
}

/// As many storms upon groups as wanted, as below.
#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_GROUPS=500 STORM_GUSTS=Move,Cut"]
fn fault_32_no_group_loses_anything_in_as_many_storms_as_wanted() {
    let gusts = gusts();
    group_storms(seeds(number("STORM_GROUPS", 100)), |seed| match &gusts {
        Some(gusts) => GroupScene::of(seed, gusts.clone()),
        None => GroupScene::new(seed),
    });
}

/// The same with a group that handles messages in their order.
#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_GROUPS=500"]
fn ord_09_order_holds_in_as_many_storms_as_wanted() {
    group_storms(seeds(number("STORM_GROUPS", 100)), GroupScene::orderly);
}

/// As many storms as wanted, from the seed on that `STORM_SEED` tells, of the kinds of faults that
/// `STORM_GUSTS` names, or of all.
#[test]
#[ignore = "for long runs by hand: STORM_SEED=1000 STORM_COUNT=500 STORM_GUSTS=Move,Cut"]
fn fault_32_nothing_is_lost_in_as_many_storms_as_wanted() {
    let gusts = gusts();
    storms(seeds(number("STORM_COUNT", 200)), |seed| match &gusts {
        Some(gusts) => Scene::of(seed, gusts.clone()),
        None => Scene::all(seed),
    });
}
