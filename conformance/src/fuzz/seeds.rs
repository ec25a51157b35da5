//! Valid inputs: what real Java classes wrote, what we write, and steps for the engine.

use rocketry_core::body::OffsetFile;
use rocketry_core::frame::{
    HeaderForm, Kind, Opaque, OutFrame, Outbound, Request, RequestCode, ResponseCode,
};
use rocketry_core::message::{Batched, Properties};
use rocketry_core::name::{QueueName, Topic};
use rocketry_core::rng::Rng;
use serde_json::Value;

use super::streams;

const FRAMES: &str = include_str!("../../golden/frames.jsonl");
const MESSAGES: &str = include_str!("../../golden/messages.jsonl");
const PULLS: &str = include_str!("../../golden/pull_bodies.jsonl");
const PROPERTIES: &str = include_str!("../../golden/properties.jsonl");
const IDS: &str = include_str!("../../golden/message_ids.jsonl");
const TRACES: &str = include_str!("../../golden/trace.jsonl");
const BODIES: &str = include_str!("../../golden/bodies.txt");
/// Seeds taken from one file of golden rows.
const ROWS: usize = 24;

fn rows(text: &str) -> impl Iterator<Item = Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

fn texts(text: &str, key: &str) -> Vec<String> {
    rows(text).filter_map(|row| Some(row[key].as_str()?.to_owned())).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn golden(text: &str, key: &str) -> Vec<Vec<u8>> {
    texts(text, key).iter().map(|hex| unhex(hex)).collect()
}

/// The bytes of frames of our own, one after the other.
fn ours(form: HeaderForm) -> Vec<u8> {
    let send = streams::pairs([
        ("msgId", "7F00000100002A9F0000000000003039".to_owned()),
        ("queueId", 3.to_string()),
        ("queueOffset", 77.to_string()),
        ("transactionId", "0A000001ABCD12345678000000000001".to_owned()),
    ]);
    let pull = streams::pairs([
        ("suggestWhichBrokerId", 0.to_string()),
        ("nextBeginOffset", 12.to_string()),
        ("minOffset", 0.to_string()),
        ("maxOffset", 99.to_string()),
    ]);
    let fields = vec![("consumerGroup".into(), "group \"\u{1}\u{7528}".into())];
    let notify = Request::Unknown { code: RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, fields };
    let records = golden(PULLS, "pulled").swap_remove(0).into();
    let (ok, opaque) = (ResponseCode::SUCCESS, Opaque::new(Kind::Send, 1));
    let mut bytes = Vec::new();
    for frame in [
        OutFrame::reply(opaque, ok, send, Default::default()),
        OutFrame::reply(Opaque::new(Kind::Pull, 2), ok, pull, records),
        OutFrame::refusal(opaque, ResponseCode(2), "[TIMEOUT_CLEAN_QUEUE] busy\n"),
        OutFrame::oneway(Opaque::from_raw(-5), notify),
    ] {
        let mut outbound = Outbound::new().in_form(form);
        let _ = outbound.push(&frame);
        bytes.extend(streams::written(&outbound));
    }
    bytes
}

pub(super) fn inbound_stream() -> Vec<Vec<u8>> {
    let frames = golden(FRAMES, "frame");
    let mut streams: Vec<Vec<u8>> = frames.chunks(4).take(ROWS).map(<[_]>::concat).collect();
    streams.push(ours(HeaderForm::Json));
    streams.push(ours(HeaderForm::Binary));
    streams.push(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    streams.push(vec![0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3]);
    let split = |(at, stream): (usize, Vec<u8>)| [at.to_be_bytes().to_vec(), stream].concat();
    streams.into_iter().enumerate().map(split).collect()
}

/// The headers of golden frames in one form; 0 is JSON.
fn headers(form: u8) -> Vec<Vec<u8>> {
    let mut frames = golden(FRAMES, "frame");
    let mut rest = &*ours(if form == 0 { HeaderForm::Json } else { HeaderForm::Binary });
    while let Some(word) = rest.first_chunk::<4>() {
        let (frame, behind) = rest.split_at(4 + u32::from_be_bytes(*word) as usize);
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames.reverse();
    let header = |frame: Vec<u8>| {
        let length = usize::from(frame[6]) << 8 | usize::from(frame[7]);
        frame[8..8 + length].to_vec()
    };
    frames.into_iter().filter(|frame| frame[4] == form).map(header).take(ROWS).collect()
}

pub(super) fn json_header() -> Vec<Vec<u8>> {
    let mut headers = headers(0);
    headers.push(
        br#"{"flag":0,"code":310,"extFields":{"a":"g","b":"t","c":"TBW102","d":"4","e":"1","f":"0",
        "g":"1","h":0,"i":"KEYS\u0001k\u0002","j":"0","k":false,"m":"false","x":null,
        "y":[{"z":{}}]},
        "opaque":"67108865","language":12,"remark":"\ud83d\ude80\ud83d\n","version":-1}"#
            .to_vec(),
    );
    headers
}

pub(super) fn binary_header() -> Vec<Vec<u8>> {
    headers(1)
}

pub(super) fn record_list() -> Vec<Vec<u8>> {
    golden(PULLS, "pulled").into_iter().filter(|pulled| pulled.len() < 8192).take(ROWS).collect()
}

pub(super) fn batch_body() -> Vec<Vec<u8>> {
    let mut batches = vec![Vec::new(); 3];
    for (at, wire) in golden(PROPERTIES, "text_hex").iter().enumerate().take(ROWS) {
        let properties = Properties::new(wire);
        let message = Batched { flag: at as i32, body: &wire[wire.len() / 2..], properties };
        // Golden properties are short: each message fits.
        let _ = message.encode_into(&mut batches[at % 3]);
    }
    batches
}

pub(super) fn properties() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = golden(PROPERTIES, "text_hex").into_iter().take(ROWS).collect();
    seeds.push(b"A\x01a\x02A\x01b\x02\x01\x02B\x02C\x01\x02D\x01\xFF\x01\x02E\x01e".to_vec());
    seeds
}

