//! Half messages, their ends (37) and what clients are asked about them (39):
//! `EndTransactionProcessor`, `TransactionalMessageBridge`, `TransactionalMessageServiceImpl`.
//!
//! A half message that clients are asked about is put behind all others of its topic before, as a
//! copy with a place of its own. As in Java, an end names a place and is done whenever something
//! lies there: a second end of one copy puts the message into its topic once more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::frame::request::{
    CheckTransactionRequest, EndTransactionRequest, QueryMessageRequest,
};
use rocketry_core::frame::{ReplyFields, Request, ResponseCode};
use rocketry_core::message::properties::{self, Properties};
use rocketry_core::message::{OffsetMessageId, Record, RecordList, StoredRecord, sys_flag};
use rocketry_core::time::Instant;

use super::answer::{Answer, Caller, Turn};
use super::fault::words;
use super::node::{MASTER, Node};
use super::store::{Editable, Incoming};
use super::topic::{READ, Topic, WRITE};

/// Where half messages lie.
const HALF: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Where it is written down which of them have ended.
const OP: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Where those go that nobody ends.
const LEFT: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// A copy of one that is not asked about yet says where the first one lies.
const FIRST: &str = "TRAN_PREPARED_QUEUE_OFFSET";
/// How long it may take until ends are written down (`transactionOpBatchInterval`).
const OP_BATCH: Duration = Duration::from_secs(3);

/// Whether a message is a half one, by its properties.
pub(super) fn is_half(wire: &[u8]) -> bool {
    Properties::new(wire).get(properties::TRANSACTION_PREPARED) == Some("true")
}

/// Half messages that nobody has ended.
#[derive(Debug, Default)]
pub(super) struct Halves {
    /// Their offsets in the half topic.
    open: BTreeSet<u64>,
    /// Those that have ended of late, and when, the earliest first: not written down yet.
    ended: VecDeque<(Instant, u64)>,
    /// When clients are asked next.
    due: Option<Instant>,
    /// Whom to ask next.
    turn: usize,
}

impl Halves {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    fn end(&mut self, now: Instant, offset: u64) {
        if self.open.remove(&offset) {
            while self.ended.front().is_some_and(|(at, _)| now.since(*at) >= OP_BATCH) {
                self.ended.pop_front();
            }
            self.ended.push_back((now, offset));
        }
    }

    /// The broker is killed: what was not written down never ended.
    pub(super) fn lose(&mut self, now: Instant) {
        let ended = std::mem::take(&mut self.ended).into_iter();
        self.open.extend(ended.filter(|(at, _)| now.since(*at) < OP_BATCH).map(|(_, half)| half));
    }

    /// The broker ends, and will ask when it is back.
    pub(super) fn restart(&mut self) {
        self.ended.clear();
        self.due = None;
    }
}

impl Node {
    /// Keeps a half message (`parseHalfMessageInner`).
    pub(super) fn prepare(
        &mut self,
        turn: &Turn<'_>,
        message: &Incoming<'_>,
    ) -> Result<(OffsetMessageId, i64), Answer> {
        if turn.config.transactions.rejects {
            let host = self.host();
            let remark = format!("the broker[{host}] sending transaction message is forbidden");
            return Err(Answer::error(ResponseCode::NO_PERMISSION, remark));
        }
        let mut properties = Editable::read(message.properties);
        if let Some(id) = properties.get(properties::UNIQ_KEY).map(str::to_owned) {
            properties.set("__transactionId__", id);
        }
        properties.set(properties::REAL_TOPIC, message.topic);
        properties.set(properties::REAL_QUEUE, message.queue.to_string());
        self.topics.ensure(HALF, 1, READ | WRITE);
        let (wire, sys_flag) = (properties.wire(), message.sys_flag & !sys_flag::TRANSACTION);
        let properties = wire.as_bytes();
        let half = Incoming { topic: HALF, queue: 0, properties, sys_flag, ..*message };
        let (id, offset) = self.append(turn, &half)?;
        self.halves.open.insert(offset as u64);
        self.halves.due.get_or_insert(turn.now + turn.config.transactions.interval);
        Ok((id, offset))
    }

    /// Ends a transaction. To one whose end is not known nothing is answered.
    pub(super) fn end_transaction(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        end: &EndTransactionRequest,
    ) {
        let commit = match end.outcome {
            sys_flag::TRANSACTION_COMMIT => true,
            sys_flag::TRANSACTION_ROLLBACK => false,
            _ => return,
        };
        let answer = self.try_end(turn, end, commit);
        turn.reply(caller, answer.unwrap_or_else(|refused| refused));
    }

