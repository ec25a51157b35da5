//! Locks of queues whose messages are handled in their order: asked for, renewed, given back.
//!
//! One request per broker is under way at a time, so that none overtakes another: a renewal that
//! came after the unlock would keep the queue from its next owner for a minute. One names as many
//! queues as are a turn's work; where there are more, the next one follows its answer. Queues that
//! the broker does not name in its answer are another member's: they are asked for again after a
//! pause that grows to a second.
//!
//! Codes: `LOCK_BATCH_MQ` (41), `UNLOCK_BATCH_MQ` (42).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::denied::denial;
use super::lock_line::{Asked, Going, Line, NAMED};
use super::queue::{LIFE, Lock, Queue};
use super::share::Place;
use super::{Consumer, Consumers, Trouble};
use crate::body::{MessageQueue, SharedLocks};
use crate::effects::{ConsumerTimer, Event, Note, Planted, TimerKind};
use crate::error::{Attempt, Failure};
use crate::frame::{Kind, Payload, Reply, RequestCode, ResponseCode};
use crate::id::{BrokerId, PeerId, QueueKey, SubscriptionId};
use crate::name::QueueName;
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};
use crate::route::Known;
use crate::time::Instant;
use crate::timer::TimerKey;

/// A queue that is another member's for so long is told of.
const LONG: Duration = Duration::from_secs(10);

/// The locks of one consumer.
#[derive(Debug, Default)]
pub(super) struct Locks {
    lines: BTreeMap<BrokerId, Line>,
    /// Queues that go to other members.
    pub(super) going: Going,
}

impl Locks {
    /// Whether nothing is to be given back any more.
    pub(super) fn are_given_back(&self) -> bool {
        self.going.awaits_none() && self.lines.values().all(Line::is_given_back)
    }

    /// How a broker has denied the last question for locks, if one has.
    pub(super) fn denied(&self) -> Option<Arc<Attempt>> {
        self.lines.values().find_map(|line| line.denied.clone())
    }

    /// Nothing is to be given back of a queue that is ours again.
    fn keep(&mut self, broker: BrokerId, name: &QueueName) {
        self.going.keep(name);
        if let Some(line) = self.lines.get_mut(&broker) {
            line.unlock.remove(name);
        }
    }

    /// The timers that are set.
    pub(super) fn timers(&self) -> impl Iterator<Item = (Instant, TimerKey)> {
        self.lines.values().filter_map(|line| line.timer)
    }

    /// Whether something brings locks of that broker about.
    fn are_sought(&self, broker: BrokerId) -> bool {
        self.lines.get(&broker).is_some_and(Line::is_sought)
    }

    /// A queue is not there any more.
    pub(super) fn forget(&mut self, key: QueueKey, queue: &Queue) {
        if let Some(line) = self.lines.get_mut(&queue.at.broker) {
            line.forget(key, queue);
        }
    }
}

impl Consumers {
    /// The connection to a peer is lost: locks that were held over it are doubtful.
    pub(crate) fn lost(&mut self, ctx: &mut Context, known: Known<'_>, peer: PeerId) {
        let brokers = known.brokers.with(peer);
        for (_, consumer) in self.slots.iter_mut().filter(|(_, one)| one.is_orderly()) {
            for broker in brokers.iter().filter(|id| known.brokers.master(**id) == Some(peer)) {
                consumer.doubt_locks(ctx, *broker);
            }
        }
    }

    /// Brokers are at other addresses: who is there now knows none of the locks.
    pub(super) fn doubt_moved(&mut self, ctx: &mut Context, moved: &[BrokerId]) {
        for (_, consumer) in self.slots.iter_mut().filter(|(_, one)| one.is_orderly()) {
            moved.iter().for_each(|broker| consumer.doubt_locks(ctx, *broker));
        }
    }

    /// The process slept for so long, which its clock did not show: locks ran on.
    pub(crate) fn slept(&mut self, ctx: &mut Context, by: Duration) {
        for (_, consumer) in self.slots.iter_mut().filter(|(_, one)| one.is_orderly()) {
            consumer.shorten_locks(ctx, by);
        }
    }

    /// A broker's locks are to be looked at.
    pub(super) fn locks_due(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (sub, broker): (SubscriptionId, BrokerId),
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        if let Some(line) = consumer.locks.lines.get_mut(&broker) {
            line.timer = None;
        }
        consumer.tend_locks(ctx, known, broker);
    }
}

