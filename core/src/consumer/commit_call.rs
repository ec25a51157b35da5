//! Commits that somebody asked for and waits for: each ends once a broker has answered for every
//! queue of it. One commit of a queue is under way at a time, so that an older one never arrives
//! behind a newer one.

use std::collections::BTreeMap;

use super::turns::{Chore, Turns};
use super::{Consumer, Consumers};
use crate::effects::{Event, OpKind};
use crate::error::{CommitError, Failure, Refused};
use crate::id::{OpId, QueueKey, SubscriptionId};
use crate::name::{Namespace, QueueName};
use crate::remoting::Context;
use crate::route::Known;

/// What is to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Commit {
    /// All that was polled: what the last poll gave is settled by it.
    Polled,
    /// What was polled of one queue.
    Queue(QueueName),
    /// These offsets, each of the message to go on with, whatever was polled.
    Offsets(BTreeMap<QueueName, i64>),
}

impl Commit {
    /// The same in that namespace.
    pub(crate) fn within(self, namespace: &Namespace) -> Self {
        match self {
            Self::Polled => Self::Polled,
            Self::Queue(queue) => Self::Queue(namespace.queue(&queue)),
            Self::Offsets(offsets) => {
                let put = |(queue, offset): (QueueName, i64)| (namespace.queue(&queue), offset);
                Self::Offsets(offsets.into_iter().map(put).collect())
            }
        }
    }
}

/// The offset of one queue.
#[derive(Debug)]
struct Wanted {
    name: QueueName,
    offset: i64,
    /// It is on its way; else another commit is.
    sent: bool,
}

#[derive(Debug)]
struct Call {
    op: OpId,
    /// Somebody waits for it.
    awaited: bool,
    wanted: BTreeMap<QueueKey, Wanted>,
    failed: Option<CommitError>,
}

/// The commits that somebody waits for, the oldest first.
#[derive(Debug, Default)]
pub(super) struct CommitCalls(Vec<Call>);

impl CommitCalls {
    /// The oldest offset that is wanted of a queue.
    fn next(&mut self, key: QueueKey) -> Option<&mut Wanted> {
        self.0.iter_mut().find_map(|call| call.wanted.get_mut(&key))
    }

    /// That one is answered for.
    fn end(&mut self, key: QueueKey, failed: Option<CommitError>) {
        if let Some(call) = self.0.iter_mut().find(|call| call.wanted.contains_key(&key)) {
            call.wanted.remove(&key);
            call.failed = call.failed.take().or(failed);
        }
    }

    /// Tells of those that have ended.
    fn tell(&mut self, ctx: &mut Context) {
        let ended = self.0.extract_if(.., |call| call.wanted.is_empty());
        for Call { op, failed, .. } in ended.filter(|call| call.awaited) {
            ctx.fx.ops.remove(op);
            ctx.fx.event(Event::Committed { op, result: failed.map_or(Ok(()), Err) });
        }
    }
}

impl Consumers {
    /// Begins a commit.
    pub(crate) fn commit_asked(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
        what: Commit,
    ) -> Result<OpId, CommitError> {
        let most = ctx.fx.config.max_pending;
        let consumer = self.get_mut(sub).filter(|consumer| !consumer.is_leaving());
        let consumer = consumer.ok_or(CommitError::Stopped)?;
        if consumer.commit_calls.0.len() >= most {
            return Err(Refused::Full(most).into());
        }
        let wanted = consumer.wanted(ctx, known, what)?;
        let op = ctx.fx.ops.insert(OpKind::Commit);
        let keys: Vec<QueueKey> = wanted.keys().copied().collect();
        consumer.commit_calls.0.push(Call { op, awaited: true, wanted, failed: None });
        consumer.commit_calls.tell(ctx);
        self.attend(ctx, known, sub, keys, Chore::Commit);
        Ok(op)
    }

    /// Nobody waits for a commit any more: it goes on.
    pub(crate) fn cancel_commit(&mut self, ctx: &mut Context, op: OpId) {
        ctx.fx.ops.remove(op);
        for sub in self.ids() {
            let Some(consumer) = self.get_mut(sub) else { continue };
            let calls = &mut consumer.commit_calls.0;
            calls.iter_mut().filter(|call| call.op == op).for_each(|call| call.awaited = false);
        }
    }

    /// A commit ends without an answer: the client does.
    pub(crate) fn abandon_commit(&mut self, ctx: &mut Context, op: OpId) {
        ctx.fx.ops.remove(op);
        for sub in self.ids() {
            let Some(consumer) = self.get_mut(sub) else { continue };
            consumer.commit_calls.0.retain(|call| call.op != op);
        }
        ctx.fx.event(Event::Committed { op, result: Err(CommitError::Stopped) });
    }
}

