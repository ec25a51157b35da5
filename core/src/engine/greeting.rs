//! Brokers are told who we are: what a heartbeat says (`MQClientInstance.prepareHeartbeatData`),
//! when it is sent, and what its answer means.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::{Engine, Note, TimerKind};
use crate::body::{
    ConsumeFrom, ConsumeType, ConsumerData, Heartbeat, MessageModel, ProducerData, SubscriptionData,
};
use crate::consumer::{Consumer, Expression, Start};
use crate::effects::Signal;
use crate::frame::request::HeartbeatRequest;
use crate::frame::{Kind, Request, ResponseCode};
use crate::id::PeerId;
use crate::name::Topic;
use crate::remoting::{BrokerAsk, Purpose};

/// Pause after a heartbeat that came to nothing.
const GREET: Duration = Duration::from_secs(1);

impl Engine {
    /// Whether there is anything to say: a client without groups sends no heartbeat.
    pub(super) fn has_groups(&self) -> bool {
        !self.producers.is_empty() || !self.consumers.is_empty()
    }

    /// The heartbeat's body as it is now.
    pub(super) fn heartbeat(&self) -> Bytes {
        let producers = self.producers.iter();
        let consumers = self.consumers.iter().map(|(_, consumer)| consumer);
        let heartbeat = Heartbeat {
            client_id: self.ctx.fx.client_id.to_string(),
            consumers: consumers.filter(|c| !c.is_leaving()).map(consumer_data).collect(),
            fingerprint: 0,
            producers: producers.map(|group| ProducerData { group: group.to_string() }).collect(),
            without_sub: false,
        };
        Bytes::from(heartbeat.to_json())
    }

    /// Tells one broker who we are.
    pub(super) fn tell_broker(&mut self, peer: PeerId) {
        if self.has_groups() && self.life.is_member() {
            let body = self.heartbeat();
            self.tell(peer, body);
        }
    }

    fn tell(&mut self, peer: PeerId, body: Bytes) {
        let purpose = Purpose::Broker(BrokerAsk::Heartbeat { revision: self.brokers.told(peer) });
        let request = Request::Heartbeat(HeartbeatRequest::default());
        let within = self.ctx.fx.config.request_timeout;
        self.ctx.ask(peer, purpose, Kind::Heartbeat, request, body, within);
    }

    /// Tells every broker there is a connection to; one that stalls delays no other.
    pub(super) fn tell_brokers(&mut self) {
        if !self.has_groups() || !self.life.is_member() {
            return;
        }
        let connected: Vec<PeerId> = self.ctx.remoting.peers.brokers().collect();
        let body = self.heartbeat();
        for peer in connected {
            self.tell(peer, body.clone());
        }
    }

    /// The heartbeat of all brokers is due.
    pub(super) fn heartbeat_due(&mut self) {
        for group in self.producers.take_unused(self.ctx.fx.now) {
            self.brokers.changed();
            self.unregister_producer(&group);
        }
        self.tell_brokers();
        let after = self.ctx.fx.rng.jitter(self.ctx.fx.config.heartbeat);
        self.ctx.fx.timers.at(self.ctx.fx.now + after, TimerKind::Heartbeat);
    }

    /// A broker answered a heartbeat.
    pub(super) fn heartbeat_answered(&mut self, peer: PeerId, revision: u64, code: ResponseCode) {
        if code != ResponseCode::SUCCESS {
            let endpoint = self.ctx.remoting.peers.endpoint(peer).clone();
            self.ctx.fx.note(Note::HeartbeatRefused { endpoint, code });
            return self.heartbeat_failed(peer);
        }
        if self.brokers.answered(peer, revision) {
            self.ctx.fx.signal(Signal::Registered(peer));
        }
    }

    /// A heartbeat came to nothing. Nothing is pulled from a broker that does not know us, and one
    /// that does forgets us in time, so this can't wait for the next round. A lost connection needs
    /// none: its successor begins with one.
    pub(super) fn heartbeat_failed(&mut self, peer: PeerId) {
        if !self.ctx.remoting.peers.is_connected(peer) {
            return self.brokers.forgot(peer);
        }
        let refusal = self.brokers.refused(peer);
        self.ctx.fx.after(GREET, TimerKind::Greet(peer, refusal));
    }

    /// The pause after a heartbeat that came to nothing is over.
    pub(super) fn greet_again(&mut self, peer: PeerId, refusal: u64) {
        if self.brokers.still_refused(peer, refusal) && self.ctx.remoting.peers.is_connected(peer) {
            self.tell_broker(peer);
        }
    }
}

fn consumer_data(consumer: &Consumer) -> ConsumerData {
    let topics = consumer.subscribe.topics.iter();
    ConsumerData {
        consume_from: match consumer.subscribe.start {
            Start::First => ConsumeFrom::First,
            Start::Last => ConsumeFrom::Last,
        },
        consume_type: ConsumeType::Passively,
        group: consumer.subscribe.group.to_string(),
        model: MessageModel::Clustering,
        subscriptions: topics.map(|topic| subscription(topic, consumer.version)).collect(),
        unit_mode: false,
    }
}

fn subscription((topic, expression): &(Topic, Expression), version: i64) -> SubscriptionData {
    let tags = expression.tags();
    SubscriptionData {
        class_filter: false,
        codes: tags.iter().flat_map(|tags| tags.codes()).collect(),
        expression_type: "TAG".to_owned(),
        expression: expression.text(),
        version,
        tags: tags.iter().flat_map(|tags| tags.iter()).map(str::to_owned).collect::<BTreeSet<_>>(),
        topic: topic.to_string(),
    }
}