fn bodies(names: &[&str]) -> Vec<Vec<u8>> {
    let lines = BODIES.lines().filter_map(|line| line.split_once(" = "));
    let wanted = lines.filter(|(name, _)| names.is_empty() || names.contains(name));
    wanted.map(|(_, json)| json.as_bytes().to_vec()).collect()
}

pub(super) fn route_body() -> Vec<Vec<u8>> {
    let mut seeds = bodies(&["route", "routeStd"]);
    seeds.push(
        br#"{"topicQueueMappingByBroker":{"b":{"currIdMap":{0:0,1:1},"epoch":7}},"queueDatas":
        [{"writeQueueNums":-1,"readQueueNums":2,"perm":4,"brokerName":"b","topicSynFlag":1}],
        "orderTopicConf":"b:2","brokerDatas":[{"brokerName":"b","brokerAddrs":{-1:"n:1",0:"a:1",
        "2":null},"zone":1},{"brokerName":"empty","brokerAddrs":null,"cluster":null}]}"#
            .to_vec(),
    );
    seeds
}

pub(super) fn tolerant_json() -> Vec<Vec<u8>> {
    let mut seeds = bodies(&[]);
    seeds.push(
        br#"{"consumerIdList":["10.0.0.1@1#2","b\"\u7528"],"later":{0:1,-2:[{3:{}}]}}"#.into(),
    );
    seeds
}

/// Each golden body as some of the kinds: the fuzzers turn it into the others.
pub(super) fn json_bodies() -> Vec<Vec<u8>> {
    let mut texts = bodies(&[]);
    texts.push(
        br#"{"topicConfigTable":{"T":{"topicName":"T","perm":6,"attributes":{"+a":"b"}}}}"#.into(),
    );
    let kinds = super::bodies::kinds();
    let some = texts.iter().enumerate().flat_map(|(at, text)| {
        let kinds = [0, 7, 14].map(|step| (at + step) % kinds.len());
        kinds.map(|kind| [&[kind as u8][..], text].concat())
    });
    some.collect()
}

