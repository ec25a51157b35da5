//! Trace records: what a client did with which messages, as text for the trace topic.
//!
//! A record is a line of fields that 0x01 separates and 0x02 ends (`TraceDataEncoder`). One context
//! becomes a line per message for the two kinds about consuming, and one line for all others.

mod encode;
mod parse;

use std::collections::BTreeSet;

pub use parse::TraceError;

use crate::time::UnixMillis;

/// The topic that traces are sent to (`TopicValidator.RMQ_SYS_TRACE_TOPIC`).
pub const TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// What stands before the region in the trace topic of a cloud (`TraceConstants`).
pub const CLOUD_TOPIC_PREFIX: &str = "rmq_sys_TRACE_DATA_";

const FIELD_END: char = '\u{1}';
const RECORD_END: char = '\u{2}';

/// What a trace record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceKind {
    /// A message was sent.
    Pub,
    /// Messages are about to be consumed.
    SubBefore,
    /// They were consumed; the request id pairs it with the one before.
    SubAfter,
    /// A transaction was ended.
    EndTransaction,
    /// A delayed message was recalled (from 5.4 on).
    Recall,
}

impl TraceKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Pub, Self::SubBefore, Self::SubAfter, Self::EndTransaction, Self::Recall];

    /// Its name on the wire (`TraceType`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pub => "Pub",
            Self::SubBefore => "SubBefore",
            Self::SubAfter => "SubAfter",
            Self::EndTransaction => "EndTransaction",
            Self::Recall => "Recall",
        }
    }
}

/// What kind of message was sent (`MessageType`, by its ordinal on the wire).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TraceMessageKind {
    /// An ordinary one: 0.
    #[default]
    Normal,
    /// A half message: 1.
    TransactionHalf,
    /// A committed message: 2.
    TransactionCommit,
    /// A delayed one: 3.
    Delay,
    /// One of an order: 4 (`Order_Msg`).
    Order,
}

impl TraceMessageKind {
    const ALL: [Self; 5] =
        [Self::Normal, Self::TransactionHalf, Self::TransactionCommit, Self::Delay, Self::Order];
}

/// How messages were consumed (`ConsumeReturnType`, by its ordinal on the wire).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConsumeOutcome {
    /// 0.
    #[default]
    Success,
    /// Took longer than the consume timeout: 1.
    TimedOut,
    /// The handler panicked: 2 (`EXCEPTION`).
    Panicked,
    /// The handler gave nothing back: 3 (`RETURNNULL`, in Java only).
    NoResult,
    /// To be delivered again: 4.
    Failed,
}

impl ConsumeOutcome {
    const ALL: [Self; 5] =
        [Self::Success, Self::TimedOut, Self::Panicked, Self::NoResult, Self::Failed];
}

/// Where the brokers are (`AccessChannel`): traces to a cloud leave two fields out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AccessChannel {
    /// Brokers of one's own.
    #[default]
    Local,
    /// Alibaba Cloud.
    Cloud,
}

/// One message in a trace. What a kind does not write is ignored, and empty when it was parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceMessage {
    /// Topic.
    pub topic: String,
    /// The id its producer gave it.
    pub message_id: String,
    /// The id its broker gave it. Java writes `null` for none of these three, as do we.
    pub offset_message_id: Option<String>,
    /// Its tag.
    pub tags: Option<String>,
    /// Its keys, joined by blanks.
    pub keys: Option<String>,
    /// The address it was stored at.
    pub store_host: String,
    /// Earlier deliveries.
    pub retry_times: i32,
    /// Bytes of its body.
    pub body_length: i32,
    /// What kind of message.
    pub kind: TraceMessageKind,
    /// The transaction's id.
    pub transaction_id: Option<String>,
    /// `COMMIT_MESSAGE`, `ROLLBACK_MESSAGE` or `UNKNOW` (`LocalTransactionState`, so spelt).
    pub transaction_state: Option<String>,
    /// Whether the broker's check ended the transaction.
    pub from_check: bool,
}

/// What a client did, with all messages it did it with (`TraceContext`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// What it did.
    pub kind: TraceKind,
    /// When, by the client's clock.
    pub timestamp: UnixMillis,
    /// The broker's region; `DefaultRegion` where none is set.
    pub region: String,
    /// The group of the producer or consumer.
    pub group: String,
    /// How long it took, in milliseconds (for a batch consumed, divided by its messages).
    pub cost_millis: i32,
    /// Whether it succeeded.
    pub success: bool,
    /// Pairs the record before consuming with the one after.
    pub request_id: String,
    /// How consuming ended.
    pub outcome: ConsumeOutcome,
    /// Where the brokers are.
    pub channel: AccessChannel,
    /// The messages; a send has one, also when it sends a batch.
    pub messages: Vec<TraceMessage>,
}

impl TraceContext {
    /// An empty one of this kind.
    pub const fn new(kind: TraceKind) -> Self {
        Self {
            kind,
            timestamp: UnixMillis(0),
            region: String::new(),
            group: String::new(),
            cost_millis: 0,
            success: true,
            request_id: String::new(),
            outcome: ConsumeOutcome::Success,
            channel: AccessChannel::Local,
            messages: Vec::new(),
        }
    }

    /// Appends the record, as the body of a message to the trace topic; several may follow each
    /// other. Nothing without messages. A separator inside a text, which a hostile producer may
    /// have put there, becomes a blank: it would forge another record.
    pub fn encode_into(&self, out: &mut String) {
        encode::encode(self, out);
    }

    /// Reads the records of one trace message, whoever wrote it: each line is one context with one
    /// message. Lines of a kind not known are passed over.
    pub fn parse(text: &str) -> Result<Vec<Self>, TraceError> {
        parse::parse(text)
    }

    /// The keys by which the trace is found: the messages' ids and keys.
    pub fn keys(&self) -> BTreeSet<&str> {
        let ids = self.messages.iter().map(|message| &*message.message_id);
        let keys = self.messages.iter().filter_map(|message| message.keys.as_deref());
        let keys = keys.flat_map(|keys| keys.split(' '));
        ids.chain(keys).filter(|key| !key.is_empty()).collect()
    }
}
