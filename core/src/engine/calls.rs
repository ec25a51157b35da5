//! Verbs of the application: sends and questions, and their ends.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::broker::health::Healths;
use crate::effects::{Cancelled, OpKind, SendOwner, Signal, Unrouted};
use crate::error::{Refused, SendError};
use crate::frame::RequestCode;
use crate::id::OpId;
use crate::message::Publish;
use crate::producer::{Producers, SendOptions};
use crate::query::{Queries, Query};
use crate::remoting::Context;
use crate::route::Ways;
use crate::time::Instant;

impl Engine {
    /// Sends one message, or one batch: to the next queue of its topic in turn, with one more try
    /// on another queue where that may help. Ends in one [`Event::Sent`](super::Event::Sent) by
    /// `send_timeout`, whatever happens.
    ///
    /// After this: commands, timeout; the event at once, where it is known to fail.
    pub fn send(&mut self, now: Instant, publish: Arc<Publish>) -> Result<OpId, Refused> {
        self.send_with(now, publish, SendOptions::default())
    }

    /// As [`send`](Self::send), to a queue and with a deadline of its own; a oneway send ends in
    /// [`Event::Handed`](super::Event::Handed) instead, unless it fails: at once where its
    /// connection is there and fewer than 256 KiB of such messages wait for the writer.
    ///
    /// After this: commands, events, timeout.
    pub fn send_with(
        &mut self,
        now: Instant,
        publish: Arc<Publish>,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        self.tick(now);
        let config = &self.ctx.fx.config;
        let within = options.timeout.unwrap_or(config.send_timeout);
        let admitted = if within.is_zero() {
            Err(Refused::NoTime)
        } else if !self.shutdown.is_running() {
            Err(Refused::Stopped)
        } else if let Err(foreign) = self.holds(&publish) {
            Err(foreign)
        } else {
            self.producers.admit(config, publish.wire_size())
        };
        let turn = admitted.inspect_err(|_| self.ctx.fx.counters.calls_refused += 1)?;
        let (producers, ctx, mut ways) = self.producers();
        Ok(producers.send(ctx, &mut ways, publish, options, (within, turn)))
    }

    /// Sends one message and waits for the reply that somebody gives to it. `correlation` is what
    /// ties the two: the message says it as well (`CORRELATION_ID`), with this client's id
    /// (`REPLY_TO_CLIENT`). Ends in one [`Event::Replied`](super::Event::Replied) by the options'
    /// timeout, else `send_timeout`; they can't make it oneway. One whose `correlation` waits for a
    /// reply already is refused. Where the message's group was not
    /// [named](Self::produce), it is from now on: brokers push replies to producers alone.
    ///
    /// After this: commands, events, timeout.
    pub fn request(
        &mut self,
        now: Instant,
        publish: Arc<Publish>,
        correlation: Arc<str>,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        self.tick(now);
        let config = &self.ctx.fx.config;
        let within = options.timeout.unwrap_or(config.send_timeout);
        let (open, bytes) = self.producers.requests();
        let admitted = if within.is_zero() {
            Err(Refused::NoTime)
        } else if !self.shutdown.is_running() {
            Err(Refused::Stopped)
        } else if open >= config.max_pending {
            Err(Refused::Full(config.max_pending))
        } else if bytes > 0 && bytes + publish.wire_size() > config.max_pending_bytes {
            Err(Refused::FullOfBytes(config.max_pending_bytes))
        } else if self.producers.asks(&correlation) {
            Err(Refused::DuplicateRequest(correlation.clone()))
        } else {
            self.holds(&publish)
        };
        admitted.inspect_err(|_| self.ctx.fx.counters.calls_refused += 1)?;
        if !self.producers.groups.has(publish.group()) {
            self.produce(now, publish.group());
        }
        let (producers, ctx, mut ways) = self.producers();
        let op = producers.request(ctx, &mut ways, (publish, options), correlation, within);
        self.advance();
        Ok(op)
    }

    /// Sends a message that a machine wants sent, within `send_timeout`, as far as there is room
    /// for it among those of the application.
    pub(super) fn send_for(&mut self, owner: SendOwner, publish: Arc<Publish>) {
        let config = &self.ctx.fx.config;
        let within = config.send_timeout;
        match self.producers.admit(config, publish.wire_size()) {
            Ok(turn) => {
                let options = SendOptions { owner: Some(owner), ..SendOptions::default() };
                let (producers, ctx, mut ways) = self.producers();
                producers.send(ctx, &mut ways, publish, options, (within, turn));
            }
            Err(refused) => {
                self.ctx.fx.give_back(publish);
                let result = Err(Box::new(SendError::Refused(refused)));
                self.ctx.fx.signal(Signal::SendEnded { owner, result });
            }
        }
    }

    /// Whether a message was made for the client's namespace. Answers to requests go to a topic of
    /// their cluster's, which is in none.
    pub(super) fn holds(&self, publish: &Publish) -> Result<(), Refused> {
        if publish.code() == RequestCode::SEND_REPLY_MESSAGE_V2 {
            return Ok(());
        }
        let held = self.ctx.fx.namespace.holds(publish.topic());
        held.map_err(|error| Refused::Name(error.into()))
    }

    /// Whether a question may be asked: as many as sends, whatever becomes of those.
    fn admit(&self) -> Result<(), Refused> {
        let most = self.ctx.fx.config.max_pending;
        if !self.shutdown.is_running() {
            Err(Refused::Stopped)
        } else if self.queries.len() >= most {
            Err(Refused::Full(most))
        } else {
            Ok(())
        }
    }

