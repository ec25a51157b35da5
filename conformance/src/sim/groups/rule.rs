//! The rules by which groups share their queues.

use std::sync::Arc;

use rocketry_core::allocation::{Allocate, Question, Strategy};

/// One queue after the other to the members in turn, the last member first.
#[derive(Debug)]
struct Backwards;

impl Allocate for Backwards {
    fn name(&self) -> &'static str {
        "BACKWARDS"
    }

    fn allocate(&self, question: &Question<'_>) -> Result<Vec<usize>, String> {
        let (count, me) = (question.members.len(), question.me);
        let place = question.members.iter().position(|id| **id == *me);
        let place = place.ok_or_else(|| format!("{me} is no member"))?;
        let mine = |queue: &usize| count - 1 - queue % count == place;
        Ok((0..question.queues.len()).filter(mine).collect())
    }
}

/// A rule of the applications' own.
pub(super) fn own() -> Strategy {
    Strategy::Custom(Arc::new(Backwards))
}

/// One of the rules that there are.
pub(super) fn numbered(number: u64) -> Strategy {
    match number {
        0 | 1 => Strategy::Average,
        2 => Strategy::Circle,
        3 => Strategy::ConsistentHash { virtual_nodes: 10 },
        _ => own(),
    }
}
