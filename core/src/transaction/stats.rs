//! What transactions have come to, for those who watch.

use std::fmt;
use std::time::Duration;

use super::Transactions;
use super::by_id::all;
use crate::time::{Instant, Rounded};

/// The transactions of one client: what there is now, and what was done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionStats {
    /// Half messages begun here that nobody has decided.
    pub undecided: usize,
    /// The age of the oldest of them.
    pub oldest: Option<Duration>,
    /// Verdicts that are kept for checks.
    pub kept: usize,
    /// Checks that wait for the application's word.
    pub asking: usize,
    /// Half messages that were begun.
    pub begun: u64,
    /// Ends that brokers have confirmed as committed, those that they had asked for included.
    pub committed: u64,
    /// Ends that brokers have confirmed as rolled back, likewise.
    pub rolled_back: u64,
    /// Ends that no broker has confirmed.
    pub unconfirmed: u64,
    /// Half messages that were left to their brokers' checks.
    pub left: u64,
    /// Copies that checks were about of messages that were in their topics already: they were
    /// rolled back, which is among the others.
    pub copies: u64,
    /// Checks that came.
    pub checks: u64,
    /// Those of them that were answered as unknown.
    pub checks_unknown: u64,
    /// Those of them that were not answered: of a group without a transaction producer here, too
    /// many at once, or their connection was gone.
    pub checks_unanswered: u64,
}

impl Transactions {
    /// What there is and was.
    pub(crate) fn stats(&self, now: Instant) -> TransactionStats {
        TransactionStats {
            undecided: self.halves.len(),
            oldest: all(&self.halves).map(|(_, half)| now.since(half.since)).max(),
            kept: self.verdicts.len(),
            asking: self.asking.len(),
            ..self.counted
        }
    }
}

impl TransactionStats {
    /// Whether there never was a transaction, nor a check.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for TransactionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { undecided, begun, committed, rolled_back, unconfirmed, left, .. } = self;
        write!(
            f,
            "transactions: {begun} begun, {committed} committed, {rolled_back} rolled back, \
             {unconfirmed} unconfirmed, {left} left to checks; {undecided} undecided"
        )?;
        if let Some(oldest) = self.oldest {
            write!(f, ", the oldest for {}", Rounded(oldest))?;
        }
        let Self { checks, checks_unknown, checks_unanswered, asking, .. } = self;
        write!(
            f,
            "; {checks} checks, {checks_unknown} answered as unknown, {checks_unanswered} not, \
             {asking} being asked"
        )
    }
}
