//! What must hold of one queue.

use super::{Queue, State};
use crate::consumer::options::Bounds;
use crate::effects::Effects;
use crate::frame::Opaque;
use crate::time::Instant;

impl Queue {
    /// What must hold between two calls: one question is in flight, `calls` being those there are,
    /// one timer is set, or there is one named condition: its window is full, or it `may_rest`.
    pub(in crate::consumer) fn check(
        &self,
        fx: &Effects,
        bounds: &Bounds,
        calls: &[Opaque],
        may_rest: bool,
    ) {
        let waits = match self.state {
            State::FetchingOffset(opaque) | State::Pulling(opaque) => calls == [opaque],
            State::Pausing { timer, .. } => calls.is_empty() && fx.timers.is_set(timer),
            State::Throttled => calls.is_empty() && self.is_full(bounds),
            State::Ready | State::NeedsOffset => calls.is_empty() && may_rest,
        };
        assert!(waits, "{:?} is {:?} with {calls:?}", self.name, self.state);
        self.check_committed();
        self.check_held();
    }

    /// Whether it can go on as soon as its broker is there and knows us.
    pub(in crate::consumer) const fn awaits_broker(&self) -> bool {
        match self.state {
            State::Ready | State::NeedsOffset => true,
            State::FetchingOffset(_)
            | State::Pulling(_)
            | State::Pausing { .. }
            | State::Throttled => false,
        }
    }

    /// What may be committed, or is, passes nothing unsettled.
    fn check_committed(&self) {
        let position = self.position(Instant::FAR);
        for low in self.batches.iter().filter_map(|batch| batch.low()) {
            for passed in [position, self.committing, self.committed] {
                let passes = passed.is_some_and(|passed| passed > low);
                assert!(!passes, "{:?} commits {passed:?}, past {low}", self.name);
            }
        }
    }

    fn check_held(&self) {
        let held: usize = self.batches.iter().map(|batch| batch.records().len()).sum();
        assert_eq!(held, self.messages, "messages held in {:?}", self.name);
        let held: usize = self.batches.iter().map(|batch| batch.held()).sum();
        assert_eq!(held, self.bytes, "bytes held in {:?}", self.name);
    }
}
