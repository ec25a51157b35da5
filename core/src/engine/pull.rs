//! Queues of consumers: the next pull, what a pull brought, and where that leads.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::turns::Chore;
use super::{Body, Engine, Event, Note, TimerKind};
use crate::consumer::queue::State;
use crate::consumer::{Answer, Consumer, Handout, Lead, Queue, Told, Trouble};
use crate::error::Failure;
use crate::frame::reply::PullReply;
use crate::frame::request::PullRequest;
use crate::frame::{Kind, Opaque, Reply, ReplyFields, Request, ResponseCode};
use crate::id::BrokerId;
use crate::id::{PeerId, QueueKey, SubscriptionId};
use crate::message::RecordList;
use crate::remoting::{ConsumerAsk, Purpose};

/// `PullSysFlag`: the broker may hold the pull until something comes.
const SUSPEND: i32 = 2;
/// Pause after a broker says that it is busy (`PULL_TIME_DELAY_MILLS_WHEN_BROKER_FLOW_CONTROL`).
/// The least one; it grows to a second while the broker stays so.
const FLOW_CONTROL: Duration = Duration::from_millis(20);

impl Engine {
    /// Lets every queue of a consumer that can go on do so; only those read at `peer`, if given.
    pub(super) fn poke_all(&mut self, sub: SubscriptionId, peer: Option<PeerId>) {
        if let Some(peer) = peer {
            let there: Vec<BrokerId> = self.known().read_at(peer).collect();
            return self.poke_on(sub, there.into_iter());
        }
        let Some(consumer) = self.consumers.get(sub) else { return };
        let resting = consumer.queues.iter().filter(|(_, queue)| queue.rests());
        let keys: Vec<QueueKey> = resting.map(|(key, _)| key).collect();
        self.attend(sub, keys, Chore::Poke);
    }

    /// The same for the queues on those brokers.
    pub(super) fn poke_on(&mut self, sub: SubscriptionId, on: impl Iterator<Item = BrokerId>) {
        let Some(consumer) = self.consumers.get(sub) else { return };
        let there = on.flat_map(|broker| consumer.on(broker));
        let rests = |key: &QueueKey| consumer.queues.get(*key).is_some_and(Queue::rests);
        let keys: Vec<QueueKey> = there.filter(rests).collect();
        self.attend(sub, keys, Chore::Poke);
    }

    /// Lets one queue go on, if it can.
    pub(super) fn poke(&mut self, sub: SubscriptionId, key: QueueKey) {
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        if consumer.is_leaving() {
            return;
        }
        let Some(queue) = consumer.queues.get_mut(key) else { return };
        let config = &self.ctx.fx.config;
        if matches!(queue.state, State::Ready | State::Full) {
            let full = queue.is_full(config.queue_messages, config.queue_bytes);
            queue.state = if full { State::Full } else { State::Ready };
        }
        let (state, at) = (queue.state, queue.at);
        if consumer.is_draining() {
            return;
        }
        let since = consumer.revision;
        let Some(peer) = self.brokers.reader(at.broker) else { return };
        if !self.known().is_ready(&self.ctx, peer, since) {
            // Nobody may have waited for it before.
            return self.ctx.want(peer);
        }
        match state {
            State::Unasked => self.ask_begin(peer, sub, key),
            State::Ready => self.pull(peer, sub, key),
            State::Asking(_) | State::Pulling(_) | State::Pausing { .. } | State::Full => {}
        }
    }

    pub(super) fn queue_of(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
    ) -> Option<(&mut Queue, &crate::consumer::Subscribe)> {
        let Consumer { queues, subscribe, .. } = self.consumers.get_mut(sub)?;
        Some((queues.get_mut(key)?, subscribe))
    }

