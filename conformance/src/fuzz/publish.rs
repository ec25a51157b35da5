//! Messages of a user who means harm, or does not know better.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::{Content, Inbound, Kind, Opaque, OutFrame, Outbound, Request};
use rocketry_core::message::{Message, MessageLimits, Properties, Publish, UniqueIds, sys_flag};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;

use super::streams;
use super::supply::Supply;

/// A message made of any texts is refused, or arrives as it was given.
pub fn publish(data: &[u8]) {
    let mut supply = Supply::new(data);
    let (Ok(topic), Ok(group)) = (Topic::new(supply.text()), Group::new(supply.text())) else {
        return;
    };
    let (broker, queue): (Arc<str>, _) = (supply.text().into(), supply.int());
    let born = UnixMillis(supply.long());
    let body = Bytes::copy_from_slice(supply.chunk());
    let mut message = Message::new(topic.clone(), body.clone());
    for _ in 0..32 {
        message = match supply.byte() % 6 {
            0 => message.tag(&supply.text()),
            1 => message.key(&supply.text()),
            2 => message.property(&supply.text(), &supply.text()),
            3 => message.property(&supply.text(), &String::from_utf8_lossy(supply.long_chunk())),
            4 => message.delay_level(u32::from(supply.byte())),
            _ => message.flag(supply.int()),
        };
    }
    let properties = message.properties().entries().map(owned).collect::<Vec<_>>();
    let id = UniqueIds::new([1, 2, 3, 4], 5, 6).next(born);
    let limits = MessageLimits::default();
    let publish = match Publish::new(message, &group, id, born, &limits) {
        Ok(publish) => Arc::new(publish),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut outbound = Outbound::new();
    let opaque = Opaque::new(Kind::Send, 1);
    let frame = OutFrame::publish(opaque, publish.clone(), queue, broker.clone());
    if outbound.push(&frame).is_err() {
        assert!(broker.len() > 100, "a publish of {} bytes is refused", publish.fields().len());
        return;
    }
    // The estimate leaves room for broker and queue, not for a name of any length.
    assert!(outbound.len() <= publish.wire_size() + 6 * broker.len() + 64);
    let mut inbound = Inbound::new(Default::default());
    streams::fill(&mut inbound, &streams::written(&outbound));
    let Ok(Some(frame)) = inbound.next_frame() else { panic!("not whole") };
    assert_eq!((frame.opaque, &frame.body), (opaque, publish.body()));
    let Content::Request { request: Ok(Request::Send(sent)), oneway: false, .. } = frame.content
    else {
        panic!("{:?}", frame.content)
    };
    assert_eq!((&*sent.topic, &*sent.producer_group), (topic.as_str(), group.as_str()));
    assert_eq!((sent.born_timestamp, sent.queue_id), (born.0, queue));
    // A body that is not sent as it was given is compressed, and shorter.
    let packed = sent.sys_flag == sys_flag::COMPRESSED;
    assert!(if packed { publish.body().len() < body.len() } else { *publish.body() == body });
    assert_eq!(sent.broker.as_deref(), Some(&*broker));
    let wire = sent.properties.unwrap_or_default();
    let read: Vec<_> = Properties::new(wire.as_bytes()).entries().map(owned).collect();
    assert_eq!(read[..properties.len()], properties, "no value forges another");
    assert_eq!(read.len(), properties.len() + 2);
    assert_eq!(Properties::new(wire.as_bytes()).get("UNIQ_KEY"), Some(id.as_str()));
}

fn owned((name, value): (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
    (name.to_vec(), value.to_vec())
}
