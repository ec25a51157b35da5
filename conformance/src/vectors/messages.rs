//! Stored records, bodies of pull responses, and batches.

use rocketry_core::message::{
    BatchBody, Batched, Compression, Properties, Record, RecordList, StoredRecord, sys_flag,
};
use rocketry_core::time::UnixMillis;

use super::row::Row;
use super::same;
use super::texts::{read_properties, write_properties};

pub(super) fn stored(row: Row<'_>) -> Result<(), String> {
    let stored = row.bytes("stored")?;
    let list = RecordList::cut(stored.clone().into());
    same("the number of records", list.len(), 1)?;
    let record = list.record(0).ok_or_else(|| format!("undecodable: {:?}", list.item(0)))?;
    fields(&record, row)?;
    let body = record.body().map_err(|error| error.to_string())?;
    same("the body", &body[..], &row.bytes("body")?)?;
    let mut written = Vec::new();
    StoredRecord {
        topic: row.text("topic")?,
        queue_id: record.queue_id(),
        flag: record.flag(),
        queue_offset: row.int("queue_offset")?,
        commit_log_offset: row.int("commit_log_offset")?,
        sys_flag: record.sys_flag(),
        born_timestamp: UnixMillis(row.int("born_timestamp")?),
        born_host: row.host("born_host")?,
        store_timestamp: UnixMillis(row.int("store_timestamp")?),
        store_host: row.host("store_host")?,
        reconsume_times: record.reconsume_times(),
        prepared_transaction_offset: row.int("prepared_transaction_offset")?,
        body: &record.raw_body(),
        // Their order is free.
        properties: record.properties().as_bytes(),
    }
    .encode_into(&mut written);
    same("the record written", written, stored)
}

fn fields(record: &Record<'_>, row: Row<'_>) -> Result<(), String> {
    same("the topic", &*record.topic(), row.text("topic")?)?;
    let numbers = [
        ("queue_id", record.queue_id().into()),
        ("flag", record.flag().into()),
        ("queue_offset", record.queue_offset()),
        ("commit_log_offset", record.commit_log_offset()),
        // Java clears the lowest bit once it has opened the body.
        ("sys_flag", i64::from(record.sys_flag() & !sys_flag::COMPRESSED)),
        ("born_timestamp", record.born_timestamp().0),
        ("store_timestamp", record.store_timestamp().0),
        ("reconsume_times", record.reconsume_times().into()),
        ("prepared_transaction_offset", record.prepared_transaction_offset()),
    ];
    for (key, found) in numbers {
        let mask = if key == "sys_flag" { !i64::from(sys_flag::COMPRESSED) } else { -1 };
        same(key, found, row.int(key)? & mask)?;
    }
    same("born_host", record.born_host(), row.host("born_host")?)?;
    same("store_host", record.store_host(), row.host("store_host")?)?;
    same("the id", record.offset_message_id().to_string().as_str(), row.text("offset_msg_id")?)?;
    let properties = record.properties();
    same("the properties", read_properties(properties.as_bytes()), row.map("properties")?)?;
    let crc =
        record.raw().get(8..12).map_or(0, |crc| crc.iter().fold(0, |n, b| n << 8 | i64::from(*b)));
    same("the checksum", crc, row.int("body_crc")?)?;
    let expected = match row.text("compression")?.split('(').next() {
        Some("ZLIB") => Some(Compression::Zlib),
        Some("LZ4") => Some(Compression::Lz4),
        Some("ZSTD") => Some(Compression::Zstd),
        _ => None,
    };
    same("the compression", record.compression(), expected)
}

pub(super) fn pulled(row: Row<'_>) -> Result<(), String> {
    let list = RecordList::cut(row.bytes("pulled")?.into());
    let messages = row.list("messages")?;
    same("the number of records", list.len(), messages.len())?;
    for (i, message) in messages.iter().map(Row).enumerate() {
        let what = format!("record {i} ({})", message.maybe("kind").unwrap_or_default());
        let offset = Some(message.int("queue_offset")?);
        same(&format!("the offset of {what}"), list.queue_offset(i), offset)?;
        let body = list.record(i).and_then(|record| record.body().ok());
        let expected = match message.text("status")? {
            "ok" => Some(message.bytes("body")?),
            _ => None,
        };
        same(&format!("the body of {what}"), body.map(|body| body.to_vec()), expected)?;
    }
    Ok(())
}

pub(super) fn batch(row: Row<'_>) -> Result<(), String> {
    let encoded = row.bytes("encoded")?;
    let messages = row.list("messages")?;
    let read: Vec<Batched<'_>> =
        BatchBody::new(&encoded).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    same("the number of messages", read.len(), messages.len())?;
    let (mut copied, mut made) = (Vec::new(), Vec::new());
    for (i, (found, expected)) in read.iter().zip(messages.iter().map(Row)).enumerate() {
        let body = expected.bytes("body")?;
        let properties = expected.map("properties")?;
        same(&format!("the flag of {i}"), i64::from(found.flag), expected.int("flag")?)?;
        same(&format!("the body of {i}"), found.body, &body)?;
        let map = read_properties(found.properties.as_bytes());
        same(&format!("the properties of {i}"), &map, &properties)?;
        found.encode_into(&mut copied).map_err(|error| error.to_string())?;
        let wire = write_properties(&properties);
        let own = Batched { flag: found.flag, body: &body, properties: Properties::new(&wire) };
        own.encode_into(&mut made).map_err(|error| error.to_string())?;
    }
    same("the batch written", copied, encoded.clone())?;
    same("the length of a batch of our own", made.len(), encoded.len())
}
