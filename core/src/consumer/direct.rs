//! Messages that an administrator wants handled now: handed to the application before all others,
//! and answered with what it makes of them.
//!
//! Code of brokers' requests: `CONSUME_MESSAGE_DIRECTLY` (309).

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{PulledRecords, QueueFlags};
use super::{Batch, BatchId, Consumer, Consumers, DeliveryId, Handout, Outcome};
use crate::body::{ConsumeDirectlyResult, DirectResult};
use crate::effects::{Effects, Event};
use crate::frame::ResponseCode;
use crate::id::{QueueKey, RequestId, Slots};
use crate::message::Item;
use crate::name::QueueName;
use crate::remoting::{ANSWER_WITHIN, Context, DirectMessage, PeerAnswer};
use crate::time::{Instant, millis};

/// Such messages that may wait for one consumer's application.
const OPEN: usize = 64;

/// A message on its way to the application and back.
#[derive(Debug)]
struct Open {
    batch: Arc<Batch>,
    /// Who wants to know, if somebody does.
    asked: Option<RequestId>,
    since: Instant,
}

/// The messages of one consumer that came this way.
#[derive(Debug, Default)]
pub(super) struct Direct {
    open: Slots<QueueKey, Open>,
    ready: VecDeque<Handout>,
}

impl Direct {
    /// The next one for the application.
    pub(super) fn take(&mut self) -> Option<Handout> {
        self.ready.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Forgets those that the application has not come to while somebody waited for the answer.
    fn forget_late(&mut self, now: Instant) {
        let Self { open, ready } = self;
        ready.retain(|handout| {
            let key = handout.batch.id().queue;
            let waits = open.get(key).is_some_and(|open| now.since(open.since) < ANSWER_WITHIN);
            if !waits {
                open.remove(key);
            }
            waits
        });
    }

    pub(super) fn batch(&self, id: BatchId) -> Option<&Arc<Batch>> {
        self.open.get(id.queue).map(|open| &open.batch)
    }
}

impl Consumers {
    /// A message is to be handed to the application of a group, whoever has its queue. It is
    /// neither committed nor sent back: what the application makes of it is the answer.
    pub(crate) fn consume_directly(
        &mut self,
        ctx: &mut Context,
        direct: DirectMessage,
        asked: Option<RequestId>,
    ) {
        let consumer = self.of_group(&direct.group).and_then(|sub| self.get_mut(sub));
        let refusal = match consumer {
            Some(consumer) if !consumer.is_leaving() && !consumer.is_draining() => {
                match consumer.take_direct(&ctx.fx, &direct, asked) {
                    Ok(()) => return ctx.fx.event(Event::Deliverable { sub: consumer.id }),
                    Err(why) => PeerAnswer::Refused(ResponseCode::SYSTEM_ERROR, why.into()),
                }
            }
            _ => PeerAnswer::no_consumer(&direct.group),
        };
        if let Some(asked) = asked {
            ctx.reply(asked, refusal);
        }
    }
}

impl Consumer {
    fn take_direct(
        &mut self,
        fx: &Effects,
        direct: &DirectMessage,
        asked: Option<RequestId>,
    ) -> Result<(), &'static str> {
        if self.is_polled() {
            return Err("its messages are polled: none is consumed directly");
        }
        let first = direct.records.items().next();
        let Some(Item::Record(record)) = first.filter(|_| direct.records.len() == 1) else {
            return Err("the body is not one message that can be read");
        };
        let now = fx.now;
        self.direct.forget_late(now);
        if self.direct.open.len() >= OPEN {
            return Err("too many messages that are to be consumed directly wait already");
        }
        let Ok(topic) = fx.namespace.told_topic(&record.topic()) else {
            return Err("the message's topic is none of this client's");
        };
        let queue = record.queue_id().max(0) as u32;
        let name = QueueName { topic, broker: direct.broker.clone(), queue };
        let offset = record.queue_offset();
        let places = offset..offset.saturating_add(1);
        let (sub, records) = (self.id, direct.records.clone());
        let key = self.direct.open.insert_with(|key| {
            let id = BatchId { sub, queue: key, number: BatchId::DIRECT };
            let answer = PulledRecords { places, delta: 0, records, at: now };
            let flags = Arc::new(QueueFlags::default());
            Open { batch: Arc::new(Batch::new(id, name, answer, None, flags)), asked, since: now }
        });
        if let Some(open) = self.direct.open.get(key) {
            self.direct.ready.push_back(Handout::whole(open.batch.clone()));
        }
        Ok(())
    }

    /// The application is done with one, or not.
    pub(super) fn direct_settled(&mut self, ctx: &mut Context, id: DeliveryId, outcome: Outcome) {
        let Some(open) = self.direct.open.remove(id.batch.queue) else { return };
        let Some(asked) = open.asked else { return };
        let result = match outcome {
            Outcome::Done => DirectResult::CrSuccess,
            Outcome::Retry { .. } | Outcome::Reject | Outcome::Here(_) | Outcome::Again => {
                DirectResult::CrLater
            }
        };
        let answer = ConsumeDirectlyResult {
            auto_commit: true,
            result,
            order: self.is_orderly(),
            remark: None,
            spent_millis: millis(ctx.fx.now.since(open.since)),
        };
        ctx.reply(asked, PeerAnswer::Body(answer.to_json().into()));
    }

    /// The consumer hands out nothing more.
    pub(super) fn refuse_direct(&mut self, ctx: &mut Context) {
        self.direct.ready.clear();
        for key in self.direct.open.ids() {
            let Some(Open { asked: Some(asked), .. }) = self.direct.open.remove(key) else {
                continue;
            };
            ctx.reply(asked, PeerAnswer::no_consumer(&self.group));
        }
    }
}