impl Consumer {
    /// The offsets that a commit is of.
    fn wanted(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        what: Commit,
    ) -> Result<BTreeMap<QueueKey, Wanted>, CommitError> {
        let own = |consumer: &Self, queue: &QueueName| {
            let none = || CommitError::NotAssigned { queue: queue.clone() };
            consumer.own(known, queue).ok_or_else(none)
        };
        let mut offsets = BTreeMap::new();
        match what {
            Commit::Polled => {
                self.settle_polled(ctx, known, None);
                offsets.extend(self.queues.ids().into_iter().map(|key| (key, None)));
            }
            Commit::Queue(queue) => {
                let key = own(self, &queue)?;
                self.settle_polled(ctx, known, Some(key));
                offsets.insert(key, None);
            }
            Commit::Offsets(wanted) => {
                for (queue, offset) in wanted {
                    if offset < 0 {
                        return Err(CommitError::Negative { queue, offset });
                    }
                    offsets.insert(own(self, &queue)?, Some(offset));
                }
            }
        }
        let mut all = BTreeMap::new();
        for (key, chosen) in offsets {
            let Some(queue) = self.queues.get_mut(key) else { continue };
            queue.chosen |= chosen.is_some();
            // Of a queue whose first offset is not known to be there nothing was polled.
            let offset = chosen.or_else(|| queue.settled_to(ctx.fx.now));
            let name = queue.name.clone();
            all.extend(offset.map(|offset| (key, Wanted { name, offset, sent: false })));
        }
        Ok(all)
    }

    /// Commits what is wanted of one queue, as far as no other commit of it is under way.
    fn commit_wanted(&mut self, ctx: &mut Context, known: Known<'_>, key: QueueKey) {
        while let Some(Wanted { name, offset, sent: false }) = self.commit_calls.next(key) {
            let (offset, name) = (*offset, name.clone());
            let Some(queue) = self.queues.get(key) else {
                let failed = match self.own(known, &name) {
                    _ if self.is_leaving() => CommitError::Stopped,
                    // In another life.
                    Some(_) => CommitError::Moved { queue: name },
                    None => CommitError::NotAssigned { queue: name },
                };
                self.commit_calls.end(key, Some(failed));
                continue;
            };
            if queue.keeper.under_way().is_some() || self.predecessors.holds(key) {
                return;
            }
            if queue.keeper.has(offset) {
                self.commit_calls.end(key, None);
            } else if self.commit_at(ctx, known, key, offset) {
                if let Some(wanted) = self.commit_calls.next(key) {
                    wanted.sent = true;
                }
            } else {
                self.commit_calls.end(key, Some(CommitError::NotConnected { queue: name }));
            }
        }
    }

    /// A commit of a queue was answered, or came to nothing: who asked for it hears so, and the
    /// next one goes on.
    pub(super) fn commit_call_ended(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        stored: &Result<i64, Failure>,
    ) {
        if let Some(Wanted { name, sent: true, .. }) = self.commit_calls.next(key) {
            let queue = name.clone();
            let failed = stored.as_ref().err().cloned();
            let failed = failed.map(|failure| CommitError::Failed { queue, failure });
            self.commit_calls.end(key, failed);
        }
        self.commit_calls_go_on(ctx, known, key);
    }

    /// A queue's commits may go on, or it is gone.
    pub(super) fn commit_calls_go_on(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
    ) {
        self.commit_wanted(ctx, known, key);
        self.commit_calls.tell(ctx);
    }

    /// Queues were given up: what was to be committed of them and has not left is not.
    pub(super) fn commit_calls_look(&mut self, ctx: &mut Context, known: Known<'_>) {
        let calls = self.commit_calls.0.iter();
        let wanted = calls.flat_map(|call| call.wanted.keys().copied());
        let gone: Vec<QueueKey> = wanted.filter(|key| self.queues.get(*key).is_none()).collect();
        for key in gone {
            self.commit_wanted(ctx, known, key);
        }
        self.commit_calls.tell(ctx);
    }

    /// The consumer has left: no answer is waited for any more.
    pub(super) fn end_commit_calls(&mut self, ctx: &mut Context) {
        for call in &mut self.commit_calls.0 {
            call.wanted.clear();
            call.failed.get_or_insert(CommitError::Stopped);
        }
        self.commit_calls.tell(ctx);
    }

    /// What must hold between two calls: whoever waits for a commit has one under way, or waits for
    /// the end of another one of the queue, or for its turn.
    pub(super) fn check_commit_calls(&self, turns: &Turns) {
        for call in &self.commit_calls.0 {
            assert!(!call.wanted.is_empty(), "{:?} has ended and is not told", call.op);
            for (key, wanted) in &call.wanted {
                let queue = self.queues.get(*key);
                let sent = |call: &Call| call.wanted.get(key).is_some_and(|wanted| wanted.sent);
                let waits = turns.holds(self.id, *key)
                    || self.commit_calls.0.iter().any(sent)
                    || self.predecessors.holds(*key)
                    || queue.is_some_and(|queue| queue.keeper.under_way().is_some());
                assert!(waits, "nobody commits {:?} of {:?}", wanted, call.op);
            }
        }
    }
}
