//! Transactions of an application, and what brokers ask of it.

use std::sync::Arc;

use rocketry_core::engine::Event;
use rocketry_core::error::{Refused, TransactionError};
use rocketry_core::id::{CheckId, OpId};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueId};
use rocketry_core::name::{Group, Topic};
use rocketry_core::producer::SendOptions;
use rocketry_core::time::Instant;
use rocketry_core::transaction::{CheckedHalf, HalfOptions, Resolution, TransactionReceipt};

use super::app::{App, ClientId, Ended, Sent};
use super::world::World;

impl World {
    /// The client answers for its producer group's transactions.
    pub fn answer_for(&mut self, client: ClientId) {
        let group = self.clients[client.0].app.group.clone();
        self.tell(client, |session, now| session.engine_mut().answer_for(now, &group));
        self.pump();
    }

    /// It does so no more.
    pub fn answer_no_more(&mut self, client: ClientId) {
        let group = self.clients[client.0].app.group.clone();
        self.tell(client, |session, now| session.engine_mut().answer_no_more(now, &group));
        self.pump();
    }

    /// Has the client be in another producer group.
    pub fn set_group(&mut self, client: ClientId, group: &Group) {
        self.clients[client.0].app.group = group.clone();
    }

    /// Has the brokers of a topic able to ask the client.
    pub fn attend(&mut self, client: ClientId, topic: &Topic) {
        self.tell(client, |session, now| session.engine_mut().attend(now, topic));
        self.pump();
    }

    /// Sends a half message. Gives its unique id beside the call.
    ///
    /// # Panics
    /// When the message itself is not valid.
    pub fn begin(
        &mut self,
        client: ClientId,
        message: Message,
        half: HalfOptions,
    ) -> Result<(OpId, UniqueId), Refused> {
        let born = self.unix();
        let half = HalfOptions { check_after: message.own_check_after(), ..half };
        let app = &self.clients[client.0].app;
        let id = app.ids.next(born);
        let limits = MessageLimits::of(self.engine(client).config());
        let publish = Publish::half(message, &app.group, id, born, &limits);
        let publish = Arc::new(publish.unwrap_or_else(|error| panic!("{error}")));
        let (asked, id) = (self.now, publish.unique_id());
        let within = self.engine(client).config().send_timeout;
        let op = self.tell(client, |session, now| {
            session.engine_mut().begin_half(now, publish, SendOptions::default(), half)
        })?;
        let deadline = asked + within;
        let sent = Sent { id, asked, deadline, ended: None, handed: None, cancelled: None };
        let twin = self.clients[client.0].app.sends.insert(op, sent);
        assert!(twin.is_none(), "{op:?} was given out twice");
        self.pump();
        Ok((op, id))
    }

    /// Decides a half message.
    pub fn resolve(
        &mut self,
        client: ClientId,
        id: UniqueId,
        resolution: Resolution,
    ) -> Result<OpId, TransactionError> {
        let op =
            self.tell(client, |session, now| session.engine_mut().resolve(now, id, resolution));
        self.pump();
        op
    }

    /// Leaves a half message to checks.
    pub fn leave_half(&mut self, client: ClientId, id: UniqueId) -> bool {
        let left = self.tell(client, |session, now| session.engine_mut().leave_half(now, id));
        self.pump();
        left
    }

    /// Answers a check.
    pub fn answer_check(&mut self, client: ClientId, check: CheckId, said: Resolution) {
        self.tell(client, |session, now| session.engine_mut().answer_check(now, check, said));
        self.pump();
    }

    /// The half messages that the client was asked about since the last call, and when.
    pub fn take_checks(&mut self, client: ClientId) -> Vec<(Instant, CheckId, Arc<CheckedHalf>)> {
        std::mem::take(&mut self.clients[client.0].app.checks)
    }

    /// What the end of a transaction came to.
    pub fn transaction_end(
        &self,
        client: ClientId,
        op: OpId,
    ) -> Option<&Ended<Result<TransactionReceipt, TransactionError>>> {
        self.clients[client.0].app.ends.get(&op)
    }
}

impl App {
    /// What became of a transaction, or what is asked about one.
    pub(super) fn transacted(&mut self, now: Instant, event: Event) {
        match event {
            Event::TransactionEnded { op, result } => {
                let twin = self.ends.insert(op, Ended { at: now, result });
                assert!(twin.is_none(), "{op:?} ended twice");
            }
            Event::Check { check, group, half } => {
                assert_eq!(group, *half.group());
                self.checks.push((now, check, half));
            }
            other => panic!("the application does not know {other:?}"),
        }
    }
}
