//! The fields of replies, read by the kind that the opaque carries.

use std::borrow::Cow;
use std::sync::Arc;

use super::code::ResponseCode;
use super::error::HeaderError;
use super::head::{Fields, Pairs};
use super::header::{FieldSink, FieldValue, Header, header};
use super::opaque::Kind;

header! {
    /// Where a message was stored (`SendMessageResponseHeader`).
    SendReply {
        /// The id that tells the broker's address and the place in its log; of a batch, a list.
        /// Empty where the broker tells none: the message is stored all the same.
        msg_id: Arc<str> = "msgId" or Arc::from(""),
        /// The queue.
        queue_id: i32 = "queueId",
        /// The offset in the queue; of a batch, that of its first message.
        queue_offset: i64 = "queueOffset",
        /// The id of the transaction: the message's unique id.
        transaction_id: Option<Arc<str>> = "transactionId",
        /// The unique id that the broker gave to a batch it stored as one.
        batch_unique_id: Option<Arc<str>> = "batchUniqId",
        /// What takes a delayed message back (5.3 and later).
        recall_handle: Option<Arc<str>> = "recallHandle",
        /// The broker's region, for traces.
        region: Region = "MSG_REGION" or Region::default(),
        /// Whether the broker wants traces; Java takes an absent one for true.
        trace_on: Option<bool> = "TRACE_ON",
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
        /// What to add to the offsets of the messages, in a static topic.
        offset_delta: Option<i64> = "offsetDelta",
        /// `TopicSysFlag` of the topic.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Flags of the group.
        group_sys_flag: Option<i32> = "groupSysFlag",
        /// Why reading is forbidden (`ForbiddenType`), with code 16.
        forbidden_type: Option<i32> = "forbiddenType",
    }
}

header! {
    /// One offset (`QueryConsumerOffsetResponseHeader` and its like).
    OffsetReply {
        /// The offset.
        offset: i64 = "offset",
    }
}

header! {
    /// What a broker says to a heartbeat; its version is in the header itself
    /// (`ClientManageProcessor.heartBeat`).
    HeartbeatReply {
        /// Whether it takes heartbeats without subscriptions (5.1 and later).
        v2: bool = "IS_SUPPORT_HEART_BEAT_V2" or false,
        /// Whether it sees other subscriptions than its last ones: send them all again.
        sub_changed: bool = "IS_SUB_CHANGE" or false,
    }
}

header! {
    /// What a pop found (`PopMessageResponseHeader`); the messages are in the body.
    PopReply {
        /// When the messages were taken, in milliseconds since 1970 by the broker's clock.
        pop_time: i64 = "popTime" or 0,
        /// How long they stay invisible, in milliseconds.
        invisible_millis: i64 = "invisibleTime" or 0,
        /// The queue in which the broker keeps the receipts; 999: read in order.
        revive_queue: i32 = "reviveQid" or 0,
        /// How many messages are left.
        rest: i64 = "restNum" or 0,
        /// `flag queue start;...`: where each queue's messages begin.
        start_offsets: Option<Arc<str>> = "startOffsetInfo",
        /// `flag queue o1,o2,...;...`: the offsets of the messages.
        message_offsets: Option<Arc<str>> = "msgOffsetInfo",
        /// `flag queue n;...`: how often messages read in order were consumed.
        order_counts: Option<Arc<str>> = "orderCountInfo",
    }
}

header! {
    /// The new receipt of a popped message (`ChangeInvisibleTimeResponseHeader`).
    ChangeInvisibleReply {
        /// From when the time counts, in milliseconds since 1970 by the broker's clock.
        pop_time: i64 = "popTime",
        /// How long the message stays invisible, in milliseconds.
        invisible_millis: i64 = "invisibleTime",
        /// The queue in which the broker keeps the receipt.
        revive_queue: i32 = "reviveQid",
    }
}

header! {
    /// Whether there is something to pop (`NotificationResponseHeader`).
    NotificationReply {
        /// There are messages.
        has_messages: bool = "hasMsg" or false,
        /// Too many wait already.
        polling_full: bool = "pollingFull" or false,
    }
}

header! {
    /// How many pops wait (`PollingInfoResponseHeader`).
    PollingInfoReply {
        /// Their number.
        waiting: i32 = "pollingNum",
    }
}

