//! What notes say of groups whose offsets no broker keeps, and of what such groups drop.

use std::fmt;

use super::Note;
use super::facts::{Fact, Subject, Tell, all, of_queue};

impl Note {
    /// What such a note is about; one of another kind is about nobody's.
    pub(super) fn subject_of_store(&self) -> Subject {
        let (group, what) = match self {
            Self::OffsetsNotLoaded { group, .. } => (group, "load"),
            Self::OffsetsNotSaved { group, .. } => (group, "save"),
            Self::OffsetsDamaged { group, .. } => (group, "damage"),
            Self::Dropped { group, .. } => (group, "dropped"),
            _ => return Subject::NameServers,
        };
        Subject::Store(group.clone(), what)
    }

    /// Its facts.
    pub(super) fn facts_of_store(&self, tell: Tell<'_>) {
        use Fact::{Number, Text};
        match self {
            Self::OffsetsNotLoaded { group, error } | Self::OffsetsNotSaved { group, error } => {
                all(tell, &[("group", Text(group)), ("reason", Text(error))]);
            }
            Self::OffsetsDamaged { group, damage } => {
                all(tell, &[("group", Text(group)), ("reason", Text(damage))]);
            }
            Self::Dropped { group, queue, offset, attempts } => {
                of_queue(group, queue, tell);
                tell("attempts", Number(i64::from(*attempts)));
                if let Some(offset) = offset {
                    tell("offset", Number(*offset));
                }
            }
            _ => {}
        }
    }

    /// Its sentence.
    pub(super) fn words_of_store(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OffsetsNotLoaded { group, error } => write!(
                f,
                "no offsets of group {group}: {error}; nothing is consumed until they are there"
            ),
            Self::OffsetsNotSaved { group, error } => write!(
                f,
                "offsets of group {group} are not saved: {error}; what is done with would come \
                 again after a restart"
            ),
            Self::OffsetsDamaged { group, damage } => {
                write!(f, "offsets of group {group}: {damage}")
            }
            Self::Dropped { group, queue, attempts, .. } => write!(
                f,
                "a message of {queue} was tried {attempts} times by group {group}, which \
                 broadcasts: it is dropped"
            ),
            _ => Ok(()),
        }
    }
}
