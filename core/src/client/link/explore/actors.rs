//! What each actor can do next, as the handles and the driver do it.

use super::super::{Action, Borrowed, ReadTurn, WriteTurn, Written};
use super::world::{Call, Kind, Plan, READER, Stream, TASK, Unwritten, World, Writing, waker};
use crate::error::CloseReason;

/// Writes that a caller does for others that came while it wrote.
const AGAIN: u8 = 1;

/// A thread that sends, then waits; the number is the place among its own calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Send(usize),
    /// It would read for itself.
    Borrow(usize),
    Read(usize),
    /// It has read, and looks whether its call has ended.
    Look(usize),
    PutBack(usize),
    /// It has read for long enough, and nothing came.
    GiveUp(usize),
    /// It has seen the end of the stream while it read.
    PutEnd(usize),
    /// It looks for its result, and leaves its waker.
    Park(usize),
    /// It has left its waker: somebody is to read.
    Call(usize),
    Parked(usize),
    Done,
}

impl Caller {
    pub(super) const fn reads(self) -> bool {
        matches!(
            self,
            Self::Read(_) | Self::Look(_) | Self::PutBack(_) | Self::GiveUp(_) | Self::PutEnd(_)
        )
    }
}

/// The writing task.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Run { yielded: bool },
    Write(Unwritten),
    Wrote(Unwritten, Written),
    Wait,
    Gone,
}

impl Task {
    pub(super) const fn holds(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Wrote(..))
    }

    /// It asks what to do before it waits.
    pub(super) const fn will_look(&self) -> bool {
        matches!(self, Self::Run { .. })
    }
}

/// The connection's own reader.
#[derive(Clone, Debug)]
pub(super) enum Reader {
    Own,
    /// Callers would rather read by themselves.
    Offer,
    Away,
    End(CloseReason),
    Gone,
}

impl Reader {
    pub(super) const fn reads(&self) -> bool {
        matches!(self, Self::Own | Self::Offer)
    }

    pub(super) const fn looks(&self) -> bool {
        matches!(self, Self::Away)
    }
}

type Steps = Vec<(String, World)>;

impl World {
    /// What can happen next, and what comes of it.
    pub(super) fn steps(&self, plan: &Plan) -> Steps {
        let mut steps = Steps::new();
        for actor in 0..self.hands.len() {
            let mut next = self.clone();
            if !self.hands[actor].is_empty() {
                self.finish(plan, actor, &mut steps);
            } else if match actor {
                TASK => next.task(plan),
                READER => next.reader(plan),
                caller => next.caller(plan, caller),
            } {
                let done = match actor {
                    TASK => format!("task {:?}", self.task),
                    READER => format!("reader {:?}", self.reader),
                    caller => format!("caller {caller} {:?}", self.callers[caller]),
                };
                steps.push((done, next));
            }
        }
        if let Task::Write(_) = self.task {
            self.break_write(TASK, &mut steps);
        }
        if plan.closes && !self.eof {
            let mut next = self.clone();
            next.eof = true;
            steps.push(("close".to_owned(), next));
        }
        steps
    }

    /// What is left to do after unlocking: `Shared::finish`.
    fn finish(&self, plan: &Plan, actor: usize, steps: &mut Steps) {
        let mut next = self.clone();
        let hand = &mut next.hands[actor];
        let done = match hand.write.take() {
            Some(Writing::Yield(mut writer)) => {
                next.fill(plan, &mut writer);
                // The lock is held for the filling, and what comes of it is done after the write.
                next.hands[actor].write = Some(Writing::Write(writer, AGAIN));
                next.drain(plan, actor);
                "fills"
            }
            Some(Writing::Write(mut writer, again)) => {
                let wrote = if again > 0 { Written::Again } else { Written::Done };
                if self.partial > 0 && !writer.0.is_empty() {
                    let mut full = self.clone();
                    full.partial -= 1;
                    let write = Writing::Written(writer.clone(), wrote, again);
                    full.hands[actor].write = Some(write);
                    steps.push((format!("{actor} finds the system full"), full));
                }
                self.break_write(actor, steps);
                next.written(plan, &mut writer);
                next.hands[actor].write = Some(Writing::Written(writer, wrote, again));
                "writes"
            }
            Some(Writing::Written(writer, wrote, again)) => {
                if let Some(writer) = next.give_back(plan, actor, writer, wrote) {
                    next.hands[actor].write = Some(Writing::Write(writer, again - 1));
                }
                next.drain(plan, actor);
                "gives the writer back"
            }
            None => {
                if let Some(who) = hand.wakes.pop() {
                    next.woken[who] = true;
                }
                "wakes"
            }
        };
        steps.push((format!("{actor} {done}"), next));
    }

