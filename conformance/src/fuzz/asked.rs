//! What brokers ask of a client that answers for transactions and has requests under way: checks of
//! half messages, and replies.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::{BrokerData, QueueData, RouteBody};
use rocketry_core::config::Config;
use rocketry_core::engine::{Command, Engine, Event, Session};
use rocketry_core::error::CloseReason;
use rocketry_core::frame::request::{CheckTransactionRequest, PushReplyRequest};
use rocketry_core::frame::{
    Content, Inbound, Limits, Opaque, OutFrame, Outbound, Payload, ReplyFields, Request,
    RequestCode, ResponseCode,
};
use rocketry_core::id::{CheckId, ConnectionId, OpId};
use rocketry_core::message::{
    Message, MessageLimits, Publish, RecallHandle, StoredRecord, UniqueId, UniqueIds,
};
use rocketry_core::name::{Group, Topic};
use rocketry_core::producer::SendOptions;
use rocketry_core::time::{Instant, UnixMillis};
use rocketry_core::transaction::{HalfOptions, Resolution};

use super::streams;
use super::supply::Supply;

/// Steps of one input.
const STEPS: usize = 200;
/// Ids that half messages and requests are known by here.
const IDS: usize = 4;

/// Handles of delayed messages: what is read can be written, and is read as the same.
pub fn recall_handle(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(handle) = RecallHandle::parse(&text) {
        assert_eq!(RecallHandle::parse(&handle.to_text()), Some(handle));
    }
}

/// A broker that checks half messages and pushes replies, well and badly: nothing panics, each
/// check is for the application once, and each call ends once.
pub fn broker_asks(data: &[u8]) {
    let mut supply = Supply::new(data);
    let Some(mut run) = Run::new() else { return };
    run.settle_down();
    for _ in 0..STEPS {
        if supply.is_empty() {
            break;
        }
        run.step(&mut supply);
        run.settle_down();
    }
    run.end();
}

struct Run {
    session: Session,
    now: Instant,
    source: UniqueIds,
    /// Of half messages.
    ids: Vec<UniqueId>,
    /// Of the last requests.
    asked: Vec<UniqueId>,
    topic: Topic,
    group: Group,
    peers: Vec<(ConnectionId, Inbound)>,
    calls: BTreeSet<OpId>,
    checks: Vec<CheckId>,
    seen: BTreeSet<CheckId>,
    stopped: bool,
}

impl Run {
    fn new() -> Option<Self> {
        let config = Arc::new(Config::new("ns:9876").ok()?);
        let now = Instant::from_nanos(1);
        let engine = Engine::new(config, 1, now, UnixMillis(1_700_000_000_000));
        let ids = UniqueIds::new([127, 0, 0, 1], 1, 1);
        let mut run = Self {
            session: Session::new(engine, Limits { frame: 1 << 20, ..Limits::default() }).ok()?,
            now,
            ids: (0..IDS).map(|_| ids.next(UnixMillis(1))).collect(),
            asked: (0..IDS).map(|_| ids.next(UnixMillis(1))).collect(),
            source: ids,
            topic: Topic::new("topic").ok()?,
            group: Group::new("group").ok()?,
            peers: Vec::new(),
            calls: BTreeSet::new(),
            checks: Vec::new(),
            seen: BTreeSet::new(),
            stopped: false,
        };
        let (topic, group) = (run.topic.clone(), run.group.clone());
        run.session.engine_mut().answer_for(now, &group);
        run.session.engine_mut().attend(now, &topic);
        Some(run)
    }

    fn id(&self, supply: &mut Supply<'_>) -> UniqueId {
        self.ids[usize::from(supply.byte()) % IDS]
    }

    fn step(&mut self, supply: &mut Supply<'_>) {
        match supply.byte() % 12 {
            0..=3 => self.check(supply),
            4..=6 => self.push_reply(supply),
            7 => self.answer(supply),
            8 => self.begin(supply),
            9 => self.resolve(supply),
            10 => self.request(supply),
            _ => self.pass(Duration::from_millis(u64::from(supply.short()))),
        }
    }

    /// Some properties, as brokers write them.
    fn properties(&self, supply: &mut Supply<'_>) -> String {
        let mut text = String::new();
        for name in ["PGROUP", "UNIQ_KEY", "CORRELATION_ID", "TRANSACTION_CHECK_TIMES", "TTL"] {
            let value = match (supply.byte() % 8, name) {
                (0, _) => continue,
                (1, _) => supply.text().into_owned(),
                (_, "PGROUP") => self.group.to_string(),
                (_, "UNIQ_KEY") => self.id(supply).to_string(),
                (_, "CORRELATION_ID") => {
                    self.asked[usize::from(supply.byte()) % self.asked.len()].to_string()
                }
                _ => supply.byte().to_string(),
            };
            text.push_str(&format!("{name}\u{1}{value}\u{2}"));
        }
        text
    }

