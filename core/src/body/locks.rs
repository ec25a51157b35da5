//! Locking queues for orderly consumption, and giving them back.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::json_body;
use super::queue::MessageQueue;
use super::text::or_default;
use crate::name::QueueName;

/// The body of `LOCK_BATCH_MQ` (41) and `UNLOCK_BATCH_MQ` (42): `LockBatchRequestBody`,
/// `UnlockBatchRequestBody`. A lock lasts 60 s on the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockBody {
    /// The client that locks.
    #[serde(rename = "clientId", default, deserialize_with = "or_default")]
    pub client_id: String,
    /// Its group.
    #[serde(rename = "consumerGroup", default, deserialize_with = "or_default")]
    pub consumer_group: String,
    /// The queues.
    #[serde(rename = "mqSet", default, deserialize_with = "or_default")]
    pub queues: Vec<MessageQueue>,
    /// Not on the other brokers of the set, too.
    #[serde(rename = "onlyThisBroker", default)]
    pub only_this_broker: bool,
}

json_body!(LockBody, "lock");

/// The same, written as JSON once, by whoever needs it first: the writer of a connection, which
/// holds no lock.
#[derive(Debug)]
pub struct SharedLocks {
    client: Arc<str>,
    group: Arc<str>,
    queues: Vec<QueueName>,
    json: OnceLock<Bytes>,
}

impl SharedLocks {
    /// Queues that a client asks for, or gives back, for its group of that name on the wire.
    pub const fn new(client: Arc<str>, group: Arc<str>, queues: Vec<QueueName>) -> Self {
        Self { client, group, queues, json: OnceLock::new() }
    }

    /// The body as JSON.
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| {
            let body = LockBody {
                client_id: self.client.to_string(),
                consumer_group: self.group.to_string(),
                queues: self.queues.iter().map(QueueName::named).collect(),
                only_this_broker: false,
            };
            body.to_json().into()
        })
    }
}

/// The body of the reply to a lock: `LockBatchResponseBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedBody {
    /// The queues that are locked now; those asked for and not in here are somebody else's.
    #[serde(rename = "lockOKMQSet", default, deserialize_with = "or_default")]
    pub queues: Vec<MessageQueue>,
}

json_body!(LockedBody, "list of locked queues");
