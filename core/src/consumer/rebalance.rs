//! When a consumer looks at its share of the queues, and whom it asks for the members of its group.
//!
//! It looks every `rebalance_interval`; when a broker says that the members changed; when routes,
//! addresses or its own subscriptions did; and again after a second where something was missing.
//! The first notice leads to a look at once. Those that follow soon lead to one more together,
//! which is a second later if they are many: one change is told by every broker, and for every
//! member.
//!
//! For each topic the first broker by name that knows us is asked, so that all members ask the same
//! one: lists differ while brokers lose and regain connections, and members that ask at random, as
//! Java's do, then give queues back and forth (apache/rocketmq #7870). Topics on the same brokers
//! are one question.
//!
//! Codes: `GET_CONSUMER_LIST_BY_GROUP` (38), `NOTIFY_CONSUMER_IDS_CHANGED` (40),
//! `QUERY_ASSIGNMENT` (400) in `assigned.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::denied::denial;
use super::share::By;
use super::topics::Role;
use super::{Consumer, Consumers, Phase, Trouble};
use crate::body::Members;
use crate::effects::{ConsumerTimer, Note, Signal, TimerKind};
use crate::error::{Attempt, Failure};
use crate::frame::request::ConsumerListRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::{BrokerId, PeerId, SubscriptionId, TopicKey};
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};
use crate::route::Known;
use crate::time::Instant;

/// Looks that are called for while the members are asked for are one, so much later; so are those
/// for routes that come soon after a look.
const GATHER: Duration = Duration::from_millis(50);
/// Notices that come so soon after a look that another one led to lead to one more together: as
/// late as the first if they are many, and before queues that move are read elsewhere if they are
/// few, as of a member that joins behind another one.
const APART: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(300);
const FEW: u32 = 8;
/// Lists of members that lack us may be older than our heartbeat, but not for so long.
const ABSENT: Duration = Duration::from_secs(3);
/// A rebalance that could not be done is tried again after this (`RebalanceService`, 5.3).
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Questions for the members of a group.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Those under way: whom, and for which topics.
    under_way: BTreeMap<u32, (PeerId, Vec<TopicKey>)>,
    /// Counts them.
    asked: u32,
    /// The broker that failed to answer the last one: another one is asked, if there is.
    doubted: Option<PeerId>,
    /// No broker that knows us could be asked for some topic.
    unasked: bool,
    /// How a broker has denied the last one, if it has.
    pub(super) denied: Option<Arc<Attempt>>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether some topic waits for a broker to ask.
    pub(super) const fn lack_brokers(&self) -> bool {
        self.unasked
    }

    /// One more, of that broker.
    pub(super) fn begin(&mut self, peer: PeerId, topics: Vec<TopicKey>) -> u32 {
        self.asked = self.asked.wrapping_add(1);
        self.under_way.insert(self.asked, (peer, topics));
        self.asked
    }

    /// That one is over.
    pub(super) fn end(&mut self, question: u32) -> Option<(PeerId, Vec<TopicKey>)> {
        self.under_way.remove(&question)
    }

    /// That broker does not answer.
    pub(super) const fn doubt(&mut self, peer: PeerId) {
        self.doubted = Some(peer);
    }
}

/// Notices that the members changed, and the looks that they lead to.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// When one last led to a look.
    last: Option<Instant>,
    /// When those that came since will.
    planned: Option<Instant>,
    /// How many those are.
    count: u32,
}

impl Notices {
    /// One more came: when it leads to a look, if that is not now.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        self.count += 1;
        let gap = if self.count <= FEW { SOON } else { APART };
        let last = self.last.filter(|last| now.since(*last) < APART || self.planned.is_some());
        let at = last.map(|last| last + gap).filter(|at| *at > now);
        if at.is_none() {
            *self = Self { last: Some(now), planned: None, count: 0 };
        }
        at
    }

    /// A look sees all of them.
    const fn looked(&mut self, now: Instant) {
        if self.planned.take().is_some() {
            (self.last, self.count) = (Some(now), 0);
        }
    }
}

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
        (sub, question): (SubscriptionId, u32),
        reply: Reply,
        body: Body,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        let failure = match (reply.code, body) {
            (ResponseCode::SUCCESS, Body::Members(Ok(members), list)) => {
                return consumer.take_members(ctx, known, question, members, &list);
            }
            (ResponseCode::SUCCESS, Body::Members(Err(error), _)) => {
                Failure::Body(error.to_string().into())
            }
            // An empty group answers code 1: our heartbeat has not been counted yet.
            (code, _) => Failure::Refused { code, remark: reply.remark.map(Into::into) },
        };
        consumer.members_failed(ctx, question, failure);
    }
}

