//! What the application asks of transactions.

use std::sync::Arc;

use super::Engine;
use crate::broker::Brokers;
use crate::error::{Refused, TransactionError};
use crate::id::{CheckId, OpId};
use crate::message::{Publish, UniqueId};
use crate::name::{Group, Topic};
use crate::producer::SendOptions;
use crate::remoting::{BrokerAsk, Context};
use crate::route::Known;
use crate::time::Instant;
use crate::transaction::{HalfOptions, Resolution, Transactions};

impl Engine {
    /// Transactions, and what they are handed.
    pub(super) const fn transactions(&mut self) -> (&mut Transactions, &mut Context, Known<'_>) {
        let Self { transactions, ctx, routes, brokers, .. } = self;
        (transactions, ctx, Known { routes, brokers })
    }

    /// Sends a half message ([`Publish::half`]), as [`send_with`](Self::send_with) does but to one
    /// broker once, whatever `options` say of attempts. It is undecided from now on, until
    /// [`resolve`](Self::resolve) or [`leave_half`](Self::leave_half), or the end of its send tells
    /// that it is not stored, or not as safely as asked for.
    ///
    /// After this: commands, events, timeout.
    pub fn begin_half(
        &mut self,
        now: Instant,
        publish: Arc<Publish>,
        options: SendOptions,
        half: HalfOptions,
    ) -> Result<OpId, Refused> {
        self.tick(now);
        let id = publish.unique_id();
        if !publish.is_half() {
            return Err(Refused::NotHalf);
        }
        if !self.transactions.admits(id) {
            return Err(Refused::Undecided(id));
        }
        let check_after = half.check_after.unwrap_or_default();
        self.transactions.begin(&mut self.ctx, &publish, half);
        let sent = self.send_with(now, publish.clone(), options.attempts(1));
        match sent {
            Ok(_) => {
                let (transactions, ctx, known) = self.transactions();
                let new = transactions.attend_half(ctx, known, publish.topic(), check_after);
                self.attended(publish.topic(), new);
            }
            Err(_) => self.transactions.refused(&mut self.ctx, id),
        }
        self.carry();
        sent
    }

    /// Decides the half message of that id. Ends in one
    /// [`Event::TransactionEnded`](super::Event::TransactionEnded) by `request_timeout`.
    ///
    /// After this: commands, events, timeout.
    pub fn resolve(
        &mut self,
        now: Instant,
        id: UniqueId,
        resolution: Resolution,
    ) -> Result<OpId, TransactionError> {
        self.tick(now);
        if !self.shutdown.is_running() {
            self.transactions.leave(&mut self.ctx, id);
            return Err(Refused::Stopped.into());
        }
        let (transactions, ctx, known) = self.transactions();
        let op = transactions.resolve(ctx, known, id, resolution);
        self.carry();
        op
    }

    /// Nobody decides the half message of that id here: its broker's checks are answered with what
    /// the application says. False if it was decided before.
    ///
    /// After this: events.
    pub fn leave_half(&mut self, now: Instant, id: UniqueId) -> bool {
        self.tick(now);
        self.transactions.leave(&mut self.ctx, id)
    }

    /// No local work is done for the half message of that id, which its caller does not wait for
    /// any more: it is rolled back, as is one whose send ends with an error.
    ///
    /// After this: commands, timeout.
    pub fn give_up_half(&mut self, now: Instant, id: UniqueId) {
        self.tick(now);
        let (transactions, ctx, known) = self.transactions();
        transactions.unwanted(ctx, known, id);
    }

    /// Answers a [check](super::Event::Check). A question that is over already stays so.
    ///
    /// After this: commands, timeout.
    pub fn answer_check(&mut self, now: Instant, check: CheckId, said: Resolution) {
        self.tick(now);
        self.transactions.answer_check(&mut self.ctx, check, said);
    }

    /// Checks of the group's half messages are for the application from now on, until each call has
    /// had its [`answer_no_more`](Self::answer_no_more). Heartbeats name the group, as
    /// [`produce`](Self::produce) has it.
    ///
    /// After this: commands, timeout.
    pub fn answer_for(&mut self, now: Instant, group: &Group) {
        self.tick(now);
        let group = &self.ctx.fx.namespace.group(group);
        self.transactions.enter(group);
        self.produce(now, group);
    }

    /// One of those that answer for the group does so no more. With the last one of them brokers
    /// are told at once, unless somebody else produces in it: they would go on asking here.
    ///
    /// After this: commands, timeout.
    pub fn answer_no_more(&mut self, now: Instant, group: &Group) {
        self.withdraw(now, group);
        let group = &self.ctx.fx.namespace.group(group);
        let last = self.transactions.withdraw(group);
        if last && self.producers.groups.forget(group) {
            self.brokers.changed();
            if self.shutdown.is_running() {
                Brokers::unregister_producers(
                    &mut self.ctx,
                    std::slice::from_ref(group),
                    BrokerAsk::Withdraw,
                );
            }
        }
    }

    /// Has the brokers of a topic connected to, so that they can ask about half messages that other
    /// clients of the group have sent there.
    ///
    /// After this: commands, timeout.
    pub fn attend(&mut self, now: Instant, topic: &Topic) {
        self.tick(now);
        let topic = &self.ctx.fx.namespace.topic(topic);
        let (transactions, ctx, known) = self.transactions();
        let new = transactions.attend(ctx, known, topic);
        self.attended(topic, new);
        self.carry();
    }

    fn attended(&mut self, topic: &Topic, new: bool) {
        if new && self.routes.known(topic).is_none() {
            self.refresh_route(topic);
        }
    }
}
