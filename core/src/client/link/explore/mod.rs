//! Every order of what two callers, the connection's reader, its writing task and a close do with
//! one link.

mod actors;
mod world;

use std::collections::HashMap;

use world::{Kind, Plan, World};

/// All worlds that a plan can lead to.
#[derive(Default)]
struct Explored {
    places: HashMap<String, usize>,
    worlds: Vec<World>,
    /// The world before, and what was done to it.
    from: Vec<Option<(usize, String)>>,
    /// Which worlds lead to each.
    before: Vec<Vec<usize>>,
}

impl Explored {
    /// Goes through all orders, depth first, and looks at each world.
    fn new(plan: &Plan) -> Self {
        let mut found = Self::default();
        let mut open = vec![found.place(World::new(plan), None)];
        while let Some(at) = open.pop() {
            for (done, next) in found.worlds[at].steps(plan) {
                let known = found.worlds.len();
                let place = found.place(next, Some((at, done)));
                found.before[place].push(at);
                if place == known {
                    let wrong = found.worlds[place].wrong();
                    assert!(wrong.is_none(), "{}: {}", wrong.unwrap_or_default(), found.way(place));
                    open.push(place);
                }
            }
        }
        found
    }

    fn place(&mut self, world: World, from: Option<(usize, String)>) -> usize {
        let known = self.worlds.len();
        let place = *self.places.entry(format!("{world:?}")).or_insert(known);
        if place == known {
            self.worlds.push(world);
            self.from.push(from);
            self.before.push(Vec::new());
        }
        place
    }

    /// How a world came about.
    fn way(&self, place: usize) -> String {
        let (mut steps, mut at) = (Vec::new(), place);
        while let Some((before, step)) = &self.from[at] {
            steps.push(step.as_str());
            at = *before;
        }
        steps.reverse();
        format!("{}\n{:#?}", steps.join(", "), self.worlds[place])
    }

    /// From every world there is a way to an end.
    fn assert_ends(&self) {
        let mut ends = vec![false; self.worlds.len()];
        let mut open: Vec<_> =
            (0..ends.len()).filter(|place| self.worlds[*place].has_ended()).collect();
        open.iter().for_each(|place| ends[*place] = true);
        while let Some(place) = open.pop() {
            for before in &self.before[place] {
                if !std::mem::replace(&mut ends[*before], true) {
                    open.push(*before);
                }
            }
        }
        let stuck = ends.iter().position(|ends| !ends);
        assert!(stuck.is_none(), "no end after {}", self.way(stuck.unwrap_or_default()));
    }
}

fn explore(name: &str, plan: &Plan) {
    let explored = Explored::new(plan);
    explored.assert_ends();
    println!("{name}: {} states", explored.worlds.len());
}

use Kind::{Oneway, Pull, Query, Send};

/// Threads: callers read for themselves, and write while few sends are in flight.
const THREADS: Plan =
    Plan { calls: &[], alone: 32, lends: true, partial: 0, breaks: 0, closes: false };

/// Tasks: a caller writes while it is alone.
const TASKS: Plan = Plan { alone: 1, lends: false, ..THREADS };

#[test]
fn two_callers_on_threads_have_all_written_or_the_link_closes() {
    let calls = &[(0, Send), (0, Send), (1, Send)];
    explore("threads", &Plan { calls, ..THREADS });
    explore("threads, a close", &Plan { calls, closes: true, ..THREADS });
    explore("threads, a full system", &Plan { calls, partial: 1, ..THREADS });
    explore("threads, a broken write", &Plan { calls, breaks: 1, ..THREADS });
}

#[test]
fn four_sends_on_threads_are_all_written() {
    let calls = &[(0, Send), (0, Send), (1, Send), (1, Send)];
    explore("threads, two and two", &Plan { calls, ..THREADS });
}

#[test]
fn two_callers_of_tasks_have_all_written_or_the_link_closes() {
    let calls = &[(0, Send), (0, Send), (1, Send), (1, Send)];
    explore("tasks", &Plan { calls, ..TASKS });
    let calls = &[(0, Send), (0, Send), (1, Send)];
    explore("tasks, all troubles", &Plan { calls, partial: 1, breaks: 1, closes: true, ..TASKS });
}

#[test]
fn one_that_asks_and_one_that_wants_no_answer_hinder_nobody() {
    let calls = &[(0, Send), (0, Send), (1, Query)];
    explore("threads, a query", &Plan { calls, partial: 1, ..THREADS });
    let calls = &[(0, Send), (0, Oneway), (1, Send)];
    explore("threads, a oneway send", &Plan { calls, partial: 1, ..THREADS });
    explore("tasks, a oneway send", &Plan { calls, partial: 1, closes: true, ..TASKS });
}

#[test]
fn a_thread_that_reads_messages_and_gives_up_hinders_nobody() {
    let calls = &[(0, Pull), (0, Pull), (1, Send)];
    explore("threads, messages and a send", &Plan { calls, partial: 1, closes: true, ..THREADS });
    let calls = &[(0, Pull), (1, Pull)];
    explore("threads, two for messages", &Plan { calls, closes: true, ..THREADS });
    let calls = &[(0, Pull), (1, Query)];
    explore("threads, messages and a query", &Plan { calls, closes: true, ..THREADS });
}
