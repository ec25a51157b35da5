//! Which queues are a consumer's: taken, given up, and found again by where they are.
//!
//! | state of a topic's share | leaves on | to |
//! |---|---|---|
//! | settled | other queues, members or words of the broker than it was computed from | computing |
//! | computing | the job's end | changing, or settled where nothing changes |
//! | | a failure | settled, and another look after a pause |
//! | changing | its turns | settled |
//!
//! A share may have tens of thousands of queues. Under the client's lock, what has not changed
//! costs one comparison, and what has changed is done in turns; what it is, a job computes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use bytes::Bytes;

use super::queue::{Lease, Lock};
use super::reset::Heir;
use super::turns::Handled;
use super::{Consumer, Consumers, Queue, Trouble};
use crate::allocation::{AllocationError, Computed, Job, Outcome, Rule, Share, Task, Ticket};
use crate::body::Members;
use crate::effects::{Command, ConsumerTimer, Event, Note, Planted, Signal, TimerKind};
use crate::id::{BrokerId, QueueKey, RouteQueue, TopicKey};
use crate::name::QueueName;
use crate::remoting::Context;
use crate::route::{Known, Route};
use crate::time::Instant;

/// A rule that has not returned for so long is told of.
const LATE: Duration = Duration::from_secs(10);

/// Where a queue is: of which topic, on which broker, and its number there.
pub(super) type Place = (TopicKey, RouteQueue);

/// What the share of a topic follows from, besides the consumer's strategy: while all of it is the
/// same, so is the share.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    queues: Arc<[RouteQueue]>,
    by: By,
}

/// Whose word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The group's members.
    Members(Members),
    /// The broker.
    Broker(Bytes),
    /// The application.
    Assigned(Arc<BTreeSet<QueueName>>),
    /// Nobody's: all queues are its own.
    All,
}

impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.queues, &other.queues) && self.by == other.by
    }
}

/// How far the share of one topic has come.
#[derive(Debug, Default)]
struct TopicShare {
    /// What it was computed from.
    basis: Option<Basis>,
    /// The queues, in the order of places: what is held once all turns are taken.
    held: Arc<[RouteQueue]>,
    /// The job under way, by its number, what it goes by, and since when.
    computing: Option<(u64, Basis, Instant)>,
    /// What it follows from has changed meanwhile.
    again: bool,
    /// Jobs in a row that failed.
    failures: u32,
}

/// A change of a topic's share, as far as it is not made yet.
#[derive(Debug)]
struct Transfer {
    topic: TopicKey,
    lost: IntoIter<RouteQueue>,
    gained: IntoIter<RouteQueue>,
}

/// Where the queues of a consumer are.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_place: BTreeMap<Place, QueueKey>,
    shares: BTreeMap<TopicKey, TopicShare>,
    transfers: VecDeque<Transfer>,
    /// How many queues there are of each topic.
    held: BTreeMap<TopicKey, usize>,
    /// Counts the jobs.
    jobs: u64,
}

impl Consumers {
    /// A job came to its end.
    pub(crate) fn computed(&mut self, ctx: &mut Context, known: Known<'_>, done: Computed) {
        let (ticket, result) = match done.0 {
            Outcome::Share { ticket, result } => (ticket, result),
            Outcome::Group { sub, others } => {
                let consumer = self.get_mut(sub);
                return consumer.map_or((), |consumer| consumer.tell_others(ctx, others));
            }
        };
        let Some(consumer) = self.get_mut(ticket.sub) else { return };
        if consumer.take_computed(ctx, known, ticket, result) {
            self.attend_transfer(ctx, known, ticket.sub);
        }
    }
}

