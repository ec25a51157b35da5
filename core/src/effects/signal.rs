//! What one machine tells the others, or asks of one.

use crate::error::{Attempt, SendError};
use crate::id::{BrokerId, OpId, PeerId};
use crate::name::Topic;

/// What one machine tells the others, or asks of one. The engine carries each to whom it concerns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Signal {
    /// A broker has confirmed a heartbeat that told it more of us than it knew.
    Registered(PeerId),
    /// A topic in use is to be looked up again.
    RouteWanted(Topic),
    /// What a call waited for of its topic's route has come.
    Routed(OpId),
    /// No route will come for a call.
    Unrouted(OpId, Box<SendError>),
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
}