/// Java's own file, one of ours, and what is left of them.
pub(super) fn offset_file() -> Vec<Vec<u8>> {
    let java = BODIES.lines().find_map(|line| line.strip_prefix("offsets.json="));
    let java = java.unwrap_or_default().replace("\\n", "\n").replace("\\t", "\t");
    let of = |queue| {
        let topic = Topic::new("orders").ok()?;
        Some((QueueName { topic, broker: "broker-a".into(), queue }, 1 << (3 * queue)))
    };
    let mut ours = OffsetFile::default();
    ours.offsets.extend((0..12).filter_map(of));
    let ours = ours.to_json().unwrap_or_default();
    let torn = ours[..ours.len() / 2].to_vec();
    let none = OffsetFile::default().to_json().unwrap_or_default();
    vec![java.into_bytes(), ours, torn, none, vec![0; 16]]
}

pub(super) fn trace() -> Vec<Vec<u8>> {
    golden(TRACES, "data_hex").into_iter().take(ROWS).collect()
}

pub(super) fn compressed_body() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for row in rows(MESSAGES) {
        let (Some(stored), Some(flag)) = (row["stored"].as_str(), row["sys_flag"].as_i64()) else {
            continue;
        };
        let list = rocketry_core::message::RecordList::cut(unhex(stored).into());
        if let Some(record) = list.record(0) {
            let kind = (flag >> 8) as u8 & 7;
            seeds.push([&[kind][..], &record.raw_body()].concat());
        }
        if seeds.len() == ROWS {
            break;
        }
    }
    seeds
}

pub(super) fn ids() -> Vec<Vec<u8>> {
    let ids = texts(IDS, "id").into_iter().take(ROWS);
    ids.chain(["0a0102ffabcd12345678000000000001".to_owned()]).map(String::into_bytes).collect()
}

pub(super) fn names() -> Vec<Vec<u8>> {
    let names = [
        "orders",
        "%RETRY%group",
        "a.b:9876;[::1]:9876, host:1",
        "127.0.0.1:10911",
        "TagA || \u{6807}\u{7b7e} ||",
        "*",
    ];
    names.map(|name| name.as_bytes().to_vec()).to_vec()
}

pub(super) fn outbound_partial() -> Vec<Vec<u8>> {
    random(64, 300)
}

/// Expressions, each with properties.
pub(super) fn sql() -> Vec<Vec<u8>> {
    let expressions = [
        "a > 5 AND b IS NOT NULL",
        "a BETWEEN -1 AND 5L OR c NOT BETWEEN .5 AND 1E3",
        "name IN ('x', 'O''Neil') and not (yes = TRUE)",
        "name CONTAINS 'N' -- a comment\n AND NOT name STARTSWITH 'x' /* * */ OR NULL",
        "((a = b) IS NULL) <> (- -a < +5)",
        "(((((((((((a)))))))))))",
    ];
    let wire = "a\u{1}6\u{2}b\u{1}2.5\u{2}name\u{1}O'Neil\u{2}yes\u{1}true\u{2}";
    let seed = |text: &str| {
        let length = (text.len() as u16).to_be_bytes();
        [&[0][..], &length, text.as_bytes(), wire.as_bytes()].concat()
    };
    expressions.map(seed).to_vec()
}

pub(super) fn recall_handle() -> Vec<Vec<u8>> {
    let java = "djEgVCBiLTAgMTcwMDAwMDAwMDAwMSBBQg==";
    let unpadded = java.trim_end_matches('=');
    [java, unpadded, "djIgVCBiLTAgMTcwMDAwMDAwMDAwMSBBQg==", "djEgVA=="].map(Into::into).to_vec()
}

/// Begins, checks, answers and replies in turn, then steps drawn at random.
pub(super) fn broker_asks() -> Vec<Vec<u8>> {
    let seeds = random(12, 1_000).into_iter().enumerate();
    let seed = |(at, random): (usize, Vec<u8>)| {
        let at = at as u8;
        let request = [10, at, 1, 0xFF];
        let reply =
            [4, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'h', 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, at, 2, at, 2, 1, 0];
        let begin = [8, at];
        let check = [0, 2, 2, at, 2, at, 2, 1, 2, 1, 1, 7, 9, 0, 0, 0, 4, 1, b'x', 1, 7];
        let rest = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 1];
        let end = [9, at, at % 3, 2];
        let parts =
            [&request[..], &reply, &begin, &check, &rest, &end, &check, &rest, &[7, 0, at % 3]];
        [parts.concat(), random].concat()
    };
    seeds.map(seed).collect()
}

