//! Reading a queue, and its offsets.

use std::sync::Arc;

use crate::frame::header::header;

header! {
    /// Read messages of a queue (`PullMessageRequestHeader`).
    PullRequest {
        /// The consumer's group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The offset of the first message wanted.
        queue_offset: i64 = "queueOffset",
        /// Most messages in the reply.
        max_messages: i32 = "maxMsgNums",
        /// Bits: 1 store the commit offset, 2 wait, 4 has a subscription, 8 class filter, 16 lite
        /// (`PullSysFlag`).
        sys_flag: i32 = "sysFlag",
        /// The offset to store for the group, with bit 1.
        commit_offset: i64 = "commitOffset",
        /// How long the broker may hold the request, in milliseconds, with bit 2.
        suspend_timeout_millis: i64 = "suspendTimeoutMillis",
        /// The expression, with bit 4.
        subscription: Option<Arc<str>> = "subscription",
        /// The version of the subscription: a time in milliseconds.
        sub_version: i64 = "subVersion",
        /// `TAG` or `SQL92`.
        expression_type: Option<Arc<str>> = "expressionType",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        /// Most bytes of messages in the reply (brokers from 5.0 on).
        max_bytes: Option<i32> = "maxMsgBytes",
        /// Who asks: -1 a client, 0 a proxy for broadcast, 1 one for streams (`RequestSource`).
        request_source: Option<i32> = "requestSource",
        /// The client for which a proxy asks; Java spells it so.
        proxied_client_id: Option<Arc<str>> = "proxyFrowardClientId",
        ..common
    }
}

header! {
    /// Which offset has the group stored? (`QueryConsumerOffsetRequestHeader`)
    QueryOffsetRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        /// Answer 0 where the group has none, not `QUERY_NOT_FOUND`.
        zero_if_absent: Option<bool> = "setZeroIfNotFound",
        ..common
    }
}

header! {
    /// Store this offset (`UpdateConsumerOffsetRequestHeader`).
    UpdateOffsetRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The offset of the next message to consume.
        commit_offset: i64 = "commitOffset",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Where does the queue end? (`GetMaxOffsetRequestHeader`)
    MaxOffsetRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        /// Up to what is replicated only; a broker takes an absent one for true.
        committed: Option<bool> = "committed",
        ..common
    }
}

header! {
    /// Where does the queue begin? (`GetMinOffsetRequestHeader`)
    MinOffsetRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Which offset belongs to this time? (`SearchOffsetRequestHeader`).
    SearchOffsetRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// Milliseconds since 1970.
        timestamp: i64 = "timestamp",
        /// `LOWER`: the first message of that time; `UPPER`: the last. Brokers before 5.0 know
        /// lower only.
        boundary: Option<Arc<str>> = "boundaryType",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// When was the queue's first message stored? (`GetEarliestMsgStoretimeRequestHeader`).
    EarliestTimeRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}
