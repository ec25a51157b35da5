//! What of a queue is out, where its messages are handled in their order.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | free | a run of messages is taken | out |
//! | out | all of the run is settled | free |
//! | | a message of it is given back, or whoever has it goes on elsewhere | recalled |
//! | recalled | the pause is over, and all that was handed out is settled or given back | free |
//!
//! A run is what is left of one pull. What of a recalled run is not settled comes first again: the
//! next message is never handed out before those before it are settled.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::consumer::handouts::Due;
use crate::consumer::{Batch, Handout};

/// The messages of one queue that are handled in their order.
#[derive(Debug, Default)]
pub(in crate::consumer) struct Order {
    /// What waits for what is before it.
    line: VecDeque<Handout>,
    out: Option<Run>,
}

/// A run that somebody has, or had.
#[derive(Debug)]
struct Run {
    batch: Arc<Batch>,
    /// Which of its batch's it is.
    number: u32,
    /// Messages that were given back.
    back: BTreeSet<u32>,
    /// Until then the queue rests.
    due: Option<Due>,
    /// Nothing more is handed out of it.
    recalled: bool,
}

impl Run {
    fn is_over(&self) -> bool {
        let back = |index: &u32| self.batch.is_settled(*index) || self.back.contains(index);
        let returned = || self.recalled && (0..self.batch.handed()).all(|index| back(&index));
        self.due.is_none() && (self.batch.open() == 0 || returned())
    }
}

impl Order {
    /// What a pull brought.
    pub(in crate::consumer) fn push(&mut self, handout: Handout) {
        self.line.push_back(handout);
    }

    /// What was to be handed out is not, for now.
    pub(in crate::consumer) fn put_back(&mut self, handout: Handout) {
        self.line.push_front(handout);
    }

    /// The next run, unless one is out.
    pub(in crate::consumer) fn next(&mut self) -> Option<Handout> {
        if self.out.is_some() { None } else { self.line.pop_front() }
    }

    /// A run is taken.
    pub(in crate::consumer) fn begin(&mut self, handout: &Handout) {
        let (back, due, recalled) = Default::default();
        let (batch, number) = (handout.batch.clone(), handout.run);
        self.out = Some(Run { batch, number, back, due, recalled });
    }

    /// Nothing more is handed out of the run that is out. Its taker learns it by the run's number.
    pub(in crate::consumer) fn recall(&mut self) {
        if let Some(run) = &mut self.out
            && !std::mem::replace(&mut run.recalled, true)
        {
            run.batch.recall();
        }
    }

    /// Whoever has a run hands out nothing more of it, for now. What was counted as handed out, and
    /// was not, since the queue was to go elsewhere in that moment, is back. False: it is no run
    /// that is out.
    pub(in crate::consumer) fn park(&mut self, rest: &Handout) -> bool {
        let is_this = |run: &Run| run.batch.id() == rest.batch.id() && run.number == rest.run;
        if !self.out.as_ref().is_some_and(is_this) {
            return false;
        }
        self.recall();
        if let Some(run) = &mut self.out {
            run.back.extend(rest.next..rest.end.min(rest.batch.handed()));
        }
        true
    }

    /// The batch that a run is out of.
    pub(in crate::consumer) fn out_of(&self) -> Option<u64> {
        self.out.as_ref().map(|run| run.batch.id().number)
    }

    /// Whether a message was given back, and comes again with its run.
    pub(in crate::consumer) fn is_back(&self, number: u64, index: u32) -> bool {
        let back = |run: &Run| run.batch.id().number == number && run.back.contains(&index);
        self.out.as_ref().is_some_and(back)
    }

    /// A message is given back, and comes again no sooner than at `due`. Gives the time that was
    /// set before, and counts no more.
    pub(in crate::consumer) fn give_back(&mut self, index: u32, due: Due) -> Option<Due> {
        self.recall();
        let run = self.out.as_mut()?;
        run.back.insert(index);
        run.due.replace(due)
    }

    /// The same, where it does not come again here.
    pub(in crate::consumer) fn keep(&mut self, index: u32) {
        self.recall();
        if let Some(run) = &mut self.out {
            run.back.insert(index);
        }
    }

    /// Until when the queue rests.
    pub(in crate::consumer) fn due(&self) -> Option<Due> {
        self.out.as_ref()?.due
    }

    /// The pause is over.
    pub(in crate::consumer) fn pause_over(&mut self) {
        if let Some(run) = &mut self.out {
            run.due = None;
        }
    }

    /// Ends the run that is out, if it is over: what is left of it comes first. Gives its batch.
    pub(in crate::consumer) fn end(&mut self) -> Option<Arc<Batch>> {
        let run = self.out.take_if(|run| run.is_over())?;
        run.batch.unwatch();
        if let Some(next) = run.batch.first_open() {
            run.batch.rewind(next);
            self.line.push_front(Handout { next, ..Handout::whole(run.batch.clone()) });
        }
        Some(run.batch)
    }

    /// What must hold between two calls: a run that is over was ended.
    pub(super) fn check(&self) {
        let over = self.out.as_ref().is_some_and(Run::is_over);
        assert!(!over || self.out.as_ref().is_some_and(|run| !run.recalled), "a run is over");
        let numbers = self.line.iter().map(|handout| handout.batch.id().number);
        assert!(numbers.is_sorted(), "runs are out of their order");
    }
}
