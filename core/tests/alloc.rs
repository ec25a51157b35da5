//! How much memory the decoders take, counted by the allocator itself.
#![allow(clippy::unwrap_used)]

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use rocketry_core::allocation::{Allocation, Queue, Strategy};
use rocketry_core::body::*;
use rocketry_core::frame::{
    Content, Head, HeaderForm, Inbound, Kind, Limits, Opaque, OutFrame, Outbound, ReplyFields,
    Request, RequestCode, ResponseCode,
};
use rocketry_core::message::{Item, Message, MessageLimits, Publish, RecordList, UniqueId};
use rocketry_core::name::{Group, Topic};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;
use serde_json::Value;

const FRAMES: &str = include_str!("../../conformance/golden/frames.jsonl");
const BODIES: &str = include_str!("../../conformance/golden/bodies.txt");
const PULLS: &str = include_str!("../../conformance/golden/pull_bodies.jsonl");

fn golden(rows: &str, key: &str) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    rows.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| row[key].as_str().unwrap().as_bytes().chunks(2).map(byte).collect())
        .collect()
}

/// No decoder may hold more at once than this, for input of `length` bytes.
fn assert_bounded(what: &str, length: usize, info: &AllocationInfo) {
    let most = 2 * length as u64 + (64 << 10);
    assert!(info.bytes_max <= most, "{what}: {length} bytes took {} of {most}", info.bytes_max);
}

fn frame(form: HeaderForm, header: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + header.len() as u32).to_be_bytes().to_vec();
    bytes.extend((u32::from(form.byte()) << 24 | header.len() as u32).to_be_bytes());
    bytes.extend(header);
    bytes
}

/// Headers that try to become large: many fields, long texts, escapes, bytes that are no text.
fn hostile_headers() -> Vec<(HeaderForm, Vec<u8>)> {
    let opaque = Opaque::new(Kind::Fields, 1).raw();
    let json = |fields: &str, remark: &str, flag: u8| {
        let header = format!(
            "{{\"code\":0,\"flag\":{flag},\"opaque\":{opaque},\"extFields\":{{{fields}}},\
            \"remark\":\"{remark}\"}}"
        );
        (HeaderForm::Json, header.into_bytes())
    };
    let many = |value: &str| {
        (0..1024).map(|n| format!("\"{n}\":\"{value}\"")).collect::<Vec<_>>().join(",")
    };
    let mut headers = Vec::new();
    for flag in [0, 1] {
        headers.push(json(&many(""), "", flag));
        headers.push(json(&many("\\n"), &"\\u0041".repeat(100_000), flag));
        headers.push(json(&many(&"x".repeat(1000)), "", flag));
        headers.push(json(&format!("\"a\":\"{}\"", "\\n".repeat(500_000)), "", flag));
        headers.push(json("", &"\\t".repeat(500_000), flag));
        headers.push(json(&format!("\"a\":{}1{}", "[".repeat(128), "]".repeat(128)), "", flag));
        headers.push(json(&"\"a\":null,".repeat(100_000), "", flag));
    }
    for length in [8_000, 9_000, 2_000_000] {
        let bad = vec![0xff; length];
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            let fields = vec![("k".into(), "?".repeat(length).into())];
            let request = Request::Unknown { code: RequestCode(4711), fields };
            let large = Limits { header: 4 << 20, ..Limits::default() };
            let mut outbound = Outbound::with_limits(large).in_form(form);
            outbound.push(&OutFrame::request(Opaque::new(Kind::Fields, 1), request)).unwrap();
            let mut slices = [std::io::IoSlice::new(&[]); 1];
            outbound.slices(&mut slices);
            let mut header = slices[0][8..].to_vec();
            let at = header.windows(length).position(|part| part.iter().all(|b| *b == b'?'));
            header[at.unwrap()..][..length].copy_from_slice(&bad);
            headers.push((form, header));
        }
    }
    headers
}

#[test]
fn hostile_headers_take_no_more_than_twice_their_bytes() {
    for (form, header) in hostile_headers() {
        let info = measure(|| {
            if let Ok(head) = Head::read(form, &header, 1024) {
                drop(Content::read(&head));
            }
        });
        assert_bounded("a header", header.len(), &info);
    }
}

