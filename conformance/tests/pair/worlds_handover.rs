//! Every order of what happens when one queue with three messages goes from one of two consumers to
//! the other: joining, notices, shares, the pause of a hand-over, pulls, verdicts, commits,
//! leaving, and a broker that loses offsets.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{Choices, ClientId, Pace, Reads, Split, World};
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

const READS: [Reads<'static>; 2] = [
    Reads { group: GROUP, topic: TOPIC, tag: None },
    Reads { group: GROUP, topic: "%RETRY%group_a", tag: None },
];

/// How the one who had the queue first goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stays,
    Leaves,
    Finishes,
    Crashes,
}

/// What happens, in whatever order.
#[derive(Clone, Copy, Debug)]
struct Plot {
    end: End,
    /// The second message is sent back each time.
    back: bool,
    /// The broker is killed and loses offsets.
    killed: bool,
}

/// How long the order of things is chosen.
const PLOT: Duration = Duration::from_secs(3);
/// Two looks at the shares.
const LOOKS: Duration = Duration::from_secs(50);
/// By then all is settled and stored.
const CALM: Duration = Duration::from_secs(60);

fn begin(plot: Plot) -> (World, [ClientId; 2]) {
    let levels = [ms(100); 4];
    let mut world = World::new(1, ClusterConfig::default().topic(TOPIC, 1).delay_levels(levels));
    world.split(Split::Whole);
    world.latency(ms(1), Duration::from_nanos(1));
    world.compute_takes(ms(1));
    // The one who comes later has the lower id: the queue goes to it.
    let clients = [(); 2].map(|()| {
        let mut config = config();
        config.max_reconsume_times = 1;
        world.client(config)
    });
    let producer = world.client(config());
    for (number, kind) in
        ["good", if plot.back { "hopeless" } else { "good" }, "good"].into_iter().enumerate()
    {
        store(&mut world, producer, &format!("{kind} {number}"));
    }
    (world, clients)
}

fn goes(world: &mut World, plot: Plot, client: ClientId, sub: SubscriptionId) {
    match plot.end {
        End::Stays => {}
        End::Leaves => world.leave(client, sub).unwrap(),
        End::Finishes => world.drain(client, sub, SECOND).unwrap(),
        End::Crashes => world.vanish(client),
    }
}

fn look(world: &mut World) {
    READS.into_iter().for_each(|reads| world.assert_kept(reads));
}

fn stored(world: &World, topic: &str) -> bool {
    let cluster = world.cluster();
    let end = cluster.max_offset(0, topic, 0).unwrap_or_default() as i64;
    cluster.committed(0, GROUP, topic, 0).unwrap_or_default() == end
}

/// One world.
fn play(plot: Plot, choices: &mut Choices) {
    let (mut world, [first, second]) = begin(plot);
    let sub = consume(&mut world, second, Pace::Judging(ms(400)));
    let later = Rc::new(Cell::new(None));
    let joined = later.clone();
    world.later(ms(300), move |world| {
        joined.set(Some(consume(world, first, Pace::Judging(ms(400)))));
    });
    world.later(ms(800), move |world| goes(world, plot, second, sub));
    if plot.killed {
        world.later(ms(600), |world| {
            world.crash(0);
            world.later(ms(200), |world| world.bring_up(0));
        });
    }
    world.run_by(choices, PLOT, look);
    let settled = |world: &World| {
        READS.iter().all(|reads| stored(world, reads.topic))
            && world.cluster().stored("%DLQ%group_a") >= u64::from(plot.back)
    };
    let limit = world.now() + CALM;
    while !settled(&world) {
        assert!(world.step(limit), "the offsets are not at their ends");
        look(&mut world);
    }
    assert_eq!(world.distinct(), 3);
    let dead = world.dead_letters(GROUP);
    assert_eq!(dead.len(), usize::from(plot.back), "{dead:?}");
    world.run_for(LOOKS);
    look(&mut world);
    let owned = [first, second]
        .map(|client| if world.is_gone(client) { 0 } else { world.held(client, GROUP).len() });
    assert_eq!(owned, [2, 0], "the queue and the one of the retry topic");
    let loses = plot.killed || plot.end == End::Crashes;
    if !loses && !choices.is_late() {
        assert_eq!(world.repeated(GROUP).handled, 0, "what was settled came again");
    }
}

/// Every world with so many choices out of the ordinary, or the first `most` of them.
fn explore(plot: Plot, odd: usize, most: usize) -> (usize, usize) {
    let (mut next, mut worlds, mut longest) = (Some(Choices::default()), 0, 0);
    while let Some(mut choices) = next.filter(|_| worlds < most) {
        let shown = Shown(plot, choices.clone());
        play(plot, &mut choices);
        drop(shown);
        worlds += 1;
        longest = longest.max(choices.len());
        next = choices.next(odd);
    }
    (worlds, longest)
}

/// All worlds of one end, with one choice out of the ordinary; half of the plots where nothing is
/// optimised.
fn explore_all(end: End) {
    let start = Instant::now();
    let plots = [(false, false), (true, true), (true, false), (false, true)];
    let (mut worlds, mut longest) = (0, 0);
    let most = if cfg!(debug_assertions) { 2 } else { plots.len() };
    for (back, killed) in plots.into_iter().take(most) {
        let (count, choices) = explore(Plot { end, back, killed }, 1, usize::MAX);
        (worlds, longest) = (worlds + count, longest.max(choices));
    }
    println!("{end:?}: {worlds} worlds of up to {longest} choices in {:?}", start.elapsed());
    assert!(worlds > 200 * most, "{worlds}");
}

#[test]
fn reb_12_in_every_order_of_things_a_queue_is_handed_over_to_one_who_joins() {
    explore_all(End::Stays);
}

#[test]
fn reb_12_in_every_order_of_things_a_queue_is_handed_over_by_one_who_leaves() {
    explore_all(End::Leaves);
}

#[test]
fn reb_12_in_every_order_of_things_a_queue_is_handed_over_by_one_who_finishes() {
    explore_all(End::Finishes);
}

#[test]
fn reb_12_in_every_order_of_things_a_queue_is_taken_from_one_who_crashes() {
    explore_all(End::Crashes);
}

/// Two choices out of the ordinary, in so many worlds of each plot.
#[test]
#[ignore = "for long runs: half a million worlds, or WORLDS of each plot"]
fn reb_12_in_every_order_of_things_with_two_out_of_the_ordinary() {
    let most = std::env::var("WORLDS").ok().and_then(|text| text.parse().ok());
    for end in [End::Stays, End::Leaves, End::Finishes, End::Crashes] {
        for (back, killed) in [(false, false), (true, false), (false, true), (true, true)] {
            let plot = Plot { end, back, killed };
            let (worlds, longest) = explore(plot, 2, most.unwrap_or(usize::MAX));
            println!("{plot:?}: {worlds} worlds of up to {longest} choices");
        }
    }
}

/// Names the world that fails.
struct Shown(Plot, Choices);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}, given {:?}", self.0, self.1);
        }
    }
}
