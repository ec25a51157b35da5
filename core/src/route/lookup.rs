//! One look-up of a topic: which nameservers were asked, and what each said.
//!
//! The nameserver in use is asked first. The next one is asked when it does not know the topic,
//! fails, or has said nothing for a part of the time there is. When none is left, those that failed
//! are asked again for as long as another one is silent: it may never answer, and they may be well
//! again. A route ends the look-up, whoever tells it, the first one late included.

use std::time::Duration;

use super::{Entry, Fetch, Routes};
use crate::id::PeerId;
use crate::name::Topic;
use crate::time::Instant;
use crate::timer::TimerKey;

/// A nameserver that failed is not asked again sooner in the same look-up.
const AGAIN: Duration = Duration::from_millis(200);

/// What became of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing so far.
    Nothing,
    /// There is no such topic.
    Unknown,
    /// Nothing that could be read, or nothing in time.
    Failed(Instant),
    /// What it will say again until somebody changes something: it is no nameserver, say.
    Hopeless(Instant),
}

/// How a look-up goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next nameserver is asked.
    Ask,
    /// Others have not answered yet.
    Wait,
    /// Each that answered says that there is no such topic.
    Unknown,
    /// Each failed.
    Failed,
    /// The answer is not one to the present look-up.
    Stale,
}

