//! Signals carried from machine to machine.

use super::Engine;
use crate::broker::Brokers;
use crate::consumer::Consumers;
use crate::effects::{SendOwner, Signal};
use crate::id::BrokerId;
use crate::name::Topic;
use crate::remoting::{BrokerAsk, Context};
use crate::route::Known;

impl Engine {
    /// Routes and brokers, for those who only read them.
    pub(super) const fn known(&self) -> Known<'_> {
        Known { routes: &self.routes, brokers: &self.brokers }
    }

    /// The consumers, and what they are handed.
    pub(super) const fn consumers(&mut self) -> (&mut Consumers, &mut Context, Known<'_>) {
        let Self { consumers, ctx, routes, brokers, .. } = self;
        (consumers, ctx, Known { routes, brokers })
    }

    /// Carries what machines have to tell each other, until none has anything left to tell.
    pub(super) fn carry(&mut self) {
        while let Some(signal) = self.ctx.fx.signals.pop_front() {
            match signal {
                Signal::RouteWanted(topic) => self.refresh_route(&topic),
                Signal::Routed(op) => self.routed(op),
                Signal::Unrouted(op, unrouted) => self.unrouted(op, *unrouted),
                Signal::RouteChanged(topic) => self.route_changed(&topic),
                Signal::TopicMissing(topic) => {
                    let (consumers, ctx, known) = self.consumers();
                    consumers.topic_missing(ctx, known, &topic);
                }
                Signal::BrokersMoved(moved) => self.brokers_moved(&moved),
                Signal::Unlisted(peer) => self.unlisted(peer),
                Signal::ServersKnown => self.servers_known(),
                Signal::ServersFailed(attempt) => self.servers_failed(&attempt),
                Signal::Registered(peer) => self.registered(peer),
                Signal::Denied => self.met(),
                Signal::Unregistered(peer) => {
                    self.brokers.denied(peer);
                    if !self.brokers.is_hearing(peer) {
                        self.register(peer);
                    }
                }
                Signal::VersionWanted(peer) => self.ask_version(peer),
                Signal::VersionKnown(peer) => {
                    let (producers, ctx, mut ways) = self.producers();
                    producers.version_known(ctx, &mut ways, peer);
                }
                Signal::GroupsChanged => self.register_all(),
                Signal::HeartbeatOwed(peer) => self.register(peer),
                Signal::GroupIdle { group } => {
                    let ask = BrokerAsk::Withdraw;
                    Brokers::unregister_consumer(&mut self.ctx, &group, ask);
                }
                Signal::Farewell { sub, group } => {
                    let ask = BrokerAsk::Unregister(Some(sub));
                    let waiting = Brokers::unregister_consumer(&mut self.ctx, &group, ask);
                    let (consumers, ctx, known) = self.consumers();
                    consumers.unregistering(ctx, known, sub, waiting);
                }
                Signal::FilterTaken { sub, wish } => {
                    let revision = self.brokers.changed();
                    let (consumers, ctx, known) = self.consumers();
                    consumers.filter_taken(ctx, known, (sub, wish), revision);
                }
                Signal::SendWanted { owner, publish } => self.send_for(owner, publish),
                Signal::SendEnded { owner, result } => {
                    if let SendOwner::Consumer { sub, message, broker } = owner {
                        let (consumers, ctx, known) = self.consumers();
                        consumers.retry_sent(ctx, known, sub, (message, broker), result);
                    }
                }
                Signal::HalfSent { id, result } => {
                    let (transactions, ctx, known) = self.transactions();
                    transactions.sent(ctx, known, id, result);
                }
                Signal::Rebalance(sub) => {
                    let (consumers, ctx, known) = self.consumers();
                    consumers.rebalance(ctx, known, sub);
                }
                Signal::Leaving(sub) => {
                    let (consumers, ctx, known) = self.consumers();
                    consumers.leaving(ctx, known, sub);
                }
                Signal::OffsetsToSave(sub) => self.consumers.save_offsets(&mut self.ctx, sub),
            }
        }
    }

    fn route_changed(&mut self, topic: &Topic) {
        self.routes.changed(&mut self.ctx, topic);
        let (consumers, ctx, known) = self.consumers();
        consumers.topic_changed(ctx, known, topic);
        let (transactions, ctx, known) = self.transactions();
        if transactions.attends(topic) {
            transactions.reach_all(ctx, known);
        }
        self.producers.moved();
    }

    fn brokers_moved(&mut self, moved: &[BrokerId]) {
        let (consumers, ctx, known) = self.consumers();
        consumers.brokers_moved(ctx, known, moved);
        let (transactions, ctx, known) = self.transactions();
        transactions.reach_all(ctx, known);
        self.producers.moved();
    }
}
