//! The extension fields of a request as they have just been encoded: where each stands, and in
//! which order they are signed.

use std::cmp::Ordering;
use std::ops::Range;

use memchr::memchr2;

use crate::frame::HeaderForm;
use crate::frame::json::unescape;

/// Where one field stands among the bytes of all.
#[derive(Clone, Debug)]
pub(super) struct Member {
    name: Range<usize>,
    value: Range<usize>,
    /// Whether the value, or the name, has escapes.
    escaped: (bool, bool),
}

impl Member {
    pub(super) fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.name.clone()]
    }

    /// Appends the value as a server reads it.
    pub(super) fn put_value(&self, text: &[u8], out: &mut Vec<u8>) {
        let raw = &text[self.value.clone()];
        if self.escaped.0 { unescape_into(raw, out) } else { out.extend_from_slice(raw) }
    }

    /// The order of Java's `TreeMap`: by UTF-16 units. Bytes have the same, but for what stands
    /// behind the surrogates.
    pub(super) fn cmp(&self, other: &Self, text: &[u8]) -> Ordering {
        let (a, b) = (self.name(text), other.name(text));
        let plain = |name: &[u8], member: &Self| !member.escaped.1 && name.is_ascii();
        if plain(a, self) && plain(b, other) {
            return a.cmp(b);
        }
        unescape(a).encode_utf16().cmp(unescape(b).encode_utf16())
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
        found.push(Member { name, value, escaped: (in_value, in_name) });
    }
}

/// The string that begins at `begin`, behind its quote; and whether it has escapes.
fn string(text: &[u8], begin: usize) -> (Range<usize>, bool) {
    let (mut at, mut escaped) = (begin, false);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            Some(next) if rest[next] == b'\\' => (at, escaped) = (at + next + 2, true),
            Some(next) => return (begin..at + next, escaped),
            None => return (begin.min(text.len())..text.len(), escaped),
        }
    }
}

/// Each `i16 length, name | i32 length, value`.
fn find_binary(text: &[u8], found: &mut Vec<Member>) {
    let mut at = 0;
    while let Some(name) = cut::<2>(text, at) {
        let Some(value) = cut::<4>(text, name.end) else { return };
        at = value.end;
        found.push(Member { name, value, escaped: (false, false) });
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
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, taken) = match rest.get(at + 1) {
            Some(b'u') => (hex(rest, at + 4) << 4 | hex(rest, at + 5), 6),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(other) => (*other, 2),
            None => (b'\\', 1),
        };
        out.push(byte);
        rest = rest.get(at + taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn hex(text: &[u8], at: usize) -> u8 {
    let digit = text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    digit.unwrap_or_default() as u8
}