impl Consumer {
    /// A broker says that the group's members changed.
    pub(super) fn members_changed(&mut self, ctx: &mut Context) {
        // One that joins looks anyway, once a broker knows of it.
        if self.phase == Phase::Joining {
            return;
        }
        let now = ctx.fx.now;
        let Some(at) = self.notices.next(now) else {
            return ctx.fx.signal(Signal::Rebalance(self.id));
        };
        if let Some((set, timer)) = self.rebalance_timer
            && self.notices.planned == Some(set)
            && set < at
        {
            ctx.fx.timers.cancel(timer);
            self.rebalance_timer = None;
        }
        self.notices.planned = Some(at);
        self.rebalance_after(ctx, at.since(now));
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
        self.notices.looked(ctx.fx.now);
        // A consumer may be started before its topic exists, or while no broker of it is there.
        let own = self.topics.own().chain(self.wishes.topics());
        for topic in own.filter(|topic| known.routes.is_unread(topic)) {
            ctx.fx.signal(Signal::RouteWanted(topic.clone()));
        }
        // After the question for the routes.
        ctx.fx.signal(Signal::Rebalance(self.id));
    }

    /// Looks at its share now, or a little later where it has just done so: the routes of thousands
    /// of topics come one by one, and a look is at all topics.
    pub(super) fn rebalance_together(&mut self, ctx: &mut Context, known: Known<'_>) {
        match self.looked.is_some_and(|at| ctx.fx.now.since(at) < GATHER) {
            true => self.rebalance_after(ctx, GATHER),
            false => self.rebalance(ctx, known),
        }
    }

    /// Asks brokers that know us for the members of the group.
    pub(super) fn rebalance(&mut self, ctx: &mut Context, known: Known<'_>) {
        if self.is_leaving() {
            return;
        }
        self.looked = Some(ctx.fx.now);
        ctx.fx.counters.looks += 1;
        self.vet(ctx, known);
        if self.wishes.hold_back() {
            return self.rebalance_after(ctx, AGAIN);
        }
        if let Some(assigned) = &self.assigned {
            let queues = assigned.queues.clone();
            return self.rebalance_assigned(ctx, known, &queues);
        }
        if !self.questions.is_empty() {
            return self.rebalance_after(ctx, GATHER);
        }
        if self.topics.is_empty() {
            self.phase = Phase::Member;
            return self.rebalance_after(ctx, ctx.fx.config.rebalance_interval);
        }
        if self.broadcasts() {
            return self.take_all(ctx, known);
        }
        let mut asks: BTreeMap<PeerId, Vec<TopicKey>> = BTreeMap::new();
        let (mut unasked, mut elsewhere) = (false, Vec::new());
        for (key, of) in self.topics.iter() {
            let Some(route) = known.routes.known(&of.topic) else { continue };
            if route.readable.is_empty() {
                // Any broker will do, if there is one.
                elsewhere.push(key);
                continue;
            }
            match self.who_knows(ctx, known, key, &route.readers_by_name) {
                Some(peer) => asks.entry(peer).or_default().push(key),
                // Nothing waits for what was sent back.
                None => unasked |= of.role == Role::Own,
            }
        }
        if let Some(mut first) = asks.first_entry() {
            first.get_mut().append(&mut elsewhere);
        }
        self.questions.unasked = unasked || asks.is_empty();
        if self.questions.unasked {
            // Each of them is connected to, or will be: one that knows us leads here again.
            self.reach_brokers(ctx, known);
            self.rebalance_after(ctx, AGAIN);
        }
        for (peer, topics) in asks {
            self.ask_shares(ctx, peer, topics);
        }
    }

