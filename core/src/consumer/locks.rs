//! Locks of queues whose messages are handled in their order: asked for, renewed, given back.
//!
//! One request per broker is under way at a time, so that none overtakes another: a renewal that
//! came after the unlock would keep the queue from its next owner for a minute. One asks for all
//! queues there that need it. Queues that the broker does not name in its answer are another
//! member's: they are asked for again after a pause that grows to a second.
//!
//! Codes: `LOCK_BATCH_MQ` (41), `UNLOCK_BATCH_MQ` (42).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::queue::{LIFE, Lock};
use super::share::Place;
use super::{Consumer, Consumers, Trouble};
use crate::body::{LockBody, MessageQueue};
use crate::effects::{ConsumerTimer, Event, Note, Planted, TimerKind};
use crate::error::Failure;
use crate::frame::request::PlainRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::{BrokerId, PeerId, QueueKey, SubscriptionId};
use crate::name::QueueName;
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};
use crate::route::Known;
use crate::time::Instant;
use crate::timer::TimerKey;

/// How often locks are renewed (`rocketmq.client.rebalance.lockInterval`).
const RENEWAL: Duration = Duration::from_secs(20);
/// The first pause before a broker is asked again for what another member has, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// A queue that is another member's for so long is told of.
const LONG: Duration = Duration::from_secs(10);

/// What of locks is under way with one broker.
#[derive(Debug, Default)]
struct Line {
    asked: Option<Asked>,
    /// Queues to be given back.
    unlock: Vec<QueueName>,
    timer: Option<(Instant, TimerKey)>,
    /// When all were last asked for.
    renewed: Option<Instant>,
    /// Answers in a row that lacked a queue, or errors.
    refusals: u32,
    /// Since when.
    refused: Option<Instant>,
    /// No lock is asked for before that time.
    rests: Option<Instant>,
}

/// A question to a broker.
#[derive(Debug)]
enum Asked {
    /// For these locks, at that time.
    Lock { places: Vec<(Place, QueueName)>, at: Instant },
    /// To take these back.
    Unlock,
}

/// The locks of one consumer.
#[derive(Debug, Default)]
pub(super) struct Locks {
    lines: BTreeMap<BrokerId, Line>,
    /// Queues that go to other members, and wait for what is being handled of them.
    pub(super) released: BTreeMap<Place, QueueKey>,
    /// Those that are unlocked once their last commit was answered.
    pub(super) last: BTreeMap<QueueKey, (BrokerId, QueueName)>,
}

impl Locks {
    /// Whether nothing is to be given back any more.
    pub(super) fn are_given_back(&self) -> bool {
        let idle = |line: &Line| line.unlock.is_empty() && line.asked.is_none();
        self.last.is_empty() && self.lines.values().all(idle)
    }

    /// Nothing is to be given back of a queue that is ours again.
    fn keep(&mut self, broker: BrokerId, name: &QueueName) {
        self.last.retain(|_, (_, of)| of != name);
        if let Some(line) = self.lines.get_mut(&broker) {
            line.unlock.retain(|of| of != name);
        }
    }

    /// The timers that are set.
    pub(super) fn timers(&self) -> impl Iterator<Item = (Instant, TimerKey)> {
        self.lines.values().filter_map(|line| line.timer)
    }

