//! The members of a group, and a consumer's share of the queues.
//!
//! Codes: `GET_CONSUMER_LIST_BY_GROUP` (38), `NOTIFY_CONSUMER_IDS_CHANGED` (40).

use std::time::Duration;

use bytes::Bytes;

use super::{Consumer, Consumers, Phase, Trouble};
use crate::body::Members;
use crate::effects::{ConsumerTimer, Note, Signal, TimerKind};
use crate::error::Failure;
use crate::frame::request::ConsumerListRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::{PeerId, SubscriptionId, TopicKey};
use crate::name::QueueName;
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};
use crate::route::{Known, RouteQueue};

/// Notices of one change come from every broker and for every member: they are taken together.
const GATHER: Duration = Duration::from_millis(50);
/// Notices that lead to no change are taken together for ever longer, up to [`AGAIN`], unless they
/// are further apart than this.
const APART: Duration = Duration::from_secs(5);
/// Lists of members that lack us may be older than our heartbeat, but not for so long.
const ABSENT: Duration = Duration::from_secs(3);
/// A rebalance that could not be done is tried again after this (`RebalanceService`, 5.3).
pub(super) const AGAIN: Duration = Duration::from_secs(1);

impl Consumers {
    /// A consumer is to look at its share now.
    pub(crate) fn rebalance(&mut self, ctx: &mut Context, known: Known<'_>, sub: SubscriptionId) {
        if let Some(consumer) = self.get_mut(sub) {
            consumer.rebalance(ctx, known);
        }
    }

    /// The members are known, or an answer that does not tell them.
    pub(super) fn members_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        reply: Reply,
        body: Body,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        let failure = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Members(Ok(members))) => {
                if consumer.take_share(ctx, known, members) {
                    self.resume_all(ctx, known, sub);
                }
                return;
            }
            (ResponseCode::SUCCESS, Body::Members(Err(error))) => {
                Failure::Body(error.to_string().into())
            }
            // An empty group answers code 1: our heartbeat has not been counted yet.
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        consumer.members_failed(ctx, failure);
    }
}

impl Consumer {
    /// A broker says that the group's members changed.
    pub(super) fn members_changed(&mut self, ctx: &mut Context) {
        let now = ctx.fx.now;
        if self.rebalanced.is_none_or(|last| now.since(last) > APART) {
            self.idle_looks = 0;
        }
        let gather = GATHER.saturating_mul(1 << self.idle_looks.min(8)).min(AGAIN);
        self.rebalance_after(ctx, gather);
    }

    /// The next rebalance is in `after`, or earlier if it was to be earlier: a list of members that
    /// comes now may be older than the notice that set that time.
    pub(super) fn rebalance_after(&mut self, ctx: &mut Context, after: Duration) {
        let at = ctx.fx.now + after;
        if let Some((earlier, timer)) = self.rebalance_timer {
            if earlier <= at {
                return;
            }
            ctx.fx.timers.cancel(timer);
        }
        let kind = TimerKind::Consumer(ConsumerTimer::Rebalance(self.id));
        self.rebalance_timer = Some((at, ctx.fx.timers.at(at, kind)));
    }

    pub(super) fn rebalance_due(&mut self, ctx: &mut Context, known: Known<'_>) {
        self.rebalance_timer = None;
        // A consumer may be started before its topic exists, or while no broker of it is there.
        for topic in self.topics.own().filter(|topic| known.routes.is_unread(topic)) {
            ctx.fx.signal(Signal::RouteWanted(topic.clone()));
        }
        // After the question for the routes.
        ctx.fx.signal(Signal::Rebalance(self.id));
    }

    /// Asks a broker that knows us for the members of the group.
    pub(super) fn rebalance(&mut self, ctx: &mut Context, known: Known<'_>) {
        if self.is_leaving() {
            return;
        }
        if self.asking_members {
            return self.rebalance_after(ctx, GATHER);
        }
        let Some(peer) = self.who_knows(ctx, known) else {
            // Each of them is connected to, or will be: one that knows us leads here again.
            self.reach_brokers(ctx, known);
            return self.rebalance_after(ctx, AGAIN);
        };
        let consumer_group = self.group.shared();
        let request =
            Request::ConsumerList(ConsumerListRequest { consumer_group, ..Default::default() });
        let (purpose, within) =
            (Purpose::Consumer(self.id, ConsumerAsk::Members), ctx.fx.config.request_timeout);
        ctx.ask(peer, purpose, Kind::ConsumerList, request, Bytes::new(), within);
        self.asking_members = true;
    }

