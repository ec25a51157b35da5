//! The kinds of faults.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gust {
    /// A connection is cut.
    Cut,
    /// A connection is cut in the midst of a frame.
    CutLater,
    /// An address refuses connections for up to 2 s.
    Refuse,
    /// An address swallows attempts to connect for up to 5 s.
    BlackHole,
    /// A connection carries nothing one way for up to 15 s.
    Stall,
    /// A broker goes down for up to 2 s.
    Restart,
    /// The next request of a kind gets an error.
    Error,
    /// Requests of a kind are answered late for up to 2 s.
    Late,
    /// A broker goes down and comes back at another address.
    Move,
    /// A broker answers `GO_AWAY` for up to 15 s, then restarts.
    GoAway,
    /// A master is away for up to 15 s while its slave is there.
    MasterAway,
    /// A server takes connections and reads nothing on those that are open, for up to 40 s.
    Deaf,
    /// A topic loses half of its write queues for up to 5 s.
    QueuesCut,
    /// A topic is deleted, and made again up to 5 s later.
    TopicAnew,
    /// Up to twenty heartbeats in a row are refused.
    Heartbeats,
    /// A pull is answered with the first messages of its queue, whatever offset it asked for.
    Older,
    /// A pull is answered with a next offset beyond the end of its queue.
    Beyond,
    /// A broker holds no pulls for up to 15 s: it answers at once that there is nothing.
    HoldsNone,
    /// A broker suggests another one to read at for up to 15 s: its master, a slave, or one that
    /// nobody knows.
    Suggests,
    /// One of two nameservers does not know the topic for up to 15 s.
    Unknown,
    /// One of two nameservers takes connections and says nothing for up to 15 s.
    Silent,
    /// A broker is killed, and with it go the offsets of its last 5 s.
    Forgetful,
    /// The next request of some kind that consumers make is lost, or its answer is.
    Lost,
    /// The next message that is sent back is refused.
    BackRefused,
}

impl Gust {
    /// All that befall whoever sends and receives.
    pub const ALL: &[Self] = &[
        Self::Cut,
        Self::CutLater,
        Self::Refuse,
        Self::BlackHole,
        Self::Stall,
        Self::Restart,
        Self::Error,
        Self::Late,
        Self::Move,
        Self::GoAway,
        Self::MasterAway,
        Self::Deaf,
        Self::QueuesCut,
        Self::TopicAnew,
        Self::Heartbeats,
        Self::Older,
        Self::Beyond,
        Self::HoldsNone,
        Self::Suggests,
        Self::Forgetful,
        Self::Unknown,
        Self::Silent,
    ];

    /// All that befall groups of consumers; no topic is made anew, which says little of what came
    /// before.
    pub const GROUPS: &[Self] = &[
        Self::Cut,
        Self::CutLater,
        Self::Refuse,
        Self::Stall,
        Self::Restart,
        Self::Error,
        Self::Late,
        Self::Move,
        Self::GoAway,
        Self::MasterAway,
        Self::Deaf,
        Self::QueuesCut,
        Self::Heartbeats,
        Self::Older,
        Self::Beyond,
        Self::HoldsNone,
        Self::Suggests,
        Self::Forgetful,
        Self::Unknown,
        Self::Silent,
        Self::Lost,
        Self::BackRefused,
    ];

    /// Those that need not stop anybody: there is always a way on.
    pub const GENTLE: &[Self] = &[
        Self::QueuesCut,
        Self::Heartbeats,
        Self::Older,
        Self::Beyond,
        Self::HoldsNone,
        Self::Unknown,
        Self::Silent,
    ];

    /// What a network does, errors of brokers, and restarts.
    pub const NETWORK: [Self; 8] = [
        Self::Cut,
        Self::CutLater,
        Self::Refuse,
        Self::BlackHole,
        Self::Stall,
        Self::Restart,
        Self::Error,
        Self::Late,
    ];
}
