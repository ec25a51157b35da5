//! Whether letting others go first pays: learnt from what it brought.

/// Whether a writing task that lets others go first finds more to write afterwards. Where all sends
/// come from one task it never does, and letting go costs the waking of a thread.
#[derive(Clone, Debug)]
pub(super) struct Coalesce {
    /// Up to [`TRUST`]; none is left after as many times in vain.
    trust: u32,
    /// Turns since others were last let go first.
    skipped: u32,
    /// Frames that waited when they were.
    waited: usize,
}

const TRUST: u32 = 4;
/// Without trust, one turn in so many is tried.
const RETRY: u32 = 32;

impl Default for Coalesce {
    fn default() -> Self {
        Self { trust: TRUST, skipped: 0, waited: 0 }
    }
}

impl Coalesce {
    /// Whether to let others go first, while `frames` wait.
    pub(super) fn begin(&mut self, frames: usize) -> bool {
        self.skipped += 1;
        let begins = self.trust > 0 || self.skipped >= RETRY;
        if begins {
            (self.skipped, self.waited) = (0, frames);
        }
        begins
    }

    /// They went first, and now so many `frames` wait.
    pub(super) fn end(&mut self, frames: usize) {
        let trust =
            if frames > self.waited { self.trust + 2 } else { self.trust.saturating_sub(1) };
        self.trust = trust.min(TRUST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_go_first_as_long_as_that_brings_something() {
        let mut coalesce = Coalesce::default();
        let mut tried = |gains: usize| {
            let mut tries = 0;
            for _ in 0..RETRY {
                if coalesce.begin(1) {
                    tries += 1;
                    coalesce.end(1 + gains);
                }
            }
            tries
        };
        assert_eq!(tried(0), TRUST);
        assert_eq!(tried(0), 1);
        // The one try in so many finds something.
        assert!(tried(1) >= 1);
        assert_eq!(tried(1), RETRY);
    }
}
