//! What sends end with.

use std::sync::Arc;

use crate::frame::ResponseCode;
use crate::message::UniqueId;
use crate::name::Topic;

/// How a stored message stands (`SendStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// Stored as the broker's configuration asks.
    Ok,
    /// Stored, but not yet flushed to disk in time.
    FlushDiskTimeout,
    /// Stored, but not yet copied to a slave in time.
    FlushSlaveTimeout,
    /// Stored, and there is no slave to copy it to.
    SlaveNotAvailable,
}

impl SendStatus {
    /// The status a code stands for; `None` for an error.
    pub(crate) const fn of(code: ResponseCode) -> Option<Self> {
        match code {
            ResponseCode::SUCCESS => Some(Self::Ok),
            ResponseCode::FLUSH_DISK_TIMEOUT => Some(Self::FlushDiskTimeout),
            ResponseCode::FLUSH_SLAVE_TIMEOUT => Some(Self::FlushSlaveTimeout),
            ResponseCode::SLAVE_NOT_AVAILABLE => Some(Self::SlaveNotAvailable),
            _ => None,
        }
    }
}

/// Where a message was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "SendResult")]
pub struct SendReceipt {
    /// How it stands.
    pub status: SendStatus,
    /// Its topic.
    pub topic: Topic,
    /// The broker group that has it.
    pub broker: Arc<str>,
    /// The queue on that broker.
    pub queue: i32,
    /// Its place in the queue, from 0.
    pub offset: i64,
    /// The id this client gave it; the same on every try.
    pub message_id: UniqueId,
    /// The broker's id of this copy: address and place in the commit log. Of a batch, the ids of
    /// all its messages, joined by commas. Empty if the broker told none.
    pub offset_message_id: Arc<str>,
    /// By which the message can be taken back while it waits for its time
    /// (`Producer::recall`): of one that is for a time, from brokers from 5.3 on.
    pub recall_handle: Option<Arc<str>>,
    /// The ids of a batch's messages, in their order; `message_id` is the first one.
    pub batch: Option<Arc<[UniqueId]>>,
}

impl SendReceipt {
    /// Each message that was stored: its id, its offset, the broker's id of it.
    pub fn messages(&self) -> impl Iterator<Item = (UniqueId, i64, &str)> {
        let single = std::slice::from_ref(&self.message_id);
        let ids = self.batch.as_deref().unwrap_or(single);
        let copies = self.offset_message_id.split(',').chain(std::iter::repeat(""));
        let each = ids.iter().zip(self.offset..).zip(copies);
        each.map(|((id, offset), copy)| (*id, offset, copy))
    }
}
