//! Clients and their groups: what they tell brokers, and what brokers ask of them.

use std::sync::Arc;

use crate::frame::header::header;

header! {
    /// This client lives; groups and subscriptions are in the body (`HeartbeatRequestHeader`).
    HeartbeatRequest {
        ..common
    }
}

header! {
    /// This client leaves its groups (`UnregisterClientRequestHeader`).
    UnregisterRequest {
        /// The client's id.
        client_id: Arc<str> = "clientID",
        /// The producer group it leaves.
        producer_group: Option<Arc<str>> = "producerGroup",
        /// The consumer group it leaves.
        consumer_group: Option<Arc<str>> = "consumerGroup",
        ..common
    }
}

header! {
    /// Who is in this group? (`GetConsumerListByGroupRequestHeader`)
    ConsumerListRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        ..common
    }
}

header! {
    /// From the broker, oneway: the members of a group changed
    /// (`NotifyConsumerIdsChangedRequestHeader`).
    NotifyIdsRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
    }
}

header! {
    /// From the broker: move these offsets; the body has them (`ResetOffsetRequestHeader`).
    ResetOffsetRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The group.
        group: Arc<str> = "group",
        /// One queue only; -1: all.
        queue_id: i32 = "queueId" or -1,
        /// The offset to move to, where it is not the time that counts.
        offset: Option<i64> = "offset",
        /// The time to move to, in milliseconds since 1970; -1: the end.
        timestamp: i64 = "timestamp",
        /// Move forward too: without it an offset only moves back.
        force: bool = "isForce",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// From the broker: which offsets has this client? (`GetConsumerStatusRequestHeader`).
    ConsumerStatusRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The group.
        group: Arc<str> = "group",
        /// One client only, by its address.
        client_address: Option<Arc<str>> = "clientAddr",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// From the broker: what is this consumer doing? (`GetConsumerRunningInfoRequestHeader`).
    RunningInfoRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The client.
        client_id: Arc<str> = "clientId",
        /// Whether stacks of threads are wanted.
        stacks: bool = "jstackEnable" or false,
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// From the broker: handle the message in the body now
    /// (`ConsumeMessageDirectlyResultRequestHeader`).
    ConsumeDirectlyRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The client.
        client_id: Option<Arc<str>> = "clientId",
        /// The id of the message.
        message_id: Option<Arc<str>> = "msgId",
        /// The broker that has the message.
        broker_name: Option<Arc<str>> = "brokerName",
        /// The topic.
        topic: Option<Arc<str>> = "topic",
        /// `TopicSysFlag` of the topic.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Flags of the group.
        group_sys_flag: Option<i32> = "groupSysFlag",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}
