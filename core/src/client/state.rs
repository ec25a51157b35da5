//! Everything behind the lock, and who waits for what the engine gives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use super::after_unlock::{AfterUnlock, OffsetJob};
use super::checking::Checking;
use super::ended::{EndError, Ended, Stops};
use super::link::{Action, Open, Writer};
use super::links::{Links, On, Parked};
use super::subscribed::Consumers;
use super::waiting::{RequestEnd, SendEnd, Waiting};
use super::wall::Wall;
use crate::effects::Leftover;
use crate::engine::{Command, Engine, Event};
use crate::id::{CheckId, ConnectionId, OpId, SubscriptionId};
use crate::name::Group;
use crate::query::Answer;
use crate::time::{Instant, UnixMillis};
use crate::transaction::CheckedHalf;

/// Everything behind the lock.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) waiting: Waiting,
    pub(crate) consumers: Consumers,
    /// Who answers checks of half messages, and how many transaction producers each group has.
    pub(super) checkers: BTreeMap<Group, (usize, Arc<Checking>)>,
    pub(super) links: Links,
    /// What the pump is to begin.
    pub(crate) tasks: VecDeque<Command>,
    pub(crate) pump: Option<Waker>,
    /// What the pump's timer is set to.
    pub(crate) armed: Instant,
    pub(crate) stops: Stops,
    pub(super) wall: Wall,
    /// What consumers left undone, once the client ends.
    pub(super) leftover: Option<Leftover>,
    pub(crate) stopped: bool,
    /// The runtime is gone, or a thread panicked under the lock.
    pub(crate) gone: bool,
    /// That was before the client had stopped.
    pub(super) cut_short: bool,
}

impl Core {
    /// Nobody waits for anything yet. With up to `alone` sends in flight a caller writes by itself.
    pub(super) fn new(engine: Engine, wall: Wall, alone: u32) -> Self {
        Self {
            engine,
            waiting: Waiting::default(),
            consumers: Consumers::new(),
            checkers: BTreeMap::new(),
            links: Links::new(alone),
            tasks: VecDeque::new(),
            pump: None,
            armed: Instant::FAR,
            stops: Stops::default(),
            wall,
            leftover: None,
            stopped: false,
            gone: false,
            cut_short: false,
        }
    }

    /// Sorts what the engine gave to those who wait for it.
    pub(crate) fn drain(&mut self, now: Instant, after: &mut AfterUnlock) {
        self.drain_effects(now, after);
        if self.links.look_at_deferred(&mut self.engine, now, after) {
            // What was taken out for a write may have ended calls, and let others begin.
            self.drain_effects(now, after);
        }
        let next = self.engine.next_timeout().unwrap_or(Instant::FAR);
        if next < self.armed {
            self.armed = next;
            after.wakers.extend(self.pump.take());
        }
    }

    fn drain_effects(&mut self, now: Instant, after: &mut AfterUnlock) {
        self.drain_events(after);
        while let Some(command) = self.engine.poll_command() {
            self.command(now, command, after);
            self.drain_events(after);
        }
    }

    /// Tells the engine if the wall clock was set, or the machine has slept.
    pub(super) fn sync(&mut self, now: Instant, unix: UnixMillis) {
        if let Some(input) = self.wall.look(now, unix) {
            self.engine.handle(now, input);
        }
    }

    /// A connection with a socket, and what is under way on it.
    pub(super) fn open(&mut self, conn: ConnectionId) -> Option<(&mut Open, On<'_>)> {
        let parked = Parked { calls: self.waiting.parked(), consumers: Some(&self.consumers) };
        self.links.open(conn, &self.engine, parked)
    }

    /// Takes out of the engine what waits for a writer.
    pub(super) fn fill(&mut self, conn: ConnectionId, writer: &mut Writer) {
        writer.fill(|| self.engine.poll_frame(conn));
    }

