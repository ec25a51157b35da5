//! One queue's log: stored records end to end in segments, and an index by queue offset.

use bytes::Bytes;
use rocketry_core::time::UnixMillis;

use super::poll::PollId;
use super::subscription::Filter;

/// Bytes of a full segment; the first ones are smaller, since most queues of tests stay small.
const SEGMENT: usize = 1 << 20;
const FIRST_SEGMENT: usize = 16 << 10;
/// Messages one pull looks at when none matches (`maxFilterMessageSize` 16,000 bytes of consume
/// queue entries of 20 bytes).
const SCAN: u64 = 800;
/// Where a record says where it lies in the commit log.
const LOG_POSITION: std::ops::Range<usize> = 28..36;

#[derive(Clone, Copy, Debug)]
struct Entry {
    segment: u32,
    start: u32,
    length: u32,
    tag: i32,
    stored: UnixMillis,
}

/// Which end of a time's messages a search wants (`BoundaryType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    /// The first message of that time, or the first one later.
    Lower,
    /// The last message of that time, or the last one earlier.
    Upper,
    /// Whichever is nearer, the earlier one of two: before 5.0.
    Nearest,
}

/// How much one read may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimits {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// What a read found, after Java's `GetMessageStatus`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Records, and the offset to go on from.
    Found { records: Bytes, next: u64 },
    /// Nothing up to `next` matched the filter.
    NoneMatched { next: u64 },
    /// The queue is empty; from another offset than 0 that is an error.
    Empty,
    /// The offset is that of the next message to come.
    AtEnd,
    /// The offset is before the first message.
    TooSmall,
    /// The offset is past the next message to come.
    TooLarge,
}

#[derive(Debug, Default)]
pub(super) struct QueueLog {
    segments: Vec<Vec<u8>>,
    index: Vec<Entry>,
    min: u64,
    /// Pulls held until something arrives; ids of settled ones may linger.
    pub(super) waiting: Vec<PollId>,
}

impl QueueLog {
    pub(super) const fn min(&self) -> u64 {
        self.min
    }

    pub(super) const fn max(&self) -> u64 {
        self.index.len() as u64
    }

