//! Registration with brokers by heartbeat (`MQClientInstance.sendHeartbeatToAllBrokerWithLock`).
//!
//! Answers to codes: `HEART_BEAT` (34). A broker knows a consumer's subscriptions only by its
//! heartbeat, so nothing is pulled from a broker that has not answered one on this connection
//! (protocol facts 2.3: pulling earlier gives 24). What it answered once stays valid while the
//! connection stands: a broker keeps a registration for 120 s, and ends the connection with it
//! (`ClientChannelInfo`, `ProducerManager.scanNotActiveChannel`). A later heartbeat that it refuses
//! or answers late takes nothing away; only its own word does (codes 24, 25, 26).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Brokers;
use crate::body::{ConsumerData, Heartbeat, ProducerData, SharedHeartbeat};
use crate::effects::{Note, Signal, TimerKind};
use crate::error::{Attempt, Failure, is_denied};
use crate::frame::request::UnregisterRequest;
use crate::frame::{Kind, Payload, Request, ResponseCode};
use crate::id::{PeerId, SubscriptionId};
use crate::name::Group;
use crate::remoting::{BrokerAsk, Context, Purpose};
use crate::time::Instant;

/// Heartbeats that may be under way to one broker when our groups change: each tells of all topics,
/// of which there may be tens of thousands, and the next one tells of all changes until then.
const UNDER_WAY: u32 = 2;
/// Pause after a heartbeat that came to nothing.
const AGAIN: Duration = Duration::from_secs(1);
/// Pause before it is told again that a broker denies heartbeats.
const TELL: Duration = Duration::from_secs(60);

/// What a peer that is a broker knows of us, on its present connection.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// The latest revision of what heartbeats say that it has confirmed.
    knows: Option<u64>,
    /// Heartbeats without an answer.
    under_way: u32,
    /// Our groups have changed, and one more follows when one of these has ended.
    owed: bool,
    /// Its version, as it answered a heartbeat.
    version: Option<i32>,
    /// The last heartbeat came to nothing; the timer of that number sends another one.
    refused: Option<u64>,
    /// When it was last told that the broker denies heartbeats to our key, and of which revision.
    denial: Option<(Instant, u64)>,
    /// Its answer to the last heartbeat, if that was denied.
    denied: Option<Arc<Attempt>>,
}

/// Which groups a heartbeat tells of: each consumer by the version of its subscriptions, and
/// producers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeardGroups {
    pub(crate) consumers: Vec<(SubscriptionId, i64)>,
    pub(crate) producers: Vec<Group>,
}

impl Brokers {
    /// What heartbeats say of those groups: made once for as long as they stay the same, and
    /// written by the first connection that sends it.
    pub(crate) fn heartbeat_of(
        &mut self,
        client_id: &str,
        groups: HeardGroups,
        consumers: impl FnOnce() -> Vec<ConsumerData>,
    ) -> Arc<SharedHeartbeat> {
        if let Some((_, said)) = self.said.as_ref().filter(|(of, _)| *of == groups) {
            return said.clone();
        }
        let producer = |group: &Group| ProducerData { group: group.wire().to_string() };
        let said = Arc::new(SharedHeartbeat::from(Heartbeat {
            client_id: client_id.to_owned(),
            consumers: consumers(),
            fingerprint: 0,
            producers: groups.producers.iter().map(producer).collect(),
            without_sub: false,
        }));
        self.said = Some((groups, said.clone()));
        said
    }

    /// Sends a heartbeat to one broker.
    pub(crate) fn heartbeat(
        &mut self,
        ctx: &mut Context,
        peer: PeerId,
        heartbeat: &Arc<SharedHeartbeat>,
    ) {
        let purpose = Purpose::Broker(BrokerAsk::Heartbeat { revision: self.told(peer) });
        let within = ctx.fx.config.request_timeout;
        let payload = Payload::Heartbeat(heartbeat.clone());
        ctx.ask_with(peer, purpose, Kind::Heartbeat, payload, within);
    }

    /// The brokers there is a connection to, and that may be sent a heartbeat now; one that stalls
    /// delays no other. The rest is owed one.
    pub(crate) fn may_hear(&mut self, ctx: &Context) -> Vec<PeerId> {
        let connected: Vec<PeerId> = ctx.remoting.peers.brokers().collect();
        let many = |peer: &PeerId| match self.registrations.get_mut(*peer) {
            Some(registration) if registration.under_way >= UNDER_WAY => {
                registration.owed = true;
                false
            }
            Some(_) | None => true,
        };
        connected.into_iter().filter(many).collect()
    }

