//! What brokers deny to a consumer: it goes on asking, since an account may be given the right.

use std::sync::Arc;

use super::{Consumer, Consumers};
use crate::error::{Attempt, Denial, DeniedAsk, Failure};
use crate::id::{PeerId, QueueKey, SubscriptionId};
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// What keeps messages away from the consumer: the first of what is denied to it.
    pub(crate) fn denied(&self, known: Known<'_>, sub: SubscriptionId) -> Option<Denial> {
        self.get(sub)?.denied(known).into_iter().next()
    }
}

impl Consumer {
    /// What was denied last by peers that have not served it since, one of each kind: routes,
    /// heartbeats, without which it pulls nothing, the members of the group, locks, and what it
    /// asks about a queue.
    pub(super) fn denied(&self, known: Known<'_>) -> Vec<Denial> {
        let unknown = || self.topics.own().chain(self.wishes.topics());
        let route = unknown().find_map(|topic| known.routes.denial(topic));
        let routes = self.names().filter_map(|topic| known.routes.known(topic));
        let brokers = routes.flat_map(|route| &route.readers);
        let mut peers = brokers.filter_map(|broker| known.brokers.reader(*broker));
        let heartbeat = peers.find_map(|peer| known.brokers.denial(peer));
        let queue = self.queues.iter().find_map(|(_, queue)| queue.denied.clone());
        let all = [
            (DeniedAsk::Route, route),
            (DeniedAsk::Heartbeat, heartbeat),
            (DeniedAsk::Members, self.questions.denied.clone()),
            (DeniedAsk::Locks, self.locks.denied()),
            (DeniedAsk::Queue, queue),
        ];
        let denied = all.into_iter().filter_map(|(what, by)| by.map(|attempt| (what, attempt)));
        denied.map(|(what, attempt)| Denial { what, attempt }).collect()
    }

    /// A broker refused what it was asked about a queue: kept where it denies that.
    pub(super) fn refused(&mut self, ctx: &Context, peer: PeerId, key: QueueKey, why: &Failure) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.denied = denial(ctx, peer, why);
    }
}

/// How a peer has denied something, where it did.
pub(super) fn denial(ctx: &Context, peer: PeerId, why: &Failure) -> Option<Arc<Attempt>> {
    why.is_denied().then(|| Arc::new(ctx.attempt(peer, None, why.clone())))
}
