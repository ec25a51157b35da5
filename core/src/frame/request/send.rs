//! Storing messages, sending them back, taking them back, and answering them.

use std::sync::Arc;

use crate::frame::header::header;

header! {
    /// Store the message in the body (`SendMessageRequestHeaderV2`).
    SendRequest {
        /// The producer's group.
        producer_group: Arc<str> = "a",
        /// The topic.
        topic: Arc<str> = "b",
        /// The topic whose settings a topic made on the fly takes.
        default_topic: Arc<str> = "c",
        /// How many queues such a topic has.
        default_topic_queues: i32 = "d",
        /// The queue.
        queue_id: i32 = "e",
        /// Bits: 1 the body is compressed, 4 half message, and more (`MessageSysFlag`).
        sys_flag: i32 = "f",
        /// When the message was made, in milliseconds since 1970.
        born_timestamp: i64 = "g",
        /// The application's own number.
        flag: i32 = "h",
        /// The message's properties in their wire form.
        properties: Option<Arc<str>> = "i",
        /// How often it was consumed before.
        reconsume_times: Option<i32> = "j",
        /// Whether the client works in unit mode.
        unit_mode: Option<bool> = "k",
        /// After how many attempts it becomes a dead letter.
        max_reconsume_times: Option<i32> = "l",
        /// Whether the body is a batch.
        batch: Option<bool> = "m",
        /// The broker's name.
        broker: Option<Arc<str>> = "n",
        ..common
    }
}

header! {
    /// Store the message in the body, with long names (`SendMessageRequestHeader`).
    SendRequestV1 {
        /// The producer's group.
        producer_group: Arc<str> = "producerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The topic whose settings a topic made on the fly takes.
        default_topic: Arc<str> = "defaultTopic",
        /// How many queues such a topic has.
        default_topic_queues: i32 = "defaultTopicQueueNums",
        /// The queue.
        queue_id: i32 = "queueId",
        /// Bits of `MessageSysFlag`.
        sys_flag: i32 = "sysFlag",
        /// When the message was made, in milliseconds since 1970.
        born_timestamp: i64 = "bornTimestamp",
        /// The application's own number.
        flag: i32 = "flag",
        /// The message's properties in their wire form.
        properties: Option<Arc<str>> = "properties",
        /// How often it was consumed before.
        reconsume_times: Option<i32> = "reconsumeTimes",
        /// Whether the client works in unit mode.
        unit_mode: Option<bool> = "unitMode",
        /// After how many attempts it becomes a dead letter.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
        /// Whether the body is a batch.
        batch: Option<bool> = "batch",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

impl From<SendRequestV1> for SendRequest {
    /// The same under short names (`SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2`).
    fn from(long: SendRequestV1) -> Self {
        Self {
            producer_group: long.producer_group,
            topic: long.topic,
            default_topic: long.default_topic,
            default_topic_queues: long.default_topic_queues,
            queue_id: long.queue_id,
            sys_flag: long.sys_flag,
            born_timestamp: long.born_timestamp,
            flag: long.flag,
            properties: long.properties,
            reconsume_times: long.reconsume_times,
            unit_mode: long.unit_mode,
            max_reconsume_times: long.max_reconsume_times,
            batch: long.batch,
            broker: long.broker,
            common: long.common,
        }
    }
}

impl From<SendRequest> for SendRequestV1 {
    /// The same under long names (`SendMessageRequestHeaderV2.createSendMessageRequestHeaderV1`).
    fn from(short: SendRequest) -> Self {
        Self {
            producer_group: short.producer_group,
            topic: short.topic,
            default_topic: short.default_topic,
            default_topic_queues: short.default_topic_queues,
            queue_id: short.queue_id,
            sys_flag: short.sys_flag,
            born_timestamp: short.born_timestamp,
            flag: short.flag,
            properties: short.properties,
            reconsume_times: short.reconsume_times,
            unit_mode: short.unit_mode,
            max_reconsume_times: short.max_reconsume_times,
            batch: short.batch,
            broker: short.broker,
            common: short.common,
        }
    }
}

header! {
    /// Deliver this message of mine again later (`ConsumerSendMsgBackRequestHeader`).
    SendBackRequest {
        /// The place of the message in the commit log, in bytes.
        offset: i64 = "offset",
        /// The group.
        group: Arc<str> = "group",
        /// A level from 1 on; 0: by the number of attempts; below 0: a dead letter at once.
        delay_level: i32 = "delayLevel",
        /// The unique id of the message.
        message_id: Option<Arc<str>> = "originMsgId",
        /// The topic it was sent to.
        topic: Option<Arc<str>> = "originTopic",
        /// Whether the client works in unit mode.
        unit_mode: bool = "unitMode" or false,
        /// After how many attempts it becomes a dead letter.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Take a delayed message back (`RecallMessageRequestHeader`).
    RecallRequest {
        /// The producer's group.
        producer_group: Option<Arc<str>> = "producerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// What the send's reply gave: base64url of `v1 topic broker time uniqueId`.
        handle: Arc<str> = "recallHandle",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// From the broker: the reply to a request message, in the body
    /// (`ReplyMessageRequestHeader`).
    PushReplyRequest {
        /// The producer's group.
        producer_group: Arc<str> = "producerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The topic whose settings a topic made on the fly takes.
        default_topic: Arc<str> = "defaultTopic",
        /// How many queues such a topic has.
        default_topic_queues: i32 = "defaultTopicQueueNums",
        /// The queue.
        queue_id: i32 = "queueId",
        /// Bits of `MessageSysFlag`: the body may be compressed.
        sys_flag: i32 = "sysFlag",
        /// When the reply was made, in milliseconds since 1970.
        born_timestamp: i64 = "bornTimestamp",
        /// The application's own number.
        flag: i32 = "flag",
        /// The reply's properties in their wire form; `CORRELATION_ID` tells the request.
        properties: Option<Arc<str>> = "properties",
        /// How often it was consumed before.
        reconsume_times: Option<i32> = "reconsumeTimes",
        /// Whether the client works in unit mode.
        unit_mode: bool = "unitMode" or false,
        /// The sender, as "/ip:port".
        born_host: Arc<str> = "bornHost",
        /// The broker, as "/ip:port".
        store_host: Arc<str> = "storeHost",
        /// When the broker got it, in milliseconds since 1970.
        store_timestamp: i64 = "storeTimestamp",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}