#[test]
fn a_read_buffer_takes_no_more_than_twice_what_has_arrived() {
    let mut streams: Vec<_> = hostile_headers().iter().map(|(f, h)| frame(*f, h)).collect();
    // Length words that promise 32 MiB, of which 8 bytes, or a little more, have come.
    streams.push(vec![0x02, 0, 0, 0, 0, 0, 0, 2]);
    streams.push([&[0x02, 0, 0, 0, 0, 0, 0, 2, b'{', b'}'][..], &[7; 200_000]].concat());
    for stream in streams {
        let mut inbound = Inbound::new(Limits::default());
        let (mut held, mut arrived) = (0, 0);
        for piece in stream.chunks(9_999) {
            let info = measure(|| read(&mut inbound, piece));
            held += info.bytes_current;
            arrived += piece.len() as u64;
            assert!(held as u64 <= 2 * arrived + (64 << 10), "{held} for {arrived}");
            // While it moves from one allocation to the next, it has both.
            assert!(info.bytes_max <= 2 * arrived + (64 << 10), "{info:?} for {arrived}");
            held += measure(|| drop(inbound.next_frame())).bytes_current;
        }
    }
}

fn encoded(frame: &OutFrame) -> Vec<u8> {
    let mut outbound = Outbound::new();
    outbound.push(frame).unwrap();
    let mut slices = [std::io::IoSlice::new(&[]); 4];
    let count = outbound.slices(&mut slices);
    slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
}

fn with_body(length: usize) -> Vec<u8> {
    let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
    let opaque = Opaque::new(Kind::Pull, 1);
    encoded(&OutFrame::request_with_body(opaque, request, vec![7; length].into()))
}

#[test]
fn a_kept_body_holds_less_than_twice_its_length_whatever_came_before_it() {
    let empty = with_body(0);
    let between = empty.repeat((48 << 10) / empty.len());
    for (length, count) in [(4, 500), (5_000, 500), (40_000, 100), (300_000, 20), (3 << 20, 3)] {
        let stream = [between.clone(), with_body(length), empty.clone()].concat();
        let mut inbound = Inbound::new(Limits::default());
        let (mut kept, mut counted) = (Vec::with_capacity(count), 0);
        let info = measure(|| {
            for _ in 0..count {
                let mut rest = &stream[..];
                while !rest.is_empty() {
                    let space = inbound.space();
                    let taken = rest.len().min(space.len());
                    space[..taken].copy_from_slice(&rest[..taken]);
                    inbound.filled(taken);
                    rest = &rest[taken..];
                    while let Some(frame) = inbound.next_frame().unwrap() {
                        counted += frame.held;
                        kept.extend((!frame.body.is_empty()).then_some(frame.body));
                    }
                }
            }
        });
        assert!(kept.len() == count && kept.iter().all(|body| body.len() == length));
        // What each allocation costs besides is not counted, nor is the read buffer itself.
        let (held, besides) = (info.bytes_current as usize, 64 * count + (512 << 10));
        assert!(held <= 2 * length * count + besides, "{length}: {held} held");
        assert!(held <= counted + besides, "{length}: {held} held, {counted} counted");
    }
}

#[test]
fn memory_falls_after_a_large_frame() {
    let (large, small) = (with_body(20 << 20), with_body(0));
    let remark = "x".repeat(1 << 20);
    let header = format!("{{\"code\":0,\"flag\":1,\"opaque\":1,\"remark\":\"{remark}\"}}");
    for stream in [large, frame(HeaderForm::Json, header.as_bytes())] {
        let mut inbound = Inbound::new(Limits::default());
        let mut most = 0;
        let info = measure(|| {
            for piece in stream.chunks(16 << 10).chain([&small[..]]) {
                read(&mut inbound, piece);
                most = most.max(inbound.buffered());
                while let Some(frame) = inbound.next_frame().unwrap() {
                    drop(frame);
                }
            }
        });
        assert!(most > 1 << 20);
        assert!(info.bytes_current <= 64 << 10, "{info:?}");
    }
}

/// As a socket read would; `bytes` fit the least space there is.
fn read(inbound: &mut Inbound, bytes: &[u8]) {
    inbound.space()[..bytes.len()].copy_from_slice(bytes);
    inbound.filled(bytes.len());
}

