//! What the application is told.

use std::sync::Arc;

use bytes::Bytes;

use super::Answer;
use super::Note;
use super::PushedReply;
use super::SendReceipt;
use super::{CheckedHalf, TransactionReceipt};
use crate::allocation::Strategy;
use crate::error::{CommitError, FilterRefused, RequestError, SendError, TransactionError};
use crate::id::{CheckId, OpId, SubscriptionId};
use crate::message::Publish;
use crate::name::{Group, QueueName, Topic};
use crate::offsets::OwnStore;

/// What consumers leave undone: others are given it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Messages that were handed out and not settled.
    pub unsettled: usize,
    /// Queues whose brokers did not confirm the last offset in time: what was settled since the
    /// commit before may be delivered again.
    pub uncommitted: usize,
}

impl std::ops::AddAssign for Leftover {
    fn add_assign(&mut self, other: Self) {
        self.unsettled += other.unsettled;
        self.uncommitted += other.uncommitted;
    }
}

/// What became of what the application asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A send has ended.
    Sent {
        /// The call.
        op: OpId,
        /// The message, given back: its body may be the application's own memory, which it alone
        /// should free.
        publish: Arc<Publish>,
        /// What it ended with.
        result: Result<SendReceipt, SendError>,
    },
    /// A oneway send was given to its connection's writer, or to the queue before it.
    Handed {
        /// The call.
        op: OpId,
        /// The message, given back.
        publish: Arc<Publish>,
    },
    /// The connection was lost before these oneway messages left, whose sends had ended with
    /// [`Handed`](Self::Handed).
    OnewayLost {
        /// The messages.
        messages: Vec<Arc<Publish>>,
    },
    /// Nothing of these is needed any more: of a send that was cancelled, of a frame whose call
    /// ended before it left or that was lost with its connection, of a question that has ended.
    /// Messages and bodies may be the application's own memory, which it alone should free, and
    /// hold no lock when it does.
    Spent {
        /// Messages.
        messages: Vec<Arc<Publish>>,
        /// Bodies of requests.
        bodies: Vec<Bytes>,
    },
    /// A request has ended.
    Replied {
        /// The call.
        op: OpId,
        /// The reply, not opened yet, or why there is none.
        result: Result<Box<PushedReply>, RequestError>,
    },
    /// A query has ended.
    Answered {
        /// The call.
        op: OpId,
        /// What it ended with.
        answer: Answer,
    },
    /// Offsets were committed that were asked to be, or not.
    Committed {
        /// The call.
        op: OpId,
        /// What it ended with.
        result: Result<(), CommitError>,
    },
    /// A transaction was ended, as far as is known.
    TransactionEnded {
        /// The call.
        op: OpId,
        /// What it ended with.
        result: Result<TransactionReceipt, TransactionError>,
    },
    /// A broker asks how a half message ended, which nobody here has decided: answer with
    /// [`Engine::answer_check`](crate::engine::Engine::answer_check).
    Check {
        /// The question.
        check: CheckId,
        /// The group that it is for.
        group: Group,
        /// The half message.
        half: Arc<CheckedHalf>,
    },
    /// A consumer has messages: take them with `poll_batch` until it gives none.
    Deliverable {
        /// The consumer.
        sub: SubscriptionId,
    },
    /// Queues of a consumer have changed hands. Told of up to 256 at a time: those it lost are
    /// revoked and their last commits sent, those it gained are read from now on, after
    /// `handover_pause` where others may have had them.
    QueuesChanged {
        /// The consumer.
        sub: SubscriptionId,
        /// Queues that are its own now.
        gained: Vec<QueueName>,
        /// Queues that are not any more.
        lost: Vec<QueueName>,
    },
    /// The queues of a topic that a consumer reads, which is told of them: the route is known, or
    /// others than before.
    TopicQueues {
        /// The consumer.
        sub: SubscriptionId,
        /// The topic.
        topic: Topic,
        /// All its queues that may be read, whoever reads them.
        queues: Vec<QueueName>,
    },
    /// The rule by which a consumer's queues were shared is needed no more. It may be the
    /// application's own, which alone should free it.
    RuleSpent {
        /// The rule.
        rule: Strategy,
    },
    /// A broker can't filter as a consumer asked for: it leaves its group, or has never joined it,
    /// and [`Left`](Self::Left) follows.
    FilterRefused {
        /// The consumer.
        sub: SubscriptionId,
        /// What was refused, and why.
        refused: Arc<FilterRefused>,
    },
    /// The store that a consumer was given for its offsets is needed no more. It is the
    /// application's own, which alone should free it.
    StoreSpent {
        /// The store.
        store: OwnStore,
    },
    /// A consumer has left its group: nothing more will come.
    Left {
        /// The consumer.
        sub: SubscriptionId,
        /// What others are given of it.
        leftover: Leftover,
    },
    /// Something worth a line in a log.
    Note(Note),
    /// The shutdown is complete: every connection is closed, every call has ended.
    Stopped,
}
