//! Which queues are a consumer's: taken, given up, and found again by where they are.
//!
//! A share may have tens of thousands of queues, and is looked at under the client's lock: what has
//! not changed costs one comparison, what has changed is sorted and walked once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::{Consumer, Queue};
use crate::allocation::average;
use crate::body::Members;
use crate::id::{BrokerId, QueueKey, TopicKey};
use crate::name::QueueName;
use crate::route::{Route, RouteQueue};

/// What a rebalance changed.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) added: Vec<QueueKey>,
    pub(super) removed: Vec<(QueueKey, Queue)>,
}

/// Where the queues of a consumer are.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_place: BTreeMap<(TopicKey, RouteQueue), QueueKey>,
    /// The route and the part of it that each topic's queues were last taken from.
    taken: BTreeMap<TopicKey, (Arc<Route>, std::ops::Range<usize>)>,
    /// How many queues there are of each topic.
    held: BTreeMap<TopicKey, usize>,
    /// Queues looked at for assignments so far.
    #[cfg(test)]
    looks: usize,
}

impl Places {
    fn insert(&mut self, place: (TopicKey, RouteQueue), key: QueueKey) {
        if self.by_place.insert(place, key).is_none() {
            *self.held.entry(place.0).or_default() += 1;
        }
    }

    fn remove(&mut self, place: &(TopicKey, RouteQueue)) -> Option<QueueKey> {
        let key = self.by_place.remove(place)?;
        self.taken.remove(&place.0);
        if let Entry::Occupied(mut held) = self.held.entry(place.0) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        Some(key)
    }

    /// Queues of one topic.
    pub(super) fn held(&self, topic: TopicKey) -> usize {
        self.held.get(&topic).copied().unwrap_or(0)
    }
}

impl Consumer {
    /// Makes the share of the member whose place is told the queues of one topic: what
    /// is new begins, what is no longer there is given up. `None` when it is not among the members:
    /// then the broker's list is older than our heartbeat. Also tells how many queues that are.
    pub(super) fn assign(
        &mut self,
        topic: TopicKey,
        route: &Arc<Route>,
        members: Members,
        name: &dyn Fn(RouteQueue) -> QueueName,
    ) -> Option<(usize, Change)> {
        let queues = &route.readable;
        let range = average(queues.len(), members.count, members.place?);
        let share = queues.get(range.clone())?;
        let mut change = Change::default();
        let same = |(of, part): &(Arc<Route>, _)| Arc::ptr_eq(of, route) && *part == range;
        if self.places.taken.get(&topic).is_some_and(same) {
            return Some((share.len(), change));
        }
        let mut wanted = share.to_vec();
        wanted.sort_unstable();
        let gone = self.of_topic(topic).filter(|(_, at)| wanted.binary_search(at).is_err());
        let gone: Vec<_> = gone.collect();
        #[cfg(test)]
        {
            self.places.looks += share.len() + self.of_topic(topic).count();
        }
        change.removed = self.give_up(gone);
        // One that finishes gains nothing.
        let gained = if self.is_draining() { &[][..] } else { share };
        for &at in gained {
            if !self.places.by_place.contains_key(&(topic, at)) {
                let queue = Queue::new(name(at), at, topic).counting(&self.stale);
                let key = self.queues.insert(queue);
                self.places.insert((topic, at), key);
                change.added.push(key);
            }
        }
        self.places.taken.insert(topic, (route.clone(), range));
        Some((share.len(), change))
    }

    fn of_topic(&self, topic: TopicKey) -> impl Iterator<Item = (TopicKey, RouteQueue)> {
        let of_topic = self.places.by_place.range((topic, RouteQueue::FIRST)..);
        of_topic.map(|(place, _)| *place).take_while(move |(of, _)| *of == topic)
    }

    /// The queues of one topic.
    pub(super) fn held_of(&self, topic: TopicKey) -> impl Iterator<Item = QueueKey> {
        let from = self.places.by_place.range((topic, RouteQueue::FIRST)..);
        from.take_while(move |((of, _), _)| *of == topic).map(|(_, key)| *key)
    }

    /// The queues that are on a broker.
    pub(super) fn on(&self, broker: BrokerId) -> impl Iterator<Item = QueueKey> {
        let at = move |queue| RouteQueue { broker, queue };
        self.topics.iter().flat_map(move |(topic, _)| {
            let places = (topic, at(0))..=(topic, at(u32::MAX));
            self.places.by_place.range(places).map(|(_, key)| *key)
        })
    }

    /// Gives queues up, with all that is to be handed out of them.
    fn give_up(&mut self, places: Vec<(TopicKey, RouteQueue)>) -> Vec<(QueueKey, Queue)> {
        let mut given_up = Vec::with_capacity(places.len());
        for place in places {
            let Some(key) = self.places.remove(&place) else { continue };
            let Some(queue) = self.queues.remove(key) else { continue };
            queue.window.revoke();
            for batch in queue.window.batches() {
                self.tallies.of(queue.topic).gave_up(batch);
            }
            self.forget_handouts(&queue);
            given_up.push((key, queue));
        }
        given_up
    }

