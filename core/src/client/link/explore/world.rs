//! A link, an engine with a few frames, and what each actor holds. A lock is held for one step.

use std::sync::{Arc, LazyLock};
use std::task::{Wake, Waker};

use super::super::{Action, Backlog, Halves, Traffic};
use super::actors::{Caller, Reader, Task};
use crate::error::CloseReason;

/// What one call is, and what the engine does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Send,
    /// Ends when it is taken out.
    Oneway,
    /// Messages: who waits for them reads as callers do, and sleeps where they are long in coming.
    Pull,
    /// Anything else.
    Query,
}

/// What may happen in a world.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Who makes which calls; each caller makes all of its own, then waits for one after the other.
    pub(super) calls: &'static [(usize, Kind)],
    /// With so many sends in flight a caller writes by itself.
    pub(super) alone: u32,
    /// Callers read for themselves.
    pub(super) lends: bool,
    /// Writes of callers that the system takes nothing of.
    pub(super) partial: u8,
    /// Writes that fail.
    pub(super) breaks: u8,
    /// The stream may end at any time.
    pub(super) closes: bool,
}

/// Who is woken, and who acts: callers are 0 and 1.
pub(super) const TASK: usize = 2;
pub(super) const READER: usize = 3;

struct Nobody(#[expect(dead_code, reason = "so that each has a place of its own")] usize);

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

static WAKERS: LazyLock<[Waker; 4]> =
    LazyLock::new(|| std::array::from_fn(|actor| Waker::from(Arc::new(Nobody(actor)))));

pub(super) fn waker(actor: usize) -> &'static Waker {
    &WAKERS[actor]
}

fn woken_by(waker: &Waker) -> usize {
    WAKERS.iter().position(|known| known.will_wake(waker)).expect("an actor's waker")
}

/// The writer: calls taken out and not written.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwritten(pub(super) Vec<usize>);

impl Backlog for Unwritten {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The half with which one reads.
#[derive(Clone, Debug)]
pub(super) struct Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    New,
    Waits { parked: bool },
    Ended,
}

/// A write that an actor has to do without the lock.
#[derive(Clone, Debug)]
pub(super) enum Writing {
    Yield(Unwritten),
    Write(Unwritten, u8),
    Written(Unwritten, super::super::Written, u8),
}

/// What an actor has to do after unlocking.
#[derive(Clone, Debug, Default)]
pub(super) struct Hand {
    pub(super) write: Option<Writing>,
    pub(super) wakes: Vec<usize>,
}

impl Hand {
    pub(super) const fn is_empty(&self) -> bool {
        self.write.is_none() && self.wakes.is_empty()
    }
}

#[derive(Clone, Debug)]
pub(super) struct World {
    /// `None` once the connection is closed.
    pub(super) link: Option<Halves<Unwritten, Stream>>,
    /// Calls whose frames wait for a writer.
    queue: Vec<usize>,
    /// That has been said, and the queue has not been empty since.
    raised: bool,
    /// It is to be said.
    transmit: bool,
    pub(super) calls: Vec<Call>,
    /// Calls that have ended, until somebody drains.
    pub(super) events: Vec<usize>,
    /// Answers to what was written.
    pub(super) inbox: Vec<usize>,
    /// The stream has ended: reading finds it after what is in the inbox.
    pub(super) eof: bool,
    /// Something was deferred, and every drain looks whether it is much.
    deferred: bool,
    pub(super) hands: [Hand; 4],
    pub(super) woken: [bool; 4],
    pub(super) callers: [Caller; 2],
    pub(super) task: Task,
    pub(super) reader: Reader,
    pub(super) partial: u8,
    pub(super) breaks: u8,
}

/// The engine's side, as the link sees it.
pub(super) struct Seen {
    frames: usize,
    sends: u32,
    alone: u32,
    pulls: bool,
    oneway: bool,
    only_messages: bool,
    parked: bool,
}

impl Traffic for Seen {
    /// Two frames are many.
    fn frames(&self) -> usize {
        self.frames * super::super::DEFERRED / 2
    }

    fn has_frames(&self) -> bool {
        self.frames > 0
    }

    fn sends(&self) -> u32 {
        self.sends
    }

    fn is_crowded(&self) -> bool {
        self.sends > self.alone
    }

    fn has_pulls(&self) -> bool {
        self.pulls
    }

    fn has_oneway(&self) -> bool {
        self.oneway
    }

    fn only_messages(&self) -> bool {
        self.only_messages
    }

