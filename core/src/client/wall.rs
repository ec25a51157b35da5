//! Whether the wall clock still goes with the monotonic one. It is set by people and by programs,
//! and on most systems the monotonic one stands still while the machine sleeps.

use std::time::Duration;

use crate::engine::Input;
use crate::time::{Instant, UnixMillis};

/// Looks at the two clocks are at least so far apart.
const LOOK: Duration = Duration::from_secs(1);

/// The engine is told when they differ by more than this from what it knows. It bounds what slow
/// corrections add up to as well.
const JUMP: Duration = Duration::from_millis(500);

/// What the engine knows of the wall clock.
#[derive(Debug)]
pub(super) struct Wall {
    /// The two clocks when the engine was last told.
    anchor: Instant,
    unix: UnixMillis,
    looked: Instant,
}

impl Wall {
    /// The engine was told at its birth.
    pub(super) const fn new(now: Instant, unix: UnixMillis) -> Self {
        Self { anchor: now, unix, looked: now }
    }

    /// Compares the clocks, unless that was done a moment ago. Gives what to tell the engine.
    pub(super) fn look(&mut self, now: Instant, unix: UnixMillis) -> Option<Input> {
        if now.since(self.looked) < LOOK {
            return None;
        }
        self.looked = now;
        let expected = self.unix + now.since(self.anchor);
        if u128::from(unix.0.abs_diff(expected.0)) <= JUMP.as_millis() {
            return None;
        }
        (self.anchor, self.unix) = (now, unix);
        Some(Input::ClockSync { unix })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use super::*;
    use crate::client::adapter::{Clock, Host, Shared};
    use crate::config::Config;

    /// Two clocks in milliseconds, which a test moves on: one since the start, one since 1970.
    #[derive(Clone, Default)]
    struct Clocks(Arc<AtomicU64>, Arc<AtomicI64>);

    impl Clocks {
        /// So much time passes, and the wall clock is set forward by so much besides.
        fn pass(&self, ms: u64, set: i64) {
            self.0.fetch_add(ms, Ordering::Relaxed);
            self.1.fetch_add(ms as i64 + set, Ordering::Relaxed);
        }
    }

    impl Clock for Clocks {
        fn now(&self) -> Instant {
            Instant::ZERO + Duration::from_millis(self.0.load(Ordering::Relaxed))
        }

        fn unix(&self) -> UnixMillis {
            UnixMillis(self.1.load(Ordering::Relaxed))
        }

        fn process(&self) -> u32 {
            1
        }
    }

    impl Host for Clocks {
        fn may_block(&self) -> bool {
            true
        }
    }

    /// A client, and the wall time that its engine goes by.
    fn client() -> (Clocks, Arc<Shared>, impl Fn(&Shared) -> i64) {
        let clocks = Clocks::default();
        clocks.pass(0, 1_700_000_000_000);
        let config = Config::new("ns:9876").expect("settings that work");
        let shared = Shared::new(config, 7, clocks.clone(), clocks.clone());
        let shown = |shared: &Shared| {
            let core = shared.lock();
            let wall = &core.wall;
            // The engine was told what we keep.
            assert!(format!("{:?}", core.engine).contains(&format!("{:?}", wall.unix)));
            (wall.unix + shared.now().since(wall.anchor)).0
        };
        (clocks, shared, shown)
    }

    #[test]
    fn a_wall_clock_that_is_set_is_told_with_the_next_timer_step() {
        let (clocks, shared, shown) = client();
        for set in [3_600_000, -7_200_000, 501, -501] {
            clocks.pass(1_000, set);
            assert_ne!(shown(&shared), clocks.unix().0);
            shared.tick();
            assert_eq!(shown(&shared), clocks.unix().0, "set by {set} ms");
        }
    }

    #[test]
    fn a_machine_that_slept_shows_as_a_wall_clock_that_went_on() {
        let (clocks, shared, shown) = client();
        clocks.pass(20_000, 0);
        shared.tick();
        // Asleep for an hour: the monotonic clock stood still.
        clocks.pass(1_500, 3_600_000);
        shared.tick();
        assert_eq!(shown(&shared), 1_700_000_000_000 + 21_500 + 3_600_000);
    }

    #[test]
    fn clocks_that_go_together_are_no_news_and_small_corrections_become_some() {
        let (clocks, shared, _) = client();
        let told = || shared.lock().wall.anchor;
        for _ in 0..100 {
            clocks.pass(1_000, 0);
            shared.tick();
        }
        assert_eq!(told(), Instant::ZERO);
        for _ in 0..10 {
            clocks.pass(1_000, 60);
            shared.tick();
        }
        assert_eq!(told(), Instant::ZERO + Duration::from_secs(109));
    }

    #[test]
    fn the_clocks_are_compared_once_a_second_at_most() {
        let (clocks, shared, shown) = client();
        clocks.pass(999, 10_000);
        shared.tick();
        assert_ne!(shown(&shared), clocks.unix().0);
        clocks.pass(1, 0);
        shared.tick();
        assert_eq!(shown(&shared), clocks.unix().0);
    }
}
