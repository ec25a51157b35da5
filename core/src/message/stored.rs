//! Writes records as a broker stores them, for embedded brokers and tests.

use std::net::SocketAddr;

use super::checksum::checksum;
use super::record::{MAGIC_V1, MAGIC_V2, Record};
use super::sys_flag::{BORN_HOST_V6, STORE_HOST_V6};
use crate::time::UnixMillis;

/// Everything a stored record says.
#[derive(Clone, Copy, Debug)]
pub struct StoredRecord<'a> {
    /// Topic: up to 65,535 bytes; the rest is cut off.
    pub topic: &'a str,
    /// Queue.
    pub queue_id: i32,
    /// The producer's own bits.
    pub flag: i32,
    /// Place in the queue.
    pub queue_offset: i64,
    /// First byte in the commit log.
    pub commit_log_offset: i64,
    /// System flag. The two bits that tell the hosts' kind are set by the hosts given.
    pub sys_flag: i32,
    /// When the producer made it.
    pub born_timestamp: UnixMillis,
    /// Who made it.
    pub born_host: SocketAddr,
    /// When it was stored.
    pub store_timestamp: UnixMillis,
    /// Who stored it.
    pub store_host: SocketAddr,
    /// Earlier deliveries.
    pub reconsume_times: i32,
    /// Where the half message lies.
    pub prepared_transaction_offset: i64,
    /// Body as stored, that is, compressed if `sys_flag` says so.
    pub body: &'a [u8],
    /// Properties in wire form: up to 65,535 bytes; the rest is cut off.
    pub properties: &'a [u8],
}

impl<'a> StoredRecord<'a> {
    /// A record once more, with what of it is text or bytes as given here.
    pub fn of(record: &Record<'_>, topic: &'a str, body: &'a [u8], properties: &'a [u8]) -> Self {
        Self {
            topic,
            queue_id: record.queue_id(),
            flag: record.flag(),
            queue_offset: record.queue_offset(),
            commit_log_offset: record.commit_log_offset(),
            sys_flag: record.sys_flag(),
            born_timestamp: record.born_timestamp(),
            born_host: record.born_host(),
            store_timestamp: record.store_timestamp(),
            store_host: record.store_host(),
            reconsume_times: record.reconsume_times(),
            prepared_transaction_offset: record.prepared_transaction_offset(),
            body,
            properties,
        }
    }

    /// Appends the record, with its size and checksum: as V1, or as V2 when the topic has more than
    /// 127 bytes (`MessageVersion`).
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let topic = cut(self.topic.as_bytes());
        let properties = cut(self.properties);
        let wide = topic.len() > 127;
        let mut sys_flag = self.sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6);
        if self.born_host.is_ipv6() {
            sys_flag |= BORN_HOST_V6;
        }
        if self.store_host.is_ipv6() {
            sys_flag |= STORE_HOST_V6;
        }
        out.reserve(120 + self.body.len() + topic.len() + properties.len());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&if wide { MAGIC_V2 } else { MAGIC_V1 }.to_be_bytes());
        out.extend_from_slice(&checksum(self.body).to_be_bytes());
        out.extend_from_slice(&self.queue_id.to_be_bytes());
        out.extend_from_slice(&self.flag.to_be_bytes());
        out.extend_from_slice(&self.queue_offset.to_be_bytes());
        out.extend_from_slice(&self.commit_log_offset.to_be_bytes());
        out.extend_from_slice(&sys_flag.to_be_bytes());
        out.extend_from_slice(&self.born_timestamp.0.to_be_bytes());
        write_host(out, self.born_host);
        out.extend_from_slice(&self.store_timestamp.0.to_be_bytes());
        write_host(out, self.store_host);
        out.extend_from_slice(&self.reconsume_times.to_be_bytes());
        out.extend_from_slice(&self.prepared_transaction_offset.to_be_bytes());
        out.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        out.extend_from_slice(self.body);
        if wide {
            out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        } else {
            out.push(topic.len() as u8);
        }
        out.extend_from_slice(topic);
        out.extend_from_slice(&(properties.len() as u16).to_be_bytes());
        out.extend_from_slice(properties);
        let size = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(usize::from(u16::MAX))]
}

fn write_host(out: &mut Vec<u8>, host: SocketAddr) {
    match host {
        SocketAddr::V4(host) => out.extend_from_slice(&host.ip().octets()),
        SocketAddr::V6(host) => out.extend_from_slice(&host.ip().octets()),
    }
    out.extend_from_slice(&u32::from(host.port()).to_be_bytes());
}
