//! The fields of replies, read by the kind that the opaque carries.

use std::sync::Arc;

use super::code::ResponseCode;
use super::error::HeaderError;
use super::head::{Fields, Pairs};
use super::header::{FieldSink, Header, header};
use super::opaque::Kind;

header! {
    /// Where a message was stored (`SendMessageResponseHeader`).
    SendReply {
        /// The id that tells the broker's address and the place in its log; of a batch, a list.
        msg_id: Arc<str> = "msgId",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The offset in the queue; of a batch, that of its first message.
        queue_offset: i64 = "queueOffset",
        /// The id of the transaction: the message's unique id.
        transaction_id: Option<Arc<str>> = "transactionId",
    }
}

header! {
    /// What a pull found (`PullMessageResponseHeader`); the messages are in the body.
    PullReply {
        /// The broker to pull from next: 0 is the master.
        suggest_broker_id: Option<i64> = "suggestWhichBrokerId",
        /// The offset to pull from next.
        next_begin_offset: i64 = "nextBeginOffset",
        /// The queue's first offset.
        min_offset: i64 = "minOffset",
        /// The offset after the queue's last message.
        max_offset: i64 = "maxOffset",
    }
}

header! {
    /// One offset (`QueryConsumerOffsetResponseHeader` and its like).
    OffsetReply {
        /// The offset.
        offset: i64 = "offset",
    }
}

/// The extension fields of a reply, as far as its kind asks for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplyFields {
    /// None, or none that matter.
    None,
    /// Of a send.
    Send(SendReply),
    /// Of a pull.
    Pull(PullReply),
    /// Of a question for an offset.
    Offset(OffsetReply),
    /// All of them, as they are.
    Pairs(Pairs),
}

impl ReplyFields {
    /// Reads the fields that a reply of this kind and code has.
    ///
    /// A send's are there for the codes that mean "stored" (0, 10, 11, 12), a pull's for those that
    /// move its offset (0, 19, 20, 21), an offset's for 0.
    pub fn read(
        kind: Option<Kind>,
        code: ResponseCode,
        fields: Fields<'_>,
    ) -> Result<Self, HeaderError> {
        match (kind, code.0) {
            (Some(Kind::Send), 0 | 10 | 11 | 12) => SendReply::read(fields).map(Self::Send),
            (Some(Kind::Pull), 0 | 19 | 20 | 21) => PullReply::read(fields).map(Self::Pull),
            (Some(Kind::Offset), 0) => OffsetReply::read(fields).map(Self::Offset),
            (Some(Kind::Fields), _) => fields.to_pairs().map(Self::Pairs),
            _ => Ok(Self::None),
        }
    }

    /// Writes the fields.
    pub fn write<W: FieldSink>(&self, to: &mut W) {
        match self {
            Self::None => {}
            Self::Send(header) => header.write(to),
            Self::Pull(header) => header.write(to),
            Self::Offset(header) => header.write(to),
            Self::Pairs(pairs) => pairs.iter().for_each(|(key, value)| to.pair(key, value)),
        }
    }
}
