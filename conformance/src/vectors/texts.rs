//! Message ids, properties, hashes and tag expressions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rocketry_core::consumer::Filter;
use rocketry_core::message::{OffsetMessageId, Properties, java_string_hash};

use super::row::Row;
use super::same;

pub(super) fn message_id(row: Row<'_>) -> Result<(), String> {
    let ip = row.text("host")?.parse().map_err(|_| "\"host\" is no address".to_owned())?;
    let port = u16::try_from(row.int("port")?).map_err(|_| "\"port\" is none".to_owned())?;
    let id = OffsetMessageId { addr: SocketAddr::new(ip, port), offset: row.int("offset")? as u64 };
    let text = row.text("id")?;
    same("the id written", id.to_string().as_str(), text)?;
    let read = OffsetMessageId::parse(text).map_err(|error| error.to_string())?;
    same("the id read", read, id)
}

pub(super) fn properties(row: Row<'_>) -> Result<(), String> {
    let wire = row.bytes("text_hex")?;
    let expected = row.map("properties")?;
    same("the map read", read_properties(&wire), expected.clone())?;
    if row.maybe("decode_only").is_none() && row.0["decode_only"].as_bool() != Some(true) {
        let written = write_properties(&expected);
        same("the text's length", written.len(), wire.len())?;
        same("the map read again", read_properties(&written), expected)?;
    }
    Ok(())
}

pub(super) fn read_properties(wire: &[u8]) -> BTreeMap<&str, &str> {
    Properties::new(wire).iter().collect()
}

pub(super) fn write_properties(properties: &BTreeMap<&str, &str>) -> Vec<u8> {
    let text = |(name, value)| format!("{name}\u{1}{value}\u{2}").into_bytes();
    properties.iter().flat_map(text).collect()
}

pub(super) fn hash(row: Row<'_>) -> Result<(), String> {
    let hash = java_string_hash(row.text("key")?);
    same("the hash", i64::from(hash), row.int("java_hash")?)?;
    let queues = row.int("queues")?.max(1);
    // `SelectMessageQueueByHash`: the absolute value, and 0 for the number that has none.
    let selected = i64::from(hash.checked_abs().unwrap_or(0)) % queues;
    same("the queue", selected, row.int("selected")?)
}

pub(super) fn subscription(row: Row<'_>) -> Result<(), String> {
    let parse = |text: &str| Filter::parse(text).map_err(|error| error.to_string());
    let expression = parse(row.text("expression")?)?;
    let again = parse(row.text("sub_string")?)?;
    same("the text that is sent, read again", &again, &expression)?;
    same("our text, read again", &parse(&expression.text())?, &expression)?;
    let tags: BTreeSet<&str> = match &expression {
        Filter::Tags(tags) => tags.iter().collect(),
        _ => BTreeSet::new(),
    };
    same("the set of tags", &tags, &row.texts("tags")?.into_iter().collect())?;
    let codes: BTreeSet<i64> = tags.iter().map(|tag| java_string_hash(tag).into()).collect();
    let expected = row.list("codes")?.iter().filter_map(serde_json::Value::as_i64).collect();
    same("the set of codes", codes, expected)
}