    /// Asks one broker for what the shares of topics follow from.
    fn ask_shares(&mut self, ctx: &mut Context, peer: PeerId, topics: Vec<TopicKey>) {
        if self.is_assigned() {
            return self.ask_assignments(ctx, peer, &topics);
        }
        let consumer_group = self.group.wire().clone();
        let request =
            Request::ConsumerList(ConsumerListRequest { consumer_group, ..Default::default() });
        let question = self.questions.begin(peer, topics);
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Members { question });
        let within = ctx.fx.config.request_timeout;
        ctx.ask(peer, purpose, Kind::ConsumerList, request, Bytes::new(), within);
    }

    /// A broker of a topic that knows that it is read: the first by name.
    fn who_knows(
        &self,
        ctx: &Context,
        known: Known<'_>,
        topic: TopicKey,
        brokers: &[BrokerId],
    ) -> Option<PeerId> {
        let revision = self.revision(topic);
        let readers = brokers.iter().filter_map(|broker| known.brokers.reader(*broker));
        let mut ready = readers.filter(|peer| known.is_ready(ctx, *peer, revision));
        let first = ready.next()?;
        let is_doubted = self.questions.doubted == Some(first);
        Some(if is_doubted { ready.next().unwrap_or(first) } else { first })
    }

    /// There is no list of members: without one nothing is consumed.
    pub(super) fn members_failed(&mut self, ctx: &mut Context, question: u32, failure: Failure) {
        let Some((peer, _)) = self.questions.end(question) else { return };
        self.questions.doubt(peer);
        self.questions.denied = denial(ctx, peer, &failure);
        self.shares_unknown(ctx, RequestCode::GET_CONSUMER_LIST_BY_GROUP, failure);
    }

    /// What shares follow from is not known: it is asked for again.
    pub(super) fn shares_unknown(&mut self, ctx: &mut Context, ask: RequestCode, failure: Failure) {
        // A lost connection is told of as such.
        let lost = matches!(failure, Failure::Connect(_) | Failure::Closed(_));
        if self.is_leaving() {
            return;
        }
        if !lost && self.tells(ctx.fx.now, Trouble::Members) {
            let group = self.group.clone();
            let failure = Box::new(failure);
            ctx.fx.note(Note::AskFailed { group, ask, queue: None, failure });
        }
        self.rebalance_after(ctx, AGAIN);
    }

    /// The members are known: this consumer's share of those topics follows from them.
    fn take_members(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        question: u32,
        members: Members,
        list: &Bytes,
    ) {
        let Some((peer, topics)) = self.questions.end(question) else { return };
        self.questions.denied = None;
        let now = ctx.fx.now;
        if self.is_leaving() {
            return;
        }
        self.note_members(ctx, members);
        if members.place.is_none() {
            // The broker's list is older than our heartbeat.
            let since = *self.absent.get_or_insert(now);
            if now.since(since) >= ABSENT {
                let lacks = Failure::Body("the list of members lacks this one".into());
                self.shares_unknown(ctx, RequestCode::GET_CONSUMER_LIST_BY_GROUP, lacks);
            }
            return self.rebalance_after(ctx, AGAIN);
        }
        self.absent = None;
        self.phase = Phase::Member;
        for topic in topics {
            let list = if self.strategy.goes_by_place() { Bytes::new() } else { list.clone() };
            self.share_topic(ctx, known, topic, By::Members(members), list);
        }
        self.compare_group(ctx, peer, members);
        self.look_again(ctx, known);
    }

    /// The next look, where none is due sooner.
    pub(super) fn look_again(&mut self, ctx: &mut Context, known: Known<'_>) {
        let unread = self.topics.own().any(|topic| known.routes.is_unread(topic));
        let after = if unread { AGAIN } else { ctx.fx.config.rebalance_interval };
        self.rebalance_after(ctx, after);
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
    }

    /// Has this consumer's share of one topic computed.
    pub(super) fn share_topic(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        topic: TopicKey,
        by: By,
        list: Bytes,
    ) {
        let Some(name) = self.topics.get(topic).map(|of| &of.topic) else { return };
        // What is held of a topic whose route names nothing is kept: its brokers may be away.
        let route = known.routes.known(name).filter(|route| !route.unread).cloned();
        if let Some(route) = route {
            self.compute(ctx, known, topic, (&route, by, list));
        }
    }
}
