//! What the workers of one consumer share: how messages are opened, settled and told of.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::delivery::{Delivery, OnUnreadable, Unreadable};
use super::super::driving::log_once;
use super::super::opening::Opening;
use super::super::received::Settlement;
use super::super::shared::Shared;
use super::super::work::Work;
use super::feed::Feed;
use super::options::RunOptions;
use super::seat::Seat;
use super::slice::Claim;
use super::tally::{RunStats, Tally};
use super::verdict::{Handled, Verdict};
use crate::contain::contained;
use crate::name::{Group, QueueName};
use crate::time::Instant;

/// A handler that fails on every message is told of once in this time.
const APART: Duration = Duration::from_secs(1);

/// Makes the work of one worker.
pub(in crate::client) type MakeWork = dyn Fn(Arc<Pool>, Seat) -> Work + Send + Sync;

/// What the workers of one consumer share.
pub(in crate::client) struct Pool {
    pub(super) feed: Arc<Feed>,
    pub(super) options: RunOptions,
    opening: Opening,
    group: Option<Group>,
    tallies: Mutex<Vec<Arc<Tally>>>,
    make: Box<MakeWork>,
    /// When a failure was last told, in nanoseconds, and how many were not told since.
    told: AtomicU64,
    untold: AtomicU64,
}

impl Pool {
    pub(super) fn new(
        feed: Arc<Feed>,
        options: RunOptions,
        opening: Opening,
        make: Box<MakeWork>,
    ) -> Arc<Self> {
        let sub = feed.control().sub;
        let group = feed.shared().run(|core, _| core.engine.group(sub)).flatten();
        let (tallies, told, untold) = Default::default();
        Arc::new(Self { feed, options, opening, group, tallies, make, told, untold })
    }

    /// The consumer's group; empty where it had left before its handlers began.
    fn group(&self) -> &str {
        self.group.as_ref().map_or("", Group::as_str)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.feed.shared()
    }

    /// Has so many workers, or the nearest number that is allowed, and says how many.
    pub(super) fn resize(self: &Arc<Self>, workers: usize) -> io::Result<usize> {
        let workers = self.options.clamp(workers);
        self.occupy(self.feed.resize(workers))?;
        Ok(workers)
    }

    /// Has workers for those that were lost.
    pub(super) fn refill(self: &Arc<Self>) -> io::Result<()> {
        self.occupy(self.feed.vacant())
    }

    fn occupy(self: &Arc<Self>, seats: Vec<Seat>) -> io::Result<()> {
        for seat in seats {
            self.shared().host().spawn((self.make)(self.clone(), seat))?;
        }
        Ok(())
    }

    pub(super) fn stats(&self) -> RunStats {
        let mut stats = RunStats { workers: self.feed.workers().0, ..RunStats::default() };
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().for_each(|tally| stats.add(tally));
        stats
    }

