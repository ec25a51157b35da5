//! The extension fields of a request as they have just been encoded: where each stands, and in
//! which order they are signed.

use std::cmp::Ordering;
use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::frame::HeaderForm;
use crate::frame::json::unescape;

/// Where one field stands among the bytes of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The first bytes of the name, which most orders follow from.
    key: u64,
    name: (u32, u32),
    value: (u32, u32),
    /// The value has escapes.
    escaped: bool,
    /// The name has escapes, or is not ASCII: bytes have another order than Java's then.
    odd: bool,
}

/// With so many fields, a sort that costs more to begin with is faster.
const MANY: usize = 32;

impl Member {
    fn new(text: &[u8], name: Range<usize>, value: Range<usize>, escaped: (bool, bool)) -> Self {
        let raw = text.get(name.clone()).unwrap_or_default();
        let mut first = [0; 8];
        first.iter_mut().zip(raw).for_each(|(to, byte)| *to = *byte);
        let place = |range: Range<usize>| (range.start as u32, range.end as u32);
        Self {
            key: u64::from_be_bytes(first),
            name: place(name),
            value: place(value),
            escaped: escaped.0,
            odd: escaped.1 || !raw.is_ascii(),
        }
    }

    pub(super) fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.name.0 as usize..self.name.1 as usize).unwrap_or_default()
    }

    pub(super) fn has_name_of(&self, other: &Self, text: &[u8]) -> bool {
        self.key == other.key && self.name(text) == other.name(text)
    }

    /// Appends the value as a server reads it.
    pub(super) fn put_value(&self, text: &[u8], out: &mut Vec<u8>) {
        let raw = text.get(self.value.0 as usize..self.value.1 as usize).unwrap_or_default();
        if self.escaped { unescape_into(raw, out) } else { out.extend_from_slice(raw) }
    }

    /// The order of Java's `TreeMap`: by UTF-16 units.
    fn cmp(&self, other: &Self, text: &[u8]) -> Ordering {
        if self.odd || other.odd {
            let (a, b) = (unescape(self.name(text)), unescape(other.name(text)));
            return a.encode_utf16().cmp(b.encode_utf16());
        }
        self.key.cmp(&other.key).then_with(|| self.name(text).cmp(other.name(text)))
    }
}

/// Puts fields into the order in which they are signed; those of one name stay as they are.
pub(super) fn sort(members: &mut [Member], text: &[u8]) {
    if members.len() > MANY {
        return members.sort_by(|one, other| one.cmp(other, text));
    }
    // What is encoded is nearly in order: each goes up the few places that it has to.
    for at in 1..members.len() {
        let mut place = at;
        let is_before = |members: &[Member], place: usize| {
            members[place].cmp(&members[place - 1], text) == Ordering::Less
        };
        while place > 0 && is_before(members, place) {
            members.swap(place, place - 1);
            place -= 1;
        }
    }
}

/// Finds the fields in `text`, which an encoder of ours wrote.
pub(super) fn find(form: HeaderForm, text: &[u8], found: &mut Vec<Member>) {
    found.clear();
    match form {
        HeaderForm::Json => find_json(text, found),
        HeaderForm::Binary => find_binary(text, found),
    }
}

/// `"name":"value"`, joined by commas.
fn find_json(text: &[u8], found: &mut Vec<Member>) {
    let mut at = 0;
    while at < text.len() {
        let begin = at + usize::from(at > 0) + 1;
        let (name, in_name) = string(text, begin);
        let (value, in_value) = string(text, name.end + 3);
        at = value.end + 1;
        found.push(Member::new(text, name, value, (in_value, in_name)));
    }
}

/// The string that begins at `begin`, behind its quote; and whether it has escapes.
fn string(text: &[u8], begin: usize) -> (Range<usize>, bool) {
    let (mut at, mut escaped) = (begin, false);
    // Most are shorter than it takes to begin a search.
    let near = text.get(at..text.len().min(at + NEAR)).unwrap_or_default();
    for byte in near {
        match byte {
            b'"' => return (begin..at, false),
            b'\\' => break,
            _ => at += 1,
        }
    }
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            Some(next) if rest[next] == b'\\' => (at, escaped) = (at + next + 2, true),
            Some(next) => return (begin..at + next, escaped),
            None => return (begin.min(text.len())..text.len(), escaped),
        }
    }
}

/// Bytes that are looked at one by one.
const NEAR: usize = 12;

/// Each `i16 length, name | i32 length, value`.
fn find_binary(text: &[u8], found: &mut Vec<Member>) {
    let mut at = 0;
    while let Some(name) = cut::<2>(text, at) {
        let Some(value) = cut::<4>(text, name.end) else { return };
        at = value.end;
        found.push(Member::new(text, name, value, (false, false)));
    }
}

/// The bytes behind their length, which has `N` bytes.
fn cut<const N: usize>(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = text.get(at..)?.first_chunk::<N>()?;
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    Some(at + N..at + N + length)
}

/// Appends the text of a JSON string that an encoder of ours wrote.
fn unescape_into(raw: &[u8], out: &mut Vec<u8>) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = &rest[at + 1..];
        let (byte, taken) = match escape {
            [b'u', _, _, high, low, ..] => (hex(*high) << 4 | hex(*low), 5),
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [other, ..] => (*other, 1),
            [] => (b'\\', 0),
        };
        out.push(byte);
        rest = &escape[taken..];
    }
    out.extend_from_slice(rest);
}

/// The value of a hexadecimal digit.
const fn hex(digit: u8) -> u8 {
    (digit & 15) + if digit > b'9' { 9 } else { 0 }
}
