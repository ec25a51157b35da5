//! Text into and out of JSON strings.

use std::borrow::Cow;

/// A byte in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` escaped for a JSON string, without the quotes around it.
///
/// Quotes, backslashes and control characters (the separators of message properties are such) are
/// escaped; everything else, non-ASCII text too, is copied as it is, as fastjson writes it.
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len());
    // Eight bytes at a time, copied as they are; what has to be escaped is then taken back.
    while let Some(word) = rest.first_chunk::<8>() {
        out.extend_from_slice(word);
        let found = escapes(u64::from_le_bytes(*word));
        if found == 0 {
            rest = &rest[8..];
            continue;
        }
        let clean = found.trailing_zeros() as usize / 8;
        out.truncate(out.len() - (8 - clean));
        escape_byte(out, word[clean]);
        rest = &rest[clean + 1..];
    }
    for &byte in rest {
        if needs_escape(byte) {
            escape_byte(out, byte);
        } else {
            out.push(byte);
        }
    }
}

/// Bytes that the escapes of a text take beyond the text itself, at most.
pub(crate) fn escape_room(text: &str) -> usize {
    let room = |byte: u8| 5 * u8::from(byte < 0x20) + u8::from((byte == b'"') | (byte == b'\\'));
    let (blocks, tail) = text.as_bytes().as_chunks::<16>();
    let mut sum: usize = tail.iter().map(|byte| usize::from(room(*byte))).sum();
    // The compiler makes vector sums of it, which must not run over a byte.
    for blocks in blocks.chunks(usize::from(u8::MAX / 5)) {
        let mut sums = [0; 16];
        for block in blocks {
            sums.iter_mut().zip(block).for_each(|(sum, byte)| *sum += room(*byte));
        }
        sum += sums.iter().map(|sum| usize::from(*sum)).sum::<usize>();
    }
    sum
}

const fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The upper bit of each byte that needs an escape, the lowest of them exact.
#[inline]
const fn escapes(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & (ONES << 7)
}

fn escape_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

/// The text of a JSON string, given the bytes between its quotes; borrowed when nothing is escaped.
///
/// Bytes that are not UTF-8 and lone surrogates become U+FFFD, as Java's decoder has it; an escape
/// that JSON does not know stands for its own character.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return String::from_utf8_lossy(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        text.push_str(&String::from_utf8_lossy(&rest[..at]));
        let (character, taken) = escaped_character(&rest[at + 1..]);
        text.push(character);
        rest = &rest[at + 1 + taken..];
    }
    text.push_str(&String::from_utf8_lossy(rest));
    Cow::Owned(text)
}

/// The character after a backslash and the number of bytes it takes.
fn escaped_character(bytes: &[u8]) -> (char, usize) {
    let Some(&first) = bytes.first() else { return (char::REPLACEMENT_CHARACTER, 0) };
    match first {
        b'n' => ('\n', 1),
        b't' => ('\t', 1),
        b'r' => ('\r', 1),
        b'b' => ('\u{8}', 1),
        b'f' => ('\u{c}', 1),
        b'u' => escaped_unit(bytes),
        0..0x80 => (char::from(first), 1),
        // The first byte of a longer character: leave it to the text that follows.
        _ => ('\\', 0),
    }
}

/// `uXXXX`, or a pair of them that makes one character.
fn escaped_unit(bytes: &[u8]) -> (char, usize) {
    let Some(unit) = hex_unit(bytes) else { return (char::REPLACEMENT_CHARACTER, 1) };
    if let 0xD800..0xDC00 = unit
        && bytes.get(5) == Some(&b'\\')
        && let Some(low @ 0xDC00..0xE000) = hex_unit(&bytes[6..])
    {
        let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}

fn hex_unit(bytes: &[u8]) -> Option<u32> {
    let (b'u', digits) = (*bytes.first()?, bytes.get(1..5)?) else { return None };
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape_into(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped_wherever_they_stand() {
        assert_eq!(escaped("KEYS\u{1}K\u{2}"), "KEYS\\u0001K\\u0002");
        assert_eq!(
            escaped("a\"b\\c\n\r\t\u{1f}\u{7f}é用🚀"),
            "a\\\"b\\\\c\\n\\r\\t\\u001f\u{7f}é用🚀"
        );
        for at in 0..100 {
            let text = format!("{}\"{}", "x".repeat(at), "é".repeat(100 - at));
            let whole = format!("\"{}\"", escaped(&text));
            assert_eq!(serde_json::from_str::<String>(&whole).unwrap(), text);
            assert_eq!(unescape(escaped(&text).as_bytes()), text);
        }
    }

    #[test]
    fn every_character_is_escaped_or_not_in_every_place_of_a_word() {
        for character in (0..0x300).filter_map(char::from_u32) {
            for at in 0..17 {
                let text = format!("{}{character}\u{1}{character}", "x".repeat(at));
                let (whole, room) = (escaped(&text), escape_room(&text));
                let read = serde_json::from_str::<String>(&format!("\"{whole}\"")).unwrap();
                assert_eq!(read, text);
                let used = whole.len() - text.len();
                assert!((used..=used + 8).contains(&room), "{text:?}: {room} for {used}");
            }
        }
        let text = "\u{1}".repeat(16 * 60);
        assert_eq!(escape_room(&text) + text.len(), escaped(&text).len());
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(unescape("用户".as_bytes()), Cow::Borrowed("用户")));
    }

    #[test]
    fn broken_escapes_and_bytes_become_replacement_characters() {
        assert_eq!(unescape(br"\ud83d\ude80"), "🚀");
        assert_eq!(unescape(br"a\ud83db"), "a\u{fffd}b");
        assert_eq!(unescape(br"\ude80\ud83d\ud83d\ude80"), "\u{fffd}\u{fffd}🚀");
        assert_eq!(unescape(br"\u12"), "\u{fffd}12");
        assert_eq!(unescape(br"\u+123\/\q\"), "\u{fffd}+123/q\u{fffd}");
        assert_eq!(unescape(b"\xff\\n\xc3"), "\u{fffd}\n\u{fffd}");
        assert_eq!(unescape("\\é".as_bytes()), "\\é");
    }
}
