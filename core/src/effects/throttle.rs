//! How many notes are told: one line for each change of state, but a thing that changes all the
//! time must not fill a disk.
//!
//! Of the notes about one subject (a peer's connection, a group's share of a topic, a queue), the
//! first four of a minute are told. What follows is counted; when the minute is over, the last of
//! them is told with the count, so that the last line about a subject is always its present state.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Note;
use super::facts::Subject;
use crate::time::Instant;

/// Notes about one subject within one [`WINDOW`].
const LINES: u32 = 4;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    left_out: u64,
    last: Option<Note>,
}

/// What was told of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    windows: BTreeMap<Subject, Window>,
    /// When the first window ends that something was left out of.
    due: Option<Instant>,
    suppressed: u64,
    /// So many subjects are kept before those are dropped that nothing was told of for a while.
    room: usize,
}

/// Subjects that are kept without a look at them.
const ROOM: usize = 64;

impl Throttle {
    /// The note as it is to be told now, if it is.
    pub(crate) fn admit(&mut self, now: Instant, note: Note) -> Option<Note> {
        if self.windows.len() >= self.room.max(ROOM) {
            // Each look costs as much as there is, and comes when that has doubled.
            self.windows
                .retain(|_, window| window.left_out > 0 || now.since(window.began) < WINDOW);
            self.room = 2 * self.windows.len();
        }
        let fresh = || Window { began: now, lines: 0, left_out: 0, last: None };
        let window = self.windows.entry(note.subject()).or_insert_with(fresh);
        if now.since(window.began) >= WINDOW && window.left_out == 0 {
            *window = fresh();
        }
        if window.lines < LINES {
            window.lines += 1;
            return Some(note);
        }
        window.left_out += 1;
        window.last = Some(note);
        let end = window.began + WINDOW;
        self.due = Some(self.due.map_or(end, |due| due.min(end)));
        None
    }

    /// Nothing more is told: what was left out so far stays counted.
    pub(crate) fn end(&mut self) {
        self.suppressed += self.windows.values().map(|window| window.left_out).sum::<u64>();
        self.windows.clear();
        self.due = None;
    }

    /// When [`flush`](Self::flush) has something to tell.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Notes that were left out for good.
    pub(crate) const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Ends the windows that are over: gives the last note of each that something was left out of.
    pub(crate) fn flush(&mut self, now: Instant) -> Vec<Note> {
        let mut told = Vec::new();
        if self.due.is_none_or(|due| due > now) {
            return told;
        }
        self.windows.retain(|_, window| {
            if now.since(window.began) < WINDOW {
                return true;
            }
            let Some(last) = window.last.take() else { return false };
            let suppressed = window.left_out - 1;
            self.suppressed += suppressed;
            told.push(if suppressed == 0 {
                last
            } else {
                Note::Repeated { last: Box::new(last), suppressed }
            });
            *window = Window { began: now, lines: 1, left_out: 0, last: None };
            true
        });
        let open = self.windows.values().filter(|window| window.left_out > 0);
        self.due = open.map(|window| window.began + WINDOW).min();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PeerKind;
    use crate::name::Endpoint;

    fn note(port: u16) -> Note {
        let endpoint = Endpoint::parse(&format!("h:{port}")).unwrap();
        Note::Reconnected { peer: PeerKind::Broker, endpoint }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_subject_that_flaps_gets_few_lines_a_minute_and_the_last_one_with_a_count() {
        let mut quiet = Throttle::default();
        let told = (0..600).filter(|i| quiet.admit(at(100 * i), note(1)).is_some()).count();
        assert_eq!(told, 4);
        // Another subject has lines of its own.
        assert_eq!(quiet.admit(at(59_999), note(2)), Some(note(2)));
        assert_eq!((quiet.due(), quiet.flush(at(59_999))), (Some(at(60_000)), vec![]));
        let last = Note::Repeated { last: Box::new(note(1)), suppressed: 595 };
        assert_eq!(quiet.flush(at(60_000)), [last]);
        assert_eq!((quiet.due(), quiet.suppressed()), (None, 595));
        let told = (0..600).filter(|i| quiet.admit(at(60_000 + 100 * i), note(1)).is_some());
        assert_eq!(told.count(), 3, "the line of the flush counts");
    }

    #[test]
    fn what_changes_now_and_then_is_told_in_full_and_leaves_nothing_behind() {
        let mut quiet = Throttle::default();
        for i in 0..100 {
            assert!(quiet.admit(at(20_000 * i), note(1)).is_some(), "{i}");
        }
        assert_eq!((quiet.due(), quiet.suppressed(), quiet.windows.len()), (None, 0, 1));
    }

    #[test]
    fn subjects_of_long_ago_are_forgotten() {
        let mut quiet = Throttle::default();
        for i in 0..20_000 {
            assert!(quiet.admit(at(1_000 * i), note((i % 60_000) as u16 + 1)).is_some(), "{i}");
        }
        assert!(quiet.windows.len() <= 2 * ROOM, "{}", quiet.windows.len());
    }

    #[test]
    fn a_single_note_too_many_is_late_and_not_left_out() {
        let mut quiet = Throttle::default();
        for _ in 0..5 {
            quiet.admit(at(0), note(1));
        }
        assert_eq!(quiet.flush(at(60_000)), [note(1)]);
        assert_eq!(quiet.suppressed(), 0);
    }
}
