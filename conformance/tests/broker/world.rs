//! A cluster, its clock and its raw peers; the requests that tests send.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_conformance::broker::{ClusterConfig, ConnId, ListenerId, Session};
use rocketry_core::frame::reply::{OffsetReply, PullReply, SendReply};
use rocketry_core::frame::request::{
    HeartbeatRequest, PullRequest, QueryOffsetRequest, SendRequest,
};
use rocketry_core::frame::{
    Content, Frame, Inbound, Kind, Limits, Opaque, OutFrame, Outbound, Payload, Reply, ReplyFields,
    Request, ResponseCode,
};
use rocketry_core::message::{RecordList, java_string_hash};
use rocketry_core::time::{Instant, UnixMillis};

pub(crate) const BROKER: ListenerId = ListenerId::Broker(0);
pub(crate) const TOPIC: &str = "topic_a";
pub(crate) const GROUP: &str = "group_a";

/// A cluster, the clock, and the peers' reading halves.
pub(crate) struct World {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    pub(crate) sequence: u32,
}

pub(crate) struct Client {
    pub(crate) conn: ConnId,
    pub(crate) inbound: Inbound,
}

impl World {
    pub(crate) fn new(config: ClusterConfig) -> Self {
        let now = Instant::from_nanos(5_000_000_000);
        let unix = UnixMillis(1_700_000_000_000);
        Self { session: Session::new(config, 7, now, unix), now, sequence: 0 }
    }

    pub(crate) fn one_topic(queues: u32) -> Self {
        Self::new(ClusterConfig::default().topic(TOPIC, queues))
    }

    pub(crate) fn connect(&mut self, listener: ListenerId) -> Client {
        let conn = self.session.connect(self.now, listener);
        Client { conn, inbound: Inbound::new(Limits::default()) }
    }

    pub(crate) fn send_frame(&mut self, client: &Client, frame: &OutFrame) {
        let mut out = Outbound::new();
        out.push(frame).unwrap();
        let mut bytes = Vec::new();
        while !out.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            let count = out.slices(&mut slices);
            slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
            let taken = slices[..count].iter().map(|slice| slice.len()).sum();
            out.advance(taken);
        }
        for part in bytes.chunks(11) {
            self.session.bytes_in(self.now, client.conn, part).unwrap();
        }
    }

    pub(crate) fn send_as(
        &mut self,
        client: &Client,
        kind: Kind,
        request: Request,
        body: Bytes,
        oneway: bool,
    ) -> Opaque {
        self.sequence += 1;
        let opaque = Opaque::new(kind, self.sequence);
        let frame = OutFrame {
            opaque,
            payload: Payload::Request { request: Box::new(request), body, oneway },
        };
        self.send_frame(client, &frame);
        opaque
    }

    pub(crate) fn received(&mut self, client: &mut Client) -> Vec<Frame> {
        let mut bytes = Vec::new();
        while self.session.bytes_out(client.conn, &mut bytes, 1000) > 0 {}
        let mut rest = &bytes[..];
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let space = client.inbound.space();
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            client.inbound.filled(count);
            rest = &rest[count..];
            while let Some(frame) = client.inbound.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    /// One request, and the reply that must come at once.
    pub(crate) fn ask(
        &mut self,
        client: &mut Client,
        kind: Kind,
        request: Request,
        body: &str,
    ) -> (Reply, Bytes) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let opaque = self.send_as(client, kind, request, body, false);
        let mut frames = self.received(client);
        let at = frames.iter().position(|frame| frame.opaque == opaque && is_reply(frame));
        let frame = frames.swap_remove(at.expect("a reply at once"));
        reply_of(frame)
    }

    pub(crate) fn publish(
        &mut self,
        client: &mut Client,
        request: SendRequest,
        body: &str,
    ) -> (ResponseCode, Option<SendReply>) {
        let (reply, _) = self.ask(client, Kind::Send, Request::Send(request), body);
        match reply.fields.unwrap() {
            ReplyFields::Send(sent) => (reply.code, Some(sent)),
            _ => (reply.code, None),
        }
    }

    pub(crate) fn pull(&mut self, client: &mut Client, request: PullRequest) -> Pulled {
        let (reply, body) = self.ask(client, Kind::Pull, Request::Pull(request), "");
        pulled(reply, body)
    }

    pub(crate) fn beat(
        &mut self,
        client: &mut Client,
        id: &str,
        expression: &str,
        version: i64,
    ) -> ResponseCode {
        let body = heartbeat(id, TOPIC, expression, version);
        let request = Request::Heartbeat(HeartbeatRequest::default());
        self.ask(client, Kind::Heartbeat, request, &body).0.code
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.session.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.session.timeout(self.now);
        }
        self.now = end;
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Pulled {
    pub(crate) code: ResponseCode,
    pub(crate) next: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) bodies: Vec<String>,
}

