//! What tests do to a cluster from outside: faults, brokers that leave and come, topics.

use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::GroupConfig;
use rocketry_core::frame::{RequestCode, ResponseCode};

use super::ListenerId;
use super::asked::Received;
use super::backlog::PATIENCE;
use super::cluster::Cluster;
use super::config::TopicConfig;
use super::fault::{Fault, Requests};
use super::node::Node;
use super::relay::queue_of;

/// Faults.
impl Cluster {
    /// Answers the next requests of this code, to whomever they go, with these codes, one each; a
    /// SUCCESS among them lets one request pass. A send answered 10, 11 or 12 is stored.
    pub fn push_error(
        &mut self,
        code: RequestCode,
        errors: impl IntoIterator<Item = ResponseCode>,
    ) {
        let fault = |code| match code {
            ResponseCode::SUCCESS => Fault::Pass,
            code => Fault::Refuse(code),
        };
        self.push_faults(code, errors.into_iter().map(fault));
    }

    /// Lets these faults befall the next of these requests, to whomever they go, one each: a
    /// [`RequestCode`], [`Requests::Sends`] or [`Requests::Any`]. What was pushed first for the
    /// same requests comes first, and among different ones the one that was pushed first.
    pub fn push_faults(
        &mut self,
        requests: impl Into<Requests>,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        self.faults.push(None, requests.into(), faults);
    }

    /// The same for requests to one broker, or to the nameserver.
    pub fn push_faults_at(
        &mut self,
        at: ListenerId,
        requests: impl Into<Requests>,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        self.faults.push(Some(at), requests.into(), faults);
    }

    /// Takes back all faults that wait for a request, and all delays.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Keeps every request from now on, for [`take_requests`](Self::take_requests).
    pub fn keep_requests(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// The requests kept since the last call, in the order they came, whatever became of them.
    pub fn take_requests(&mut self) -> Vec<Received> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Lets replies to these requests leave so much later; zero ends that. The requests themselves
    /// are done at once. Of several delays that a request is in, the longest counts.
    pub fn set_delay(&mut self, requests: impl Into<Requests>, by: Duration) {
        self.faults.delay(requests.into(), by);
    }

    /// Lets a broker, or the nameserver, answer every request with `GO_AWAY` from now on, or no
    /// longer; as in Java only to clients whose version is above 5.3.1.
    pub fn set_leaving(&mut self, at: ListenerId, leaving: bool) {
        match leaving {
            true => self.leaving.insert(at),
            false => self.leaving.remove(&at),
        };
    }

    /// Closes every connection to a broker, which stays up.
    pub fn disconnect(&mut self, broker: usize) {
        self.close_all(broker);
    }

    /// Lets the messages before `offset` go, as retention does; at a master's slaves too.
    pub fn expire(&mut self, broker: usize, topic: &str, queue: i32, offset: u64) {
        let Some(node) = self.nodes.get_mut(broker) else { return };
        if let Some(log) = node.topics.find_mut(topic).and_then(|topic| topic.queue_mut(queue)) {
            log.expire(offset);
        }
        if node.followed {
            node.fresh.insert((Box::from(topic), queue));
            self.spread(broker);
        }
    }
}

/// Brokers that take their time.
impl Cluster {
    /// Lets a broker store so many messages in a millisecond and no more, and queue so many before
    /// that, of all clients together; further ones it refuses with code 2, as one that has too much
    /// to do (`sendThreadPoolQueueCapacity`, 10,000), and so it does what has waited for 200 ms
    /// (`waitTimeMillsInSendQueue`). A batch is one message. What it has queued stays.
    pub fn set_send_queue(&mut self, broker: usize, capacity: usize, each: usize) {
        self.set_backlog(broker, capacity, each, Some(PATIENCE));
    }

    /// The same for a broker that refuses nothing for the time it has waited
    /// (`brokerFastFailureEnable=false`).
    pub fn set_patient_send_queue(&mut self, broker: usize, capacity: usize, each: usize) {
        self.set_backlog(broker, capacity, each, None);
    }

    fn set_backlog(
        &mut self,
        broker: usize,
        capacity: usize,
        each: usize,
        patience: Option<Duration>,
    ) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.backlog.get_or_insert_default().set(capacity, each, patience);
        }
    }
}