    /// Sends, and bytes of messages, that would still begin at once: none while others wait for
    /// room. Further ones wait as well, or are refused as full ([`Refused::Full`],
    /// [`Refused::FullOfBytes`]). While nothing is being sent, a message of any size is taken.
    pub fn room(&self) -> (usize, usize) {
        self.producers.room(&self.ctx.fx.config)
    }

    /// Asks for one fact. Ends in one [`Event::Answered`](super::Event::Answered) by
    /// `request_timeout`.
    ///
    /// After this: commands, timeout; the event at once, where the route is known and tells.
    pub fn query(&mut self, now: Instant, query: Query) -> Result<OpId, Refused> {
        let within = self.ctx.fx.config.request_timeout;
        self.query_within(now, query, within)
    }

    /// As [`query`](Self::query), with a deadline of its own.
    pub fn query_within(
        &mut self,
        now: Instant,
        mut query: Query,
        within: Duration,
    ) -> Result<OpId, Refused> {
        self.tick(now);
        let named =
            query.enter(&self.ctx.fx.namespace).map_err(|error| Refused::Name(error.into()));
        if let Err(refused) = self.admit().and(named) {
            self.ctx.fx.counters.calls_refused += 1;
            if let Query::Call(call) = query {
                self.ctx.fx.give_back_body(call.body);
            }
            return Err(refused);
        }
        let (queries, ctx, mut ways, healths) = self.queries();
        Ok(queries.ask(ctx, &mut ways, healths, query, within))
    }

    /// Gives a call up. It ends without an event.
    ///
    /// After this: commands, timeout; events of other calls, for which it made room, and
    /// [`Event::Spent`](super::Event::Spent).
    pub fn cancel(&mut self, now: Instant, op: OpId) -> Cancelled {
        self.tick(now);
        let found = match self.ctx.fx.ops.get(op) {
            None => return Cancelled::Ended,
            Some(OpKind::Send) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.cancel(ctx, &mut ways, op)
            }
            Some(OpKind::Request) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.cancel_request(ctx, &mut ways, op)
            }
            Some(OpKind::Query) => {
                let (queries, ctx, mut ways, _) = self.queries();
                queries.cancel(ctx, &mut ways, op)
            }
            Some(OpKind::End) => {
                self.transactions.detach(op);
                Cancelled::Detached
            }
            Some(OpKind::Commit) => {
                self.consumers.cancel_commit(&mut self.ctx, op);
                Cancelled::Detached
            }
        };
        self.advance();
        found
    }

    /// The producers, with what they are handed.
    pub(super) fn producers(&mut self) -> (&mut Producers, &mut Context, Ways<'_>) {
        let Self { producers, ctx, routes, names, brokers, .. } = self;
        (producers, ctx, Ways { routes, names, brokers })
    }

    /// The questions, with what they are handed.
    pub(super) fn queries(&mut self) -> (&mut Queries, &mut Context, Ways<'_>, &Healths) {
        let Self { queries, producers, ctx, routes, names, brokers, .. } = self;
        (queries, ctx, Ways { routes, names, brokers }, &producers.healths)
    }

    /// The deadline of a call has come.
    pub(super) fn deadline(&mut self, op: OpId) {
        match self.ctx.fx.ops.get(op) {
            Some(OpKind::Send) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.deadline(ctx, &mut ways, op);
            }
            Some(OpKind::Request) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.request_overdue(ctx, &mut ways, op);
            }
            Some(OpKind::Query) => {
                let (queries, ctx, mut ways, _) = self.queries();
                queries.deadline(ctx, &mut ways, op);
            }
            Some(OpKind::End) => self.transactions.deadline(&mut self.ctx, op),
            // Each of its requests has a deadline.
            Some(OpKind::Commit) | None => {}
        }
    }

    /// What a call waited for of its topic's route has come.
    pub(super) fn routed(&mut self, op: OpId) {
        match self.ctx.fx.ops.get(op) {
            Some(OpKind::Send) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.route_send(ctx, &mut ways, op);
            }
            Some(OpKind::Request) => {
                let (producers, ctx, mut ways) = self.producers();
                producers.meet(ctx, &mut ways, op);
            }
            Some(OpKind::Query) => {
                let (queries, ctx, mut ways, healths) = self.queries();
                queries.route(ctx, &mut ways, healths, op);
            }
            Some(OpKind::Commit | OpKind::End) | None => {}
        }
    }

    /// No route will come for a call.
    pub(super) fn unrouted(&mut self, op: OpId, unrouted: Unrouted) {
        match self.ctx.fx.ops.get(op) {
            Some(OpKind::Send) => self.producers.unrouted(&mut self.ctx, op, unrouted),
            Some(OpKind::Request) => {
                self.producers.request_unrouted(&mut self.ctx, op, unrouted);
            }
            Some(OpKind::Query) => self.queries.unrouted(&mut self.ctx, op, unrouted),
            Some(OpKind::Commit | OpKind::End) | None => {}
        }
    }

    /// Ends every call of the application with an error.
    pub(super) fn abandon_calls(&mut self) {
        for op in self.ctx.fx.ops.ids() {
            match self.ctx.fx.ops.get(op) {
                Some(OpKind::Send) => {
                    let (producers, ctx, mut ways) = self.producers();
                    producers.abandon(ctx, &mut ways, op);
                }
                Some(OpKind::Request) => {
                    let (producers, ctx, mut ways) = self.producers();
                    producers.abandon_request(ctx, &mut ways, op);
                }
                Some(OpKind::Query) => self.queries.abandon(&mut self.ctx, op),
                Some(OpKind::End) => self.transactions.abandon(&mut self.ctx, op),
                Some(OpKind::Commit) => self.consumers.abandon_commit(&mut self.ctx, op),
                None => {}
            }
        }
    }
}
