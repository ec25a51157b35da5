//! One stored message, read where it lies in the body of a pull reply.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::checksum::{MASK, checksum};
use super::compression;
use super::ids::OffsetMessageId;
use super::inner_batch;
use super::properties::{self, Properties};
use super::sys_flag::{BORN_HOST_V6, Compression, INNER_BATCH, STORE_HOST_V6};
use crate::time::UnixMillis;

/// Magic of a record whose topic length has one byte (`MessageDecoder.MESSAGE_MAGIC_CODE`).
pub(super) const MAGIC_V1: u32 = 0xDAA3_20A7;
/// Magic of a record whose topic length has two bytes (`MESSAGE_MAGIC_CODE_V2`, from 5.0 on).
pub(super) const MAGIC_V2: u32 = 0xDAA3_20AB;
/// Bytes of a record's fixed part, up to its body, where both hosts have addresses of IPv4.
const FIXED: usize = 88;
/// Bytes up to the end of the queue offset: enough to name a record that can't be read.
pub(super) const NAMED: usize = 28;

/// Why a stored record, or its body, can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The record's size can't be true, so where the next one begins is not known: this and all
    /// that follows in the pull reply are one undecodable item.
    #[error("the record says it has {found} bytes, where {left} are left")]
    Size {
        /// The size field; 0 when not even that is there.
        found: u32,
        /// Bytes left.
        left: u32,
    },
    /// A magic number that is neither V1's nor V2's: another format, or damage.
    #[error("the record's magic number is {found:#010x}, which no known format has")]
    Magic {
        /// The number read.
        found: u32,
    },
    /// The record is too short for the fields that every record has.
    #[error("the record has {length} bytes, too few for its fixed part")]
    Short {
        /// Bytes of the record.
        length: u32,
    },
    /// A queue offset below zero.
    #[error("the record's queue offset is negative")]
    QueueOffset,
    /// The body would end behind the record.
    #[error("the record's body length is {found}, where {left} bytes are left")]
    BodyLength {
        /// The length field, unsigned.
        found: u32,
        /// Bytes left in the record.
        left: u32,
    },
    /// The topic would end behind the record.
    #[error("the record's topic length is {found}, where {left} bytes are left")]
    TopicLength {
        /// The length field, unsigned.
        found: u32,
        /// Bytes left in the record.
        left: u32,
    },
    /// The properties would end behind the record.
    #[error("the record's properties length is {found}, where {left} bytes are left")]
    PropertiesLength {
        /// The length field, unsigned.
        found: u32,
        /// Bytes left in the record.
        left: u32,
    },
    /// The stored body is not the one that was sent. Java's client does not look.
    #[error("the body's checksum is {found:#010x}, the record says {expected:#010x}")]
    Checksum {
        /// What the record says, 31 bits.
        expected: u32,
        /// What the body gives, 31 bits.
        found: u32,
    },
    /// The body is compressed in a way that no version of RocketMQ knows.
    #[error("compression type {found} is unknown")]
    CompressionType {
        /// Bits 8 to 10 of the system flag.
        found: u8,
    },
    /// The body is compressed in a way that this build can't open; see [`Record::raw_body`].
    #[error("the body is compressed with {kind:?}, which this build can't open")]
    Compressed {
        /// The compression.
        kind: Compression,
    },
    /// The compressed body is damaged.
    #[error("the body is not {kind:?} data, or is damaged")]
    Damaged {
        /// How it should be compressed.
        kind: Compression,
    },
    /// The record is a batch, and from this message on it can't be taken apart.
    #[error("message {index} of the batch in the record can't be read")]
    InnerBatch {
        /// Which message, from 0.
        index: u32,
    },
    /// The body is larger than the limit once opened; the work was stopped there.
    #[error("the body opens to more than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u32,
    },
}

/// Where the variable parts of a readable record lie, counted from its first byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    body: u8,
    /// The topic's length takes two bytes, and else one.
    wide: bool,
    /// It is a batch that is to be taken apart.
    pub(super) batch: bool,
    topic_length: u16,
    properties_length: u16,
    body_length: u32,
}

