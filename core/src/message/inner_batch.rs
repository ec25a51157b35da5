//! Takes apart batches that a broker stored as one record each (batch queues, from 5.0 on).
//!
//! Such a record has both flags `NEED_UNWRAP` and `INNER_BATCH`, and the body of a batch send. Its
//! message `i` stands at the record's queue offset plus `i` and takes all else from the record
//! (`MessageDecoder.decodeMessage`). Each is written anew as a record of its own, so that readers
//! of a list need not know: batch queues are rare, and everybody else pays nothing.

use super::batch::{BatchBody, Batched};
use super::record::{Layout, Record, RecordError};
use super::record_list::{Entry, RecordList};
use super::stored::StoredRecord;
use super::sys_flag::{COMPRESSED, COMPRESSION_TYPE, INNER_BATCH, NEED_UNWRAP};

const BATCH: i32 = NEED_UNWRAP | INNER_BATCH;

/// Whether a record with this system flag holds a batch.
pub(super) const fn is_batch(sys_flag: i32) -> bool {
    sys_flag & BATCH == BATCH
}

/// The same list with each batch replaced by its messages.
pub(super) fn unwrap(list: &RecordList) -> RecordList {
    let limit = list.opened_max();
    // What all batches of one pull reply together may open to and be written anew as.
    let room = 2 * limit as usize;
    let mut unwrapped = Unwrapped { bytes: Vec::new(), index: Vec::new(), room, limit };
    for (i, entry) in list.entries().iter().enumerate() {
        match list.record(i).filter(|record| record.layout.batch) {
            Some(batch) => unwrapped.take_apart(&batch),
            None => unwrapped.keep(list.raw_bytes(entry), entry.layout),
        }
    }
    RecordList::of(unwrapped.bytes.into_boxed_slice().into(), unwrapped.index, limit)
}

struct Unwrapped {
    bytes: Vec<u8>,
    index: Vec<Entry>,
    /// Bytes that may still be opened or written.
    room: usize,
    /// Bytes that one body may open to.
    limit: u32,
}

impl Unwrapped {
    /// Takes `raw` over as it is.
    fn keep(&mut self, raw: &[u8], layout: Result<Layout, RecordError>) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(raw);
        self.index.push(Entry { start, length: raw.len() as u32, layout });
    }

    /// Takes the batch over as one undecodable item that begins with its message `from`.
    fn report(&mut self, batch: &Record<'_>, from: u32, reason: RecordError) {
        let start = self.bytes.len();
        self.keep(batch.raw, Err(reason));
        let offset = batch.queue_offset().saturating_add(from.into());
        if let Some(place) = self.bytes.get_mut(start + 20..start + 28) {
            place.copy_from_slice(&offset.to_be_bytes());
        }
    }

    fn take_apart(&mut self, record: &Record<'_>) {
        let too_large = RecordError::TooLarge { limit: self.limit };
        if self.room == 0 {
            return self.report(record, 0, too_large);
        }
        let body = match record.body() {
            Ok(body) => body,
            Err(reason) => return self.report(record, 0, reason),
        };
        self.room = self.room.saturating_sub(body.len());
        let mut index = 0;
        for message in BatchBody::new(&body) {
            let Ok(message) = message else {
                return self.report(record, index, RecordError::InnerBatch { index });
            };
            if self.room == 0 {
                return self.report(record, index, too_large);
            }
            self.write(record, index, &message);
            index += 1;
        }
        if index == 0 {
            self.report(record, 0, RecordError::InnerBatch { index });
        }
    }

    fn write(&mut self, batch: &Record<'_>, index: u32, message: &Batched<'_>) {
        let start = self.bytes.len();
        let (topic, properties) = (batch.topic(), message.properties.as_bytes());
        StoredRecord {
            flag: message.flag,
            queue_offset: batch.queue_offset().saturating_add(index.into()),
            // `INNER_BATCH` stays: what is at its commit log offset is all of the batch.
            sys_flag: batch.sys_flag() & !(NEED_UNWRAP | COMPRESSED | COMPRESSION_TYPE),
            ..StoredRecord::of(batch, &topic, message.body, properties)
        }
        .encode_into(&mut self.bytes);
        let length = self.bytes.len() - start;
        self.room = self.room.saturating_sub(length);
        let layout = Layout::of(&self.bytes[start..]);
        self.index.push(Entry { start: start as u32, length: length as u32, layout });
    }
}
