//! Who answers checks of half messages: code of the application's, called without the lock, one
//! message after the other.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outcome::outcome;
use super::work::Work;
use crate::contain::contained;
use crate::id::CheckId;
use crate::transaction::{CheckedHalf, Resolution};

/// What a checker that is a task gives.
type Said = Pin<Box<dyn Future<Output = Resolution> + Send>>;

/// Code of the application's.
#[derive(Clone)]
pub(super) enum Checker {
    /// It may block: it has a thread of its own.
    Blocking(Arc<dyn Fn(&CheckedHalf) -> Resolution + Send + Sync>),
    /// It is a task of the runtime.
    Task(Arc<dyn Fn(Arc<CheckedHalf>) -> Said + Send + Sync>),
}

impl Checker {
    pub(super) fn task<F>(check: impl Fn(Arc<CheckedHalf>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Resolution> + Send + 'static,
    {
        Self::Task(Arc::new(move |half| Box::pin(check(half))))
    }
}

struct Waiting {
    checks: VecDeque<(CheckId, Arc<CheckedHalf>)>,
    /// Somebody is at it.
    running: bool,
}

/// One group's checker, and the half messages that it has not looked at.
pub(crate) struct Checking {
    checker: Mutex<Checker>,
    waiting: Mutex<Waiting>,
}

impl fmt::Debug for Checking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checking")
    }
}

impl Checking {
    pub(super) fn new(checker: Checker) -> Self {
        let waiting = Waiting { checks: VecDeque::new(), running: false };
        Self { checker: Mutex::new(checker), waiting: Mutex::new(waiting) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn checker(&self) -> Checker {
        self.checker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another checker in the place of this one, for what has not begun. Gives the one before,
    /// which may be the last of its kind: to be dropped without any lock.
    pub(super) fn set(&self, checker: Checker) -> Checker {
        let mut kept = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kept, checker)
    }

    /// Keeps a half message to be looked at, under the client's lock.
    pub(super) fn keep(&self, check: CheckId, half: Arc<CheckedHalf>) {
        self.waiting().checks.push_back((check, half));
    }

    /// The work of looking at all that waits, unless somebody is at it. `answer` tells, and is
    /// false once there is nobody to be told.
    pub(super) fn begin(
        self: Arc<Self>,
        answer: impl Fn(CheckId, Resolution) -> bool + Send + Sync + 'static,
    ) -> Option<Work> {
        {
            let mut waiting = self.waiting();
            if waiting.running || waiting.checks.is_empty() {
                return None;
            }
            waiting.running = true;
        }
        Some(match self.checker() {
            Checker::Blocking(_) => Work::Blocking(Box::new(move || {
                while let Some((check, half)) = self.next() {
                    // One that was replaced meanwhile is dropped here: the broker asks again.
                    let said = contained(|| match self.checker() {
                        Checker::Blocking(call) => Some(call(&half)),
                        Checker::Task(_) => None,
                    });
                    if !answer(check, said.flatten().unwrap_or(Resolution::Unknown)) {
                        return;
                    }
                }
            })),
            Checker::Task(_) => Work::Task(Box::pin(async move {
                while let Some((check, half)) = self.next() {
                    let future = contained(|| match self.checker() {
                        Checker::Task(call) => Some(call(half)),
                        Checker::Blocking(_) => None,
                    });
                    let said = match future.flatten() {
                        Some(future) => outcome(future).await,
                        None => None,
                    };
                    if !answer(check, said.unwrap_or(Resolution::Unknown)) {
                        return;
                    }
                }
            })),
        })
    }

    /// The next one; without any, nobody is at it any more.
    fn next(&self) -> Option<(CheckId, Arc<CheckedHalf>)> {
        let mut waiting = self.waiting();
        let next = waiting.checks.pop_front();
        waiting.running = next.is_some();
        next
    }

    /// Nobody can be at it: gives what waits.
    pub(super) fn give_up(&self) -> Vec<CheckId> {
        let mut waiting = self.waiting();
        waiting.running = false;
        waiting.checks.drain(..).map(|(check, _)| check).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::id::Slots;
    use crate::message::RecordList;
    use crate::name::Group;

    fn halves(count: usize) -> Vec<(CheckId, Arc<CheckedHalf>)> {
        let mut ids = Slots::<CheckId, ()>::default();
        let half = CheckedHalf { group: Group::new("g").unwrap(), records: RecordList::default() };
        (0..count).map(|_| (ids.insert(()), Arc::new(half.clone()))).collect()
    }

    #[test]
    fn all_that_wait_are_answered_once_in_order_and_a_panic_is_unknown() {
        let calls = AtomicU32::new(0);
        let checking = Arc::new(Checking::new(Checker::Blocking(Arc::new(move |_| {
            assert_ne!(calls.fetch_add(1, Ordering::Relaxed), 1, "a checker's own fault");
            Resolution::Commit
        }))));
        let halves = halves(3);
        halves.iter().for_each(|(check, half)| checking.keep(*check, half.clone()));
        let said: Arc<Mutex<Vec<_>>> = Arc::default();
        let told = said.clone();
        let work = checking.clone().begin(move |check, resolution| {
            told.lock().unwrap().push((check, resolution));
            true
        });
        let Some(Work::Blocking(work)) = work else { panic!("there is something to do") };
        assert!(checking.clone().begin(|_, _| true).is_none(), "somebody is at it");
        work();
        use Resolution::{Commit, Unknown};
        let expected = halves.iter().map(|(check, _)| *check).zip([Commit, Unknown, Commit]);
        assert_eq!(*said.lock().unwrap(), expected.collect::<Vec<_>>());
        assert!(checking.begin(|_, _| true).is_none(), "there is nothing left");
    }
}
