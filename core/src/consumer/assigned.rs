//! Shares that the broker computes, where a consumer asks for that.
//!
//! Codes: `QUERY_ASSIGNMENT` (400), which brokers know from 5.0 on. One that does not, or that
//! would have the group pop its messages, is asked no more: each member computes its share itself.

use std::sync::Arc;

use bytes::Bytes;

use super::denied::denial;
use super::share::By;
use super::{Assignment, Consumer};
use crate::body::{AssignmentQuery, MessageModel};
use crate::effects::{Note, Signal};
use crate::error::Failure;
use crate::frame::request::PlainRequest;
use crate::frame::{Kind, Reply, Request, RequestCode, ResponseCode};
use crate::id::{PeerId, TopicKey};
use crate::remoting::{Body, ConsumerAsk, Context, Purpose};
use crate::route::Known;

impl Consumer {
    /// Whether the broker computes the shares. What goes by code of the application's it can't.
    pub(super) fn is_assigned(&self) -> bool {
        let asked = self.options.assignment == Assignment::Broker && !self.strategy.is_foreign();
        asked && !self.declined
    }

    /// Asks for the queues of each topic that are this member's.
    pub(super) fn ask_assignments(&mut self, ctx: &mut Context, peer: PeerId, topics: &[TopicKey]) {
        for topic in topics {
            let Some(of) = self.topics.get(*topic) else { continue };
            let query = AssignmentQuery {
                client_id: ctx.fx.client_id.to_string(),
                consumer_group: self.group.wire().to_string(),
                message_model: MessageModel::Clustering,
                strategy_name: self.strategy.name(),
                topic: of.topic.wire().to_string(),
            };
            let question = self.questions.begin(peer, vec![*topic]);
            let purpose = Purpose::Consumer(self.id, ConsumerAsk::Assigned { question });
            let request = Request::QueryAssignment(PlainRequest::default());
            let (body, within) = (Bytes::from(query.to_json()), ctx.fx.config.request_timeout);
            ctx.ask(peer, purpose, Kind::Fields, request, body, within);
        }
    }

    /// The broker says which queues they are, or that it can't.
    pub(super) fn assignment_answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        question: u32,
        reply: Reply,
        body: Body,
    ) {
        let (code, remark) = (reply.code, reply.remark.map(Arc::from));
        match (code, body) {
            (ResponseCode::SUCCESS, Body::Raw(body)) => {
                let Some((_, topics)) = self.questions.end(question) else { return };
                self.questions.denied = None;
                if self.is_leaving() || !self.is_assigned() {
                    return;
                }
                // Who else is in the group is not told: there may be others.
                self.shared = Some(ctx.fx.now);
                self.phase = super::Phase::Member;
                for topic in topics {
                    self.share_topic(ctx, known, topic, By::Broker(body.clone()), Bytes::new());
                }
                self.look_again(ctx, known);
            }
            (ResponseCode::REQUEST_CODE_NOT_SUPPORTED, _) => {
                self.questions.end(question);
                self.decline_assignment(ctx, "the broker does not know how".into());
            }
            _ => self.assignment_failed(ctx, question, Failure::Refused { code, remark }),
        }
    }

    /// The broker did not say.
    pub(super) fn assignment_failed(&mut self, ctx: &mut Context, question: u32, failure: Failure) {
        let Some((peer, _)) = self.questions.end(question) else { return };
        self.questions.doubt(peer);
        self.questions.denied = denial(ctx, peer, &failure);
        self.shares_unknown(ctx, RequestCode::QUERY_ASSIGNMENT, failure);
    }

    /// Brokers are asked no more: this side computes.
    pub(super) fn decline_assignment(&mut self, ctx: &mut Context, reason: Arc<str>) {
        if self.declined || self.is_leaving() {
            return;
        }
        self.declined = true;
        ctx.fx.note(Note::AssignmentDeclined { group: self.group.clone(), reason });
        ctx.fx.signal(Signal::Rebalance(self.id));
    }
}
