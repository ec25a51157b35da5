//! What a route lacks.

use std::sync::Arc;

use super::{Attempt, PeerKind};
use crate::frame::ResponseCode;

/// What the route of a topic lacks for a message or a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lack {
    /// The route names no queue.
    #[error("its route names no queue")]
    Queues,
    /// There are queues, and none of them may be written to: that is how somebody has set it.
    #[error(
        "none of its queues may be written to (look at perm and writeQueueNums of the topic, and \
         at brokerPermission of its brokers)"
    )]
    Permission,
    /// A broker has queues of it, and no master: it is down, or a slave is to become master.
    #[error("no master of broker {broker} is up")]
    Master {
        /// The broker group.
        broker: Arc<str>,
    },
    /// What the route says of a broker's queues can't be: that row was left out.
    #[error("the row of broker {} in its route can't be: {reason}", .broker.escape_debug())]
    Row {
        /// The broker group.
        broker: Arc<str>,
        /// What it says that can't be.
        reason: Arc<str>,
    },
    /// A broker has queues of it, and an address that can't be read.
    #[error(
        "the address of broker {broker} can't be read: {address:?} (correct brokerIP1 there, or \
         name it in rewrite_addresses here)"
    )]
    Address {
        /// The broker group.
        broker: Arc<str>,
        /// The address as the nameserver told it.
        address: Arc<str>,
    },
    /// No route names the broker that was asked for.
    #[error("no route names broker {broker}")]
    Broker {
        /// The broker group.
        broker: Arc<str>,
    },
}

impl Lack {
    /// Whether it stays until somebody changes it.
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Permission => true,
            Self::Row { .. } => false,
            Self::Queues | Self::Master { .. } | Self::Address { .. } | Self::Broker { .. } => {
                false
            }
        }
    }
}

/// What to do about a topic that nobody knows. Of one that was known its only broker may be down.
pub(crate) const CREATE: &str = " (create the topic, start the broker that has it, or let brokers \
    create topics by themselves with autoCreateTopicEnable=true)";

/// The same for a consumer, at which no broker creates a topic.
pub(crate) const CREATE_OR_SEND: &str = " (create the topic, start the broker that has it, or send \
    to it first: brokers with autoCreateTopicEnable=true create it then)";

/// What a producer is to do, where a nameserver's last word was that it does not know the topic.
pub(crate) fn advice(last: Option<&Attempt>) -> &'static str {
    if is_unknown(last) { CREATE } else { "" }
}

/// Whether a nameserver's last word was that it does not know the topic.
pub(crate) fn is_unknown(last: Option<&Attempt>) -> bool {
    last.is_some_and(|attempt| {
        attempt.peer == PeerKind::NameServer
            && attempt.code() == Some(ResponseCode::TOPIC_NOT_EXIST)
    })
}