impl Layout {
    /// Reads the lengths of one record, which has `raw` to itself. Bytes behind its properties are
    /// left alone: a later version may append fields.
    #[inline(always)]
    pub(super) fn of(raw: &[u8]) -> Result<Self, RecordError> {
        let short = RecordError::Short { length: raw.len() as u32 };
        let Some(head) = raw.first_chunk::<FIXED>() else { return Err(too_short(raw)) };
        let wide = match u32::from_be_bytes([head[4], head[5], head[6], head[7]]) {
            MAGIC_V1 => false,
            MAGIC_V2 => true,
            found => return Err(RecordError::Magic { found }),
        };
        if head[20] >> 7 != 0 {
            return Err(RecordError::QueueOffset);
        }
        let flag = i32::from_be_bytes([head[36], head[37], head[38], head[39]]);
        let body = 56 + host_length(flag, BORN_HOST_V6) + host_length(flag, STORE_HOST_V6) + 16;
        let body_length = u32::from_be_bytes(bytes_at(raw, body - 4).ok_or(short)?);
        let rest = skip(raw.get(body..).ok_or(short)?, body_length)
            .map_err(|left| RecordError::BodyLength { found: body_length, left })?;
        let (topic_length, rest) = if wide {
            let (length, rest) = rest.split_first_chunk().ok_or(short)?;
            (u16::from_be_bytes(*length), rest)
        } else {
            let (length, rest) = rest.split_first().ok_or(short)?;
            (u16::from(*length), rest)
        };
        let found = u32::from(topic_length);
        let rest = skip(rest, found).map_err(|left| RecordError::TopicLength { found, left })?;
        let (length, rest) = rest.split_first_chunk().ok_or(short)?;
        let properties_length = u16::from_be_bytes(*length);
        let found = u32::from(properties_length);
        skip(rest, found).map_err(|left| RecordError::PropertiesLength { found, left })?;
        Compression::of(flag).map_err(|found| RecordError::CompressionType { found })?;
        let (body, batch) = (body as u8, inner_batch::is_batch(flag));
        Ok(Self { body, wide, batch, topic_length, properties_length, body_length })
    }

    /// Where the topic begins.
    fn topic(&self) -> u32 {
        u32::from(self.body) + self.body_length + if self.wide { 2 } else { 1 }
    }
}

/// What is wrong with a record that has not even its fixed part.
#[cold]
fn too_short(raw: &[u8]) -> RecordError {
    let magic = bytes_at(raw, 4).map(u32::from_be_bytes);
    match magic.filter(|found| !matches!(*found, MAGIC_V1 | MAGIC_V2)) {
        Some(found) => RecordError::Magic { found },
        None if bytes_at(raw, 20).is_some_and(|at| i64::from_be_bytes(at) < 0) => {
            RecordError::QueueOffset
        }
        None => RecordError::Short { length: raw.len() as u32 },
    }
}

/// What is left behind `count` bytes, or how many there are instead.
fn skip(rest: &[u8], count: u32) -> Result<&[u8], u32> {
    usize::try_from(count).ok().and_then(|at| rest.get(at..)).ok_or(rest.len() as u32)
}

const fn host_length(flag: i32, v6: i32) -> usize {
    if flag & v6 == 0 { 8 } else { 20 }
}

pub(super) fn bytes_at<const N: usize>(raw: &[u8], at: usize) -> Option<[u8; N]> {
    raw.get(at..)?.first_chunk().copied()
}

/// One stored message. A view: it borrows the [`RecordList`](super::RecordList) it was cut from.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The whole pull body, and where this record begins in it.
    pub(super) list: &'a Bytes,
    /// Bytes that the body may open to.
    pub(super) opened_max: u32,
    pub(super) start: usize,
    pub(super) raw: &'a [u8],
    pub(super) layout: Layout,
}

impl<'a> Record<'a> {
    /// The message's place in its queue, from 0 up.
    pub fn queue_offset(&self) -> i64 {
        self.long(20)
    }

    /// The record's first byte in the broker's commit log.
    pub fn commit_log_offset(&self) -> i64 {
        self.long(28)
    }

    /// The queue, as the broker stored it. (A static topic maps it to another one for clients.)
    pub fn queue_id(&self) -> i32 {
        self.int(12)
    }

    /// The producer's own 32 bits ([`Message::flag`](super::Message::flag)).
    pub fn flag(&self) -> i32 {
        self.int(16)
    }

    /// The system flag; see [`sys_flag`](super::sys_flag).
    pub fn sys_flag(&self) -> i32 {
        self.int(36)
    }

    /// When the producer made the message, by its own clock.
    pub fn born_timestamp(&self) -> UnixMillis {
        UnixMillis(self.long(40))
    }

    /// When the broker stored it, by the broker's clock.
    pub fn store_timestamp(&self) -> UnixMillis {
        UnixMillis(self.long(48 + self.born_host_length()))
    }

    /// The producer's address, as the broker saw it. The port is 0 if the record's number is none.
    pub fn born_host(&self) -> SocketAddr {
        self.host(48, self.born_host_length())
    }

    /// The broker's address. The port is 0 if the record's number is none.
    pub fn store_host(&self) -> SocketAddr {
        let length = host_length(self.sys_flag(), STORE_HOST_V6);
        self.host(56 + self.born_host_length(), length)
    }

    /// How often it was delivered before and sent back.
    pub fn reconsume_times(&self) -> i32 {
        self.int(usize::from(self.layout.body) - 16)
    }

    /// Where the half message of this transaction lies; 0 for ordinary messages.
    pub fn prepared_transaction_offset(&self) -> i64 {
        self.long(usize::from(self.layout.body) - 12)
    }