    fn pull(&mut self, peer: PeerId, sub: SubscriptionId, key: QueueKey) {
        let config = self.ctx.fx.config.clone();
        let Some(consumer) = self.consumers.get(sub) else { return };
        let Some(queue) = consumer.queues.get(key) else { return };
        let (topic, expression) = &consumer.subscribe.topics[queue.topic];
        let request = PullRequest {
            consumer_group: consumer.subscribe.group.shared(),
            topic: topic.shared(),
            queue_id: queue.name.queue as i32,
            queue_offset: queue.next,
            max_messages: config.pull_batch as i32,
            sys_flag: SUSPEND,
            commit_offset: 0,
            suspend_timeout_millis: config.pull_suspend.as_millis() as i64,
            subscription: Some(expression.text().into()),
            sub_version: consumer.version,
            expression_type: Some("TAG".into()),
            broker: Some(queue.name.broker.clone()),
            ..Default::default()
        };
        let purpose = Purpose::Consumer(sub, ConsumerAsk::Pull { queue: key });
        let request = Request::Pull(request);
        let opaque =
            self.ctx.ask(peer, purpose, Kind::Pull, request, Bytes::new(), config.pull_timeout);
        let now = self.ctx.fx.now;
        if let Some((queue, _)) = self.queue_of(sub, key) {
            queue.state = State::Pulling(opaque);
            queue.pulled_at = Some(now);
        }
    }

    /// The broker answered a pull.
    pub(super) fn pull_answered(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        peer: PeerId,
        reply: Reply,
        body: Body,
    ) {
        let Some(consumer) = self.consumers.get_mut(sub).filter(|c| !c.is_leaving()) else {
            return;
        };
        let draining = consumer.is_draining();
        let Some(queue) = consumer.queues.get_mut(key) else { return };
        queue.state = State::Ready;
        if draining {
            return;
        }
        let Reply { code, remark, fields, .. } = reply;
        let (fields, remark) = match fields {
            Ok(ReplyFields::Pull(fields)) => (Some(fields), remark),
            Ok(_) => (None, remark),
            Err(error) => (None, Some(error.to_string().into())),
        };
        match (code, fields, body) {
            (ResponseCode::SUCCESS, Some(fields), Body::Records(records)) => {
                self.pull_found(sub, key, &fields, records);
            }
            (
                ResponseCode::PULL_NOT_FOUND
                | ResponseCode::PULL_RETRY_IMMEDIATELY
                | ResponseCode::PULL_OFFSET_MOVED,
                Some(fields),
                _,
            ) => {
                let told = Told::new(queue.next, &fields);
                self.pull_leads(sub, key, told, told.empty(code));
            }
            (code, ..) => self.pull_refused(sub, key, peer, code, remark),
        }
    }

    /// Messages came. What is not from before the offset asked for is kept, and handed out.
    fn pull_found(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        fields: &PullReply,
        records: RecordList,
    ) {
        self.ctx.fx.counters.messages_pulled += records.len() as u64;
        let plant = self.ctx.fx.plant;
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        let Some(queue) = consumer.queues.get_mut(key) else { return };
        let told = Told::new(queue.next, fields);
        let places = told.places();
        if places.is_empty() || records.is_empty() {
            return self.pull_leads(sub, key, told, Lead::Astray);
        }
        let delta = fields.offset_delta.unwrap_or(0);
        let tags = consumer.subscribe.topics[queue.topic].1.tags();
        let batch = queue.keep(sub, key, Answer { places, delta, records }, tags);
        self.ctx.fx.counters.messages_older += batch.older() as u64;
        if batch.open() == 0 && plant.is(super::Planted::PassesOlder) {
            return self.pull_leads(sub, key, told, Lead::On(told.asked.saturating_add(1)));
        }
        let lead = if batch.open() > 0 { told.found(batch.last()) } else { Lead::Astray };
        if lead == Lead::Astray {
            queue.unkeep(&batch);
        } else {
            queue.pace.went_on();
            consumer.offer(Handout::whole(batch));
            self.ctx.fx.event(Event::Deliverable { sub });
            if told.overreaches() {
                self.tell_astray(sub, key, told);
            }
        }
        self.pull_leads(sub, key, told, lead);
    }

