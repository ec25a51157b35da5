//! What must always hold of consumers.

use std::collections::BTreeMap;

use super::{Consumer, Consumers, Turns};
use crate::frame::Opaque;
use crate::id::{QueueKey, SubscriptionId};
use crate::remoting::Context;
use crate::route::Known;

impl Consumers {
    /// Panics when something does not hold.
    pub(crate) fn check(&self, ctx: &Context, known: Known<'_>) {
        let mut asked: BTreeMap<_, Vec<Opaque>> = BTreeMap::new();
        for (sub, key, opaque) in ctx.remoting.calls.of_queues() {
            asked.entry((sub, key)).or_default().push(opaque);
        }
        for (sub, consumer) in self.iter() {
            consumer.check_handouts();
            consumer.check_commit_calls(&self.turns);
            consumer.check_locks();
            consumer.check_timers(ctx);
            consumer.check_wishes();
            consumer.check_share(&self.turns);
            consumer.check_local(ctx);
            assert!(!consumer.is_drained(), "{sub:?} has finished and does not leave");
            self.check_queues(ctx, known, (sub, consumer), &mut asked);
            if !consumer.is_leaving() {
                consumer.check_reach(ctx, known);
            }
        }
    }

    /// Each queue has one question in flight, one timer, or one named condition: its window is
    /// full, its consumer loads its offset or is suspended, or its broker is not there or does not
    /// know us.
    fn check_queues(
        &self,
        ctx: &Context,
        known: Known<'_>,
        (sub, consumer): (SubscriptionId, &Consumer),
        asked: &mut BTreeMap<(SubscriptionId, QueueKey), Vec<Opaque>>,
    ) {
        let ends = consumer.is_leaving() || consumer.is_draining();
        for (key, queue) in consumer.queues.iter() {
            let calls = asked.remove(&(sub, key)).unwrap_or_default();
            let ready = consumer.source(ctx, known, queue).is_some();
            let due = self.turns.holds(sub, key);
            let read = consumer.topics.get(queue.topic).is_some();
            let held_back = (consumer.suspended || queue.held) && queue.is_begun();
            let barred = queue.released || !queue.lock().lets_pull();
            let may_rest = !ready || ends || due || !read || held_back || barred;
            let due = due || consumer.has_transfers() || consumer.is_leaving() || barred;
            let bounds = consumer.bounds.of_queue(consumer.places.held(queue.topic));
            let loads = consumer.local.as_ref().is_some_and(|local| local.loads(&ctx.fx));
            let loads = loads || consumer.is_leaving();
            queue.check(&ctx.fx, &bounds, &calls, (may_rest, due, loads));
        }
    }
}

impl Consumer {
    /// What is kept of timers was given out by the engine's table.
    fn check_timers(&self, ctx: &Context) {
        let queues = self.queues.iter().filter_map(|(_, queue)| queue.cursor.timer());
        let own = [self.rebalance_timer, self.handouts.timer, self.drain_timer()];
        let own = own.into_iter().chain([self.look_timer, self.reminder]);
        let queues = queues.chain(self.local.iter().flat_map(|local| local.timers()));
        let own = own.flatten().chain(self.locks.timers());
        for key in queues.chain(own.map(|(_, timer)| timer)) {
            assert!(ctx.fx.timers.gave(key), "{key:?} is of another table");
        }
    }

    /// What is held is what the last shares say, but for what is left to turns, and to the ends of
    /// computations.
    fn check_share(&self, turns: &Turns) {
        let waits = self.has_transfers();
        assert!(
            !waits || turns.has_transfer(self.id),
            "{:?} has changes of nobody's turn",
            self.id
        );
        assert!(
            !self.is_leaving() || self.queues.is_empty() || turns.has_leave(self.id),
            "{:?} has queues that nobody gives up",
            self.id
        );
        if !waits && !self.is_draining() && !self.is_leaving() {
            self.check_held();
        }
    }

    /// Whatever a consumer waits for, somebody brings it about: a queue of the route that rests for
    /// its broker has that broker connected to, and a broker that is connected hears of us.
    fn check_reach(&self, ctx: &Context, known: Known<'_>) {
        let looks = !self.questions.is_empty() || self.rebalance_timer.is_some();
        assert!(looks || self.is_computing(), "{:?} looks at its share no more", self.id);
        if self.is_draining() {
            return;
        }
        for (key, queue) in self.queues.iter().filter(|(_, queue)| queue.cursor.awaits_broker()) {
            if queue.released || !queue.lock().lets_pull() {
                // Its lock is looked after.
                continue;
            }
            let Some(peer) = known.brokers.reader(queue.at.broker) else { continue };
            // One that the route names no more is taken away by the next look at the share.
            let route = known.routes.known(&queue.name.topic);
            let named = route.is_some_and(|route| route.readable.contains(&queue.at));
            if known.is_ready(ctx, peer, self.revision(queue.topic)) || !named {
                continue;
            }
            let comes = if ctx.remoting.peers.is_connected(peer) {
                known.brokers.is_hearing(peer)
            } else {
                ctx.remoting.peers.is_sought(peer)
            };
            let endpoint = ctx.remoting.peers.endpoint(peer);
            assert!(comes, "{key:?} of {:?} waits for {endpoint}, which nobody asks", self.id);
        }
    }
}
