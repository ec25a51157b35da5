//! What hostile peers answer, one script for each attack; where it does not lie, it answers as an
//! honest cluster of one broker would.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::frame::reply::{OffsetReply, PullReply, SendReply};
use rocketry_core::frame::{
    Kind, Opaque, OutFrame, ReplyFields, Request, RequestCode, ResponseCode,
};
use rocketry_core::message::{Message, MessageLimits, Publish, StoredRecord, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;

use super::foe::{Asked, Deed, Script};
use super::{MIB, TOPIC};

/// Queues of the topic.
const QUEUES: u32 = 4;
/// The pause of a broker that answers pulls, so that what is measured is the client's memory and
/// not how fast two processes copy.
const PACE: Duration = Duration::from_millis(150);

fn one(frame: OutFrame) -> Deed {
    Deed::Frames(vec![frame])
}

fn nothing() -> Deed {
    Deed::Frames(Vec::new())
}

fn route(at: SocketAddr, more_queues: &str, more_brokers: &str) -> Bytes {
    let json = format!(
        "{{\"brokerDatas\":[{{\"brokerAddrs\":{{\"0\":\"{at}\"}},\"brokerName\":\"b-0\",\
         \"cluster\":\"c\"}}{more_brokers}],\"filterServerTable\":{{}},\"queueDatas\":[\
         {{\"brokerName\":\"b-0\",\"perm\":6,\"readQueueNums\":{QUEUES},\"topicSysFlag\":0,\
         \"writeQueueNums\":{QUEUES}}}{more_queues}]}}"
    );
    json.into()
}

fn asks_for_retries(asked: &Asked<'_>) -> bool {
    matches!(asked.request, Some(Request::Route(route)) if route.topic.starts_with("%RETRY%"))
}

/// What an honest peer says. Pulls are held for ever.
fn honest(asked: &Asked<'_>) -> Deed {
    let fields = match asked.code {
        // One topic alone: what is measured is what it costs, and no retry topic's beside it.
        RequestCode::GET_ROUTEINFO_BY_TOPIC if asks_for_retries(asked) => {
            return one(asked.answer(ResponseCode::TOPIC_NOT_EXIST, ReplyFields::None));
        }
        RequestCode::GET_ROUTEINFO_BY_TOPIC => {
            let body = route(asked.at, "", "");
            return one(asked.answer_with(ResponseCode::SUCCESS, ReplyFields::None, body));
        }
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => {
            let body = format!("{{\"consumerIdList\":[\"{}\"]}}", asked.client_id);
            let (code, fields) = (ResponseCode::SUCCESS, ReplyFields::None);
            return one(asked.answer_with(code, fields, body.into()));
        }
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => return nothing(),
        RequestCode::QUERY_CONSUMER_OFFSET
        | RequestCode::GET_MIN_OFFSET
        | RequestCode::GET_MAX_OFFSET => ReplyFields::Offset(OffsetReply { offset: 0 }),
        RequestCode::SEND_MESSAGE | RequestCode::SEND_MESSAGE_V2 => ReplyFields::Send(SendReply {
            msg_id: "7F00000100002A9F0000000000003039".into(),
            queue_offset: asked.before as i64,
            ..SendReply::default()
        }),
        _ => ReplyFields::None,
    };
    one(asked.answer(ResponseCode::SUCCESS, fields))
}

/// The queue and the offset that a pull asks for.
fn pulled(asked: &Asked<'_>) -> Option<(i32, i64)> {
    match asked.request {
        Some(Request::Pull(pull)) => Some((pull.queue_id, pull.queue_offset)),
        _ => None,
    }
}

/// Honest but for pulls.
fn pulls(lie: impl Fn(&Asked<'_>, i32, i64) -> Deed + Send + Sync + 'static) -> Box<Script> {
    Box::new(move |asked| match pulled(asked) {
        Some((queue, offset)) => lie(asked, queue, offset),
        None => honest(asked),
    })
}

fn found(next: i64) -> ReplyFields {
    ReplyFields::Pull(PullReply {
        next_begin_offset: next,
        max_offset: next + 1_000_000,
        ..PullReply::default()
    })
}

fn record(queue_id: i32, queue_offset: i64, body: &[u8], sys_flag: i32) -> Bytes {
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    let mut bytes = Vec::new();
    StoredRecord {
        topic: TOPIC,
        queue_id,
        flag: 0,
        queue_offset,
        commit_log_offset: queue_offset,
        sys_flag,
        born_timestamp: UnixMillis(1),
        born_host: host,
        store_timestamp: UnixMillis(1),
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties: b"",
    }
    .encode_into(&mut bytes);
    bytes.into()
}

/// Bodies of four bytes, each behind 48 KiB of frames that belong to nobody.
pub(super) fn pinned() -> Box<Script> {
    pulls(|asked, queue, offset| {
        let noise = |at| {
            let opaque = Opaque::new(Kind::Plain, at);
            OutFrame::reply(opaque, ResponseCode::SUCCESS, ReplyFields::None, Bytes::new())
        };
        let mut frames: Vec<OutFrame> = (0..400).map(noise).collect();
        let body = record(queue, offset, b"four", 0);
        frames.push(asked.answer_with(ResponseCode::SUCCESS, found(offset + 1), body));
        Deed::Frames(frames)
    })
}

/// One message that fills a frame of 32 MiB.
pub(super) fn large() -> Box<Script> {
    let body = vec![7; 32 * MIB - 4096];
    pulls(move |asked, queue, offset| {
        thread::sleep(PACE);
        let body = record(queue, offset, &body, 0);
        one(asked.answer_with(ResponseCode::SUCCESS, found(offset + 1), body))
    })
}

/// One message of 32 KiB that opens to 32 MiB.
pub(super) fn opened() -> Box<Script> {
    const COMPRESSED: i32 = 1;
    let body = compressed(vec![7; 32 * MIB]);
    pulls(move |asked, queue, offset| {
        thread::sleep(PACE);
        let body = record(queue, offset, &body, COMPRESSED);
        one(asked.answer_with(ResponseCode::SUCCESS, found(offset + 1), body))
    })
}

/// A body as a producer compresses it; empty if it can't be made, which no siege takes for sound.
fn compressed(body: Vec<u8>) -> Bytes {
    let (Ok(topic), Ok(group)) = (Topic::new(TOPIC), Group::new(TOPIC)) else {
        return Bytes::new();
    };
    let mut limits = MessageLimits::default();
    limits.body = body.len();
    let id = UniqueIds::new([127, 0, 0, 1], 1, 1).next(UnixMillis(1));
    let publish = Publish::new(Message::new(topic, body), &group, id, UnixMillis(1), &limits);
    publish.map(|publish| publish.body().clone()).unwrap_or_default()
}

/// A frame of 32 MiB that holds nothing but records too short to be read.
pub(super) fn crumbs() -> Box<Script> {
    let crumb = [&28_u32.to_be_bytes()[..], &[0; 24]].concat();
    let body = Bytes::from(crumb.repeat((32 * MIB - 4096) / crumb.len()));
    pulls(move |asked, queue, offset| {
        // From one queue: the window of each is a setting of the client's.
        if queue > 0 {
            return nothing();
        }
        thread::sleep(PACE);
        one(asked.answer_with(ResponseCode::SUCCESS, found(offset + 1), body.clone()))
    })
}

/// A route that names 60,000 brokers besides the one that is there.
pub(super) fn brokers() -> Box<Script> {
    let (mut queues, mut brokers) = (String::new(), String::new());
    for number in 0..60_000 {
        let (high, low) = (number >> 8, number & 255);
        brokers += &format!(
            ",{{\"brokerAddrs\":{{0:\"127.1.{high}.{low}:9\"}},\"brokerName\":\"far-{number}\",\
             \"cluster\":\"c\"}}"
        );
        queues += &format!(
            ",{{\"brokerName\":\"far-{number}\",\"perm\":6,\"readQueueNums\":1,\
             \"topicSysFlag\":0,\"writeQueueNums\":1}}"
        );
    }
    Box::new(move |asked| match asked.code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC => {
            let body = route(asked.at, &queues, &brokers);
            one(asked.answer_with(ResponseCode::SUCCESS, ReplyFields::None, body))
        }
        _ => honest(asked),
    })
}

/// A group of a million members.
pub(super) fn members() -> Box<Script> {
    let others: String = (0..1_000_000).map(|number| format!(",\"{number:011}\"")).collect();
    Box::new(move |asked| match asked.code {
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => {
            let body = format!("{{\"consumerIdList\":[\"{}\"{others}]}}", asked.client_id);
            one(asked.answer_with(ResponseCode::SUCCESS, ReplyFields::None, body.into()))
        }
        _ => honest(asked),
    })
}

/// A broker that says to every request that it goes, and stays.
pub(super) fn go_away() -> Box<Script> {
    Box::new(|asked| match asked.code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC => honest(asked),
        _ => one(asked.answer(ResponseCode::GO_AWAY, ReplyFields::None)),
    })
}