    /// Does what a link asks for, or leaves it for after the lock.
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        conn: ConnectionId,
        action: Action<Box<Writer>>,
        after: &mut AfterUnlock,
    ) {
        self.links.carry_out(&mut self.engine, now, conn, action, after);
    }

    fn drain_events(&mut self, after: &mut AfterUnlock) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Sent { op, publish, result } => {
                    after.spent.push(publish);
                    after.wakers.extend(self.waiting.end(op, SendEnd::Sent(result)));
                }
                Event::Handed { op, publish } => {
                    after.spent.push(publish);
                    after.wakers.extend(self.waiting.end(op, SendEnd::Handed));
                }
                Event::Replied { op, result } => {
                    after.wakers.extend(self.waiting.end(op, RequestEnd(result)));
                }
                Event::OnewayLost { messages } => after.spent.extend(messages),
                Event::Spent { messages, bodies } => {
                    after.spent.extend(messages);
                    after.bodies.extend(bodies);
                }
                Event::Committed { op, result } => {
                    after.wakers.extend(self.waiting.end(op, result));
                }
                Event::TransactionEnded { op, result } => {
                    after.wakers.extend(self.waiting.end(op, result));
                }
                Event::Check { check, group, half } => {
                    after.checks.extend(self.to_check(check, &group, half));
                }
                Event::Answered { op, answer } => after.wakers.extend(self.answered(op, answer)),
                Event::Deliverable { sub } => {
                    let consumer = self.consumers.get_mut(&sub);
                    after.wakers.extend(consumer.and_then(|consumer| consumer.waker.take()));
                }
                Event::QueuesChanged { sub, gained, lost } => {
                    let consumer = self.consumers.get(&sub);
                    if let Some(listener) = consumer.and_then(|consumer| consumer.listener.as_ref())
                    {
                        listener.keep(gained, lost);
                        after.listeners.push(listener.clone());
                    }
                }
                Event::TopicQueues { sub, topic, queues } => {
                    let consumer = self.consumers.get(&sub);
                    if let Some(listener) = consumer.and_then(|consumer| consumer.listener.as_ref())
                    {
                        listener.keep_topic(topic, queues);
                        after.listeners.push(listener.clone());
                    }
                }
                Event::FilterRefused { sub, refused } => {
                    let consumer = self.consumers.get_mut(&sub);
                    after.wakers.extend(consumer.and_then(|consumer| consumer.refuse(refused)));
                }
                Event::RuleSpent { rule } => after.rules.push(rule),
                Event::StoreSpent { store } => after.stores.push(store),
                Event::Left { sub, leftover } => {
                    let consumer = self.consumers.get_mut(&sub);
                    after.listeners.extend(consumer.and_then(|consumer| consumer.listener.take()));
                    after.wakers.extend(self.left(sub, leftover));
                }
                Event::Note(note) => after.notes.push(note),
                Event::Stopped => {
                    self.stopped = true;
                    after.wakers.extend(self.stops.take_all());
                    after.wakers.extend(self.pump.take());
                }
            }
        }
    }

    /// A broker asks about a half message. Gives who is to look at it.
    fn to_check(
        &self,
        check: CheckId,
        group: &Group,
        half: Arc<CheckedHalf>,
    ) -> Option<Arc<Checking>> {
        let (_, checking) = self.checkers.get(group)?;
        checking.keep(check, half);
        Some(checking.clone())
    }

    /// A question has ended. Gives who is to be woken.
    fn answered(&mut self, op: OpId, answer: Answer) -> Option<Waker> {
        match answer {
            Answer::Queues(result) => self.waiting.end(op, result),
            Answer::Writable(result) => self.waiting.end(op, result),
            Answer::Offset(result) => self.waiting.end(op, result),
            Answer::Response(result) => self.waiting.end(op, result.map(|response| *response)),
        }
    }

    fn command(&mut self, now: Instant, command: Command, after: &mut AfterUnlock) {
        match command {
            Command::Connect { conn, .. } => {
                self.links.begin(conn);
                self.tasks.push_back(command);
                after.wakers.extend(self.pump.take());
            }
            Command::Fetch { .. } => {
                self.tasks.push_back(command);
                after.wakers.extend(self.pump.take());
            }
            Command::Compute { job } => after.jobs.push(job),
            Command::Load { job } => after.offsets.push(OffsetJob::Load(job)),
            Command::Save { job } => after.offsets.push(OffsetJob::Save(job)),
            Command::Transmit { conn } => {
                let busy = after.write.is_some();
                let Some((open, on)) = self.open(conn) else { return };
                let action = open.halves.transmit(&on, busy);
                self.carry_out(now, conn, action, after);
            }
            Command::Close { conn, .. } => self.links.shut(&mut self.engine, now, conn, after),
        }
    }

    /// Ends every wait with an error: nobody moves bytes any more.
    pub(super) fn abandon(&mut self, after: &mut AfterUnlock) {
        if std::mem::replace(&mut self.gone, true) {
            return;
        }
        self.cut_short = !self.stopped;
        self.stopped = true;
        self.waiting.abandon(&mut after.wakers);
        after.wakers.extend(self.stops.take_all());
        after.wakers.extend(self.pump.take());
        for (_, consumer) in std::mem::take(&mut self.consumers) {
            after.wakers.extend(consumer.waker.into_iter().chain(consumer.watchers));
            after.listeners.extend(consumer.listener);
        }
        self.links.abandon(after);
    }
}