impl Said {
    /// When the same nameserver may be asked again.
    fn again_at(self) -> Option<Instant> {
        match self {
            Self::Failed(at) | Self::Hopeless(at) => Some(at + AGAIN),
            Self::Nothing | Self::Unknown => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// For `TBW102`, in place of a topic that nobody knows.
    fallback: bool,
    asked: Vec<(PeerId, Said)>,
    /// When the next nameserver is asked although others have not answered yet.
    slow: Option<(Instant, TimerKey)>,
    /// How long each may be silent before that; the least that anybody who waits can afford.
    patience: Option<Duration>,
}

impl Lookup {
    pub(super) fn is_unasked(&self) -> bool {
        self.asked.is_empty()
    }

    fn step(&self, ring: impl Iterator<Item = PeerId>) -> Step {
        let said = |wanted: Said| self.asked.iter().any(|(_, said)| *said == wanted);
        match self.next(ring) {
            Some(_) => Step::Ask,
            None if said(Said::Nothing) => Step::Wait,
            None if said(Said::Unknown) => Step::Unknown,
            None => Step::Failed,
        }
    }

    /// Whether each that was asked said what it will say again.
    fn is_hopeless(&self) -> bool {
        self.asked.iter().all(|(_, said)| matches!(said, Said::Hopeless(_)))
    }

    /// When the first of those that failed may be asked again.
    fn again_at(&self) -> Option<Instant> {
        self.asked.iter().filter_map(|(_, said)| said.again_at()).min()
    }

    fn next(&self, mut ring: impl Iterator<Item = PeerId>) -> Option<PeerId> {
        ring.find(|peer| self.asked.iter().all(|(asked, _)| asked != peer))
    }
}

impl Routes {
    fn entry_asking(&mut self, topic: &Topic) -> Option<(&mut Lookup, u64)> {
        let Entry { fetch, lookups, .. } = self.topics.get_mut(topic)?;
        match fetch {
            Fetch::Asking(lookup) => Some((lookup, *lookups)),
            Fetch::Idle | Fetch::Paused => None,
        }
    }

    /// The nameserver that is asked next, whether for `TBW102`, and the look-up's number.
    pub(super) fn next_server(
        &mut self,
        topic: &Topic,
        ring: impl Iterator<Item = PeerId>,
    ) -> Option<(PeerId, bool, u64)> {
        let (lookup, number) = self.entry_asking(topic)?;
        let peer = lookup.next(ring)?;
        lookup.asked.push((peer, Said::Nothing));
        Some((peer, lookup.fallback, number))
    }

    /// Nobody knows the topic: `TBW102` is asked for instead, of all again.
    pub(super) fn fall_back(&mut self, topic: &Topic) {
        if let Some((lookup, _)) = self.entry_asking(topic) {
            (lookup.fallback, lookup.asked) = (true, Vec::new());
        }
    }

    /// Whether the look-up is one for `TBW102`.
    pub(super) fn is_fallback(&mut self, topic: &Topic) -> bool {
        self.entry_asking(topic).is_some_and(|(lookup, _)| lookup.fallback)
    }

    /// A nameserver said nothing of use.
    pub(super) fn said(
        &mut self,
        topic: &Topic,
        (number, fallback): (u64, bool),
        peer: PeerId,
        said: Said,
        ring: impl Iterator<Item = PeerId>,
    ) -> Step {
        let Some((lookup, current)) = self.entry_asking(topic) else { return Step::Stale };
        if (current, lookup.fallback) != (number, fallback) {
            return Step::Stale;
        }
        let asked = lookup.asked.iter_mut().find(|(asked, _)| *asked == peer);
        let Some((_, kept)) = asked else { return Step::Stale };
        *kept = said;
        lookup.step(ring)
    }

    /// Whether no nameserver of the look-up is worth another question.
    pub(super) fn is_hopeless(&mut self, topic: &Topic) -> bool {
        self.entry_asking(topic).is_some_and(|(lookup, _)| lookup.is_hopeless())
    }

    /// Whether a route that was told is to be taken: by an answer to the present look-up, or to an
    /// older one by somebody who was too slow, where there is no route so far.
    pub(super) fn takes(&self, topic: &Topic, number: u64, fallback: bool) -> bool {
        let Some(entry) = self.topics.get(topic) else { return false };
        let present = number == entry.lookups
            && match &entry.fetch {
                Fetch::Asking(lookup) => lookup.fallback == fallback || !fallback,
                Fetch::Idle | Fetch::Paused => false,
            };
        present || (!fallback && !entry.exists())
    }

    /// How long a nameserver may be silent before the next one is asked: `at_most`, or less.
    pub(super) fn patience(&mut self, topic: &Topic, at_most: Duration) -> Option<Duration> {
        let (lookup, _) = self.entry_asking(topic)?;
        let patience = lookup.patience.map_or(at_most, |patience| patience.min(at_most));
        lookup.patience = Some(patience);
        Some(patience)
    }

    /// Whether the look-up waits for `at`, or longer.
    pub(super) fn is_slower(&mut self, topic: &Topic, at: Instant) -> bool {
        let lookup = self.entry_asking(topic);
        lookup.is_some_and(|(lookup, _)| lookup.slow.is_none_or(|(slow, _)| slow > at))
    }

    /// Sets when the next nameserver is asked. Gives the timer that was set before.
    pub(super) fn set_slow(
        &mut self,
        topic: &Topic,
        slow: Option<(Instant, TimerKey)>,
    ) -> Option<TimerKey> {
        let (lookup, _) = self.entry_asking(topic)?;
        std::mem::replace(&mut lookup.slow, slow).map(|(_, timer)| timer)
    }

    /// The timers that are kept.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.topics.values().filter_map(|entry| match &entry.fetch {
            Fetch::Asking(lookup) => lookup.slow.map(|(_, timer)| timer),
            Fetch::Idle | Fetch::Paused => None,
        })
    }

    /// A nameserver has been silent for long enough: how the look-up goes on. One that says nothing
    /// does not answer. With [`Step::Wait`], when those that failed may be asked again, if any did.
    pub(super) fn slow_over(
        &mut self,
        now: Instant,
        topic: &Topic,
        ring: impl Iterator<Item = PeerId>,
    ) -> (Step, Option<Instant>) {
        let Some((lookup, _)) = self.entry_asking(topic) else { return (Step::Stale, None) };
        lookup.slow = None;
        // Those that go on as they are may want to know again: ever less often.
        lookup.patience = lookup.patience.map(|patience| patience.saturating_mul(2));
        match lookup.step(ring) {
            Step::Wait if lookup.asked.iter().any(|(_, said)| *said == Said::Unknown) => {
                (Step::Unknown, None)
            }
            Step::Wait => match lookup.again_at() {
                Some(at) if at <= now => {
                    lookup.asked.retain(|(_, said)| said.again_at().is_none_or(|at| at > now));
                    (Step::Ask, None)
                }
                again => (Step::Wait, again),
            },
            step => (step, None),
        }
    }
}
