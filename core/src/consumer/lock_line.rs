//! What is known of locks, broker by broker: which are wanted, when others end, and what is under
//! way. Looking at a broker costs by what is due there, however many queues it has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::queue::{LIFE, Lock, Queue};
use super::share::Place;
use crate::error::Attempt;
use crate::id::{BrokerId, QueueKey};
use crate::name::QueueName;
use crate::time::Instant;
use crate::timer::TimerKey;

/// Queues that one request names: what is done with its answer is a turn's work.
pub(super) const NAMED: usize = 256;
/// How often locks are renewed (`rocketmq.client.rebalance.lockInterval`).
const RENEWAL: Duration = Duration::from_secs(20);
/// The first pause before a broker is asked again for what another member has, and the longest.
pub(super) const PAUSES: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(1));

/// What of locks is known of one broker, and under way.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) asked: Option<Asked>,
    /// Queues to be given back.
    pub(super) unlock: BTreeSet<QueueName>,
    pub(super) timer: Option<(Instant, TimerKey)>,
    /// Queues that are not locked, as far as is known.
    wanted: BTreeSet<QueueKey>,
    /// Those that are, or were when the connection was lost, by the end of their locks.
    held: BTreeSet<(Instant, QueueKey)>,
    /// Those of them that go to other members: they are not asked for any more.
    released: BTreeSet<(Instant, QueueKey)>,
    /// Those that may have nothing left that is being handled.
    idle: BTreeSet<QueueKey>,
    /// Locks that end before were given before the process slept: they are renewed at once.
    slept: Option<Instant>,
    /// How far those that are wanted have been asked for in this round; `None`: it is over.
    round: Option<QueueKey>,
    /// A queue that an answer of this round lacked.
    lacked: Option<QueueName>,
    /// Rounds in a row that lacked a queue, or errors.
    refusals: u32,
    /// Since when.
    pub(super) refused: Option<Instant>,
    /// How the broker has denied the last question, if it has.
    pub(super) denied: Option<Arc<Attempt>>,
    /// No lock is asked for before that time.
    pub(super) rests: Option<Instant>,
}

/// A question to a broker.
#[derive(Debug)]
pub(super) enum Asked {
    /// For these locks, at that time.
    Lock { places: Vec<(Place, QueueName)>, at: Instant },
    /// To take these back.
    Unlock,
}

impl Line {
    /// A queue of the broker is there, under a lock, or that has changed.
    pub(super) fn track(&mut self, key: QueueKey, queue: &Queue) {
        let lock = queue.lock();
        if let Some(until) = lock.until() {
            let ends = if queue.released { &mut self.released } else { &mut self.held };
            ends.insert((until, key));
        }
        if !queue.released && matches!(lock, Lock::Wanted | Lock::Doubted { .. }) {
            self.wanted.insert(key);
        }
    }

    /// It is not there any more, or was under this lock before.
    pub(super) fn forget(&mut self, key: QueueKey, queue: &Queue) {
        if let Some(until) = queue.lock().until() {
            self.held.remove(&(until, key));
            self.released.remove(&(until, key));
        }
        self.wanted.remove(&key);
        self.idle.remove(&key);
    }

    /// The process slept: all that is held is renewed.
    pub(super) fn slept(&mut self, now: Instant) {
        self.slept = Some(now + LIFE);
    }

    /// When a lock that ends then is to be renewed.
    fn renewal(&self, until: Instant) -> Instant {
        match self.slept {
            Some(slept) if until < slept => Instant::ZERO,
            Some(_) | None => before(until, LIFE - RENEWAL),
        }
    }

    /// Something of a queue that goes elsewhere was given back.
    pub(super) fn look_at(&mut self, key: QueueKey) {
        self.idle.insert(key);
    }

    /// The queues that may go: those of which something was given back, and of all that are to, as
    /// many as are a turn's work.
    pub(super) fn take_idle(&mut self) -> BTreeSet<QueueKey> {
        let mut idle = std::mem::take(&mut self.idle);
        idle.extend(self.released.iter().take(NAMED).map(|(_, key)| *key));
        idle
    }