    fn break_write(&self, actor: usize, steps: &mut Steps) {
        if self.breaks == 0 && !self.eof {
            return;
        }
        let mut next = self.clone();
        (next.breaks, next.eof) = (self.breaks.saturating_sub(1), true);
        if let Task::Write(writer) = &self.task
            && actor == TASK
        {
            next.task = Task::Wrote(writer.clone(), Written::Broken);
        } else if let Some(Writing::Write(writer, _)) = next.hands[actor].write.take() {
            next.hands[actor].write = Some(Writing::Written(writer, Written::Broken, 0));
        }
        steps.push((format!("{actor} fails to write"), next));
    }

    fn give_back(
        &mut self,
        plan: &Plan,
        actor: usize,
        writer: Unwritten,
        wrote: Written,
    ) -> Option<Unwritten> {
        let seen = self.seen(plan);
        match self.link.as_mut()?.wrote(writer, wrote, &seen) {
            Action::Write(mut writer) => {
                self.fill(plan, &mut writer);
                Some(writer)
            }
            action => {
                self.carry_out(plan, actor, action);
                None
            }
        }
    }

    /// A step of the writing task. False: it waits.
    fn task(&mut self, plan: &Plan) -> bool {
        let seen = self.seen(plan);
        match std::mem::replace(&mut self.task, Task::Gone) {
            Task::Run { yielded } => {
                let turn = self.link.as_mut().map_or(WriteTurn::Gone, |link| {
                    link.turn(waker(TASK), &mut None, yielded, &seen)
                });
                self.task = match turn {
                    WriteTurn::Write(mut writer) => {
                        self.fill(plan, &mut writer);
                        Task::Write(writer)
                    }
                    WriteTurn::Yield { .. } => Task::Run { yielded: true },
                    WriteTurn::Wait => Task::Wait,
                    WriteTurn::Gone => Task::Gone,
                };
            }
            Task::Write(mut writer) => {
                self.written(plan, &mut writer);
                self.task = Task::Wrote(writer, Written::Done);
            }
            Task::Wrote(writer, wrote) => {
                let kept = self.give_back(plan, TASK, writer, wrote);
                assert!(kept.is_none(), "a task gives the writer back each time");
                self.drain(plan, TASK);
                self.task = Task::Run { yielded: false };
            }
            Task::Wait => {
                self.task = Task::Wait;
                if std::mem::take(&mut self.woken[TASK]) {
                    self.task = Task::Run { yielded: false };
                    return true;
                }
                return false;
            }
            Task::Gone => return false,
        }
        true
    }

    /// A step of the connection's reader. While it is away it may look at any time.
    fn reader(&mut self, plan: &Plan) -> bool {
        let seen = self.seen(plan);
        match std::mem::replace(&mut self.reader, Reader::Gone) {
            Reader::Own if !self.is_readable() => {
                self.reader = Reader::Own;
                return false;
            }
            Reader::Own => {
                self.reader = match self.read(plan, READER) {
                    Err(reason) => Reader::End(reason),
                    Ok(()) => {
                        let seen = self.seen(plan);
                        let lends =
                            plan.lends && self.link.as_ref().is_some_and(|l| l.may_lend(&seen));
                        if lends { Reader::Offer } else { Reader::Own }
                    }
                };
            }
            Reader::Offer => {
                let link = self.link.as_mut();
                let lent =
                    link.is_some_and(|l| l.lend(Stream, waker(READER).clone(), &seen).is_ok());
                self.reader = if lent { Reader::Away } else { Reader::Own };
            }
            Reader::Away => {
                self.woken[READER] = false;
                let (look, action) = self
                    .link
                    .as_mut()
                    .map_or((ReadTurn::Ended(CloseReason::Ended), Action::Nothing), |link| {
                        link.take_back(&seen)
                    });
                self.carry_out(plan, READER, action);
                self.reader = match look {
                    ReadTurn::Read(Stream) => Reader::Own,
                    ReadTurn::Wait => Reader::Away,
                    ReadTurn::Ended(reason) => Reader::End(reason),
                };
            }
            Reader::End(reason) => {
                assert!(self.eof, "a stream that goes on is given up");
                let action = self.link.as_mut().map(|link| link.end(reason));
                self.carry_out(plan, READER, action.unwrap_or(Action::Nothing));
                self.drain(plan, READER);
            }
            Reader::Gone => return false,
        }
        true
    }

