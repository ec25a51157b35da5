//! What timers are for.

use crate::fetch::FetchId;
use crate::frame::Opaque;
use crate::id::{BrokerId, ConnectionId, OpId, PeerId, QueueKey, RequestId, SubscriptionId};
use crate::message::UniqueId;
use crate::name::Topic;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimerKind {
    /// The deadline of a call of the application, or of its present try.
    Deadline(OpId),
    /// The deadline of a request of our own.
    #[doc(hidden)]
    Call(Opaque),
    /// A request of a peer's has to be answered by now.
    #[doc(hidden)]
    Request(RequestId),
    /// A message that a busy broker refused is to be sent again.
    Resend(OpId),
    /// A request's brokers have had their time to hear of this client.
    #[doc(hidden)]
    Meet(OpId),
    /// A broker that let a try run out is to be asked whether it answers.
    #[doc(hidden)]
    Slow(PeerId),
    /// More sends may begin or go on than one turn does.
    #[doc(hidden)]
    Sends,
    /// Sends wait for a broker that has not answered earlier ones, which were given up.
    #[doc(hidden)]
    Window(PeerId),
    /// A connection has to be there by now.
    Connect(ConnectionId),
    /// The pause before a reconnect is over.
    #[doc(hidden)]
    Reconnect(PeerId),
    /// A peer with requests that are overdue has to have said something by now.
    #[doc(hidden)]
    Silence(PeerId),
    /// A connection may have been idle for long enough.
    #[doc(hidden)]
    Idle(PeerId),
    /// A topic is to be looked up again after a pause.
    Route(Topic),
    /// A nameserver has been silent for as long as it may: the next one is asked.
    RouteSlow(Topic),
    /// A topic that has lost queues is to be looked up: they may be back.
    #[doc(hidden)]
    RouteShrunk(Topic),
    /// All routes in use are to be looked up again.
    Routes,
    /// The address server is to be asked.
    Fetch,
    /// The address server should have answered.
    FetchSlow(FetchId),
    /// Brokers are to hear from us.
    Heartbeat,
    /// A broker that did not take a heartbeat is to get another one.
    #[doc(hidden)]
    Register(PeerId, u64),
    /// Brokers that are left alone are to be asked whether they are well again.
    Probe,
    /// A minute is over in which notes were left out.
    Notes,
    /// The client's shutdown has taken long enough.
    Leave,
    /// A check of a half message has waited long enough for its transaction.
    #[doc(hidden)]
    Check(UniqueId),
    /// A consumer's, or that of all consumers.
    Consumer(ConsumerTimer),
}

/// What a timer of consumers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerTimer {
    /// A consumer is to look at its share.
    Rebalance(SubscriptionId),
    /// A queue's pause is over.
    Queue(SubscriptionId, QueueKey),
    /// A message is to be delivered again.
    Again(SubscriptionId),
    /// Whoever takes a consumer's messages wants to look again.
    Remind(SubscriptionId),
    /// A consumer is to look at what the application has of it, and since when.
    Look(SubscriptionId),
    /// A consumer's locks at a broker are to be looked at.
    Locks(SubscriptionId, BrokerId),
    /// A consumer has had its time to finish.
    Drain(SubscriptionId),
    /// A consumer that leaves is to give the last commits again that failed.
    CommitAgain(SubscriptionId),
    /// A consumer's leave has taken long enough.
    Leave(SubscriptionId),
    /// Offsets that could not be loaded are to be loaded again.
    Load(SubscriptionId),
    /// Offsets that could not be saved are to be saved again.
    Save(SubscriptionId),
    /// Brokers may be there that no consumer reads from any more.
    Unread,
    /// Work is left that was too much for one turn.
    Turn,
    /// All are to commit.
    Commit,
}
