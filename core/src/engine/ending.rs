//! Calls that end before their answers: at their deadlines, or because nobody wants them any more.

use super::{Engine, Event, Operation};
use crate::error::{Attempt, Attempts, ConnectError, Failure, QueryError, SendError, Stored};
use crate::frame::{Opaque, ResponseCode};
use crate::id::OpId;
use crate::producer::{Send, SendReceipt};
use crate::remoting::Call;
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
    /// The deadline of a call has come.
    pub(super) fn deadline(&mut self, op: OpId) {
        let call = self.operations.get(op).and_then(Operation::call);
        let asked =
            call.and_then(|opaque| self.ctx.remoting.calls.find(opaque)).map(|call| call.peer);
        match self.operations.get(op) {
            Some(Operation::Send(send)) if self.ctx.fx.now < send.deadline => {
                return self.try_over(op);
            }
            Some(Operation::Send(send)) if send.failed.is_some() => {
                self.end_failed(op);
            }
            Some(Operation::Send(send)) => {
                let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
                let (behind, refused) = (send.behind, send.pause.is_some() && send.is_refused());
                let waits = self.routes.is_waiting(&topic, op);
                let lack = if waits { self.aimed(op).err() } else { None };
                let missing = self.routes.is_missing(&topic);
                let error = match (self.detach_send(op), lack) {
                    ((stored, attempts, _), _) if refused => {
                        let code = ResponseCode::SYSTEM_BUSY;
                        SendError::Rejected { topic, code, stored, ids, attempts }
                    }
                    ((stored, attempts, true), Some(lack)) => {
                        let (lack, ids) = (Box::new(lack), Some(ids));
                        SendError::NotWritable { topic, lack, stored, ids, attempts }
                    }
                    ((stored, attempts, _), _) if behind => {
                        SendError::TimedOut { topic, stored, ids, attempts }
                    }
                    ((Stored::No, attempts, false), _) if missing => {
                        SendError::NoTopic { topic, attempts }
                    }
                    ((Stored::No, attempts, false), _) => SendError::NoRoute { topic, attempts },
                    ((stored, attempts, _), _) => {
                        SendError::TimedOut { topic, stored, ids, attempts }
                    }
                };
                self.end_send(op, Err(error));
            }
            Some(Operation::Ask(asked)) => {
                let (query, mut attempts) = (asked.query.clone(), asked.attempts.clone());
                let (call, since) = (asked.call, asked.since);
                let topic = query.topic().cloned();
                let waits = topic.as_ref().is_some_and(|topic| self.routes.is_waiting(topic, op));
                let lack = if waits { self.lack_of(&query) } else { None };
                let known = topic.as_ref().is_none_or(|topic| self.routes.is_asking(topic));
                if let Some(topic) = &topic {
                    attempts.extend(&self.routes.forget(topic, op));
                }
                let closed = call.and_then(|opaque| self.ctx.remoting.calls.close(opaque));
                if call.is_some() || known {
                    self.blame_for(&mut attempts, call.zip(closed.as_ref()), since);
                }
                let error = match (topic, lack) {
                    (Some(topic), Some(lack)) => {
                        QueryError::NoQueue { topic, lack: Box::new(lack), attempts }
                    }
                    // It waited for the topic's route to the end, as a send would have.
                    (Some(topic), None) if waits && self.routes.known(&topic).is_none() => {
                        QueryError::NoRoute { topic, attempts }
                    }
                    _ => QueryError::TimedOut { attempts },
                };
                self.end_ask(op, Err(error));
            }
            None => {}
        }
        if let Some(peer) = asked {
            self.ctx.suspect(peer);
        }
    }

    /// Takes a send off whatever it waits for. Gives whether it may be stored, what was tried, and
    /// whether its topic had a route.
    pub(super) fn detach_send(&mut self, op: OpId) -> (Stored, Attempts, bool) {
        let Some(Operation::Send(send)) = self.operations.get(op) else {
            return (Stored::No, Attempts::default(), false);
        };
        let (mut stored, mut attempts) = (send.known(), send.attempts.clone());
        let (topic, call, since) = (send.publish.topic().clone(), send.call, send.since);
        let (pausing, at) = (send.pause.is_some() || send.behind, send.at);
        let closed = call.and_then(|opaque| self.close_send(opaque));
        if closed.as_ref().is_some_and(Call::has_left) {
            stored = stored.max(Stored::Unknown);
            if let Some((broker, _)) = at {
                self.healths.failed(self.ctx.fx.now, broker);
            }
        }
        if let Some(Operation::Send(send)) = self.operations.get_mut(op) {
            send.call = None;
            if let Some(pause) = send.pause.take() {
                self.ctx.fx.timers.cancel(pause);
            }
        }
        attempts.extend(&self.routes.forget(&topic, op));
        if !pausing && (call.is_some() || self.routes.is_asking(&topic)) {
            self.blame_for(&mut attempts, call.zip(closed.as_ref()), since);
        }
        (stored, attempts, self.routes.known(&topic).is_some())
    }

    /// Adds for whom a call was waiting when its time was up: for `call`'s answer, or else for the
    /// topic's route. A peer whose last failure is in the list already is not named again.
    fn blame_for(&self, attempts: &mut Attempts, call: Option<(Opaque, &Call)>, since: Instant) {
        let (opaque, call) = call.unzip();
        let Some(peer) = call.map(|call| call.peer).or_else(|| self.names.current()) else {
            return self
                .names
                .unfetched(self.ctx.fx.now)
                .into_iter()
                .for_each(|attempt| attempts.push(attempt));
        };
        let endpoint = self.ctx.remoting.peers.endpoint(peer);
        let left = call.is_some_and(Call::has_left);
        if !left && attempts.last().is_some_and(|last| last.endpoint == *endpoint) {
            return;
        }
        let waited = self.ctx.fx.now.since(since);
        let failure = if left || self.ctx.remoting.peers.is_connected(peer) {
            Failure::TimedOut(waited)
        } else {
            Failure::Connect(ConnectError::TimedOut(waited))
        };
        attempts.push(self.ctx.attempt(peer, opaque, failure));
    }

    /// Gives a call up. It ends without an event.
    pub fn cancel(&mut self, now: Instant, op: OpId) -> Cancelled {
        self.tick(now);
        let found = match self.operations.get(op) {
            None => return Cancelled::Unknown,
            Some(Operation::Send(_)) => {
                self.ctx.fx.counters.sends_cancelled += 1;
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
                let call = call.and_then(|opaque| self.ctx.give_up(opaque));
                left |= call.is_some_and(|call| call.has_left());
                self.ctx.fx.counters.queries_cancelled += 1;
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
                Ok(_) => self.ctx.fx.counters.sends_stored += 1,
                Err(_) => self.ctx.fx.counters.sends_failed += 1,
            }
            self.ctx.fx.event(Event::Sent { op, publish: send.publish, result });
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::message::{Message, MessageLimits, Publish, UniqueId};
    use crate::name::{Group, Topic};
    use crate::producer::SendOptions;
    use crate::time::UnixMillis;
    use crate::timer::Timers;

    #[test]
    fn send_30_no_end_says_less_than_an_earlier_try_knows() {
        let topic = Topic::new("orders").unwrap();
        let id = UniqueId::parse("0A000001ABCD12345678000000000001").unwrap();
        let (message, group) = (Message::new(topic.clone(), "x"), Group::new("shop").unwrap());
        let limits = MessageLimits::default();
        let publish = Publish::new(message, &group, id, UnixMillis(0), &limits).unwrap();
        let timer = Timers::<()>::default().at(Instant::ZERO, ());
        let times = (timer, Instant::ZERO + Duration::from_secs(3), None);
        let options = SendOptions::default();
        let mut send = Send::new(Arc::new(publish), options, Instant::ZERO, times);
        let no_topic =
            || SendError::NoTopic { topic: topic.clone(), attempts: Attempts::default() };
        assert_eq!(known(no_topic(), &send), no_topic());
        for stored in [Stored::Unknown, Stored::Yes] {
            send.stored = stored;
            let error = known(no_topic(), &send);
            assert_eq!((error.stored(), error.topic()), (stored, Some(&topic)));
            assert_eq!(error.message_ids().unwrap().first(), id);
        }
        let stopped = SendError::Stopped { stored: Stored::Yes, ids: send.publish.ids() };
        assert_eq!(known(stopped.clone(), &send), stopped);
    }
}
