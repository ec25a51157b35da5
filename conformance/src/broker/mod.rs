//! A nameserver and brokers in memory, sans IO: request frames in, reply frames out.
//!
//! [`Cluster`] is the real thing to the wire and nothing behind it: no clock, thread, socket or
//! file, so the same seed and the same calls give the same frames. [`Session`] wraps it with the
//! byte halves of each connection for tests under virtual time; `serve` puts it on loopback.
//! Where the protocol leaves a choice, Apache RocketMQ 5.3's broker is followed, and the doc line
//! names the Java class.
//!
//! | served by | requests |
//! |---|---|
//! | the nameserver | 105, 106, 206, 216 |
//! | a broker: messages | 10, 11, 36, 310, 320, 370 |
//! | a broker: replies to requests of clients | 324, 325; it sends 326 |
//! | a broker: groups and offsets | 14, 15, 29, 30, 31, 32, 34, 35, 38, 46, 400; it sends 40 |
//! | a broker: transactions | 12, 37; it sends 39 |
//! | a broker: locks of queues | 41, 42 |
//! | a broker: topics, settings | 17, 18, 21, 26, 215, 351 |
//! | a broker: what administrators want of groups | 203, 208, 222, 223; it sends 220, 221 |
//! | a broker: what a client is asked through it | 307, 309 |
//!
//! Every other code is answered 3, "request type N not supported".
//!
//! A broker's version ([`ClusterConfig::version`], [`BrokerConfig::version`]) is in the header of
//! its answers and says what it knows and how it answers. From 401 (4.9.4) on the nameserver writes
//! standard JSON. From 413 (5.0) on an empty body is refused, messages get ids and more properties,
//! topics have attributes, messages wait for a time of their own, offsets are searched for by
//! boundary, slaves refuse what they do not serve, queues are assigned (400), a message that the
//! client itself sends to a retry topic has one attempt more, and the nameserver answers codes it
//! does not know. From 397 (4.9.2) on dead letters can be read. From 439 (5.1.3) on heartbeats may
//! come without subscriptions, from 453 (5.2) on a reset of offsets is kept by the broker and told
//! to the next pull, from 473 (5.3) on messages can be taken back, from 477 (5.3.2) on what cannot
//! be is refused with 29 instead of 1, and from 493 (5.4) on the properties of a batch are not put
//! behind those of its messages.
//!
//! Known differences from a live 5.3.3: long polls end at their time, not at the next tick of 5 s,
//! and delayed messages come at theirs, not up to 100 ms later; some remarks are shorter; the
//! answer to a stored message does not name the default region; of the broker's own topics only
//! TBW102 and that of replies are there, and `SCHEDULE_TOPIC_XXXX` and `rmq_sys_wheel_timer` once
//! something waits in them; SQL expressions have a bound of depth and of size, and filters are
//! forgotten with their groups; checks of half messages begin so long after the first one, not at
//! ticks; messages are found by their unique ids alone, in the order of queues; orders to take a
//! message back are not stored, and times that are far off are not waited for in steps; messages
//! are not popped, so that priorities count for nothing; locks of queues are kept by each broker
//! alone (`lockInStrictMode` is off); the languages
//! of clients are not looked at, and no rates are told; all clients of a group are asked for their
//! offsets at once; retry topics are never of global order; what retention or deletion took can't
//! be sent back at once, not only when the file goes; slaves have everything at once. 4.x brokers
//! also write no `enableActingMaster`.

#[cfg(feature = "acl")]
mod acl;
mod admin;
mod answer;
mod asked;
mod backlog;
mod batch;
mod client;
mod cluster;
mod config;
mod control;
mod delay;
mod dispatch;
mod draft;
mod fault;
mod group;
mod half;
mod inspect;
mod lock;
mod members;
mod nameserver;
mod node;
mod offset;
mod poll;
mod pull;
mod queue;
mod registry;
mod relay;
mod replica;
mod reply;
mod reset;
mod retry;
mod send;
mod session;
pub(crate) mod sql;
mod store;
mod subscription;
mod timer;
mod topic;
mod topic_name;

#[cfg(feature = "acl")]
pub use acl::{Account, Acl, Perm};
pub use asked::{ClientAnswer, Received};
pub use cluster::Cluster;
pub use config::{BrokerConfig, ClusterConfig, RouteKeys, TopicConfig, TransactionConfig};
pub use draft::Draft;
pub use fault::{Fault, Requests};
pub use session::Session;
pub(crate) use session::next_frame;

use rocketry_core::frame::OutFrame;

/// One connection, from [`Cluster::accepted`] on. Ids are the embedder's and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// The listening socket a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerId {
    /// The nameserver's.
    Nameserver,
    /// That of a second nameserver, to which every broker tells the same.
    SecondNameserver,
    /// That of the broker at this place of [`ClusterConfig::brokers`].
    Broker(usize),
}

/// What the cluster wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this frame.
    Frame {
        /// To this connection.
        conn: ConnId,
        /// The reply or notice.
        frame: OutFrame,
    },
    /// Close this connection; the cluster has forgotten it.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Close this connection once the frames before have been written; the cluster has forgotten
    /// it.
    Finish {
        /// The connection.
        conn: ConnId,
    },
}
