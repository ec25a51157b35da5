//! What must hold of one queue.

use super::Queue;
use super::cursor::GoesBy;
use crate::consumer::options::Bounds;
use crate::effects::Effects;
use crate::frame::Opaque;
use crate::time::Instant;

impl Queue {
    /// What must hold between two calls: one question is in flight, `calls` being those there are,
    /// one timer is set, or there is one named condition: its window is full, or was and its turn
    /// to look again is `due`; its consumer `loads` offsets; or it `may_rest`.
    pub(in crate::consumer) fn check(
        &self,
        fx: &Effects,
        bounds: &Bounds,
        calls: &[Opaque],
        (may_rest, due, loads): (bool, bool, bool),
    ) {
        let goes_by = self.cursor.goes_by();
        let waits = match goes_by {
            GoesBy::Answer(opaque) => calls == [opaque],
            GoesBy::Timer(timer) => calls.is_empty() && fx.timers.is_set(timer),
            GoesBy::Store => calls.is_empty() && loads,
            GoesBy::Room => calls.is_empty() && (due || self.window.is_full(bounds)),
            GoesBy::Broker => calls.is_empty() && may_rest,
        };
        assert!(waits, "{:?} goes by {goes_by:?} with {calls:?}", self.name);
        self.check_committed();
        self.window.check(&self.name);
    }

    /// What may be committed, or is, passes nothing unsettled.
    fn check_committed(&self) {
        if self.chosen {
            return;
        }
        let position = self.position(Instant::FAR);
        for low in self.window.batches().filter_map(|batch| batch.low()) {
            for passed in [position, self.keeper.under_way(), self.keeper.committed()] {
                let passes = passed.is_some_and(|passed| passed > low);
                assert!(!passes, "{:?} commits {passed:?}, past {low}", self.name);
            }
        }
    }
}
