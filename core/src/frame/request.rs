//! Requests, each with its code: one table of those this client sends or is sent.

use std::sync::Arc;

use super::code::RequestCode;
use super::error::HeaderError;
use super::head::{Fields, Pairs};
use super::header::{FieldSink, Header, header};

header! {
    /// Where is this topic? To a name server (`GetRouteInfoRequestHeader`).
    RouteRequest {
        /// The topic.
        topic: Arc<str> = "topic",
    }
}

header! {
    /// This client lives; groups and subscriptions are in the body (`HeartbeatRequestHeader`).
    HeartbeatRequest {}
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
    }
}

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
    }
}

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
    }
}

header! {
    /// Who is in this group? (`GetConsumerListByGroupRequestHeader`)
    ConsumerListRequest {
        /// The group.
        consumer_group: Arc<str> = "consumerGroup",
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

macro_rules! requests {
    ($($(#[$doc:meta])* $variant:ident($header:ty) = $code:ident,)*) => {
        /// A request: its code and its fields. A body, where one belongs to it, stands beside it.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Request {
            $($(#[$doc])* $variant($header),)*
            /// A request outside the table: its fields as they are.
            Unknown {
                /// Its code.
                code: RequestCode,
                /// Names and values, in the order of the wire.
                fields: Pairs,
            },
        }

        impl Request {
            /// The code on the wire.
            pub const fn code(&self) -> RequestCode {
                match self {
                    $(Self::$variant(_) => RequestCode::$code,)*
                    Self::Unknown { code, .. } => *code,
                }
            }

            /// Writes the extension fields.
            pub fn write<W: FieldSink>(&self, to: &mut W) {
                match self {
                    $(Self::$variant(header) => header.write(to),)*
                    Self::Unknown { fields, .. } => {
                        for (key, value) in fields {
                            to.pair(key, value);
                        }
                    }
                }
            }

            /// Reads the extension fields of a request with this code.
            pub fn read(code: RequestCode, fields: Fields<'_>) -> Result<Self, HeaderError> {
                match code {
                    $(RequestCode::$code => <$header>::read(fields).map(Self::$variant),)*
                    _ => Ok(Self::Unknown { code, fields: fields.to_pairs()? }),
                }
            }
        }
    };
}

requests! {
    /// The route of a topic.
    Route(RouteRequest) = GET_ROUTEINFO_BY_TOPIC,
    /// A heartbeat.
    Heartbeat(HeartbeatRequest) = HEART_BEAT,
    /// A client leaves.
    Unregister(UnregisterRequest) = UNREGISTER_CLIENT,
    /// A message to store.
    Send(SendRequest) = SEND_MESSAGE_V2,
    /// Messages to read.
    Pull(PullRequest) = PULL_MESSAGE,
    /// The members of a group.
    ConsumerList(ConsumerListRequest) = GET_CONSUMER_LIST_BY_GROUP,
    /// The stored offset of a group.
    QueryOffset(QueryOffsetRequest) = QUERY_CONSUMER_OFFSET,
    /// An offset to store.
    UpdateOffset(UpdateOffsetRequest) = UPDATE_CONSUMER_OFFSET,
    /// The end of a queue.
    MaxOffset(MaxOffsetRequest) = GET_MAX_OFFSET,
    /// The beginning of a queue.
    MinOffset(MinOffsetRequest) = GET_MIN_OFFSET,
    /// The members of a group changed.
    NotifyIds(NotifyIdsRequest) = NOTIFY_CONSUMER_IDS_CHANGED,
}
