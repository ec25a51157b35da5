//! A value as it was given from outside, and what each kind of setting makes of it.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::time::Duration;

use super::{Compression, Identity, Pem, Secret, SharingRule};
use crate::name::Endpoint;
use crate::url::Url;

/// A value as a file or the environment gives it, before it is known whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Nothing,
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    /// The value as text that the same kind reads back.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(list) => list.join(";"),
        }
    }
}

/// How values of one kind are read and written. It is named in the table of settings, since one
/// type may be of several kinds: a `usize` counts messages or bytes.
pub(crate) trait Kind<T> {
    /// What the value is counted in, in a word or two.
    const UNIT: &'static str;

    /// What to give, as the end of a sentence.
    fn expected() -> String;
    fn read(given: &Value) -> Option<T>;
    fn give(value: &T) -> Value;

    /// What a range is compared with: nanoseconds, bytes, or the number.
    fn measure(_: &T) -> Option<u128> {
        None
    }
}

/// A number, and the unit behind it if there is one.
fn split(text: &str) -> Option<(u128, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// The largest of `units` that `value` is a multiple of, with how often.
fn largest(value: u128, units: &[(&'static str, u128)]) -> String {
    let fits = |unit: &&(&str, u128)| value != 0 && value.is_multiple_of(unit.1);
    units
        .iter()
        .rev()
        .find(fits)
        .map_or_else(|| value.to_string(), |(name, unit)| format!("{}{name}", value / unit))
}

const SECOND: u128 = 1_000_000_000;
const TIMES: [(&str, u128); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

/// A duration: `500ms`, `3s`, `2m`, or whole milliseconds.
pub(crate) struct Time;

impl Kind<Duration> for Time {
    const UNIT: &'static str = "duration";

    fn expected() -> String {
        "a duration such as 500ms, 3s or 2m, or whole milliseconds".to_owned()
    }

    fn read(given: &Value) -> Option<Duration> {
        let text = match given {
            Value::Number(millis) => return Some(Duration::from_millis(*millis)),
            Value::Text(text) => text,
            _ => return None,
        };
        let (number, unit) = split(text)?;
        let unit = if unit.is_empty() { "ms" } else { unit };
        let (_, nanos) = TIMES.iter().find(|(name, _)| *name == unit)?;
        let nanos = number.checked_mul(*nanos)?;
        Some(Duration::new(u64::try_from(nanos / SECOND).ok()?, (nanos % SECOND) as u32))
    }

    fn give(value: &Duration) -> Value {
        Value::Text(largest(value.as_nanos(), &TIMES))
    }

    fn measure(value: &Duration) -> Option<u128> {
        Some(value.as_nanos())
    }
}

const SIZES: [(&str, u128); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A number of bytes: `64KiB`, `4MiB`, or the plain number.
pub(crate) struct Size;

impl Kind<usize> for Size {
    const UNIT: &'static str = "bytes";

    fn expected() -> String {
        "a size such as 64KiB or 4MiB, or whole bytes".to_owned()
    }

    fn read(given: &Value) -> Option<usize> {
        let text = match given {
            Value::Number(bytes) => return usize::try_from(*bytes).ok(),
            Value::Text(text) => text,
            _ => return None,
        };
        let (number, unit) = split(text)?;
        let unit = if unit.is_empty() { "B" } else { unit };
        let (_, bytes) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
        usize::try_from(number.checked_mul(*bytes)?).ok()
    }

    fn give(value: &usize) -> Value {
        Value::Text(largest(*value as u128, &SIZES))
    }

    fn measure(value: &usize) -> Option<u128> {
        Some(*value as u128)
    }
}

/// A plain number.
pub(crate) struct Count;

impl<T: TryFrom<u64> + TryInto<u64> + Copy> Kind<T> for Count {
    const UNIT: &'static str = "number";

    fn expected() -> String {
        format!("a whole number of at most {} bits", 8 * size_of::<T>())
    }

    fn read(given: &Value) -> Option<T> {
        let number = match given {
            Value::Number(number) => *number,
            Value::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        T::try_from(number).ok()
    }

    fn give(value: &T) -> Value {
        Value::Number((*value).try_into().unwrap_or(u64::MAX))
    }

    fn measure(value: &T) -> Option<u128> {
        (*value).try_into().ok().map(u128::from)
    }
}

/// True or false.
pub(crate) struct Flag;

impl Kind<bool> for Flag {
    const UNIT: &'static str = "true or false";

    fn expected() -> String {
        "true or false".to_owned()
    }

    fn read(given: &Value) -> Option<bool> {
        let text = match given {
            Value::Flag(flag) => return Some(*flag),
            Value::Text(text) => text.trim(),
            _ => return None,
        };
        let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        let (yes, no) = (is(["true", "on", "yes", "1"]), is(["false", "off", "no", "0"]));
        (yes || no).then_some(yes)
    }

    fn give(value: &bool) -> Value {
        Value::Flag(*value)
    }
}

/// A value that may be left out: `none` as text.
pub(crate) struct Maybe<K>(PhantomData<K>);

impl<T, K: Kind<T>> Kind<Option<T>> for Maybe<K> {
    const UNIT: &'static str = K::UNIT;

    fn expected() -> String {
        format!("{}, or none", K::expected())
    }

    fn read(given: &Value) -> Option<Option<T>> {
        match given {
            Value::Nothing => Some(None),
            Value::Text(text) if matches!(text.trim(), "" | "none") => Some(None),
            given => K::read(given).map(Some),
        }
    }

    fn give(value: &Option<T>) -> Value {
        value.as_ref().map_or(Value::Nothing, K::give)
    }

    fn measure(value: &Option<T>) -> Option<u128> {
        value.as_ref().and_then(K::measure)
    }
}

/// A name of the embedder's choice. As text, a blank one is none.
pub(crate) struct Name;

impl Kind<Option<String>> for Name {
    const UNIT: &'static str = "text";

    fn expected() -> String {
        "text".to_owned()
    }

    fn read(given: &Value) -> Option<Option<String>> {
        match given {
            Value::Nothing => Some(None),
            Value::Text(text) => Some(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
            _ => None,
        }
    }

    fn give(value: &Option<String>) -> Value {
        value.clone().map_or(Value::Nothing, Value::Text)
    }
}

/// What is read and never shown.
pub(crate) struct Hidden;

impl Hidden {
    /// What such settings are counted in: errors about them show no value.
    pub(super) const UNIT: &'static str = "secret text";
}

impl Kind<Secret> for Hidden {
    const UNIT: &'static str = Self::UNIT;

    fn expected() -> String {
        "text".to_owned()
    }

    /// A secret of digits alone is a number in some formats.
    fn read(given: &Value) -> Option<Secret> {
        match given {
            Value::Text(text) => Some(Secret::new(text.trim())),
            Value::Number(number) => Some(Secret::new(number.to_string())),
            _ => None,
        }
    }

    fn give(_: &Secret) -> Value {
        Value::Nothing
    }
}

/// What compresses, if anything does.
pub(crate) struct Codec;

impl Kind<Option<Compression>> for Codec {
    const UNIT: &'static str = "codec";

    fn expected() -> String {
        "zlib, lz4, zstd or off".to_owned()
    }

    fn read(given: &Value) -> Option<Option<Compression>> {
        let Value::Text(text) = given else { return None };
        let is = |name: &str| name.eq_ignore_ascii_case(text.trim());
        if is("off") {
            return Some(None);
        }
        Compression::ALL.into_iter().find(|codec| is(codec.name())).map(Some)
    }

    fn give(value: &Option<Compression>) -> Value {
        Value::Text(value.map_or("off", Compression::name).to_owned())
    }
}

/// How queues are shared out.
pub(crate) struct Sharing;

impl Kind<SharingRule> for Sharing {
    const UNIT: &'static str = "rule";

    fn expected() -> String {
        "average, circle or consistent-hash:10".to_owned()
    }

    fn read(given: &Value) -> Option<SharingRule> {
        let Value::Text(text) = given else { return None };
        SharingRule::read(text)
    }

    fn give(value: &SharingRule) -> Value {
        Value::Text(value.name())
    }
}

/// The address of an interface.
pub(crate) struct Address;

impl Kind<IpAddr> for Address {
    const UNIT: &'static str = "IP address";

    fn expected() -> String {
        "an IP address such as 192.0.2.7 or ::1".to_owned()
    }

    fn read(given: &Value) -> Option<IpAddr> {
        let Value::Text(text) = given else { return None };
        text.trim().parse().ok()
    }

    fn give(value: &IpAddr) -> Value {
        Value::Text(value.to_string())
    }
}

/// Certificates or a key.
pub(crate) struct PemText;

impl Kind<Pem> for PemText {
    const UNIT: &'static str = "PEM, or a file of it";

    fn expected() -> String {
        "the path of a PEM file, or PEM that begins with -----BEGIN".to_owned()
    }

    fn read(given: &Value) -> Option<Pem> {
        let Value::Text(text) = given else { return None };
        Some(text.trim()).filter(|text| !text.is_empty()).map(Pem::from)
    }

    fn give(value: &Pem) -> Value {
        value.told().map_or(Value::Nothing, |text| Value::Text(text.to_owned()))
    }
}

/// A page by HTTP.
pub(crate) struct Page;

impl Kind<Url> for Page {
    const UNIT: &'static str = "URL";

    fn expected() -> String {
        "a URL such as http://host:8080/rocketmq/nsaddr; https is not built, since connections \
         are not encrypted"
            .to_owned()
    }

    fn read(given: &Value) -> Option<Url> {
        let Value::Text(text) = given else { return None };
        Url::parse(text)
    }

    fn give(value: &Url) -> Value {
        Value::Text(value.to_string())
    }
}

/// Peers: `host:port`, joined by `;` or `,`, or as a list.
pub(crate) struct Peers;

impl Kind<Vec<Endpoint>> for Peers {
    const UNIT: &'static str = "addresses";

    fn expected() -> String {
        "addresses as host:port or [ipv6]:port, joined by ; or ,".to_owned()
    }

    fn read(given: &Value) -> Option<Vec<Endpoint>> {
        match given {
            Value::Text(text) => super::endpoints(text).ok(),
            Value::List(list) => list.iter().map(|one| Endpoint::parse(one).ok()).collect(),
            _ => None,
        }
    }

    fn give(value: &Vec<Endpoint>) -> Value {
        Value::List(value.iter().map(Endpoint::to_string).collect())
    }
}

/// Addresses in place of others: `told=used`, joined by `;` or `,`, or as a list.
pub(crate) struct Rewrites;

impl Rewrites {
    fn one(text: &str) -> Option<(String, Endpoint)> {
        let (told, used) = text.split_once('=')?;
        // Whatever else it may be, an address that is told ends in a port.
        let told = Some(told.trim()).filter(|told| told.contains(':'))?;
        Some((told.to_owned(), Endpoint::parse(used).ok()?))
    }
}

impl Kind<Vec<(String, Endpoint)>> for Rewrites {
    const UNIT: &'static str = "addresses";

    fn expected() -> String {
        "pairs of addresses as told:port=used:port, joined by ; or ,".to_owned()
    }

    fn read(given: &Value) -> Option<Vec<(String, Endpoint)>> {
        match given {
            Value::Text(text) => super::parts(text).map(Self::one).collect(),
            Value::List(list) => list.iter().map(|one| Self::one(one)).collect(),
            _ => None,
        }
    }

    fn give(value: &Vec<(String, Endpoint)>) -> Value {
        Value::List(value.iter().map(|(told, used)| format!("{told}={used}")).collect())
    }
}

/// Who this process is.
pub(crate) struct Who;

impl Kind<Identity> for Who {
    const UNIT: &'static str = "identity";

    fn expected() -> String {
        "an IPv4 address, or address@process#salt with the salt in hexadecimal".to_owned()
    }

    fn read(given: &Value) -> Option<Identity> {
        let Value::Text(text) = given else { return None };
        Identity::parse(text.trim())
    }

    fn give(value: &Identity) -> Value {
        Value::Text(value.to_string())
    }
}