impl Places {
    pub(super) fn insert(&mut self, place: Place, key: QueueKey) {
        if self.by_place.insert(place, key).is_none() {
            *self.held.entry(place.0).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<QueueKey> {
        let key = self.by_place.remove(place)?;
        if let Entry::Occupied(mut held) = self.held.entry(place.0) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        Some(key)
    }

    /// The queue of a place.
    pub(super) fn queue(&self, place: &Place) -> Option<QueueKey> {
        self.by_place.get(place).copied()
    }

    /// So many queues, those behind a place or all.
    pub(super) fn behind(&self, place: Option<Place>, room: usize) -> Vec<(Place, QueueKey)> {
        let from = place.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.by_place.range((from, Bound::Unbounded));
        behind.take(room).map(|(place, key)| (*place, *key)).collect()
    }

    /// Queues of one topic.
    pub(super) fn held(&self, topic: TopicKey) -> usize {
        self.held.get(&topic).copied().unwrap_or(0)
    }
}

impl Consumer {
    /// Whether a share is being computed.
    pub(super) fn is_computing(&self) -> bool {
        self.places.shares.values().any(|share| share.computing.is_some())
    }

    /// Whether changes of its share wait for their turns.
    pub(super) fn has_transfers(&self) -> bool {
        !self.places.transfers.is_empty()
    }

    /// Has the share of a topic computed, unless nothing that it follows from has changed.
    /// `list` is the group's members as the broker named them.
    pub(super) fn compute(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        topic: TopicKey,
        (route, by, list): (&Route, By, Bytes),
    ) {
        let Some(name) = self.topics.get(topic).map(|of| of.topic.wire().clone()) else { return };
        let basis = Basis { queues: route.readable.clone(), by };
        let share = self.places.shares.entry(topic).or_default();
        match &share.computing {
            Some((_, under_way, since)) => {
                share.again |= *under_way != basis;
                let since = *since;
                return self.computed_late(ctx, topic, since);
            }
            None if share.basis.as_ref() == Some(&basis) => return,
            None => {}
        }
        self.places.jobs += 1;
        let generation = self.places.jobs;
        let rule = match &basis.by {
            By::Members(members) => {
                let (strategy, members) = (self.strategy.clone(), *members);
                Rule::Members { strategy, members, list }
            }
            By::Broker(assigned) => Rule::Broker(assigned.clone()),
            By::Assigned(queues) => Rule::Assigned(queues.clone()),
            By::All => Rule::All,
        };
        let by_place = matches!(&rule, Rule::Members { strategy, .. } if strategy.goes_by_place());
        let named = |broker: &BrokerId| (*broker, known.brokers.name(*broker).clone());
        let brokers = if by_place { Vec::new() } else { route.readers.iter().map(named).collect() };
        let task = Task {
            ticket: Ticket { sub: self.id, topic, generation },
            topic: name,
            me: ctx.fx.client_id.clone(),
            queues: basis.queues.clone(),
            brokers,
            rule,
            held: share.held.clone(),
        };
        share.computing = Some((generation, basis, ctx.fx.now));
        ctx.fx.command(Command::Compute { job: Job::from(task) });
    }

    /// Tells of a rule that has not returned for long: until it does, the topic's queues stay with
    /// whom they are.
    fn computed_late(&mut self, ctx: &mut Context, topic: TopicKey, since: Instant) {
        let took = ctx.fx.now.since(since);
        let Some(name) = self.topics.get(topic).map(|of| of.topic.clone()) else { return };
        if took >= LATE && self.tells(ctx.fx.now, Trouble::Share) {
            let (group, error) = (self.group.clone(), AllocationError::Late(took));
            ctx.fx.note(Note::NotShared { group, topic: name, error });
        }
    }

    /// A share is computed, or could not be. True if something changes hands.
    fn take_computed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        ticket: Ticket,
        result: Result<Share, AllocationError>,
    ) -> bool {
        let Some(name) = self.topics.get(ticket.topic).map(|of| of.topic.clone()) else {
            return false;
        };
        let Some(share) = self.places.shares.get_mut(&ticket.topic) else { return false };
        let mine = |(number, ..): &mut (u64, Basis, Instant)| *number == ticket.generation;
        let Some((_, basis, _)) = share.computing.take_if(mine) else { return false };
        if matches!(self.phase, super::Phase::Committing | super::Phase::Unregistering { .. }) {
            return false;
        }
        let there = known.routes.known(&name).map(|route| &route.readable);
        let stale = there.is_none_or(|queues| !Arc::ptr_eq(queues, &basis.queues));
        let stale = stale && !ctx.fx.plant.is(Planted::AppliesStale);
        if std::mem::take(&mut share.again) || stale {
            ctx.fx.signal(Signal::Rebalance(self.id));
        }
        if stale {
            return false;
        }
        let Share { queues, gained, lost } = match result {
            Ok(share) => share,
            Err(error) => {
                share.failures += 1;
                let failures = share.failures;
                self.allocation_failed(ctx, &name, failures, error);
                return false;
            }
        };
        share.failures = 0;
        (share.basis, share.held) = (Some(basis.clone()), queues.clone());
        if gained.is_empty() && lost.is_empty() {
            return false;
        }
        let members = match &basis.by {
            By::Members(members) => members.count,
            By::Broker(_) | By::Assigned(_) | By::All => 0,
        };
        let (group, share) = (self.group.clone(), queues.len());
        ctx.fx.note(Note::Rebalanced { group, topic: name, share, members });
        let (lost, gained) = (lost.into_iter(), gained.into_iter());
        self.places.transfers.push_back(Transfer { topic: ticket.topic, lost, gained });
        true
    }

    /// Nothing changes hands; it is tried again after a pause that grows.
    fn allocation_failed(
        &mut self,
        ctx: &mut Context,
        name: &crate::name::Topic,
        failures: u32,
        error: AllocationError,
    ) {
        if matches!(error, AllocationError::Pop) {
            return self.decline_assignment(ctx, "the group is to pop its messages".into());
        }
        if self.tells(ctx.fx.now, Trouble::Share) {
            let (group, topic) = (self.group.clone(), name.clone());
            ctx.fx.note(Note::NotShared { group, topic, error });
        }
        let most = ctx.fx.config.rebalance_interval.max(super::rebalance::AGAIN);
        let pause = super::rebalance::AGAIN.saturating_mul(1 << (failures - 1).min(8)).min(most);
        self.rebalance_after(ctx, pause);
    }

    /// Makes a part of the oldest change: what is lost commits first, what is gained begins.
    pub(super) fn transfer(&mut self, ctx: &mut Context, known: Known<'_>, room: usize) -> Handled {
        let mut queues = 0;
        let Some(mut change) = self.places.transfers.pop_front() else {
            return Handled { queues, more: false };
        };
        let (mut lost, mut gained) = (Vec::new(), Vec::new());
        while queues < room {
            if let Some(at) = change.lost.next() {
                lost.extend(self.lose(ctx, known, (change.topic, at)));
            } else if let Some(at) = change.gained.next() {
                gained.extend(self.gain(ctx, known, (change.topic, at)));
            } else {
                break;
            }
            queues += 1;
        }
        let more = change.lost.len() + change.gained.len() > 0;
        if more {
            self.places.transfers.push_front(change);
        }
        self.topics.retain_own(&mut lost);
        self.topics.retain_own(&mut gained);
        if !lost.is_empty() || !gained.is_empty() {
            ctx.fx.event(Event::QueuesChanged { sub: self.id, gained, lost });
        }
        self.look_at_queues();
        self.commit_calls_look(ctx, known);
        if self.is_drained() {
            self.drain_over(ctx);
            return Handled { queues, more: false };
        }
        Handled { queues, more }
    }

    /// Gives up one queue, which commits before.
    fn lose(&mut self, ctx: &mut Context, known: Known<'_>, place: Place) -> Option<QueueName> {
        if self.needs_locks() {
            return self.release(ctx, known, place);
        }
        let (key, queue) = self.give_up(place)?;
        if let Some(wish) = self.assigned.as_mut().and_then(|own| own.wish(&queue.name)) {
            // It went from the route, and goes on where it was when it is back.
            *wish = queue.to_wish();
        }
        self.commit_given_up(ctx, known, key, &queue);
        Some(queue.name)
    }

    /// Takes one queue, unless it is there or the consumer finishes.
    fn gain(&mut self, ctx: &mut Context, known: Known<'_>, place: Place) -> Option<QueueName> {
        let (topic, at) = place;
        let of = self.topics.get(topic)?;
        if self.is_draining() || self.places.by_place.contains_key(&place) {
            return None;
        }
        let name = known.brokers.queue_name(&of.topic, at.broker, at.queue);
        if self.take_back(ctx, known, place) {
            return Some(name);
        }
        let lock = if self.needs_locks() { Lock::Wanted } else { Lock::Unneeded };
        let mut queue = self.kept(Queue::new(name.clone(), at, topic), lock);
        if let Some(assigned) = &mut self.assigned {
            queue.begin_as(assigned.take_wish(&name));
        }
        let key = self.queues.insert(queue);
        self.places.insert(place, key);
        self.track_lock(key);
        if self.needs_locks() {
            // Its former owner has committed before it can be locked.
            self.want_lock(ctx, at.broker, &name);
            return Some(name);
        }
        let pause = Lease::pause(ctx.fx.now, self.shared, self.bounds.handover_pause);
        let pause = pause.filter(|_| !ctx.fx.plant.is(Planted::TakesAtOnce));
        match (pause, self.queues.get_mut(key)) {
            (Some(pause), Some(queue)) => {
                let timer = TimerKind::Consumer(ConsumerTimer::Queue(self.id, key));
                queue.cursor.awaiting(Lease::new(ctx.fx.now + pause, ctx.fx.after(pause, timer)));
            }
            _ => self.resume(ctx, known, key),
        }
        Some(name)
    }

    /// A topic is read no more: its queues are given up. True if there were any.
    pub(super) fn forget_share(&mut self, topic: TopicKey) -> bool {
        let Some(share) = self.places.shares.remove(&topic) else { return false };
        let lost: Vec<RouteQueue> = share.held.iter().copied().collect();
        let lost = lost.into_iter();
        self.places.transfers.push_back(Transfer { topic, lost, gained: Vec::new().into_iter() });
        true
    }

    /// The queues of a topic.
    pub(super) fn of_topic(&self, topic: TopicKey) -> impl Iterator<Item = (RouteQueue, QueueKey)> {
        let of_topic = self.places.by_place.range((topic, RouteQueue::FIRST)..);
        let of_topic = of_topic.take_while(move |((of, _), _)| *of == topic);
        of_topic.map(|((_, at), key)| (*at, *key))
    }

    /// The queues that are on a broker.
    pub(super) fn on(&self, broker: BrokerId) -> impl Iterator<Item = QueueKey> {
        let at = move |queue| RouteQueue { broker, queue };
        self.topics.iter().flat_map(move |(topic, _)| {
            let places = (topic, at(0))..=(topic, at(u32::MAX));
            self.places.by_place.range(places).map(|(_, key)| *key)
        })
    }

    /// A queue as this consumer keeps it, under that lock.
    fn kept(&mut self, queue: Queue, lock: Lock) -> Queue {
        let filtered = &self.tallies.of(queue.topic).filtered;
        let queue = queue.counting(&self.stale, filtered);
        if self.is_orderly() { queue.in_order(lock) } else { queue }
    }

    /// Gives a queue up, with all that is to be handed out of it.
    fn give_up(&mut self, place: Place) -> Option<(QueueKey, Queue)> {
        let key = self.places.queue(&place)?;
        Some((key, self.drop_queue(place, key)?))
    }

    /// The same with one that need not be at its place any more.
    pub(super) fn drop_queue(&mut self, place: Place, key: QueueKey) -> Option<Queue> {
        if self.places.queue(&place) == Some(key) {
            self.places.remove(&place);
        }
        let queue = self.queues.remove(key)?;
        self.locks.forget(key, &queue);
        if let Some(local) = &mut self.local {
            local.forget(key);
        }
        queue.window.revoke();
        self.keep_elders(&queue);
        for batch in queue.window.batches() {
            self.tallies.of(queue.topic).gave_up(batch);
        }
        self.forget_handouts(&queue);
        Some(queue)
    }

    /// Gives a queue up and takes it anew, at `offset`.
    pub(super) fn take_anew(&mut self, key: QueueKey, offset: i64) -> Option<QueueKey> {
        let queue = self.queues.get(key)?;
        let (anew, lock) = (queue.anew(offset), queue.lock());
        let anew = self.kept(anew, lock);
        self.replace(key, anew)
    }

    /// Gives a queue up that was another member's for a while, and takes it anew, to be read from
    /// what the group has stored once it is locked again.
    pub(super) fn begin_anew(&mut self, ctx: &mut Context, key: QueueKey) {
        let Some(queue) = self.queues.get(key) else { return };
        let (broker, name) = (queue.at.broker, queue.name.clone());
        let anew = queue.anew_from_stored();
        let anew = self.kept(anew, Lock::Wanted);
        if let Some(pull) = self.queues.get(key).and_then(|queue| queue.cursor.asked()) {
            ctx.give_up_with_timer(pull);
        }
        if let Some(timer) = self.queues.get(key).and_then(|queue| queue.cursor.timer()) {
            ctx.fx.timers.cancel(timer);
        }
        self.replace(key, anew);
        self.want_lock(ctx, broker, &name);
    }

    fn replace(&mut self, mut key: QueueKey, anew: Queue) -> Option<QueueKey> {
        let queue = self.queues.get(key)?;
        let place = (queue.topic, queue.at);
        let commits = queue.keeper.under_way().is_some() || self.predecessors.holds(key);
        self.give_up(place)?;
        let old = std::mem::replace(&mut key, self.queues.insert(anew));
        if commits {
            self.predecessors.waits(old, Heir::Anew(key));
        }
        self.places.insert(place, key);
        self.track_lock(key);
        Some(key)
    }

    /// No share is wanted any more.
    pub(super) fn forget_shares(&mut self) {
        self.places.transfers.clear();
        self.places.shares.clear();
    }

    /// Gives up so many queues of a consumer that leaves, each of which commits before.
    pub(super) fn lose_some(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        room: usize,
    ) -> Handled {
        self.release_all(ctx, known);
        let part = self.places.behind(None, room);
        let queues = part.len();
        let lost = part.into_iter().filter_map(|(place, _)| self.lose(ctx, known, place));
        let mut lost: Vec<QueueName> = lost.collect();
        self.topics.retain_own(&mut lost);
        if !lost.is_empty() {
            ctx.fx.event(Event::QueuesChanged { sub: self.id, gained: Vec::new(), lost });
        }
        self.commit_calls_look(ctx, known);
        self.unregister_if_committed(ctx);
        Handled { queues, more: !self.places.by_place.is_empty() }
    }

    /// Gives up every queue, without a commit.
    pub(super) fn give_up_all(&mut self) {
        self.forget_shares();
        for (place, _) in self.places.behind(None, usize::MAX) {
            self.give_up(place);
        }
        while let Some((place, key)) = self.locks.going.first_released() {
            self.locks.going.take_released(&place);
            self.drop_queue(place, key);
        }
    }

    /// What is held is what the shares say.
    pub(super) fn check_held(&self) {
        let shares = self.places.shares.iter();
        let shared = shares.flat_map(|(topic, share)| share.held.iter().map(|at| (*topic, *at)));
        assert!(
            self.places.by_place.keys().copied().eq(shared),
            "{:?} holds other queues",
            self.id
        );
    }
}
