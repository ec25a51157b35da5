//! Where a group begins.

use std::fmt;
use std::str::FromStr;
#[expect(clippy::disallowed_types, reason = "a time that is given: no clock is read")]
use std::time::SystemTime;

use crate::time::UnixMillis;

/// Where a group begins in a queue for which no offset is stored.
///
/// A time is read with its zone, since what a local time means depends on the machine that reads
/// it:
///
/// ```
/// use rocketry_core::consumer::Start;
/// use rocketry_core::time::UnixMillis;
///
/// let start: Start = "2013-12-23T17:12:01+08:00".parse()?;
/// assert_eq!(start, Start::Time(UnixMillis(1_387_789_921_000)));
/// assert_eq!(start, "2013-12-23T09:12:01Z".parse()?);
/// assert_eq!("first".parse(), Ok(Start::First));
/// # Ok::<(), rocketry_core::consumer::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "ConsumeFromWhere")]
pub enum Start {
    /// At the oldest message (`CONSUME_FROM_FIRST_OFFSET`).
    First,
    /// After the newest message, as Java's default (`CONSUME_FROM_LAST_OFFSET`). A broker answers
    /// 0 for a queue so young that its first message is still in memory.
    #[default]
    Last,
    /// At the first message stored at that time or later; after the newest where there is none
    /// (`CONSUME_FROM_TIMESTAMP`). Brokers before 5.0 answer 0 for a young queue here as well.
    #[doc(alias = "setConsumeTimestamp")]
    Time(UnixMillis),
}

/// Why a text is no [`Start`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no place to start: write first, last, or a time with its zone as \
     2013-12-23T17:12:01+08:00"
)]
pub struct StartError {
    /// The text, cut to 64 characters.
    pub given: String,
}

#[expect(clippy::disallowed_types, reason = "a time that is given: no clock is read")]
impl From<SystemTime> for Start {
    /// At that time, to the millisecond.
    fn from(time: SystemTime) -> Self {
        Self::Time(time.into())
    }
}

impl FromStr for Start {
    type Err = StartError;

    /// Reads `first`, `last`, or a time as RFC 3339 writes it.
    fn from_str(text: &str) -> Result<Self, StartError> {
        match text.trim() {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            time => match Reader(time.as_bytes()).time() {
                Some(millis) => Ok(Self::Time(UnixMillis(millis))),
                None => Err(StartError { given: text.chars().take(64).collect() }),
            },
        }
    }
}

impl fmt::Display for Start {
    /// As text that reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Last => f.write_str("last"),
            Self::Time(at) => {
                let (days, of_day) = (at.0.div_euclid(DAY), at.0.rem_euclid(DAY));
                let (year, month, day) = date(days);
                let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
                let (second, millis) = (of_day / 1000 % 60, of_day % 1000);
                write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
                if millis > 0 {
                    write!(f, ".{millis:03}")?;
                }
                f.write_str("Z")
            }
        }
    }
}

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Days since 1970-01-01 of a date of the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day since 1970-01-01.
const fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, of_month)
}

/// What is left of a text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// A number of so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
    }

    /// One of these characters.
    fn one_of(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        any.contains(first).then_some(*first)
    }

    /// A number of two digits up to `most`, behind a mark.
    fn after(&mut self, mark: u8, most: i64) -> Option<i64> {
        self.one_of(&[mark])?;
        self.number(2).filter(|number| *number <= most)
    }

    /// The fraction of a second in milliseconds, if there is one.
    fn millis(&mut self) -> Option<i64> {
        if self.0.first() != Some(&b'.') {
            return Some(0);
        }
        self.one_of(b".")?;
        let digits = self.0.iter().take_while(|digit| digit.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        let digit = |at| fraction.get(at).map_or(0, |digit| i64::from(digit - b'0'));
        (digits > 0).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
    }

    /// The zone's distance from UTC in minutes.
    fn zone(&mut self) -> Option<i64> {
        match self.one_of(b"Zz+-")? {
            b'Z' | b'z' => Some(0),
            sign => {
                let hours = self.number(2).filter(|hours| *hours <= 23)?;
                let minutes = self.after(b':', 59)?;
                let distance = hours * 60 + minutes;
                Some(if sign == b'-' { -distance } else { distance })
            }
        }
    }

    /// A whole text as milliseconds since 1970.
    fn time(mut self) -> Option<i64> {
        let year = self.number(4)?;
        let month = self.after(b'-', 12)?;
        let day = self.after(b'-', 31)?;
        self.one_of(b"Tt ")?;
        let hour = self.number(2).filter(|hour| *hour <= 23)?;
        let (minute, second) = (self.after(b':', 59)?, self.after(b':', 59)?);
        let (millis, zone) = (self.millis()?, self.zone()?);
        let days = days(year, month, day);
        // A day that its month does not have is another date.
        if !self.0.is_empty() || date(days) != (year, month, day) {
            return None;
        }
        Some(days * DAY + ((hour * 60 + minute - zone) * 60 + second) * 1000 + millis)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> Option<i64> {
        match text.parse() {
            Ok(Start::Time(at)) => Some(at.0),
            Ok(Start::First | Start::Last) | Err(_) => None,
        }
    }

    #[test]
    fn times_are_read_with_their_zone() {
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("1970-01-01 08:00:00.25+08:00"), Some(250));
        assert_eq!(at("1969-12-31T19:30:00.0019-04:30"), Some(1));
        assert_eq!(at("2000-02-29T12:00:00Z"), Some(951_825_600_000));
        assert_eq!(at("2026-11-28T00:08:20Z"), Some(1_795_824_500_000));
    }

    #[test]
    fn what_names_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "20131223171201",
            "2013-12-23T17:12:01",
            "2013-12-23",
            "2013-02-29T00:00:00Z",
            "2013-13-01T00:00:00Z",
            "2013-00-01T00:00:00Z",
            "2013-01-00T00:00:00Z",
            "2013-12-23T24:00:00Z",
            "2013-12-23T17:12:01+0800",
            "2013-12-23T17:12:01.Z",
            "2013-12-23T17:12:01Z ZZ",
            "٢٠١٣-12-23T17:12:01Z",
        ] {
            assert_eq!(text.parse::<Start>(), Err(StartError { given: text.to_owned() }), "{text}");
        }
        let long = "x".repeat(100);
        assert_eq!(long.parse::<Start>(), Err(StartError { given: "x".repeat(64) }));
    }

    #[test]
    #[expect(clippy::disallowed_types, reason = "a time that is given: no clock is read")]
    fn any_moment_is_read_back_from_its_text() {
        let mut rng = crate::rng::Rng::new(4);
        for _ in 0..2000 {
            // Years 0 to 9999, as RFC 3339 has them.
            let millis = rng.below(315_537_897_600_000) as i64 - 62_135_596_800_000;
            let start = Start::Time(UnixMillis(millis));
            assert_eq!(start.to_string().parse(), Ok(start), "{millis}");
        }
        for start in [Start::First, Start::Last] {
            assert_eq!(start.to_string().parse(), Ok(start));
        }
        let later = SystemTime::UNIX_EPOCH + Duration::from_millis(1234);
        assert_eq!(Start::from(later), Start::Time(UnixMillis(1234)));
        let earlier = SystemTime::UNIX_EPOCH - Duration::from_millis(1234);
        assert_eq!(Start::from(earlier), Start::Time(UnixMillis(-1234)));
    }
}
