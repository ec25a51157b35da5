//! Rules of the application's own.

use std::fmt::Debug;
use std::sync::Arc;

use super::{Allocation, AllocationError, Queue};
use crate::contain::contained;

/// A rule of the application's own (`AllocateMessageQueueStrategy`). All members of a group must
/// use the same one, which gives each queue to one of them.
///
/// It is called without the client's lock: by the handles on a thread that may block, where their
/// runtime has such. While it has not returned, the shares of that topic stay as they are, and so
/// they do where it fails or panics: it is asked again after a pause that grows.
///
/// ```
/// use std::sync::Arc;
/// use rocketry_core::allocation::{Allocate, Question, Strategy};
///
/// /// Queue 0 of every broker goes to the first member, all others to the last.
/// #[derive(Debug)]
/// struct FirstAndLast;
///
/// impl Allocate for FirstAndLast {
///     fn name(&self) -> &str {
///         "FIRST_AND_LAST"
///     }
///
///     fn allocate(&self, question: &Question<'_>) -> Result<Vec<usize>, String> {
///         let first = question.members.first().is_some_and(|id| **id == *question.me);
///         let last = question.members.last().is_some_and(|id| **id == *question.me);
///         let queues = question.queues.iter().enumerate();
///         let own = queues.filter(|(_, queue)| if queue.id == 0 { first } else { last });
///         Ok(own.map(|(place, _)| place).collect())
///     }
/// }
///
/// let rule = Strategy::Custom(Arc::new(FirstAndLast));
/// assert_eq!(rule.name(), "FIRST_AND_LAST");
/// ```
pub trait Allocate: Debug + Send + Sync {
    /// Its name, as brokers and logs show it.
    fn name(&self) -> &str;

    /// The places in [`Question::queues`] that are this member's, in any order.
    ///
    /// # Errors
    ///
    /// Why it can't tell: nothing changes hands then.
    fn allocate(&self, question: &Question<'_>) -> Result<Vec<usize>, String>;
}

/// What a rule of the application's own is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Question<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Its queues, by broker and number.
    pub queues: &'a [Queue],
    /// The client ids of the group's members, sorted.
    pub members: &'a [Arc<str>],
    /// The client id of the member whose share is asked for, one of them.
    pub me: &'a str,
}

impl Allocation {
    /// The share of `me` by a rule of the application's, when only these queues and members exist.
    pub(super) fn own(
        &self,
        rule: &dyn Allocate,
        queues: &[usize],
        members: &[usize],
        me: usize,
    ) -> Result<Vec<usize>, AllocationError> {
        let all = queues.len() == self.queues.len() && members.len() == self.members.len();
        let (some_queues, some_members): (Vec<Queue>, Vec<Arc<str>>) = if all {
            (Vec::new(), Vec::new())
        } else {
            let of_queue = |at: &usize| self.queues[*at].clone();
            let of_member = |at: &usize| self.members[*at].clone();
            (queues.iter().map(of_queue).collect(), members.iter().map(of_member).collect())
        };
        let question = Question {
            topic: &self.topic,
            queues: if all { &self.queues } else { &some_queues },
            members: if all { &self.members } else { &some_members },
            me: &self.members[me],
        };
        let asked = contained(|| {
            let own = |reason: String| {
                let rule = rule.name().into();
                AllocationError::Own { rule, reason: reason.into() }
            };
            rule.allocate(&question).map_err(own)
        });
        let mut share = asked.unwrap_or(Err(AllocationError::Panicked))?;
        share.sort_unstable();
        share.dedup();
        let place = |place: usize| {
            let queue = queues.get(place).copied();
            queue.ok_or(AllocationError::Place { place, queues: queues.len() })
        };
        share.into_iter().map(place).collect()
    }
}
