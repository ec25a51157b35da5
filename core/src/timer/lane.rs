//! Lists of timers, linked through one table.

use std::time::Duration;

use crate::time::Instant;

/// No slot.
const NONE: u32 = u32::MAX;
/// Entries of an empty table that are kept for later timers.
const KEPT: usize = 1024;

/// The timers of one duration, the earliest first.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) duration: Duration,
    first: u32,
    last: u32,
}

impl Lane {
    pub(super) const fn new(duration: Duration) -> Self {
        Self { duration, first: NONE, last: NONE }
    }
}

#[derive(Debug)]
struct Entry<K> {
    at: Instant,
    /// The timer's own number; a later timer in the same slot has another one.
    sequence: u64,
    /// `None` while the slot is free.
    kind: Option<K>,
    lane: u8,
    before: u32,
    /// The next of its lane, or the next free slot.
    after: u32,
}

/// The entries of all lanes. Grows to the most timers that were set at one time, and shrinks when
/// none is left.
#[derive(Debug)]
pub(super) struct Table<K> {
    entries: Vec<Entry<K>>,
    free: u32,
    len: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: NONE, len: 0 }
    }
}

impl<K> Table<K> {
    /// Timers that are set.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts a timer, which must not be earlier than the others, at the end of its lane.
    pub(super) fn push(
        &mut self,
        lane: &mut Lane,
        number: u8,
        at: Instant,
        sequence: u64,
        kind: K,
    ) -> u32 {
        let before = lane.last;
        debug_assert!(before == NONE || self.entries[before as usize].at <= at);
        let entry = Entry { at, sequence, kind: Some(kind), lane: number, before, after: NONE };
        let slot = if self.free == NONE {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        } else {
            let slot = self.free;
            self.free = self.entries[slot as usize].after;
            self.entries[slot as usize] = entry;
            slot
        };
        match before {
            NONE => lane.first = slot,
            _ => self.entries[before as usize].after = slot,
        }
        lane.last = slot;
        self.len += 1;
        slot
    }

    /// The lane of the timer with that number, if it is still set.
    pub(super) fn lane(&self, slot: u32, sequence: u64) -> Option<u8> {
        let entry = self.entries.get(slot as usize)?;
        (entry.sequence == sequence && entry.kind.is_some()).then_some(entry.lane)
    }

    /// The earliest timer of a lane.
    pub(super) fn first(&self, lane: &Lane) -> Option<(Instant, &K)> {
        let entry = self.entries.get(lane.first as usize)?;
        Some((entry.at, entry.kind.as_ref()?))
    }

    /// Takes out the earliest timer of a lane.
    pub(super) fn pop(&mut self, lane: &mut Lane) -> Option<K> {
        match lane.first {
            NONE => None,
            slot => self.remove(lane, slot),
        }
    }

    /// Takes out the timer in `slot`, which is in `lane`.
    pub(super) fn remove(&mut self, lane: &mut Lane, slot: u32) -> Option<K> {
        let free = self.free;
        let entry = self.entries.get_mut(slot as usize)?;
        let kind = entry.kind.take()?;
        let (before, after) = (entry.before, std::mem::replace(&mut entry.after, free));
        self.free = slot;
        match before {
            NONE => lane.first = after,
            _ => self.entries[before as usize].after = after,
        }
        match after {
            NONE => lane.last = before,
            _ => self.entries[after as usize].before = before,
        }
        self.len -= 1;
        // No lane names a slot any more: what a burst took is given back.
        if self.len == 0 && self.entries.len() > KEPT {
            (self.entries, self.free) = (Vec::new(), NONE);
        }
        Some(kind)
    }

    /// Slots there are, free ones included.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.entries.len()
    }
}