    fn check(&mut self, supply: &mut Supply<'_>) {
        let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
        let properties = self.properties(supply);
        let topic = if supply.byte() & 7 == 0 { supply.text() } else { "topic".into() };
        let record = StoredRecord {
            topic: &topic,
            queue_id: 0,
            flag: 0,
            queue_offset: i64::from(supply.byte()),
            commit_log_offset: i64::from(supply.byte()),
            sys_flag: supply.int() & 0x7FF,
            born_timestamp: UnixMillis(1),
            born_host: host,
            store_timestamp: UnixMillis(2),
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: supply.chunk(),
            properties: properties.as_bytes(),
        };
        let mut body = Vec::new();
        record.encode_into(&mut body);
        if supply.byte() & 7 == 0 && !body.is_empty() {
            let at = usize::from(supply.short()) % body.len();
            body[at] = supply.byte();
        }
        let text = |supply: &mut Supply<'_>| {
            Some(supply.text().into()).filter(|t: &Arc<str>| !t.is_empty())
        };
        let check = CheckTransactionRequest {
            queue_offset: i64::from(supply.byte()),
            commit_log_offset: supply.long(),
            message_id: text(supply),
            transaction_id: text(supply),
            broker: Some("b-0".into()),
            ..CheckTransactionRequest::default()
        };
        self.ask(Request::CheckTransaction(check), body, supply.byte() & 1 == 0);
    }

    fn push_reply(&mut self, supply: &mut Supply<'_>) {
        let push = PushReplyRequest {
            born_timestamp: supply.long(),
            born_host: supply.text().into(),
            sys_flag: supply.int() & 0x7FF,
            flag: supply.int(),
            properties: Some(self.properties(supply).into()),
            ..PushReplyRequest::default()
        };
        self.ask(Request::PushReply(push), supply.chunk().to_vec(), supply.byte() & 1 == 0);
    }

    /// The broker asks, by the last connection.
    fn ask(&mut self, request: Request, body: Vec<u8>, oneway: bool) {
        let Some((conn, _)) = self.peers.last() else { return };
        let (conn, opaque) = (*conn, Opaque::from_raw(7));
        let (request, body) = (Box::new(request), Bytes::from(body));
        let frame = OutFrame { opaque, payload: Payload::Request { request, body, oneway } };
        let mut outbound = Outbound::new();
        if outbound.push(&frame).is_ok() {
            self.session.receive(self.now, conn, &streams::written(&outbound));
        }
    }

    fn resolution(supply: &mut Supply<'_>) -> Resolution {
        match supply.byte() % 3 {
            0 => Resolution::Commit,
            1 => Resolution::RollBack,
            _ => Resolution::Unknown,
        }
    }

    fn answer(&mut self, supply: &mut Supply<'_>) {
        if !self.checks.is_empty() {
            let check = self.checks.remove(usize::from(supply.byte()) % self.checks.len());
            let said = Self::resolution(supply);
            self.session.engine_mut().answer_check(self.now, check, said);
        }
    }

    fn begin(&mut self, supply: &mut Supply<'_>) {
        let (id, limits) = (self.id(supply), MessageLimits::default());
        let message = Message::new(self.topic.clone(), "x");
        let Ok(publish) = Publish::half(message, &self.group, id, UnixMillis(1), &limits) else {
            return;
        };
        let (options, half) = (SendOptions::default(), HalfOptions::default());
        let begun = self.session.engine_mut().begin_half(self.now, publish.into(), options, half);
        self.calls.extend(begun);
    }

    fn resolve(&mut self, supply: &mut Supply<'_>) {
        let (id, said) = (self.id(supply), Self::resolution(supply));
        match supply.byte() % 4 {
            0 => _ = self.session.engine_mut().leave_half(self.now, id),
            1 => self.session.engine_mut().give_up_half(self.now, id),
            _ => self.calls.extend(self.session.engine_mut().resolve(self.now, id, said)),
        }
    }

    fn request(&mut self, supply: &mut Supply<'_>) {
        let (id, limits) = (self.source.next(UnixMillis(1)), MessageLimits::default());
        let within = Duration::from_millis(u64::from(supply.short()));
        let message = Message::new(self.topic.clone(), "x").asking(id.as_str(), "client", within);
        let publish = Publish::new(message, &self.group, id, UnixMillis(1), &limits);
        let (Ok(publish), options) = (publish, SendOptions::default().timeout(within)) else {
            return;
        };
        self.asked.remove(0);
        self.asked.push(id);
        let (engine, correlation) = (self.session.engine_mut(), Arc::from(id.as_str()));
        self.calls.extend(engine.request(self.now, publish.into(), correlation, options));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.session.engine().next_timeout().is_some_and(|at| at <= self.now) {
            self.session.timeout(self.now);
            self.settle_down();
        }
    }

    /// Does what the engine wants done, and answers what it asks.
    fn settle_down(&mut self) {
        for _ in 0..8 {
            self.drain();
            for at in 0..self.peers.len() {
                let conn = self.peers[at].0;
                let bytes = self.session.transmit(conn, 1 << 20);
                streams::fill(&mut self.peers[at].1, &bytes);
                let mut answers = Outbound::new();
                while let Ok(Some(frame)) = self.peers[at].1.next_frame() {
                    if let Content::Request { code, oneway: false, .. } = frame.content {
                        let _ = answers.push(&answer(frame.opaque, code));
                    }
                }
                self.session.receive(self.now, conn, &streams::written(&answers));
            }
        }
        self.drain();
        self.session.engine().check();
    }

    fn drain(&mut self) {
        while let Some(command) = self.session.engine_mut().poll_command() {
            match command {
                Command::Connect { conn, .. } => {
                    self.peers.push((conn, Inbound::new(Limits::default())));
                    self.session.connected(self.now, conn);
                }
                Command::Close { conn, .. } => {
                    self.peers.retain(|(known, _)| *known != conn);
                    self.session.closed(self.now, conn, CloseReason::Ended);
                }
                Command::Compute { job } => self.session.computed(self.now, job.run()),
                _ => {}
            }
        }
        while let Some(event) = self.session.engine_mut().poll_event() {
            match event {
                Event::Sent { op, .. } | Event::TransactionEnded { op, .. } => self.ended(op),
                Event::Replied { op, result } => {
                    self.ended(op);
                    if let Ok(reply) = result.map(|reply| reply.open())
                        && let Ok(reply) = reply
                    {
                        assert_eq!(reply.correlation_id().len(), 32, "{reply:?}");
                    }
                }
                Event::Check { check, half, .. } => {
                    assert!(self.seen.insert(check), "{check:?} was given out twice");
                    let (name, times) = (half.transaction_id().len(), half.checks());
                    let _ = (name, times, half.body(), half.message().topic());
                    self.checks.push(check);
                }
                Event::Stopped => self.stopped = true,
                _ => {}
            }
        }
    }

    fn ended(&mut self, op: OpId) {
        assert!(self.calls.remove(&op), "{op:?} ended twice");
    }

    fn end(&mut self) {
        self.session.engine_mut().shutdown(self.now);
        for _ in 0..200 {
            self.settle_down();
            if self.stopped {
                break;
            }
            self.pass(Duration::from_millis(200));
        }
        assert!(self.stopped, "a shutdown without end");
        assert_eq!(self.calls.len(), 0, "calls that never ended");
    }
}

/// What nameserver and broker answer: that all is well.
fn answer(opaque: Opaque, code: RequestCode) -> OutFrame {
    let (fields, body) = match code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC => (ReplyFields::None, route().into()),
        RequestCode::SEND_MESSAGE_V2 => {
            let place = "7F00000100002A9F0000000000003039".to_owned();
            let fields =
                [("msgId", place), ("queueId", 0.to_string()), ("queueOffset", 7.to_string())];
            (streams::pairs(fields), Bytes::new())
        }
        _ => (ReplyFields::None, Bytes::new()),
    };
    OutFrame::reply(opaque, ResponseCode::SUCCESS, fields, body)
}

fn route() -> Vec<u8> {
    let name: Arc<str> = "b-0".into();
    let queues = QueueData {
        broker_name: name.clone(),
        read_queues: 1,
        write_queues: 1,
        perm: 6,
        topic_sys_flag: 0,
    };
    let broker = BrokerData {
        cluster: "c".into(),
        broker_name: name,
        addresses: [(0, "host:10911".to_owned())].into(),
    };
    let (queues, brokers) = (vec![queues], vec![broker]);
    RouteBody { queues, brokers, order_conf: None, refused: Vec::new() }.to_json()
}
