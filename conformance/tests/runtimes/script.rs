//! One script: calls of every kind, one in flight at a time, with faults between them; and what is
//! compared of its run.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rocketry::{
    Config, Message, QueryError, QueueName, SendError, SendOptions, SendReceipt, Topic,
};
use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, Received, Requests};
use rocketry_core::error::PeerKind;
use rocketry_core::frame::request::{CreateTopicRequest, PlainRequest};
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::name::Endpoint;
use rocketry_core::query::{Call, Response, Target};

pub(crate) const TOPIC: &str = "alike";
pub(crate) const GROUP: &str = "producers";
/// The topic of messages that go to a queue drawn by the client: they move no offset of the others.
const DRAWN: &str = "drawn";

/// Where a message is to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    /// Round robin, whose beginning is drawn.
    Turn,
    /// The queue of a key.
    Key(&'static str),
    /// A queue of a broker.
    Queue(usize, u32),
}

/// One line of the script. The next one begins when it has ended.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(&'static str, To),
    /// A send that may take only so long.
    Hurry(To, Duration),
    Oneway,
    Batch(usize, To),
    /// What befalls the next request there.
    Fault(ListenerId, Requests, Fault),
    Queues(&'static str),
    MinOffset(usize, u32),
    MaxOffset(usize, u32),
    /// A request to the nameserver, or to a broker by its address.
    Call(Option<usize>, Request),
    Pause(Duration),
}

/// What is compared: how each call ended, and the requests that each server saw, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) outcomes: Vec<String>,
    pub(crate) requests: BTreeMap<String, Vec<String>>,
}

pub(crate) fn cluster() -> ClusterConfig {
    ClusterConfig::default().brokers(2).topic(TOPIC, 4).topic(DRAWN, 4)
}

/// Nothing of its own accord while a script runs.
pub(crate) fn config(namesrv: &str) -> Config {
    let mut config = Config::new(namesrv).expect("settings that work");
    let hour = Duration::from_secs(3600);
    (config.route_refresh_interval, config.heartbeat_interval) = (hour, hour);
    config.send_timeout = Duration::from_secs(20);
    config.request_timeout = Duration::from_secs(20);
    config.connect_timeout = Duration::from_secs(20);
    config
}

pub(crate) fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic")
}

pub(crate) fn queue(broker: usize, queue: u32) -> QueueName {
    let name = if broker == 0 { "broker-a" } else { "broker-b" };
    QueueName { topic: topic(TOPIC), broker: name.into(), queue }
}

impl To {
    pub(crate) fn options(self) -> SendOptions {
        match self {
            Self::Turn => SendOptions::default(),
            Self::Key(key) => SendOptions::hash(key),
            Self::Queue(broker, number) => SendOptions::to(&queue(broker, number)),
        }
    }

    pub(crate) fn message(self, body: &str) -> Message {
        let topic = topic(match self {
            Self::Turn => DRAWN,
            Self::Key(_) | Self::Queue(..) => TOPIC,
        });
        Message::new(topic, body.to_owned()).tag("t").key("k")
    }
}

pub(crate) fn target(broker: Option<&str>) -> Target {
    match broker.map(|address| Endpoint::parse(address).expect("an address")) {
        Some(endpoint) => Target::Peer(PeerKind::Broker, endpoint),
        None => Target::NameServer,
    }
}

pub(crate) fn call(broker: Option<&str>, request: Request) -> Call {
    Call { target: target(broker), request, body: Bytes::new() }
}

pub(crate) fn script() -> Vec<Step> {
    let ms = Duration::from_millis;
    let (ns, a, b) = (ListenerId::Nameserver, ListenerId::Broker(0), ListenerId::Broker(1));
    let sends = Requests::Sends;
    let refuse = |at, code| Step::Fault(at, sends, Fault::Refuse(code));
    let on_a = To::Queue(0, 1);
    // A lost connection has routes looked up again, unless that was a moment ago.
    let rest = Step::Pause(ms(1100));
    let mut script = vec![
        // A route that is refused once.
        Step::Fault(ns, Requests::Any, Fault::Refuse(ResponseCode::SYSTEM_ERROR)),
        Step::Send("first", on_a),
        Step::Send("second", To::Queue(1, 3)),
        Step::Send("keyed", To::Key("order-1")),
        Step::Send("keyed", To::Key("order-2")),
        Step::Send("turn", To::Turn),
        Step::Oneway,
        Step::Pause(ms(300)),
        Step::Batch(3, To::Queue(1, 0)),
        Step::Batch(2, To::Turn),
    ];
    for code in [
        ResponseCode::FLUSH_DISK_TIMEOUT,
        ResponseCode::FLUSH_SLAVE_TIMEOUT,
        ResponseCode::SLAVE_NOT_AVAILABLE,
        ResponseCode::SYSTEM_ERROR,
        ResponseCode::SYSTEM_BUSY,
        ResponseCode::SERVICE_NOT_AVAILABLE,
        ResponseCode::MESSAGE_ILLEGAL,
        ResponseCode::NO_PERMISSION,
    ] {
        script.extend([refuse(a, code), Step::Send("refused", on_a)]);
    }
    for fault in [
        Fault::AnswerAndClose,
        Fault::Close,
        Fault::LoseAndClose,
        Fault::Refuse(ResponseCode::GO_AWAY),
    ] {
        script.extend([rest.clone(), Step::Fault(a, sends, fault), Step::Send("cut", on_a)]);
        script.extend([Step::Pause(ms(600)), Step::Send("again", on_a)]);
    }
    let (long, short) = (ms(20_000), ms(1500));
    for (fault, within) in [
        (Fault::Twice(ms(50)), long),
        (Fault::Late(ms(200)), long),
        (Fault::Lose, short),
        (Fault::Mute, short),
    ] {
        script.extend([Step::Fault(b, sends, fault), Step::Hurry(To::Queue(1, 2), within)]);
    }
    let code = RequestCode::GET_MAX_OFFSET;
    script.extend([
        Step::Queues(TOPIC),
        Step::Queues("nowhere"),
        Step::MinOffset(0, 1),
        Step::MaxOffset(0, 1),
        Step::Fault(b, Requests::Of(code), Fault::Refuse(ResponseCode::SYSTEM_ERROR)),
        Step::MaxOffset(1, 3),
        Step::Call(None, Request::TopicList(PlainRequest::default())),
        Step::Call(None, Request::ClusterInfo(PlainRequest::default())),
        Step::Call(Some(1), create()),
        Step::Call(Some(0), Request::Unknown { code: RequestCode(4711), fields: Vec::new() }),
        Step::Send("last", on_a),
        Step::Send("last", To::Queue(1, 3)),
    ]);
    script
}

