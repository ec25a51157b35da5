//! A frame that came in: what is to become of it, and which part of the cluster does it.

use bytes::Bytes;
use rocketry_core::frame::{
    Content, Frame, Pairs, Reply, Request, RequestCode, ResponseCode, version,
};
use rocketry_core::time::Instant;

use super::answer::{Answer, Caller};
use super::asked::{ClientAnswer, Received};
use super::cluster::Cluster;
use super::fault::{Fault, is_send, is_stored, words};
use super::{ConnId, ListenerId, nameserver};

impl Cluster {
    /// A frame came from a connection. Replies that no administrator waits for are kept for
    /// [`Self::take_answers`]. Where keys are checked, it counts as unsigned.
    pub fn received(&mut self, now: Instant, conn: ConnId, frame: Frame) {
        self.received_with(now, conn, frame, &Pairs::new());
    }

    /// The same with the fields of its header as they came, by which keys are checked.
    pub fn received_with(&mut self, now: Instant, conn: ConnId, frame: Frame, fields: &Pairs) {
        let now = self.advance(now);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.seen = now;
        let (listener, peer) = (connection.listener, connection.peer);
        let Frame { opaque, version, content, body, .. } = frame;
        let (request, oneway, code) = match content {
            Content::Request { request, oneway, code } => (request, oneway, code),
            Content::Reply(reply) => {
                let Reply { code, remark, .. } = reply;
                let told = ClientAnswer { conn, opaque, code, remark, version, body };
                return self.told(listener, told);
            }
        };
        self.faults.count(listener, code);
        if let (Some(kept), Ok(request)) = (&mut self.kept, &request) {
            let (request, body) = (request.clone(), body.clone());
            kept.push(Received { at: listener, request, body, oneway });
        }
        let (server, fault) = (self.version_of(listener), Fault::Pass);
        let from = match &request {
            Ok(Request::Pull(pull) | Request::LitePull(pull)) => Some(pull.queue_offset),
            Ok(_) | Err(_) => None,
        };
        let mut caller =
            Caller { conn, listener, peer, code, opaque, oneway, from, version, server, fault };
        if let Some(refusal) = self.refusal(listener, &caller) {
            return self.turn().1.reply(&caller, Answer::error(refusal, words(refusal)));
        }
        #[cfg(feature = "acl")]
        if let Some(denial) = self.denial(&caller, request.as_ref().ok(), (fields, &body)) {
            return self.turn().1.reply(&caller, denial);
        }
        #[cfg(not(feature = "acl"))]
        let _ = fields;
        caller.fault = self.faults.next(listener, code);
        match caller.fault {
            Fault::Lose => {}
            Fault::LoseAndClose => self.close(conn),
            Fault::Refuse(error) if !(is_stored(error) && is_send(code)) => {
                self.turn().1.reply(&caller, Answer::error(error, words(error)));
            }
            _ => match request {
                Ok(request) => self.dispatch(listener, caller, request, &body),
                Err(error) => {
                    let answer = Answer::error(ResponseCode::SYSTEM_ERROR, error.to_string());
                    self.turn().1.reply(&caller, answer);
                }
            },
        }
    }

    /// Whether requests are looked at for who sent them: whoever decodes frames has to tell their
    /// fields then, see [`Self::received_with`].
    pub const fn checks_keys(&self) -> bool {
        #[cfg(feature = "acl")]
        return self.config.acl.is_some();
        #[cfg(not(feature = "acl"))]
        false
    }

    /// A client has answered a request of a broker's: for somebody who asked the broker, or for the
    /// test.
    fn told(&mut self, listener: ListenerId, told: ClientAnswer) {
        if let ListenerId::Broker(index) = listener {
            let (nodes, mut turn) = self.turn();
            let node = nodes.get_mut(index).filter(|n| n.relays.expects(told.conn, told.opaque));
            if let Some(node) = node {
                return node.answered(&mut turn, told);
            }
        }
        self.answers.push(told);
    }

    /// What a server that is leaving says to clients that understand it
    /// (`NettyRemotingAbstract.processRequestCommand`).
    fn refusal(&self, listener: ListenerId, caller: &Caller) -> Option<ResponseCode> {
        let leaves = self.leaving.contains(&listener) && version::takes_go_away(caller.version);
        leaves.then_some(ResponseCode::GO_AWAY)
    }

    fn version_of(&self, listener: ListenerId) -> i32 {
        let broker = match listener {
            ListenerId::Nameserver | ListenerId::SecondNameserver => None,
            ListenerId::Broker(index) => self.nodes.get(index),
        };
        broker.map_or(self.config.version, |node| node.version)
    }

    fn dispatch(&mut self, listener: ListenerId, caller: Caller, request: Request, body: &Bytes) {
        match listener {
            ListenerId::Nameserver | ListenerId::SecondNameserver => {
                let answer = match self.registry.instead(listener, &caller, &request) {
                    Some(answer) => Some(answer),
                    None => nameserver::answer(&self.config, &mut self.registry, &caller, &request),
                };
                if let Some(answer) = answer {
                    self.turn().1.reply(&caller, answer);
                }
                if caller.code == RequestCode::DELETE_TOPIC_IN_NAMESRV {
                    self.register_later();
                }
            }
            ListenerId::Broker(index) => {
                let (nodes, mut turn) = self.turn();
                if let Some(node) = nodes.get_mut(index) {
                    node.handle(&mut turn, caller, request, body);
                }
                self.spread(index);
            }
        }
    }
}