    /// Gives a queue up and takes it anew, at `offset`.
    pub(super) fn take_anew(&mut self, mut key: QueueKey, offset: i64) -> Option<QueueKey> {
        let queue = self.queues.get(key)?;
        let anew = queue.anew(offset).counting(&self.stale);
        let place = (queue.topic, queue.at);
        let commits = queue.keeper.under_way().is_some() || self.predecessors.holds(key);
        self.give_up(vec![place]).pop()?;
        let old = std::mem::replace(&mut key, self.queues.insert(anew));
        if commits {
            self.predecessors.waits(old, key);
        }
        self.places.insert(place, key);
        Some(key)
    }

    /// Gives up every queue.
    pub(super) fn give_up_all(&mut self) -> Vec<(QueueKey, Queue)> {
        self.give_up(self.places.by_place.keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::Subscribe;
    use crate::id::{Slots, SubscriptionId};
    use crate::name::{Group, Topic};
    use crate::rng::Rng;

    fn consumer() -> Consumer {
        let group = Group::new("g").unwrap();
        let subscribe = Subscribe::new(group, Topic::new("t").unwrap());
        let id = Slots::<SubscriptionId, ()>::default().insert(());
        Consumer::new(id, subscribe, &crate::config::Config::default(), (1, 0))
    }

    fn name(at: RouteQueue) -> QueueName {
        QueueName { topic: Topic::new("t").unwrap(), broker: "b".into(), queue: at.queue }
    }

    fn route(queues: Vec<RouteQueue>) -> Arc<Route> {
        Arc::new(Route { readable: queues, ..Route::default() })
    }

    /// `count` queues on each of `brokers`, whose order by name is not that of their numbers.
    fn queues(brokers: &[u32], count: u32) -> Vec<RouteQueue> {
        let of = |broker: &u32| {
            let broker = BrokerId(*broker);
            (0..count).map(move |queue| RouteQueue { broker, queue })
        };
        brokers.iter().flat_map(of).collect()
    }

    fn members(count: usize, place: usize) -> Members {
        Members { count, place: Some(place), doubled: false }
    }

    fn held(consumer: &Consumer) -> Vec<RouteQueue> {
        let mut held: Vec<_> = consumer.queues.iter().map(|(_, queue)| queue.at).collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn any_shares_one_after_the_other_are_held_exactly() {
        let mut rng = Rng::new(9);
        let mut consumer = consumer();
        let topic = consumer.topics.keys()[0];
        for _ in 0..300 {
            let mut brokers = vec![5, 1, 3, 2];
            brokers.truncate(rng.below(5) as usize);
            let route = route(queues(&brokers, rng.below(40) as u32));
            let count = 1 + rng.below(4) as usize;
            let members = members(count, rng.below(count as u64) as usize);
            let before = held(&consumer);
            let (share, change) = consumer.assign(topic, &route, members, &name).unwrap();
            let own = average(route.readable.len(), members.count, members.place.unwrap());
            let mut expected = route.readable[own].to_vec();
            expected.sort_unstable();
            assert_eq!((held(&consumer), share), (expected.clone(), expected.len()));
            let kept = before.iter().filter(|at| expected.contains(at)).count();
            assert_eq!(change.removed.len(), before.len() - kept);
            assert_eq!(change.added.len(), expected.len() - kept);
            for broker in [1, 2, 3, 5].map(BrokerId) {
                let on = consumer.on(broker).map(|key| consumer.queues.get(key).unwrap().at);
                assert!(on.eq(expected.iter().copied().filter(|at| at.broker == broker)));
            }
        }
        assert_eq!(
            consumer.assign(topic, &route(Vec::new()), Members::default(), &name).map(drop),
            None
        );
    }

    #[test]
    fn a_share_that_is_the_same_is_not_looked_at_and_another_one_once() {
        let mut consumer = consumer();
        let topic = consumer.topics.keys()[0];
        let first = route(queues(&[0, 1], 30_000));
        let assign = |consumer: &mut Consumer, route, members| {
            let before = consumer.places.looks;
            let (share, change) = consumer.assign(topic, route, members, &name).unwrap();
            (share, change.added.len(), change.removed.len(), consumer.places.looks - before)
        };
        assert_eq!(assign(&mut consumer, &first, members(1, 0)), (60_000, 60_000, 0, 60_000));
        assert_eq!(assign(&mut consumer, &first, members(1, 0)), (60_000, 0, 0, 0));
        assert_eq!(assign(&mut consumer, &first, members(2, 1)), (30_000, 0, 30_000, 90_000));
        // A route of the same queues, told anew, is compared and changes nothing.
        let again = route(queues(&[0, 1], 30_000));
        assert_eq!(assign(&mut consumer, &again, members(2, 1)), (30_000, 0, 0, 60_000));
        // What was given up meanwhile is taken again by the next rebalance.
        assert_eq!(consumer.give_up_all().len(), 30_000);
        assert_eq!(assign(&mut consumer, &again, members(2, 1)), (30_000, 30_000, 0, 30_000));
    }
}