#[test]
fn mutated_frames_take_no_more_than_twice_their_bytes() {
    let mut rng = Rng::new(4);
    for frame in golden(FRAMES, "frame") {
        for _ in 0..50 {
            let mut bytes = frame.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            let mut inbound = Inbound::new(Limits::default());
            read(&mut inbound, &bytes);
            let info = measure(|| drop(inbound.next_frame()));
            assert_bounded("a frame", bytes.len(), &info);
        }
    }
}

#[test]
fn mutated_records_take_no_more_than_twice_their_bytes() {
    let mut rng = Rng::new(5);
    let cut = |body: Bytes| {
        // A first clone makes the count that all of them share; a read buffer has one.
        let shared = body.clone();
        let info = measure(|| drop(RecordList::cut(shared)));
        assert_bounded("records", body.len(), &info);
    };
    for pulled in golden(PULLS, "pulled") {
        for _ in 0..50 {
            let mut bytes = pulled.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            cut(bytes.into());
        }
    }
    // The smallest records there can be, and zeros.
    cut([0, 0, 0, 28].repeat(7).repeat(40_000).into());
    cut(vec![0; 1 << 20].into());
}

/// Standard JSON of golden bodies, each with one of its lists or tables made long.
fn long_bodies() -> Vec<String> {
    const COUNT: usize = 600;
    fn grow(value: &Value, found: &mut dyn FnMut(Value)) {
        let empty = || serde_json::json!({});
        match value {
            Value::Array(list) => {
                let first = list.first().cloned().unwrap_or_else(empty);
                for member in [first, empty(), Value::from("a")] {
                    found(Value::from(vec![member; COUNT]));
                }
                for (at, member) in list.iter().enumerate() {
                    grow(member, &mut |grown| {
                        let mut list = list.clone();
                        list[at] = grown;
                        found(list.into());
                    });
                }
            }
            Value::Object(table) => {
                let first = table.values().next().cloned().unwrap_or_else(empty);
                for member in [first, empty(), Value::from(1)] {
                    let members = (0..COUNT).map(|n| (n.to_string(), member.clone()));
                    found(Value::Object(members.collect()));
                }
                for (name, member) in table {
                    grow(member, &mut |grown| {
                        let mut table = table.clone();
                        table[name] = grown;
                        found(table.into());
                    });
                }
            }
            _ => {}
        }
    }
    let others = [
        r#"{"topicConfigTable":{"T":{"topicName":"T","perm":6,"attributes":{"+a":"b"}}}}"#,
        r#"{"clusterAddrTable":{"c":["b"]},"brokerAddrTable":{"b":{"brokerAddrs":{"0":"a:1"}}}}"#,
        r#"{"connectionSet":[{"clientId":"c"}],"subscriptionTable":{"T":{"topic":"T"}}}"#,
        r#"{"subscriptionGroupTable":{"g":{"groupName":"g"}},"groupConfigList":[{}]}"#,
        r#"{"lockOKMQSet":[{"topic":"T"}],"mqSet":[{}],"topicList":["T"]}"#,
        r#"{"offsetTable":{"{"topic":"T"}":{"brokerOffset":1}}}"#,
        r#"{"mqTable":{"{"topic":"T"}":{}},"statusTable":{"T":{}},"subscriptionSet":[{}]}"#,
    ];
    let mut grown = Vec::new();
    let golden = BODIES.lines().filter_map(|line| Some(line.split_once(" = ")?.1));
    for value in golden.chain(others).filter_map(|json| serde_json::from_str(json).ok()) {
        grow(&value, &mut |value| grown.push(value.to_string()));
    }
    grown
}

macro_rules! readers {
    ($($body:ident,)*) => {
        [$((stringify!($body), |json: &[u8]| drop($body::parse(json))),)*]
    };
}

