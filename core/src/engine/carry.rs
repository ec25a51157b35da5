//! Signals carried from machine to machine.

use super::Engine;
use crate::effects::Signal;
use crate::route::Known;

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
                Signal::RouteWanted(topic) => self.refresh_route(&topic),
                Signal::Routed(op) => self.routed(op),
                Signal::Unrouted(op, error) => self.unrouted(op, *error),
                Signal::RouteChanged(topic) => {
                    self.routes.changed(&mut self.ctx, &self.brokers, &topic);
                    self.topic_changed(&topic);
                }
                Signal::TopicMissing(topic) => self.watch_missing(&topic),
                Signal::BrokersMoved(moved) => self.brokers_moved(&moved),
                Signal::Unlisted(peer) => self.unlisted(peer),
                Signal::ServersKnown => self.servers_known(),
                Signal::ServersFailed(attempt) => self.servers_failed(&attempt),
            }
        }
    }
}
