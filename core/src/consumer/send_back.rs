//! Messages sent back: to the broker that gave them, which delivers them again later from the retry
//! topic of the group, or makes dead letters of them.
//!
//! | how far a message has come | leaves on | to |
//! |---|---|---|
//! | Waiting | fewer than [`MOST`] of its broker's are under way | Asked |
//! | | it can't be named to a broker, or there is no master | Sending |
//! | Asked | `SUCCESS` | settled |
//! | | anything else, no answer in 5 s, a lost connection | Sending |
//! | Sending | stored | settled |
//! | | anything else | here again, after `retry_delay` |
//!
//! Sending is a send by this client to the retry topic, on whichever broker takes it. Until one of
//! the two is acknowledged the message is unsettled: the group's offset does not pass it. An answer
//! that was lost may have been `SUCCESS`, so that a message may come twice, and none is lost.
//!
//! Codes: `CONSUMER_SEND_MSG_BACK` (36). A broker whose group has no retry queues answers `SUCCESS`
//! and keeps nothing, as told to (`retryQueueNums` 0).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::again::{Again, Place};
use super::{Batch, Consumer, Consumers, DeliveryId, Settled, Trouble};
use crate::effects::{Note, Planted, SendOwner, Signal};
use crate::error::{Failure, SendError};
use crate::frame::request::SendBackRequest;
use crate::frame::{Kind, Reply, Request, ResponseCode};
use crate::id::{BrokerId, MessageKey, SubscriptionId};
use crate::message::{DELAY_LEVELS, Publish, Record, Retry};
use crate::name::{Group, Topic};
use crate::remoting::{ConsumerAsk, Context, Purpose, SEND_BACK};
use crate::route::Known;

/// Messages of one broker that are sent back at a time: a handler that fails on everything must not
/// flood what it fails for. Others wait, first in, first out.
const MOST: usize = 64;
/// The group by which Java's clients send for their own sake
/// (`MixAll.CLIENT_INNER_PRODUCER_GROUP`).
const INNER: &str = "CLIENT_INNER_PRODUCER";
/// The level of a message that came for the first time, where brokers or we choose (`10s`).
const FIRST_LEVEL: u32 = 3;

/// What a broker is to make of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It comes again, by that level; 0: by the number of its attempts.
    Level(u32),
    /// It becomes a dead letter.
    Dead,
}

impl Back {
    /// It comes again after about so long.
    pub(super) fn after(after: Option<Duration>) -> Self {
        Self::Level(after.map_or(0, nearest))
    }

    /// What Java asks for when a message was held for too long (`ProcessQueue.cleanExpiredMsg`).
    pub(super) const OVERDUE: Self = Self::Level(FIRST_LEVEL);
}

/// The level whose delay is nearest to `after`, of two the longer one.
fn nearest(after: Duration) -> u32 {
    let distance = |(_, seconds): &(u32, &u64)| {
        let delay = Duration::from_secs(**seconds);
        (delay.abs_diff(after), std::cmp::Reverse(delay))
    };
    (1..).zip(&DELAY_LEVELS).min_by_key(distance).map_or(0, |(level, _)| level)
}

/// A message on its way back.
#[derive(Debug)]
pub(super) struct Leaving {
    back: Back,
    stage: Stage,
    /// Why its broker did not take it.
    refused: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Asked,
    Sending,
}

/// The messages of one broker that are sent back.
#[derive(Debug, Default)]
struct Line {
    under_way: usize,
    waiting: VecDeque<MessageKey>,
}

/// Those of one consumer.
#[derive(Debug, Default)]
pub(super) struct SendBacks(BTreeMap<BrokerId, Line>);

impl DeliveryId {
    const fn key(self) -> MessageKey {
        MessageKey { queue: self.batch.queue, batch: self.batch.number, index: self.index }
    }
}

impl Consumers {
    /// The send of a message to the retry topic has ended.
    pub(crate) fn retry_sent(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        (message, broker): (MessageKey, BrokerId),
        result: Result<(), Box<SendError>>,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        match result {
            Ok(()) => consumer.taken_back(ctx, known, message),
            Err(error) => consumer.not_taken(ctx, message, Some(error)),
        }
        consumer.next_back(ctx, known, broker);
    }
}