    /// The topic it is stored under. Bytes that are not UTF-8 show as U+FFFD.
    pub fn topic(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.part(self.layout.topic(), self.layout.topic_length.into()))
    }

    /// All properties.
    pub fn properties(&self) -> Properties<'a> {
        let at = self.layout.topic() + u32::from(self.layout.topic_length) + 2;
        Properties::new(self.part(at, self.layout.properties_length.into()))
    }

    /// The property `name`.
    pub fn property(&self, name: &str) -> Option<&'a str> {
        self.properties().get(name)
    }

    /// The tag, by which subscriptions select.
    pub fn tags(&self) -> Option<&'a str> {
        self.property(properties::TAGS)
    }

    /// The keys, by which the message can be found on the broker.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.property(properties::KEYS).unwrap_or_default().split_ascii_whitespace()
    }

    /// The id its producer gave it: the same each time the message is sent or delivered again.
    pub fn unique_id(&self) -> Option<&'a str> {
        self.property(properties::UNIQ_KEY)
    }

    /// The id its broker gave it.
    pub fn offset_message_id(&self) -> OffsetMessageId {
        OffsetMessageId { addr: self.store_host(), offset: self.long(28) as u64 }
    }

    /// The id that producers and consumers know it by: that of its producer, or its broker's where
    /// it has none (`MessageClientExt.getMsgId`).
    pub fn id(&self) -> Cow<'a, str> {
        match self.unique_id() {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(self.offset_message_id().to_string()),
        }
    }

    /// Whether it is one of several messages that the broker stores as one record.
    pub(crate) fn is_of_batch(&self) -> bool {
        self.sys_flag() & INNER_BATCH != 0
    }

    /// How the stored body is compressed, if it is.
    pub fn compression(&self) -> Option<Compression> {
        Compression::of(self.sys_flag()).unwrap_or_default()
    }

    /// The body as it was given to the producer: checked against the record's checksum, where it
    /// has one, and opened if it is compressed, up to the limit that the list was cut with. One
    /// that is not compressed shares the read buffer: nothing is copied, and the buffer lives as
    /// long as the body does.
    ///
    /// The work is done at each call: keep what you get.
    pub fn body(&self) -> Result<Bytes, RecordError> {
        let stored = self.stored();
        self.check(stored)?;
        match self.compression() {
            None => Ok(self.raw_body()),
            Some(kind) => compression::open(kind, stored, self.opened_max),
        }
    }

    /// Whether the body is what is stored, by its checksum as well: [`Self::raw_body`] is it.
    #[cfg(feature = "client")]
    pub(crate) fn is_plain(&self) -> bool {
        self.compression().is_none() && self.check(self.stored()).is_ok()
    }

    fn stored(&self) -> &'a [u8] {
        self.part(self.layout.body.into(), self.layout.body_length)
    }

    /// The body as it is stored: unchecked, and compressed if the producer did so. Shares the read
    /// buffer.
    pub fn raw_body(&self) -> Bytes {
        let from = self.start + usize::from(self.layout.body);
        self.list.slice(from..from + self.layout.body_length as usize)
    }

    /// The whole stored record.
    pub fn raw(&self) -> Bytes {
        self.list.slice(self.start..self.start + self.raw.len())
    }

    /// Looks at the checksum. Brokers write 31 bits of it (`UtilAll.crc32`), and zero where they
    /// did not compute it: for an empty body, and some of them for batches (apache/rocketmq
    /// #10758).
    fn check(&self, stored: &[u8]) -> Result<(), RecordError> {
        let expected = self.int(8) as u32 & MASK;
        if stored.is_empty() || expected == 0 {
            return Ok(());
        }
        let found = checksum(stored);
        if expected == found { Ok(()) } else { Err(RecordError::Checksum { expected, found }) }
    }

    fn born_host_length(&self) -> usize {
        host_length(self.sys_flag(), BORN_HOST_V6)
    }

    fn part(&self, at: u32, length: u32) -> &'a [u8] {
        self.raw.get(at as usize..(at + length) as usize).unwrap_or_default()
    }

    fn int(&self, at: usize) -> i32 {
        bytes_at(self.raw, at).map_or(0, i32::from_be_bytes)
    }

    fn long(&self, at: usize) -> i64 {
        bytes_at(self.raw, at).map_or(0, i64::from_be_bytes)
    }

    fn host(&self, at: usize, length: usize) -> SocketAddr {
        let ip = if length == 8 {
            IpAddr::from(bytes_at::<4>(self.raw, at).unwrap_or_default())
        } else {
            IpAddr::from(bytes_at::<16>(self.raw, at).unwrap_or_default())
        };
        SocketAddr::new(ip, u16::try_from(self.int(at + length - 4)).unwrap_or_default())
    }
}

/// Shows the body's length instead of the body.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("topic", &self.topic())
            .field("queue_offset", &self.queue_offset())
            .field("properties", &self.properties())
            .field("body_length", &self.layout.body_length)
            .finish_non_exhaustive()
    }
}
