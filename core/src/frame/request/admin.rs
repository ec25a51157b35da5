//! Routes, topics, groups and figures, and looking messages up.

use std::sync::Arc;

use crate::frame::header::header;

header! {
    /// Where is this topic? To a name server (`GetRouteInfoRequestHeader`).
    RouteRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// Whether the answer must be standard JSON, whatever the version says.
        accept_standard_json: Option<bool> = "acceptStandardJsonOnly",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// A request of which the code, and the body where there is one, say all
    PlainRequest {
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Create or change a topic (`CreateTopicRequestHeader`).
    CreateTopicRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The topic whose settings it takes over.
        default_topic: Arc<str> = "defaultTopic",
        /// Queues to read from.
        read_queues: i32 = "readQueueNums",
        /// Queues to send to.
        write_queues: i32 = "writeQueueNums",
        /// 4: readable, 2: writable (`PermName`).
        perm: i32 = "perm",
        /// `SINGLE_TAG` or `MULTI_TAG`.
        filter_type: Arc<str> = "topicFilterType",
        /// `TopicSysFlag`.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Whether it is of global order.
        order: bool = "order" or false,
        /// Attributes to set and to drop, as `+message.type=FIFO,-cleanup.policy`.
        attributes: Option<Arc<str>> = "attributes",
        /// Change a static topic all the same.
        force: Option<bool> = "force",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Delete a topic of a broker (`DeleteTopicRequestHeader`).
    DeleteTopicRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Delete a topic of a name server (`DeleteTopicFromNamesrvRequestHeader`).
    DeleteTopicInNameServerRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// Only in this cluster.
        cluster: Option<Arc<str>> = "clusterName",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Ask about a topic (`GetTopicStatsInfoRequestHeader`, `GetTopicConfigRequestHeader`).
    TopicRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Delete a group (`DeleteSubscriptionGroupRequestHeader`).
    DeleteGroupRequest {
        /// The group.
        group: Arc<str> = "groupName",
        /// Its offsets too.
        clean_offsets: bool = "cleanOffset" or false,
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Ask who is connected for a consumer group (`GetConsumerConnectionListRequestHeader`).
    ConsumerConnectionsRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Ask who is connected for a producer group (`GetProducerConnectionListRequestHeader`).
    ProducerConnectionsRequest {
        /// The producer's group.
        producer_group: Arc<str> = "producerGroup",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Ask for the offsets and the lag of a group (`GetConsumeStatsRequestHeader`).
    ConsumeStatsRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// Only of this topic.
        topic: Option<Arc<str>> = "topic",
        /// Only of these topics, each with a semicolon after it (5.4).
        topics: Option<Arc<str>> = "topicList",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Find messages by key (`QueryMessageRequestHeader`).
    QueryMessageRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The key, or the unique id.
        key: Arc<str> = "key",
        /// Most messages in the reply.
        max_messages: i32 = "maxNum",
        /// Stored from then on, in milliseconds since 1970.
        begin_timestamp: i64 = "beginTimestamp",
        /// Stored until then, in milliseconds since 1970.
        end_timestamp: i64 = "endTimestamp",
        /// Whether the key is a unique id. Brokers leave it out of the signature, 5.x only when
        /// the version shown is at most V4_9_3.
        unique: Option<bool> = "_UNIQUE_KEY_QUERY",
        /// Which index (5.4): `K` keys, `U` unique ids, `T` tags.
        index_type: Option<Arc<str>> = "indexType",
        /// Where the last page ended (5.4).
        last_key: Option<Arc<str>> = "lastKey",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Show the message at this place (`ViewMessageRequestHeader`).
    ViewMessageRequest {
        /// The topic, which access control asks for.
        topic: Option<Arc<str>> = "topic",
        /// The place in the commit log, in bytes.
        offset: i64 = "offset",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}