    /// Queues whose locks have run out, as many as are a turn's work.
    pub(super) fn run_out(&self, now: Instant) -> Vec<QueueKey> {
        let over = |ends: &BTreeSet<(Instant, QueueKey)>| {
            let over = ends.iter().take_while(|(until, _)| *until <= now).take(NAMED);
            over.map(|(_, key)| *key).collect::<Vec<_>>()
        };
        let (mut all, held) = (over(&self.released), over(&self.held));
        all.extend(held);
        all.truncate(NAMED);
        all
    }

    /// Queues that are locked, or were.
    pub(super) fn locked(&self) -> Vec<QueueKey> {
        self.held.iter().chain(&self.released).map(|(_, key)| *key).collect()
    }

    /// What is asked for next: what is to be renewed, and of what is wanted as much as there is
    /// room for, where the last question ended. Those that are no longer to be asked for are left
    /// out.
    pub(super) fn next(
        &mut self,
        now: Instant,
        is_ours: impl Fn(QueueKey) -> bool,
    ) -> Vec<QueueKey> {
        let mut next = BTreeSet::new();
        if self.held.first().is_some_and(|(until, _)| self.renewal(*until) <= now) {
            // With those that would be due soon, so that there are not many questions of few.
            let soon = now + RENEWAL / 2;
            let due = self.held.iter().take_while(|(until, _)| self.renewal(*until) <= soon);
            next.extend(due.map(|(_, key)| *key).filter(|key| is_ours(*key)).take(NAMED));
        }
        let from = self.round.map_or(Bound::Unbounded, Bound::Excluded);
        let mut wanted = self.wanted.range((from, Bound::Unbounded)).copied().peekable();
        while next.len() < NAMED
            && let Some(key) = wanted.next()
        {
            self.round = Some(key);
            if is_ours(key) {
                next.insert(key);
            }
        }
        if wanted.peek().is_none() {
            self.round = None;
        }
        next.into_iter().collect()
    }

    /// An answer lacked these, of which the first is told of. Gives what the round lacked, once
    /// that is over.
    pub(super) fn end_of_round(&mut self, lacked: Option<QueueName>) -> Option<Option<QueueName>> {
        if let Some(lacked) = lacked {
            self.lacked.get_or_insert(lacked);
        }
        self.round.is_none().then(|| self.lacked.take())
    }

    /// A lock was not given: the broker is asked again after a pause.
    pub(super) fn refuse(&mut self, now: Instant) {
        let pause = PAUSES.0.saturating_mul(1 << self.refusals.min(4)).min(PAUSES.1);
        self.refusals = self.refusals.saturating_add(1);
        self.rests = Some(now + pause);
    }

    /// Nothing was refused of late.
    pub(super) const fn forgive(&mut self) {
        (self.refusals, self.refused, self.rests) = (0, None, None);
    }

    /// When the broker's locks are to be looked at next; `None`: nothing is held there, or an
    /// answer leads there.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        let end = |ends: &BTreeSet<(Instant, QueueKey)>| ends.first().map(|(until, _)| *until);
        let renewal = end(&self.held).map(|until| self.renewal(until));
        let asks = match &self.asked {
            Some(_) => None,
            None if !self.unlock.is_empty() => Some(now + PAUSES.1),
            None if !self.wanted.is_empty() => Some(self.rests.unwrap_or(now).max(now + PAUSES.0)),
            None => renewal.map(|at| at.max(now + PAUSES.0)),
        };
        [end(&self.held), end(&self.released), asks].into_iter().flatten().min()
    }

    /// Whether nothing is to be given back any more.
    pub(super) fn is_given_back(&self) -> bool {
        self.unlock.is_empty() && self.asked.is_none()
    }

    /// Whether something brings the broker's locks about.
    pub(super) const fn is_sought(&self) -> bool {
        self.asked.is_some() || self.timer.is_some()
    }

    /// What must hold of each queue.
    pub(super) fn check(&self, key: QueueKey, queue: &Queue) {
        let wanted = matches!(queue.lock(), Lock::Wanted | Lock::Doubted { .. });
        assert_eq!(self.wanted.contains(&key), wanted && !queue.released, "{key:?} is wanted");
        let ends = if queue.released { &self.released } else { &self.held };
        let known = queue.lock().until().is_none_or(|until| ends.contains(&(until, key)));
        assert!(known, "the end of {key:?} is not known");
    }

    /// The queues that are kept.
    pub(super) fn kept(&self) -> BTreeSet<QueueKey> {
        self.locked().into_iter().chain(self.wanted.iter().copied()).collect()
    }
}

