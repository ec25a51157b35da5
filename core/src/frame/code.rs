//! The numbers that name requests and their outcomes (Java's `RequestCode` and `ResponseCode`).

use std::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($constant:ident = $value:literal: $what:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(
            /// The number on the wire.
            pub i32,
        );

        impl $name {
            $(#[doc = $what] pub const $constant: Self = Self($value);)*

            /// The name Java's source gives to this number, if it is known here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($constant)),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            /// `PULL_MESSAGE (11)`, or the number alone.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name} ({})", self.0),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}

codes! {
    /// What a request asks for (`org.apache.rocketmq.remoting.protocol.RequestCode`).
    ///
    /// Codes above 32,767 do not fit the binary header form and are sent with a JSON header.
    RequestCode {
        SEND_MESSAGE = 10: "Store one message; long field names.",
        PULL_MESSAGE = 11: "Read messages of a queue from an offset on.",
        QUERY_MESSAGE = 12: "Find messages by key.",
        QUERY_CONSUMER_OFFSET = 14: "The offset a group has stored for a queue.",
        UPDATE_CONSUMER_OFFSET = 15: "Store a group's offset of a queue.",
        UPDATE_AND_CREATE_TOPIC = 17: "Create or change a topic.",
        UPDATE_AND_CREATE_TOPIC_LIST = 18: "Create or change several topics.",
        GET_ALL_TOPIC_CONFIG = 21: "The configuration of every topic of a broker.",
        UPDATE_BROKER_CONFIG = 25: "Change a broker's configuration.",
        GET_BROKER_CONFIG = 26: "Read a broker's configuration.",
        GET_BROKER_RUNTIME_INFO = 28: "A broker's running figures.",
        SEARCH_OFFSET_BY_TIMESTAMP = 29: "The offset of a queue at a time.",
        GET_MAX_OFFSET = 30: "The offset after a queue's last message.",
        GET_MIN_OFFSET = 31: "The offset of a queue's first message.",
        GET_EARLIEST_MSG_STORETIME = 32: "When a queue's first message was stored.",
        VIEW_MESSAGE_BY_ID = 33: "Read one message by its place in the commit log.",
        HEART_BEAT = 34: "Tell a broker this client's groups and subscriptions.",
        UNREGISTER_CLIENT = 35: "Take a client's groups back.",
        CONSUMER_SEND_MSG_BACK = 36: "Have a message delivered again later.",
        END_TRANSACTION = 37: "Commit or roll back a half message.",
        GET_CONSUMER_LIST_BY_GROUP = 38: "The client ids of a group.",
        CHECK_TRANSACTION_STATE = 39: "From the broker: how did this half message end?",
        NOTIFY_CONSUMER_IDS_CHANGED = 40: "From the broker: a group's members changed.",
        LOCK_BATCH_MQ = 41: "Lock queues for orderly consumption.",
        UNLOCK_BATCH_MQ = 42: "Give locked queues back.",
        CHECK_CLIENT_CONFIG = 46: "Check a subscription's expression.",
        GET_ROUTEINFO_BY_TOPIC = 105: "From a name server: the brokers and queues of a topic.",
        GET_BROKER_CLUSTER_INFO = 106: "From a name server: clusters and their brokers.",
        UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200: "Create or change a group.",
        GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201: "The configuration of every group of a broker.",
        GET_TOPIC_STATS_INFO = 202: "The offsets of a topic's queues.",
        GET_CONSUMER_CONNECTION_LIST = 203: "The connections of a consumer group.",
        GET_PRODUCER_CONNECTION_LIST = 204: "The connections of a producer group.",
        GET_ALL_TOPIC_LIST_FROM_NAMESERVER = 206: "From a name server: every topic.",
        DELETE_SUBSCRIPTIONGROUP = 207: "Delete a group.",
        GET_CONSUME_STATS = 208: "A group's offsets and its lag.",
        DELETE_TOPIC_IN_BROKER = 215: "Delete a topic on a broker.",
        DELETE_TOPIC_IN_NAMESRV = 216: "Delete a topic on a name server.",
        RESET_CONSUMER_CLIENT_OFFSET = 220: "From the broker: move a group's offsets.",
        GET_CONSUMER_STATUS_FROM_CLIENT = 221: "From the broker: this client's offsets.",
        INVOKE_BROKER_TO_RESET_OFFSET = 222: "Have a broker move a group's offsets.",
        INVOKE_BROKER_TO_GET_CONSUMER_STATUS = 223: "Have a broker ask clients for their offsets.",
        UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST = 225: "Create or change several groups.",
        GET_CONSUMER_RUNNING_INFO = 307: "From the broker: what this consumer is doing.",
        CONSUME_MESSAGE_DIRECTLY = 309: "From the broker: handle this message now.",
        SEND_MESSAGE_V2 = 310: "Store one message; one-letter field names.",
        SEND_BATCH_MESSAGE = 320: "Store several messages of one queue.",
        SEND_REPLY_MESSAGE = 324: "Answer a request message; long field names.",
        SEND_REPLY_MESSAGE_V2 = 325: "Answer a request message; one-letter field names.",
        PUSH_REPLY_MESSAGE_TO_CLIENT = 326: "From the broker: the answer to a request message.",
        LITE_PULL_MESSAGE = 361: "A pull of a lite consumer; no 4.x broker knows it.",
        RECALL_MESSAGE = 370: "Take a delayed message back.",
        QUERY_ASSIGNMENT = 400: "The queues a broker gives to this consumer.",
        SET_MESSAGE_REQUEST_MODE = 401: "Choose pull or pop for a group.",
        GET_ALL_MESSAGE_REQUEST_MODE = 402: "Which groups pull and which pop.",
        SWITCH_TIMER_ENGINE = 5001: "Choose a broker's timer store.",
        POP_MESSAGE = 200050: "Read messages under an invisible time.",
        ACK_MESSAGE = 200051: "Settle one popped message.",
        PEEK_MESSAGE = 200052: "Look at messages without taking them.",
        CHANGE_MESSAGE_INVISIBLETIME = 200053: "Move when a popped message is seen again.",
        NOTIFICATION = 200054: "Wait until a queue has messages.",
        POLLING_INFO = 200055: "How many pops are waiting.",
        POP_ROLLBACK = 200056: "Between brokers: give pops back.",
        POP_LITE_MESSAGE = 200070: "A pop of a lite topic.",
        LITE_SUBSCRIPTION_CTL = 200071: "Add or remove lite subscriptions.",
        ACK_LITE_MESSAGE = 200072: "Settle a message of a lite topic.",
        NOTIFY_UNSUBSCRIBE_LITE = 200073: "From the broker: a lite subscription ended.",
        GET_BROKER_LITE_INFO = 200074: "A broker's figures of lite topics.",
        GET_PARENT_TOPIC_INFO = 200075: "The lite topics below a topic.",
        GET_LITE_TOPIC_INFO = 200076: "One lite topic.",
        GET_LITE_CLIENT_INFO = 200077: "A client's lite subscriptions.",
        GET_LITE_GROUP_INFO = 200078: "A group's lite topics and lag.",
        TRIGGER_LITE_DISPATCH = 200079: "Have a broker look at lite topics again.",
        BATCH_ACK_MESSAGE = 200151: "Settle several popped messages.",
    }
}

impl RequestCode {
    /// Whether such a request changes nothing where it goes, so that doing it twice is doing it
    /// once. A pop hides what it gives, and what sets something may undo what was set in between.
    pub const fn only_reads(self) -> bool {
        matches!(
            self,
            Self::PULL_MESSAGE
                | Self::QUERY_MESSAGE
                | Self::QUERY_CONSUMER_OFFSET
                | Self::GET_ALL_TOPIC_CONFIG
                | Self::GET_BROKER_CONFIG
                | Self::GET_BROKER_RUNTIME_INFO
                | Self::SEARCH_OFFSET_BY_TIMESTAMP
                | Self::GET_MAX_OFFSET
                | Self::GET_MIN_OFFSET
                | Self::GET_EARLIEST_MSG_STORETIME
                | Self::VIEW_MESSAGE_BY_ID
                | Self::GET_CONSUMER_LIST_BY_GROUP
                | Self::CHECK_CLIENT_CONFIG
                | Self::GET_ROUTEINFO_BY_TOPIC
                | Self::GET_BROKER_CLUSTER_INFO
                | Self::GET_ALL_SUBSCRIPTIONGROUP_CONFIG
                | Self::GET_TOPIC_STATS_INFO
                | Self::GET_CONSUMER_CONNECTION_LIST
                | Self::GET_PRODUCER_CONNECTION_LIST
                | Self::GET_ALL_TOPIC_LIST_FROM_NAMESERVER
                | Self::GET_CONSUME_STATS
                | Self::QUERY_ASSIGNMENT
                | Self::GET_ALL_MESSAGE_REQUEST_MODE
                | Self::PEEK_MESSAGE
                | Self::NOTIFICATION
                | Self::POLLING_INFO
                | Self::GET_BROKER_LITE_INFO
                | Self::GET_PARENT_TOPIC_INFO
                | Self::GET_LITE_TOPIC_INFO
                | Self::GET_LITE_CLIENT_INFO
                | Self::GET_LITE_GROUP_INFO
        )
    }
}

codes! {
    /// How a request ended (`org.apache.rocketmq.remoting.protocol.ResponseCode`).
    ResponseCode {
        SUCCESS = 0: "Done; of a send: stored; of a pull: messages found.",
        SYSTEM_ERROR = 1: "The peer failed; the remark says more.",
        SYSTEM_BUSY = 2: "The peer has no room now.",
        REQUEST_CODE_NOT_SUPPORTED = 3: "The peer does not know this request.",
        TRANSACTION_FAILED = 4: "A transaction failed.",
        FLUSH_DISK_TIMEOUT = 10: "Stored, but not on disk in time.",
        SLAVE_NOT_AVAILABLE = 11: "Stored, but there is no slave.",
        FLUSH_SLAVE_TIMEOUT = 12: "Stored, but not on the slave in time.",
        MESSAGE_ILLEGAL = 13: "The message breaks a rule.",
        SERVICE_NOT_AVAILABLE = 14: "The broker does not store now.",
        VERSION_NOT_SUPPORTED = 15: "The client's version is refused.",
        NO_PERMISSION = 16: "Not allowed: by the topic's permission or by access control.",
        TOPIC_NOT_EXIST = 17: "There is no such topic.",
        TOPIC_EXIST_ALREADY = 18: "There is such a topic already.",
        PULL_NOT_FOUND = 19: "No new message in the queue.",
        PULL_RETRY_IMMEDIATELY = 20: "No message matched: go on at the next offset.",
        PULL_OFFSET_MOVED = 21: "The offset lies outside the queue.",
        QUERY_NOT_FOUND = 22: "Nothing is stored under that name.",
        SUBSCRIPTION_PARSE_FAILED = 23: "The expression cannot be read.",
        SUBSCRIPTION_NOT_EXIST = 24: "The broker has no subscription of this group and topic.",
        SUBSCRIPTION_NOT_LATEST = 25: "The broker has an older subscription.",
        SUBSCRIPTION_GROUP_NOT_EXIST = 26: "There is no such group.",
        FILTER_DATA_NOT_EXIST = 27: "The broker has no filter of this group.",
        FILTER_DATA_NOT_LATEST = 28: "The broker has an older filter.",
        INVALID_PARAMETER = 29: "A field of the request is out of range.",
        TRANSACTION_SHOULD_COMMIT = 200: "A transaction is to be committed.",
        TRANSACTION_SHOULD_ROLLBACK = 201: "A transaction is to be rolled back.",
        TRANSACTION_STATE_UNKNOW = 202: "A transaction's state is not known.",
        TRANSACTION_STATE_GROUP_WRONG = 203: "A transaction is of another group.",
        NO_BUYER_ID = 204: "The message lacks its unit's id.",
        NOT_IN_CURRENT_UNIT = 205: "The message belongs to another unit.",
        CONSUMER_NOT_ONLINE = 206: "No consumer of the group is connected.",
        CONSUME_MSG_TIMEOUT = 207: "A consumer did not answer in time.",
        NO_MESSAGE = 208: "There is no such message.",
        POLLING_FULL = 209: "Too many pops are waiting.",
        POLLING_TIMEOUT = 210: "A pop waited its time without a message.",
        BROKER_NOT_EXIST = 211: "There is no such broker.",
        BROKER_DISPATCH_NOT_COMPLETE = 212: "The broker is not up to date yet.",
        BROADCAST_CONSUMPTION = 213: "The group consumes by broadcast.",
        FLOW_CONTROL = 215: "The broker holds this client back.",
        NOT_LEADER_FOR_QUEUE = 501: "The queue is led elsewhere.",
        ILLEGAL_OPERATION = 604: "Not allowed in this state.",
        GO_AWAY = 1500: "The peer is about to close: connect again.",
        LMQ_QUOTA_EXCEEDED = 2017: "The broker has no room for another light queue.",
        LITE_SUBSCRIPTION_QUOTA_EXCEEDED = 2018: "The client has too many lite subscriptions.",
        USER_NOT_EXIST = 3001: "There is no such user.",
        POLICY_NOT_EXIST = 3002: "There is no such access policy.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_show_their_name_and_number() {
        assert_eq!(RequestCode::PULL_MESSAGE.to_string(), "PULL_MESSAGE (11)");
        assert_eq!(RequestCode(310), RequestCode::SEND_MESSAGE_V2);
        assert_eq!(RequestCode(-7).to_string(), "-7");
        assert_eq!(ResponseCode::GO_AWAY.to_string(), "GO_AWAY (1500)");
        assert_eq!(ResponseCode(2016).name(), None);
    }
}
