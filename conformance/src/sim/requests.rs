//! Messages that ask, and those that answer them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::consumer::Handout;
use rocketry_core::engine::Input;
use rocketry_core::error::{Refused, RequestError};
use rocketry_core::id::OpId;
use rocketry_core::message::{Message, MessageLimits, NoRequest, Publish};
use rocketry_core::producer::{ReplyMessage, SendOptions};
use rocketry_core::time::UnixMillis;

use super::app::{ClientId, Ended};
use super::world::World;

impl World {
    /// Sends a message and waits for so long for its reply.
    pub fn request(
        &mut self,
        client: ClientId,
        message: Message,
        within: Duration,
    ) -> Result<OpId, Refused> {
        let born = self.unix();
        let app = &self.clients[client.0].app;
        let (id, correlation) = (app.ids.next(born), app.ids.next(born));
        let correlation: Arc<str> = Arc::from(correlation.as_str());
        let asker = self.engine(client).client_id().clone();
        let message = message.asking(&correlation, &asker, within);
        let limits = MessageLimits::of(self.engine(client).config());
        let publish = Publish::new(message, &app.group, id, born, &limits);
        let publish = Arc::new(publish.unwrap_or_else(|error| panic!("{error}")));
        let options = SendOptions::default().timeout(within);
        let op = self.tell(client, |session, now| {
            session.engine_mut().request(now, publish, correlation, options)
        })?;
        self.pump();
        Ok(op)
    }

    /// Tells a client that its wall clock shows that.
    pub fn set_clock(&mut self, client: ClientId, unix: UnixMillis) {
        self.tell(client, |session, now| {
            session.engine_mut().handle(now, Input::ClockSync { unix });
        });
        self.pump();
    }

    /// What became of a request; `None` while it is under way, and of one that was given up.
    pub fn reply_to(
        &self,
        client: ClientId,
        op: OpId,
    ) -> Option<&Ended<Result<ReplyMessage, RequestError>>> {
        self.clients[client.0].app.replies.get(&op)
    }

    /// Runs until a request has ended. Gives when that was, since now, and how it ended.
    pub fn end_of_request(
        &mut self,
        client: ClientId,
        op: OpId,
    ) -> (Duration, Result<ReplyMessage, RequestError>) {
        let limit = Duration::from_secs(60);
        let took = self.run_until(limit, |world| world.reply_to(client, op).is_some());
        let took = took.unwrap_or_else(|| panic!("{op:?} does not end"));
        let ended = self.reply_to(client, op).map(|ended| ended.result.clone());
        (took, ended.unwrap_or_else(|| panic!("{op:?} has ended")))
    }

    /// Answers the message at this place of a run.
    pub fn answer_message(
        &mut self,
        client: ClientId,
        handout: &Handout,
        index: u32,
        body: impl Into<Bytes>,
    ) -> Result<OpId, NoRequest> {
        let batch = &handout.batch;
        let record = batch.records().record(index as usize);
        let record = record.unwrap_or_else(|| panic!("no message at {index}"));
        let broker = &batch.queue().broker;
        let reply = Message::replying(record.properties(), broker, body.into())?;
        let sent = self.try_send(client, reply);
        Ok(sent.unwrap_or_else(|refused| panic!("{refused}")))
    }
}
