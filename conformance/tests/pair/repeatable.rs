//! The same seed gives the same run; another seed another run with the same outcome.

use rocketry_conformance::sim::{Pace, World};

use crate::setting::*;

fn run(seed: u64, faults: bool) -> World {
    let (mut world, client) = pair(seed, 8);
    consume(&mut world, client, Pace::Within(ms(50)));
    let other = world.client(config());
    consume(&mut world, other, Pace::Within(ms(50)));
    for i in 0..200 {
        world.later(ms(25 * i), move |world| {
            send(world, client, &i.to_string());
        });
    }
    if faults {
        world.storm(8 * SECOND, ms(300));
    }
    world.run_for(30 * SECOND);
    world
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for (seed, faults) in [(1, false), (2, true), (3, true), (4, true)] {
        let (first, second) = (run(seed, faults), run(seed, faults));
        let lines = first.trace().lines();
        assert!(lines > 500, "{lines}");
        assert_eq!(first.steps(), second.steps());
        let mut lines = first.trace().text().lines().zip(second.trace().text().lines());
        assert_eq!(lines.find(|(a, b)| a != b), None);
        assert_eq!(first.delivered(), second.delivered());
    }
}

#[test]
fn another_seed_gives_another_trace_and_the_same_outcome() {
    let runs: Vec<World> = (1..6).map(|seed| run(seed, false)).collect();
    for pair in runs.windows(2) {
        assert_ne!(pair[0].trace().text(), pair[1].trace().text());
    }
    for world in runs {
        assert_eq!((world.distinct(), world.cluster().stored(TOPIC)), (200, 200));
    }
}
