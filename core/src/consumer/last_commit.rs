//! The last commits of queues that were given up. What such a commit does not store comes again to
//! whoever gets the queue, so that one that fails is given again, and counted where that is of no
//! use either.
//!
//! Codes: `UPDATE_CONSUMER_OFFSET` (15).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::commit::is_elsewhere;
use super::queue::Lock;
use super::reset::Heir;
use super::{Consumer, Consumers, Local, Phase, Queue};
use crate::config::Config;
use crate::effects::{ConsumerTimer, TimerKind};
use crate::id::{BrokerId, QueueKey, SubscriptionId};
use crate::name::QueueName;
use crate::remoting::Context;
use crate::route::Known;
use crate::time::Instant;
use crate::timer::TimerKey;

/// The pause before one is given again that failed; the next ones are each twice as long.
const AGAIN: Duration = Duration::from_millis(200);
/// How often one is given.
const TRIES: u32 = 3;

/// The last commit of a queue.
#[derive(Debug)]
pub(super) struct LastCommit {
    pub(super) key: QueueKey,
    pub(super) name: QueueName,
    pub(super) broker: BrokerId,
    pub(super) offset: i64,
    /// How often it has failed.
    failed: u32,
    /// Nobody else can have committed until then: for so long it may be given again. The queue is
    /// another member's then, whatever becomes of this. `None`: not before this consumer has left.
    alone: Option<Instant>,
    /// It may be lost with others that come first at the same time, and is given once more.
    first: bool,
    /// An administrator has moved the group in this queue since: it is not given again.
    moved: bool,
}

impl LastCommit {
    fn new(key: QueueKey, queue: &Queue, offset: i64, alone: Option<Instant>) -> Self {
        let (name, broker) = (queue.name.clone(), queue.at.broker);
        let first = queue.keeper.is_first();
        Self { key, name, broker, offset, failed: 0, alone, first, moved: false }
    }

    fn is_alone(&self, now: Instant) -> bool {
        self.alone.is_none_or(|until| now < until)
    }

    fn is_repeated(&self, now: Instant) -> bool {
        self.first && !self.moved && self.is_alone(now)
    }

    /// An administrator has moved the group in this queue.
    pub(super) const fn has_moved(&mut self) {
        self.moved = true;
    }
}

/// How many commits of one consumer have no answer, those of queues given up included.
#[derive(Debug, Default)]
pub(super) struct Unanswered(BTreeMap<BrokerId, usize>);

impl Unanswered {
    pub(super) fn sent(&mut self, broker: BrokerId) {
        *self.0.entry(broker).or_default() += 1;
    }

    pub(super) fn ended(&mut self, broker: BrokerId) {
        if let Entry::Occupied(mut count) = self.0.entry(broker) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn are_at(&self, broker: BrokerId) -> bool {
        self.0.contains_key(&broker)
    }
}

/// Those of one consumer.
#[derive(Debug, Default)]
pub(super) struct LastCommits {
    under_way: BTreeMap<QueueKey, LastCommit>,
    /// Those that are given again when the timer fires.
    failed: Vec<LastCommit>,
    /// First ones that were confirmed, to be given again when all of their brokers are.
    firsts: Vec<LastCommit>,
    timer: Option<TimerKey>,
    /// Queues whose last commit came to nothing.
    lost: usize,
}

impl LastCommits {
    /// None waits to be given again.
    pub(super) const fn is_quiet(&self) -> bool {
        self.failed.is_empty()
    }

    /// An administrator has moved the group in these queues: last commits of theirs are not given
    /// again, for they would take the move back. Gives those that waited for it, which end here.
    fn have_moved(&mut self, are: impl Fn(&QueueName) -> bool) -> Vec<QueueKey> {
        let of = |last: &LastCommit| are(&last.name);
        self.under_way.values_mut().filter(|last| of(last)).for_each(LastCommit::has_moved);
        let failed = self.failed.extract_if(.., |last| of(last));
        let mut ended: Vec<QueueKey> = failed.map(|last| last.key).collect();
        ended.extend(self.firsts.extract_if(.., |last| of(last)).map(|last| last.key));
        ended
    }

