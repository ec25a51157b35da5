//! What was decided on half messages, for the checks that may come.
//!
//! Each transaction keeps one and makes the oldest go, so a verdict is found by one look at a table
//! of first places, whose size is fixed: nothing is ever moved. In time they are a list, but for
//! the few that brokers ask about later than others.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Resolution;
use super::by_id::Spread;
use crate::message::UniqueId;
use crate::time::Instant;

/// So many are kept, those that brokers may ask about for longest.
const MOST: usize = 1 << 16;
/// For so long, and as much more as brokers were told to ask later. It is more than they ask for by
/// default: 15 times, 30 s apart, and before 5.0 a minute (`transactionCheckInterval`).
const KEPT: Duration = Duration::from_secs(20 * 60);
/// Places that verdicts begin to be looked for at: so many that few share one with another.
const PLACES: usize = 2 * MOST;
/// Verdicts that memory is taken for at a time.
const CHUNK: usize = 512;
/// No slot. That one's verdict is none: its neighbours are the ends of the list.
const NONE: u32 = 0;

/// Until when brokers may ask about a half message of now.
pub(super) fn asked_until(now: Instant, check_after: Duration) -> Instant {
    now + KEPT + check_after
}

/// One of them.
#[derive(Debug)]
struct Verdict {
    id: UniqueId,
    resolution: Resolution,
    until: Instant,
    /// When a broker was told it.
    told: Option<Instant>,
    /// Whether it is in the list: the others are in [`Verdicts::later`].
    listed: bool,
    /// Its neighbours in the list, earlier and later. Of a free slot: the next free one.
    before: u32,
    after: u32,
    /// The next one that is looked for at the same place.
    next: u32,
}

/// The first verdict on each half message.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    spread: Spread,
    /// The first slot of each place.
    places: Vec<u32>,
    chunks: Vec<Vec<Verdict>>,
    /// A slot that was used before.
    free: u32,
    len: usize,
    /// Those that brokers ask about later than others, by that time.
    later: BTreeSet<(Instant, u32)>,
}

impl Verdicts {
    pub(super) fn new(spread: Spread) -> Self {
        Self { spread, ..Self::default() }
    }

    /// Keeps a verdict on what brokers don't ask about before `check_after`, unless there is one.
    /// Gives the one that counts.
    pub(super) fn keep(
        &mut self,
        now: Instant,
        id: UniqueId,
        verdict: Resolution,
        check_after: Duration,
    ) -> Resolution {
        if let Some(first) = self.find(id) {
            return self.at(first).resolution;
        }
        self.insert(Verdict {
            id,
            resolution: verdict,
            until: asked_until(now, check_after),
            told: None,
            listed: check_after.is_zero(),
            before: NONE,
            after: NONE,
            next: NONE,
        });
        while let Some((until, slot)) = self.first()
            && (self.len > MOST || until <= now)
        {
            self.remove(slot);
        }
        verdict
    }

    pub(super) fn of(&self, id: UniqueId) -> Option<Resolution> {
        self.find(id).map(|slot| self.at(slot).resolution)
    }

    /// A broker is told the verdict on it now; `None`: it was not told after all.
    pub(super) fn told(&mut self, now: Option<Instant>, id: UniqueId) {
        if let Some(slot) = self.find(id) {
            self.at_mut(slot).told = now;
        }
    }

    /// When a broker was told last.
    pub(super) fn told_at(&self, id: UniqueId) -> Option<Instant> {
        self.at(self.find(id)?).told
    }