impl Consumer {
    /// Sends a message back, unless it is on its way already.
    pub(super) fn send_back(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: DeliveryId,
        back: Back,
    ) {
        let now = ctx.fx.now;
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        let broker = queue.at.broker;
        let again = queue.window.again.entry((id.batch.number, id.index));
        let again = again.or_insert_with(|| Again::out(now));
        match again.place {
            Place::Leaving(_) => return,
            Place::Later(due) => self.handouts.forget(due),
            Place::Ready | Place::Out(_) => {}
        }
        again.place = Place::Leaving(Leaving { back, stage: Stage::Waiting, refused: None });
        let line = self.backs.0.entry(broker).or_default();
        line.waiting.push_back(id.key());
        self.begin_backs(ctx, known, broker);
    }

    /// One of a broker's is no longer under way.
    fn next_back(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        if let Some(line) = self.backs.0.get_mut(&broker) {
            line.under_way = line.under_way.saturating_sub(1);
        }
        self.begin_backs(ctx, known, broker);
    }

    /// Begins as many as may be under way.
    fn begin_backs(&mut self, ctx: &mut Context, known: Known<'_>, broker: BrokerId) {
        while let Some(line) = self.backs.0.get_mut(&broker) {
            if line.under_way >= MOST {
                return;
            }
            let Some(message) = line.waiting.pop_front() else {
                if line.under_way == 0 {
                    self.backs.0.remove(&broker);
                }
                return;
            };
            if self.leaving(message).is_some() {
                let given = self.ask_back(ctx, known, message, broker);
                if let Some(line) = self.backs.0.get_mut(&broker) {
                    line.under_way += usize::from(given);
                }
            }
        }
    }

    /// Asks the master of its broker to take a message back, if that can be asked. False: nobody
    /// can be asked, and it stays here.
    fn ask_back(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        message: MessageKey,
        broker: BrokerId,
    ) -> bool {
        let most = self.bounds.max_reconsume_times;
        let Some((batch, leaving)) = self.batch_leaving(message) else { return false };
        let level = match leaving.back {
            Back::Level(level) => level as i32,
            Back::Dead => -1,
        };
        let asked = known.brokers.master(broker).zip(batch.commit_log_offset(message.index));
        let Some((peer, offset)) = asked else {
            return self.send_retry(ctx, message, broker, None);
        };
        leaving.stage = Stage::Asked;
        let record = batch.records().record(message.index as usize);
        let request = Request::SendBack(SendBackRequest {
            offset,
            group: self.group.wire().clone(),
            delay_level: level,
            message_id: record.map(|record| Arc::from(&*record.id())),
            topic: Some(Arc::from(batch.known_topic(message.index))),
            max_reconsume_times: Some(most as i32),
            broker: Some(batch.queue().broker.clone()),
            ..Default::default()
        });
        let ask = ConsumerAsk::SendBack { message, broker };
        let purpose = Purpose::Consumer(self.id, ask);
        ctx.ask(peer, purpose, Kind::Plain, request, Bytes::new(), SEND_BACK);
        true
    }