fn before(at: Instant, by: Duration) -> Instant {
    Instant::from_nanos(at.as_nanos().saturating_sub(by.as_nanos() as u64))
}

/// Queues that go to other members.
#[derive(Debug, Default)]
pub(super) struct Going {
    /// Those that wait for what is being handled of them.
    released: BTreeMap<Place, (QueueKey, QueueName)>,
    /// Those that are unlocked once their last commit was answered.
    last: BTreeMap<QueueKey, (BrokerId, QueueName)>,
    /// Both, by their names.
    names: BTreeMap<QueueName, BTreeSet<QueueKey>>,
    /// How many of each broker's wait for their last commit.
    awaited: BTreeMap<BrokerId, usize>,
}

impl Going {
    /// A queue waits for what is being handled of it.
    pub(super) fn release(&mut self, place: Place, (key, name): (QueueKey, QueueName)) {
        self.names.entry(name.clone()).or_default().insert(key);
        self.released.insert(place, (key, name));
    }

    /// The queue that is released at a place.
    pub(super) fn released(&self, place: &Place) -> Option<QueueKey> {
        self.released.get(place).map(|(key, _)| *key)
    }

    /// The same; it is not any more.
    pub(super) fn take_released(&mut self, place: &Place) -> Option<QueueKey> {
        let (key, name) = self.released.remove(place)?;
        self.forget(key, &name);
        Some(key)
    }

    /// One that is released.
    pub(super) fn first_released(&self) -> Option<(Place, QueueKey)> {
        self.released.first_key_value().map(|(place, (key, _))| (*place, *key))
    }

    /// A queue waits for its last commit.
    pub(super) fn await_last(&mut self, key: QueueKey, (broker, name): (BrokerId, QueueName)) {
        self.names.entry(name.clone()).or_default().insert(key);
        *self.awaited.entry(broker).or_default() += 1;
        self.last.insert(key, (broker, name));
    }

    /// The last commit of a queue was answered, or is of no concern any more.
    pub(super) fn last_over(&mut self, key: QueueKey) -> Option<(BrokerId, QueueName)> {
        let (broker, name) = self.last.remove(&key)?;
        self.forget(key, &name);
        if let Some(awaited) = self.awaited.get_mut(&broker) {
            *awaited -= 1;
            if *awaited == 0 {
                self.awaited.remove(&broker);
            }
        }
        Some((broker, name))
    }

    fn forget(&mut self, key: QueueKey, name: &QueueName) {
        if let Some(keys) = self.names.get_mut(name) {
            keys.remove(&key);
            if keys.is_empty() {
                self.names.remove(name);
            }
        }
    }

    /// The last commit of the queue of that name is of no concern: it is ours again.
    pub(super) fn keep(&mut self, name: &QueueName) {
        for key in self.names.get(name).cloned().unwrap_or_default() {
            self.last_over(key);
        }
    }

    /// Whether a queue of that name, which the broker could not tell from another one, goes.
    pub(super) fn goes(&self, name: &QueueName) -> bool {
        self.names.contains_key(name)
    }

    /// Whether the last commit of a queue of that name is waited for.
    pub(super) fn awaits(&self, name: &QueueName) -> bool {
        let keys = self.names.get(name).into_iter().flatten();
        keys.into_iter().any(|key| self.last.contains_key(key))
    }

    /// Whether the last commit of some queue is waited for, of that broker's.
    pub(super) fn awaits_at(&self, broker: BrokerId) -> bool {
        self.awaited.contains_key(&broker)
    }

    /// Whether no last commit is waited for.
    pub(super) fn awaits_none(&self) -> bool {
        self.last.is_empty()
    }
}