    fn try_end(
        &mut self,
        turn: &mut Turn<'_>,
        end: &EndTransactionRequest,
        commit: bool,
    ) -> Result<Answer, Answer> {
        let refused = |remark: &str| Answer::error(ResponseCode::SYSTEM_ERROR, remark);
        if self.id != MASTER {
            let slave = ResponseCode::SLAVE_NOT_AVAILABLE;
            return Err(Answer::error(slave, words(slave)));
        }
        let list = self.look(end.commit_log_offset).map(RecordList::cut);
        let record = list.as_ref().and_then(|list| list.record(0));
        let record = record.filter(|record| record.topic() == HALF);
        let record = record.ok_or_else(|| refused("Find prepared transaction message failed"))?;
        let age = turn.unix.0 - record.born_timestamp().0;
        let immune = record.property(properties::CHECK_IMMUNITY);
        if !end.from_check && immune.is_some_and(|value| age > immunity(turn, value)) {
            return Err(Answer::error(ResponseCode::ILLEGAL_OPERATION, "too late"));
        }
        if record.property(properties::PRODUCER_GROUP) != Some(&*end.producer_group) {
            return Err(refused("The producer group wrong"));
        }
        if record.queue_offset() != end.queue_offset {
            return Err(refused("The transaction state table offset wrong"));
        }
        if commit {
            self.show(turn, &record)?;
        }
        let offset = record.queue_offset();
        self.write_op(turn, offset);
        self.halves.end(turn.now, offset as u64);
        Ok(Answer::fields(ReplyFields::None))
    }

    /// Puts the message of a half one into its topic (`endMessageTransaction`).
    fn show(&mut self, turn: &mut Turn<'_>, half: &Record<'_>) -> Result<(), Answer> {
        let mut properties = Editable::read(half.properties().as_bytes());
        let topic = properties.get(properties::REAL_TOPIC).unwrap_or_default().to_owned();
        let queue = properties.get(properties::REAL_QUEUE).and_then(|queue| queue.parse().ok());
        let of_half =
            [properties::REAL_TOPIC, properties::REAL_QUEUE, properties::TRANSACTION_PREPARED];
        of_half.iter().for_each(|name| properties.remove(name));
        let (wire, body) = (properties.wire(), half.raw_body());
        let place = (topic.as_str(), queue.unwrap_or(0));
        let message = Incoming {
            sys_flag: half.sys_flag() | sys_flag::TRANSACTION_COMMIT,
            prepared: half.commit_log_offset(),
            delay: properties.get(properties::DELAY).and_then(|l| l.parse().ok()).unwrap_or(0),
            ..Incoming::again(half, &body, wire.as_bytes(), place)
        };
        self.put(turn, &message)?;
        self.wake(turn, &topic, place.1, message.tag);
        Ok(())
    }

    /// Writes down that a half message has ended (`writeOp`, each by itself).
    fn write_op(&mut self, turn: &Turn<'_>, offset: i64) {
        self.topics.ensure(OP, 1, READ | WRITE);
        let (body, now) = (format!("{offset},"), turn.unix);
        let op = Incoming {
            topic: OP,
            queue: 0,
            flag: 0,
            sys_flag: 0,
            born_timestamp: now.0,
            born_host: self.store_host,
            reconsume_times: 0,
            body: body.as_bytes(),
            properties: b"TAGS\x01d\x02",
            tag: 100,
            prepared: 0,
            delay: 0,
        };
        // There is a queue for it: nothing else could be refused.
        let _ = self.append(turn, &op);
    }

    /// The messages of a unique id (12, `QueryMessageProcessor`).
    pub(super) fn query_message(&self, ask: &QueryMessageRequest) -> Answer {
        let logs = self.topics.find(&ask.topic).into_iter().flat_map(Topic::logs);
        let mut found = Vec::new();
        for log in logs {
            let list = RecordList::cut(log.all_from(0));
            for record in list.items().filter_map(|item| item.record()) {
                if record.unique_id() == Some(&*ask.key) {
                    found.extend_from_slice(&record.raw());
                }
            }
        }
        if found.is_empty() {
            let remark = "can not find message, maybe time range not correct";
            return Answer::error(ResponseCode::QUERY_NOT_FOUND, remark);
        }
        Answer::body(Bytes::from(found))
    }