    /// The queue whose last commit is on its way under that key.
    pub(super) fn queue(&self, key: QueueKey) -> Option<(BrokerId, QueueName)> {
        self.under_way.get(&key).map(|last| (last.broker, last.name.clone()))
    }

    /// Of how many queues no last commit was stored, if nothing more comes.
    pub(super) fn unstored(&self) -> usize {
        self.lost + self.under_way.len() + self.failed.len()
    }
}

impl Consumers {
    /// Last commits that failed are given again.
    pub(super) fn commit_again(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        sub: SubscriptionId,
    ) {
        let Some(consumer) = self.get_mut(sub) else { return };
        consumer.lasts.timer = None;
        for last in std::mem::take(&mut consumer.lasts.failed) {
            let (key, late) = (last.key, !last.is_alone(ctx.fx.now));
            if late || !consumer.commit_last(ctx, known, last) {
                consumer.committed_last(ctx, key);
            }
        }
        consumer.unregister_if_committed(ctx);
    }
}

impl Consumer {
    /// Commits a queue that is no longer in the consumer's table, as far as it was settled: once no
    /// other commit of it is under way, which could arrive late and take the offset back. Whether
    /// there is a commit to be waited for.
    pub(super) fn commit_given_up(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        key: QueueKey,
        queue: &Queue,
    ) -> bool {
        let offset = queue.to_store(ctx.fx.now).filter(|_| self.auto_commits());
        let elsewhere = || queue.keeper.committed().filter(|_| is_elsewhere(ctx, known, queue));
        let asked = || queue.owed().or_else(|| queue.keeper.to_repeat_last()).or_else(elsewhere);
        let offset = offset.or_else(|| asked().filter(|_| self.local.is_none()));
        let Some(offset) = offset else { return false };
        if let Some(local) = &mut self.local {
            local.put_last(&mut ctx.fx, &queue.name, (key, offset));
            return true;
        }
        let alone = match queue.lock() {
            _ if self.is_leaving() => None,
            // It is unlocked behind its last commit.
            Lock::Held { until } => Some(until),
            // Others of our kind read the offset after a pause.
            _ => Some(ctx.fx.now + self.bounds.handover_pause / 2),
        };
        let last = LastCommit::new(key, queue, offset, alone);
        if queue.keeper.under_way().is_some() || self.predecessors.holds(key) {
            self.predecessors.waits(key, Heir::Last(last));
            return true;
        }
        self.commit_last(ctx, known, last)
    }

    /// Sends a queue's last commit. False if it comes to nothing: nobody who is away is waited for.
    pub(super) fn commit_last(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        last: LastCommit,
    ) -> bool {
        if last.moved {
            return false;
        }
        if self.send_commit(ctx, known, (last.key, last.offset), &last.name, last.broker).is_none()
        {
            if last.failed > 0 {
                return self.last_failed(ctx, last);
            }
            // Whoever keeps it is away already: that is not waited for.
            self.lasts.lost += usize::from(last.alone.is_none());
            return false;
        }
        self.commits.sent(last.broker);
        self.lasts.under_way.insert(last.key, last);
        true
    }

    /// A last commit was refused, or came to nothing. It is given again while nobody else can have
    /// committed, which is so until a consumer that leaves has left. Of a queue that another member
    /// reads by now, an offset that comes late may replace a later one. False if it comes to
    /// nothing.
    pub(super) fn last_failed(&mut self, ctx: &mut Context, mut last: LastCommit) -> bool {
        last.failed += 1;
        let at = ctx.fx.now + AGAIN * (1 << (last.failed - 1));
        let late = last.moved
            || !last.is_alone(at)
            || (last.alone.is_none() && self.phase != Phase::Committing);
        if last.failed == TRIES || late {
            self.lasts.lost += usize::from(last.alone.is_none() && !last.moved);
            return false;
        }
        if self.lasts.timer.is_none() {
            let timer = TimerKind::Consumer(ConsumerTimer::CommitAgain(self.id));
            self.lasts.timer = Some(ctx.fx.timers.at(at, timer));
        }
        self.lasts.failed.push(last);
        true
    }