    /// Goes on where an answer leads.
    fn pull_leads(&mut self, sub: SubscriptionId, key: QueueKey, told: Told, lead: Lead) {
        let (now, hold) = (self.ctx.fx.now, self.ctx.fx.config.pull_suspend);
        let beyond = self.ctx.fx.plant.is(super::Planted::PullsBeyond) && told.next > told.asked;
        let lead = if beyond { Lead::On(told.next) } else { lead };
        let Some((queue, _)) = self.queue_of(sub, key) else { return };
        let took = queue.pulled_at.map_or(Duration::ZERO, |at| now.since(at));
        match lead {
            Lead::On(next) => {
                (queue.next, queue.shown) = (next, true);
                self.poke(sub, key);
            }
            Lead::Same => {
                queue.shown = true;
                let pause = queue.pace.stalled(took, hold);
                self.rest(sub, key, pause);
            }
            Lead::Moved(to) => self.offset_moved(sub, key, to),
            Lead::Astray => {
                let pause = queue.pace.refused();
                self.tell_astray(sub, key, told);
                self.rest(sub, key, pause);
            }
        }
    }

    fn tell_astray(&mut self, sub: SubscriptionId, key: QueueKey, told: Told) {
        let Told { asked, next, min, max } = told;
        if let Some((queue, subscribe)) = self.queue_of(sub, key) {
            let (group, queue) = (subscribe.group.clone(), queue.name.clone());
            self.ctx.fx.note(Note::PullAstray { group, queue, asked, next, min, max });
        }
    }

    /// The offset asked for is not in the queue: the broker says where to go on. What is held is
    /// given up with the queue's old life, and the new one begins there
    /// (`DefaultMQPushConsumerImpl.pullMessage`, `OFFSET_ILLEGAL`).
    fn offset_moved(&mut self, sub: SubscriptionId, key: QueueKey, to: i64) {
        let (now, plant) = (self.ctx.fx.now, self.ctx.fx.plant);
        let Some(consumer) = self.consumers.get_mut(sub) else { return };
        let Some(queue) = consumer.queues.get_mut(key) else { return };
        let pause = queue.pace.moved(now);
        if plant.is(super::Planted::CommitsFirstPull) {
            (queue.next, queue.committed, queue.plant) = (to, None, plant);
            return self.rest(sub, key, pause);
        }
        let (group, name, from) =
            (consumer.subscribe.group.clone(), queue.name.clone(), queue.next);
        let Some(key) = consumer.take_anew(key, to) else { return };
        self.ctx.fx.note(Note::OffsetMoved { group, queue: name, from, to });
        self.rest(sub, key, pause);
    }

    /// Goes on after a pause, or at once without one.
    fn rest(&mut self, sub: SubscriptionId, key: QueueKey, pause: Duration) {
        if pause.is_zero() { self.poke(sub, key) } else { self.pause(sub, key, pause) }
    }

    fn pull_refused(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        peer: PeerId,
        code: ResponseCode,
        remark: Option<Box<str>>,
    ) {
        match code {
            ResponseCode::FLOW_CONTROL => {
                let Some((queue, _)) = self.queue_of(sub, key) else { return };
                let pause = queue.pace.refused().max(FLOW_CONTROL);
                return self.pause(sub, key, pause);
            }
            ResponseCode::SUBSCRIPTION_NOT_EXIST
            | ResponseCode::SUBSCRIPTION_NOT_LATEST
            | ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST => {
                // The broker does not know our groups: it has to hear of them first, and once for
                // all the queues that it refuses.
                self.brokers.denied(peer);
                if !self.brokers.is_hearing(peer) {
                    self.register(peer);
                }
            }
            _ => {}
        }
        let now = self.ctx.fx.now;
        if let Some(consumer) = self.consumers.get_mut(sub)
            && let Some(queue) = consumer.queues.get(key)
        {
            let (broker, queue) = (queue.at.broker, queue.name.clone());
            if consumer.tells(now, Trouble::Refused(broker)) {
                let (group, remark) = (consumer.subscribe.group.clone(), remark.map(Into::into));
                self.ctx.fx.note(Note::PullRefused { group, queue, code, remark });
            }
        }
        self.pause(sub, key, self.ctx.fx.config.pull_retry);
    }

