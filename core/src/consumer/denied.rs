//! What brokers deny to a consumer: it goes on asking, since an account may be given the right.

use std::sync::Arc;

use super::{Consumer, Consumers};
use crate::error::{Attempt, Failure};
use crate::id::{PeerId, QueueKey, SubscriptionId};
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// What was denied last by a broker that the consumer reads from, unless that has served it
    /// since: a heartbeat, without which it pulls nothing, or what it asks about a queue.
    pub(crate) fn denied(&self, known: Known<'_>, sub: SubscriptionId) -> Option<Arc<Attempt>> {
        self.get(sub)?.denied(known)
    }
}

impl Consumer {
    pub(super) fn denied(&self, known: Known<'_>) -> Option<Arc<Attempt>> {
        let routes = self.names().filter_map(|topic| known.routes.known(topic));
        let brokers = routes.flat_map(|route| &route.readers);
        let mut peers = brokers.filter_map(|broker| known.brokers.reader(*broker));
        let heartbeat = peers.find_map(|peer| known.brokers.denial(peer));
        heartbeat.or_else(|| self.queues.iter().find_map(|(_, queue)| queue.denied.clone()))
    }

    /// A broker refused what it was asked about a queue: kept where it denies that.
    pub(super) fn refused(&mut self, ctx: &Context, peer: PeerId, key: QueueKey, why: &Failure) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.denied = why.is_denied().then(|| Arc::new(ctx.attempt(peer, None, why.clone())));
    }
}