pub(crate) fn is_reply(frame: &Frame) -> bool {
    matches!(frame.content, Content::Reply(_))
}

pub(crate) fn reply_of(frame: Frame) -> (Reply, Bytes) {
    match frame.content {
        Content::Reply(reply) => (reply, frame.body),
        Content::Request { code, .. } => panic!("{code} is not a reply"),
    }
}

pub(crate) fn pulled(reply: Reply, body: Bytes) -> Pulled {
    let (mut next, mut min, mut max) = (-1, -1, -1);
    if let ReplyFields::Pull(PullReply { next_begin_offset, min_offset, max_offset, .. }) =
        reply.fields.unwrap()
    {
        (next, min, max) = (next_begin_offset, min_offset, max_offset);
    }
    let bodies = RecordList::cut(body)
        .items()
        .map(|item| String::from_utf8(item.record().unwrap().body().unwrap().to_vec()).unwrap())
        .collect();
    Pulled { code: reply.code, next, min, max, bodies }
}

/// The groups that a client's notices name.
pub(crate) fn notices(frames: &[Frame]) -> Vec<String> {
    let group = |frame: &Frame| match &frame.content {
        Content::Request { request: Ok(Request::NotifyIds(notice)), oneway: true, .. } => {
            Some(notice.consumer_group.to_string())
        }
        _ => None,
    };
    frames.iter().filter_map(group).collect()
}

pub(crate) fn heartbeat(id: &str, topic: &str, expression: &str, version: i64) -> String {
    let tags: Vec<&str> = expression.split("||").map(str::trim).filter(|t| *t != "*").collect();
    let names: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
    let codes: Vec<String> = tags.iter().map(|tag| java_string_hash(tag).to_string()).collect();
    let subscription = format!(
        r#"{{"classFilterMode":false,"codeSet":[{}],"expressionType":"TAG",
        "subString":"{expression}","subVersion":{version},"tagsSet":[{}],"topic":"{topic}"}}"#,
        codes.join(","),
        names.join(",")
    );
    format!(
        r#"{{"clientID":"{id}","consumerDataSet":[{{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET",
        "consumeType":"CONSUME_PASSIVELY","groupName":"{GROUP}","messageModel":"CLUSTERING",
        "subscriptionDataSet":[{subscription}],"unitMode":false}}],"heartbeatFingerprint":0,
        "producerDataSet":[{{"groupName":"producers"}}],"withoutSub":false}}"#
    )
}

pub(crate) fn message(topic: &str, queue: i32) -> SendRequest {
    SendRequest {
        producer_group: Arc::from("producers"),
        topic: Arc::from(topic),
        default_topic: Arc::from("TBW102"),
        default_topic_queues: 4,
        queue_id: queue,
        sys_flag: 0,
        born_timestamp: 1_699_999_999_999,
        flag: 3,
        properties: None,
        reconsume_times: None,
        unit_mode: None,
        max_reconsume_times: None,
        batch: None,
        broker: None,
        ..Default::default()
    }
}

pub(crate) fn tagged(tag: &str) -> SendRequest {
    let properties = format!("KEYS\u{1}k\u{2}WAIT\u{1}true\u{2}TAGS\u{1}{tag}\u{2}");
    SendRequest { properties: Some(Arc::from(properties)), ..message(TOPIC, 0) }
}

/// A pull of `TOPIC`'s queue 0 with its own subscription.
pub(crate) fn pull_from(offset: i64) -> PullRequest {
    PullRequest {
        consumer_group: Arc::from(GROUP),
        topic: Arc::from(TOPIC),
        queue_id: 0,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: 4,
        commit_offset: 0,
        suspend_timeout_millis: 15_000,
        subscription: Some(Arc::from("*")),
        sub_version: 0,
        expression_type: None,
        broker: None,
        ..Default::default()
    }
}

pub(crate) fn by_heartbeat(offset: i64, sub_version: i64) -> PullRequest {
    PullRequest { sys_flag: 0, subscription: None, sub_version, ..pull_from(offset) }
}

pub(crate) fn waiting(pull: PullRequest) -> PullRequest {
    PullRequest { sys_flag: pull.sys_flag | 2, ..pull }
}

pub(crate) fn query_offset(queue_id: i32) -> Request {
    Request::QueryOffset(QueryOffsetRequest {
        consumer_group: Arc::from(GROUP),
        topic: Arc::from(TOPIC),
        queue_id,
        broker: None,
        ..Default::default()
    })
}

pub(crate) fn offset_of(reply: &Reply) -> Option<i64> {
    match reply.fields {
        Ok(ReplyFields::Offset(OffsetReply { offset })) => Some(offset),
        _ => None,
    }
}
