//! Where the answer to a pull leads: held to that answer's own limits and to what came in it.
//!
//! A broker's numbers may be damaged, or those of another queue. One that is believed where it
//! can't be true skips the queue for the whole group and for good, so only what was delivered,
//! filtered or reported may be passed. Gaps within an answer are the broker's filter.
//!
//! Answers to code `PULL_MESSAGE` (11), as `DefaultMessageStore.getMessage` makes them.

use std::ops::Range;

use crate::frame::ResponseCode;
use crate::frame::reply::PullReply;

/// Messages one answer looks through at most (`maxFilterMessageSize`). Java's brokers read the end
/// of a queue first and its messages then: an answer may go past the end that it names, and by no
/// more than it looked at.
const LOOK: i64 = 800;

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextOffset {
    /// From this offset: what is before it was delivered or filtered.
    On(i64),
    /// The offset asked for is not in the queue, which is to be taken anew from this one.
    Moved(i64),
    /// There is nothing new: from the same offset.
    Same,
    /// The answer can't be true: from the same offset, and aloud.
    Astray,
}

/// What an answer says, and which of it can be.
#[derive(Clone, Copy, Debug)]
pub(super) struct PullAnswer {
    /// The offset asked for.
    pub(super) asked: i64,
    /// Where the broker says that it goes on.
    pub(super) next: i64,
    /// The queue's first offset.
    pub(super) min: i64,
    /// The queue's end.
    pub(super) max: i64,
}

impl PullAnswer {
    pub(super) const fn new(asked: i64, fields: &PullReply) -> Self {
        let PullReply { next_begin_offset, min_offset, max_offset, .. } = fields;
        Self { asked, next: *next_begin_offset, min: *min_offset, max: *max_offset }
    }

    const fn has_limits(&self) -> bool {
        0 <= self.min && self.min <= self.max
    }

    /// The end of what the answer can have looked at.
    fn reach(&self) -> i64 {
        self.max.max(self.asked.saturating_add(LOOK))
    }

    /// The offsets that messages of this answer can have. None, where it can't have any.
    pub(super) fn places(&self) -> Range<i64> {
        if self.has_limits() && self.asked < self.max { self.asked..self.reach() } else { 0..0 }
    }

    /// Where messages lead, the last of which is at `last`; `None`: no place of them can be read.
    pub(super) fn found(&self, last: Option<i64>) -> NextOffset {
        let least = last.unwrap_or(self.asked).saturating_add(1);
        if (least..=self.max).contains(&self.next) {
            return NextOffset::On(self.next);
        }
        match last {
            Some(_) => NextOffset::On(least),
            None => NextOffset::Astray,
        }
    }

    /// Whether messages came with a next offset that nothing explains.
    pub(super) fn overreaches(&self) -> bool {
        self.next > self.reach()
    }

    /// Where an answer without messages leads.
    pub(super) fn empty(&self, code: ResponseCode) -> NextOffset {
        match code {
            ResponseCode::PULL_OFFSET_MOVED => {
                let there = self.has_limits() && (self.min..=self.max).contains(&self.next);
                if there && self.next != self.asked {
                    NextOffset::Moved(self.next)
                } else {
                    NextOffset::Astray
                }
            }
            _ if self.next <= self.asked => NextOffset::Same,
            _ if !self.has_limits() || self.next > self.reach() => NextOffset::Astray,
            // What came while the broker looked is looked at again.
            _ if self.next > self.max && self.max <= self.asked => NextOffset::Same,
            _ => NextOffset::On(self.next.min(self.max)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn told(asked: i64, next: i64, min: i64, max: i64) -> PullAnswer {
        PullAnswer { asked, next, min, max }
    }

    #[test]
    fn messages_lead_to_where_the_broker_says_within_its_own_limits() {
        for (told, last, next) in [
            (told(3, 6, 0, 9), Some(5), NextOffset::On(6)),
            // A filter left 6 and 7 out.
            (told(3, 8, 0, 9), Some(5), NextOffset::On(8)),
            (told(3, 3, 0, 9), Some(5), NextOffset::On(6)),
            (told(3, 10, 0, 9), Some(5), NextOffset::On(6)),
            (told(3, i64::MAX, 0, 9), Some(5), NextOffset::On(6)),
            (told(3, 12, 0, 9), Some(11), NextOffset::On(12)),
            (told(3, 6, 0, 9), None, NextOffset::On(6)),
            (told(3, 3, 0, 9), None, NextOffset::Astray),
            (told(3, 10, 0, 9), None, NextOffset::Astray),
        ] {
            assert_eq!(told.found(last), next, "{told:?} {last:?}");
        }
        assert!(!told(3, 10, 0, 9).overreaches() && told(3, 804, 0, 9).overreaches());
        assert_eq!(told(3, 6, 0, 9).places(), 3..803);
        assert_eq!(told(3, 6, 0, 5000).places(), 3..5000);
        for odd in [told(3, 6, 0, 0), told(3, 6, 0, 3), told(3, 6, 9, 8), told(3, 6, -1, 8)] {
            assert!(odd.places().is_empty(), "{odd:?}");
        }
    }

    #[test]
    fn answers_without_messages_lead_on_within_their_limits_and_else_nowhere() {
        let none = ResponseCode::PULL_RETRY_IMMEDIATELY;
        for (told, next) in [
            (told(3, 6, 0, 9), NextOffset::On(6)),
            (told(3, 9, 0, 9), NextOffset::On(9)),
            (told(3, 3, 0, 9), NextOffset::Same),
            (told(3, 2, 0, 9), NextOffset::Same),
            (told(3, 11, 0, 9), NextOffset::On(9)),
            (told(9, 11, 0, 9), NextOffset::Same),
            (told(3, 804, 0, 9), NextOffset::Astray),
            (told(3, i64::MAX, 0, 9), NextOffset::Astray),
            (told(3, 6, 9, 8), NextOffset::Astray),
            // Nothing new in an empty queue.
            (told(0, 0, 0, 0), NextOffset::Same),
        ] {
            assert_eq!(told.empty(none), next, "{told:?}");
            assert_eq!(told.empty(ResponseCode::PULL_NOT_FOUND), next, "{told:?}");
        }
    }

    #[test]
    fn an_offset_is_moved_both_ways_but_not_out_of_the_queue() {
        for (told, next) in [
            (told(3, 6, 6, 9), NextOffset::Moved(6)),
            (told(30, 9, 6, 9), NextOffset::Moved(9)),
            (told(30, 0, 0, 0), NextOffset::Moved(0)),
            (told(3, 5, 6, 9), NextOffset::Astray),
            (told(30, 10, 6, 9), NextOffset::Astray),
            (told(30, i64::MAX, 6, 9), NextOffset::Astray),
            (told(30, -1, -1, 9), NextOffset::Astray),
            (told(30, 8, 9, 7), NextOffset::Astray),
            // A slave that does not correct (`offsetCheckInSlave`).
            (told(30, 30, 6, 9), NextOffset::Astray),
        ] {
            assert_eq!(told.empty(ResponseCode::PULL_OFFSET_MOVED), next, "{told:?}");
        }
    }
}
