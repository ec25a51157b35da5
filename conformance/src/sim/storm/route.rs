//! Faults that change routes: brokers that move, masters that are away, topics with other queues.

use std::time::Duration;

use rocketry_core::name::Topic;
use rocketry_core::query::QueueName;
use rocketry_core::rng::Rng;

use crate::broker::{ListenerId, TopicConfig};
use crate::sim::link::{Door, Host, Way};
use crate::sim::world::World;

impl World {
    /// Takes a broker down, and brings it up at another address; nobody listens at the old one.
    pub(super) fn move_broker(&mut self, broker: usize, away: Duration) {
        self.take_down(broker);
        self.moves += 1;
        let endpoint = format!("10.0.{}.{}:10911", self.moves / 256, self.moves % 256);
        self.later(away, move |world| {
            world.take_down(broker);
            world.put_at(broker, &endpoint);
            world.bring_up(broker);
        });
    }

    /// Where a broker listens, and is said to listen, from now on.
    pub fn put_at(&mut self, broker: usize, endpoint: &str) {
        let old = self.cluster().endpoint(broker).unwrap_or_default().to_owned();
        self.trace.line(self.now, format_args!("{old} is {endpoint} from now on"));
        self.network.hosts.remove(&old);
        self.network.doors.remove(&old);
        self.host(endpoint, Host::Cluster(ListenerId::Broker(broker)));
        self.door(endpoint, Door::Open);
        self.with_cluster(|cluster| cluster.set_endpoint(broker, endpoint));
    }

    /// Every broker stops telling its clients to go, and holds pulls.
    pub(super) fn stay(&mut self) {
        for broker in 0..self.cluster().config().brokers.len() {
            self.with_cluster(|cluster| {
                cluster.set_leaving(ListenerId::Broker(broker), false);
                cluster.set_holding(broker, true);
            });
        }
    }

    /// One of two nameservers, unless one of them fails the clients already.
    fn some_nameserver(&mut self, rng: &mut Rng) -> Option<(ListenerId, String)> {
        let place = [ListenerId::Nameserver, ListenerId::SecondNameserver];
        let drawn = place[rng.below(2) as usize];
        let hosts = &self.network.hosts;
        let at = |wanted| hosts.iter().find(|(_, host)| **host == Host::Cluster(wanted));
        // Both are there, and neither is silent.
        at(place[0]).and(at(place[1]))?;
        let name = at(drawn)?.0.clone();
        if std::mem::replace(&mut self.ailing, true) {
            return None;
        }
        Some((drawn, name))
    }

    /// One of two nameservers does not know the topic for a while.
    pub(super) fn forget_topic(&mut self, rng: &mut Rng, topic: &str, time: Duration) -> bool {
        let Some((at, name)) = self.some_nameserver(rng) else { return false };
        self.trace.line(self.now, format_args!("{name} does not know {topic}"));
        self.with_cluster(|cluster| cluster.set_known(at, topic, false));
        let topic = topic.to_owned();
        self.later(time, move |world| {
            world.with_cluster(|cluster| cluster.set_known(at, &topic, true));
            world.ailing = false;
        });
        true
    }

    /// One of two nameservers takes connections and says nothing for a while.
    pub(super) fn silence(&mut self, rng: &mut Rng, time: Duration) -> bool {
        let Some((at, name)) = self.some_nameserver(rng) else { return false };
        self.trace.line(self.now, format_args!("{name} falls silent"));
        for link in self.links_to(&name) {
            self.stall_link(link, Way::Down);
        }
        self.host(&name, Host::Parrot(Vec::new()));
        self.later(time, move |world| {
            world.cut_all(&name);
            world.host(&name, Host::Cluster(at));
            world.ailing = false;
        });
        true
    }

    /// Takes down a master that has a slave. False if there is none.
    pub(super) fn master_away(&mut self, rng: &mut Rng, away: Duration) -> bool {
        let brokers = &self.cluster().config().brokers;
        let followed = |name: &str| brokers.iter().any(|other| other.name == name && other.id != 0);
        let masters = brokers.iter().enumerate().filter(|(_, b)| b.id == 0 && followed(&b.name));
        let masters: Vec<usize> = masters.map(|(index, _)| index).collect();
        let drawn = rng.below(masters.len().max(1) as u64) as usize;
        let Some(master) = masters.get(drawn).copied() else { return false };
        self.take_down(master);
        self.later(away, move |world| world.bring_up(master));
        true
    }

    fn queues_of(&self, topic: &str) -> Option<u32> {
        let made = self.cluster().config().topics.iter().find(|made| made.name == topic);
        made.map(|made| made.read_queues)
    }

    /// Half of the topic's queues are not written to for a while. All are read.
    pub(super) fn cut_queues(&mut self, topic: &str, time: Duration) -> bool {
        let Some(queues) = self.queues_of(topic) else { return false };
        self.trace.line(self.now, format_args!("{topic} loses write queues"));
        let fewer = TopicConfig::new(topic, queues).queues(queues, queues.div_ceil(2));
        self.with_cluster(|cluster| cluster.create_topic(&fewer));
        let topic = topic.to_owned();
        self.later(time, move |world| world.restore_queues(&topic));
        true
    }

    /// The topic has the queues that it had at first; it is made again if it is not there.
    pub(super) fn restore_queues(&mut self, topic: &str) {
        if let Some(queues) = self.queues_of(topic) {
            let all = TopicConfig::new(topic, queues);
            self.with_cluster(|cluster| cluster.create_topic(&all));
        }
    }

    /// Deletes the topic with all that is in it, and makes it again.
    pub(super) fn make_anew(&mut self, topic: &str, away: Duration) -> bool {
        if self.queues_of(topic).is_none() {
            return false;
        }
        self.trace.line(self.now, format_args!("{topic} is deleted"));
        self.forgive(topic);
        self.remade = true;
        self.with_cluster(|cluster| cluster.delete_topic(topic));
        let topic = topic.to_owned();
        self.later(away, move |world| world.restore_queues(&topic));
        true
    }

    /// Whether a topic was made anew, and offsets in it say nothing before [`Self::forgive`].
    pub const fn is_remade(&self) -> bool {
        self.remade
    }

    /// Takes all that a topic holds at this moment as done with: it may be gone, or may have been
    /// passed, without anybody's fault. Consumers of a topic that was made anew can't know which of
    /// its messages came before they saw that.
    pub fn forgive(&mut self, topic: &str) {
        self.remade = false;
        let copies = self.all_copies(topic);
        self.forgiven.extend(copies.into_keys());
        let Ok(name) = Topic::new(topic) else { return };
        let names: Vec<_> =
            self.cluster().config().brokers.iter().map(|b| b.name.clone()).collect();
        for (broker, of) in names.iter().enumerate() {
            let (read, write) = self.cluster().queues(broker, topic).unwrap_or_default();
            for queue in 0..read.max(write) {
                let max = self.cluster().max_offset(broker, topic, queue as i32).unwrap_or(0);
                let name = QueueName { topic: name.clone(), broker: of.as_str().into(), queue };
                self.settled.entry(name).or_default().extend(0..max as i64);
            }
        }
    }

    /// Whether a message went with its topic, or came before its consumers knew of the new one.
    pub fn is_forgiven(&self, id: &str) -> bool {
        self.forgiven.contains(id)
    }
}
