//! Message ids: the unique id a producer gives, and the offset id a broker gives.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{Config, Identity};
use crate::time::UnixMillis;

/// Why a text is no message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Neither of the lengths that ids have.
    #[error("a message id has 32 characters (56 with an IPv6 address), this text has {length}")]
    Length {
        /// Bytes given.
        length: usize,
    },
    /// A character that is no hexadecimal digit.
    #[error("a message id has only hexadecimal digits; the byte at {at} is none")]
    Digit {
        /// Where it stands.
        at: usize,
    },
    /// The port inside an offset message id is above 65535.
    #[error("a message id's port is at most 65535, this one says {port}")]
    Port {
        /// The number read.
        port: u32,
    },
}

/// The id that a producer gives a message before it is sent: 32 hexadecimal digits, also found in
/// the property `UNIQ_KEY`. Resends carry the same one, so a consumer can tell duplicates by it.
///
/// Layout as in Java's `MessageClientIDSetter`: address 4, process 2, salt 4, time 4, counter 2.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UniqueId([u8; 32]);

/// By the digits as they are written, and so by time within a process: compared as numbers, which
/// needs no call where tables of transactions are searched.
impl Ord for UniqueId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let halves = |id: &Self| {
            let (high, low) = id.0.split_at(16);
            let number = |half: &[u8]| half.try_into().map_or(0, u128::from_be_bytes);
            (number(high), number(low))
        };
        halves(self).cmp(&halves(other))
    }
}

impl PartialOrd for UniqueId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl UniqueId {
    /// Reads 32 hexadecimal digits and keeps them as they are written (Go writes lower case).
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits: [u8; 32] =
            text.as_bytes().try_into().map_err(|_| IdError::Length { length: text.len() })?;
        match digits.iter().position(|d| !d.is_ascii_hexdigit()) {
            Some(at) => Err(IdError::Digit { at }),
            None => Ok(Self(digits)),
        }
    }

    /// None: of a message that came without one of this form.
    pub(super) const fn none() -> Self {
        Self([b'0'; 32])
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        // Always ASCII: both constructors see to it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UniqueId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

/// Makes [`UniqueId`]s, from any number of threads at once.
///
/// Ids of one generator never repeat: the clock's milliseconds and a 16-bit counter form one number
/// that only grows. When the counter is used up within a millisecond, or the clock goes back, the
/// number runs ahead of the clock instead. Two generators differ by the identity they were given.
///
/// The time field counts from the start of the month, so that an older `mqadmin
/// queryMsgByUniqueKey` knows where to search. Java's repeats there after the roll-over (rmq#6919);
/// here the month is added to the salt. Java decodes the field by the reader's own time zone: ours
/// counts from twelve hours after the month began in UTC, so no reader places it after the send.
#[derive(Debug)]
pub struct UniqueIds {
    fixed: [u8; 12],
    salt: u32,
    /// Milliseconds since 1970 in the upper 48 bits, the counter in the lower 16.
    last: AtomicU64,
}

const DAY: u64 = 86_400_000;
/// Later than any clock will show (the year 4199), with room above to count on.
const LATEST: i64 = 1 << 46;

impl UniqueIds {
    /// A generator for one process. The address and process id are for the reader of an id; the
    /// `salt` must be random, since containers often share both.
    pub const fn new(address: [u8; 4], pid: u16, salt: u32) -> Self {
        let (host, process) = (hex(u32::from_be_bytes(address)), hex(pid as u32));
        let mut fixed = [0; 12];
        let (left, right) = fixed.split_at_mut(8);
        left.copy_from_slice(&host);
        right.copy_from_slice(process.split_at(4).1);
        Self { fixed, salt, last: AtomicU64::new(0) }
    }

    /// A generator for the client of these settings, by its [`identity`](Config::identity): one
    /// client has one generator.
    pub const fn of(config: &Config) -> Self {
        let Identity { address, process, salt } = config.identity;
        Self::new(address, process as u16, salt as u32 ^ (salt >> 32) as u32)
    }

    /// The next id, at the wall-clock time `now`.
    pub fn next(&self, now: UnixMillis) -> UniqueId {
        let clock = (now.0.clamp(1, LATEST) as u64) << 16;
        let mut last = self.last.load(Ordering::Relaxed);
        let number = loop {
            let number = clock.max(last + 1);
            // Relaxed is enough: only this number itself must not repeat.
            match self.last.compare_exchange_weak(
                last,
                number,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break number,
                Err(newer) => last = newer,
            }
        };
        let (month, millis) = month_of((number >> 16).saturating_sub(DAY / 2));
        let mut id = [0; 32];
        id[..12].copy_from_slice(&self.fixed);
        id[12..20].copy_from_slice(&hex(self.salt.wrapping_add(month)));
        id[20..28].copy_from_slice(&hex(millis));
        id[28..].copy_from_slice(&hex(number as u32 & 0xFFFF)[4..]);
        UniqueId(id)
    }
}

/// The number of the month since year 0, and milliseconds since it began, both in UTC.
fn month_of(unix: u64) -> (u32, u32) {
    // Days to civil date after Howard Hinnant, with years that begin in March.
    let days = unix / DAY + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5;
    (((era * 400 + year) * 12 + month) as u32, (day * DAY + unix % DAY) as u32)
}

/// Eight upper-case hexadecimal digits, all at once: one nibble to a byte, then to ASCII.
const fn hex(number: u32) -> [u8; 8] {
    let mut x = number as u64;
    x = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
    x = (x | x << 8) & 0x00FF_00FF_00FF_00FF;
    x = (x | x << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    let letters = (x + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (x + 0x3030_3030_3030_3030 + letters * 7).to_be_bytes()
}

/// The id that a broker gives a stored message: the store's address and the record's place in the
/// commit log (`MessageDecoder.createMessageId`). 32 hexadecimal digits, or 56 with IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetMessageId {
    /// The broker that stored the message.
    pub addr: SocketAddr,
    /// The record's first byte in the broker's commit log.
    pub offset: u64,
}

impl OffsetMessageId {
    /// Reads 32 or 56 hexadecimal digits of either case.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0_u8; 28];
        let length = match text.len() {
            32 => 16,
            56 => 28,
            length => return Err(IdError::Length { length }),
        };
        for (at, digit) in text.bytes().enumerate() {
            let value = char::from(digit).to_digit(16).ok_or(IdError::Digit { at })? as u8;
            bytes[at / 2] = bytes[at / 2] << 4 | value;
        }
        let number =
            |from: usize| bytes[from..].iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b));
        let port = (number(length - 12) >> 32) as u32;
        let ip = if length == 16 {
            IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))
        } else {
            let high = u128::from(number(0)) << 64;
            IpAddr::V6(Ipv6Addr::from_bits(high | u128::from(number(8))))
        };
        let port = u16::try_from(port).map_err(|_| IdError::Port { port })?;
        Ok(Self { addr: SocketAddr::new(ip, port), offset: number(length - 8) })
    }
}