    /// A broker answered.
    pub(super) fn back_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (message, broker): (MessageKey, BrokerId),
        reply: Reply,
    ) {
        if reply.code == ResponseCode::SUCCESS {
            self.taken_back(ctx, known, message);
            return self.next_back(ctx, known, broker);
        }
        let failure = Failure::Refused { code: reply.code, remark: reply.remark.map(Into::into) };
        self.back_failed(ctx, known, (message, broker), failure);
    }

    /// A broker did not take a message back, or did not say so.
    pub(super) fn back_failed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (message, broker): (MessageKey, BrokerId),
        failure: Failure,
    ) {
        if ctx.fx.plant.is(Planted::LosesRefused) {
            self.taken_back(ctx, known, message);
            return self.next_back(ctx, known, broker);
        }
        if !self.send_retry(ctx, message, broker, Some(failure)) {
            self.next_back(ctx, known, broker);
        }
    }

    /// Has the message sent to the retry topic by this client. One that was to be a dead letter
    /// says that it has come too often already, by which a broker makes it one
    /// (`SendMessageProcessor.handleRetryAndDLQ`); Java's client has it come again instead. False:
    /// it can't be sent, and stays here.
    fn send_retry(
        &mut self,
        ctx: &mut Context,
        message: MessageKey,
        broker: BrokerId,
        failure: Option<Failure>,
    ) -> bool {
        let (sub, most, group) = (self.id, self.bounds.max_reconsume_times, self.group.clone());
        let publish = self.batch_leaving(message).and_then(|(batch, leaving)| {
            leaving.refused = failure;
            leaving.stage = Stage::Sending;
            let record = batch.records().record(message.index as usize)?;
            retried(&group, batch.known_topic(message.index), &record, leaving.back, most)
        });
        let sent = publish.is_some();
        match publish {
            Some(publish) => {
                let owner = SendOwner::Consumer { sub, message, broker };
                ctx.fx.signal(Signal::SendWanted { owner, publish: Arc::new(publish) });
            }
            None => self.not_taken(ctx, message, None),
        }
        sent
    }

    /// A broker has the message: it is settled here.
    fn taken_back(&mut self, ctx: &mut Context, known: Known<'_>, message: MessageKey) {
        let Some(back) = self.leaving(message).map(|leaving| leaving.back) else { return };
        ctx.fx.counters.sent_back += 1;
        self.find_retry_topic(ctx, known, &[]);
        let back = match self.once_too_often(message) {
            Some(attempts) if back != Back::Dead => {
                self.tell_dead(ctx, message, attempts);
                Back::Dead
            }
            _ => back,
        };
        let Some(queue) = self.queues.get_mut(message.queue) else { return };
        let tally = self.tallies.of(queue.topic);
        match back {
            Back::Level(_) => tally.sent_back += 1,
            Back::Dead => tally.dead_lettered += 1,
        }
        queue.window.again.remove(&(message.batch, message.index));
        let Some(batch) = queue.window.batch(message.batch).cloned() else { return };
        if batch.settle(message.index) == Settled::Last {
            // Nothing that could be stale: its queue was just looked at.
            let _ = self.batch_ended(ctx, known, batch.id());
        }
    }

    /// Its attempts, if a broker makes a dead letter of it for their number.
    fn once_too_often(&self, message: MessageKey) -> Option<u32> {
        let queue = self.queues.get(message.queue)?;
        let batch = queue.window.batch(message.batch)?;
        let times = batch.records().record(message.index as usize)?.reconsume_times();
        let times = u32::try_from(times).unwrap_or(0);
        (times >= self.bounds.max_reconsume_times).then(|| times.saturating_add(1))
    }

    fn tell_dead(&self, ctx: &mut Context, message: MessageKey, attempts: u32) {
        let Some(queue) = self.queues.get(message.queue) else { return };
        let offset = queue.window.batch(message.batch).and_then(|one| one.offset(message.index));
        let (group, queue) = (self.group.clone(), queue.name.clone());
        ctx.fx.note(Note::DeadLetter { group, queue, offset, attempts });
    }

    /// Nobody took the message, as far as is known: it is delivered again here.
    fn not_taken(&mut self, ctx: &mut Context, message: MessageKey, error: Option<Box<SendError>>) {
        let Some((batch, leaving)) = self.batch_leaving(message) else { return };
        ctx.fx.counters.sent_back_failed += 1;
        let (refused, id) = (leaving.refused.take(), batch.id());
        let id = DeliveryId { batch: id, index: message.index };
        self.tell_not_taken(ctx, message, refused, error);
        self.come_here(ctx, id);
    }

    /// A message that was to leave stays.
    fn come_here(&mut self, ctx: &mut Context, id: DeliveryId) {
        let Some(queue) = self.queues.get_mut(id.batch.queue) else { return };
        if let Some(again) = queue.window.again.get_mut(&(id.batch.number, id.index)) {
            again.place = Place::Out(ctx.fx.now);
        }
        let after = self.bounds.retry_delay;
        self.give_back_after(ctx, id, after);
    }

    /// Tells of it, once a minute for each broker.
    fn tell_not_taken(
        &mut self,
        ctx: &mut Context,
        message: MessageKey,
        refused: Option<Failure>,
        error: Option<Box<SendError>>,
    ) {
        let Some(queue) = self.queues.get(message.queue) else { return };
        let (broker, name) = (queue.at.broker, queue.name.clone());
        if self.tells(ctx.fx.now, Trouble::Back(broker)) {
            let (group, failure) = (self.group.clone(), refused.map(Box::new));
            ctx.fx.note(Note::SendBackFailed { group, queue: name, failure, error });
        }
    }

    /// How a message leaves, while it does.
    fn leaving(&self, message: MessageKey) -> Option<&Leaving> {
        let queue = self.queues.get(message.queue)?;
        queue.window.again.get(&(message.batch, message.index))?.leaving()
    }

    /// The batch of a message that leaves, and how it does.
    fn batch_leaving(&mut self, message: MessageKey) -> Option<(Arc<Batch>, &mut Leaving)> {
        let window = &mut self.queues.get_mut(message.queue)?.window;
        let batch = window.batch(message.batch)?.clone();
        match &mut window.again.get_mut(&(message.batch, message.index))?.place {
            Place::Leaving(leaving) => Some((batch, leaving)),
            Place::Later(_) | Place::Ready | Place::Out(_) => None,
        }
    }

    /// Queues were given up: what waits of them waits for nothing.
    pub(super) fn forget_backs(&mut self) {
        let Self { backs, queues, .. } = self;
        for line in backs.0.values_mut() {
            line.waiting.retain(|message| queues.get(message.queue).is_some());
        }
    }
}