impl Core {
    /// How the client ended; or `waker` is kept until it has, in the place of the one left there.
    pub(super) fn end_of_all(
        &mut self,
        place: &mut Option<usize>,
        waker: &mut Option<Waker>,
    ) -> Option<Result<Ended, EndError>> {
        if !self.stopped {
            self.stops.keep(place, waker);
            return None;
        }
        Some(self.in_time().map(|()| Ended::with(self.leftover.unwrap_or_default())))
    }

    const fn in_time(&self) -> Result<(), EndError> {
        if self.cut_short { Err(EndError::RuntimeGone) } else { Ok(()) }
    }

    /// A consumer has left. Gives who is to be woken.
    pub(super) fn left(&mut self, sub: SubscriptionId, leftover: Leftover) -> Vec<Waker> {
        if let Some(all) = &mut self.leftover {
            *all += leftover;
        }
        let Some(consumer) = self.consumers.get_mut(&sub) else { return Vec::new() };
        consumer.left = Some(leftover);
        let mut wakers = std::mem::take(&mut consumer.watchers);
        wakers.extend(consumer.waker.take());
        if consumer.watching == 0 {
            self.consumers.remove(&sub);
        }
        wakers
    }

    /// Somebody wants to know how a consumer leaves.
    pub(super) fn watch(&mut self, sub: SubscriptionId) {
        if let Some(consumer) = self.consumers.get_mut(&sub) {
            consumer.watching += 1;
        }
    }

    /// One of them does not any more. Gives wakers, which are for dropping after the lock.
    pub(super) fn unwatch(&mut self, sub: SubscriptionId) -> Vec<Waker> {
        let Some(consumer) = self.consumers.get_mut(&sub) else { return Vec::new() };
        consumer.watching = consumer.watching.saturating_sub(1);
        if consumer.watching > 0 {
            return Vec::new();
        }
        let wakers = std::mem::take(&mut consumer.watchers);
        if consumer.left.is_some() {
            self.consumers.remove(&sub);
        }
        wakers
    }

    /// How a consumer left; or `waker` is kept until it has, unless it is there already.
    pub(super) fn end_of(
        &mut self,
        sub: SubscriptionId,
        waker: &mut Option<Waker>,
    ) -> Option<Result<Ended, EndError>> {
        let Some(consumer) = self.consumers.get_mut(&sub) else {
            return Some(self.in_time().map(|()| Ended::InOrder));
        };
        if let Some(leftover) = consumer.left {
            let ended = Ok(Ended::with(leftover));
            let refused = consumer.refused.clone().map(EndError::Filter);
            return Some(refused.map_or(ended, Err));
        }
        let known = |own: &Waker| consumer.watchers.iter().any(|kept| kept.will_wake(own));
        if !waker.as_ref().is_some_and(known) {
            consumer.watchers.extend(waker.take());
        }
        None
    }
}
