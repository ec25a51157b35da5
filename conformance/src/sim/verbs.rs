//! What the application of a client asks for.

use std::sync::Arc;
use std::time::Duration;

use rocketry_core::consumer::{Filter, Subscribe};
use rocketry_core::engine::Cancelled;
use rocketry_core::error::{Refused, SendError, Stale};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::message::{Message, MessageLimits, Publish};
use rocketry_core::name::Topic;
use rocketry_core::producer::SendOptions;
use rocketry_core::query::Query;

use super::app::{Change, ClientId, Pace, Sent};
use super::world::World;

/// What an application does.
impl World {
    /// Sends a message, to end by `within`.
    ///
    /// # Panics
    /// When the message itself is not valid.
    pub fn send_within(
        &mut self,
        client: ClientId,
        message: Message,
        within: Duration,
    ) -> Result<OpId, Refused> {
        let options = SendOptions::default().timeout(within);
        self.send_with(client, message, options)
    }

    /// Sends a message with options of its own.
    ///
    /// # Panics
    /// When the message itself is not valid.
    pub fn send_with(
        &mut self,
        client: ClientId,
        message: Message,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        let born = self.unix();
        let app = &self.clients[client.0].app;
        let id = app.ids.next(born);
        // The length of a body is the length of its frame: tests count on it.
        let mut limits = MessageLimits::of(self.engine(client).config());
        limits.compress_over = usize::MAX;
        let publish = Publish::new(message, &app.group, id, born, &limits);
        let publish = publish.unwrap_or_else(|error| panic!("{error}"));
        self.send_publish(client, publish, options)
    }

    /// Sends a batch.
    pub fn send_batch(
        &mut self,
        client: ClientId,
        messages: &[Message],
        options: SendOptions,
    ) -> Result<OpId, SendError> {
        let born = self.unix();
        let app = &self.clients[client.0].app;
        let limits = MessageLimits::of(self.engine(client).config());
        let ids = || app.ids.next(born);
        let publish = Publish::batch(messages, &app.group, ids, born, &limits)?;
        Ok(self.send_publish(client, publish, options)?)
    }

    fn send_publish(
        &mut self,
        client: ClientId,
        publish: Publish,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        let (asked, id) = (self.now, publish.unique_id());
        let within = options.timeout.unwrap_or(self.engine(client).config().send_timeout);
        let op = self.tell(client, |session, now| {
            session.engine_mut().send_with(now, Arc::new(publish), options)
        })?;
        let deadline = asked + within;
        let sent = Sent { id, asked, deadline, ended: None, handed: None, cancelled: None };
        let twin = self.clients[client.0].app.sends.insert(op, sent);
        assert!(twin.is_none(), "{op:?} was given out twice");
        self.pump();
        Ok(op)
    }

    /// Sends a message, to end by the client's own `send_timeout`.
    pub fn try_send(&mut self, client: ClientId, message: Message) -> Result<OpId, Refused> {
        let within = self.engine(client).config().send_timeout;
        self.send_within(client, message, within)
    }

    /// Gives a send up.
    pub fn cancel(&mut self, client: ClientId, op: OpId) -> Cancelled {
        let found = self.tell(client, |session, now| session.engine_mut().cancel(now, op));
        if let Some(sent) = self.clients[client.0].app.sends.get_mut(&op) {
            sent.cancelled = Some(found);
        }
        self.pump();
        found
    }

    /// Asks a question.
    pub fn query(&mut self, client: ClientId, query: Query) -> Result<OpId, Refused> {
        let op = self.tell(client, |session, now| session.engine_mut().query(now, query))?;
        self.pump();
        Ok(op)
    }

    /// Names the client's producer group in its heartbeats.
    pub fn produce(&mut self, client: ClientId) {
        let group = self.clients[client.0].app.group.clone();
        self.tell(client, |session, now| session.engine_mut().produce(now, &group));
        self.pump();
    }

    /// One of those that named the group is done with it.
    pub fn withdraw(&mut self, client: ClientId) {
        let group = self.clients[client.0].app.group.clone();
        self.tell(client, |session, now| session.engine_mut().withdraw(now, &group));
        self.pump();
    }

    /// Joins a group.
    pub fn subscribe(
        &mut self,
        client: ClientId,
        subscribe: Subscribe,
        pace: Pace,
    ) -> Result<SubscriptionId, Refused> {
        let group = subscribe.group.clone();
        let sub =
            self.tell(client, |session, now| session.engine_mut().subscribe(now, subscribe))?;
        let app = &mut self.clients[client.0].app;
        app.paces.insert(sub, pace);
        app.groups.insert(sub, group);
        self.pump();
        Ok(sub)
    }

    /// Lets a consumer's application be slower or faster from now on.
    pub fn set_pace(&mut self, client: ClientId, sub: SubscriptionId, pace: Pace) {
        self.clients[client.0].app.paces.insert(sub, pace);
    }

    /// Leaves a group.
    pub fn leave(&mut self, client: ClientId, sub: SubscriptionId) -> Result<(), Stale> {
        let left = self.tell(client, |session, now| session.engine_mut().leave(now, sub));
        self.pump();
        left
    }

    /// Has a consumer read a topic too, or other messages of it.
    pub fn subscribe_to(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        topic: Topic,
        filter: Filter,
    ) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| {
            session.engine_mut().subscribe_to(now, sub, topic, filter)
        });
        self.pump();
        done
    }

    /// Has a consumer read a topic no more.
    pub fn unsubscribe_from(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        topic: &Topic,
    ) -> Result<bool, Stale> {
        let done = self
            .tell(client, |session, now| session.engine_mut().unsubscribe_from(now, sub, topic));
        self.pump();
        done
    }

    /// Queues of a client's consumers that changed hands, in order.
    pub fn changes(&self, client: ClientId) -> &[Change] {
        &self.clients[client.0].app.changes
    }

    /// Has a consumer finish within that time, and leave.
    pub fn drain(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        within: Duration,
    ) -> Result<(), Stale> {
        self.clients[client.0].app.finishing.insert(sub);
        let drained =
            self.tell(client, |session, now| session.engine_mut().drain(now, sub, within));
        self.pump();
        drained
    }

    /// Suspends a consumer.
    pub fn suspend(&mut self, client: ClientId, sub: SubscriptionId) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| session.engine_mut().suspend(now, sub));
        self.pump();
        done
    }

    /// Resumes one that was suspended.
    pub fn resume(&mut self, client: ClientId, sub: SubscriptionId) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| session.engine_mut().resume(now, sub));
        self.pump();
        done
    }

    /// Shuts a client down.
    pub fn shutdown(&mut self, client: ClientId) {
        self.tell(client, |session, now| session.engine_mut().shutdown(now));
        self.pump();
    }
}
