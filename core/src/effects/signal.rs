//! What one machine tells the others, or asks of one.

use std::sync::Arc;

use super::HalfStored;
use crate::error::{Attempt, Attempts, SendError, Stored};
use crate::id::{BrokerId, MessageKey, OpId, PeerId, SubscriptionId};
use crate::message::{Publish, UniqueId};
use crate::name::{Group, Topic};

/// Why no route of a topic will come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unrouted {
    pub(crate) topic: Topic,
    /// Every nameserver that answers says that there is no such topic; else none can ever answer.
    pub(crate) missing: bool,
    /// Who said so.
    pub(crate) attempts: Attempts,
}

/// For whom a message is sent, where it is not the application's: its end is told by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendOwner {
    /// A consumer, to the retry topic: the message that its broker did not take back.
    Consumer { sub: SubscriptionId, message: MessageKey, broker: BrokerId },
    /// A request, whose message it is.
    Request(OpId),
}

impl From<Unrouted> for SendError {
    fn from(unrouted: Unrouted) -> Self {
        match unrouted {
            Unrouted { topic, attempts, missing: true } => Self::NoTopic { topic, attempts },
            Unrouted { topic, attempts, missing: false } => Self::NoRoute { topic, attempts },
        }
    }
}

/// What one machine tells the others, or asks of one. The engine carries each to whom it concerns.
#[derive(Clone, Debug)]
pub(crate) enum Signal {
    /// A broker has confirmed a heartbeat that told it more of us than it knew.
    Registered(PeerId),
    /// A topic in use is to be looked up.
    RouteWanted(Topic),
    /// What a call waited for of its topic's route has come.
    Routed(OpId),
    /// No route will come for a call.
    Unrouted(OpId, Box<Unrouted>),
    /// The queues of a topic are others than before.
    RouteChanged(Topic),
    /// Every nameserver that answers says that there is no such topic.
    TopicMissing(Topic),
    /// Brokers are at other addresses than before.
    BrokersMoved(Vec<BrokerId>),
    /// A nameserver is not in the list any more.
    Unlisted(PeerId),
    /// The first list of nameservers is there.
    ServersKnown,
    /// There is no list of nameservers yet, and the address server could not be asked.
    ServersFailed(Box<Attempt>),
    /// A broker denies our heartbeats.
    Denied,
    /// A broker says that it does not know us.
    Unregistered(PeerId),
    /// A broker's version is to be known: it tells it when it answers a heartbeat.
    VersionWanted(PeerId),
    /// A broker has told its version.
    VersionKnown(PeerId),
    /// What heartbeats say of our groups has changed: brokers are to hear it now.
    GroupsChanged,
    /// A broker has answered a heartbeat that had not told of all that has changed.
    HeartbeatOwed(PeerId),
    /// A consumer of ours reads nothing any more, and is no member until it does.
    GroupIdle { group: Group },
    /// A consumer has left its group, and its offsets are safe: brokers are to hear that.
    Farewell { sub: SubscriptionId, group: Group },
    /// A broker takes the filter by which a consumer wants to read a topic.
    FilterTaken { sub: SubscriptionId, wish: u32 },
    /// A message is to be sent. It ends in one [`SendEnded`](Self::SendEnded).
    SendWanted { owner: SendOwner, publish: Arc<Publish> },
    /// A message that was wanted is stored, or will not be, as far as is known.
    SendEnded { owner: SendOwner, result: Result<(), Box<SendError>> },
    /// A half message is stored, or is not, as far as is known.
    HalfSent { id: UniqueId, result: Result<HalfStored, Stored> },
    /// A consumer's to itself: its share is to be looked at, after what it has signalled before.
    Rebalance(SubscriptionId),
    /// A consumer's to itself: it leaves, and its queues are to be given up.
    Leaving(SubscriptionId),
    /// A consumer's to itself: offsets wait to be saved elsewhere than by brokers.
    OffsetsToSave(SubscriptionId),
}
