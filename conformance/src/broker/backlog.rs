//! A broker that stores no more than so many messages a second, and has a bounded queue before that
//! (`sendThreadPoolQueueCapacity`): what is too much for it is refused.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::frame::ResponseCode;
use rocketry_core::frame::request::SendRequest;
use rocketry_core::time::Instant;

use super::answer::{Answer, Caller, Turn};
use super::node::Node;

/// What has come in the queue is stored at such times.
const TICK: Duration = Duration::from_millis(1);
/// What is refused is told (`NettyRemotingAbstract.processRequestCommand`).
const OVERLOAD: &str = "[OVERLOAD]system busy, start flow control for a while";

/// Sends that wait to be stored.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    capacity: usize,
    /// Sends stored in each tick.
    each: usize,
    queue: VecDeque<(Caller, SendRequest, Bytes)>,
    /// The next tick, while anything waits.
    due: Option<Instant>,
}

impl Backlog {
    /// Queues so many sends from now on, and stores so many in a millisecond.
    pub(super) const fn set(&mut self, capacity: usize, each: usize) {
        (self.capacity, self.each) = (capacity, each);
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Node {
    /// Stores a message, or queues it where the broker takes its time.
    pub(super) fn take(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: SendRequest,
        body: &Bytes,
    ) {
        let Some(backlog) = &mut self.backlog else {
            return self.accept(turn, &caller, &request, body);
        };
        if backlog.queue.len() >= backlog.capacity {
            return turn.reply(&caller, Answer::error(ResponseCode::SYSTEM_BUSY, OVERLOAD));
        }
        backlog.queue.push_back((caller, request, body.clone()));
        backlog.due.get_or_insert(turn.now + TICK);
    }

    /// Stores what is due of the queue.
    pub(super) fn work_off(&mut self, turn: &mut Turn<'_>) {
        let Some(backlog) = self.backlog.as_mut().filter(|b| b.due.is_some_and(|d| d <= turn.now))
        else {
            return;
        };
        let count = backlog.each.min(backlog.queue.len());
        let now: Vec<_> = backlog.queue.drain(..count).collect();
        backlog.due = (!backlog.queue.is_empty()).then(|| turn.now + TICK);
        for (caller, request, body) in now {
            self.accept(turn, &caller, &request, &body);
        }
    }
}
