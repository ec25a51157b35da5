//! What was decided on half messages, for the checks that may come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Resolution;
use crate::message::UniqueId;
use crate::time::Instant;

/// So many are kept, those that brokers may ask about for longest.
const MOST: usize = 1 << 16;
/// For so long, and as much more as brokers were told to ask later. It is more than they ask for by
/// default: 15 times, 30 s apart, and before 5.0 a minute (`transactionCheckInterval`).
const KEPT: Duration = Duration::from_secs(20 * 60);

/// Until when brokers may ask about a half message of now.
pub(super) fn asked_until(now: Instant, check_after: Duration) -> Instant {
    now + KEPT + check_after
}

/// One of them.
#[derive(Debug)]
struct Verdict {
    resolution: Resolution,
    until: Instant,
    /// When a broker was told it.
    told: Option<Instant>,
}

/// The first verdict on each half message.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    by_id: BTreeMap<UniqueId, Verdict>,
    /// The same by that time.
    order: BTreeSet<(Instant, UniqueId)>,
}

impl Verdicts {
    /// Keeps a verdict on what brokers don't ask about before `check_after`, unless there is one.
    /// Gives the one that counts.
    pub(super) fn keep(
        &mut self,
        now: Instant,
        id: UniqueId,
        verdict: Resolution,
        check_after: Duration,
    ) -> Resolution {
        if let Some(first) = self.by_id.get(&id) {
            return first.resolution;
        }
        let until = asked_until(now, check_after);
        self.by_id.insert(id, Verdict { resolution: verdict, until, told: None });
        self.order.insert((until, id));
        while let Some((until, id)) = self.order.first().copied()
            && (self.order.len() > MOST || until <= now)
        {
            self.order.remove(&(until, id));
            self.by_id.remove(&id);
        }
        verdict
    }

    pub(super) fn of(&self, id: UniqueId) -> Option<Resolution> {
        self.by_id.get(&id).map(|verdict| verdict.resolution)
    }

    /// A broker is told the verdict on it now; `None`: it was not told after all.
    pub(super) fn told(&mut self, now: Option<Instant>, id: UniqueId) {
        if let Some(verdict) = self.by_id.get_mut(&id) {
            verdict.told = now;
        }
    }

    /// When a broker was told last.
    pub(super) fn told_at(&self, id: UniqueId) -> Option<Instant> {
        self.by_id.get(&id)?.told
    }

    /// A message is sent once more under that id, and is to be decided anew. Gives what was
    /// decided.
    pub(super) fn forget(&mut self, id: UniqueId) -> Option<Resolution> {
        let Verdict { resolution, until, .. } = self.by_id.remove(&id)?;
        self.order.remove(&(until, id));
        Some(resolution)
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
}
