//! What can go wrong, as facts: one enum per operation, each `Clone + PartialEq`, so that one cause
//! reaches every waiter.

mod attempt;
mod commit;
mod connection;
mod denial;
mod denied;
mod filter;
mod hint;
mod kind;
pub(crate) mod lack;
mod line;
mod query;
mod recall;
mod refused;
mod request;
mod tls;
mod too_old;
mod transaction;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use attempt::{Attempt, Attempts, PeerKind};
pub use commit::CommitError;
pub use connection::{AddressFailure, CloseReason, ConnectError};
pub use denial::{Denial, DeniedAsk};
pub(crate) use denied::is_denied;
pub use filter::FilterRefused;
pub(crate) use hint::{DENIED, unanswered};
pub use kind::ErrorKind;
pub use lack::Lack;
pub(crate) use line::{Line, one_line};
pub use query::QueryError;
pub use recall::RecallError;
pub use refused::Refused;
pub use request::{ReplyError, RequestError};
pub use tls::{TlsError, TlsSetupError};
pub use too_old::TooOld;
pub use transaction::TransactionError;

use crate::fetch::FetchFailure;
use crate::frame::{HeaderError, ResponseCode};
use crate::message::{MessageError, MessageIds};
use crate::name::Topic;
use crate::time::Rounded;

/// Whether a message that ended in an error may be in the broker's log all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// The message is not there: nothing left this process, or the broker refused it.
    No,
    /// The message left this process whole and no answer came: sending it again may store it twice.
    Unknown,
    /// The broker said that it is there.
    Yes,
}

/// Why one request to one peer came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// There was no connection; nothing was sent.
    #[error("not connected: {0}")]
    Connect(ConnectError),
    /// The connection ended while the request was being written: the peer never had it whole.
    #[error(
        "connection lost in the middle of the request, as a broker does with a frame over its \
         limit, 16 MiB by default (com.rocketmq.remoting.frameMaxLength): {0}"
    )]
    Cut(CloseReason),
    /// The connection ended before the answer.
    #[error("connection lost: {0}")]
    Closed(CloseReason),
    /// The peer answered with an error.
    #[error("answered {code}{}", Remark(.remark))]
    Refused {
        /// The peer's code.
        code: ResponseCode,
        /// The peer's words, the first 1 KiB of them.
        remark: Option<Arc<str>>,
    },
    /// The peer's answer lacks what it must have.
    #[error("unreadable answer: {0}")]
    Unreadable(HeaderError),
    /// The peer's answer has a body that can't be read.
    #[error("unreadable answer: {}", Line(.0))]
    Body(Arc<str>),
    /// No answer in time.
    #[error("no answer within {}", Rounded(*.0))]
    TimedOut(Duration),
    /// The connection took no more bytes until the deadline: the request had not left.
    #[error("not sent: the connection took nothing more within {}", Rounded(*.0))]
    NotTaken(Duration),
    /// The address server told no nameservers.
    #[error("{0}")]
    Fetch(Box<FetchFailure>),
}

/// Bytes of a frame from which a cut in the middle of it may be the broker's doing: a smaller one
/// is under any limit that anybody sets, and then it is the network's.
const SUSPECT: usize = 1 << 20;

impl Failure {
    /// Nothing is wrong: the client is stopping, and has closed its connections.
    pub(crate) fn is_by_stopping(&self) -> bool {
        match self {
            Self::Closed(reason) => *reason == CloseReason::Stopping,
            Self::Connect(ConnectError::Lost(reason)) => **reason == CloseReason::Stopping,
            _ => false,
        }
    }

    /// What a request that takes `size` bytes failed for: the peer never had it whole, and unless
    /// it is large, its size was not the reason.
    pub(crate) fn of_size(self, size: usize) -> Self {
        match self {
            Self::Cut(reason) if size < SUSPECT => {
                Self::Connect(ConnectError::Lost(Box::new(reason)))
            }
            failure => failure,
        }
    }

    /// The peer did nothing but say that it goes.
    pub(crate) fn is_farewell(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == ResponseCode::GO_AWAY)
    }
}

struct Remark<'a>(&'a Option<Arc<str>>);

impl fmt::Display for Remark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Java brokers append a stack trace to some remarks: the first line says it all.
            Some(text) => write!(f, ": {}", Line(text.lines().next().unwrap_or_default())),
            None => Ok(()),
        }
    }
}