impl fmt::Display for OffsetMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr.ip() {
            IpAddr::V4(ip) => write!(f, "{:08X}", ip.to_bits())?,
            IpAddr::V6(ip) => write!(f, "{:032X}", ip.to_bits())?,
        }
        write!(f, "{:08X}{:016X}", self.addr.port(), self.offset)
    }
}

impl FromStr for OffsetMessageId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-02-01 00:00 UTC.
    const FEBRUARY: i64 = 1_769_904_000_000;
    const HALF_DAY: i64 = 43_200_000;

    #[test]
    fn unique_ids_are_in_the_order_of_their_digits() {
        let texts = [
            "00000000000000000000000000000000",
            "00000000000000000000000000000001",
            "0000000000000000FFFFFFFFFFFFFFFF",
            "00000000000000010000000000000000",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789ABCDEF0123456789abcdef",
            "a0000000000000000000000000000000",
        ];
        for (at, one) in texts.iter().enumerate() {
            for (other_at, other) in texts.iter().enumerate() {
                let [one, other] = [one, other].map(|text| UniqueId::parse(text).unwrap());
                assert_eq!(one.cmp(&other), at.cmp(&other_at), "{one} {other}");
                assert_eq!(one.cmp(&other), one.as_str().cmp(other.as_str()));
            }
        }
    }

    fn number(id: UniqueId) -> u128 {
        u128::from_str_radix(id.as_str(), 16).unwrap()
    }

    fn without_duplicates(mut ids: Vec<u128>) {
        let made = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), made);
    }

    #[test]
    fn months_are_those_of_the_calendar_also_where_a_century_has_no_leap_day() {
        // Years begin in March: 12 times the year, plus the months since then.
        for (unix, month, day) in [
            (0, 1969 * 12 + 10, 0),
            (951_782_400, 1999 * 12 + 11, 28),
            (4_107_542_400, 2100 * 12, 0),
            (4_107_456_000, 2099 * 12 + 11, 27),
        ] {
            assert_eq!(month_of(unix * 1000 + 7), (month, day * DAY as u32 + 7), "{unix}");
        }
    }

    #[test]
    fn wire_22_ten_million_ids_across_a_month_do_not_repeat() {
        let ids = UniqueIds::new([10, 0, 0, 1], 4711, 0x1234_5678);
        let turn = FEBRUARY + HALF_DAY;
        let mut last = ids.next(UnixMillis(turn - 60));
        let first = last;
        // 100,000 ids a millisecond: more than the counter holds, from just before the turn. That
        // each is above the last proves that none comes twice.
        for n in 0..10_000_000 {
            let id = ids.next(UnixMillis(turn - 50 + n / 100_000));
            assert!(id > last, "{id} after {last}");
            last = id;
        }
        let salts = [first, last].map(|id| id.as_str()[12..20].to_owned());
        assert_ne!(salts[0], salts[1], "the month did not turn");
    }

    #[test]
    fn every_nibble_gets_its_digit() {
        for number in [0, 0x0123_4567, 0x89AB_CDEF, 0x9A9A_F0F0, u32::MAX] {
            assert_eq!(hex(number), *format!("{number:08X}").as_bytes());
        }
    }

    #[test]
    fn the_same_moment_of_every_month_gives_other_ids() {
        let ids = UniqueIds::new([10, 0, 0, 1], 4711, u32::MAX - 3);
        let mut all = Vec::new();
        for day in 0..4_000 {
            for now in [0, 1, HALF_DAY, HALF_DAY + 1] {
                all.push(number(ids.next(UnixMillis(FEBRUARY + day * DAY as i64 + now))));
            }
        }
        without_duplicates(all);
    }

    #[test]
    fn a_clock_that_goes_back_or_lies_repeats_nothing() {
        let ids = UniqueIds::new([127, 0, 0, 1], 1, 7);
        let clocks = [FEBRUARY, FEBRUARY - 1, 0, -5, i64::MIN, FEBRUARY, i64::MAX, i64::MAX, 1];
        without_duplicates(clocks.iter().map(|&c| number(ids.next(UnixMillis(c)))).collect());
    }

    #[test]
    fn threads_share_a_generator_without_duplicates() {
        let ids = UniqueIds::new([127, 0, 0, 1], 1, 7);
        let make =
            || (0..50_000).map(|_| number(ids.next(UnixMillis(FEBRUARY)))).collect::<Vec<_>>();
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
        });
        without_duplicates(all);
    }

    #[test]
    fn a_unique_id_tells_where_and_when_it_was_made() {
        let ids = UniqueIds::new([10, 1, 2, 255], 0xABCD, 0);
        let id = ids.next(UnixMillis(FEBRUARY + HALF_DAY + 0x0102_0304));
        let (_, earlier) = month_of(FEBRUARY as u64 + DAY);
        assert_eq!(u64::from(earlier), DAY);
        assert_eq!(&id.as_str()[..12], "0A0102FFABCD");
        assert_eq!(&id.as_str()[20..], "010203040000");
        assert_eq!(UniqueId::parse(id.as_str()), Ok(id));
        let month = |unix: i64| month_of(unix as u64);
        assert_eq!(month(FEBRUARY - 1).0 + 1, month(FEBRUARY).0);
        assert_eq!(month(FEBRUARY - 1).1, 31 * DAY as u32 - 1);
        assert_eq!(month(FEBRUARY).1, 0);
    }

    #[test]
    fn texts_that_are_no_ids_are_named() {
        assert_eq!(UniqueId::parse("00"), Err(IdError::Length { length: 2 }));
        let wrong = "0".repeat(31) + "g";
        assert_eq!(UniqueId::parse(&wrong), Err(IdError::Digit { at: 31 }));
        assert_eq!(OffsetMessageId::parse(&wrong), Err(IdError::Digit { at: 31 }));
        assert_eq!(
            OffsetMessageId::parse("7F00000100012A9F0000000000003039"),
            Err(IdError::Port { port: 0x12A9F })
        );
        assert!(OffsetMessageId::parse(&"é".repeat(16)).is_err());
    }

    #[test]
    fn wire_21_offset_ids_are_those_that_java_prints() {
        let mut rows = 0;
        for line in include_str!("../../../conformance/golden/message_ids.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let ip: IpAddr = row["host"].as_str().unwrap().parse().unwrap();
            let port = row["port"].as_u64().unwrap() as u16;
            let offset = row["offset"].as_str().unwrap().parse().unwrap();
            let id = OffsetMessageId { addr: SocketAddr::new(ip, port), offset };
            assert_eq!(id.to_string(), row["id"].as_str().unwrap());
            assert_eq!(OffsetMessageId::parse(row["id"].as_str().unwrap()), Ok(id));
            rows += 1;
        }
        assert_eq!(rows, 40);
        let v6 = "0000000000000000000000000000000100002A9F0000000000003039";
        let id = OffsetMessageId::parse(v6).unwrap();
        assert_eq!((id.addr.to_string(), id.offset), ("[::1]:10911".to_owned(), 12345));
        assert_eq!(id.to_string(), v6);
    }
}