    /// The tally of a worker: that of the one before it in the same seat goes on.
    pub(super) fn tally(&self, seat: &Seat) -> Arc<Tally> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        while tallies.len() <= seat.slot {
            tallies.push(Arc::default());
        }
        tallies[seat.slot].clone()
    }

    pub(super) fn now(&self) -> Instant {
        self.shared().clock().now()
    }

    /// Opens what was claimed. What can't be read, or is not wanted, is dealt with here.
    pub(super) fn open(&self, claim: &Claim, tally: &Tally) -> Option<Delivery> {
        let Claim { batch, index, again } = claim;
        let at = (*index, *again);
        let opened = self.opening.open(batch, at, self.shared())?;
        opened.map_err(|unreadable| self.unread(unreadable, tally)).ok()
    }

    fn unread(&self, unreadable: Unreadable, tally: &Tally) {
        if self.opening.unreadable == OnUnreadable::Stop {
            let within = self.shared().config().shutdown_timeout;
            drop(self.feed.control().drain(within));
        }
        Tally::add(&tally.unreadable, 1);
        let call = |call: &Arc<dyn Fn(&Unreadable) -> Verdict + Send + Sync>| {
            contained(|| call(&unreadable))
        };
        let verdict = match self.options.unreadable().map(call) {
            Some(Some(verdict)) => verdict,
            Some(None) => {
                let place = (&unreadable.queue, unreadable.offset);
                self.tell(place, &"the callback for unreadable messages panicked");
                Verdict::Retry
            }
            None => {
                let fate = match self.opening.unreadable {
                    OnUnreadable::Hold => "the group's offset waits for it",
                    OnUnreadable::Settle => "it is passed",
                    OnUnreadable::DeadLetters => "it goes to the dead letters",
                    OnUnreadable::Stop => "the consumer stops",
                };
                self.tell_unread(&unreadable, fate);
                // Dropped, it comes again after pauses that grow.
                return drop(unreadable);
            }
        };
        match verdict {
            Verdict::Ack => _ = unreadable.ack(),
            Verdict::Reject => {
                Tally::add(&tally.failed, 1);
                unreadable.reject();
            }
            Verdict::RetryHere(pause) | Verdict::RetryAfter(pause) => {
                unreadable.retry_here(pause);
            }
            // As if it was dropped: after pauses that grow.
            Verdict::Retry => drop(unreadable),
        }
    }

    /// Tells of a message that can't be read, and of what becomes of it.
    fn tell_unread(&self, unreadable: &Unreadable, fate: &str) {
        let (client, group) = (self.shared().client_id(), self.group());
        let QueueName { topic, broker, queue } = &unreadable.queue;
        let offset = unreadable.offset.unwrap_or(-1);
        say(|| {
            log::warn!(
                target: "rocketry",
                client:% = client, group = group, topic:% = topic, broker:% = broker,
                queue = queue, offset = offset;
                "{unreadable}; {fate}"
            );
        });
    }

    /// A handler has ended, or panicked: what it says of the message is done, and counted.
    pub(super) fn ended(
        &self,
        delivery: Delivery,
        handled: Option<Handled>,
        took: Duration,
        tally: &Tally,
    ) {
        tally.took(took);
        let verdict = self.verdict(&[&delivery], handled, tally);
        self.settle(delivery, verdict, tally);
    }

    /// What is to become of messages whose handler has ended, or panicked, which is told.
    pub(super) fn verdict(
        &self,
        messages: &[&Delivery],
        handled: Option<Handled>,
        tally: &Tally,
    ) -> Verdict {
        let place = || messages.first().map(|first| (first.queue(), first.offset()));
        match handled {
            Some(Handled { verdict, error: None }) => verdict,
            Some(Handled { verdict, error: Some(error) }) => {
                place().into_iter().for_each(|place| self.tell(place, &error));
                verdict
            }
            None => {
                Tally::add(&tally.panicked, 1);
                place().into_iter().for_each(|place| self.tell(place, &"it panicked"));
                Verdict::Retry
            }
        }
    }

    /// Settles a message as its handler says.
    pub(super) fn settle(&self, delivery: Delivery, verdict: Verdict, tally: &Tally) {
        let acked = verdict == Verdict::Ack;
        Tally::add(if acked { &tally.handled } else { &tally.failed }, 1);
        let settlement = match verdict {
            Verdict::Ack => delivery.ack(),
            Verdict::Retry => delivery.retry(),
            Verdict::RetryAfter(pause) => delivery.retry_after(pause),
            Verdict::RetryHere(pause) => delivery.retry_here(pause),
            Verdict::Reject => delivery.reject(),
        };
        match settlement {
            Settlement::Taken => {}
            Settlement::Moved => Tally::add(&tally.moved, 1),
            Settlement::TimedOut => Tally::add(&tally.timed_out, 1),
        }
    }

    /// Tells of a handler that failed, once a second at most.
    fn tell(&self, (queue, offset): (&QueueName, Option<i64>), why: &dyn fmt::Display) {
        let now = self.now();
        let last = self.told.load(Ordering::Relaxed);
        let due = last == 0 || now.since(Instant::from_nanos(last)) >= APART;
        let won = due && {
            let (mine, relaxed) = (now.as_nanos().max(1), Ordering::Relaxed);
            self.told.compare_exchange(last, mine, relaxed, relaxed).is_ok()
        };
        if !won {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (client, more) = (self.shared().client_id(), self.untold.swap(0, Ordering::Relaxed));
        let (QueueName { topic, broker, queue: number }, group) = (queue, self.group());
        let offset = offset.unwrap_or(-1);
        say(|| {
            log::warn!(
                target: "rocketry",
                client:% = client, group = group, topic:% = topic, broker:% = broker,
                queue = number, offset = offset, failures_before = more;
                "the handler of message {offset} of {queue} failed: {why}{}",
                Untold(more)
            );
        });
    }
}

/// How many failures were left out since the last one that was told.
struct Untold(u64);

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            left_out => write!(f, " ({left_out} failures before it were not told)"),
        }
    }
}

/// Writes a record. An appender that panics harms no worker.
fn say(write: impl FnOnce()) {
    contained(|| log_once(write));
}
