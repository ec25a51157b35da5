//! What a signature costs beside a bare HMAC-SHA1 of the same bytes.
//!
//! `cargo bench -p rocketry-core --features acl --bench signing`. Quote ratios from one run: what
//! `signed` takes above `unsigned`, by what `bare_hmac` takes. Say whether the machine has
//! instructions for SHA.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use rocketry_core::config::{Config, Secret};
use rocketry_core::frame::{Head, HeaderForm, Kind, Opaque, OutFrame, Outbound};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;
use sha1::Sha1;

const SECRET: &str = "12345678";

fn signing(c: &mut Criterion) {
    let mut config = Config::default();
    config.access_key = Some("rocketmq2".to_owned());
    config.secret_key = Some(Secret::new(SECRET));
    for body in [100, 1024, 10_240] {
        let mut group = c.benchmark_group(format!("send_of_{body}"));
        let frame = frame(body);
        let (mut plain, mut signed) = (Outbound::new(), Outbound::of(&config));
        group.bench_function("unsigned", |b| b.iter(|| push(&mut plain, &frame)));
        group.bench_function("signed", |b| b.iter(|| push(&mut signed, &frame)));
        let content = content(&mut signed, &frame);
        group.bench_function("bare_hmac", |b| {
            b.iter(|| {
                let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
                mac.update(black_box(&content));
                mac.finalize().into_bytes()
            });
        });
    }
}

fn frame(body: usize) -> OutFrame {
    let (topic, group) = (Topic::new("orders").unwrap(), Group::new("shop").unwrap());
    let message = Message::new(topic, vec![b'x'; body]).tag("paid").key("order-1848");
    let (ids, born) = (UniqueIds::new([10, 0, 0, 1], 4711, 7), UnixMillis(1_700_000_000_000));
    let mut limits = MessageLimits::default();
    limits.compression = None;
    let publish = Publish::new(message, &group, ids.next(born), born, &limits).unwrap();
    OutFrame::publish(Opaque::new(Kind::Send, 1848), Arc::new(publish), 3, "broker-a".into())
}

fn push(out: &mut Outbound, frame: &OutFrame) -> usize {
    out.push(frame).unwrap();
    let mut slices = [IoSlice::new(&[]); 4];
    let count = out.slices(&mut slices);
    let length = black_box(&slices[..count]).iter().map(|slice| slice.len()).sum();
    out.advance(length);
    length
}

/// As many bytes as are signed.
fn content(out: &mut Outbound, frame: &OutFrame) -> Vec<u8> {
    out.push(frame).unwrap();
    let mut slices = [IoSlice::new(&[]); 4];
    let count = out.slices(&mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
    let header = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let head = Head::read(HeaderForm::Json, &bytes[8..8 + header], 100).unwrap();
    let mut content = Vec::new();
    let signed = |name: &str| name != "Signature";
    head.fields
        .visit(&mut |name, value| {
            content.extend_from_slice(if signed(name) { value.as_bytes() } else { b"" });
            Ok(())
        })
        .unwrap();
    content.extend_from_slice(&bytes[8 + header..]);
    out.advance(bytes.len());
    content
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = signing
}
criterion_main!(all);
