//! The stored messages of one pull reply, cut by each record's own size.

use std::fmt;

use bytes::Bytes;

use super::compression::LIMIT;
use super::inner_batch;
use super::record::{Layout, MAGIC_V1, MAGIC_V2, NAMED, Record, RecordError, bytes_at};

/// The body of a pull reply, cut into its records.
///
/// Cutting looks at sizes only and allocates one index, whatever the number of records. No record
/// can hide its neighbours: one that can't be read is an [`Item::Undecodable`], and the next is
/// read. Only where a record's size itself can't be true is the rest one undecodable item.
#[derive(Clone)]
pub struct RecordList {
    body: Bytes,
    index: Vec<Entry>,
    /// Bytes that `body` keeps alive.
    pinned: usize,
    /// Bytes that each compressed body may open to.
    opened_max: u32,
}

impl Default for RecordList {
    fn default() -> Self {
        Self::of(Bytes::new(), Vec::new(), LIMIT)
    }
}

/// An item that is taken out of a list by itself is copied when the list is so many times larger:
/// it may be kept for long, and would keep all its neighbours.
const SMALL: usize = 8;

/// Where an item lies, and how to read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) layout: Result<Layout, RecordError>,
}

/// One place in a pull reply.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A record whose parts all lie within it. Its body may still turn out to be damaged.
    Record(Record<'a>),
    /// Bytes that are no readable record.
    Undecodable(Undecodable<'a>),
}

impl<'a> Item<'a> {
    /// The place in the queue, if that much can be read. Never negative.
    pub fn queue_offset(&self) -> Option<i64> {
        match self {
            Self::Record(record) => Some(record.queue_offset()),
            Self::Undecodable(undecodable) => undecodable.queue_offset,
        }
    }

    /// The record, if it is one.
    pub const fn record(self) -> Option<Record<'a>> {
        match self {
            Self::Record(record) => Some(record),
            Self::Undecodable(_) => None,
        }
    }
}

/// Bytes in a pull reply that are no readable record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Undecodable<'a> {
    /// Its place in the queue, if that much can be read. When the reason is
    /// [`RecordError::Size`], further messages may be hidden in the same bytes.
    pub queue_offset: Option<i64>,
    /// The bytes.
    pub raw: &'a [u8],
    /// What is wrong with them.
    pub reason: RecordError,
}

impl Undecodable<'_> {
    /// Where it is in the broker's log, if it has the head of a record, and no batch in it.
    pub(crate) fn commit_log_offset(&self) -> Option<i64> {
        let magic = u32::from_be_bytes(bytes_at(self.raw, 4)?);
        let known = matches!(magic, MAGIC_V1 | MAGIC_V2) && !inner_batch::is_batch(self.raw);
        let whole = known && !matches!(self.reason, RecordError::Size { .. });
        let offset = i64::from_be_bytes(bytes_at(self.raw, 28)?);
        Some(offset).filter(|offset| whole && *offset >= 0)
    }
}

impl RecordList {
    /// Cuts the body of a pull reply, whose compressed messages may open to 32 MiB each. Any bytes
    /// will do.
    pub fn cut(body: Bytes) -> Self {
        let pinned = body.len();
        Self::cut_within(body, pinned, LIMIT)
    }

    /// As [`cut`](Self::cut), of a body that keeps `pinned` bytes alive ([`Frame::held`]), with a
    /// limit of its own for each compressed message.
    ///
    /// [`Frame::held`]: crate::frame::Frame::held
    ///
    /// A batch that the broker keeps as one record comes out as its messages, each at its own queue
    /// offset. That copies the list's bytes and opens the batch at once; messages of a batch that
    /// can't be read, or don't fit into twice the limit together, are one [`Item::Undecodable`],
    /// which holds the whole batch and the offset of the first of them.
    pub fn cut_within(body: Bytes, pinned: usize, opened_max: u32) -> Self {
        // A frame's length has 31 bits, so nothing is ever dropped here.
        let body = body.slice(..body.len().min(u32::MAX as usize));
        let mut index = Vec::with_capacity(Steps::over(&body).count());
        let mut batches = false;
        for (start, size) in Steps::over(&body) {
            let length = size.unwrap_or(body.len() - start);
            let layout = match size {
                Some(size) => Layout::of(&body[start..start + size]),
                None => Err(lost(&body[start..])),
            };
            batches |= layout.is_ok() && inner_batch::is_batch(&body[start..start + length]);
            index.push(Entry { start: start as u32, length: length as u32, layout });
        }
        let list = Self { body, index, pinned, opened_max };
        // Where frames can't come from, positions could not be counted any more.
        if batches && list.body.len() <= i32::MAX as usize {
            return inner_batch::unwrap(&list);
        }
        list
    }

    /// A list whose body has its memory to itself.
    pub(super) const fn of(body: Bytes, index: Vec<Entry>, opened_max: u32) -> Self {
        let pinned = body.len();
        Self { body, index, pinned, opened_max }
    }