    /// When clients are asked next. A broker that is down asks when it is back.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.halves.due.filter(|_| !self.down)
    }

    /// Asks about what is old enough, if it is time.
    pub(super) fn check_due(&mut self, turn: &mut Turn<'_>) {
        if self.down {
            return;
        }
        let interval = turn.config.transactions.interval;
        if self.halves.due.is_none() && !self.halves.open.is_empty() {
            self.halves.due = Some(turn.now + interval);
        }
        if self.halves.due.is_some_and(|due| due <= turn.now) {
            self.round(turn, false);
            self.halves.due = (!self.halves.open.is_empty()).then(|| turn.now + interval);
        }
    }

    /// Asks about all, however young.
    pub(super) fn check_all(&mut self, turn: &mut Turn<'_>) {
        self.round(turn, true);
    }

    /// One round (`TransactionalMessageServiceImpl.check`).
    fn round(&mut self, turn: &mut Turn<'_>, all: bool) {
        for offset in self.halves.open.iter().copied().collect::<Vec<u64>>() {
            let log = self.topics.find(HALF).and_then(|topic| topic.queue(0));
            let Some(bytes) = log.and_then(|log| log.record_at(offset)) else {
                self.halves.open.remove(&offset);
                continue;
            };
            let list = RecordList::cut(Bytes::copy_from_slice(bytes));
            let Some(record) = list.record(0) else { continue };
            let mut properties = Editable::read(record.properties().as_bytes());
            let number = |name: &str, of: &Editable| of.get(name).and_then(|n| n.parse().ok());
            let checked = number(properties::TRANSACTION_CHECK_TIMES, &properties).unwrap_or(0);
            if checked >= i64::from(turn.config.transactions.checks) {
                self.lay_aside(turn, offset, &record);
                continue;
            }
            let age = turn.unix.0 - record.born_timestamp().0;
            let immune = properties.get(properties::CHECK_IMMUNITY).map(|v| immunity(turn, v));
            match immune {
                Some(time) if age <= time && !all => {
                    let first = number(FIRST, &properties).unwrap_or(offset as i64);
                    properties.set(FIRST, first.to_string());
                    self.put_back(turn, offset, &record, &properties);
                    continue;
                }
                // All that follow are younger.
                None if age <= turn.config.transactions.timeout.as_millis() as i64 && !all => {
                    return;
                }
                _ => {}
            }
            properties.set(properties::TRANSACTION_CHECK_TIMES, (checked + 1).to_string());
            if let Some((id, copy)) = self.put_back(turn, offset, &record, &properties) {
                self.ask_producer(turn, &record, &properties, (id, copy));
            }
        }
    }

    /// Puts a half message behind all others (`putBackHalfMsgQueue`). What it had before is passed.
    fn put_back(
        &mut self,
        turn: &Turn<'_>,
        offset: u64,
        record: &Record<'_>,
        properties: &Editable,
    ) -> Option<(OffsetMessageId, i64)> {
        let (wire, body) = (properties.wire(), record.raw_body());
        let copy = Incoming::again(record, &body, wire.as_bytes(), (HALF, 0));
        let put = self.append(turn, &copy).ok()?;
        self.halves.open.remove(&offset);
        self.halves.open.insert(put.1 as u64);
        Some(put)
    }

    /// One that was asked about too often is laid aside (`resolveDiscardMsg`).
    fn lay_aside(&mut self, turn: &Turn<'_>, offset: u64, record: &Record<'_>) {
        self.topics.ensure(LEFT, 1, READ | WRITE);
        let (wire, body) = (record.properties().as_bytes(), record.raw_body());
        let left = Incoming::again(record, &body, wire, (LEFT, 0));
        // There is a queue for it: nothing else could be refused.
        let _ = self.append(turn, &left);
        self.halves.open.remove(&offset);
    }

    /// Asks one client of the group, the next in turn (`sendCheckMessage`,
    /// `getAvailableChannel`).
    fn ask_producer(
        &mut self,
        turn: &mut Turn<'_>,
        record: &Record<'_>,
        properties: &Editable,
        (id, offset): (OffsetMessageId, i64),
    ) {
        let producers =
            self.groups.producers(properties.get(properties::PRODUCER_GROUP).unwrap_or_default());
        if producers.is_empty() {
            return;
        }
        self.halves.turn += 1;
        let conn = producers[self.halves.turn % producers.len()];
        let unique: Option<Arc<str>> = properties.get(properties::UNIQ_KEY).map(Arc::from);
        let topic = properties.get(properties::REAL_TOPIC).unwrap_or_default();
        let queue = properties.get(properties::REAL_QUEUE).and_then(|queue| queue.parse().ok());
        let (wire, body) = (properties.wire(), record.raw_body());
        let half = StoredRecord {
            queue_id: queue.unwrap_or(0),
            queue_offset: offset,
            commit_log_offset: id.offset as i64,
            ..StoredRecord::of(record, topic, &body, wire.as_bytes())
        };
        let mut body = Vec::new();
        half.encode_into(&mut body);
        let request = Request::CheckTransaction(CheckTransactionRequest {
            // Java's says the half topic here.
            topic: Some(Arc::from(HALF)),
            queue_offset: offset,
            commit_log_offset: id.offset as i64,
            message_id: unique.clone(),
            transaction_id: unique,
            offset_message_id: Some(Arc::from(id.to_string())),
            broker: Some(self.name.clone()),
            ..CheckTransactionRequest::default()
        });
        turn.out.ask(conn, request, Bytes::from(body), true);
    }
}

/// The time of that property in milliseconds; the broker's own where it is -1
/// (`TransactionalMessageUtil.getImmunityTime`).
fn immunity(turn: &Turn<'_>, value: &str) -> i64 {
    match value.parse::<i64>() {
        Ok(seconds) if seconds != -1 => seconds.saturating_mul(1000),
        _ => turn.config.transactions.timeout.as_millis() as i64,
    }
}
