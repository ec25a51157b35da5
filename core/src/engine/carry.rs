//! Signals carried from machine to machine.

use super::Engine;
use crate::broker::Known;
use crate::effects::Signal;

impl Engine {
    /// Routes and brokers, for those who only read them.
    pub(super) const fn known(&self) -> Known<'_> {
        Known { routes: &self.routes, brokers: &self.brokers }
    }

    /// Carries what machines have to tell each other, until none has anything left to tell.
    pub(super) fn carry(&mut self) {
        while let Some(signal) = self.ctx.fx.signals.pop_front() {
            match signal {
                Signal::Registered(peer) => self.broker_knows(peer),
            }
        }
    }
}
