//! Whether the other members of a group subscribe to the same. Brokers keep one list for all of
//! them, that of whoever changed it last, so a member that asks for something else misses messages.
//!
//! Codes: `GET_CONSUMER_CONNECTION_LIST` (203): asked once after joining, and when the members or
//! our own subscriptions have changed. A broker that does not answer is no trouble.

use bytes::Bytes;

use super::Consumer;
use crate::allocation::{GroupTask, Job, OtherFilter, OwnFilter};
use crate::body::Members;
use crate::effects::{Command, Note};
use crate::frame::request::ConsumerConnectionsRequest;
use crate::frame::{Kind, Reply, Request, ResponseCode};
use crate::id::PeerId;
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};

/// In larger groups nobody asks: the answer names every member, and each of them would ask. Tags
/// that only others ask for are noticed by the messages that come.
const MEMBERS_MAX: usize = 64;

impl Consumer {
    /// Asks that broker what the group subscribes to, if that may be something new.
    pub(super) fn compare_group(&mut self, ctx: &mut Context, peer: PeerId, members: Members) {
        let seen = (members.digest, self.edition.version);
        let few = (2..=MEMBERS_MAX).contains(&members.count);
        if !few || self.compared == Some(seen) || self.is_draining() {
            return;
        }
        self.compared = Some(seen);
        let consumer_group = self.group.wire().clone();
        let request = ConsumerConnectionsRequest { consumer_group, ..Default::default() };
        let purpose = Purpose::Consumer(self.id, ConsumerAsk::Group);
        let within = ctx.fx.config.request_timeout;
        let request = Request::ConsumerConnections(request);
        ctx.ask(peer, purpose, Kind::Fields, request, Bytes::new(), within);
    }

    /// The broker says so, or does not.
    pub(super) fn group_answered(&self, ctx: &mut Context, reply: &Reply, body: Body) {
        let (ResponseCode::SUCCESS, Body::Raw(body)) = (reply.code, body) else { return };
        if self.is_leaving() {
            return;
        }
        let own = self.topics.iter().map(|(_, of)| OwnFilter {
            topic: of.topic.wire().clone(),
            kind: of.filter.kind(),
            text: of.filter.text().into(),
        });
        let task = GroupTask { sub: self.id, own: own.collect(), body };
        ctx.fx.command(Command::Compute { job: Job::from(task) });
    }

    /// Tells of topics that the group asks for otherwise.
    pub(super) fn tell_others(&self, ctx: &mut Context, others: Vec<OtherFilter>) {
        for OtherFilter { topic, own, other } in others {
            if let (Ok(topic), false) = (ctx.fx.namespace.told_topic(&topic), self.is_leaving()) {
                let group = self.group.clone();
                ctx.fx.note(Note::OtherSubscription { group, topic, own, other });
            }
        }
    }
}