    /// A request for the queue came to nothing: a pull, or a question where to begin, for what is
    /// `stored` or for an end.
    pub(super) fn queue_failed(
        &mut self,
        sub: SubscriptionId,
        key: QueueKey,
        begins: Option<bool>,
        failure: &Failure,
    ) {
        let retry = self.ctx.fx.config.pull_retry;
        let Some((queue, _)) = self.queue_of(sub, key) else { return };
        let asked = !matches!(queue.state, State::Asking(_) | State::Unasked);
        queue.state = if asked { State::Ready } else { State::Unasked };
        match failure {
            // It goes on when the broker knows us again; where its queues are read over another
            // connection by now (the next one after a GO_AWAY, the master instead of a slave),
            // nothing else would make it go on.
            Failure::Connect(_) | Failure::Closed(_) => {
                if self.is_readable(sub, key) {
                    self.poke(sub, key);
                }
            }
            _ => {
                self.tell_failed(sub, key, begins, failure.clone());
                self.pause(sub, key, retry);
            }
        }
    }

    /// Whether the queue's broker is there and knows us.
    fn is_readable(&self, sub: SubscriptionId, key: QueueKey) -> bool {
        self.consumers.get(sub).is_some_and(|consumer| {
            let queue = consumer.queues.get(key);
            let reader = queue.and_then(|queue| self.brokers.reader(queue.at.broker));
            reader.is_some_and(|peer| self.known().is_ready(&self.ctx, peer, consumer.revision))
        })
    }

    pub(super) fn pause(&mut self, sub: SubscriptionId, key: QueueKey, pause: Duration) {
        let timer = self.ctx.fx.after(pause, TimerKind::Queue(sub, key));
        let Some((queue, _)) = self.queue_of(sub, key) else {
            return self.ctx.fx.timers.cancel(timer);
        };
        let asked = !matches!(queue.state, State::Asking(_) | State::Unasked);
        queue.state = State::Pausing { timer, asked };
    }

    pub(super) fn queue_pause_over(&mut self, sub: SubscriptionId, key: QueueKey) {
        let Some((queue, _)) = self.queue_of(sub, key) else { return };
        if let State::Pausing { asked, .. } = queue.state {
            queue.state = if asked { State::Ready } else { State::Unasked };
            self.poke(sub, key);
        }
    }

    /// Each queue has one question in flight, one timer, or one named condition: its window is
    /// full, or its broker is not there or does not know us.
    pub(super) fn check_queues(&self) {
        let config = &self.ctx.fx.config;
        let mut asked: BTreeMap<_, Vec<Opaque>> = BTreeMap::new();
        for (sub, key, opaque) in self.ctx.remoting.calls.of_queues() {
            asked.entry((sub, key)).or_default().push(opaque);
        }
        for (sub, consumer) in self.consumers.iter() {
            consumer.check_handouts();
            assert!(!consumer.is_drained(), "{sub:?} has finished and does not leave");
            for (key, queue) in consumer.queues.iter() {
                queue.check(queue.is_full(config.queue_messages, config.queue_bytes));
                let calls = asked.remove(&(sub, key)).unwrap_or_default();
                let reader = self.brokers.reader(queue.at.broker);
                let waits = match queue.state {
                    State::Asking(opaque) | State::Pulling(opaque) => calls == [opaque],
                    State::Pausing { timer, .. } => {
                        calls.is_empty() && self.ctx.fx.timers.is_set(timer)
                    }
                    State::Full => calls.is_empty(),
                    State::Ready | State::Unasked => {
                        let ready = reader.is_some_and(|peer| {
                            self.known().is_ready(&self.ctx, peer, consumer.revision)
                        });
                        let left = self.turns.holds(sub, key);
                        let ends = consumer.is_leaving() || consumer.is_draining();
                        calls.is_empty() && (!ready || left || ends)
                    }
                };
                assert!(waits, "{key:?} of {sub:?} is {:?} with {calls:?}", queue.state);
            }
        }
    }
}
