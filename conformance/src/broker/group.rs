//! The consumer and producer groups of a broker: who is in them and what they subscribe to
//! (`ConsumerManager`, `ConsumerGroupInfo`, `ProducerManager`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rocketry_core::body::{
    ConsumeFrom, ConsumeType, GroupConfig, Heartbeat, MessageModel, SubscriptionData,
};
use rocketry_core::time::Instant;

use super::ConnId;
use super::answer::Caller;
use super::subscription::Subscription;

/// A client in a consumer group.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client_id: Box<str>,
    pub(super) peer: SocketAddr,
    pub(super) version: i32,
    seen: Instant,
}

/// A consumer group with members.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// What the last heartbeat said, as the next two.
    pub(super) model: MessageModel,
    pub(super) consume_type: ConsumeType,
    pub(super) consume_from: ConsumeFrom,
    pub(super) members: BTreeMap<ConnId, Member>,
    /// One table for the whole group: the newest version of any member counts.
    pub(super) subscriptions: BTreeMap<Box<str>, Subscription>,
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
    /// The configurations of consumer groups: of those that a test made, and of those that were
    /// heard of, where they are made then (`SubscriptionGroupManager`).
    configs: BTreeMap<Box<str>, GroupConfig>,
}

impl Group {
    fn change(&self, name: &str) -> Option<Change> {
        let members: Vec<ConnId> = self.members.keys().copied().collect();
        let told = self.model != MessageModel::Broadcasting && !members.is_empty();
        told.then(|| Change { group: Box::from(name), members })
    }

    /// Takes the subscriptions of a heartbeat; `true` when topics came or went. A newer version of
    /// a topic the group had replaces it in silence (`ConsumerGroupInfo.updateSubscription`). Of a
    /// topic named twice in one heartbeat the newer one counts, or the last of two of one version,
    /// as measured on a 5.3.3.
    fn subscribe(&mut self, list: &[SubscriptionData], version: i32) -> bool {
        let mut topics: BTreeMap<&str, &SubscriptionData> = BTreeMap::new();
        for data in list {
            if topics.get(&*data.topic).is_none_or(|known| known.version <= data.version) {
                topics.insert(&data.topic, data);
            }
        }
        let before = self.subscriptions.len();
        self.subscriptions.retain(|old, _| topics.contains_key(&**old));
        let mut changed = self.subscriptions.len() != before;
        for (topic, new) in topics {
            match self.subscriptions.get_mut(topic) {
                Some(old) if new.version > old.data.version => {
                    *old = Subscription::new(new, version);
                }
                Some(_) => {}
                None => {
                    let subscription = Subscription::new(new, version);
                    self.subscriptions.insert(Box::from(topic), subscription);
                    changed = true;
                }
            }
        }
        changed
    }

    /// The members with this client id, the oldest connection first; all without one.
    pub(super) fn members_of(
        &self,
        client: Option<&str>,
    ) -> impl Iterator<Item = (ConnId, &Member)> {
        let asked = move |member: &Member| client.is_none_or(|id| *member.client_id == *id);
        self.members.iter().filter(move |(_, member)| asked(member)).map(|(&conn, m)| (conn, m))
    }
}

impl Groups {
    /// Whether the members of a group broadcast, which it may not (`consumeBroadcastEnable`).
    pub(super) fn broadcasts_in_vain(&self, group: &str) -> bool {
        let model = self.consumers.get(group).map(|group| group.model);
        let allowed = self.configs.get(group).is_none_or(|of| of.consume_broadcast_enable);
        model == Some(MessageModel::Broadcasting) && !allowed
    }

    /// Takes a heartbeat, of either version if `v2` is known. Returns the groups that changed, and
    /// whether a group was last described by a client with another fingerprint; one that was never
    /// described was not (`ClientManageProcessor.heartBeatV2`).
    pub(super) fn beat(
        &mut self,
        now: Instant,
        caller: &Caller,
        beat: &Heartbeat,
        v2: bool,
    ) -> (Vec<Change>, bool) {
        let mut changes = Vec::new();
        let mut differs = false;
        let without_sub = v2 && beat.fingerprint != 0 && beat.without_sub;
        let conn = caller.conn;
        for data in &beat.consumers {
            let last = self.fingerprints.insert(Box::from(&*data.group), beat.fingerprint);
            differs |= last.is_some_and(|last| last != beat.fingerprint);
            if !self.knows(&data.group) {
                continue;
            }
            let group = self.consumers.entry(Box::from(&*data.group)).or_default();
            (group.model, group.consume_type) = (data.model, data.consume_type);
            group.consume_from = data.consume_from;
            let client_id = Box::from(&*beat.client_id);
            let member =
                Member { client_id, peer: caller.peer, version: caller.version, seen: now };
            let joined = group.members.insert(conn, member).is_none();
            let subscribed = !without_sub && group.subscribe(&data.subscriptions, caller.server);
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

    /// The configuration of a consumer group, which is made now where that is allowed
    /// (`findSubscriptionGroupConfig`).
    pub(super) fn config(&mut self, group: &str, make: bool) -> Option<&GroupConfig> {
        if make && !group.trim().is_empty() && !self.configs.contains_key(group) {
            let config = GroupConfig { group_name: group.to_owned(), ..GroupConfig::default() };
            self.configs.insert(Box::from(group), config);
        }
        self.configs.get(group)
    }

    /// Makes a consumer group, or changes it.
    pub(super) fn set_config(&mut self, config: GroupConfig) {
        self.configs.insert(Box::from(&*config.group_name), config);
    }

    /// Whether there is such a consumer group, with members or without.
    pub(super) fn knows(&self, group: &str) -> bool {
        self.configs.contains_key(group)
    }

    /// A consumer group with members.
    pub(super) fn online(&self, group: &str) -> Option<&Group> {
        self.consumers.get(group)
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

    /// The connection of a client that produces, in whatever group: the latest one
    /// (`ProducerManager.findChannel`).
    pub(super) fn producer_of(&self, client: &str) -> Option<ConnId> {
        let members = self.producers.values().flatten().filter(|(_, id)| ***id == *client);
        members.map(|(conn, _)| *conn).max()
    }

    /// The connections of a producer group.
    pub(super) fn producers(&self, group: &str) -> Vec<ConnId> {
        self.producers
            .get(group)
            .map(|members| members.keys().copied().collect())
            .unwrap_or_default()
    }

    /// The client ids of a producer group.
    pub(super) fn producer_ids(&self, group: &str) -> Vec<String> {
        let members = self.producers.get(group).map(|members| members.values());
        members.into_iter().flatten().map(ToString::to_string).collect()
    }
}