/// The id is of something that has ended: a queue given to another consumer, a finished message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue has been given up; the message will be delivered again, perhaps elsewhere")]
pub struct Stale;

/// Why a send did not end with the message stored, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[doc(alias = "MQClientException", alias = "MQBrokerException", alias = "RemotingException")]
pub enum SendError {
    /// The message can't be sent as it is; nothing left this process.
    #[error(transparent)]
    Invalid(#[from] MessageError),
    /// The call was refused at once; nothing left this process.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The nameservers do not know the topic, and no broker creates topics by itself. With
    /// `await_topic` that is said at the deadline.
    #[error(
        "topic {topic} does not exist and is not created automatically{attempts}{}",
        lack::CREATE
    )]
    NoTopic {
        /// The topic.
        topic: Topic,
        /// Who said so.
        attempts: Attempts,
    },
    /// No nameserver could tell the topic's route.
    #[error("no route for topic {topic}{attempts}")]
    NoRoute {
        /// The topic.
        topic: Topic,
        /// Whom we asked.
        attempts: Attempts,
    },
    /// The route has no queue for the message. What may heal by itself has been waited for until
    /// the deadline; a topic that may not be written to ends a send at once.
    #[error("topic {topic} can't be sent to: {lack}{}{attempts}", at_most(*.stored, .ids.as_ref()))]
    NotWritable {
        /// The topic.
        topic: Topic,
        /// What is missing.
        lack: Box<Lack>,
        /// Whether an earlier try may have stored it.
        stored: Stored,
        /// The message's unique ids, where it was made.
        ids: Option<MessageIds>,
        /// Each try.
        attempts: Attempts,
    },
    /// The broker answered with an error: the message was not stored by it.
    #[error("topic {topic} was refused{attempts}")]
    Rejected {
        /// The topic.
        topic: Topic,
        /// The last code.
        code: ResponseCode,
        /// Whether an earlier try may have stored it.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The deadline passed. Without an attempt it had not begun: it waited behind other messages of
    /// its key ([`SendOptions::ordered`](crate::producer::SendOptions::ordered)).
    #[error(
        "no answer for topic {topic} by the deadline{}{}{attempts}",
        if attempts.is_empty() { ": it waited behind others of its key" } else { "" },
        as_known(*.stored, .ids)
    )]
    TimedOut {
        /// The topic.
        topic: Topic,
        /// `Unknown` once the message had left this process.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The deadline passed while the message waited for room: as many sends, or as many bytes of
    /// them, as `max_pending` and `max_pending_bytes` allow were under way. Nothing of it left this
    /// process.
    #[error(
        "no room by the deadline: the message for topic {topic} waited behind as many as \
         max_pending and max_pending_bytes allow{}",
        as_known(Stored::No, .ids)
    )]
    NoRoom {
        /// The topic.
        topic: Topic,
        /// The message's unique id.
        ids: MessageIds,
    },
    /// The deadline passed while the message waited for its turn: its broker had not answered as
    /// many sends, or as many bytes of them, as `max_unanswered` and `max_unanswered_bytes` allow.
    /// Or its turn came, after it had waited for that or for room, when less time was left to the
    /// deadline than the broker's answers took of late. The message had not left for that broker,
    /// and is not stored unless an earlier try may have stored it.
    #[error(
        "no answers of broker {broker} to earlier sends in time: the message for topic {topic} \
         waited for its turn, and had no time left for an answer{}{attempts}",
        as_known(*.stored, .ids)
    )]
    Unanswered {
        /// The topic.
        topic: Topic,
        /// The broker group that it waited for.
        broker: Arc<str>,
        /// Whether an earlier try may have stored it.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The connection was lost with the message under way, and no try was left.
    #[error(
        "connection lost while sending to topic {topic}{}{attempts}",
        as_known(*.stored, .ids)
    )]
    Lost {
        /// The topic.
        topic: Topic,
        /// Whether the message may have been stored.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The broker closed the connection in the middle of this message, each time: it is larger than
    /// the broker's largest frame, `com.rocketmq.remoting.frameMaxLength`, 16 MiB by default.
    #[error(
        "the message for topic {topic} takes {size} bytes, more than the 16 MiB that a broker \
         takes in one frame unless com.rocketmq.remoting.frameMaxLength says otherwise{}{attempts}",
        as_known(*.stored, .ids)
    )]
    OverFrame {
        /// The topic.
        topic: Topic,
        /// Bytes that it takes on the wire, rounded up by some.
        size: usize,
        /// Whether another try may have stored it.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The broker stored the message, and its answer does not say where: it can't be read.
    #[error("the answer for topic {topic} can't be read{}{attempts}", as_known(*.stored, .ids))]
    Unreadable {
        /// The topic.
        topic: Topic,
        /// `Yes`: the answer's code said so.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The broker is too old for what the message asks for.
    #[error("topic {topic}: {lack}{}{attempts}", as_known(*.stored, .ids))]
    Unsupported {
        /// The topic.
        topic: Topic,
        /// What the broker lacks.
        lack: Box<TooOld>,
        /// Whether an earlier try may have stored it.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
        /// Each try.
        attempts: Attempts,
    },
    /// The client stopped before the answer came.
    #[error("the client stopped before the answer came{}", as_known(*.stored, .ids))]
    Stopped {
        /// Whether the message may have been stored.
        stored: Stored,
        /// The message's unique id.
        ids: MessageIds,
    },
    /// The runtime that moved this client's bytes is gone, or a thread panicked inside the client.
    #[error("the runtime of this client is gone{}", at_most(*.stored, .ids.as_ref()))]
    RuntimeGone {
        /// Whether the message may have been stored.
        stored: Stored,
        /// The message's unique id.
        ids: Option<MessageIds>,
    },
    /// Waiting on this thread would block the very one that has to do the work: the only one of a
    /// runtime, or one that calls a waker, a log appender or a body's owner. The call goes on, and
    /// the message may be stored. Only one that had a question to ask first, which had no answer
    /// yet, is given up: it has no ids, and nothing was sent.
    #[error("waiting here would block the thread that does the work: await the call instead{}",
        at_most(going_on(.ids.as_ref()), .ids.as_ref()))]
    WouldDeadlock {
        /// The message's unique id.
        ids: Option<MessageIds>,
    },
    /// The call was begun before this process was forked from the one that made the client: it ends
    /// there, and nobody will say so here.
    #[error("this process is a fork of the one that made the call, in which alone it ends")]
    Forked,
    /// The selector panicked, or chose no queue, or one that is not there. Nothing was sent.
    #[error("the selector chose no queue of topic {topic}")]
    NoChoice {
        /// The topic.
        topic: Topic,
    },
    /// The message was sent without asking for an answer.
    #[error("the message was sent oneway: nobody knows where it was stored, or whether")]
    NoReceipt,
}

