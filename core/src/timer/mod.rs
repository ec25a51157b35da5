//! When to wake: FIFO lanes for the few durations that thousands of calls share, and one ordered
//! map for everything else.
//!
//! Calls come in with the same few timeouts, so each distinct duration is a queue that is already
//! in order: insert and cancel cost O(1), and the next deadline is the least of the fronts. A lane
//! is a list linked through one table of entries, so that a cancelled timer leaves nothing behind,
//! wherever it stood: most timers are cancelled, and the oldest one may live for long.

mod lane;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Instant;
use lane::{Lane, Table};

/// Distinct durations that get a lane of their own; further ones share the ordered map.
const LANES: usize = 16;

/// How to cancel a timer. Cancelling one that has fired does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(Place);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Lane { slot: u32, sequence: u64 },
    Sorted { at: Instant, sequence: u64 },
}

/// All timers of one engine. `K` says what each is for.
#[derive(Debug)]
pub struct Timers<K> {
    lanes: Vec<Lane>,
    table: Table<K>,
    sorted: BTreeMap<(Instant, u64), K>,
    /// Counts the timers ever set: no two have the same number.
    sequence: u64,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { lanes: Vec::new(), table: Table::default(), sorted: BTreeMap::new(), sequence: 0 }
    }
}

impl<K: Clone> Timers<K> {
    /// Fires `after` from `now`, by way of a lane. `now` must not go back between calls.
    pub fn after(&mut self, now: Instant, after: Duration, kind: K) -> TimerKey {
        let at = now + after;
        let lane = match self.lanes.iter().position(|lane| lane.duration == after) {
            Some(lane) => lane,
            None if self.lanes.len() < LANES => {
                self.lanes.push(Lane::new(after));
                self.lanes.len() - 1
            }
            None => return self.at(at, kind),
        };
        self.sequence += 1;
        let sequence = self.sequence;
        let slot = self.table.push(&mut self.lanes[lane], lane as u8, at, sequence, kind);
        TimerKey(Place::Lane { slot, sequence })
    }

    /// Fires at `at`: for times that follow no common duration.
    pub fn at(&mut self, at: Instant, kind: K) -> TimerKey {
        self.sequence += 1;
        self.sorted.insert((at, self.sequence), kind);
        TimerKey(Place::Sorted { at, sequence: self.sequence })
    }

    /// Forgets a timer.
    pub fn cancel(&mut self, key: TimerKey) {
        match key.0 {
            Place::Sorted { at, sequence } => {
                self.sorted.remove(&(at, sequence));
            }
            Place::Lane { slot, sequence } => {
                if let Some(lane) = self.table.lane(slot, sequence) {
                    self.table.remove(&mut self.lanes[lane as usize], slot);
                }
            }
        }
    }

    /// Forgets all of them. Keys given out before name nothing from now on, and never what is set
    /// later.
    pub fn clear(&mut self) {
        (self.lanes, self.table, self.sorted) = (Vec::new(), Table::default(), BTreeMap::new());
    }

    /// The earliest timer.
    pub fn next(&self) -> Option<(Instant, K)> {
        let lanes = self.lanes.iter().filter_map(|lane| self.table.first(lane));
        let sorted = self.sorted.iter().next().map(|((at, _), kind)| (*at, kind));
        let first = lanes.chain(sorted).min_by_key(|(at, _)| *at);
        first.map(|(at, kind)| (at, kind.clone()))
    }

    /// When the earliest timer fires.
    pub fn next_at(&self) -> Option<Instant> {
        let lanes = self.lanes.iter().filter_map(|lane| Some(self.table.first(lane)?.0));
        lanes.chain(self.sorted.keys().next().map(|key| key.0)).min()
    }