impl Consumers {
    /// What must hold between two calls: `owners` are those for whom messages are being sent. Each
    /// message that leaves is waited with, asked for, or being sent, once.
    pub(crate) fn check_backs(&self, ctx: &Context, owners: impl Iterator<Item = SendOwner>) {
        let mut under_way: BTreeMap<SubscriptionId, Vec<UnderWay>> = BTreeMap::new();
        for owner in owners {
            if let SendOwner::Consumer { sub, message, broker } = owner {
                under_way.entry(sub).or_default().push((message, broker, Stage::Sending));
            }
        }
        for (sub, message, broker) in ctx.remoting.calls.send_backs() {
            under_way.entry(sub).or_default().push((message, broker, Stage::Asked));
        }
        for (sub, consumer) in self.iter() {
            consumer.check_backs(under_way.remove(&sub).unwrap_or_default());
        }
    }
}

/// A message that was given to somebody, by whom and how.
type UnderWay = (MessageKey, BrokerId, Stage);

impl Consumer {
    fn check_backs(&self, under_way: Vec<UnderWay>) {
        for (broker, line) in &self.backs.0 {
            let own = under_way.iter().filter(|(_, of, _)| of == broker).count();
            assert_eq!(own, line.under_way, "messages of {broker:?} that are being sent back");
            assert!(own > 0, "{broker:?} takes nothing back and is remembered");
            assert!(line.waiting.is_empty() || own >= MOST, "{broker:?} could be asked");
        }
        for (key, queue) in self.queues.iter() {
            let leaving =
                queue.window.again.iter().filter_map(|(at, one)| Some((at, one.leaving()?)));
            for ((batch, index), leaving) in leaving {
                let message = MessageKey { queue: key, batch: *batch, index: *index };
                let broker = queue.at.broker;
                let waits = self.backs.0.get(&broker).map_or(0, |line| {
                    line.waiting.iter().filter(|waiting| **waiting == message).count()
                });
                let given = under_way.iter().filter(|(one, _, _)| *one == message);
                let given: Vec<Stage> = given.map(|(_, _, stage)| *stage).collect();
                let held = match leaving.stage {
                    Stage::Waiting => waits == 1 && given.is_empty(),
                    stage => waits == 0 && given == [stage],
                };
                assert!(held, "{message:?} is {leaving:?} with {waits} places and {given:?}");
            }
        }
    }
}

/// The message as it goes to the retry topic.
fn retried(
    group: &Group,
    from: &str,
    record: &Record<'_>,
    back: Back,
    most: u32,
) -> Option<Publish> {
    let before = record.reconsume_times().max(0) as u32;
    let (times, level) = match back {
        Back::Level(0) => (before + 1, (FIRST_LEVEL + before).min(DELAY_LEVELS.len() as u32)),
        Back::Level(level) => (before + 1, level),
        Back::Dead => (most.min(before).saturating_add(1), FIRST_LEVEL),
    };
    let most = if back == Back::Dead { most.min(before) } else { most };
    let (to, by) = (Topic::retry_of(group), Group::new(INNER).ok()?);
    Publish::retry(record, &Retry { to: &to, by: &by, from, times, most, level }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_by_the_level_that_is_nearest() {
        for (millis, level) in [
            (0, 1),
            (1_000, 1),
            (2_900, 1),
            (3_000, 2),
            (5_000, 2),
            (20_000, 4),
            (19_999, 3),
            (60_000, 5),
            (90_000, 6),
            (599_999, 14),
            (7_200_000, 18),
            (86_400_000, 18),
        ] {
            assert_eq!(nearest(Duration::from_millis(millis)), level, "{millis} ms");
        }
        assert_eq!(Back::after(None), Back::Level(0));
    }
}