/// The codes after which another queue may take the message (`DefaultMQProducer.retryResponseCodes`
/// and the general errors; protocol facts 3.1).
pub(crate) const fn is_retriable_send(code: ResponseCode) -> bool {
    matches!(code.0, 1 | 2 | 14 | 16 | 17 | 204 | 205 | 215 | 501 | 1500)
}

/// What is known of the message, and by which id a consumer would see it.
struct AtMost<'a>(Stored, Option<&'a MessageIds>);

const fn as_known(stored: Stored, ids: &MessageIds) -> AtMost<'_> {
    at_most(stored, Some(ids))
}

const fn at_most(stored: Stored, ids: Option<&MessageIds>) -> AtMost<'_> {
    AtMost(stored, ids)
}

/// What may become of the message of a call that goes on unseen, if it does.
const fn going_on(ids: Option<&MessageIds>) -> Stored {
    match ids {
        Some(_) => Stored::Unknown,
        None => Stored::No,
    }
}

impl fmt::Display for AtMost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AtMost(stored, ids) = *self;
        f.write_str(match stored {
            Stored::No => return f.write_str(" (it was not stored)"),
            Stored::Unknown => " (it may have been stored",
            Stored::Yes => " (it was stored",
        })?;
        match ids {
            Some(ids) => write!(f, ", as {ids})"),
            None => f.write_str(")"),
        }
    }
}

