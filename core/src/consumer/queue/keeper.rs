//! What the keeper of a queue's offset has confirmed: its broker, for a group whose members share
//! the queues.

use std::time::Duration;

use crate::id::PeerId;
use crate::time::Instant;

/// So long after its first commit a queue's former owner may still commit something older.
pub(in crate::consumer) const OVERLAP: Duration = Duration::from_secs(120);
/// How often an offset is given again meanwhile.
const REPEATED: Duration = Duration::from_secs(20);

/// What is stored of one queue's offset, as far as we know.
#[derive(Debug, Default)]
pub(in crate::consumer) struct Keeper {
    /// The offset the broker last confirmed.
    committed: Option<i64>,
    /// What it confirmed may have died with it since.
    doubted: bool,
    /// What we had committed may have died with it, whatever was settled.
    lost: bool,
    /// When it first told or confirmed one, and when last.
    confirmed: Option<(Instant, Instant)>,
    /// The commit on its way.
    committing: Option<i64>,
    /// To whom the last one went.
    told: Option<PeerId>,
    /// The offset was stored before: by a former owner, whose last commit may still come.
    inherited: bool,
    /// It confirmed one of ours.
    ours: bool,
    /// One was confirmed before, so that the next one stays. Of first ones that come at the same
    /// time brokers lose all but one: each of their threads makes the table of that name, and one
    /// replaces the other (`ConsumerOffsetManager.commitOffset`). Java gives all every 5 s.
    stays: bool,
}

impl Keeper {
    /// The stored offset is known. It is given again for a while even where nothing new comes: who
    /// had the queue before may not have seen yet that it has not, and its last offset would
    /// replace this one.
    pub(super) fn inherits(&mut self, now: Instant, offset: i64) {
        // Brokers answer 0 for a young queue of which nothing is stored.
        self.inherited = offset > 0;
        (self.committed, self.confirmed) = (Some(offset), self.inherited.then_some((now, now)));
        self.stays = self.inherited;
    }

    /// Nothing is known to be stored: a fault put back on purpose.
    pub(super) const fn forget(&mut self) {
        (self.committed, self.inherited) = (None, false);
    }

    /// What is stored.
    pub(in crate::consumer) const fn committed(&self) -> Option<i64> {
        self.committed
    }

    /// Whether just that offset is there, as far as we know.
    pub(in crate::consumer) const fn has(&self, offset: i64) -> bool {
        matches!(self.committed, Some(last) if last == offset && !self.doubted)
    }

    /// Whether the next one it confirms may be lost with others.
    pub(in crate::consumer) const fn is_first(&self) -> bool {
        !self.stays
    }

    /// What is on its way there.
    pub(in crate::consumer) const fn under_way(&self) -> Option<i64> {
        self.committing
    }

    /// Whether `position` should be there and, as far as we know, is not. An offset of ours never
    /// goes back: the broker may know a later one from another member.
    pub(in crate::consumer) const fn lacks(&self, position: i64) -> bool {
        match self.committed {
            Some(last) => last < position || (self.doubted && last == position),
            None => true,
        }
    }

    /// Who had the queue before may have seen late that it has not: its last offset then replaced a
    /// later one of ours. Ours is given again for a while (Java gives all, every 5 s, for ever).
    /// `shared`: the group has, or had just now, other members; who has left the list of members
    /// may not have left its connection.
    pub(super) fn is_unsure(&self, now: Instant, shared: bool) -> bool {
        let recent = |(first, last)| now.since(first) < OVERLAP && now.since(last) >= REPEATED;
        (shared || self.inherited) && self.confirmed.is_some_and(recent)
    }

    /// What was confirmed to us, and may be gone.
    pub(in crate::consumer) fn to_repeat(&self) -> Option<i64> {
        self.committed.filter(|_| self.lost && self.committing.is_none())
    }

    /// The same where no other commit follows: a first one on its way may be lost with others.
    pub(in crate::consumer) fn to_repeat_last(&self) -> Option<i64> {
        self.to_repeat().or_else(|| self.committing.filter(|_| self.is_first()))
    }

    /// A commit is on its way.
    pub(in crate::consumer) const fn committing(&mut self, offset: i64, told: PeerId) {
        (self.committing, self.doubted, self.lost) = (Some(offset), false, false);
        self.told = Some(told);
    }

    /// Who was told last what is to be stored: a slave, say, whose master is back by now.
    pub(in crate::consumer) const fn told(&self) -> Option<PeerId> {
        self.told
    }

    /// The commit was answered, with the offset that is stored now, or came to nothing.
    pub(in crate::consumer) fn commit_ended(&mut self, now: Instant, stored: Option<i64>) {
        let given = self.committing.take();
        match stored {
            Some(offset) => {
                (self.committed, self.ours) = (Some(offset), true);
                let first = self.confirmed.map_or(now, |(first, _)| first);
                self.confirmed = Some((first, now));
                self.stays = true;
            }
            None => {
                self.doubted = true;
                self.lost |= self.ours && given == self.committed;
            }
        }
    }

    /// A first offset was confirmed that may have come with others: it is given once more.
    pub(in crate::consumer) const fn doubt_first(&mut self) {
        (self.doubted, self.lost) = (true, true);
    }

    /// What the broker has confirmed may be gone.
    pub(in crate::consumer) const fn doubt(&mut self) {
        (self.doubted, self.stays) = (true, false);
        self.lost |= self.ours;
    }
}
