//! What notes say of a consumer's group, and of the queues that it reads.

use std::fmt;

use super::Note;
use crate::error::{Failure, SendError};
use crate::frame::RequestCode;
use crate::name::{Group, QueueName};
use crate::time::Rounded;

impl Note {
    /// Its sentence.
    pub(super) fn words_of_group(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rebalanced { group, topic, share, members: 0 } => {
                write!(f, "{share} queues of {topic} are ours in group {group}")
            }
            Self::Rebalanced { group, topic, share, members } => {
                write!(f, "group {group} has {members} members; {share} queues of {topic} are ours")
            }
            Self::NotShared { group, topic, error } => {
                write!(f, "queues of {topic} can't be shared in group {group}: {error}")
            }
            Self::AssignmentDeclined { group, reason } => {
                write!(f, "group {group} computes its shares itself: {reason}")
            }
            Self::OtherSubscription { group, topic, own, other } => write!(
                f,
                "group {group} asks for {own} of {topic} here, and for {other} elsewhere: give all \
                 members of a group the same topics and tags"
            ),
            Self::FilterRefused { group, refused } => {
                write!(f, "group {group} is left: {refused}")
            }
            Self::ForeignTags { group, topic } => write!(
                f,
                "group {group} is sent messages of {topic} with tags that this member does not ask \
                 for, and passes them over: give all members of a group the same topics and tags"
            ),
            Self::AskFailed { group, ask, queue, failure } => {
                write!(f, "{ask} of group {group}")?;
                if let Some(queue) = queue {
                    write!(f, " for {queue}")?;
                }
                write!(f, ": {failure}; {}", without(*ask))?;
                let list = *ask == RequestCode::GET_CONSUMER_LIST_BY_GROUP;
                if list && matches!(**failure, Failure::Refused { .. }) {
                    f.write_str(
                        " (does the group exist? A broker with autoCreateSubscriptionGroup=false \
                         makes none)",
                    )?;
                }
                Ok(())
            }
            _ => self.words_of_queue(f),
        }
    }

    /// The same of notes about a queue that the group reads.
    fn words_of_queue(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OffsetMoved { queue, from, to, .. } => {
                write!(f, "{queue} has no offset {from}: on at {to}")
            }
            Self::OffsetReset { queue, from, to, .. } => {
                write!(f, "{queue} was reset from {from}: on at {to}")
            }
            Self::PullAstray { queue, asked, next, min, max, .. } => write!(
                f,
                "pull of {queue} at offset {asked} has an answer that can't be true: on at {next}, \
                 of {min} to {max}"
            ),
            Self::NotLocked { queue, lost, .. } => not_locked(queue, *lost, f),
            Self::PullRefused { queue, code, remark, .. } => {
                let remark = remark.as_deref().unwrap_or_default();
                write!(f, "pull of {queue} refused: {code} {remark}")
            }
            Self::SendBackFailed { queue, failure, error, .. } => {
                not_sent_back(queue, failure.as_deref(), error.as_deref(), f)
            }
            Self::HeldTooLong { group, queue, count } => too_long(group, queue, *count, f),
            Self::DeadLetter { group, queue, attempts, .. } => {
                too_often(group, queue, *attempts, f)
            }
            Self::SlowConsumer { group, queue, held, .. } => write!(
                f,
                "a message of {queue} is in the hands of group {group} for {}, unsettled: its \
                 offset waits for it",
                Rounded(*held)
            ),
            _ => Ok(()),
        }
    }
}

/// Why a broker has not taken a message back.
pub(super) struct Unasked<'a>(pub(super) Option<&'a Failure>);

impl fmt::Display for Unasked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(failure) => failure.fmt(f),
            None => f.write_str("there is no master, or no place to name to it"),
        }
    }
}

fn not_sent_back(
    queue: &QueueName,
    failure: Option<&Failure>,
    error: Option<&SendError>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "a message of {queue} was not sent back: {}", Unasked(failure))?;
    match error {
        Some(error) => write!(f, "; nor to the retry topic: {error}")?,
        None => f.write_str("; it can't be read, and so not be sent to the retry topic")?,
    }
    f.write_str("; it is delivered again here")
}

fn not_locked(queue: &QueueName, lost: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match lost {
        true => write!(f, "the lock of {queue} is lost: another member may handle its messages"),
        false => write!(f, "{queue} is locked by another member, and waited for"),
    }
}

fn too_long(
    group: &Group,
    queue: &QueueName,
    count: usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(
        f,
        "{count} messages of {queue} were taken from group {group}, which had them for too long, \
         and are sent back"
    )
}

fn too_often(
    group: &Group,
    queue: &QueueName,
    attempts: u32,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(
        f,
        "a message of {queue} was tried {attempts} times by group {group}, and is in %DLQ%{group} \
         now"
    )
}

/// What a consumer does not do without it.
const fn without(ask: RequestCode) -> &'static str {
    match ask {
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => {
            "queues can't be shared out until it is answered"
        }
        RequestCode::UPDATE_CONSUMER_OFFSET => "what is done with would come again after a restart",
        RequestCode::LOCK_BATCH_MQ => "nothing new is consumed there until it is answered",
        RequestCode::UNLOCK_BATCH_MQ => "other members wait for a minute",
        _ => "the queue is not consumed until it is answered",
    }
}
