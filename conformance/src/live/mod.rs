//! Real Apache RocketMQ nameservers and brokers on free loopback ports, for tests and measurements.
//!
//! A [`Cluster`] is one nameserver and one broker as two JVMs, or as many of both as
//! [`Options`] asks for, with or without slaves. Their jars come through Maven once per version and
//! stay in a cache folder; their ports are free ones; their data lives in a folder of its own and
//! goes away with the cluster. Versions that start under Java 17: 4.8.0, 4.9.4, 4.9.7, 5.3.3,
//! 5.4.0 and 5.5.0.
//!
//! Members have names (`namesrv-1`, `broker-a`, `broker-a-slave`), by which they are killed,
//! frozen and started again, also from another process ([`Cluster::attach`]).
//!
//! Three nets keep a JVM from outliving its purpose, since a killed process can't clean up:
//! `Drop` ends it, a small shell that waits for the end of a pipe ends it when our process dies,
//! and `timeout` ends it after [`Options::life`]. What slips through (a power cut) is swept by the
//! next start on the machine.

mod cluster;
mod clusters;
mod controller;
mod error;
mod files;
mod group;
mod jars;
mod java;
mod keeper;
mod plan;
mod port;
mod registry;
mod state;
mod topic;
mod wire;

pub use cluster::{Cluster, Options};
pub use clusters::{Running, down, running};
pub use error::LiveError;
pub use files::{KEYS, LIMITED};
pub use java::java_program;
pub use plan::{Member, Role};
pub use state::Condition;
pub(crate) use topic::ordinal_of;
pub(crate) use topic::version_of;
pub use topic::{create_topic, route_queues, version_at};
