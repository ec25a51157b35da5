//! What the codec costs, beside the naive way and a plain copy of the same bytes.
//!
//! `cargo bench -p rocketry-core --bench wire`. Quote ratios from one run, never absolutes.
#![allow(clippy::unwrap_used, missing_docs)]

mod naive;

use std::hint::black_box;
use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rocketry_core::body::{BrokerData, QueueData, RouteBody};
use rocketry_core::frame::{
    Inbound, Kind, Limits, Opaque, OutFrame, Outbound, ReplyFields, ResponseCode,
};
use rocketry_core::message::{
    Message, MessageLimits, Publish, RecordList, StoredRecord, UniqueId, UniqueIds,
};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;

const BODY: usize = 1024;
const BORN: UnixMillis = UnixMillis(1_700_000_000_000);

fn pairs(fields: &[(&str, &str)]) -> ReplyFields {
    ReplyFields::Pairs(fields.iter().map(|(k, v)| (Box::from(*k), Box::from(*v))).collect())
}

fn reply(kind: Kind, fields: &[(&str, &str)], body: Vec<u8>) -> Vec<u8> {
    let opaque = Opaque::new(kind, 1848);
    let mut out = Outbound::new();
    out.push(&OutFrame::reply(opaque, ResponseCode::SUCCESS, pairs(fields), body.into())).unwrap();
    written(&mut out)
}

/// All bytes, copied: a socket would be given the slices.
fn written(out: &mut Outbound) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let count = out.slices(&mut slices);
    let bytes = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
    out.advance(usize::MAX);
    bytes
}

fn send_reply() -> Vec<u8> {
    let fields = [
        ("MSG_REGION", "DefaultRegion"),
        ("TRACE_ON", "true"),
        ("msgId", "C0A8000A00002A9F0000000000003039"),
        ("queueId", "3"),
        ("queueOffset", "123456"),
        ("transactionId", "0A000001ABCD12345678000000000001"),
    ];
    reply(Kind::Send, &fields, Vec::new())
}

fn pull_reply() -> Vec<u8> {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
    let body = [b'x'; BODY];
    let mut records = Vec::new();
    for n in 0..32 {
        let record = StoredRecord {
            topic: "orders",
            queue_id: 3,
            flag: 0,
            queue_offset: n,
            commit_log_offset: n * 1300,
            sys_flag: 0,
            born_timestamp: BORN,
            born_host: host,
            store_timestamp: BORN,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: &body,
            properties: b"KEYS\x01order-1848\x02TAGS\x01paid\x02CLUSTER\x01DefaultCluster\x02\
                UNIQ_KEY\x010A000001ABCD12345678000000000001\x02WAIT\x01true\x02",
        };
        record.encode_into(&mut records);
    }
    let fields = [
        ("maxOffset", "123456"),
        ("minOffset", "0"),
        ("nextBeginOffset", "32"),
        ("suggestWhichBrokerId", "0"),
    ];
    reply(Kind::Pull, &fields, records)
}

fn route() -> RouteBody {
    let name = |n| Arc::from(format!("broker-{n:04}"));
    let queue = |n| QueueData {
        broker_name: name(n),
        perm: 6,
        read_queues: 8,
        topic_sys_flag: 0,
        write_queues: 8,
    };
    let broker = |n: u32| BrokerData {
        cluster: "DefaultCluster".into(),
        broker_name: name(n),
        addresses: [0, 1].map(|id| (id, format!("10.0.{}.{}:10911", n / 250, n % 250))).into(),
    };
    RouteBody {
        queues: (0..1000).map(queue).collect(),
        brokers: (0..1000).map(broker).collect(),
        ..RouteBody::default()
    }
}

struct Sender {
    topic: Topic,
    group: Group,
    body: Bytes,
    limits: MessageLimits,
    ids: UniqueIds,
}

impl Sender {
    fn publish(&self, id: UniqueId) -> Publish {
        let message = Message::new(self.topic.clone(), self.body.clone());
        let message = message.tag("paid").key("order-1848");
        Publish::new(message, &self.group, id, BORN, &self.limits).unwrap()
    }
}