impl SendError {
    /// Whether the same call may succeed later without a change by the user.
    ///
    /// Where [`stored`](Self::stored) is not [`Stored::No`], sending again may store the message
    /// twice. Each call gives its message a new unique id: a consumer can tell that the two are one
    /// only if the second call keeps the first one's, by
    /// [`Message::id`](crate::message::Message::id) with one of [`message_ids`](Self::message_ids).
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::NoTopic { .. } => false,
            Self::NotWritable { lack, .. } => !lack.is_lasting(),
            Self::NoChoice { .. } | Self::Unsupported { .. } => false,
            Self::Stopped { .. } | Self::RuntimeGone { .. } => false,
            Self::Unreadable { .. } | Self::OverFrame { .. } => false,
            Self::WouldDeadlock { .. } | Self::Forked | Self::NoReceipt => false,
            Self::Refused(_) => self.is_full(),
            Self::NoRoute { .. } => !self.is_denied() && !self.is_untrusted(),
            Self::TimedOut { .. } | Self::Lost { .. } => !self.is_untrusted(),
            Self::Unanswered { .. } | Self::NoRoom { .. } => true,
            Self::Rejected { code, .. } => !self.is_denied() && is_retriable_send(*code),
        }
    }

    /// Whether the last broker denied it to this client's key.
    pub(super) fn is_denied(&self) -> bool {
        self.last_attempt().is_some_and(|attempt| attempt.failure.is_denied())
    }

    /// Whether the last try was for nothing because of a certificate.
    pub(super) fn is_untrusted(&self) -> bool {
        self.last_attempt().is_some_and(|attempt| attempt.failure.is_untrusted())
    }

    /// Whether it was refused for want of room, so that it can be sent once there is some.
    pub(crate) const fn is_full(&self) -> bool {
        let Self::Refused(refused) = self else { return false };
        matches!(refused.kind(), ErrorKind::Full)
    }

    /// Whether the message may be in the log.
    pub const fn stored(&self) -> Stored {
        match self {
            Self::Rejected { stored, .. }
            | Self::NotWritable { stored, .. }
            | Self::TimedOut { stored, .. }
            | Self::Unanswered { stored, .. }
            | Self::Lost { stored, .. }
            | Self::Unreadable { stored, .. }
            | Self::OverFrame { stored, .. }
            | Self::Unsupported { stored, .. }
            | Self::Stopped { stored, .. }
            | Self::RuntimeGone { stored, .. } => *stored,
            Self::WouldDeadlock { ids } => going_on(ids.as_ref()),
            Self::Forked | Self::NoReceipt => Stored::Unknown,
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::NoTopic { .. }
            | Self::NoRoute { .. }
            | Self::NoRoom { .. }
            | Self::NoChoice { .. } => Stored::No,
        }
    }

    /// The unique ids under which the message, or the messages of the batch, may be in the log;
    /// `None` where nothing can have left this process. The call's `Pending` tells them too.
    pub const fn message_ids(&self) -> Option<&MessageIds> {
        match self {
            Self::Rejected { ids, .. }
            | Self::TimedOut { ids, .. }
            | Self::Unanswered { ids, .. }
            | Self::NoRoom { ids, .. }
            | Self::Lost { ids, .. }
            | Self::Unreadable { ids, .. }
            | Self::OverFrame { ids, .. }
            | Self::Unsupported { ids, .. }
            | Self::Stopped { ids, .. } => Some(ids),
            Self::RuntimeGone { ids, .. }
            | Self::NotWritable { ids, .. }
            | Self::WouldDeadlock { ids } => ids.as_ref(),
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::NoTopic { .. }
            | Self::NoRoute { .. }
            | Self::NoChoice { .. }
            | Self::Forked
            | Self::NoReceipt => None,
        }
    }

    /// The tries made, oldest first.
    pub const fn attempts(&self) -> Option<&Attempts> {
        match self {
            Self::NoTopic { attempts, .. }
            | Self::NoRoute { attempts, .. }
            | Self::NotWritable { attempts, .. }
            | Self::Rejected { attempts, .. }
            | Self::TimedOut { attempts, .. }
            | Self::Unanswered { attempts, .. }
            | Self::Unreadable { attempts, .. }
            | Self::OverFrame { attempts, .. }
            | Self::Unsupported { attempts, .. }
            | Self::Lost { attempts, .. } => Some(attempts),
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::NoRoom { .. }
            | Self::NoChoice { .. }
            | Self::Stopped { .. }
            | Self::RuntimeGone { .. }
            | Self::WouldDeadlock { .. }
            | Self::Forked
            | Self::NoReceipt => None,
        }
    }
}
