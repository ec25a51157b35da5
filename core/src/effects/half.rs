//! Half messages: how they end, and what brokers ask of them.

use std::sync::Arc;

use bytes::Bytes;

use super::{SendReceipt, SendStatus};
use crate::error::Attempt;
use crate::message::properties::{TRANSACTION_CHECK_TIMES, TRANSACTION_ID};
use crate::message::{Record, RecordList, UniqueId};
use crate::name::Group;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "LocalTransactionState", alias = "TransactionStatus")]
pub enum Resolution {
    /// The message is to be delivered.
    #[doc(alias = "COMMIT_MESSAGE", alias = "CommitMessageState")]
    Commit,
    /// The message is never to be delivered.
    #[doc(alias = "ROLLBACK_MESSAGE", alias = "RollbackMessageState")]
    RollBack,
    /// Nobody can say yet: the broker asks again later.
    #[doc(alias = "UNKNOW", alias = "UnknowState")]
    Unknown,
}

impl Resolution {
    /// What it is on the wire (`MessageSysFlag`).
    pub(crate) const fn outcome(self) -> i32 {
        use crate::message::sys_flag::{TRANSACTION_COMMIT, TRANSACTION_ROLLBACK};
        match self {
            Self::Commit => TRANSACTION_COMMIT,
            Self::RollBack => TRANSACTION_ROLLBACK,
            Self::Unknown => 0,
        }
    }
}

/// How far a transaction has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionState {
    /// The broker has confirmed that the message is in its topic.
    Committed,
    /// The broker has confirmed that the message will never be.
    RolledBack,
    /// The broker was told that nobody knows yet, and will ask.
    Unknown,
    /// The broker has not confirmed what was decided: it was told and did not answer, or there was
    /// no way to tell it. It will ask unless it knows, and is then told the same.
    Unconfirmed {
        /// What was decided.
        resolution: Resolution,
        /// Whether the broker may have been told.
        told: bool,
        /// The last try; `None`: the broker has no address.
        attempt: Option<Box<Attempt>>,
    },
}

/// What the end of a transaction comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "TransactionSendResult")]
pub struct TransactionReceipt {
    /// How far it has ended.
    pub state: TransactionState,
    /// The unique id of its message.
    pub message_id: UniqueId,
    /// What the application calls it, if it does; else the unique id.
    pub transaction_id: Arc<str>,
}

/// Where a half message is stored.
#[derive(Clone, Debug)]
pub(crate) struct HalfStored {
    /// How it stands.
    pub(crate) status: SendStatus,
    /// The broker that has it.
    pub(crate) broker: Arc<str>,
    /// Its place in the queue of half messages.
    pub(crate) offset: i64,
    /// The broker's id of it.
    pub(crate) offset_message_id: Arc<str>,
}

impl HalfStored {
    /// What a receipt says of that.
    pub(crate) fn of(receipt: &SendReceipt) -> Self {
        Self {
            status: receipt.status,
            broker: receipt.broker.clone(),
            offset: receipt.offset,
            offset_message_id: receipt.offset_message_id.clone(),
        }
    }
}

/// A half message that its broker asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedHalf {
    pub(crate) group: Group,
    pub(crate) records: RecordList,
}

impl CheckedHalf {
    /// The group of its producer.
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// The topic it is for, without the client's namespace.
    pub fn topic(&self) -> String {
        self.group.bare(&self.message().topic()).to_owned()
    }

    /// Everything of the message as its broker has it: topic, tags, keys, properties, times, ids.
    ///
    /// # Panics
    /// Never: one that can't be read is asked of nobody.
    pub fn message(&self) -> Record<'_> {
        #[expect(clippy::expect_used, reason = "it was read when it came")]
        self.records.record(0).expect("a half message that was read")
    }

    /// Its body, opened if it was compressed; `None` if it can't be.
    pub fn body(&self) -> Option<Bytes> {
        self.message().body().ok()
    }

    /// What its application calls the transaction
    /// ([`Message::transaction_id`](crate::message::Message::transaction_id)); else its unique id.
    pub fn transaction_id(&self) -> &str {
        let message = self.message();
        message.property(TRANSACTION_ID).or_else(|| message.unique_id()).unwrap_or_default()
    }

    /// How often the broker has asked about it, this time included.
    pub fn checks(&self) -> u32 {
        let times = self.message().property(TRANSACTION_CHECK_TIMES);
        times.and_then(|times| times.parse().ok()).unwrap_or(1)
    }
}
