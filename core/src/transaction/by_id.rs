//! Tables by the unique ids of messages.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use crate::message::UniqueId;
use crate::rng::Rng;

/// Room that an empty table keeps.
const KEPT: usize = 1024;

/// What is known by unique ids.
pub(super) type ById<T> = HashMap<UniqueId, T, Spread>;

/// All of it, in no order: for what does not depend on that.
#[expect(clippy::disallowed_methods, reason = "who asks does not depend on the order")]
pub(super) fn all<T>(table: &ById<T>) -> impl Iterator<Item = (&UniqueId, &T)> {
    table.iter()
}

/// Takes one out. What many have needed is let go of with the last of them.
pub(super) fn take<T>(table: &mut ById<T>, id: UniqueId) -> Option<T> {
    let taken = table.remove(&id);
    if table.is_empty() && table.capacity() > KEPT {
        table.shrink_to(KEPT / 2);
    }
    taken
}

/// Spreads unique ids over a table, by a number that no peer knows: brokers say some of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread(u64);

impl Spread {
    /// As follows from the engine's seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(Rng::new(!seed).next_u64())
    }

    /// A number that differs, most likely, from those of other ids.
    pub(super) fn of(self, id: UniqueId) -> u64 {
        self.hash_one(id)
    }
}

impl BuildHasher for Spread {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// A number that each word is multiplied into.
#[derive(Debug)]
pub(super) struct Folded(u64);

/// By which words are multiplied; its bits are as good as drawn.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Folded {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(ODD);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.fold(u64::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_are_spread_evenly_and_otherwise_by_another_seed() {
        const PLACES: usize = 4096;
        let id = |number: usize| UniqueId::parse(&format!("{number:032X}")).unwrap();
        for seed in [0, 1, u64::MAX] {
            let spread = Spread::new(seed);
            let mut places = vec![0; PLACES];
            (0..PLACES * 8).for_each(|it| places[spread.of(id(it)) as usize % PLACES] += 1);
            let most = places.iter().max();
            assert!(most < Some(&32), "{most:?} of eight for each place by {seed}");
            assert_ne!(spread.of(id(1)), Spread::new(seed ^ 7).of(id(1)));
        }
    }

    #[test]
    fn a_table_gives_back_the_room_that_many_have_needed() {
        let id = |number: usize| UniqueId::parse(&format!("{number:032X}")).unwrap();
        let mut table = ById::with_hasher(Spread::new(5));
        table.extend((0..10_000).map(|number| (id(number), number)));
        assert_eq!(all(&table).map(|(_, number)| number).sum::<usize>(), 49_995_000);
        (0..10_000).for_each(|number| assert_eq!(take(&mut table, id(number)), Some(number)));
        assert!(table.capacity() <= KEPT, "room for {}", table.capacity());
        assert_eq!(take(&mut table, id(0)), None);
    }
}