    /// A commit has ended: whether it was a queue's last one, and is given again: since it failed,
    /// or since it came first.
    pub(super) fn last_ended(&mut self, ctx: &mut Context, key: QueueKey, stored: bool) -> bool {
        match self.lasts.under_way.remove(&key) {
            Some(last) if stored => self.last_stored(ctx.fx.now, last),
            Some(last) => self.last_failed(ctx, last),
            None => false,
        }
    }

    /// What a queue's last commit says is stored: whether it is given once more, as it may have
    /// come with other first ones.
    pub(super) fn last_stored(&mut self, now: Instant, last: LastCommit) -> bool {
        let again = last.is_repeated(now);
        self.lasts.firsts.extend(again.then_some(last));
        again
    }

    /// First offsets of queues that were given up are given once more when all commits that their
    /// broker has were answered: another one may take long. Those for which it is too late by then
    /// end with what was answered.
    pub(super) fn repeat_firsts(&mut self, ctx: &mut Context, known: Known<'_>) {
        let now = ctx.fx.now;
        let due =
            |last: &mut LastCommit| !last.is_repeated(now) || !self.commits.are_at(last.broker);
        let due: Vec<LastCommit> = self.lasts.firsts.extract_if(.., due).collect();
        for last in due {
            let (key, again) = (last.key, last.is_repeated(now));
            if !again || !self.commit_last(ctx, known, LastCommit { first: false, ..last }) {
                self.committed_last(ctx, key);
            }
        }
    }

    /// An administrator has moved the group in these queues: what was settled of those that were
    /// given up is not committed once more.
    pub(super) fn forget_lasts(&mut self, ctx: &mut Context, are: impl Fn(&QueueName) -> bool) {
        self.predecessors.have_moved(&are);
        for key in self.lasts.have_moved(are) {
            self.committed_last(ctx, key);
        }
        self.unregister_if_committed(ctx);
    }

    /// How long a commit waits for its answer: one of a consumer that leaves so long that there is
    /// time for another.
    pub(super) fn commit_within(&self, config: &Config) -> Duration {
        if self.is_leaving() {
            config.request_timeout.min(config.shutdown_timeout / 3)
        } else {
            config.request_timeout
        }
    }

    /// A queue is given up whose lock is not ours any more, or may not be: what was settled of it
    /// is not committed, since another member may have committed more.
    pub(super) fn lose_settled(&mut self, ctx: &Context, queue: &Queue) {
        let begun = !matches!(queue.lock(), Lock::Wanted);
        if self.is_leaving() && begun && queue.to_store(ctx.fx.now).is_some() {
            self.lasts.lost += 1;
        }
    }

    /// The queues that are held still are given up without a commit.
    pub(super) fn lose_uncommitted(&mut self, ctx: &Context) {
        if !self.auto_commits() {
            return;
        }
        // What a store is to be given is counted with the rest of that.
        let given =
            |name: &QueueName| self.local.as_ref().is_some_and(|local| local.is_given(name));
        let lacks = |queue: &Queue| queue.to_store(ctx.fx.now).is_some() && !given(&queue.name);
        self.lasts.lost += self.queues.iter().filter(|(_, queue)| lacks(queue)).count();
    }

    /// Queues whose offsets are not stored as far as they were settled, if nothing more is done.
    pub(super) fn uncommitted(&self) -> usize {
        let unsaved = self.local.as_ref().map_or(0, Local::unsaved);
        self.lasts.unstored() + self.predecessors.lasts() + unsaved
    }
}
