//! Queues that clients have locked for orderly consumption (41, 42): `RebalanceLockManager`.
//!
//! Locks are kept in memory: a broker that starts anew knows none. A broker does not look at them
//! when it is pulled from, or given an offset: nobody is fenced off.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::{LockBody, LockedBody, MessageQueue};
use rocketry_core::frame::ResponseCode;
use rocketry_core::time::Instant;

use super::answer::{Answer, Turn};
use super::node::Node;

/// How long a lock lasts that is not renewed (`REBALANCE_LOCK_MAX_LIVE_TIME`).
const LIFE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Lock {
    client: Box<str>,
    renewed: Instant,
}

impl Lock {
    fn is_expired(&self, now: Instant) -> bool {
        now.since(self.renewed) > LIFE
    }
}

/// The locked queues of every group.
#[derive(Debug, Default)]
pub(super) struct Locks {
    groups: BTreeMap<Box<str>, BTreeMap<MessageQueue, Lock>>,
    /// When all of them were forgotten last.
    pub(super) since: Option<Instant>,
}

impl Locks {
    /// Locks a queue for a client, or renews its lock. False: it is another client's.
    fn lock(&mut self, now: Instant, group: &str, queue: &MessageQueue, client: &str) -> bool {
        let group = self.groups.entry(Box::from(group)).or_default();
        let mine = Lock { client: Box::from(client), renewed: now };
        let lock = group.entry(queue.clone()).or_insert(mine);
        let free = *lock.client == *client || lock.is_expired(now);
        if free {
            *lock = Lock { client: Box::from(client), renewed: now };
        }
        free
    }

    /// Whether no lock of the group lasts (`isLockAllExpired`).
    pub(super) fn are_expired(&self, now: Instant, group: &str) -> bool {
        let locks = self.groups.get(group).into_iter().flat_map(BTreeMap::values);
        locks.into_iter().all(|lock| lock.is_expired(now))
    }

    /// Who has a queue's lock.
    pub(super) fn holder(&self, now: Instant, group: &str, queue: &MessageQueue) -> Option<&str> {
        let lock = self.groups.get(group)?.get(queue)?;
        (!lock.is_expired(now)).then_some(&*lock.client)
    }

    /// Gives a queue to somebody, or to nobody.
    pub(super) fn set(
        &mut self,
        now: Instant,
        group: &str,
        queue: MessageQueue,
        client: Option<&str>,
    ) {
        let group = self.groups.entry(Box::from(group)).or_default();
        match client {
            Some(client) => {
                group.insert(queue, Lock { client: Box::from(client), renewed: now });
            }
            None => {
                group.remove(&queue);
            }
        }
    }

    /// The broker starts anew.
    pub(super) fn restart(&mut self, now: Instant) {
        self.groups.clear();
        self.since = Some(now);
    }
}

fn unreadable(error: &rocketry_core::body::BodyError) -> Answer {
    Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string())
}

impl Node {
    /// Locks queues for a client: those that it has then are in the answer (`lockBatchMQ`). That a
    /// lock is to be on this broker alone (`onlyThisBroker`) changes nothing here, as on a live one
    /// without `lockInStrictMode`.
    pub(super) fn lock_queues(&mut self, turn: &Turn<'_>, body: &Bytes) -> Answer {
        let asked = match LockBody::parse(body) {
            Ok(asked) => asked,
            Err(error) => return unreadable(&error),
        };
        let LockBody { client_id, consumer_group, queues, .. } = asked;
        let locks = &mut self.locks;
        let lock = |queue: &MessageQueue| locks.lock(turn.now, &consumer_group, queue, &client_id);
        let queues = queues.into_iter().filter(lock).collect();
        Answer::body(Bytes::from(LockedBody { queues }.to_json()))
    }

    /// Gives up those of the queues that are the client's (`unlockBatchMQ`).
    pub(super) fn unlock_queues(&mut self, body: &Bytes) -> Answer {
        let asked = match LockBody::parse(body) {
            Ok(asked) => asked,
            Err(error) => return unreadable(&error),
        };
        if let Some(group) = self.locks.groups.get_mut(&*asked.consumer_group) {
            for queue in &asked.queues {
                let mine = |lock: &Lock| *lock.client == *asked.client_id;
                if group.get(queue).is_some_and(mine) {
                    group.remove(queue);
                }
            }
        }
        Answer::fields(rocketry_core::frame::ReplyFields::None)
    }
}