fn create() -> Request {
    Request::CreateTopic(CreateTopicRequest {
        topic: "made".into(),
        default_topic: "TBW102".into(),
        read_queues: 2,
        write_queues: 2,
        perm: 6,
        filter_type: "SINGLE_TAG".into(),
        ..Default::default()
    })
}

impl Trace {
    pub(crate) fn sent(&mut self, to: To, result: &Result<SendReceipt, SendError>) {
        let outcome = match (to, result) {
            (To::Turn, Ok(receipt)) => format!("{:?} somewhere", receipt.status),
            (To::Key(_) | To::Queue(..), Ok(receipt)) => {
                let SendReceipt { status, broker, queue, offset, batch, .. } = receipt;
                let count = batch.as_ref().map(|batch| batch.len());
                format!("{status:?} {broker} queue {queue} at {offset} batch {count:?}")
            }
            (_, Err(error)) => format!("{:?} {error}", error.stored()),
        };
        self.outcomes.push(outcome);
    }

    pub(crate) fn answered<T: std::fmt::Debug>(&mut self, result: &Result<T, QueryError>) {
        self.outcomes.push(match result {
            Ok(answer) => format!("{answer:?}"),
            Err(error) => error.to_string(),
        });
    }

    pub(crate) fn responded(&mut self, result: &Result<Response, QueryError>) {
        let told = result.as_ref().map(|response| {
            let Response { endpoint, peer, code, remark, .. } = response;
            format!("{peer:?} {endpoint} {code} {remark:?}")
        });
        self.answered(&told.map_err(Clone::clone));
    }

    /// What the servers saw.
    pub(crate) fn seen(&mut self, requests: &[Received]) {
        for received in requests {
            let (lane, line) = described(received);
            self.requests.entry(lane).or_default().push(line);
        }
    }

    /// Calls addresses by what is there, and drops times: both differ from run to run.
    pub(crate) fn plain(mut self, addresses: &[(String, &str)]) -> Self {
        for outcome in &mut self.outcomes {
            for (address, name) in addresses {
                *outcome = outcome.replace(address, name);
            }
            // Each client gives its messages ids of its own.
            if let Some((said, rest)) = outcome.split_once(", as ") {
                let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
                *outcome = format!("{said}, as ID){rest}");
            }
            let mut parts = outcome.split(" within ");
            let mut plain = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
                plain.push_str(" within ");
                plain.push_str(rest.trim_start_matches(['m', 'µ', 's']));
            }
            *outcome = plain;
        }
        self
    }
}

/// Whose request it was, and its code and key fields.
fn described(received: &Received) -> (String, String) {
    let Received { at, request, body, oneway } = received;
    let code = request.code();
    let fields = match request {
        Request::Send(send) | Request::SendBatch(send) => {
            let drawn = &*send.topic == DRAWN;
            let queue = if drawn { "drawn".to_owned() } else { send.queue_id.to_string() };
            let (topic, batch, flag) = (&send.topic, send.batch, send.sys_flag);
            let line = format!(
                "{code} {topic} queue {queue} batch {batch:?} flag {flag} oneway {oneway} of {}",
                body.len()
            );
            // They may go to either broker.
            let lane = if drawn { DRAWN.to_owned() } else { format!("{at:?}") };
            return (lane, line);
        }
        Request::Route(route) => route.topic.to_string(),
        Request::MinOffset(ask) => format!("{} {}", ask.topic, ask.queue_id),
        Request::MaxOffset(ask) => format!("{} {}", ask.topic, ask.queue_id),
        Request::CreateTopic(create) => format!("{} {}", create.topic, create.read_queues),
        Request::Unregister(gone) => format!("{:?}", gone.producer_group),
        _ => String::new(),
    };
    (format!("{at:?}"), format!("{code} {fields}"))
}
