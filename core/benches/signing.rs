//! What a signature costs beside a bare HMAC-SHA1 of the same bytes.
//!
//! `cargo bench -p rocketry-core --features acl --bench signing`. Sends are made and encoded with
//! and without, in turns of some milliseconds, so that whatever else the machine does falls on all
//! alike; each figure is the least of its turns. The ratio is what a signature adds, to a message
//! that is made as to its frame, by what the bare one takes. A *request* is the same fields and
//! body as a request of which nothing is known beforehand, as all but sends are; `sign` is
//! `Credentials::sign` of them, beside nothing. Say whether the machine has instructions for SHA.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures")]

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rocketry_core::config::{Config, Credentials, Secret};
use rocketry_core::frame::request::SendRequest;
use rocketry_core::frame::{Head, Header, HeaderForm, Kind, Opaque, OutFrame, Outbound, Request};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueId, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;
use sha1::Sha1;

const KEY: &str = "rocketmq2";
const SECRET: &str = "12345678";
const BORN: UnixMillis = UnixMillis(1_700_000_000_000);
/// Turns of each, and what is done in one.
const TURNS: usize = 400;
const TIMES: usize = 500;

fn main() {
    // Cargo says so where it measures, and not where it tests.
    let turns = if std::env::args().any(|arg| arg == "--bench") { TURNS } else { 1 };
    println!("         body    unsigned     signed  bare HMAC  (signed - unsigned) / bare");
    for body in [100, 1024, 10_240] {
        let (mut unsigned, mut signed) = (Sender::new(body, false), Sender::new(body, true));
        let (content, fields) = signed.content();
        let credentials = Credentials::new(KEY, SECRET);
        let mut least = [f64::INFINITY; 6];
        for _ in 0..turns {
            let fields = || fields.iter().map(|(name, value)| (&**name, &**value));
            let took = [
                time(|| bare(black_box(&content))),
                time(|| unsigned.send()),
                time(|| signed.send()),
                time(|| unsigned.request()),
                time(|| signed.request()),
                time(|| credentials.sign(fields(), black_box(&content[content.len() - body..]))),
            ];
            least.iter_mut().zip(took).for_each(|(least, took)| *least = least.min(took));
        }
        let [hmac, send, signed_send, request, signed_request, sign] = least;
        let ways = [
            ("send", send, signed_send),
            ("request", request, signed_request),
            ("sign", 0.0, sign),
        ];
        for (way, without, with) in ways {
            let ratio = (with - without) / hmac;
            println!("{way:7} {body:5} {without:8.0} ns {with:7.0} ns {hmac:7.0} ns  {ratio:.2}");
        }
    }
}

/// Nanoseconds of one of many.
fn time<T>(mut job: impl FnMut() -> T) -> f64 {
    let begun = Instant::now();
    for _ in 0..TIMES {
        black_box(job());
    }
    begun.elapsed().as_nanos() as f64 / TIMES as f64
}

fn bare(content: &[u8]) -> usize {
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(content);
    mac.finalize().into_bytes().len()
}

/// Makes one message again and again, and encodes each.
struct Sender {
    message: Message,
    group: Group,
    id: UniqueId,
    limits: MessageLimits,
    broker: Arc<str>,
    request: SendRequest,
    body: Bytes,
    out: Outbound,
}

impl Sender {
    fn new(body: usize, signed: bool) -> Self {
        let mut config = Config::default();
        config.compression = None;
        if signed {
            config.access_key = Some(KEY.to_owned());
            config.secret_key = Some(Secret::new(SECRET));
        }
        let (topic, group) = (Topic::new("orders").unwrap(), Group::new("shop").unwrap());
        let body = Bytes::from(vec![b'x'; body]);
        let message = Message::new(topic, body.clone()).tag("paid").key("order-1848");
        let id = UniqueIds::new([10, 0, 0, 1], 4711, 7).next(BORN);
        let limits = MessageLimits::of(&config);
        assert_eq!(limits.signed, signed);
        let (broker, out) = ("broker-a".into(), Outbound::of(&config));
        let request = SendRequest::default();
        let mut sender = Self { message, group, id, limits, broker, request, body, out };
        sender.push();
        sender.request = sender.read(|head, _| SendRequest::read(&head.fields).unwrap());
        sender
    }

    fn push(&mut self) {
        let message = self.message.clone();
        let publish = Publish::new(message, &self.group, self.id, BORN, &self.limits).unwrap();
        let opaque = Opaque::new(Kind::Send, 1848);
        let frame = OutFrame::publish(opaque, Arc::new(publish), 3, self.broker.clone());
        self.out.push(&frame).unwrap();
    }

    fn send(&mut self) -> usize {
        self.push();
        self.leave()
    }

    fn request(&mut self) -> usize {
        let request = Request::Send(self.request.clone());
        let opaque = Opaque::new(Kind::Send, 1848);
        let frame = OutFrame::request_with_body(opaque, request, self.body.clone());
        self.out.push(&frame).unwrap();
        self.leave()
    }

    /// All that waits is written.
    fn leave(&mut self) -> usize {
        let mut slices = [IoSlice::new(&[]); 4];
        let count = self.out.slices(&mut slices);
        let length = black_box(&slices[..count]).iter().map(|slice| slice.len()).sum();
        self.out.advance(length);
        length
    }

    /// Reads the one frame that waits, with its body, and lets it leave.
    fn read<T>(&mut self, read: impl FnOnce(&Head<'_>, &[u8]) -> T) -> T {
        let mut slices = [IoSlice::new(&[]); 4];
        let count = self.out.slices(&mut slices);
        let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        let header = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let head = Head::read(HeaderForm::Json, &bytes[8..8 + header], 100).unwrap();
        let got = read(&head, &bytes[8 + header..]);
        self.out.advance(bytes.len());
        got
    }

    /// As many bytes as are signed, and the fields among them.
    fn content(&mut self) -> (Vec<u8>, Vec<(String, String)>) {
        self.push();
        self.read(|head, body| {
            let (mut content, mut fields) = (Vec::new(), Vec::new());
            let mut keep = |name: &str, value: &str| {
                content.extend_from_slice(value.as_bytes());
                fields.push((name.to_owned(), value.to_owned()));
            };
            let mut signatures = 0;
            head.fields
                .visit(&mut |name, value| {
                    match name {
                        "Signature" => signatures += 1,
                        _ => keep(name, &value),
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!(signatures, 1);
            content.extend_from_slice(body);
            (content, fields)
        })
    }
}
