//! The consumer and producer groups of a broker: who is in them and what they subscribe to
//! (`ConsumerManager`, `ConsumerGroupInfo`, `ProducerManager`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketry_core::body::{Heartbeat, MessageModel};
use rocketry_core::time::Instant;

use super::ConnId;
use super::subscription::{Filter, Subscription};

#[derive(Debug)]
struct Member {
    client_id: Box<str>,
    seen: Instant,
}

#[derive(Debug, Default)]
struct Group {
    broadcast: bool,
    members: BTreeMap<ConnId, Member>,
    /// One table for the whole group: the newest version of any member counts.
    subscriptions: BTreeMap<Box<str>, Subscription>,
}

/// A group whose members are to be told that it changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) group: Box<str>,
    pub(super) members: Vec<ConnId>,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    consumers: BTreeMap<Box<str>, Group>,
    producers: BTreeMap<Box<str>, BTreeMap<ConnId, Box<str>>>,
    /// The fingerprint of the last heartbeat for each consumer group, of whichever member. Nothing
    /// is ever taken out (`ClientManageProcessor.consumerGroupHeartbeatTable`).
    fingerprints: BTreeMap<Box<str>, i32>,
    /// Consumer groups that ever sent a heartbeat or a pull: Java's brokers make a configuration
    /// for each then (`autoCreateSubscriptionGroup`), and take offsets of no other.
    met: BTreeSet<Box<str>>,
}

impl Group {
    fn change(&self, name: &str) -> Option<Change> {
        let members: Vec<ConnId> = self.members.keys().copied().collect();
        let told = !self.broadcast && !members.is_empty();
        told.then(|| Change { group: Box::from(name), members })
    }

    /// Takes the subscriptions of a heartbeat; `true` when topics came or went. A newer version of
    /// a topic the group had replaces it in silence (`ConsumerGroupInfo.updateSubscription`). Of a
    /// topic named twice in one heartbeat the last one counts, as measured on a 5.3.3.
    fn subscribe(&mut self, topics: BTreeMap<Box<str>, Subscription>) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|old, _| topics.contains_key(old));
        let mut changed = self.subscriptions.len() != before;
        for (topic, new) in topics {
            match self.subscriptions.get_mut(&topic) {
                Some(old) if new.version > old.version => *old = new,
                Some(_) => {}
                None => {
                    self.subscriptions.insert(topic, new);
                    changed = true;
                }
            }
        }
        changed
    }
}

impl Groups {
    /// Takes a heartbeat, of either version if `v2` is known. Returns the groups that changed, and
    /// whether a group was last described by a client with another fingerprint; one that was never
    /// described was not (`ClientManageProcessor.heartBeatV2`).
    pub(super) fn beat(
        &mut self,
        now: Instant,
        conn: ConnId,
        beat: &Heartbeat,
        v2: bool,
    ) -> (Vec<Change>, bool) {
        let mut changes = Vec::new();
        let mut differs = false;
        let without_sub = v2 && beat.fingerprint != 0 && beat.without_sub;
        for data in &beat.consumers {
            self.meet(&data.group);
            let group = self.consumers.entry(Box::from(&*data.group)).or_default();
            group.broadcast = data.model == MessageModel::Broadcasting;
            let member = Member { client_id: Box::from(&*beat.client_id), seen: now };
            let joined = group.members.insert(conn, member).is_none();
            let last = self.fingerprints.insert(Box::from(&*data.group), beat.fingerprint);
            differs |= last.is_some_and(|last| last != beat.fingerprint);
            let topics = data.subscriptions.iter().map(|sub| {
                let filter = match sub.expression.trim() {
                    "*" => Filter::All,
                    _ if sub.class_filter => Filter::All,
                    _ => Filter::Codes(sub.codes.iter().copied().collect()),
                };
                let expression_type = Box::from(&*sub.expression_type);
                let version = sub.version;
                (Box::from(&*sub.topic), Subscription { expression_type, version, filter })
            });
            let subscribed = !without_sub && group.subscribe(topics.collect());
            if joined || subscribed {
                changes.extend(group.change(&data.group));
            }
        }
        for producer in &beat.producers {
            let members = self.producers.entry(Box::from(&*producer.group)).or_default();
            members.insert(conn, Box::from(&*beat.client_id));
        }
        (changes, differs)
    }

    /// A client leaves a group; the rest of a consumer group is told.
    pub(super) fn leave(
        &mut self,
        conn: ConnId,
        consumer: Option<&str>,
        producer: Option<&str>,
    ) -> Option<Change> {
        if let Some(members) = producer.and_then(|name| self.producers.get_mut(name)) {
            members.remove(&conn);
        }
        self.producers.retain(|_, members| !members.is_empty());
        let name = consumer?;
        let group = self.consumers.get_mut(name)?;
        group.members.remove(&conn);
        let change = group.change(name);
        if group.members.is_empty() {
            self.consumers.remove(name);
        }
        change
    }

    /// A connection is gone, and so is its client from every group.
    pub(super) fn drop_connection(&mut self, conn: ConnId) -> Vec<Change> {
        self.producers.retain(|_, members| {
            members.remove(&conn);
            !members.is_empty()
        });
        let mut changes = Vec::new();
        self.consumers.retain(|name, group| {
            if group.members.remove(&conn).is_some() {
                changes.extend(group.change(name));
            }
            !group.members.is_empty()
        });
        changes
    }

    /// What a broker that starts anew does not know any more.
    pub(super) fn restart(&mut self) {
        self.fingerprints.clear();
    }

    /// Consumers without a heartbeat for longer than `limit`.
    pub(super) fn silent(&self, now: Instant, limit: Duration) -> Vec<ConnId> {
        let members = self.consumers.values().flat_map(|group| &group.members);
        let silent = members.filter(|(_, member)| now.since(member.seen) > limit);
        silent.map(|(&conn, _)| conn).collect()
    }

    /// Remembers a consumer group.
    pub(super) fn meet(&mut self, group: &str) {
        if !self.met.contains(group) {
            self.met.insert(Box::from(group));
        }
    }

    /// Whether a consumer group ever sent a heartbeat or a pull.
    pub(super) fn knows(&self, group: &str) -> bool {
        self.met.contains(group)
    }

    pub(super) fn exists(&self, group: &str) -> bool {
        self.consumers.contains_key(group)
    }

    pub(super) fn subscription(&self, group: &str, topic: &str) -> Option<&Subscription> {
        self.consumers.get(group)?.subscriptions.get(topic)
    }

    /// The client ids of a consumer group, in the order of their connections.
    pub(super) fn consumer_ids(&self, group: &str) -> Vec<String> {
        let members = self.consumers.get(group).map(|group| group.members.values());
        members.into_iter().flatten().map(|m| m.client_id.to_string()).collect()
    }

    /// The client ids of a producer group.
    pub(super) fn producer_ids(&self, group: &str) -> Vec<String> {
        let members = self.producers.get(group).map(|members| members.values());
        members.into_iter().flatten().map(ToString::to_string).collect()
    }
}
