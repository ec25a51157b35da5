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
//! | the nameserver | 105 |
//! | a broker | 10, 11, 14, 15, 30, 31, 34, 35, 38, 310; it sends 40 |
//!
//! Every other code is answered 3, "request type N not supported".
//!
//! Known differences from a live 5.3.3: long polls end at their time, not at the next tick of 5 s;
//! remarks are shorter; a reply to a send has no MSG_REGION and TRACE_ON; SQL expressions are
//! refused, as with `enablePropertyFilter=false`; delayed and transactional messages are stored as
//! plain ones.

mod answer;
mod client;
mod cluster;
mod config;
mod fault;
mod group;
mod inspect;
mod nameserver;
mod node;
mod offset;
mod poll;
mod pull;
mod queue;
mod send;
mod session;
mod subscription;
mod topic;

pub use cluster::Cluster;
pub use config::{BrokerConfig, ClusterConfig, RouteKeys, TopicConfig};
pub use session::Session;

use rocketry_core::frame::OutFrame;

/// One connection, from [`Cluster::accepted`] on. Ids are the embedder's and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// The listening socket a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerId {
    /// The nameserver's.
    Nameserver,
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
}
