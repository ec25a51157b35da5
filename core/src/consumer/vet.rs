//! Filters that brokers are asked about before a consumer reads by them: expressions in SQL, which
//! only a broker can judge (`MQClientInstance.checkClientInBroker`).
//!
//! Codes: `CHECK_CLIENT_CONFIG` (46). A broker that takes no such filter at all, or can't read it,
//! ends the consumer with [`FilterRefused`]: it leaves its group, or never joins it. Any other
//! answer, or none, is no verdict: the question is asked again with the next look at the share, a
//! second later.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::rebalance::AGAIN;
use super::{Consumer, Consumers, Filter, Trouble};
use crate::body::CheckClientBody;
use crate::effects::{Event, Note, Signal};
use crate::error::{Failure, FilterRefused};
use crate::frame::request::PlainRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::{PeerId, SubscriptionId};
use crate::name::Topic;
use crate::remoting::{ConsumerAsk, Context, Purpose};
use crate::route::Known;

/// A topic that is to be read by a filter that no broker has judged yet.
#[derive(Debug)]
struct Wish {
    topic: Topic,
    filter: Filter,
    asked: bool,
}

/// What a consumer wants to read, once a broker has taken its filters: of tens of thousands of
/// topics, maybe.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// By their numbers, the oldest first.
    list: BTreeMap<u32, Wish>,
    by_topic: BTreeMap<Topic, u32>,
    /// Wishes of which the consumer was made: it joins with all of them, or not at all. Others of
    /// its group would be sent away otherwise, whose subscriptions brokers replace by its own.
    joins: bool,
    numbers: u32,
}

impl Wishes {
    /// Of a consumer to be.
    pub(super) fn new(topics: impl IntoIterator<Item = (Topic, Filter)>) -> Self {
        let mut wishes = Self::default();
        topics.into_iter().for_each(|(topic, filter)| wishes.push(topic, filter));
        wishes.joins = !wishes.list.is_empty();
        wishes
    }

    /// One more, or another one of that topic.
    fn push(&mut self, topic: Topic, filter: Filter) {
        self.forget(&topic);
        self.numbers = self.numbers.wrapping_add(1);
        self.by_topic.insert(topic.clone(), self.numbers);
        self.list.insert(self.numbers, Wish { topic, filter, asked: false });
    }

    /// The topic is not wished for any more.
    pub(super) fn forget(&mut self, topic: &Topic) {
        if let Some(number) = self.by_topic.remove(topic) {
            self.list.remove(&number);
        }
    }

    /// Whether the topic is wished for.
    pub(super) fn contains(&self, topic: &Topic) -> bool {
        self.by_topic.contains_key(topic)
    }

    /// Whether the consumer waits for brokers' words before it joins.
    pub(super) const fn hold_back(&self) -> bool {
        self.joins
    }

    /// Joins, where nothing is left to wait for. False if it had before.
    fn release(&mut self) -> bool {
        let over = self.joins && self.list.is_empty();
        self.joins &= !over;
        over
    }

    /// The topics that are wished for.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.by_topic.keys()
    }

    /// The same with their filters.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Topic, &Filter)> {
        self.list.values().map(|wish| (&wish.topic, &wish.filter))
    }

    fn answered(&mut self, number: u32) -> Option<&mut Wish> {
        let wish = self.list.get_mut(&number)?;
        wish.asked = false;
        Some(wish)
    }

    fn take(&mut self, number: u32) -> Option<Wish> {
        let wish = self.list.remove(&number)?;
        self.by_topic.remove(&wish.topic);
        Some(wish)
    }
}

impl Consumers {
    /// A consumer is to read by a filter that a broker has to judge first.
    pub(super) fn wish(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        (topic, filter): (Topic, Filter),
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        ctx.fx.signal(Signal::RouteWanted(topic.clone()));
        consumer.wishes.push(topic, filter);
        consumer.reach_brokers(ctx, known);
        consumer.vet(ctx, known);
    }

    /// A broker takes the filter, and `revision` is the first one of our heartbeats that tells of
    /// it.
    pub(crate) fn filter_taken(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (sub, number): (SubscriptionId, u32),
        revision: u64,
    ) {
        let Some(consumer) = self.get_mut(sub).filter(|one| !one.is_leaving()) else { return };
        let Some(Wish { topic, filter, .. }) = consumer.wishes.take(number) else { return };
        consumer.join_if_taken(revision);
        self.adopt(ctx, known, sub, (topic, filter), revision);
    }

