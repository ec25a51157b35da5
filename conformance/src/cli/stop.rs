//! A flag that Ctrl-C, SIGTERM and SIGHUP raise instead of ending the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The exit code of a program ended by Ctrl-C (128 + SIGINT).
pub(super) const INTERRUPTED: u8 = 130;

/// Raised once, never lowered.
#[derive(Clone, Debug)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on the signals only raise the flag. Can be called once in a process.
    pub(super) fn on_signal() -> Result<Stop, ctrlc::Error> {
        let flag = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&flag);
        ctrlc::set_handler(move || raised.store(true, Ordering::SeqCst))?;
        Ok(Stop(flag))
    }

    pub(super) fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Returns once the flag is raised; looks twenty times a second.
    pub(super) fn wait(&self) {
        while !self.raised() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}