    pub(super) const fn opened_max(&self) -> u32 {
        self.opened_max
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.index
    }

    /// How many items there are, readable or not.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes of the items as stored.
    pub fn byte_len(&self) -> usize {
        self.body.len()
    }

    /// Bytes of memory that this list holds: what its body keeps alive, and the index. The body of
    /// a message that is taken from it keeps the former alive.
    pub fn held(&self) -> usize {
        self.pinned + self.index.capacity() * size_of::<Entry>()
    }

    /// The item at `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Self::len`], as with a slice.
    pub fn item(&self, i: usize) -> Item<'_> {
        let entry = self.index[i];
        let start = entry.start as usize;
        let raw = &self.body[start..start + entry.length as usize];
        match entry.layout {
            Ok(layout) => {
                let (list, opened_max) = (&self.body, self.opened_max);
                Item::Record(Record { list, opened_max, start, raw, layout })
            }
            Err(reason) => {
                let queue_offset = queue_offset_of(raw);
                Item::Undecodable(Undecodable { queue_offset, raw, reason })
            }
        }
    }

    /// The record at `i`; `None` when that item can't be read, or there is none.
    pub fn record(&self, i: usize) -> Option<Record<'_>> {
        if i < self.len() { self.item(i).record() } else { None }
    }

    /// The queue offset of item `i`, also of an undecodable one if that much can be read.
    pub fn queue_offset(&self, i: usize) -> Option<i64> {
        let entry = self.index.get(i)?;
        queue_offset_of(&self.body[entry.start as usize..][..entry.length as usize])
    }

    /// Bytes of item `i` as stored; 0 when there is none.
    pub fn raw_len(&self, i: usize) -> usize {
        self.index.get(i).map_or(0, |entry| entry.length as usize)
    }

    /// The stored bytes of item `i`; empty when there is none. They share the list's memory, or
    /// are a copy where they are an eighth of it or less: what is kept keeps little else.
    pub fn raw(&self, i: usize) -> Bytes {
        self.index.get(i).map_or_else(Bytes::new, |entry| {
            let start = entry.start as usize;
            let range = start..start + entry.length as usize;
            if range.len().saturating_mul(SMALL) <= self.pinned {
                Bytes::copy_from_slice(&self.body[range])
            } else {
                self.body.slice(range)
            }
        })
    }

    /// The item at `i` alone, as a copy that shares no memory with this list.
    ///
    /// # Panics
    /// If `i` is not below [`Self::len`], as with a slice.
    #[cfg(feature = "client")]
    pub(crate) fn single(&self, i: usize) -> Self {
        let entry = self.index[i];
        let raw = Bytes::copy_from_slice(self.raw_bytes(&entry));
        Self::of(raw, vec![Entry { start: 0, ..entry }], self.opened_max)
    }

    pub(super) fn raw_bytes(&self, entry: &Entry) -> &[u8] {
        &self.body[entry.start as usize..][..entry.length as usize]
    }

    /// All items, in the order the broker sent them: that of their queue offsets.
    pub fn items(&self) -> impl ExactSizeIterator<Item = Item<'_>> + DoubleEndedIterator + '_ {
        (0..self.len()).map(|i| self.item(i))
    }
}

/// The same bytes are cut in the same way.
impl PartialEq for RecordList {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body
    }
}

impl Eq for RecordList {}

impl fmt::Debug for RecordList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordList")
            .field("items", &self.len())
            .field("bytes", &self.byte_len())
            .finish()
    }
}

/// Shows the number of bytes instead of the bytes.
impl fmt::Debug for Undecodable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undecodable")
            .field("queue_offset", &self.queue_offset)
            .field("bytes", &self.raw.len())
            .field("reason", &self.reason)
            .finish()
    }
}

/// Steps from record to record by their sizes: start and size of each, and no size for a rest in
/// which the next record can't be found.
struct Steps<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Steps<'a> {
    const fn over(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }
}

impl Iterator for Steps<'_> {
    type Item = (usize, Option<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let left = self.body.len() - start;
        if left == 0 {
            return None;
        }
        // A size too small to name the message is taken for damage too: stepping by it would tell
        // nothing, and would let a peer make the index larger than what it sent.
        let size = bytes_at(self.body, start).map_or(0, u32::from_be_bytes) as usize;
        if (NAMED..=left).contains(&size) {
            self.at += size;
            Some((start, Some(size)))
        } else {
            self.at = self.body.len();
            Some((start, None))
        }
    }
}

/// What is wrong where the next record can't be found.
fn lost(rest: &[u8]) -> RecordError {
    let found = bytes_at(rest, 0).map_or(0, u32::from_be_bytes);
    RecordError::Size { found, left: rest.len() as u32 }
}

fn queue_offset_of(raw: &[u8]) -> Option<i64> {
    bytes_at(raw, 20).map(i64::from_be_bytes).filter(|offset| *offset >= 0)
}
