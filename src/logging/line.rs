//! One record as one piece of text.

use std::fmt::{self, Write};
use std::time::Duration;

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};
use serde_json::{Map, json};

use super::Form;

/// The record, with the end of its line.
pub(super) fn of(form: Form, time: Duration, record: &Record<'_>) -> String {
    let mut line = String::with_capacity(160);
    let colored = match form {
        Form::Json => {
            put_json(&mut line, time, record);
            return line;
        }
        Form::Text => false,
        Form::Color => true,
    };
    let mut out = Tame(&mut line);
    // Text takes whatever is written to it.
    let _ = put_text(&mut out, colored, time, record);
    line.push('\n');
    line
}

/// The time as RFC 3339 has it, in UTC and to the millisecond.
struct Stamp(Duration);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let millis = self.0.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of the Gregorian calendar, so many days after 1 January 1970.
fn date(days: u64) -> (u64, u64, u64) {
    /// Days of 400 years, of a century and of four years without the leap day that may end them.
    const ERA: u64 = 146_097;
    const CENTURY: u64 = 36_524;
    const FOUR: u64 = 1_461;
    /// Days from 1 March of the year 0 to 1 January 1970.
    const EPOCH: u64 = 719_468;
    // Years that begin in March have their leap day at their end.
    let days = days + EPOCH;
    let (eras, left) = (days / ERA, days % ERA);
    let centuries = (left / CENTURY).min(3);
    let left = left - centuries * CENTURY;
    let (fours, left) = (left / FOUR, left % FOUR);
    let years = (left / 365).min(3);
    let left = left - years * 365;
    // From March on, five months have 153 days: 31, 30, 31, 30, 31.
    let month = (5 * left + 2) / 153;
    let day = left - (153 * month + 2) / 5 + 1;
    let year = 400 * eras + 100 * centuries + 4 * fours + years;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

const fn color(level: Level) -> &'static str {
    match level {
        Level::Error => "\u{1b}[1;31m",
        Level::Warn => "\u{1b}[33m",
        Level::Info => "\u{1b}[32m",
        Level::Debug => "\u{1b}[34m",
        Level::Trace => "\u{1b}[36m",
    }
}

/// Text to which only this file writes escape sequences: what is logged may come from elsewhere.
struct Tame<'a>(&'a mut String);

impl Write for Tame<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\n' => self.0.push_str("\n    "),
                '\t' => self.0.push(c),
                c if c.is_control() => self.0.extend(c.escape_default()),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

fn put_text(out: &mut Tame<'_>, colored: bool, time: Duration, record: &Record<'_>) -> fmt::Result {
    let style = |code: &'static str| if colored { code } else { "" };
    let level = record.level();
    let (dim, paint, reset) = (style(DIM), style(color(level)), style(RESET));
    out.0.push_str(dim);
    write!(out, "[{}", Stamp(time))?;
    out.0.push_str(reset);
    out.0.push(' ');
    out.0.push_str(paint);
    write!(out, "{level:<5}")?;
    out.0.push_str(reset);
    write!(out, " {}", record.target())?;
    out.0.push_str(dim);
    out.0.push(']');
    out.0.push_str(reset);
    write!(out, " {}", record.args())?;
    let mut pairs = Pairs { out, dim, reset };
    record.key_values().visit(&mut pairs).map_err(|_| fmt::Error)
}

/// Key-values behind the text.
struct Pairs<'a, 'b> {
    out: &'a mut Tame<'b>,
    dim: &'static str,
    reset: &'static str,
}

impl<'kvs> VisitSource<'kvs> for Pairs<'_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.out.0.push(' ');
        self.out.0.push_str(self.dim);
        write!(self.out, "{key}=")?;
        self.out.0.push_str(self.reset);
        Ok(write!(self.out, "{value}")?)
    }
}

/// Key-values are in an object of their own: their names are free.
fn put_json(line: &mut String, time: Duration, record: &Record<'_>) {
    let mut fields = Fields(Map::new());
    // A value that can't be written is left out, and those after it.
    let _ = record.key_values().visit(&mut fields);
    let (level, target) = (record.level(), json!(record.target()));
    let (message, fields) = (json!(record.args().to_string()), json!(fields.0));
    let time = Stamp(time);
    // By hand, so that the time comes first.
    let _ = write!(line, r#"{{"time":"{time}","level":"{level}","target":{target},"#);
    let _ = writeln!(line, r#""message":{message},"fields":{fields}}}"#);
}

/// A record's key-values. Numbers and truths stay what they are, the rest is text.
struct Fields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = if let Some(number) = value.to_u64() {
            json!(number)
        } else if let Some(number) = value.to_i64() {
            json!(number)
        } else if let Some(number) = value.to_f64().filter(|number| number.is_finite()) {
            json!(number)
        } else if let Some(flag) = value.to_bool() {
            json!(flag)
        } else {
            json!(value.to_string())
        };
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_783), (2026, 11, 26));
        assert_eq!(date(47_540), (2100, 2, 28));
        assert_eq!(date(47_541), (2100, 3, 1), "no leap year");
        let month_lengths = |year: u64| {
            let every = |years: u64| year.is_multiple_of(years);
            let leap = every(4) && (!every(100) || every(400));
            [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let mut day = 0;
        for year in 1970..2500 {
            for (month, length) in (1..).zip(month_lengths(year)) {
                for at in 1..=length {
                    assert_eq!(date(day), (year, month, at));
                    day += 1;
                }
            }
        }
    }

    #[test]
    fn a_stamp_has_milliseconds_and_says_utc() {
        let time = Duration::new(20_783 * 86_400 + 39 * 60 + 36, 979_999_999);
        assert_eq!(Stamp(time).to_string(), "2026-11-26T00:39:36.979Z");
    }
}