    /// A message is sent once more under that id, and is to be decided anew. Gives what was
    /// decided.
    pub(super) fn forget(&mut self, id: UniqueId) -> Option<Resolution> {
        let slot = self.find(id)?;
        let resolution = self.at(slot).resolution;
        self.remove(slot);
        Some(resolution)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn at(&self, slot: u32) -> &Verdict {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn at_mut(&mut self, slot: u32) -> &mut Verdict {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn place(&self, id: UniqueId) -> usize {
        self.spread.of(id) as usize % PLACES
    }

    fn find(&self, id: UniqueId) -> Option<u32> {
        let mut slot = *self.places.get(self.place(id))?;
        while slot != NONE {
            let verdict = self.at(slot);
            if verdict.id == id {
                return Some(slot);
            }
            slot = verdict.next;
        }
        None
    }

    /// The one whose time is over first.
    fn first(&self) -> Option<(Instant, u32)> {
        let listed = self.chunks.first()?.first()?.after;
        let listed = (listed != NONE).then(|| (self.at(listed).until, listed));
        let later = self.later.first().copied();
        listed.into_iter().chain(later).min()
    }

    /// Puts one in, which is later than all that are listed.
    fn insert(&mut self, mut verdict: Verdict) {
        if self.places.is_empty() {
            self.places = vec![NONE; PLACES];
            let (id, resolution, until) = (verdict.id, Resolution::Unknown, Instant::ZERO);
            let (told, listed, before, after, next) = (None, false, NONE, NONE, NONE);
            self.push(Verdict { id, resolution, until, told, listed, before, after, next });
        }
        let (place, listed, until) = (self.place(verdict.id), verdict.listed, verdict.until);
        let last = self.at(NONE).before;
        verdict.next = self.places[place];
        verdict.before = last;
        let slot = match self.free {
            NONE => self.push(verdict),
            slot => {
                self.free = self.at(slot).after;
                *self.at_mut(slot) = verdict;
                slot
            }
        };
        self.places[place] = slot;
        self.len += 1;
        if listed {
            debug_assert!(last == NONE || self.at(last).until <= until, "time went back");
            self.at_mut(last).after = slot;
            self.at_mut(NONE).before = slot;
        } else {
            self.later.insert((until, slot));
        }
    }

    /// Puts one into a slot that was never used.
    fn push(&mut self, verdict: Verdict) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        self.chunks.last_mut().map_or(NONE, |chunk| {
            chunk.push(verdict);
            (full + chunk.len() - 1) as u32
        })
    }

    /// Takes one out. With the last one goes what many have needed.
    fn remove(&mut self, slot: u32) {
        let free = self.free;
        let Verdict { id, until, listed, before, after, next, .. } = *self.at(slot);
        self.unlink(self.place(id), slot, next);
        if listed {
            self.at_mut(before).after = after;
            self.at_mut(after).before = before;
        } else {
            self.later.remove(&(until, slot));
        }
        self.at_mut(slot).after = free;
        self.free = slot;
        self.len -= 1;
        if self.len == 0 && self.chunks.len() > 1 {
            *self = Self::new(self.spread);
        }
    }

    /// Takes a slot out of those of its place; `next` comes after it.
    fn unlink(&mut self, place: usize, slot: u32, next: u32) {
        let mut other = self.places[place];
        if other == slot {
            self.places[place] = next;
            return;
        }
        while other != NONE {
            let verdict = self.at_mut(other);
            if verdict.next == slot {
                verdict.next = next;
                return;
            }
            other = verdict.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn id(number: usize) -> UniqueId {
        UniqueId::parse(&format!("{number:032X}")).unwrap()
    }

    #[test]
    fn the_first_verdict_counts_for_as_long_as_brokers_ask_and_the_table_is_bounded() {
        let (mut verdicts, now, soon) = (Verdicts::default(), Instant::ZERO, Duration::ZERO);
        assert_eq!(verdicts.keep(now, id(1), Resolution::RollBack, soon), Resolution::RollBack);
        assert_eq!(verdicts.keep(now, id(1), Resolution::Commit, soon), Resolution::RollBack);
        assert_eq!(verdicts.forget(id(1)), Some(Resolution::RollBack));
        assert_eq!(verdicts.keep(now, id(1), Resolution::Commit, soon), Resolution::Commit);
        for number in 2..MOST + 1 {
            verdicts.keep(now, id(number), Resolution::Commit, soon);
        }
        assert_eq!((verdicts.len(), verdicts.of(id(1))), (MOST, Some(Resolution::Commit)));
        verdicts.keep(now, id(MOST + 1), Resolution::Commit, soon);
        assert_eq!((verdicts.len(), verdicts.of(id(1))), (MOST, None));
        verdicts.keep(now + KEPT, id(0), Resolution::RollBack, soon);
        assert_eq!((verdicts.len(), verdicts.of(id(0))), (1, Some(Resolution::RollBack)));
    }

    #[test]
    fn one_that_brokers_ask_about_later_is_kept_for_longer() {
        let (mut verdicts, hour) = (Verdicts::default(), Duration::from_secs(3600));
        verdicts.keep(Instant::ZERO, id(1), Resolution::Commit, hour);
        verdicts.keep(Instant::ZERO, id(2), Resolution::Commit, Duration::ZERO);
        verdicts.keep(Instant::ZERO + hour, id(3), Resolution::Commit, Duration::ZERO);
        let kept = [1, 2, 3].map(|number| verdicts.of(id(number)).is_some());
        assert_eq!(kept, [true, false, true]);
        verdicts.keep(Instant::ZERO + hour + KEPT, id(4), Resolution::Commit, Duration::ZERO);
        assert_eq!((verdicts.len(), verdicts.of(id(1))), (1, None));
    }

    /// What is kept is what a walk through all that was ever kept says.
    #[test]
    fn the_table_is_what_a_list_of_all_verdicts_is() {
        let (mut rng, mut now) = (Rng::new(7), Instant::ZERO);
        let mut verdicts = Verdicts::new(Spread::new(7));
        let mut list: Vec<(UniqueId, Resolution, Instant, Option<Instant>)> = Vec::new();
        for _ in 0..20_000 {
            let id = id(rng.below(3000) as usize);
            let kept = list.iter().position(|(other, ..)| *other == id);
            match rng.below(8) {
                0 => {
                    let forgot = kept.map(|place| list.swap_remove(place).1);
                    assert_eq!(verdicts.forget(id), forgot);
                }
                1 => {
                    verdicts.told(Some(now), id);
                    kept.into_iter().for_each(|place| list[place].3 = Some(now));
                }
                2 => {
                    // At times longer than all of them are kept.
                    let most = if rng.below(200) == 0 { 10_000 } else { 4 };
                    now += Duration::from_secs(rng.below(most));
                }
                _ => {
                    let verdict = [Resolution::Commit, Resolution::RollBack];
                    let verdict = verdict[rng.below(2) as usize];
                    let after = Duration::from_secs([0, 0, 0, 60, 3600][rng.below(5) as usize]);
                    let first = kept.map_or(verdict, |place| list[place].1);
                    assert_eq!(verdicts.keep(now, id, verdict, after), first);
                    if kept.is_none() {
                        list.push((id, verdict, asked_until(now, after), None));
                        list.retain(|(_, _, until, _)| *until > now);
                    }
                }
            }
            assert_eq!(verdicts.len(), list.len());
            for (id, resolution, _, told) in list.iter().take(3) {
                assert_eq!(verdicts.of(*id), Some(*resolution));
                assert_eq!(verdicts.told_at(*id), *told);
            }
        }
        for (id, ..) in list {
            assert!(verdicts.forget(id).is_some());
        }
        assert_eq!((verdicts.len(), verdicts.chunks.len()), (0, 0), "room is kept for nobody");
    }
}
