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

/// What has waited for so long is refused (`waitTimeMillsInSendQueue`), as it is by default
/// (`brokerFastFailureEnable`).
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// A send that waits to be stored.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    caller: Caller,
    request: SendRequest,
    body: Bytes,
}

/// Sends that wait to be stored.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    capacity: usize,
    /// Sends stored in each tick.
    each: usize,
    /// What has waited for so long is refused.
    patience: Option<Duration>,
    queue: VecDeque<Waiting>,
    /// The next tick, while anything waits.
    due: Option<Instant>,
}

impl Backlog {
    /// Queues so many sends from now on, and stores so many in a millisecond.
    pub(super) const fn set(&mut self, capacity: usize, each: usize, patience: Option<Duration>) {
        (self.capacity, self.each, self.patience) = (capacity, each, patience);
    }

    /// Takes out the oldest, if it has waited for too long.
    fn overdue(&mut self, now: Instant) -> Option<Waiting> {
        let (patience, first) = (self.patience?, self.queue.front()?);
        if now.since(first.since) < patience { None } else { self.queue.pop_front() }
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
        let body = body.clone();
        backlog.queue.push_back(Waiting { since: turn.now, caller, request, body });
        backlog.due.get_or_insert(turn.now + TICK);
    }

    /// Stores what is due of the queue, and refuses what has waited for too long
    /// (`BrokerFastFailure.cleanExpiredRequestInQueue`).
    pub(super) fn work_off(&mut self, turn: &mut Turn<'_>) {
        let Some(backlog) = self.backlog.as_mut().filter(|b| b.due.is_some_and(|d| d <= turn.now))
        else {
            return;
        };
        let count = backlog.each.min(backlog.queue.len());
        let stored: Vec<_> = backlog.queue.drain(..count).collect();
        while let Some(Waiting { since, caller, .. }) = backlog.overdue(turn.now) {
            let (waited, size) = (turn.now.since(since).as_millis(), backlog.queue.len() + 1);
            let remark = format!(
                "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in \
                 queue: {waited}ms, size of queue: {size}"
            );
            turn.reply(&caller, Answer::error(ResponseCode::SYSTEM_BUSY, &remark));
        }
        backlog.due = (!backlog.queue.is_empty()).then(|| turn.now + TICK);
        for Waiting { caller, request, body, .. } in stored {
            self.accept(turn, &caller, &request, &body);
        }
    }
}