impl Consumer {
    /// Has the locks of a broker looked at, at that time at the latest.
    pub(super) fn want_locks(&mut self, ctx: &mut Context, broker: BrokerId, at: Instant) {
        let line = self.locks.lines.entry(broker).or_default();
        if line.timer.is_some_and(|(set, _)| set <= at) {
            return;
        }
        if let Some((_, timer)) = line.timer {
            ctx.fx.timers.cancel(timer);
        }
        let timer = TimerKind::Consumer(ConsumerTimer::Locks(self.id, broker));
        line.timer = Some((at, ctx.fx.timers.at(at, timer)));
    }

    /// A queue is ours by its share: it is to be locked.
    pub(super) fn want_lock(&mut self, ctx: &mut Context, broker: BrokerId, name: &QueueName) {
        self.locks.keep(broker, name);
        if let Some(line) = self.locks.lines.get_mut(&broker) {
            line.forgive();
        }
        self.want_locks(ctx, broker, ctx.fx.now);
    }

    /// A queue is there whose messages are handled in their order, or it goes elsewhere, or does
    /// not after all: its lock is looked after.
    pub(super) fn track_lock(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.get(key).filter(|_| self.needs_locks()) else { return };
        let line = self.locks.lines.entry(queue.at.broker).or_default();
        line.forget(key, queue);
        line.track(key, queue);
    }

