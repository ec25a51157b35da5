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
    /// The first and the last queue offset, where each item has a greater one than that before it.
    ascending: Option<(i64, i64)>,
}

impl Default for RecordList {
    fn default() -> Self {
        Self::of(Bytes::new(), Vec::new(), LIMIT)
    }
}

/// An item that is taken out of a list by itself is copied when the list is so many times larger:
/// it may be kept for long, and would keep all its neighbours.
const SMALL: usize = 8;
/// Where there may be more items than pulls ask for, they are counted.
const USUAL: usize = 32;

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
        let flag = bytes_at(self.raw, 36).map_or(0, i32::from_be_bytes);
        let known = matches!(magic, MAGIC_V1 | MAGIC_V2) && !inner_batch::is_batch(flag);
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
        let many = body.len() / size_at(&body).max(NAMED) > USUAL;
        let room = if many { count(&body) } else { body.len().div_ceil(NAMED).min(USUAL) };
        let mut index = Vec::with_capacity(room);
        let (mut batches, mut start) = (false, 0);
        let (mut ascending, mut lowest, mut last) = (true, 0, -1);
        while start < body.len() {
            let rest = &body[start..];
            if index.len() == index.capacity() {
                index.reserve_exact(count(rest));
            }
            let (length, layout) = match first(rest) {
                Some(raw) => (raw.len(), Layout::of(raw)),
                None => (rest.len(), Err(lost(rest))),
            };
            batches |= layout.is_ok_and(|layout| layout.batch);
            let offset = layout.ok().and_then(|_| queue_offset_of(rest)).unwrap_or(-1);
            ascending &= offset > last;
            if start == 0 {
                lowest = offset;
            }
            last = offset;
            index.push(Entry { start: start as u32, length: length as u32, layout });
            start += length;
        }
        let ascending = (ascending && start > 0).then_some((lowest, last));
        let list = Self { body, index, pinned, opened_max, ascending };
        // Where frames can't come from, positions could not be counted any more.
        if batches && list.body.len() <= i32::MAX as usize {
            return inner_batch::unwrap(&list);
        }
        list
    }

    /// A list whose body has its memory to itself.
    pub(super) const fn of(body: Bytes, index: Vec<Entry>, opened_max: u32) -> Self {
        let pinned = body.len();
        Self { body, index, pinned, opened_max, ascending: None }
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

    /// Whether item `i` is a record whose body is as it is stored, its checksum looked at.
    #[cfg(feature = "client")]
    pub(crate) fn is_plain(&self, i: usize) -> bool {
        self.record(i).is_some_and(|record| record.is_plain())
    }

    /// The queue offset of item `i`, also of an undecodable one if that much can be read.
    pub fn queue_offset(&self, i: usize) -> Option<i64> {
        let entry = self.index.get(i)?;
        queue_offset_of(&self.body[entry.start as usize..][..entry.length as usize])
    }

    /// The first and the last queue offset, where it was seen that each item has one, greater than
    /// that before it.
    pub(crate) const fn ascending(&self) -> Option<(i64, i64)> {
        self.ascending
    }

    /// The queue offset of each item, as [`queue_offset`](Self::queue_offset) gives it.
    pub(crate) fn queue_offsets(&self) -> impl Iterator<Item = Option<i64>> + '_ {
        self.index.iter().map(|entry| queue_offset_of(self.raw_bytes(entry)))
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

/// What the record that begins here says of its size; 0 where not even that is there.
fn size_at(rest: &[u8]) -> usize {
    bytes_at(rest, 0).map_or(0, u32::from_be_bytes) as usize
}

/// The record that begins here, if its size can be true. One too small to name the message is taken
/// for damage too: stepping by it would tell nothing, and would let a peer make the index larger
/// than what it sent.
#[inline]
fn first(rest: &[u8]) -> Option<&[u8]> {
    rest.get(..size_at(rest)).filter(|raw| raw.len() >= NAMED)
}

/// How many items there are.
fn count(mut rest: &[u8]) -> usize {
    let mut items = 0;
    while !rest.is_empty() {
        rest = first(rest).map_or(&[], |raw| &rest[raw.len()..]);
        items += 1;
    }
    items
}

/// What is wrong where the next record can't be found.
fn lost(rest: &[u8]) -> RecordError {
    RecordError::Size { found: size_at(rest) as u32, left: rest.len() as u32 }
}

fn queue_offset_of(raw: &[u8]) -> Option<i64> {
    bytes_at(raw, 20).map(i64::from_be_bytes).filter(|offset| *offset >= 0)
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

    use super::super::StoredRecord;
    use super::super::sys_flag::COMPRESSED;
    use super::*;
    use crate::time::UnixMillis;

    const V4: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
    const V6: SocketAddr = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0, 0));

    fn stored(host: SocketAddr, topic: &str, sys_flag: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let record = StoredRecord {
            topic,
            queue_id: 1,
            flag: 0,
            queue_offset: 7,
            commit_log_offset: 4711,
            sys_flag,
            born_timestamp: UnixMillis(1),
            born_host: host,
            store_timestamp: UnixMillis(2),
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: b"a body of some bytes",
            properties: b"TAGS\x01a\x02",
        };
        record.encode_into(&mut bytes);
        bytes
    }

    #[test]
    fn a_body_is_plain_where_it_is_what_is_stored_and_its_checksum_is_right() {
        let wide = "t".repeat(200);
        let whole = [
            (stored(V4, "orders", 0), true),
            (stored(V6, &wide, 0), true),
            (stored(V4, "orders", COMPRESSED), false),
        ];
        for (bytes, plain) in whole {
            assert_eq!(RecordList::cut(bytes.clone().into()).is_plain(0), plain);
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                let list = RecordList::cut(damaged.into());
                let record = list.record(0).filter(|record| record.compression().is_none());
                let good = record.is_some_and(|record| record.body().is_ok());
                assert_eq!(list.is_plain(0), good, "byte {at}");
            }
        }
    }

    #[test]
    fn a_list_tells_its_ends_where_each_offset_is_greater_than_the_one_before() {
        let at = |offset: i64| {
            let mut record = stored(V4, "orders", 0);
            record[20..28].copy_from_slice(&offset.to_be_bytes());
            record
        };
        let ends = |offsets: &[i64]| {
            let records: Vec<Vec<u8>> = offsets.iter().map(|offset| at(*offset)).collect();
            RecordList::cut(records.concat().into()).ascending()
        };
        assert_eq!(ends(&[7]), Some((7, 7)));
        assert_eq!(ends(&[0, 1, 5]), Some((0, 5)));
        for none in [&[][..], &[7, 7], &[8, 7], &[1, 3, 2], &[-1], &[1, -2], &[-1, 5]] {
            assert_eq!(ends(none), None, "{none:?}");
        }
        let damaged = [at(1), [0, 0, 0, 28].repeat(7), at(3)].concat();
        assert_eq!(RecordList::cut(damaged.into()).ascending(), None);
    }

    #[test]
    fn more_records_than_a_pull_asks_for_take_no_more_room_than_they_need() {
        let (one, long) = (stored(V6, "t", 0), stored(V6, &"t".repeat(20_000), 0));
        // Of a first one that is longer than all others together nothing can be told.
        for (first, many) in
            [(&one, 0), (&one, 31), (&one, 32), (&one, 200), (&long, 31), (&long, 99)]
        {
            let bytes = [first.clone(), one.repeat(many)].concat();
            let list = RecordList::cut(bytes.clone().into());
            assert_eq!(list.len(), 1 + many);
            let room = (list.held() - bytes.len()) / size_of::<Entry>();
            assert!((1 + many..=USUAL.max(1 + many)).contains(&room), "{room} for {many}");
        }
        assert_eq!(RecordList::cut(Bytes::new()).held(), 0);
    }
}
