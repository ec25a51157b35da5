//! The next pull of a queue, what it brought, and where that leads.
//!
//! Codes: `PULL_MESSAGE` (11), and `LITE_PULL_MESSAGE` (361) of consumers that are polled, which no
//! broker before 5.0 knows; answered with `SUCCESS` (0), `PULL_NOT_FOUND` (19),
//! `PULL_RETRY_IMMEDIATELY` (20), `PULL_OFFSET_MOVED` (21), or a refusal.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::topics::Subscription;
use super::{Consumer, Handout, NextOffset, PullAnswer, PulledRecords, Taking, Trouble};
use crate::effects::{Event, Note, Planted, Signal};
use crate::error::Failure;
use crate::frame::reply::PullReply;
use crate::frame::request::PullRequest;
use crate::frame::{Kind, Reply, ReplyFields, Request, ResponseCode};
use crate::id::{PeerId, QueueKey};
use crate::message::RecordList;
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};
use crate::route::Known;

/// `PullSysFlag`: the broker may hold the pull until something comes.
const SUSPEND: i32 = 2;
/// It says what is wanted of the topic, and need not know the group.
const SUBSCRIPTION: i32 = 4;
/// It is a pull of a lite consumer's.
const LITE: i32 = 16;
/// Pause after a broker says that it is busy (`PULL_TIME_DELAY_MILLS_WHEN_BROKER_FLOW_CONTROL`).
/// The least one; it grows to a second while the broker stays so.
const FLOW_CONTROL: Duration = Duration::from_millis(20);