    /// A broker has judged a filter, or has not.
    pub(super) fn filter_judged(
        &mut self,
        ctx: &mut Context,
        of: (SubscriptionId, u32),
        reply: Reply,
    ) {
        let (sub, number) = of;
        let Some(consumer) = self.get_mut(sub) else { return };
        let remark: Option<Arc<str>> = reply.remark.map(Into::into);
        if reply.code == ResponseCode::SUCCESS {
            return ctx.fx.signal(Signal::FilterTaken { sub, wish: number });
        }
        if !is_verdict(reply.code, remark.as_deref()) {
            let failure = Failure::Refused { code: reply.code, remark };
            return consumer.not_judged(ctx, number, failure);
        }
        let Some(Wish { topic, filter, .. }) = consumer.wishes.take(number) else { return };
        let filter = filter.text().chars().take(128).collect::<String>().into();
        let refused = Arc::new(FilterRefused { topic, filter, code: reply.code, remark });
        let group = consumer.group.clone();
        ctx.fx.note(Note::FilterRefused { group, refused: refused.clone() });
        ctx.fx.event(Event::FilterRefused { sub, refused });
        // It is gone already where it leaves.
        let _ = self.leave(ctx, sub);
    }
}

impl Consumer {
    /// Asks about what is wished for: a broker of the topic, or any where there is no such topic
    /// yet.
    pub(super) fn vet(&mut self, ctx: &mut Context, known: Known<'_>) {
        if self.is_leaving() || self.is_draining() {
            return;
        }
        let mut nobody = false;
        for (number, wish) in self.wishes.list.iter_mut().filter(|(_, wish)| !wish.asked) {
            let Some(peer) = judge(ctx, known, &wish.topic) else {
                nobody = true;
                continue;
            };
            let body = CheckClientBody {
                client_id: ctx.fx.client_id.to_string(),
                group: self.group.wire().to_string(),
                namespace: None,
                subscription: super::heartbeat::data(
                    &wish.topic,
                    &wish.filter,
                    self.edition.version,
                ),
            };
            wish.asked = true;
            let purpose = Purpose::Consumer(self.id, ConsumerAsk::Check { wish: *number });
            let (within, body) = (ctx.fx.config.request_timeout, Bytes::from(body.to_json()));
            let request = Request::CheckClient(PlainRequest::default());
            ctx.ask(peer, purpose, Kind::Plain, request, body, within);
        }
        if nobody {
            self.rebalance_after(ctx, AGAIN);
        }
    }

    /// Joins, where it has waited for the last word on its filters. What it reads besides was not
    /// told of before.
    pub(super) fn join_if_taken(&mut self, revision: u64) {
        if !self.wishes.release() {
            return;
        }
        self.edition.revision = revision;
        for key in self.topics.keys() {
            if let Some(of) = self.topics.get_mut(key) {
                of.edition.revision = revision;
            }
        }
    }

    /// There is no verdict.
    pub(super) fn not_judged(&mut self, ctx: &mut Context, number: u32, failure: Failure) {
        if self.wishes.answered(number).is_none() || self.is_leaving() {
            return;
        }
        // A lost connection is told of as such.
        let lost = matches!(failure, Failure::Connect(_) | Failure::Closed(_));
        if !lost && self.tells(ctx.fx.now, Trouble::Check) {
            let (group, failure) = (self.group.clone(), Box::new(failure));
            let ask = RequestCode::CHECK_CLIENT_CONFIG;
            ctx.fx.note(Note::AskFailed { group, ask, queue: None, failure });
        }
        self.rebalance_after(ctx, AGAIN);
    }

    /// All topics that it reads, or wants to.
    pub(super) fn names(&self) -> impl Iterator<Item = &Topic> {
        self.topics.names().chain(self.wishes.topics())
    }

    /// Each wish is asked about, or will be with the next look at the share.
    pub(super) fn check_wishes(&self) {
        let idle = self.wishes.list.values().any(|wish| !wish.asked);
        assert!(
            !idle || self.rebalance_timer.is_some() || self.is_leaving() || self.is_draining(),
            "{:?} asks nobody about its filters",
            self.id
        );
        let waits = self.wishes.joins && self.wishes.list.is_empty() && !self.is_leaving();
        assert!(!waits, "{:?} waits for the words of nobody", self.id);
    }
}

/// Whether the filter can't be had: another time would end the same way.
fn is_verdict(code: ResponseCode, remark: Option<&str>) -> bool {
    match code {
        ResponseCode::SUBSCRIPTION_PARSE_FAILED | ResponseCode::REQUEST_CODE_NOT_SUPPORTED => true,
        ResponseCode::SYSTEM_ERROR => remark.is_some_and(|said| said.contains("not support")),
        _ => false,
    }
}

/// Who is asked: brokers of one cluster are set up alike.
fn judge(ctx: &Context, known: Known<'_>, topic: &Topic) -> Option<PeerId> {
    let connected = |peer: &PeerId| ctx.remoting.peers.is_connected(*peer);
    match known.routes.known(topic) {
        Some(route) if !route.readers_by_name.is_empty() => {
            let brokers = route.readers_by_name.iter();
            brokers.filter_map(|broker| known.brokers.reader(*broker)).find(connected)
        }
        _ => ctx.remoting.peers.brokers().next(),
    }
}
