//! How far a run is, for those who watch it from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Messages a caller counts by itself before it tells: so watching costs the callers nothing.
const TOLD: usize = 64;

/// Counts a run's messages, those before the clock starts as well.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// Messages so far; each caller's last few may be missing.
    pub fn seen(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn tally(&self) -> Tally {
        Tally { all: self.clone(), held: 0 }
    }
}

/// One caller's share of the count.
#[derive(Debug)]
pub(super) struct Tally {
    all: Progress,
    held: usize,
}

impl Tally {
    pub(super) fn add(&mut self, messages: usize) {
        self.held += messages;
        if self.held >= TOLD {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.all.0.fetch_add(self.held, Ordering::Relaxed);
        self.held = 0;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.tell();
    }
}