/// Reads one kind of body and drops it.
type Reader = (&'static str, fn(&[u8]));

#[test]
fn json_bodies_take_memory_by_the_number_of_their_values() {
    let readers: [Reader; 25] = readers! {
        AssignmentQuery, Assignments, BatchAckBody, CheckClientBody, ClusterInfo,
        ConsumeDirectlyResult, ConsumeStats, ConsumerConnections, ConsumerList,
        ConsumerStatusBody, GroupConfig, GroupConfigList, GroupConfigTable, Heartbeat, LockBody,
        LockedBody, ProducerConnections, RequestModeBody, ResetOffsetBody, RouteBody, RunningInfo,
        TopicConfig, TopicConfigTable, TopicList, TopicStats,
    };
    let bodies = long_bodies();
    assert!(bodies.len() > 100);
    let mut worst = 0;
    for json in &bodies {
        let values = json.bytes().filter(|byte| b",{[".contains(byte)).count() as u64;
        let least = 4 * json.len() as u64 + (4 << 10);
        for (name, read) in readers {
            let info = measure(|| read(json.as_bytes()));
            let each = info.bytes_max.saturating_sub(least) / values;
            assert!(each <= VALUE_MAX as u64, "{name}: {each} bytes per value of {json:.200}");
            worst = worst.max(each);
        }
    }
    println!("at most {worst} bytes per value");
}

#[test]
fn a_frame_takes_two_allocations_a_small_one_a_copy_more_and_a_message_none() {
    let pulled = golden(PULLS, "pulled").into_iter().max_by_key(Vec::len).unwrap();
    let field = |name: &str| (Box::from(name), Box::from("7"));
    let fields = ["nextBeginOffset", "minOffset", "maxOffset", "suggestWhichBrokerId"].map(field);
    for (times, most) in [((40 << 10) / pulled.len() + 1, 2), (1, 3)] {
        let body = pulled.repeat(times).into();
        let fields = ReplyFields::Pairs(fields.clone().into());
        let opaque = Opaque::new(Kind::Pull, 1);
        let bytes = encoded(&OutFrame::reply(opaque, ResponseCode::SUCCESS, fields, body));
        let mut inbound = Inbound::new(Limits::default());
        for round in 0..4 {
            for piece in bytes.chunks(16 << 10) {
                read(&mut inbound, piece);
            }
            let mut list = RecordList::default();
            let info = measure(|| {
                let frame = inbound.next_frame().unwrap().unwrap();
                list = RecordList::cut_within(frame.body, frame.held, 32 << 20);
            });
            assert!(info.count_total <= most, "round {round}: {info:?}");
            assert!(list.len() > 3 && list.held() >= list.byte_len());
            assert_eq!(take_all(&list).count_total, 0, "{info:?}");
        }
    }
}

/// Reads every message of a list as a consumer would.
fn take_all(list: &RecordList) -> AllocationInfo {
    let mut seen = 0;
    let info = measure(|| {
        for item in list.items() {
            if let Item::Record(record) = item {
                seen += record.raw_body().len() + record.topic().len();
                seen += record.property("TAGS").map_or(0, str::len);
                seen += record.unique_id().map_or(0, str::len) + record.keys().count();
            }
        }
    });
    assert!(seen > 0);
    info
}

#[test]
fn a_message_takes_no_memory_for_a_topic_that_is_one_and_its_text_for_one_that_is_not() {
    let (topic, group) = (Topic::new("orders").unwrap(), Group::new("shop").unwrap());
    let count = |make: &dyn Fn() -> Message| measure(|| drop(make())).count_total;
    assert_eq!(count(&|| Message::new(topic.clone(), "body")), 0);
    assert_eq!(count(&|| Message::new(&topic, "body")), 0);
    assert_eq!(count(&|| Message::new("orders", "body")), 1);
    let id = UniqueId::parse("0A000001ABCD12345678000000000001").unwrap();
    let (limits, message) = (MessageLimits::default(), Message::new(&topic, "body"));
    let sent = measure(|| drop(Publish::new(message, &group, id, UnixMillis(0), &limits).unwrap()));
    assert_eq!(sent.count_total, 1, "its header fields alone");
}

/// The rules that most groups have need no list of all queues, nor any id but the member's own.
#[test]
fn reb_18_a_share_of_100_000_queues_among_10_000_ids_takes_memory_for_its_own_ten_alone() {
    let queue = |n: u32| Queue { broker: format!("broker-{:03}", n / 1000).into(), id: n % 1000 };
    let queues = (0..100_000).map(queue).collect();
    let members = (0..10_000).map(|n| format!("10.0.{}.{}@{n}", n % 199, n % 251).into()).collect();
    let all = Allocation::new("T".into(), queues, members);
    let me = all.members()[5000].clone();
    for strategy in [Strategy::Average, Strategy::Circle] {
        let share = || assert_eq!(all.share(&strategy, &me).map(|share| share.len()), Ok(10));
        let info = measure(share);
        let most = 16 * size_of::<usize>() as u64;
        assert!(info.count_total <= 3 && info.bytes_max <= most, "{strategy:?}: {info:?}");
    }
}