pub(super) fn publish() -> Vec<Vec<u8>> {
    let mut seed = Vec::new();
    for text in ["orders", "shop", "broker-a"] {
        put(&mut seed, text);
    }
    seed.extend([0, 0, 0, 3]);
    seed.extend(1_700_000_000_000_i64.to_be_bytes());
    put(&mut seed, "a body");
    for (step, texts) in [
        (0, &["paid"][..]),
        (1, &["key-1"]),
        (1, &["key-2"]),
        (2, &["name", "v\"\\\u{7f}\u{6807}"]),
        (2, &["name", "another"]),
        (2, &["other", "\n\r\t"]),
    ] {
        seed.push(step);
        texts.iter().for_each(|text| put(&mut seed, text));
    }
    seed.extend([4, 3, 5, 0xFF, 0, 0, 7]);
    // From here on flags alone, until the last step: what follows the end would be an empty tag.
    seed.extend([5; 25 * 5]);
    vec![seed]
}

fn put(seed: &mut Vec<u8>, text: &str) {
    seed.push(text.len() as u8);
    seed.extend_from_slice(text.as_bytes());
}

/// Steps drawn at random, after those with which a producer and a consumer come to life.
pub(super) fn engine_session() -> Vec<Vec<u8>> {
    let seeds = random(24, 2_000).into_iter().enumerate();
    let seed = |(at, random): (usize, Vec<u8>)| {
        let mut seed = vec![0, at as u8];
        seed.extend([12, 1, 14, 0, 0, 0, 0, 0]);
        for _ in 0..8 {
            seed.extend([0, 0]);
            seed.extend([3, 0, 0, 1, 0, 1]);
        }
        seed.extend(random);
        seed
    };
    seeds.map(seed).collect()
}

/// Answers of peers without TLS, or with their own; then servers that speak, write, replace keys,
/// forge and end, of either version, in good order and not.
pub(super) fn tls_filter() -> Vec<Vec<u8>> {
    let hello: Vec<u8> =
        [&[0x16, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0xC0, 0x2C, 0]].concat();
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0, 0, 0, 100, 0, 0, 0, 80, b'{', b'"'],
        &[0x15, 3, 3, 0, 2, 2, 40],
        &hello,
        &[0x16, 3, 3, 0, 4, 14, 0, 0, 0, 0x17, 3, 3, 0, 1, 0],
    ];
    let mut seeds: Vec<Vec<u8>> =
        answers.iter().map(|answer| [&[0, 0][..], answer].concat()).collect();
    let data = [0, 0, 5, b'f', b'r', b'a', b'm', b'e'];
    let good = [&[5, 2, b'o', b'k', 7, 1, 6, 1, 8, 1, b'x', 9, 1][..], &data, &[7, 0, 7, 9, 6, 0]];
    let flood = |kind: u8, payload: &[u8]| {
        [&[3, kind - 0x13, 200, payload.len() as u8], payload, &[7, 255], &data, &[7, 1]].concat()
    };
    for kind in [1, 5] {
        seeds.push([&[kind, kind][..], &good.concat(), &[7, 1, 9, 8, 7, 1]].concat());
        // Records without data, new keys, tickets, alerts that only warn, renegotiations.
        let ticket = [4, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0];
        let floods: [(u8, &[u8]); 6] = [
            (0x17, b""),
            (0x16, &[24, 0, 0, 1, 1]),
            (0x16, &ticket),
            (0x15, &[1, 90]),
            (0x16, &[0, 0, 0, 0]),
            (0x17, &[b'z'; 255]),
        ];
        let floods = floods.map(|(kind, payload)| flood(kind, payload));
        seeds.extend(floods.map(|flood| [&[kind, 0][..], &good.concat(), &flood].concat()));
    }
    let random = random(16, 200).into_iter().enumerate();
    seeds.extend(random.map(|(at, random)| [&[at as u8, at as u8 / 4][..], &random].concat()));
    seeds
}

fn random(count: u64, length: usize) -> Vec<Vec<u8>> {
    let seed = |n| {
        let mut rng = Rng::new(n);
        (0..length).map(|_| rng.next_u64() as u8).collect()
    };
    (0..count).map(seed).collect()
}
