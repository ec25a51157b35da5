//! Signatures, shares of queues, and traces.

use std::collections::BTreeSet;
use std::sync::Arc;

use rocketry_core::allocation::{Allocation, Queue, Strategy};
use rocketry_core::auth::Credentials;
use rocketry_core::time::UnixMillis;
use rocketry_core::trace::{
    AccessChannel, ConsumeOutcome, TraceContext, TraceKind, TraceMessage, TraceMessageKind,
};

use super::row::Row;
use super::same;

pub(super) fn signature(row: Row<'_>) -> Result<(), String> {
    let mut credentials = Credentials::new(row.text("access_key")?, row.text("secret_key")?);
    if let Some(token) = row.maybe("security_token") {
        credentials = credentials.security_token(token);
    }
    let (fields, body) = (row.map("ext")?, row.bytes("body")?);
    let fields = || fields.iter().map(|(name, value)| (*name, *value));
    same("the content", credentials.content(fields(), &body), row.bytes("content")?)?;
    let signature = credentials.sign(fields(), &body);
    same("the signature", signature.as_str(), row.text("signature")?)
}

/// The topic that the rows' queues belong to; only consistent hashing looks at it.
const TOPIC: &str = "T";

pub(super) fn allocation(row: Row<'_>) -> Result<(), String> {
    let strategy = match row.text("strategy")? {
        "AVG" => Strategy::Average,
        "AVG_BY_CIRCLE" => Strategy::Circle,
        "CONSISTENT_HASH" => Strategy::ConsistentHash { virtual_nodes: 10 },
        other => return Err(format!("the strategy {other:?} needs more than a row says")),
    };
    same("the strategy's name", strategy.name().as_str(), row.text("strategy")?)?;
    let queues: Option<Vec<Queue>> = row.texts("queues")?.into_iter().map(queue).collect();
    let queues = queues.ok_or("a queue is not broker:id")?;
    let members = row.texts("client_ids")?.into_iter().map(Arc::from).collect();
    let allocation = Allocation::new(TOPIC.into(), queues, members);
    let topic = row.maybe("topic").unwrap_or(TOPIC);
    same("the topic", topic, TOPIC)?;
    let assigned = Row(&row.0["assigned"]);
    for member in allocation.members() {
        let share = allocation.share(&strategy, member).map_err(|error| error.to_string())?;
        let share: BTreeSet<String> = share
            .iter()
            .map(|place| &allocation.queues()[*place])
            .map(|queue| format!("{}:{}", queue.broker, queue.id))
            .collect();
        let expected = assigned.texts(member)?.into_iter().map(str::to_owned).collect();
        same(&format!("the share of {member}"), share, expected)?;
    }
    Ok(())
}

fn queue(text: &str) -> Option<Queue> {
    let (broker, id) = text.rsplit_once(':')?;
    Some(Queue { broker: broker.into(), id: id.parse().ok()? })
}

pub(super) fn trace(row: Row<'_>) -> Result<(), String> {
    let text = String::from_utf8(row.bytes("data_hex")?).map_err(|error| error.to_string())?;
    let context = context(row)?;
    let mut written = String::new();
    context.encode_into(&mut written);
    same("the text", written.as_str(), &text)?;
    same("the keys", context.keys(), row.texts("keys")?.into_iter().collect())?;
    let read = TraceContext::parse(&text).map_err(|error| error.to_string())?;
    let mut again = String::new();
    for context in &read {
        context.encode_into(&mut again);
    }
    same("the text read and written again", again, text)?;
    let ids = |messages: &[TraceMessage]| -> Vec<String> {
        messages.iter().map(|message| message.message_id.clone()).collect()
    };
    let found: Vec<String> = read.iter().flat_map(|context| ids(&context.messages)).collect();
    same("the ids read", found, ids(&context.messages))
}

fn context(row: Row<'_>) -> Result<TraceContext, String> {
    let name = row.text("type")?;
    let kind = TraceKind::ALL.into_iter().find(|kind| kind.name() == name);
    let mut context = TraceContext::new(kind.ok_or_else(|| format!("no kind {name:?}"))?);
    context.timestamp = UnixMillis(row.int("timestamp")?);
    context.region = row.text("region_id")?.to_owned();
    context.group = row.text("group")?.to_owned();
    context.cost_millis = row.int("cost_time")? as i32;
    context.success = row.flag("success")?;
    context.request_id = row.text("request_id")?.to_owned();
    context.outcome = match row.int("context_code")? {
        1 => ConsumeOutcome::TimedOut,
        2 => ConsumeOutcome::Panicked,
        3 => ConsumeOutcome::NoResult,
        4 => ConsumeOutcome::Failed,
        _ => ConsumeOutcome::Success,
    };
    if row.maybe("access_channel") == Some("CLOUD") {
        context.channel = AccessChannel::Cloud;
    }
    let beans = row.list("beans")?.iter().map(Row);
    context.messages = beans.map(message).collect::<Result<_, _>>()?;
    Ok(context)
}

fn message(bean: Row<'_>) -> Result<TraceMessage, String> {
    let some = |key: &str| bean.maybe(key).map(str::to_owned);
    // Written `Trans_Msg_Half=1`: its name and its ordinal.
    let kind = match bean.maybe("msg_type").and_then(|text| text.rsplit_once('=')) {
        Some((_, "1")) => TraceMessageKind::TransactionHalf,
        Some((_, "2")) => TraceMessageKind::TransactionCommit,
        Some((_, "3")) => TraceMessageKind::Delay,
        Some((_, "4")) => TraceMessageKind::Order,
        _ => TraceMessageKind::Normal,
    };
    Ok(TraceMessage {
        topic: bean.text("topic")?.to_owned(),
        message_id: bean.text("msg_id")?.to_owned(),
        offset_message_id: some("offset_msg_id"),
        tags: some("tags"),
        keys: some("keys"),
        store_host: bean.text("store_host")?.to_owned(),
        retry_times: bean.int("retry_times")? as i32,
        body_length: bean.int("body_length")? as i32,
        kind,
        transaction_id: some("transaction_id"),
        transaction_state: some("transaction_state"),
        from_check: bean.flag("from_check")?,
    })
}