    /// Takes out the earliest timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let at = self.next_at().filter(|at| *at <= now)?;
        for lane in &mut self.lanes {
            if self.table.first(lane).is_some_and(|first| first.0 == at) {
                return self.table.pop(lane);
            }
        }
        self.sorted.pop_first().map(|(_, kind)| kind)
    }

    /// Whether the key is one of this table's, living or not.
    pub fn gave(&self, key: TimerKey) -> bool {
        match key.0 {
            Place::Lane { sequence, .. } | Place::Sorted { sequence, .. } => {
                sequence <= self.sequence
            }
        }
    }

    /// Whether the timer of this key is set, and has not fired yet.
    pub fn is_set(&self, key: TimerKey) -> bool {
        match key.0 {
            Place::Sorted { at, sequence } => self.sorted.contains_key(&(at, sequence)),
            Place::Lane { slot, sequence } => self.table.lane(slot, sequence).is_some(),
        }
    }

    /// Living timers.
    pub fn len(&self) -> usize {
        self.table.len() + self.sorted.len()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn timers_fire_in_order_whatever_way_they_were_set() {
        let mut timers = Timers::default();
        let start = Instant::from_nanos(5);
        timers.after(start, 3 * SECOND, 'c');
        timers.at(start + 2 * SECOND, 'b');
        timers.after(start, SECOND, 'a');
        assert_eq!(timers.next(), Some((start + SECOND, 'a')));
        assert_eq!(timers.pop_due(start), None);
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(start + 3 * SECOND)).collect();
        assert_eq!(fired, ['a', 'b', 'c']);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_cancelled_timer_never_fires_and_leaves_no_entry_behind() {
        let mut timers = Timers::default();
        let keys: Vec<_> =
            (0..1000).map(|i| timers.after(Instant::from_nanos(i), SECOND, i)).collect();
        for key in &keys[..999] {
            timers.cancel(*key);
        }
        assert_eq!(timers.len(), 1);
        timers.cancel(keys[0]);
        assert_eq!(timers.pop_due(Instant::FAR), Some(999));
        timers.cancel(keys[999]);
        assert_eq!(timers.next_at(), None);
    }

    #[test]
    fn what_is_cancelled_behind_a_living_front_leaves_no_entry_and_a_burst_gives_its_room_back() {
        let mut timers = Timers::default();
        let front = timers.after(Instant::ZERO, SECOND, 0);
        for i in 1..100_000 {
            let key = timers.after(Instant::from_nanos(i), SECOND, i);
            timers.cancel(key);
        }
        assert_eq!((timers.len(), timers.table.slots()), (1, 2));
        let burst: Vec<_> =
            (0..5000).map(|i| timers.after(Instant::from_nanos(100_000), SECOND, i)).collect();
        assert_eq!(timers.table.slots(), 5001);
        timers.cancel(front);
        burst.into_iter().rev().for_each(|key| timers.cancel(key));
        assert_eq!((timers.len(), timers.table.slots()), (0, 0));
    }

    #[test]
    fn a_key_cancels_nothing_that_was_set_after_its_timer_had_gone() {
        let mut timers = Timers::default();
        let mut old = Vec::new();
        for round in 0..3 {
            old.push(timers.after(Instant::ZERO, SECOND, round));
            old.push(timers.at(Instant::ZERO + SECOND, round));
            if round == 1 {
                timers.clear();
            } else {
                while timers.pop_due(Instant::FAR).is_some() {}
            }
        }
        timers.after(Instant::ZERO, SECOND, 7);
        timers.at(Instant::ZERO + SECOND, 8);
        old.into_iter().for_each(|key| timers.cancel(key));
        assert_eq!(timers.len(), 2);
    }

    /// What timers are, without any thought of speed.
    #[derive(Default)]
    struct Naive(Vec<(Instant, TimerKey, u32)>);

    impl Naive {
        fn due(&self, now: Instant) -> Option<Instant> {
            self.0.iter().map(|(at, ..)| *at).min().filter(|at| *at <= now)
        }

        fn fire(&mut self, kind: u32) -> Instant {
            let place = self.0.iter().position(|(_, _, own)| *own == kind).unwrap();
            self.0.remove(place).0
        }
    }

    #[test]
    fn any_order_of_setting_cancelling_and_firing_agrees_with_a_plain_list() {
        for seed in 0..200 {
            let mut rng = crate::rng::Rng::new(seed);
            let (mut timers, mut naive) = (Timers::default(), Naive::default());
            let (mut now, mut gone) = (Instant::ZERO, Vec::new());
            for kind in 0..600 {
                match rng.below(8) {
                    0..4 => {
                        let after = Duration::from_millis(rng.below(24) * 10);
                        let key = match rng.below(4) {
                            0 => timers.at(now + after, kind),
                            _ => timers.after(now, after, kind),
                        };
                        naive.0.push((now + after, key, kind));
                    }
                    4 | 5 if !naive.0.is_empty() => {
                        let place = rng.below(naive.0.len() as u64) as usize;
                        let (_, key, _) = naive.0.remove(place);
                        timers.cancel(key);
                        gone.push(key);
                    }
                    6 if !gone.is_empty() => {
                        timers.cancel(gone[rng.below(gone.len() as u64) as usize]);
                    }
                    _ => {
                        now += Duration::from_millis(rng.below(60));
                        while let Some(due) = naive.due(now) {
                            assert_eq!(timers.next_at(), Some(due));
                            let fired = timers.pop_due(now).unwrap();
                            assert_eq!(naive.fire(fired), due, "seed {seed}");
                        }
                        assert_eq!(timers.pop_due(now), None);
                    }
                }
                assert_eq!(timers.len(), naive.0.len());
                assert_eq!(timers.next_at(), naive.due(Instant::FAR));
                assert_eq!(timers.next().map(|next| next.0), timers.next_at());
            }
        }
    }

    #[test]
    fn a_key_from_before_all_were_forgotten_cancels_nothing() {
        let mut timers = Timers::default();
        let start = Instant::ZERO;
        let keys = [timers.after(start, SECOND, 'a'), timers.at(start + SECOND, 'b')];
        timers.clear();
        assert_eq!((timers.len(), timers.next_at()), (0, None));
        timers.after(start, SECOND, 'c');
        timers.at(start + SECOND, 'd');
        for key in keys {
            timers.cancel(key);
            assert!(timers.gave(key));
        }
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(Instant::FAR)).collect();
        assert_eq!(fired, ['c', 'd']);
    }

    #[test]
    fn many_durations_share_the_ordered_map() {
        let mut timers = Timers::default();
        for ms in (1..=100u64).rev() {
            timers.after(Instant::ZERO, Duration::from_millis(ms), ms);
        }
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(Instant::FAR)).collect();
        assert_eq!(fired, (1..=100).collect::<Vec<_>>());
    }
}