    /// A broker answered a heartbeat.
    pub(crate) fn heartbeat_answered<'a>(
        &mut self,
        ctx: &mut Context,
        peer: PeerId,
        revision: u64,
        (code, remark, version): (ResponseCode, Option<&str>, i32),
        consumers: impl Iterator<Item = &'a Group>,
    ) {
        if let Some(registration) = self.registrations.get_mut(peer)
            && registration.version.replace(version).is_none()
        {
            ctx.fx.signal(Signal::VersionKnown(peer));
        }
        if code != ResponseCode::SUCCESS {
            let denies = is_denied(code, remark);
            if !denies || self.tells_denial(peer, (ctx.fx.now, revision)) {
                let endpoint = ctx.remoting.peers.endpoint(peer).clone();
                // Java appends a stack trace.
                let reason = remark.and_then(|remark| remark.lines().next()).map(Arc::from);
                let groups = consumers.cloned().collect();
                ctx.fx.note(Note::HeartbeatRefused { endpoint, groups, code, reason });
            }
            let failure = || Failure::Refused { code, remark: remark.map(Into::into) };
            let denied = denies.then(|| Arc::new(ctx.attempt(peer, None, failure())));
            self.heartbeat_failed(ctx, peer);
            if let Some(registration) = self.registrations.get_mut(peer) {
                registration.denied = denied;
            }
            if denies {
                ctx.fx.signal(Signal::Denied);
            }
            return;
        }
        if self.answered(peer, revision) {
            ctx.fx.signal(Signal::Registered(peer));
        }
        if self.owes(peer) {
            ctx.fx.signal(Signal::HeartbeatOwed(peer));
        }
    }

    /// Whether a heartbeat has to follow those that were answered: our groups have changed, or the
    /// broker has forgotten us since it answered a later one than the last.
    fn owes(&self, peer: PeerId) -> bool {
        let owes = |of: &Registration| {
            of.owed || (of.under_way == 0 && of.knows.is_some_and(|known| known < self.revision))
        };
        self.registrations.get(peer).is_some_and(owes)
    }

    /// A heartbeat came to nothing. Nothing is pulled from a broker that does not know us, and one
    /// that does forgets us in time, so this can't wait for the next round. A lost connection needs
    /// none: its successor begins with one.
    pub(crate) fn heartbeat_failed(&mut self, ctx: &mut Context, peer: PeerId) {
        if !ctx.remoting.peers.is_connected(peer) {
            return self.forgot(peer);
        }
        let refusal = self.refused(peer);
        ctx.fx.after(AGAIN, TimerKind::Register(peer, refusal));
    }

    /// Whether the pause after a heartbeat that came to nothing leads to another one.
    pub(crate) fn is_due_again(&self, ctx: &Context, peer: PeerId, refusal: u64) -> bool {
        self.still_refused(peer, refusal) && ctx.remoting.peers.is_connected(peer)
    }

    /// Tells each broker there is a connection to that producer groups are gone
    /// (`MQClientInstance.unregisterClient`). Gives how many answers will come.
    pub(crate) fn unregister_producers(
        ctx: &mut Context,
        groups: &[Group],
        ask: BrokerAsk,
    ) -> usize {
        let peers: Vec<PeerId> = ctx.remoting.peers.brokers().collect();
        for peer in &peers {
            for group in groups {
                let producer_group = Some(group.wire().clone());
                let request = UnregisterRequest { producer_group, ..Default::default() };
                Self::unregister(ctx, *peer, ask, request);
            }
        }
        peers.len() * groups.len()
    }

    /// The same for a consumer's group.
    pub(crate) fn unregister_consumer(ctx: &mut Context, group: &Group, ask: BrokerAsk) -> usize {
        let peers: Vec<PeerId> = ctx.remoting.peers.brokers().collect();
        for peer in &peers {
            let consumer_group = Some(group.wire().clone());
            let request = UnregisterRequest { consumer_group, ..Default::default() };
            Self::unregister(ctx, *peer, ask, request);
        }
        peers.len()
    }

    fn unregister(ctx: &mut Context, peer: PeerId, ask: BrokerAsk, request: UnregisterRequest) {
        let client_id = ctx.fx.client_id.clone();
        let request = Request::Unregister(UnregisterRequest { client_id, ..request });
        let within = ctx.fx.config.request_timeout;
        ctx.ask(peer, Purpose::Broker(ask), Kind::Plain, request, Bytes::new(), within);
    }

    /// Our groups or subscriptions changed: every broker has to hear it. Gives the revision that
    /// heartbeats tell from now on.
    pub(crate) fn changed(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// A heartbeat goes out. Gives the revision that it tells.
    pub(crate) fn told(&mut self, peer: PeerId) -> u64 {
        let registration = self.registrations.of(peer);
        registration.under_way += 1;
        (registration.refused, registration.owed) = (None, false);
        self.revision
    }

    /// The answer to the heartbeat of that revision came. True if the broker knows more of us than
    /// before.
    pub(crate) fn answered(&mut self, peer: PeerId, revision: u64) -> bool {
        let Some(registration) = self.registrations.get_mut(peer) else { return false };
        registration.under_way = registration.under_way.saturating_sub(1);
        registration.denied = None;
        let news = registration.knows.is_none_or(|known| known < revision);
        if news {
            registration.knows = Some(revision);
        }
        news
    }

    /// The connection is gone, and all that the broker knew by it.
    pub(crate) fn forgot(&mut self, peer: PeerId) {
        self.registrations.remove(peer);
    }

    /// The broker says that it does not know us.
    pub(crate) fn denied(&mut self, peer: PeerId) {
        if let Some(registration) = self.registrations.get_mut(peer) {
            registration.knows = None;
        }
    }

    /// A heartbeat came to nothing. Gives the number of this event.
    pub(crate) fn refused(&mut self, peer: PeerId) -> u64 {
        self.refusals += 1;
        let registration = self.registrations.of(peer);
        registration.under_way = registration.under_way.saturating_sub(1);
        registration.refused = Some(self.refusals);
        self.refusals
    }

    /// Whether it is to be told that the broker denies our heartbeats: at once, where they tell of
    /// other groups than before, too, and then once a minute, for none of them will be taken until
    /// somebody changes a key or an account.
    fn tells_denial(&mut self, peer: PeerId, (now, revision): (Instant, u64)) -> bool {
        let told = &mut self.registrations.of(peer).denial;
        let due = told.is_none_or(|(at, of)| now.since(at) >= TELL || of != revision);
        if due {
            *told = Some((now, revision));
        }
        due
    }

    /// Whether the broker has denied the last heartbeat on its present connection: it won't know us
    /// before a key or an account is another.
    pub(crate) fn denies(&self, peer: PeerId) -> bool {
        self.registrations.get(peer).is_some_and(|registration| registration.denied.is_some())
    }

    /// How it has done so.
    pub(crate) fn denial(&self, peer: PeerId) -> Option<Arc<Attempt>> {
        self.registrations.get(peer)?.denied.clone()
    }

    /// Whether no heartbeat went out since that one came to nothing.
    pub(crate) fn still_refused(&self, peer: PeerId, number: u64) -> bool {
        self.registrations.get(peer).and_then(|registration| registration.refused) == Some(number)
    }

    /// Whether the broker has confirmed what heartbeats say since `revision`.
    pub(crate) fn knows(&self, peer: PeerId, revision: u64) -> bool {
        let known = self.registrations.get(peer).and_then(|registration| registration.knows);
        known.is_some_and(|known| known >= revision)
    }

    /// The broker's version, as far as it has told it on its present connection
    /// (`MQClientInstance.findBrokerVersion`).
    pub(crate) fn version(&self, peer: PeerId) -> Option<i32> {
        self.registrations.get(peer)?.version
    }

    /// Whether the broker is about to hear of us: a heartbeat is under way, or will be.
    pub(crate) fn is_hearing(&self, peer: PeerId) -> bool {
        let registration = self.registrations.get(peer);
        registration.is_some_and(|registration| {
            registration.under_way > 0 || registration.refused.is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_heartbeats_under_way_confirm_what_each_has_told() {
        let (peer, mut brokers) = (PeerId(1), Brokers::default());
        let first = brokers.told(peer);
        let revision = brokers.changed();
        let second = brokers.told(peer);
        assert!(brokers.answered(peer, first));
        assert!(brokers.knows(peer, first) && !brokers.knows(peer, revision));
        assert!(brokers.is_hearing(peer) && brokers.answered(peer, second));
        assert!(brokers.knows(peer, revision) && !brokers.is_hearing(peer));
        // An answer that comes late takes nothing back, nor does one that refuses.
        brokers.told(peer);
        let number = brokers.refused(peer);
        assert!(!brokers.answered(peer, first) && brokers.knows(peer, revision));
        assert!(brokers.still_refused(peer, number) && brokers.is_hearing(peer));
        brokers.told(peer);
        assert!(!brokers.still_refused(peer, number));
        brokers.denied(peer);
        assert!(!brokers.knows(peer, first) && brokers.is_hearing(peer));
    }

    #[test]
    fn an_older_heartbeats_answer_after_the_broker_forgot_us_calls_for_another_one() {
        let (peer, mut brokers) = (PeerId(1), Brokers::default());
        let first = brokers.told(peer);
        let revision = brokers.changed();
        let second = brokers.told(peer);
        assert!(brokers.answered(peer, second) && !brokers.owes(peer));
        brokers.denied(peer);
        assert!(brokers.answered(peer, first) && brokers.owes(peer));
        let third = brokers.told(peer);
        assert!(!brokers.owes(peer) && brokers.answered(peer, third));
        assert!(brokers.knows(peer, revision) && !brokers.owes(peer));
    }
}