header! {
    /// When a queue's first message was stored (`GetEarliestMsgStoretimeResponseHeader`).
    TimestampReply {
        /// Milliseconds since 1970; -1: there is none.
        timestamp: i64 = "timestamp",
    }
}

header! {
    /// Which message was taken back (`RecallMessageResponseHeader`).
    RecallReply {
        /// Its unique id.
        message_id: Arc<str> = "msgId",
    }
}

header! {
    /// How far the index reached (`QueryMessageResponseHeader`); the messages are in the body.
    QueryMessageReply {
        /// When it was last written, in milliseconds since 1970.
        index_timestamp: i64 = "indexLastUpdateTimestamp" or 0,
        /// Up to which place in the commit log, in bytes.
        index_offset: i64 = "indexLastUpdatePhyoffset" or 0,
    }
}

/// The region a broker says it is in: a send's reply tells it each time, and mostly it is the
/// default one, which costs nothing to read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Region(Option<Arc<str>>);

impl Region {
    /// What brokers say that were told of no other, and what an absent one means
    /// (`MixAll.DEFAULT_TRACE_REGION_ID`).
    pub const DEFAULT: &str = "DefaultRegion";

    /// The region of this name.
    pub fn new(name: &str) -> Self {
        Self((!name.is_empty() && name != Self::DEFAULT).then(|| Arc::from(name)))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(Self::DEFAULT)
    }
}

impl FieldValue for Region {
    fn write<W: FieldSink>(&self, key: &'static str, to: &mut W) {
        if let Some(name) = &self.0 {
            to.text(key, name);
        }
    }

    fn read(_: &'static str, text: Cow<'_, str>) -> Result<Self, HeaderError> {
        Ok(Self::new(&text))
    }
}

macro_rules! replies {
    ($($(#[$doc:meta])* $variant:ident($header:ty) for $codes:pat,)*) => {
        /// The extension fields of a reply, as far as its kind asks for them.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum ReplyFields {
            /// None, or none that matter.
            None,
            $($(#[$doc])* $variant($header),)*
            /// All of them, as they are.
            Pairs(Pairs),
        }

        impl ReplyFields {
            /// Reads the fields that a reply of this kind and code has.
            ///
            /// A send's are there for the codes that mean "stored" (0, 10, 11, 12), a pull's for
            /// those that move its offset (0, 19, 20, 21), most others' for 0.
            pub fn read(
                kind: Option<Kind>,
                code: ResponseCode,
                fields: &Fields<'_>,
            ) -> Result<Self, HeaderError> {
                match (kind, code.0) {
                    $((Some(Kind::$variant), $codes) => {
                        <$header>::read(fields).map(Self::$variant)
                    })*
                    (Some(Kind::Fields), _) => fields.to_pairs().map(Self::Pairs),
                    _ => Ok(Self::None),
                }
            }

            /// Writes the fields.
            pub fn write<W: FieldSink>(&self, to: &mut W) {
                match self {
                    Self::None => {}
                    $(Self::$variant(header) => header.write(to),)*
                    Self::Pairs(pairs) => pairs.iter().for_each(|(key, value)| to.pair(key, value)),
                }
            }
        }
    };
}

// Each row's name is that of the kind whose replies have these fields, for these codes.
replies! {
    /// Of a send.
    Send(SendReply) for 0 | 10 | 11 | 12,
    /// Of a pull.
    Pull(PullReply) for 0 | 19 | 20 | 21,
    /// Of a question for an offset.
    Offset(OffsetReply) for 0,
    /// Of a heartbeat.
    Heartbeat(HeartbeatReply) for 0,
    /// Of a pop.
    Pop(PopReply) for 0 | 19 | 209 | 210,
    /// Of a change of a popped message's time.
    ChangeInvisible(ChangeInvisibleReply) for 0,
    /// Of a wait for messages.
    Notification(NotificationReply) for 0,
    /// Of a question for the pops that wait.
    PollingInfo(PollingInfoReply) for 0,
    /// Of a question for a time.
    Timestamp(TimestampReply) for 0,
    /// Of a recall.
    Recall(RecallReply) for 0,
    /// Of a search by key.
    QueryMessage(QueryMessageReply) for 0 | 22,
}
