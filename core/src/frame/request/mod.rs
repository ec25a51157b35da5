//! Requests, each with its code: one table of those this client sends or is sent.
//!
//! The modules beside hold the fields, by concern; a code is added by a row of the table below.

mod admin;
mod common;
mod group;
mod pop;
mod pull;
mod send;
mod transaction;

pub use admin::*;
pub use common::Common;
pub use group::*;
pub use pop::*;
pub use pull::*;
pub use send::*;
pub use transaction::*;

use super::code::RequestCode;
use super::error::HeaderError;
use super::head::{Fields, Pairs};
use super::header::{FieldSink, Header};
use super::opaque::Kind;

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
            /// The codes of the table, each with the names of its own fields on the wire.
            pub const TABLE: &'static [(RequestCode, &'static [&'static str])] =
                &[$((RequestCode::$code, <$header as Header>::NAMES),)*];

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
            pub fn read(code: RequestCode, fields: &Fields<'_>) -> Result<Self, HeaderError> {
                match code {
                    $(RequestCode::$code => <$header>::read(fields).map(Self::$variant),)*
                    _ => Ok(Self::Unknown { code, fields: fields.to_pairs()? }),
                }
            }
        }
    };
}

impl Request {
    /// The decoder that its reply needs; all fields as text, where it has none of its own.
    pub const fn reply_kind(&self) -> Kind {
        match self {
            Self::Send(_) | Self::SendV1(_) | Self::SendBatch(_) => Kind::Send,
            Self::Pull(_) | Self::LitePull(_) => Kind::Pull,
            Self::MinOffset(_)
            | Self::MaxOffset(_)
            | Self::SearchOffset(_)
            | Self::QueryOffset(_) => Kind::Offset,
            Self::EarliestTime(_) => Kind::Timestamp,
            Self::Recall(_) => Kind::Recall,
            _ => Kind::Fields,
        }
    }
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
    /// The same under long names, as clients before 3.2.6 write it.
    SendV1(SendRequestV1) = SEND_MESSAGE,
    /// Several messages to store in one queue.
    SendBatch(SendRequest) = SEND_BATCH_MESSAGE,
    /// The answer to a request message, to be pushed to its sender.
    SendReply(SendRequest) = SEND_REPLY_MESSAGE_V2,
    /// The same under long names.
    SendReplyV1(SendRequestV1) = SEND_REPLY_MESSAGE,
    /// A message to deliver again later.
    SendBack(SendBackRequest) = CONSUMER_SEND_MSG_BACK,
    /// A delayed message to take back.
    Recall(RecallRequest) = RECALL_MESSAGE,
    /// From the broker: the answer to a request message.
    PushReply(PushReplyRequest) = PUSH_REPLY_MESSAGE_TO_CLIENT,
    /// Messages to read.
    Pull(PullRequest) = PULL_MESSAGE,
    /// Messages to read, by a lite consumer.
    LitePull(PullRequest) = LITE_PULL_MESSAGE,
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
    /// The offset at a time.
    SearchOffset(SearchOffsetRequest) = SEARCH_OFFSET_BY_TIMESTAMP,
    /// When the first message was stored.
    EarliestTime(EarliestTimeRequest) = GET_EARLIEST_MSG_STORETIME,
    /// Messages to pop.
    Pop(PopRequest) = POP_MESSAGE,
    /// A popped message is done.
    Ack(AckRequest) = ACK_MESSAGE,
    /// Several are done: `body::BatchAckBody`.
    BatchAck(PlainRequest) = BATCH_ACK_MESSAGE,
    /// A popped message comes again at another time.
    ChangeInvisible(ChangeInvisibleRequest) = CHANGE_MESSAGE_INVISIBLETIME,
    /// A wait for messages.
    Notification(NotificationRequest) = NOTIFICATION,
    /// Messages to look at.
    Peek(PeekRequest) = PEEK_MESSAGE,
    /// The pops that wait.
    PollingInfo(PollingInfoRequest) = POLLING_INFO,
    /// Messages to pop from lite topics.
    PopLite(PopLiteRequest) = POP_LITE_MESSAGE,
    /// Lite subscriptions to add or to remove; a body.
    LiteSubscription(PlainRequest) = LITE_SUBSCRIPTION_CTL,
    /// A message of a lite topic is done.
    AckLite(AckRequest) = ACK_LITE_MESSAGE,
    /// From the broker: a lite subscription ended.
    LiteUnsubscribed(LiteUnsubscribedRequest) = NOTIFY_UNSUBSCRIBE_LITE,
    /// The queues of a consumer: `body::AssignmentQuery`.
    QueryAssignment(PlainRequest) = QUERY_ASSIGNMENT,
    /// Pull or pop for a group: `body::RequestModeBody`.
    SetRequestMode(PlainRequest) = SET_MESSAGE_REQUEST_MODE,
    /// Queues to lock: `body::LockBody`.
    Lock(PlainRequest) = LOCK_BATCH_MQ,
    /// Queues to give back: `body::LockBody`.
    Unlock(PlainRequest) = UNLOCK_BATCH_MQ,
    /// A subscription to check: `body::CheckClientBody`.
    CheckClient(PlainRequest) = CHECK_CLIENT_CONFIG,
    /// From the broker: offsets to move.
    ResetOffset(ResetOffsetRequest) = RESET_CONSUMER_CLIENT_OFFSET,
    /// Offsets to have moved by a broker.
    InvokeReset(ResetOffsetRequest) = INVOKE_BROKER_TO_RESET_OFFSET,
    /// Offsets that a broker is to ask clients for.
    InvokeStatus(ConsumerStatusRequest) = INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
    /// From the broker: this client's offsets.
    ConsumerStatus(ConsumerStatusRequest) = GET_CONSUMER_STATUS_FROM_CLIENT,
    /// From the broker: what this consumer is doing.
    RunningInfo(RunningInfoRequest) = GET_CONSUMER_RUNNING_INFO,
    /// From the broker: a message to handle now.
    ConsumeDirectly(ConsumeDirectlyRequest) = CONSUME_MESSAGE_DIRECTLY,
    /// The end of a transaction.
    EndTransaction(EndTransactionRequest) = END_TRANSACTION,
    /// From the broker: a transaction to check.
    CheckTransaction(CheckTransactionRequest) = CHECK_TRANSACTION_STATE,
    /// Messages by key.
    QueryMessage(QueryMessageRequest) = QUERY_MESSAGE,
    /// One message by its place.
    ViewMessage(ViewMessageRequest) = VIEW_MESSAGE_BY_ID,
    /// Clusters and brokers.
    ClusterInfo(PlainRequest) = GET_BROKER_CLUSTER_INFO,
    /// Every topic of a name server.
    TopicList(PlainRequest) = GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
    /// A topic to create or to change.
    CreateTopic(CreateTopicRequest) = UPDATE_AND_CREATE_TOPIC,
    /// Several: `body::TopicConfigList`.
    CreateTopics(PlainRequest) = UPDATE_AND_CREATE_TOPIC_LIST,
    /// Every topic of a broker.
    AllTopics(PlainRequest) = GET_ALL_TOPIC_CONFIG,
    /// A topic to delete on a broker.
    DeleteTopic(DeleteTopicRequest) = DELETE_TOPIC_IN_BROKER,
    /// A topic to delete on a name server.
    DeleteTopicInNameServer(DeleteTopicInNameServerRequest) = DELETE_TOPIC_IN_NAMESRV,
    /// The offsets of a topic.
    TopicStats(TopicRequest) = GET_TOPIC_STATS_INFO,
    /// A group to create or to change; its configuration is the body.
    CreateGroup(PlainRequest) = UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
    /// Several groups to create or to change.
    CreateGroups(PlainRequest) = UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
    /// Every group of a broker.
    AllGroups(PlainRequest) = GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    /// A group to delete.
    DeleteGroup(DeleteGroupRequest) = DELETE_SUBSCRIPTIONGROUP,
    /// Who is connected for a consumer group.
    ConsumerConnections(ConsumerConnectionsRequest) = GET_CONSUMER_CONNECTION_LIST,
    /// Who is connected for a producer group.
    ProducerConnections(ProducerConnectionsRequest) = GET_PRODUCER_CONNECTION_LIST,
    /// A group's offsets and its lag.
    ConsumeStats(ConsumeStatsRequest) = GET_CONSUME_STATS,
    /// A broker's configuration, as Java properties in the body.
    BrokerConfig(PlainRequest) = GET_BROKER_CONFIG,
    /// A broker's running figures.
    BrokerRuntime(PlainRequest) = GET_BROKER_RUNTIME_INFO,
}