    fn others_wait(&self) -> bool {
        self.parked || !self.only_messages
    }
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            link: Some(Halves::new(Unwritten::default())),
            queue: Vec::new(),
            raised: false,
            transmit: false,
            calls: vec![Call::New; plan.calls.len()],
            events: Vec::new(),
            inbox: Vec::new(),
            eof: false,
            deferred: false,
            hands: Default::default(),
            woken: [false; 4],
            callers: [Caller::Send(0); 2],
            task: Task::Run { yielded: false },
            reader: Reader::Own,
            partial: plan.partial,
            breaks: plan.breaks,
        }
    }

    pub(super) fn seen(&self, plan: &Plan) -> Seen {
        let under_way = |kind| {
            let of = self.calls.iter().zip(plan.calls);
            of.filter(|(call, (_, of))| matches!(call, Call::Waits { .. }) && *of == kind).count()
        };
        Seen {
            frames: self.queue.len(),
            sends: under_way(Kind::Send) as u32,
            alone: plan.alone,
            pulls: under_way(Kind::Pull) > 0,
            oneway: self.queue.iter().any(|call| plan.calls[*call].1 == Kind::Oneway),
            only_messages: under_way(Kind::Query) == 0,
            parked: self.calls.contains(&Call::Waits { parked: true }),
        }
    }

    /// The engine takes a call.
    pub(super) fn begin(&mut self, call: usize) {
        if self.link.is_none() {
            self.calls[call] = Call::Ended;
            return;
        }
        self.calls[call] = Call::Waits { parked: false };
        self.queue.push(call);
        self.transmit |= !std::mem::replace(&mut self.raised, true);
    }

    /// Takes all frames out.
    pub(super) fn fill(&mut self, plan: &Plan, writer: &mut Unwritten) {
        for call in self.queue.drain(..) {
            if plan.calls[call].1 == Kind::Oneway {
                self.events.push(call);
            }
            writer.0.push(call);
        }
        self.raised = false;
    }

    /// What every hold of the lock by `Shared::run` ends with.
    pub(super) fn drain(&mut self, plan: &Plan, actor: usize) {
        self.end_calls(plan, actor);
        if std::mem::take(&mut self.transmit) {
            let (seen, busy) = (self.seen(plan), self.hands[actor].write.is_some());
            let action = self.link.as_mut().map(|link| link.transmit(&seen, busy));
            self.carry_out(plan, actor, action.unwrap_or(Action::Nothing));
        }
        self.end_calls(plan, actor);
        if self.deferred && self.hands[actor].write.is_none() {
            self.deferred = false;
            let seen = self.seen(plan);
            let action = self.link.as_mut().map(|link| link.gathered(&seen));
            self.carry_out(plan, actor, action.unwrap_or(Action::Nothing));
        }
    }

    fn end_calls(&mut self, plan: &Plan, actor: usize) {
        for call in std::mem::take(&mut self.events) {
            let ended = std::mem::replace(&mut self.calls[call], Call::Ended);
            if ended == (Call::Waits { parked: true }) {
                self.hands[actor].wakes.push(plan.calls[call].0);
            }
        }
    }

    pub(super) fn carry_out(&mut self, plan: &Plan, actor: usize, action: Action<Unwritten>) {
        match action {
            Action::Write(mut writer) => {
                self.fill(plan, &mut writer);
                self.hands[actor].write = Some(Writing::Write(writer, 0));
            }
            Action::YieldAndWrite(writer) => self.hands[actor].write = Some(Writing::Yield(writer)),
            Action::Wake(waker) => self.hands[actor].wakes.push(woken_by(&waker)),
            Action::Defer => self.deferred = true,
            Action::Close(_) => self.close(plan, actor),
            Action::Nothing => {}
        }
    }

    fn close(&mut self, plan: &Plan, actor: usize) {
        let Some(mut link) = self.link.take() else { return };
        assert!(link.idle_writer().is_some(), "closed while somebody writes");
        self.hands[actor].wakes.extend(link.gone().as_ref().map(woken_by));
        (self.queue, self.raised) = (Vec::new(), false);
        let open = (0..self.calls.len()).filter(|at| matches!(self.calls[*at], Call::Waits { .. }));
        self.events = open.collect();
        self.end_calls(plan, actor);
    }

    /// The reader, or a caller that reads for it, takes one answer in; `Err` is the end.
    pub(super) fn read(&mut self, plan: &Plan, actor: usize) -> Result<(), CloseReason> {
        if self.inbox.is_empty() {
            return Err(CloseReason::Ended);
        }
        let call = self.inbox.remove(0);
        self.events.push(call);
        self.drain(plan, actor);
        Ok(())
    }

    /// Whether something can be read.
    pub(super) const fn is_readable(&self) -> bool {
        self.eof || !self.inbox.is_empty()
    }

    /// The system takes what was written, and the answers are there.
    pub(super) fn written(&mut self, plan: &Plan, writer: &mut Unwritten) {
        let answered = |call: &usize| plan.calls[*call].1 != Kind::Oneway;
        let answers = writer.0.drain(..).filter(answered);
        self.inbox.extend(answers);
    }

    /// What does not hold that must.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let link = self.link.as_ref()?;
        let callers = self.hands.iter().filter(|hand| hand.write.is_some()).count();
        let holders = callers + usize::from(self.task.holds());
        if holders != usize::from(link.write.is_held()) {
            return Some("not one holder of the writer while it is held");
        }
        let reading = self.callers.iter().filter(|caller| caller.reads()).count();
        if reading + usize::from(self.reader.reads()) > 1 {
            return Some("two read");
        }
        let calls = self.callers.iter().any(|caller| matches!(caller, Caller::Call(_)));
        let called = self.woken[READER] || self.hands.iter().any(|h| h.wakes.contains(&READER));
        let parked = self.calls.contains(&Call::Waits { parked: true });
        if parked && link.wanted_back().is_some() && !calls && !called {
            return Some("one is parked for what nobody reads, but for the reader's look");
        }
        let unwritten = link.idle_writer().is_some_and(|writer| !writer.is_empty());
        let waits = unwritten || !self.queue.is_empty();
        let held = link.write.is_held();
        let owed = self.task.will_look()
            || self.woken[TASK]
            || self.hands.iter().any(|hand| hand.wakes.contains(&TASK));
        let due = link.read.is_deferred() && self.reader.looks();
        // A stream that has ended is seen by its reader, which closes the link.
        (waits && !held && !owed && !due && !self.eof).then_some("frames wait for nobody")
    }

    /// Everybody has what they wanted, and everything is written unless the link is closed.
    pub(super) fn has_ended(&self) -> bool {
        let idle = self.hands.iter().all(Hand::is_empty);
        let left = self.link.as_ref().and_then(|link| link.idle_writer());
        let written = self.link.is_none()
            || self.queue.is_empty() && left.is_some_and(|writer| writer.is_empty());
        let over = !self.eof || self.link.is_none();
        idle && written && over && self.callers.iter().all(|caller| *caller == Caller::Done)
    }
}
