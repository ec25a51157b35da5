//! When to wake: FIFO lanes for the few durations that thousands of calls share, and one ordered
//! map for everything else.
//!
//! Calls come in with the same few timeouts, so each distinct duration is a queue that is already
//! in order: insert and cancel cost O(1), and the next deadline is the least of the fronts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::Instant;

/// Distinct durations that get a lane of their own; further ones share the ordered map.
const LANES: usize = 16;

/// How to cancel a timer. Cancelling one that has fired does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(Place);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Lane { lane: u8, index: u64 },
    Sorted { at: Instant, sequence: u64 },
}

#[derive(Debug)]
struct Lane<K> {
    duration: Duration,
    /// Index of the front entry, counted since the lane began.
    base: u64,
    entries: VecDeque<(Instant, Option<K>)>,
}

/// All timers of one engine. `K` says what each is for.
#[derive(Debug)]
pub struct Timers<K> {
    lanes: Vec<Lane<K>>,
    sorted: BTreeMap<(Instant, u64), K>,
    sequence: u64,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { lanes: Vec::new(), sorted: BTreeMap::new(), sequence: 0 }
    }
}

impl<K: Clone> Timers<K> {
    /// Fires `after` from `now`, by way of a lane. `now` must not go back between calls.
    pub fn after(&mut self, now: Instant, after: Duration, kind: K) -> TimerKey {
        let at = now + after;
        let lane = match self.lanes.iter().position(|lane| lane.duration == after) {
            Some(lane) => lane,
            None if self.lanes.len() < LANES => {
                self.lanes.push(Lane { duration: after, base: 0, entries: VecDeque::new() });
                self.lanes.len() - 1
            }
            None => return self.at(at, kind),
        };
        let queue = &mut self.lanes[lane];
        debug_assert!(queue.entries.back().is_none_or(|(last, _)| *last <= at));
        queue.entries.push_back((at, Some(kind)));
        let index = queue.base + queue.entries.len() as u64 - 1;
        TimerKey(Place::Lane { lane: lane as u8, index })
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
            Place::Lane { lane, index } => {
                let lane = &mut self.lanes[lane as usize];
                let Some(offset) = index.checked_sub(lane.base) else { return };
                if let Some(entry) = lane.entries.get_mut(offset as usize) {
                    entry.1 = None;
                    lane.trim();
                }
            }
        }
    }

    /// The earliest timer.
    pub fn next(&self) -> Option<(Instant, K)> {
        let lanes = self.lanes.iter().filter_map(|lane| lane.entries.front());
        let lanes = lanes.filter_map(|(at, kind)| Some((*at, kind.as_ref()?)));
        let sorted = self.sorted.iter().next().map(|((at, _), kind)| (*at, kind));
        let first = lanes.chain(sorted).min_by_key(|(at, _)| *at);
        first.map(|(at, kind)| (at, kind.clone()))
    }

    /// When the earliest timer fires.
    pub fn next_at(&self) -> Option<Instant> {
        let lanes = self.lanes.iter().filter_map(|lane| Some(lane.entries.front()?.0));
        lanes.chain(self.sorted.keys().next().map(|key| key.0)).min()
    }

    /// Takes out the earliest timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, _) = self.next().filter(|(at, _)| *at <= now)?;
        for lane in &mut self.lanes {
            if lane.entries.front().is_some_and(|front| front.0 == at) {
                let kind = lane.entries.pop_front().and_then(|(_, kind)| kind);
                lane.base += 1;
                lane.trim();
                return kind;
            }
        }
        self.sorted.pop_first().map(|(_, kind)| kind)
    }

    /// Forgets all of them. Keys given out before name nothing from now on, and never what is set
    /// later.
    pub fn clear(&mut self) {
        self.sorted.clear();
        for lane in &mut self.lanes {
            lane.base += lane.entries.len() as u64;
            lane.entries.clear();
        }
    }

    /// Whether the key is one of this table's, living or not.
    pub fn gave(&self, key: TimerKey) -> bool {
        match key.0 {
            Place::Sorted { sequence, .. } => sequence <= self.sequence,
            Place::Lane { lane, index } => self
                .lanes
                .get(lane as usize)
                .is_some_and(|lane| index < lane.base + lane.entries.len() as u64),
        }
    }

    /// Living timers, and entries kept for them.
    pub fn len(&self) -> usize {
        let lanes = self.lanes.iter().flat_map(|lane| &lane.entries);
        lanes.filter(|(_, kind)| kind.is_some()).count() + self.sorted.len()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K> Lane<K> {
    /// Keeps the front alive, so that the next deadline is read without a search.
    fn trim(&mut self) {
        while self.entries.front().is_some_and(|(_, kind)| kind.is_none()) {
            self.entries.pop_front();
            self.base += 1;
        }
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
        assert_eq!((timers.len(), timers.lanes[0].entries.len()), (1, 1));
        timers.cancel(keys[0]);
        assert_eq!(timers.pop_due(Instant::FAR), Some(999));
        timers.cancel(keys[999]);
        assert_eq!(timers.next_at(), None);
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
