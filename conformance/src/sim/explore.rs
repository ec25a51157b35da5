//! Small worlds run exhaustively: of all that could happen next, the choice is another one in each
//! run, until every run with so many choices out of the ordinary has been made.
//!
//! Ordinary is what is due first. Anything else is something that comes early: bytes that overtake
//! those of other connections, an application that is quicker, or a timer that runs out while bytes
//! are on their way, so that these are late. What comes on one connection keeps its order.

use std::time::Duration;

use rocketry_core::time::Instant;

use super::app::ClientId;
use super::happening::Happening;
use super::link::{LinkId, Way};
use super::world::World;

/// So much of what is to come can come early.
const HORIZON: Duration = Duration::from_secs(2);

/// The choices of one run, and which run comes next.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// What is to be chosen, as far as that is decided.
    given: Vec<usize>,
    /// What was chosen, and of how many.
    taken: Vec<(usize, usize)>,
    /// A timer ran out while something was on its way.
    late: bool,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        let chosen = self.given.get(self.taken.len()).copied().unwrap_or(0);
        self.taken.push((chosen, of));
        chosen
    }

    /// Whether anything was later than a timer that it should have come before.
    pub const fn is_late(&self) -> bool {
        self.late
    }

    /// How many choices there were.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// What was chosen out of the ordinary: the number of the choice, and what.
    pub fn odd(&self) -> Vec<(usize, usize)> {
        let all = self.taken.iter().enumerate();
        all.filter(|(_, (chosen, _))| *chosen > 0).map(|(at, (chosen, _))| (at, *chosen)).collect()
    }

    /// The next run, depth first, with at most `most` choices out of the ordinary.
    pub fn next(&self, most: usize) -> Option<Self> {
        let odd = |until: usize| self.taken[..until].iter().filter(|(c, _)| *c > 0).count();
        let (at, chosen) = (0..self.taken.len()).rev().find_map(|at| {
            let (chosen, of) = self.taken[at];
            (chosen + 1 < of && odd(at) < most).then_some((at, chosen + 1))
        })?;
        let before = self.taken[..at].iter().map(|(chosen, _)| *chosen);
        Some(Self { given: before.chain([chosen]).collect(), ..Self::default() })
    }
}

/// What keeps its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Bytes(LinkId, Way),
    Link(LinkId),
    Work(ClientId),
    Alone(u64),
}

impl Happening {
    const fn lane(&self, number: u64) -> Lane {
        match self {
            Self::Connected(link) | Self::Refused(link) | Self::Closed(link) => Lane::Link(*link),
            Self::Arrived { link, way, .. } | Self::Ended { link, way, .. } => {
                Lane::Bytes(*link, *way)
            }
            Self::Fetched { client, .. }
            | Self::Computed { client, .. }
            | Self::Disk { client, .. } => Lane::Work(*client),
            Self::Settle { .. } | Self::Judge { .. } | Self::InOrder { .. } | Self::Act(_) => {
                Lane::Alone(number)
            }
        }
    }
}

impl World {
    /// As [`run_for`](Self::run_for), with choices.
    pub fn run_by(
        &mut self,
        choices: &mut Choices,
        time: Duration,
        mut each: impl FnMut(&mut Self),
    ) {
        let end = self.now + time;
        while self.step_by(choices, end) {
            each(self);
        }
    }

    /// What could happen next, by when it is due: the first of each lane, and the next timer.
    fn heads(&self, limit: Instant) -> Vec<(Instant, Option<u64>)> {
        let mut heads: Vec<(Instant, Option<u64>)> = Vec::new();
        let mut lanes = Vec::new();
        for ((at, number), what) in &self.agenda {
            let lane = what.lane(*number);
            if !lanes.contains(&lane) {
                lanes.push(lane);
                heads.push((*at, Some(*number)));
            }
        }
        heads.extend(self.next_timer().map(|at| (at, None)));
        // What is to be told first: bytes before timers, as ever.
        heads.sort_by_key(|(at, number)| ((*at).max(self.now), number.is_none(), *number));
        let first = heads.first().map(|(at, _)| (*at).max(self.now));
        let until = first.map_or(limit, |at| limit.min(at + HORIZON));
        heads.retain(|(at, _)| *at <= until);
        heads
    }

    fn step_by(&mut self, choices: &mut Choices, limit: Instant) -> bool {
        let heads = self.heads(limit);
        if heads.is_empty() {
            self.now = self.now.max(limit);
            return false;
        }
        let chosen = choices.choose(heads.len());
        match heads[chosen] {
            (at, Some(number)) => {
                if chosen == 0 {
                    self.now = self.now.max(at);
                }
                if let Some(happening) = self.agenda.remove(&(at, number)) {
                    self.happen(happening);
                }
            }
            (at, None) => {
                choices.late |= chosen > 0;
                self.now = self.now.max(at);
            }
        }
        self.after();
        true
    }
}