    /// Whether something brings locks of that broker about.
    pub(super) fn are_sought(&self, broker: BrokerId) -> bool {
        let sought = |line: &Line| line.asked.is_some() || line.timer.is_some();
        self.lines.get(&broker).is_some_and(sought)
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
            (line.refusals, line.refused, line.rests) = (0, None, None);
        }
        self.want_locks(ctx, broker, ctx.fx.now);
    }

    fn doubt_locks(&mut self, ctx: &mut Context, broker: BrokerId) {
        if ctx.fx.plant.is(Planted::TrustsLocks) {
            return;
        }
        for key in self.locked_on(broker) {
            if let Some(queue) = self.queues.get_mut(key) {
                queue.locked(queue.lock().doubted());
            }
        }
        if self.locks.lines.contains_key(&broker) {
            self.want_locks(ctx, broker, ctx.fx.now);
        }
    }

    fn shorten_locks(&mut self, ctx: &mut Context, by: Duration) {
        for (_, queue) in self.queues.iter_mut() {
            queue.locked(queue.lock().shortened(by));
        }
        for line in self.locks.lines.values_mut() {
            line.renewed = None;
            // What it asked for counts from before the sleep.
            if let Some(Asked::Lock { at, .. }) = &mut line.asked {
                *at = Instant::from_nanos(at.as_nanos().saturating_sub(by.as_nanos() as u64));
            }
        }
        for broker in self.locks.lines.keys().copied().collect::<Vec<_>>() {
            self.want_locks(ctx, broker, ctx.fx.now);
        }
    }

    /// The queues there, those that go elsewhere included.
    fn locked_on(&self, broker: BrokerId) -> Vec<QueueKey> {
        let released = self.locks.released.iter();
        let released = released.filter(|((_, at), _)| at.broker == broker).map(|(_, key)| *key);
        self.on(broker).chain(released).collect()
    }

    /// Looks at the locks of a broker: lets go of those that ran out, gives back what is to be,
    /// asks for what is wanted, and sets when to look again.
    pub(super) fn tend_locks(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        let now = ctx.fx.now;
        for key in self.locked_on(broker) {
            let until = self.queues.get(key).and_then(|queue| queue.lock().until());
            if until.is_some_and(|until| until <= now) {
                self.lock_lost(ctx, known, key);
            } else {
                self.release_if_idle(ctx, known, key);
            }
        }
        let Some(line) = self.locks.lines.get(&broker) else { return };
        if line.asked.is_none() {
            self.ask_broker(ctx, known, broker);
        }
        let next = self.next_look(now, broker);
        if let Some(at) = next {
            self.want_locks(ctx, broker, at);
        } else {
            self.forget_line(broker);
        }
    }

    /// When the locks of a broker are to be looked at next; `None`: nothing is held there.
    fn next_look(&self, now: Instant, broker: BrokerId) -> Option<Instant> {
        let line = self.locks.lines.get(&broker)?;
        let locks = self.locked_on(broker).into_iter();
        let locks: Vec<Lock> = locks.filter_map(|key| Some(self.queues.get(key)?.lock())).collect();
        let ends = locks.iter().filter_map(|lock| lock.until()).min();
        let asks = match &line.asked {
            // Its answer leads here.
            Some(_) => None,
            None if !line.unlock.is_empty() => Some(now + PAUSES.1),
            None if locks.is_empty() => None,
            None if locks.iter().all(|lock| matches!(lock, Lock::Held { .. })) => {
                let renewal = line.renewed.map_or(now, |at| at + RENEWAL);
                Some(renewal.max(now + PAUSES.0))
            }
            None => Some(line.rests.unwrap_or(now).max(now + PAUSES.0)),
        };
        ends.into_iter().chain(asks).min()
    }

    fn forget_line(&mut self, broker: BrokerId) {
        let last = self.locks.last.values().any(|(of, _)| *of == broker);
        let idle = |line: &Line| line.asked.is_none() && line.unlock.is_empty();
        if !last && self.locks.lines.get(&broker).is_some_and(idle) {
            self.locks.lines.remove(&broker);
        }
    }

    /// Asks the broker for something, if there is something to ask and it can be asked.
    fn ask_broker(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        let now = ctx.fx.now;
        let last = self.locks.last.values().any(|(of, _)| *of == broker);
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
        if !line.unlock.is_empty() && !last {
            let names = std::mem::take(&mut line.unlock);
            line.asked = Some(Asked::Unlock);
            return self.send_locks(ctx, (peer, broker), RequestCode::UNLOCK_BATCH_MQ, &names);
        }
        let rests = line.rests.is_some_and(|until| now < until);
        if rests || leaving || !known.is_ready(ctx, peer, self.edition.revision) {
            return;
        }
        let renews = line.renewed.is_none_or(|at| now.since(at) >= RENEWAL);
        let places: Vec<(Place, QueueName)> = self
            .on(broker)
            .filter_map(|key| self.queues.get(key))
            .filter(|queue| renews || !matches!(queue.lock(), Lock::Held { .. }))
            .filter(|queue| !self.goes_elsewhere(&queue.name))
            .map(|queue| ((queue.topic, queue.at), queue.name.clone()))
            .collect();
        if places.is_empty() {
            return;
        }
        let names: Vec<QueueName> = places.iter().map(|(_, name)| name.clone()).collect();
        if let Some(line) = self.locks.lines.get_mut(&broker) {
            line.asked = Some(Asked::Lock { places, at: now });
            if renews {
                line.renewed = Some(now);
            }
        }
        self.send_locks(ctx, (peer, broker), RequestCode::LOCK_BATCH_MQ, &names);
    }

    /// Whether a queue of that name, which the broker could not tell from this one, is being given
    /// up: its topic is read anew.
    fn goes_elsewhere(&self, name: &QueueName) -> bool {
        let mut released = self.locks.released.values().filter_map(|key| self.queues.get(*key));
        released.any(|queue| queue.name == *name)
            || self.locks.last.values().any(|(_, of)| of == name)
    }

    fn send_locks(
        &self,
        ctx: &mut Context,
        (peer, broker): (PeerId, BrokerId),
        code: RequestCode,
        names: &[QueueName],
    ) {
        let body = LockBody {
            client_id: ctx.fx.client_id.to_string(),
            consumer_group: self.group.wire().to_string(),
            queues: names.iter().map(QueueName::named).collect(),
            only_this_broker: false,
        };
        let locks = code == RequestCode::LOCK_BATCH_MQ;
        let plain = PlainRequest::default();
        let request = if locks { Request::Lock(plain) } else { Request::Unlock(plain) };
        let kind = if locks { Kind::Locks } else { Kind::Plain };
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Locks { broker });
        let within = ctx.fx.config.request_timeout;
        ctx.ask(peer, purpose, kind, request, Bytes::from(body.to_json()), within);
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
        self.note_refusal(ctx, broker, refused);
        self.tend_locks(ctx, known, broker);
        self.unregister_if_committed(ctx);
    }

    /// A queue was locked that is not ours any more. What is still being handled of it, or
    /// committed, is waited for elsewhere.
    fn give_lock_back(&mut self, place: Place, broker: BrokerId, name: QueueName) {
        let awaited = self.locks.last.values().any(|(_, of)| *of == name);
        if awaited || self.locks.released.contains_key(&place) {
            return;
        }
        if let Some(line) = self.locks.lines.get_mut(&broker)
            && !line.unlock.contains(&name)
        {
            line.unlock.push(name);
        }
    }

    fn note_refusal(&mut self, ctx: &mut Context, broker: BrokerId, refused: Option<QueueName>) {
        let now = ctx.fx.now;
        let Some(line) = self.locks.lines.get_mut(&broker) else { return };
        let Some(queue) = refused else {
            (line.refusals, line.refused, line.rests) = (0, None, None);
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
        let Some(queue) = self.queues.get_mut(key) else { return };
        let until = if ctx.fx.plant.is(Planted::OutlivesLock) { Instant::FAR } else { until };
        let begins = !matches!(queue.lock(), Lock::Held { .. });
        if until <= ctx.fx.now {
            // The process slept meanwhile.
            return;
        }
        queue.locked(Lock::Held { until });
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
        let Some(queue) = self.queues.get_mut(key) else { return };
        // Whoever handles its messages can see it.
        queue.locked(Lock::Wanted);
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
        line.renewed = None;
        line.refuse(ctx.fx.now);
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
        let Some((broker, name)) = self.locks.last.remove(&key) else { return };
        let line = self.locks.lines.entry(broker).or_default();
        line.unlock.push(name);
        self.want_locks(ctx, broker, ctx.fx.now);
    }

    /// What must hold between two calls: whatever is not locked is asked for, and what runs out is
    /// looked at then.
    pub(super) fn check_locks(&self) {
        for (key, queue) in self.queues.iter().filter(|_| self.needs_locks() && !self.is_leaving())
        {
            let sought = self.locks.are_sought(queue.at.broker);
            assert!(sought, "nobody looks after the lock of {key:?}, {:?}", queue.lock());
            let released = self.locks.released.get(&(queue.topic, queue.at)) == Some(&key);
            assert_eq!(queue.released, released, "{key:?} goes elsewhere");
        }
    }
}

impl Line {
    /// A lock was not given: the broker is asked again after a pause.
    fn refuse(&mut self, now: Instant) {
        let pause = PAUSES.0.saturating_mul(1 << self.refusals.min(4)).min(PAUSES.1);
        self.refusals = self.refusals.saturating_add(1);
        self.rests = Some(now + pause);
    }
}
