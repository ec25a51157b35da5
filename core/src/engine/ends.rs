//! How calls end: given up, with what was known of them, and for whom they were waiting.

use std::sync::Arc;

use super::{Engine, Event, Operation};
use crate::call::Call;
use crate::error::{Attempt, Attempts, ConnectError, Failure, SendError, Stored};
use crate::frame::reply::SendReply;
use crate::frame::{HeaderError, Opaque, ReplyFields};
use crate::id::OpId;
use crate::producer::{Send, SendReceipt};
use crate::time::Instant;

/// What [`Engine::cancel`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Nothing had left this process, or what had was refused: the message is not stored, the
    /// request not done, and will not be.
    Removed,
    /// The request had left: the message may be stored, the request done. Its answer will be
    /// ignored.
    Detached,
    /// The call had ended before.
    Unknown,
}

impl Engine {
    /// Adds for whom a call was waiting when its time was up: for `call`'s answer, or else for the
    /// topic's route. A peer whose last failure is in the list already is not named again.
    pub(super) fn blame_for(
        &self,
        attempts: &mut Attempts,
        call: Option<(Opaque, &Call)>,
        since: Instant,
    ) {
        let (opaque, call) = call.unzip();
        let Some(peer) = call.map(|call| call.peer).or_else(|| self.names.current()) else {
            return self.unfetched().into_iter().for_each(|attempt| attempts.push(attempt));
        };
        let endpoint = self.peers.endpoint(peer);
        let left = call.is_some_and(Call::has_left);
        if !left && attempts.last().is_some_and(|last| last.endpoint == *endpoint) {
            return;
        }
        let waited = self.ground.now.since(since);
        let failure = if left || self.peers.is_connected(peer) {
            Failure::TimedOut(waited)
        } else {
            Failure::Connect(ConnectError::TimedOut(waited))
        };
        attempts.push(self.attempt(peer, opaque, failure));
    }

    /// Gives a call up. It ends without an event.
    pub fn cancel(&mut self, now: Instant, op: OpId) -> Cancelled {
        self.tick(now);
        let found = match self.operations.get(op) {
            None => return Cancelled::Unknown,
            Some(Operation::Send(_)) => {
                self.counters.sends_cancelled += 1;
                match self.detach_send(op).0 {
                    Stored::No => Cancelled::Removed,
                    Stored::Unknown | Stored::Yes => Cancelled::Detached,
                }
            }
            Some(Operation::Ask(asked)) => {
                let (topic, call) = (asked.query.topic().cloned(), asked.call);
                let lost = |attempt: &Attempt| matches!(attempt.failure, Failure::Closed(_));
                let mut left = asked.attempts.iter().any(lost);
                if let Some(topic) = topic {
                    self.routes.forget(&topic, op);
                }
                let closed = call.and_then(|opaque| self.calls.close(opaque));
                left |= closed.is_some_and(|call| call.has_left());
                self.counters.queries_cancelled += 1;
                if left { Cancelled::Detached } else { Cancelled::Removed }
            }
        };
        self.remove(op);
        self.advance();
        found
    }

    pub(super) fn end_send(&mut self, op: OpId, result: Result<SendReceipt, SendError>) {
        if let Some(Operation::Send(send)) = self.remove(op) {
            let result = result.map_err(|error| known(error, &send));
            match &result {
                Ok(_) => self.counters.sends_stored += 1,
                Err(_) => self.counters.sends_failed += 1,
            }
            self.out.event(Event::Sent { op, publish: send.publish, result });
        }
    }
}

/// Where a message was stored, by an answer that says that it was.
pub(super) fn place(fields: Result<ReplyFields, HeaderError>) -> Result<SendReply, Failure> {
    let below = |field, value: i64| {
        let error = HeaderError::invalid(field, &value.to_string(), "a number from 0 on");
        Err(Failure::Unreadable(error))
    };
    match fields {
        Ok(ReplyFields::Send(fields)) if fields.queue_id < 0 => {
            below("queueId", i64::from(fields.queue_id))
        }
        Ok(ReplyFields::Send(fields)) if fields.queue_offset < 0 => {
            below("queueOffset", fields.queue_offset)
        }
        Ok(ReplyFields::Send(fields)) => Ok(fields),
        Ok(_) => Err(Failure::Body(Arc::from("no fields"))),
        Err(error) => Err(Failure::Unreadable(error)),
    }
}

/// What an earlier try knows is kept to the end, whatever ends the call: a message that left may be
/// stored, and an error that could not say so becomes one that can.
fn known(error: SendError, send: &Send) -> SendError {
    if error.stored() >= send.known() {
        return error;
    }
    let (topic, ids, stored) = (send.publish.topic().clone(), send.publish.ids(), send.known());
    let mut attempts = send.attempts.clone();
    if let Some(further) = error.attempts() {
        attempts.extend(further);
    }
    SendError::Lost { topic, stored, ids, attempts }
}