/// Brokers that leave, come back, and change.
impl Cluster {
    /// Takes a broker down: its connections close and no new one stays open; its data is kept. It
    /// leaves the routes if [`ClusterConfig::hide_down_brokers`](super::ClusterConfig) says so, and
    /// its topics leave with it unless a slave or its master is there.
    pub fn take_down(&mut self, broker: usize) {
        let hides = self.config.hide_down_brokers;
        self.down(broker, hides);
    }

    /// Kills a broker: as [`take_down`](Self::take_down), but it [forgets](Self::lose_offsets) what
    /// it had not written yet, and the routes go on naming it: that of a machine that is gone stays
    /// for up to two minutes (`brokerChannelExpiredTime`).
    pub fn crash(&mut self, broker: usize) {
        self.lose_offsets(broker);
        self.lose_ends(broker);
        self.down(broker, false);
    }

    /// Lets a broker forget which half messages have ended in the last 3 s, as one does that is
    /// killed: it writes that down together (`transactionOpBatchInterval`). What was committed
    /// stays in its topic. Nothing happens at one that is down.
    pub fn lose_ends(&mut self, broker: usize) {
        let now = self.now();
        if let Some(node) = self.nodes.get_mut(broker).filter(|node| !node.down) {
            node.halves.lose(now);
        }
    }

    /// Lets a broker forget the offsets of groups that it took since it last wrote them
    /// ([`BrokerConfig::offset_flush`](super::BrokerConfig)), as one does that is killed. It writes
    /// them whenever the clock shows a multiple of that time; what counts here is the time of the
    /// cluster's last call. Offsets of [`set_committed`](Self::set_committed) are written at once.
    /// Nothing happens at one that is down.
    pub fn lose_offsets(&mut self, broker: usize) {
        let now = self.turn().1.now;
        if let Some(node) = self.nodes.get_mut(broker).filter(|node| !node.down) {
            node.offsets.lose(now, node.offset_flush);
        }
    }

    /// Lets a broker keep the last alone of offsets of a group and topic that are its first ones
    /// and come at the same time, though it confirms all, as those of Apache may.
    pub fn lose_first_offsets(&mut self, broker: usize) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.offsets.lose_first();
        }
    }

    fn down(&mut self, broker: usize, hides: bool) {
        let now = self.now();
        if let Some(node) = self.nodes.get_mut(broker).filter(|node| !node.down) {
            node.down = true;
            node.groups.restart();
            node.halves.restart();
            node.locks.restart(now);
            if hides {
                self.registry.unregister(node);
            }
        }
        self.close_all(broker);
    }

    /// Brings a broker back; it is in the routes at once. A slave has taken over what it missed,
    /// and so have the slaves of a master.
    pub fn bring_up(&mut self, broker: usize) {
        let Some(node) = self.nodes.get_mut(broker).filter(|node| node.down) else { return };
        node.down = false;
        self.registry.register(node);
        self.catch_up(broker);
        for slave in self.slaves_of(broker) {
            self.catch_up(slave);
        }
    }

    fn slaves_of(&self, broker: usize) -> Vec<usize> {
        let Some(master) = self.nodes.get(broker).filter(|node| node.followed) else {
            return Vec::new();
        };
        let follows = |node: &Node| node.name == master.name && !node.down && !node.lags;
        let others = self.nodes.iter().enumerate().filter(|(index, _)| *index != broker);
        others.filter(|(_, node)| follows(node)).map(|(index, _)| index).collect()
    }

    /// Writes another `host:port` of a broker into routes, records and message ids: that of a
    /// proxy, say, or the one it comes back at.
    pub fn set_endpoint(&mut self, broker: usize, endpoint: &str) {
        let hides = self.config.hide_down_brokers;
        if let Some(node) = self.nodes.get_mut(broker) {
            node.move_to(endpoint);
            if !(node.down && hides) {
                self.registry.register(node);
            }
        }
    }

    /// Changes what a broker permits, whatever its topics say: 6, 4, 2 or 0 (`brokerPermission`).
    /// The routes follow at once.
    pub fn set_broker_perm(&mut self, broker: usize, perm: u32) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.perm = perm;
            if !node.down {
                self.registry.register(node);
            }
        }
    }

    /// Lets a broker be of another version from now on: what it knows, and shows in its answers.
    pub fn set_version(&mut self, broker: usize, version: i32) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.version = version;
        }
    }

    /// Lets a slave take over nothing more from its master, or all it has missed.
    pub fn set_lagging(&mut self, slave: usize, lags: bool) {
        if let Some(node) = self.nodes.get_mut(slave) {
            node.lags = lags;
            if !(lags || node.down) {
                self.catch_up(slave);
            }
        }
    }

    /// Lets a broker's answers to pulls suggest the broker with this id, where slaves answer pulls
    /// at all: 1 sends consumers to the first slave, as a lag of theirs does.
    pub fn set_suggested(&mut self, broker: usize, id: u64) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.suggests = id;
        }
    }
}