fn encode_send(c: &mut Criterion) {
    let sender = Sender {
        topic: Topic::new("orders").unwrap(),
        group: Group::new("shop").unwrap(),
        body: Bytes::from(vec![b'x'; BODY]),
        limits: MessageLimits::default(),
        ids: UniqueIds::new([10, 0, 0, 1], 4711, 7),
    };
    let broker: Arc<str> = "broker-a".into();
    let opaque = Opaque::new(Kind::Send, 1848);
    let mut out = Outbound::new();
    let mut group = c.benchmark_group("encode_send_1k");
    group.bench_function("message_to_bytes", |b| {
        b.iter(|| {
            let publish = Arc::new(sender.publish(sender.ids.next(BORN)));
            out.push(&OutFrame::publish(opaque, publish, 3, broker.clone())).unwrap();
            take(&mut out)
        });
    });
    let publish = Arc::new(sender.publish(sender.ids.next(BORN)));
    group.bench_function("frame_to_bytes", |b| {
        b.iter(|| {
            out.push(&OutFrame::publish(opaque, publish.clone(), 3, broker.clone())).unwrap();
            take(&mut out)
        });
    });
    group.bench_function("naive", |b| {
        b.iter(|| {
            let id = sender.ids.next(BORN);
            naive::encode_send("orders", "shop", &sender.body, id.as_str(), BORN.0)
        });
    });
    out.push(&OutFrame::publish(opaque, publish, 3, broker)).unwrap();
    let bytes = written(&mut out);
    plain_copy(&mut group, &bytes);
}

/// What a writer does: looks at the bytes and is done with them.
fn take(out: &mut Outbound) -> usize {
    let mut slices = [IoSlice::new(&[]); 4];
    let count = out.slices(&mut slices);
    let length = black_box(&slices[..count]).iter().map(|slice| slice.len()).sum();
    out.advance(length);
    length
}

fn plain_copy(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    bytes: &[u8],
) {
    let mut copy = Vec::with_capacity(bytes.len());
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("plain_copy", |b| {
        b.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(bytes));
            black_box(copy.as_ptr())
        });
    });
}

/// As socket reads would, each into the space there is.
fn read(inbound: &mut Inbound, bytes: &[u8]) {
    let mut rest = black_box(bytes);
    while !rest.is_empty() {
        let space = inbound.space();
        let count = space.len().min(rest.len());
        space[..count].copy_from_slice(&rest[..count]);
        inbound.filled(count);
        rest = &rest[count..];
    }
}

fn decode_send_reply(c: &mut Criterion) {
    let bytes = send_reply();
    let mut group = c.benchmark_group("decode_send_reply");
    let mut inbound = Inbound::new(Limits::default());
    group.bench_function("ours", |b| {
        b.iter(|| {
            read(&mut inbound, &bytes);
            inbound.next_frame().unwrap().unwrap()
        });
    });
    group.bench_function("naive", |b| {
        let mut buffer = Vec::new();
        b.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(black_box(&bytes));
            naive::decode_send_reply(&buffer)
        });
    });
    plain_copy(&mut group, &bytes);
}

fn decode_pull_reply(c: &mut Criterion) {
    let bytes = pull_reply();
    let mut group = c.benchmark_group("decode_pull_32x1k");
    let mut inbound = Inbound::new(Limits::default());
    group.bench_function("ours", |b| {
        b.iter(|| {
            read(&mut inbound, &bytes);
            let frame = inbound.next_frame().unwrap().unwrap();
            let list = RecordList::cut(frame.body);
            assert_eq!(list.len(), 32);
            (frame.content, list)
        });
    });
    group.bench_function("naive", |b| {
        let mut buffer = Vec::new();
        b.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(black_box(&bytes));
            let (header, messages) = naive::decode_pull(&buffer);
            assert_eq!(messages.len(), 32);
            (header, messages)
        });
    });
    plain_copy(&mut group, &bytes);
}

fn route_of_1000(c: &mut Criterion) {
    let route = route();
    let json = route.to_json();
    let mut group = c.benchmark_group("route_1000_brokers");
    group.bench_function("encode", |b| b.iter(|| black_box(&route).to_json()));
    group.bench_function("encode_naive", |b| b.iter(|| naive::encode_route(black_box(&route))));
    group.bench_function("decode", |b| b.iter(|| RouteBody::parse(black_box(&json)).unwrap()));
    group.bench_function("decode_naive", |b| b.iter(|| naive::decode_route(black_box(&json))));
    plain_copy(&mut group, &json);
}

criterion_group! {
    name = wire;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = encode_send, decode_send_reply, decode_pull_reply, route_of_1000
}
criterion_main!(wire);
