//! Reading under an invisible time (pop), and settling what was read.

use std::sync::Arc;

use crate::frame::header::header;

header! {
    /// Give messages that nobody else sees for a while (`PopMessageRequestHeader`).
    PopRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue; -1: any.
        queue_id: i32 = "queueId",
        /// Most messages in the reply: at most 32.
        max_messages: i32 = "maxMsgNums",
        /// How long they stay invisible, in milliseconds.
        invisible_millis: i64 = "invisibleTime",
        /// How long the broker may wait for one, in milliseconds.
        poll_millis: i64 = "pollTime",
        /// When the request was made, in milliseconds since 1970. One that is more than 500 ms
        /// past its wait is refused, so clocks matter.
        born_timestamp: i64 = "bornTime",
        /// Where a new group starts: 0 first, 1 last (`ConsumeInitMode`).
        init_mode: i32 = "initMode",
        /// `TAG` or `SQL92`.
        expression_type: Option<Arc<str>> = "expType",
        /// The expression.
        expression: Option<Arc<str>> = "exp",
        /// Whether queues are read in order, one batch at a time.
        order: bool = "order" or false,
        /// The attempt: a repeated pop in order gives the same messages.
        attempt_id: Option<Arc<str>> = "attemptId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// This popped message is done (`AckMessageRequestHeader`).
    AckRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic that the message lies in: the group's retry topic, where it came from there.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The receipt: the message's `POP_CK`.
        receipt: Arc<str> = "extraInfo",
        /// The message's offset in the queue.
        offset: i64 = "offset",
        /// The lite topic (5.5).
        lite_topic: Option<Arc<str>> = "liteTopic",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Show this popped message again at another time (`ChangeInvisibleTimeRequestHeader`).
    ChangeInvisibleRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic that the message lies in.
        topic: Arc<str> = "topic",
        /// The queue.
        queue_id: i32 = "queueId",
        /// The receipt: the message's `POP_CK`.
        receipt: Arc<str> = "extraInfo",
        /// The message's offset in the queue.
        offset: i64 = "offset",
        /// From now on, in milliseconds.
        invisible_millis: i64 = "invisibleTime",
        /// The lite topic (5.5).
        lite_topic: Option<Arc<str>> = "liteTopic",
        /// Leave the attempts uncounted (5.5).
        suspend: Option<bool> = "suspend",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Answer when the queue has messages (`NotificationRequestHeader`).
    NotificationRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue; -1: any.
        queue_id: i32 = "queueId",
        /// How long the broker may wait, in milliseconds.
        poll_millis: i64 = "pollTime",
        /// When the request was made, in milliseconds since 1970.
        born_timestamp: i64 = "bornTime",
        /// Whether the queue is read in order.
        order: bool = "order" or false,
        /// The attempt of the pop that would follow.
        attempt_id: Option<Arc<str>> = "attemptId",
        /// `TAG` or `SQL92` (5.5).
        expression_type: Option<Arc<str>> = "expType",
        /// The expression (5.5).
        expression: Option<Arc<str>> = "exp",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Show messages without taking them (`PeekMessageRequestHeader`).
    PeekRequest {
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue; -1: any.
        queue_id: i32 = "queueId",
        /// Most messages in the reply.
        max_messages: i32 = "maxMsgNums",
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// How many pops wait here? (`PollingInfoRequestHeader`).
    PollingInfoRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The topic.
        topic: Arc<str> = "topic",
        /// The queue; -1: any.
        queue_id: i32 = "queueId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// Pop from all lite topics of a client (5.5) (`PopLiteMessageRequestHeader`).
    PopLiteRequest {
        /// The client.
        client_id: Arc<str> = "clientId",
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The parent topic.
        topic: Arc<str> = "topic",
        /// Most messages in the reply.
        max_messages: i32 = "maxMsgNum",
        /// How long they stay invisible, in milliseconds.
        invisible_millis: i64 = "invisibleTime",
        /// How long the broker may wait, in milliseconds.
        poll_millis: i64 = "pollTime",
        /// When the request was made, in milliseconds since 1970.
        born_timestamp: i64 = "bornTime",
        /// The attempt: a repeated one gives the same messages.
        attempt_id: Option<Arc<str>> = "attemptId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// From the broker: a lite subscription of this client ended (5.5)
    /// (`NotifyUnsubscribeLiteRequestHeader`).
    LiteUnsubscribedRequest {
        /// The lite topic.
        lite_topic: Arc<str> = "liteTopic",
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
        /// The client.
        client_id: Option<Arc<str>> = "clientId",
        ..common
    }
}