/// What a broker has of groups, and how it answers them.
impl Cluster {
    /// Makes a consumer group on every broker, or changes it: how often its messages are tried, how
    /// many queues its retry topic has when that is made.
    pub fn set_group(&mut self, config: &GroupConfig) {
        self.nodes.iter_mut().for_each(|node| node.groups.set_config(config.clone()));
    }

    /// Has a broker ask at once how each half message ended that nobody has ended, however young.
    pub fn check_halves(&mut self, broker: usize) {
        let (nodes, mut turn) = self.turn();
        if let Some(node) = nodes.get_mut(broker) {
            node.check_all(&mut turn);
        }
    }

    /// How many half messages a broker has that nobody has ended, copies included.
    pub fn halves(&self, broker: usize) -> usize {
        self.nodes.get(broker).map_or(0, |node| node.halves.len())
    }

    /// Lets a broker answer at once that there is nothing, as proxies and other makers' brokers do,
    /// or hold pulls again.
    pub fn set_holding(&mut self, broker: usize, holds: bool) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.holds = holds;
        }
    }

    /// Has a client hold a queue's lock in a group from now on, or nobody, as if it had asked for
    /// it (41) or had given it back (42).
    pub fn set_lock(
        &mut self,
        broker: usize,
        (group, topic): (&str, &str),
        queue: i32,
        client: Option<&str>,
    ) {
        let now = self.turn().1.now;
        if let Some(node) = self.nodes.get_mut(broker) {
            let queue = queue_of(node, topic, queue as u32);
            node.locks.set(now, group, queue, client);
        }
    }

    /// Lets a broker have this offset of a group: one that an administrator wrote, or the one from
    /// before those that it took and died with. Slaves do not hear of it.
    pub fn set_committed(
        &mut self,
        broker: usize,
        group: &str,
        topic: &str,
        queue: i32,
        offset: i64,
    ) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.offsets.set(group, topic, queue, offset);
        }
    }
}

/// Topics.
impl Cluster {
    /// Makes a topic on every broker, or changes its queues and permission. The routes follow at
    /// once.
    pub fn create_topic(&mut self, topic: &TopicConfig) {
        for broker in 0..self.nodes.len() {
            self.create_topic_on(broker, topic);
        }
    }

    /// The same on one broker and its slaves.
    pub fn create_topic_on(&mut self, broker: usize, topic: &TopicConfig) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.topics.create(topic);
            self.spread(broker);
        }
    }

    /// Deletes a topic and its messages on every broker, and in the nameserver.
    pub fn delete_topic(&mut self, topic: &str) {
        self.nodes.iter_mut().for_each(|node| node.drop_topic(topic));
        self.registry.delete_topic(topic);
    }

    /// The same on one broker: others may keep it.
    pub fn delete_topic_on(&mut self, broker: usize, topic: &str) {
        if let Some(node) = self.nodes.get_mut(broker) {
            node.drop_topic(topic);
            self.registry.forget_topic(topic, &node.name);
            self.spread(broker);
        }
    }

    /// Lets one nameserver not know a topic, as one does that was just started or that no broker
    /// reaches; or know it again.
    pub fn set_known(&mut self, at: ListenerId, topic: &str, knows: bool) {
        self.registry.hear(at, topic, knows);
    }

    /// Lets the nameservers answer with this body when asked for a topic's route, or with what
    /// brokers told again.
    pub fn set_route(&mut self, topic: &str, body: Option<&[u8]>) {
        self.registry.script(topic, body.map(Bytes::copy_from_slice));
    }

    /// Makes a topic one of global order in its routes, as `broker-a:4;broker-b:4`, or no longer
    /// (`orderMessageEnable` and the nameserver's `ORDER_TOPIC_CONFIG`).
    pub fn set_order(&mut self, topic: &str, config: Option<&str>) {
        self.registry.order(topic, config);
    }
}
