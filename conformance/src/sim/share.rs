//! Shares that are computed for engines, in their own time: none is taken that was computed from
//! another route than the present one.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketry_core::engine::{Computed, Job};
use rocketry_core::name::Topic;

use super::app::ClientId;
use super::happening::Happening;
use super::world::World;

/// How many queues a client can read, by topic.
pub(super) type Routes = BTreeMap<Topic, usize>;

impl World {
    fn routes(&self, client: ClientId) -> Routes {
        let topics = self.engine(client).snapshot(self.now).topics.into_iter();
        topics.map(|topic| (topic.topic, topic.readable)).collect()
    }

    /// Computes something for an engine: at once or, as on a busy machine, a while later.
    pub(super) fn compute(&mut self, client: ClientId, job: Job) {
        let most = self.computes_within.as_micros() as u64;
        let drawn = Duration::from_micros(self.rng.below(2) * self.rng.below(most.max(1)));
        let at = self.now + self.computes.unwrap_or(drawn);
        let routes = self.routes(client);
        self.schedule(at, Happening::Computed { client, done: job.run(), routes });
    }

    /// Gives an engine what it had computed when it knew these routes.
    pub(super) fn computed(&mut self, client: ClientId, done: Computed, then: &Routes) {
        self.listen(client);
        let before = self.changes(client).len();
        self.tell(client, |session, now| session.computed(now, done));
        let now = self.routes(client);
        self.listen(client);
        for change in &self.changes(client)[before..] {
            let queues = || change.gained.iter().chain(&change.lost);
            // A share is of one topic. Who leaves in the same moment loses those of all.
            if queues().any(|queue| Some(&queue.topic) != queues().next().map(|at| &at.topic)) {
                continue;
            }
            for queue in queues() {
                let of = |routes: &Routes| routes.get(&queue.topic).copied();
                let routes = (of(then), of(&now));
                // A topic that is read no more has no route.
                let stale = routes.1.is_some() && routes.0 != routes.1;
                assert!(
                    !stale,
                    "{client:?} takes a share of another route, {routes:?}: {change:?}"
                );
            }
        }
    }
}