    /// A queue's lock is in another state.
    fn lock(&mut self, key: QueueKey, lock: Lock) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        self.locks.forget(key, queue);
        queue.locked(lock);
        self.track_lock(key);
    }

    /// Something of a queue that goes elsewhere was given back: it may be the last that was waited
    /// for.
    pub(super) fn look_at_released(&mut self, ctx: &mut Context, key: QueueKey) {
        let Some(queue) = self.queues.get(key).filter(|queue| queue.released) else { return };
        let broker = queue.at.broker;
        self.locks.lines.entry(broker).or_default().look_at(key);
        self.want_locks(ctx, broker, ctx.fx.now);
    }

    fn doubt_locks(&mut self, ctx: &mut Context, broker: BrokerId) {
        if ctx.fx.plant.is(Planted::TrustsLocks) {
            return;
        }
        let Some(line) = self.locks.lines.get(&broker) else { return };
        for key in line.locked() {
            if let Some(lock) = self.queues.get(key).map(Queue::lock) {
                self.lock(key, lock.doubted());
            }
        }
        self.want_locks(ctx, broker, ctx.fx.now);
    }

    fn shorten_locks(&mut self, ctx: &mut Context, by: Duration) {
        for broker in self.locks.lines.keys().copied().collect::<Vec<_>>() {
            let Some(line) = self.locks.lines.get_mut(&broker) else { continue };
            line.slept(ctx.fx.now);
            // What it asked for counts from before the sleep.
            if let Some(Asked::Lock { at, .. }) = &mut line.asked {
                *at = Instant::from_nanos(at.as_nanos().saturating_sub(by.as_nanos() as u64));
            }
            for key in line.locked() {
                if let Some(lock) = self.queues.get(key).map(Queue::lock) {
                    self.lock(key, lock.shortened(by));
                }
            }
            self.want_locks(ctx, broker, ctx.fx.now);
        }
    }

    /// Looks at the locks of a broker: lets go of those that ran out, gives back what is to be,
    /// asks for what is wanted, and sets when to look again.
    pub(super) fn tend_locks(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        let now = ctx.fx.now;
        let Some(line) = self.locks.lines.get_mut(&broker) else { return };
        let (run_out, idle) = (line.run_out(now), line.take_idle());
        run_out.into_iter().for_each(|key| self.lock_lost(ctx, known, key));
        idle.into_iter().for_each(|key| self.release_if_idle(ctx, known, key));
        let Some(line) = self.locks.lines.get(&broker) else { return };
        if line.asked.is_none() {
            self.ask_broker(ctx, known, broker);
        }
        let Some(line) = self.locks.lines.get(&broker) else { return };
        if let Some(at) = line.next_look(now) {
            self.want_locks(ctx, broker, at);
        } else if line.is_given_back() && !self.locks.going.awaits_at(broker) {
            self.locks.lines.remove(&broker);
        }
    }

    /// Asks the broker for something, if there is something to ask and it can be asked.
    fn ask_broker(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        let now = ctx.fx.now;
        let peer = known.brokers.master(broker);
        let there = peer.filter(|peer| ctx.remoting.peers.is_connected(*peer));
        let Some(peer) = there else {
            if !self.is_leaving() {
                peer.into_iter().for_each(|peer| ctx.want(peer));
            } else if let Some(line) = self.locks.lines.get_mut(&broker) {
                // Nobody is there to take them back.
                line.unlock.clear();
                self.unregister_if_committed(ctx);
            }
            return;
        };
        let leaving = self.is_leaving();
        let Some(line) = self.locks.lines.get_mut(&broker) else { return };
        if !line.unlock.is_empty() && !self.locks.going.awaits_at(broker) {
            let names = std::iter::from_fn(|| line.unlock.pop_first()).take(NAMED).collect();
            line.asked = Some(Asked::Unlock);
            return self.send_locks(ctx, (peer, broker), RequestCode::UNLOCK_BATCH_MQ, names);
        }
        let rests = line.rests.is_some_and(|until| now < until);
        if rests || leaving || !known.is_ready(ctx, peer, self.edition.revision) {
            return;
        }
        let goes = |queue: &Queue| self.locks.going.goes(&queue.name);
        let keys = line.next(now, |key| self.queues.get(key).is_some_and(|queue| !goes(queue)));
        let queues = keys.into_iter().filter_map(|key| self.queues.get(key));
        let places: Vec<(Place, QueueName)> =
            queues.map(|queue| ((queue.topic, queue.at), queue.name.clone())).collect();
        if places.is_empty() {
            if let Some(lacked) = line.end_of_round(None).flatten() {
                self.note_refusal(ctx, broker, Some(lacked));
            }
            return;
        }
        let names = places.iter().map(|(_, name)| name.clone()).collect();
        line.asked = Some(Asked::Lock { places, at: now });
        self.send_locks(ctx, (peer, broker), RequestCode::LOCK_BATCH_MQ, names);
    }

    fn send_locks(
        &self,
        ctx: &mut Context,
        (peer, broker): (PeerId, BrokerId),
        code: RequestCode,
        names: Vec<QueueName>,
    ) {
        let (client, group) = (ctx.fx.client_id.clone(), self.group.wire().clone());
        let locks = Arc::new(SharedLocks::new(client, group, names));
        let unlock = code == RequestCode::UNLOCK_BATCH_MQ;
        let kind = if unlock { Kind::Plain } else { Kind::Locks };
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Locks { broker });
        let within = ctx.fx.config.request_timeout;
        ctx.ask_with(peer, purpose, kind, Payload::Locks { locks, unlock }, within);
    }

    /// A broker answered: which queues are locked, or that some are given back.
    pub(super) fn locks_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        broker: BrokerId,
        reply: Reply,
        body: Body,
    ) {
        let failure = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Locks(Ok(locked))) => {
                return self.locks_told(ctx, known, broker, locked.queues.into_iter().collect());
            }
            (ResponseCode::SUCCESS, Body::Locks(Err(error))) => {
                Failure::Body(error.to_string().into())
            }
            (ResponseCode::SUCCESS, _) => return self.unlocked(ctx, known, broker),
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        self.locks_failed(ctx, known, broker, failure);
    }

    fn unlocked(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        if let Some(line) = self.locks.lines.get_mut(&broker) {
            line.asked = None;
        }
        self.tend_locks(ctx, known, broker);
        self.unregister_if_committed(ctx);
    }

    /// Which of the queues asked for are ours.
    fn locks_told(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        broker: BrokerId,
        locked: BTreeSet<MessageQueue>,
    ) {
        let Some(line) = self.locks.lines.get_mut(&broker) else { return };
        let Some(Asked::Lock { places, at }) = line.asked.take() else { return };
        line.denied = None;
        let mut refused = None;
        for (place, name) in places {
            let is_locked = locked.contains(&name.named());
            match self.places.queue(&place) {
                Some(key) if is_locked => self.lock_held(ctx, known, key, at + LIFE),
                Some(key) => {
                    if self.queues.get(key).is_some_and(|queue| queue.lock() != Lock::Wanted) {
                        self.lock_lost(ctx, known, key);
                    }
                    refused.get_or_insert(name);
                }
                None if is_locked => self.give_lock_back(place, broker, name),
                None => {}
            }
        }
        let line = self.locks.lines.get_mut(&broker);
        if let Some(lacked) = line.and_then(|line| line.end_of_round(refused)) {
            self.note_refusal(ctx, broker, lacked);
        }
        self.tend_locks(ctx, known, broker);
        self.unregister_if_committed(ctx);
    }

    /// A queue was locked that is not ours any more. What is still being handled of it, or
    /// committed, is waited for elsewhere.
    fn give_lock_back(&mut self, place: Place, broker: BrokerId, name: QueueName) {
        let going = &self.locks.going;
        if going.awaits(&name) || going.released(&place).is_some() {
            return;
        }
        if let Some(line) = self.locks.lines.get_mut(&broker) {
            line.unlock.insert(name);
        }
    }

    fn note_refusal(&mut self, ctx: &mut Context, broker: BrokerId, refused: Option<QueueName>) {
        let now = ctx.fx.now;
        let Some(line) = self.locks.lines.get_mut(&broker) else { return };
        let Some(queue) = refused else {
            line.forgive();
            return;
        };
        line.refuse(now);
        let since = *line.refused.get_or_insert(now);
        if now.since(since) >= LONG && self.tells(now, Trouble::Lock(broker)) {
            let group = self.group.clone();
            ctx.fx.note(Note::NotLocked { group, queue, lost: false });
        }
    }

    fn lock_held(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey, until: Instant) {
        let Some(queue) = self.queues.get(key) else { return };
        let until = if ctx.fx.plant.is(Planted::OutlivesLock) { Instant::FAR } else { until };
        let begins = !matches!(queue.lock(), Lock::Held { .. });
        if until <= ctx.fx.now {
            // The process slept meanwhile.
            return;
        }
        self.lock(key, Lock::Held { until });
        if begins {
            self.resume(ctx, known, key);
            self.offer_run(key);
            // What is there was not handed out while the lock was doubtful.
            ctx.fx.event(Event::Deliverable { sub: self.id });
        }
    }

    /// A queue is not ours any more, whoever has it: what is held of it is given up, and read again
    /// from what the group has stored once it is locked again.
    fn lock_lost(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        // Whoever handles its messages can see it.
        self.lock(key, Lock::Wanted);
        let Some(queue) = self.queues.get(key) else { return };
        let (name, broker, place) = (queue.name.clone(), queue.at.broker, (queue.topic, queue.at));
        if queue.released {
            self.finish_release(ctx, known, place, key);
        } else {
            if self.tells(ctx.fx.now, Trouble::Lock(broker)) {
                let group = self.group.clone();
                ctx.fx.note(Note::NotLocked { group, queue: name, lost: true });
            }
            self.begin_anew(ctx, key);
        }
        self.look_at_queues();
        self.leave_if_drained(ctx);
    }

    /// A broker did not answer, or refused.
    pub(super) fn locks_failed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        broker: BrokerId,
        failure: Failure,
    ) {
        let Some(line) = self.locks.lines.get_mut(&broker) else { return };
        let ask = match line.asked.take() {
            Some(Asked::Unlock) => RequestCode::UNLOCK_BATCH_MQ,
            Some(Asked::Lock { .. }) | None => RequestCode::LOCK_BATCH_MQ,
        };
        line.refuse(ctx.fx.now);
        let peer = known.brokers.master(broker);
        line.denied = peer.and_then(|peer| denial(ctx, peer, &failure));
        let lost = matches!(failure, Failure::Connect(_) | Failure::Closed(_));
        if !lost && self.tells(ctx.fx.now, Trouble::Unlockable(broker)) {
            let (group, queue, failure) = (self.group.clone(), None, Box::new(failure));
            ctx.fx.note(Note::AskFailed { group, ask, queue, failure });
        }
        self.tend_locks(ctx, known, broker);
        self.unregister_if_committed(ctx);
    }

    /// The last commit of a queue that was given up has ended: it is unlocked.
    pub(super) fn committed_last(&mut self, ctx: &mut Context, key: QueueKey) {
        let Some((broker, name)) = self.locks.going.last_over(key) else { return };
        let line = self.locks.lines.entry(broker).or_default();
        line.unlock.insert(name);
        self.want_locks(ctx, broker, ctx.fx.now);
    }

    /// What must hold between two calls: whatever is not locked is asked for, and what runs out is
    /// looked at then.
    pub(super) fn check_locks(&self) {
        let mut tracked = 0;
        for (key, queue) in self.queues.iter().filter(|_| self.needs_locks()) {
            let released = self.locks.going.released(&(queue.topic, queue.at)) == Some(key);
            assert_eq!(queue.released, released, "{key:?} goes elsewhere");
            let line = self.locks.lines.get(&queue.at.broker);
            line.into_iter().for_each(|line| line.check(key, queue));
            tracked += usize::from(line.is_some());
            let sought = self.is_leaving() || self.locks.are_sought(queue.at.broker);
            assert!(sought, "nobody looks after the lock of {key:?}, {:?}", queue.lock());
        }
        let kept: BTreeSet<_> = self.locks.lines.values().flat_map(Line::kept).collect();
        assert_eq!(kept.len(), tracked, "locks of queues that are not there");
    }
}
