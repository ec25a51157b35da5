//! What of a queue may be committed, and what its broker has confirmed.

use std::time::Duration;

use super::{Queue, State};
use crate::effects::Planted;
use crate::time::Instant;

/// The first offset, stored or not, is shown to be there by a pull that finds nothing wrong with
/// it, or that the broker holds for this long.
const SHOWN: Duration = Duration::from_secs(1);

/// So long after its first commit a queue's former owner may still commit something older.
pub(in crate::consumer) const OVERLAP: Duration = Duration::from_secs(120);
/// How often an offset is given again meanwhile.
const REPEATED: Duration = Duration::from_secs(20);

impl Queue {
    /// What may be committed: the lowest offset not settled. `None` before the first offset is
    /// known, and shown to be there.
    pub(super) fn position(&self, now: Instant) -> Option<i64> {
        let known = self.has_offset() && self.is_shown(now);
        known.then(|| self.low().map_or(self.next, |low| low.min(self.next)))
    }

    /// The lowest offset that is held unsettled, of whichever pull.
    fn low(&self) -> Option<i64> {
        let mut lows = self.batches.iter().filter_map(|batch| batch.low());
        if self.plant.is(Planted::CommitsFirstPull) { lows.next() } else { lows.min() }
    }

    /// Brokers answer at once that an offset is not in the queue: a pull that is held is at one
    /// that is.
    fn is_shown(&self, now: Instant) -> bool {
        let held = matches!(self.state, State::Pulling(_))
            && self.pulled_at.is_some_and(|at| now.since(at) >= SHOWN);
        self.shown || held
    }

    /// What should be committed now: nothing while a commit is under way or nothing is new.
    /// `shared`: the group has, or had just now, other members.
    pub(in crate::consumer) fn to_commit(&self, now: Instant, shared: bool) -> Option<i64> {
        if self.committing.is_some() {
            return None;
        }
        let again = || self.position(now).filter(|at| self.committed == Some(*at));
        self.to_store(now).or_else(|| again().filter(|_| shared && self.is_unsure(now)))
    }

    /// What the broker should have and, as far as we know, has not. An offset of ours never goes
    /// back: the broker may know a later one from another member.
    pub(in crate::consumer) fn to_store(&self, now: Instant) -> Option<i64> {
        let position = self.position(now)?;
        let new = match self.committed {
            Some(last) => last < position || (self.doubted && last == position),
            None => true,
        };
        new.then_some(position)
    }

    /// Who had the queue before may have seen late that it has not: its last offset then replaced a
    /// later one of ours. Ours is given again for a while (Java gives all, every 5 s, for ever).
    fn is_unsure(&self, now: Instant) -> bool {
        self.confirmed
            .is_some_and(|(first, last)| now.since(first) < OVERLAP && now.since(last) >= REPEATED)
    }

    /// A commit is on its way.
    pub(in crate::consumer) const fn committing(&mut self, offset: i64) {
        (self.committing, self.doubted) = (Some(offset), false);
    }

    /// The commit was answered, with the offset that is stored now, or came to nothing.
    pub(in crate::consumer) fn commit_ended(&mut self, now: Instant, stored: Option<i64>) {
        self.committing = None;
        match stored {
            Some(offset) => {
                self.committed = Some(offset);
                let first = self.confirmed.map_or(now, |(first, _)| first);
                self.confirmed = Some((first, now));
            }
            None => self.doubted = true,
        }
    }

    /// What the broker has confirmed may be gone.
    pub(in crate::consumer) const fn doubt(&mut self) {
        self.doubted = true;
    }
}