    /// A broker of its topics that knows of it.
    fn who_knows(&self, ctx: &Context, known: Known<'_>) -> Option<PeerId> {
        let routes = self.topics.names().filter_map(|topic| known.routes.known(topic));
        let mut queues = routes.flat_map(|route| &route.readable);
        queues.find_map(|queue| {
            let reader = known.brokers.reader(queue.broker);
            reader.filter(|peer| known.is_ready(ctx, *peer, self.revision))
        })
    }

    /// There is no list of members: without one nothing is consumed.
    pub(super) fn members_failed(&mut self, ctx: &mut Context, failure: Failure) {
        self.asking_members = false;
        // A lost connection is told of as such.
        let lost = matches!(failure, Failure::Connect(_) | Failure::Closed(_));
        if !lost && !self.is_leaving() && self.tells(ctx.fx.now, Trouble::Members) {
            let group = self.group.clone();
            let ask = RequestCode::GET_CONSUMER_LIST_BY_GROUP;
            let failure = Box::new(failure);
            ctx.fx.note(Note::AskFailed { group, ask, queue: None, failure });
        }
        self.rebalance_after(ctx, AGAIN);
    }

    /// The members are known: this consumer's share is computed. True if its queues may go on.
    fn take_share(&mut self, ctx: &mut Context, known: Known<'_>, members: Members) -> bool {
        let now = ctx.fx.now;
        self.asking_members = false;
        if self.is_leaving() {
            return false;
        }
        self.note_members(ctx, members);
        let mut missing = false;
        let unread = self.topics.own().any(|topic| known.routes.is_unread(topic));
        for topic in self.topics.keys() {
            missing |= !self.share_topic(ctx, known, topic, members);
        }
        self.absent = members.place.is_none().then(|| self.absent.unwrap_or(now));
        if self.absent.is_some_and(|since| now.since(since) >= ABSENT) {
            self.members_failed(ctx, Failure::Body("the list of members lacks this one".into()));
            return false;
        }
        self.rebalanced = Some(now);
        if !missing {
            self.phase = Phase::Member;
        }
        self.look_at_queues();
        if self.is_drained() {
            self.drain_over(ctx, known);
            return false;
        }
        let after = if missing || unread { AGAIN } else { ctx.fx.config.rebalance_interval };
        self.rebalance_after(ctx, after);
        true
    }

    /// What the list says of the group, whatever the share is.
    fn note_members(&mut self, ctx: &mut Context, members: Members) {
        if members.doubled && !self.doubled {
            let client_id = ctx.fx.client_id.clone();
            let group = self.group.clone();
            ctx.fx.note(Note::SharedId { group, client_id });
        }
        self.doubled = members.doubled;
        if members.count > 1 {
            self.shared = Some(ctx.fx.now);
        }
        self.idle_looks = self.idle_looks.saturating_add(1);
    }

    /// Takes this consumer's share of one topic. False if the members do not include us.
    fn share_topic(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        topic: TopicKey,
        members: Members,
    ) -> bool {
        let Some(name) = self.topics.get(topic).map(|of| of.topic.clone()) else { return true };
        // What is held of a topic whose route names nothing is kept: its brokers may be away.
        let Some(route) = known.routes.known(&name).filter(|route| !route.unread) else {
            return true;
        };
        let named = |at: RouteQueue| QueueName {
            topic: name.clone(),
            broker: known.brokers.name(at.broker).clone(),
            queue: at.queue,
        };
        let Some((share, change)) = self.assign(topic, route, members, &named) else {
            return false;
        };
        if !change.added.is_empty() || !change.removed.is_empty() {
            self.idle_looks = 0;
            let group = self.group.clone();
            let (topic, members) = (name.clone(), members.count);
            ctx.fx.note(Note::Rebalanced { group, topic, share, members });
        }
        for (key, queue) in &change.removed {
            self.commit_given_up(ctx, known, *key, queue);
        }
        true
    }
}