    /// A step of a caller. False: it waits, or has done.
    fn caller(&mut self, plan: &Plan, who: usize) -> bool {
        let own: Vec<_> = (0..plan.calls.len()).filter(|call| plan.calls[*call].0 == who).collect();
        let ended = |world: &Self, at: usize| world.calls[own[at]] == Call::Ended;
        let wait = if plan.lends { Caller::Borrow } else { Caller::Park };
        let after = |at: usize| if at + 1 < own.len() { wait(at + 1) } else { Caller::Done };
        let seen = self.seen(plan);
        self.callers[who] = match self.callers[who] {
            Caller::Send(at) => {
                self.begin(own[at]);
                self.drain(plan, who);
                if at + 1 < own.len() { Caller::Send(at + 1) } else { wait(0) }
            }
            Caller::Borrow(at) if ended(self, at) => Caller::Park(at),
            Caller::Borrow(at) => self.borrow(plan, who, at),
            // Its patience runs out: the call may have ended otherwise.
            Caller::Read(at) if !self.is_readable() && ended(self, at) => Caller::Look(at),
            Caller::Read(at) if !self.is_readable() && plan.calls[own[at]].1 == Kind::Pull => {
                Caller::GiveUp(at)
            }
            Caller::Read(_) if !self.is_readable() => return false,
            Caller::Read(at) => match self.read(plan, who) {
                Ok(()) => Caller::Look(at),
                Err(_) => Caller::PutEnd(at),
            },
            Caller::Look(at) if ended(self, at) => Caller::PutBack(at),
            Caller::Look(at) => Caller::Read(at),
            Caller::PutBack(at) | Caller::PutEnd(at) | Caller::GiveUp(at) => {
                let read = self.callers[who] != Caller::PutEnd(at);
                let has = self.callers[who] == Caller::PutBack(at);
                let result = if read { Ok(Stream) } else { Err(CloseReason::Ended) };
                let action = self.link.as_mut().map(|link| link.put_back(result, &seen));
                self.carry_out(plan, who, action.unwrap_or(Action::Nothing));
                if has { after(at) } else { Caller::Park(at) }
            }
            Caller::Park(at) if ended(self, at) => after(at),
            Caller::Park(at) => {
                self.calls[own[at]] = Call::Waits { parked: true };
                Caller::Call(at)
            }
            Caller::Call(at) => {
                self.call_reader(plan, who);
                Caller::Parked(at)
            }
            Caller::Parked(at) if std::mem::take(&mut self.woken[who]) => Caller::Park(at),
            Caller::Parked(_) | Caller::Done => return false,
        };
        true
    }

    /// `Shared::wake_readers`.
    fn call_reader(&mut self, plan: &Plan, who: usize) {
        if let Some(waker) = self.link.as_ref().and_then(|link| link.wanted_back()) {
            self.carry_out(plan, who, Action::Wake(waker.clone()));
        }
    }

    /// `Shared::borrow`: the half of the connection, and what is to be written before.
    fn borrow(&mut self, plan: &Plan, who: usize, at: usize) -> Caller {
        let seen = self.seen(plan);
        let alone =
            self.calls.iter().filter(|call| matches!(call, Call::Waits { .. })).count() == 1;
        let awaits = alone || super::super::Traffic::only_messages(&seen);
        let link = self.link.as_mut().filter(|_| awaits);
        let Some(Borrowed { half: Stream, writer }) = link.and_then(|link| link.borrow(&seen))
        else {
            self.call_reader(plan, who);
            return Caller::Park(at);
        };
        if let Some(writer) = writer {
            self.carry_out(plan, who, Action::Write(writer));
        }
        Caller::Read(at)
    }
}