    /// Appends the record that `write` puts at the end of the segment it is given; returns its
    /// size in bytes.
    pub(super) fn append(
        &mut self,
        tag: i32,
        stored: UnixMillis,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> u64 {
        let full = self.segments.last().is_none_or(|s| s.capacity() - s.len() < size);
        if full {
            let grown = FIRST_SEGMENT << self.segments.len().min(8);
            self.segments.push(Vec::with_capacity(grown.min(SEGMENT).max(size)));
        }
        let segment = self.segments.len().saturating_sub(1);
        let Some(bytes) = self.segments.get_mut(segment) else { return 0 };
        let start = bytes.len();
        write(bytes);
        let length = bytes.len() - start;
        self.index.push(Entry {
            segment: segment as u32,
            start: start as u32,
            length: length as u32,
            tag,
            stored,
        });
        length as u64
    }

    fn record(&self, entry: &Entry) -> &[u8] {
        let from = entry.start as usize;
        self.segments
            .get(entry.segment as usize)
            .and_then(|s| s.get(from..from + entry.length as usize))
            .unwrap_or_default()
    }

    /// The message at an offset, if it is still kept.
    fn kept_at(&self, offset: u64) -> Option<&Entry> {
        self.kept().get(usize::try_from(offset.checked_sub(self.min)?).ok()?)
    }

    /// The record at an offset, if it is still kept.
    pub(super) fn record_at(&self, offset: u64) -> Option<&[u8]> {
        self.kept_at(offset).map(|entry| self.record(entry))
    }

    /// When the message at an offset was stored, if it is still kept.
    pub(super) fn stored_at(&self, offset: u64) -> Option<UnixMillis> {
        self.kept_at(offset).map(|entry| entry.stored)
    }

    /// The record that lies at this place of the commit log, if it is one of this queue and still
    /// kept. Records lie there in the order of their offsets.
    pub(super) fn record_in_log(&self, position: u64) -> Option<&[u8]> {
        let lies = |entry: &Entry| {
            let bytes = self.record(entry).get(LOG_POSITION)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        let place = self.kept().binary_search_by_key(&Some(position), lies).ok()?;
        self.kept().get(place).map(|entry| self.record(entry))
    }

    /// Reads on from `offset` (`DefaultMessageStore.getMessage`).
    pub(super) fn read(&self, offset: i64, limits: ReadLimits, filter: &Filter) -> Read {
        if self.index.is_empty() {
            return Read::Empty;
        }
        let Ok(offset) = u64::try_from(offset) else { return Read::TooSmall };
        if offset < self.min {
            return Read::TooSmall;
        }
        if offset >= self.max() {
            return if offset == self.max() { Read::AtEnd } else { Read::TooLarge };
        }
        let mut next = offset;
        let mut records = Vec::new();
        let mut taken = 0;
        for entry in
            self.index.iter().skip(offset as usize).take(SCAN.max(limits.messages as u64) as usize)
        {
            let length = entry.length as usize;
            if taken > 0 && (taken >= limits.messages || records.len() + length > limits.bytes) {
                break;
            }
            next += 1;
            if !filter.matches(entry.tag, self.record(entry)) {
                continue;
            }
            if taken == 0 {
                records.reserve(limits.bytes.min(length * limits.messages.max(1)).max(length));
            }
            records.extend_from_slice(self.record(entry));
            taken += 1;
        }
        match taken {
            0 => Read::NoneMatched { next },
            _ => Read::Found { records: Bytes::from(records), next },
        }
    }

    /// When the first message still kept was stored.
    pub(super) fn earliest(&self) -> Option<UnixMillis> {
        self.kept().first().map(|entry| entry.stored)
    }

    fn kept(&self) -> &[Entry] {
        self.index.get(self.min as usize..).unwrap_or_default()
    }

    /// The offset that belongs to a time (`ConsumeQueue.getOffsetInQueueByTime`, and
    /// `ConsumeQueueStore`, which keeps it within the queue).
    pub(super) fn search(&self, time: UnixMillis, boundary: Boundary) -> u64 {
        let kept = self.kept();
        let lower = kept.partition_point(|entry| entry.stored < time);
        let upper = kept.partition_point(|entry| entry.stored <= time).saturating_sub(1);
        let found = match boundary {
            Boundary::Lower => lower,
            Boundary::Upper => upper,
            Boundary::Nearest => match (kept.get(lower), kept.get(upper)) {
                (Some(later), Some(earlier)) if earlier.stored <= time => {
                    let nearer = later.stored.0 - time.0 < time.0 - earlier.stored.0;
                    if nearer || later.stored == time { lower } else { upper }
                }
                (None, _) => upper,
                _ => lower,
            },
        };
        self.min + found as u64
    }

    /// Whether a message from an offset on passes a filter, of those that one pull looks at.
    pub(super) fn has_from(&self, offset: i64, filter: &Filter) -> bool {
        let offset = usize::try_from(offset).unwrap_or(0);
        let mut entries = self.index.iter().skip(offset).take(SCAN as usize);
        entries.any(|entry| filter.matches(entry.tag, self.record(entry)))
    }

    /// Takes over what a master's log has beyond this one, and lets go what it let go; returns the
    /// tags of the new messages.
    pub(super) fn follow(&mut self, master: &Self) -> Vec<i32> {
        let mut tags = Vec::new();
        for entry in master.index.iter().skip(self.index.len()) {
            let record = master.record(entry);
            self.append(entry.tag, entry.stored, record.len(), |out| {
                out.extend_from_slice(record);
            });
            tags.push(entry.tag);
        }
        self.expire(master.min);
        tags
    }

    /// Every record from `offset` on that is still kept, end to end.
    pub(super) fn all_from(&self, offset: u64) -> Bytes {
        let kept = self.index.iter().skip(self.min.max(offset) as usize);
        Bytes::from(kept.map(|entry| self.record(entry)).collect::<Vec<&[u8]>>().concat())
    }

    /// Lets the messages before `offset` go, as retention does.
    pub(super) fn expire(&mut self, offset: u64) {
        self.min = offset.clamp(self.min, self.max());
    }
}