impl Consumer {
    pub(super) fn pull(&mut self, ctx: &mut Context, peer: PeerId, key: QueueKey) {
        let config = &ctx.fx.config;
        let (now, within) = (ctx.fx.now, config.pull_timeout);
        let Some(queue) = self.queues.get_mut(key) else { return };
        let Some(subscription) = self.topics.get(queue.topic) else { return };
        let Subscription { topic, filter, edition, said: (text, language), .. } = subscription;
        let lite = self.options.taking.polling().is_some() && !self.plain.contains(&peer);
        let sys_flag = match (&self.options.taking, lite) {
            (Taking::Delivered, _) => SUSPEND,
            (Taking::Polled(_), false) => SUSPEND | SUBSCRIPTION,
            (Taking::Polled(_), true) => SUSPEND | SUBSCRIPTION | LITE,
        };
        let says = sys_flag & SUBSCRIPTION != 0 || !filter.is_judged();
        let request = PullRequest {
            consumer_group: self.group.wire().clone(),
            topic: topic.wire().clone(),
            queue_id: queue.name.queue as i32,
            queue_offset: queue.cursor.next(),
            max_messages: self.bounds.pull_batch as i32,
            sys_flag,
            commit_offset: 0,
            suspend_timeout_millis: config.pull_suspend.as_millis() as i64,
            // A broker knows it by our heartbeat, unless the pull is to say it; one in SQL may be
            // long.
            subscription: says.then(|| text.clone()),
            sub_version: edition.version,
            expression_type: Some(language.clone()),
            broker: Some(queue.name.broker.clone()),
            ..Default::default()
        };
        let request = if lite { Request::LitePull(request) } else { Request::Pull(request) };
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Pull { queue: key });
        let opaque = ctx.ask(peer, purpose, Kind::Pull, request, Bytes::new(), within);
        queue.lite = lite;
        queue.cursor.pulling(opaque, now);
    }

    /// The broker answered a pull.
    pub(super) fn pull_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        key: QueueKey,
        reply: Reply,
        body: Body,
    ) {
        if self.is_leaving() {
            return;
        }
        let draining = self.is_draining();
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.cursor.pull_answered();
        queue.denied = None;
        // One that only refuses suggests nobody, itself included.
        queue.suggested = match &reply.fields {
            Ok(ReplyFields::Pull(fields)) => fields.suggest_broker_id,
            Ok(_) | Err(_) => None,
        }
        .and_then(|id| u64::try_from(id).ok());
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
                self.pull_found(ctx, known, key, &fields, records);
            }
            (
                ResponseCode::PULL_NOT_FOUND
                | ResponseCode::PULL_RETRY_IMMEDIATELY
                | ResponseCode::PULL_OFFSET_MOVED,
                Some(fields),
                _,
            ) => {
                let told = PullAnswer::new(queue.cursor.next(), &fields);
                self.pull_leads(ctx, known, key, told, told.empty(code));
            }
            // Before 5.0: the plain pull does as well, until the broker is another one.
            (ResponseCode::REQUEST_CODE_NOT_SUPPORTED, ..) if queue.lite => {
                self.plain.insert(peer);
                self.resume(ctx, known, key);
            }
            (code, ..) => self.pull_refused(ctx, peer, key, code, remark),
        }
    }

    /// Messages came. What is not from before the offset asked for is kept, and handed out.
    fn pull_found(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        fields: &PullReply,
        records: RecordList,
    ) {
        ctx.fx.counters.messages_pulled += records.len() as u64;
        let now = ctx.fx.now;
        let Some(queue) = self.queues.get_mut(key) else { return };
        let took = queue.cursor.pulled_at().map_or(Duration::ZERO, |at| now.since(at));
        self.tallies.of(queue.topic).pulled(now, records.len(), took);
        let told = PullAnswer::new(queue.cursor.next(), fields);
        let places = told.places();
        if places.is_empty() || records.is_empty() {
            return self.pull_leads(ctx, known, key, told, NextOffset::Astray);
        }
        let delta = fields.offset_delta.unwrap_or(0);
        let tags = self.topics.get(queue.topic).and_then(|of| of.filter.wanted());
        let batch = queue.window.keep(
            (self.id, key),
            &queue.name,
            PulledRecords { places, delta, records, at: now },
            tags,
        );
        ctx.fx.counters.messages_older += batch.older() as u64;
        if batch.open() == 0 && ctx.fx.plant.is(Planted::PassesOlder) {
            let next = NextOffset::On(told.asked.saturating_add(1));
            return self.pull_leads(ctx, known, key, told, next);
        }
        let next = if batch.open() > 0 { told.found(batch.last()) } else { NextOffset::Astray };
        if next == NextOffset::Astray {
            queue.window.unkeep(&batch);
        } else {
            queue.cursor.went_on();
            self.offer(Handout::whole(batch));
            ctx.fx.event(Event::Deliverable { sub: self.id });
            if told.overreaches() {
                self.tell_astray(ctx, key, told);
            }
        }
        self.pull_leads(ctx, known, key, told, next);
    }

    /// Goes on where an answer leads.
    fn pull_leads(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        told: PullAnswer,
        next: NextOffset,
    ) {
        // For people: what can't be true is not acted on.
        if let Some(queue) = self.queues.get_mut(key) {
            queue.cursor.ends_at(told.max);
        }
        let beyond = ctx.fx.plant.is(Planted::PullsBeyond) && told.next > told.asked;
        let next = if beyond { NextOffset::On(told.next) } else { next };
        let Some(queue) = self.queues.get_mut(key) else { return };
        match next {
            NextOffset::On(next) => {
                queue.cursor.leads_on(next);
                self.resume(ctx, known, key);
            }
            NextOffset::Same => {
                let pause = queue.cursor.stalled(ctx.fx.now, ctx.fx.config.pull_suspend);
                self.resume_after(ctx, known, key, pause);
            }
            NextOffset::Moved(to) => self.offset_moved(ctx, known, key, to),
            NextOffset::Astray => {
                let pause = queue.cursor.refused();
                self.tell_astray(ctx, key, told);
                self.resume_after(ctx, known, key, pause);
            }
        }
    }

    fn tell_astray(&self, ctx: &mut Context, key: QueueKey, told: PullAnswer) {
        let PullAnswer { asked, next, min, max } = told;
        if let Some(queue) = self.queues.get(key) {
            let (group, queue) = (self.group.clone(), queue.name.clone());
            ctx.fx.note(Note::PullAstray { group, queue, asked, next, min, max });
        }
    }

    /// The offset asked for is not in the queue: the broker says where to go on. Behind it, the
    /// queue is another one than before, and what is held is given up with its old life, as Java
    /// does in any case (`DefaultMQPushConsumerImpl.pullMessage`, `OFFSET_ILLEGAL`).
    fn offset_moved(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey, to: i64) {
        let (now, plant) = (ctx.fx.now, ctx.fx.plant);
        let Some(queue) = self.queues.get_mut(key) else { return };
        let pause = queue.cursor.moved(now);
        if plant.is(Planted::CommitsFirstPull) {
            queue.move_in_place(to, plant);
            return self.resume_after(ctx, known, key, pause);
        }
        let (name, from) = (queue.name.clone(), queue.cursor.next());
        let key = if to > from {
            // What lies between has expired; what is held was there before, and is good.
            queue.cursor.leads_on(to);
            key
        } else {
            let Some(anew) = self.take_anew(key, to) else { return };
            self.commit_calls_go_on(ctx, known, key);
            anew
        };
        let group = self.group.clone();
        ctx.fx.note(Note::OffsetMoved { group, queue: name, from, to });
        self.resume_after(ctx, known, key, pause);
    }

    fn pull_refused(
        &mut self,
        ctx: &mut Context,
        peer: PeerId,
        key: QueueKey,
        code: ResponseCode,
        remark: Option<Box<str>>,
    ) {
        let remark: Option<Arc<str>> = remark.map(Into::into);
        self.refused(ctx, peer, key, &Failure::Refused { code, remark: remark.clone() });
        let Some(queue) = self.queues.get_mut(key) else { return };
        match code {
            ResponseCode::FLOW_CONTROL => {
                let pause = queue.cursor.refused().max(FLOW_CONTROL);
                return self.pause(ctx, key, pause);
            }
            // The broker does not know our groups: it has to hear of them first, and once for all
            // the queues that it refuses.
            ResponseCode::SUBSCRIPTION_NOT_EXIST
            | ResponseCode::SUBSCRIPTION_NOT_LATEST
            | ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST
            | ResponseCode::FILTER_DATA_NOT_EXIST
            | ResponseCode::FILTER_DATA_NOT_LATEST => {
                ctx.fx.signal(Signal::Unregistered(peer));
            }
            _ => {}
        }
        let (broker, queue) = (queue.at.broker, queue.name.clone());
        if self.tells(ctx.fx.now, Trouble::Refused(broker)) {
            let group = self.group.clone();
            ctx.fx.note(Note::PullRefused { group, queue, code, remark });
        }
        self.pause(ctx, key, ctx.fx.config.pull_retry);
    }
}