/// Every pull is sent to one of two offsets, neither of which is right.
pub(super) fn ping_pong() -> Box<Script> {
    pulls(|asked, _, offset| {
        let fields = found(if offset == 10 { 20 } else { 10 });
        one(asked.answer(ResponseCode::PULL_OFFSET_MOVED, fields))
    })
}

/// No pull is held: there is nothing, at once.
pub(super) fn unheld() -> Box<Script> {
    pulls(|asked, _, offset| one(asked.answer(ResponseCode::PULL_NOT_FOUND, found(offset))))
}

/// A route with rows that can't be true beside one that is.
pub(super) fn rows() -> Box<Script> {
    let row = |name: &str, perm: i64, queues: i64| {
        format!(
            ",{{\"brokerName\":\"{name}\",\"perm\":{perm},\"readQueueNums\":{queues},\
             \"topicSysFlag\":0,\"writeQueueNums\":{queues}}}"
        )
    };
    let queues = [row("far-1", 6, (1 << 31) - 1), row("far-2", -1, 4)].concat();
    Box::new(move |asked| match asked.code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC => {
            let body = route(asked.at, &queues, "");
            one(asked.answer_with(ResponseCode::SUCCESS, ReplyFields::None, body))
        }
        _ => honest(asked),
    })
}

/// Everything is true and comes a byte at a time.
pub(super) fn trickled() -> Box<Script> {
    Box::new(|asked| match honest(asked) {
        Deed::Frames(mut frames) => match frames.pop() {
            Some(frame) => Deed::Trickle(frame, Duration::from_micros(500)),
            None => nothing(),
        },
        trickle @ Deed::Trickle(..) => trickle,
    })
}

/// A broker's port, given as a nameserver: it knows no question for a route.
pub(super) fn no_nameserver() -> Box<Script> {
    Box::new(|asked| match asked.code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC => {
            let code = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
            one(asked.answer(code, ReplyFields::None))
        }
        _ => honest(asked),
    })
}
