//! What was decided on half messages, for the checks that may come.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Resolution;
use crate::message::UniqueId;
use crate::time::Instant;

/// So many are kept, the latest ones.
const MOST: usize = 1 << 16;
/// For so long, which is more than brokers ask for by default (15 times, 30 s apart).
const KEPT: Duration = Duration::from_secs(15 * 60);

/// The first verdict on each half message.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// With the number of its place in `order`.
    by_id: BTreeMap<UniqueId, (Resolution, u64)>,
    order: VecDeque<(Instant, UniqueId, u64)>,
    next: u64,
}

impl Verdicts {
    /// Keeps a verdict, unless there is one. Gives the one that counts.
    pub(super) fn keep(&mut self, now: Instant, id: UniqueId, verdict: Resolution) -> Resolution {
        if let Some((first, _)) = self.by_id.get(&id) {
            return *first;
        }
        self.next += 1;
        self.by_id.insert(id, (verdict, self.next));
        self.order.push_back((now, id, self.next));
        while self
            .order
            .front()
            .is_some_and(|(at, ..)| self.order.len() > MOST || now.since(*at) >= KEPT)
        {
            let Some((_, old, number)) = self.order.pop_front() else { break };
            if self.by_id.get(&old).is_some_and(|(_, own)| *own == number) {
                self.by_id.remove(&old);
            }
        }
        verdict
    }

    pub(super) fn of(&self, id: UniqueId) -> Option<Resolution> {
        self.by_id.get(&id).map(|(verdict, _)| *verdict)
    }

    /// A message is sent once more under that id, and is to be decided anew. Gives what was
    /// decided.
    pub(super) fn forget(&mut self, id: UniqueId) -> Option<Resolution> {
        self.by_id.remove(&id).map(|(verdict, _)| verdict)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> UniqueId {
        UniqueId::parse(&format!("{number:032X}")).unwrap()
    }

    #[test]
    fn the_first_verdict_counts_for_as_long_as_brokers_ask_and_the_table_is_bounded() {
        let (mut verdicts, now) = (Verdicts::default(), Instant::ZERO);
        assert_eq!(verdicts.keep(now, id(1), Resolution::RollBack), Resolution::RollBack);
        assert_eq!(verdicts.keep(now, id(1), Resolution::Commit), Resolution::RollBack);
        verdicts.forget(id(1));
        assert_eq!(verdicts.keep(now, id(1), Resolution::Commit), Resolution::Commit);
        for number in 2..MOST + 1 {
            verdicts.keep(now, id(number), Resolution::Commit);
        }
        assert_eq!((verdicts.len(), verdicts.of(id(1))), (MOST, Some(Resolution::Commit)));
        verdicts.keep(now, id(MOST + 1), Resolution::Commit);
        assert_eq!((verdicts.len(), verdicts.of(id(1))), (MOST, None));
        verdicts.keep(now + KEPT, id(0), Resolution::RollBack);
        assert_eq!((verdicts.len(), verdicts.of(id(0))), (1, Some(Resolution::RollBack)));
    }
}
