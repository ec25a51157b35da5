//! Queues that go on, that pause, and that wait for their broker.

use std::time::Duration;

use super::queue::Want;
use super::{Consumer, Trouble};
use crate::effects::{ConsumerTimer, Note, TimerKind};
use crate::error::Failure;
use crate::frame::RequestCode;
use crate::id::QueueKey;
use crate::remoting::Context;
use crate::route::Known;

impl Consumer {
    /// Lets one queue go on, if it can.
    pub(super) fn resume(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        if self.is_leaving() {
            return;
        }
        let (draining, suspended) = (self.is_draining(), self.suspended);
        let Some(queue) = self.queues.get_mut(key) else { return };
        if queue.released || !queue.lock().lets_pull() {
            return;
        }
        let bounds = self.bounds.of_queue(self.places.held(queue.topic));
        let want = queue.resume(&bounds);
        let suspended = suspended || queue.held;
        if draining {
            return;
        }
        let Some(queue) = self.queues.get(key) else { return };
        self.want_sources(ctx, known, queue);
        let Some(peer) = self.source(ctx, known, queue) else { return };
        match want {
            Want::Offset => self.fetch_offset(ctx, known, peer, key),
            // A consumer that is suspended begins no pull: its own resume leads here again.
            Want::Messages if suspended => {}
            Want::Messages => self.pull(ctx, peer, key),
            Want::Nothing => {}
        }
    }

    /// Goes on after a pause, or at once without one.
    pub(super) fn resume_after(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        pause: Duration,
    ) {
        if pause.is_zero() { self.resume(ctx, known, key) } else { self.pause(ctx, key, pause) }
    }

    /// Has a queue rest for so long.
    pub(super) fn pause(&mut self, ctx: &mut Context, key: QueueKey, pause: Duration) {
        if let Some(queue) = self.queues.get_mut(key) {
            let timer = TimerKind::Consumer(ConsumerTimer::Queue(self.id, key));
            queue.cursor.paused(ctx.fx.after(pause, timer));
        }
    }

    /// A queue's pause is over.
    pub(super) fn pause_over(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if queue.cursor.pause_over() {
            self.resume(ctx, known, key);
        }
    }

    /// A request for the queue came to nothing: a pull, or a question where to begin.
    pub(super) fn queue_failed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        ask: RequestCode,
        failure: &Failure,
    ) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.cursor.ask_failed();
        if ask == RequestCode::PULL_MESSAGE {
            // Who does not answer is not asked next where there is its master.
            queue.suggested = None;
        }
        match failure {
            // The queue goes on when the broker knows us again; where it is read over another
            // connection by now (the next one after a GO_AWAY, the master instead of a slave, or
            // a slave instead of the master), nothing else would make it go on.
            Failure::Connect(_) | Failure::Closed(_) => {
                let queue = self.queues.get(key);
                if queue.is_some_and(|queue| self.source(ctx, known, queue).is_some()) {
                    self.resume(ctx, known, key);
                }
            }
            _ => {
                self.tell_failed(ctx, key, ask, failure.clone());
                self.pause(ctx, key, ctx.fx.config.pull_retry);
            }
        }
    }

    /// Tells that a queue is not consumed, since it is not known where to begin, or since a pull
    /// has no answer.
    pub(super) fn tell_failed(
        &mut self,
        ctx: &mut Context,
        key: QueueKey,
        ask: RequestCode,
        failure: Failure,
    ) {
        let Some(queue) = self.queues.get(key) else { return };
        let (broker, queue) = (queue.at.broker, queue.name.clone());
        let trouble = match ask {
            RequestCode::PULL_MESSAGE => Trouble::Pull(broker),
            _ => Trouble::Offset(broker),
        };
        if self.tells(ctx.fx.now, trouble) {
            let (group, queue) = (self.group.clone(), Some(queue));
            ctx.fx.note(Note::AskFailed { group, ask, queue, failure: Box::new(failure) });
        }
    }
}
