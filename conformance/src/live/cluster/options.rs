//! How a cluster is to be started.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::PATIENCE;
use crate::live::controller;
use crate::live::plan::Shape;

/// How to start a cluster. [`Options::new`] gives the usual values; change the fields you need.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The RocketMQ version, such as `5.3.3`.
    pub version: String,
    /// How many masters, from 1 to 26; they are called `broker-a`, `broker-b` and so on. One at
    /// first.
    pub brokers: u8,
    /// Whether each master has a slave, `broker-a-slave` and so on, to which it copies without
    /// making senders wait (`ASYNC_MASTER`). None at first.
    pub slaves: bool,
    /// How many nameservers, from 1 to 9; each broker registers at all of them. They are called
    /// `namesrv-1` and so on. One at first.
    pub nameservers: u8,
    /// Further lines of every broker's properties, as `key=value`; they win over ours, but for
    /// what makes a broker this one: its name, id, port and folders, and a slave's role.
    pub conf: Vec<String>,
    /// The longest wait for each process to become ready; 90 s at first.
    pub patience: Duration,
    /// The JVMs end by themselves after this long; one hour at first.
    pub life: Duration,
    /// Raised by a Ctrl-C handler to end a start early with
    /// [`LiveError::Interrupted`](crate::live::LiveError::Interrupted).
    pub stop: Option<Arc<AtomicBool>>,
}

impl Options {
    /// The usual values for a version: one nameserver and one broker.
    pub fn new(version: impl Into<String>) -> Options {
        Options {
            version: version.into(),
            brokers: 1,
            slaves: false,
            nameservers: 1,
            conf: Vec::new(),
            patience: PATIENCE,
            life: Duration::from_secs(3600),
            stop: None,
        }
    }

    pub(in crate::live) fn shape(&self) -> Shape {
        let Options { brokers, slaves, nameservers, .. } = *self;
        Shape { nameservers, brokers, slaves, controllers: controller::is_wanted(&self.conf) }
    }
}
