//! The binary form of a header (Java's `RocketMQSerializable`).
//!
//! `i16 code | u8 language | i16 version | i32 opaque | i32 flag | i32 length, remark |
//! i32 length, fields`, each field being `i16 length, name | i32 length, value`. A text of length 0
//! stands for none. Codes above 32,767 do not fit: Java cuts them, and so they are never sent so.

use std::borrow::Cow;

use super::error::HeaderError;
use super::head::{Fields, Head, HeaderForm, LOSSY_MAX, Language, Visitor};
use super::header::{FieldSink, WireFields};
use super::json::Trailer;
use super::opaque::Opaque;

/// Reads the fixed part of a header; its extension fields are only delimited.
pub fn read_head(header: &[u8], max_fields: usize) -> Result<Head<'_>, HeaderError> {
    let mut cursor = Cursor { bytes: header, at: 0 };
    let code = i32::from(i16::from_be_bytes(cursor.array("code")?));
    let [language] = cursor.array("language")?;
    let version = i32::from(i16::from_be_bytes(cursor.array("version")?));
    let opaque = i32::from_be_bytes(cursor.array("opaque")?);
    let flag = i32::from_be_bytes(cursor.array("flag")?);
    let remark = cursor.long_text("remark")?;
    let fields = cursor.long_text("extension fields")?;
    let range = (cursor.at - fields.len(), cursor.at);
    let remark = match remark {
        [] => None,
        remark => Some(Lossy::default().text(remark, range.0 - 4 - remark.len())?),
    };
    let mut fields = Fields::new(HeaderForm::Binary, (header, ""), max_fields);
    fields.range = range;
    Ok(Head {
        code,
        flag,
        opaque: Opaque::from_raw(opaque),
        version,
        language: Language::from_code(language),
        remark,
        fields,
    })
}

/// Visits the fields from `start` to the end of `header`.
pub(super) fn visit_fields<'a>(
    header: &'a [u8],
    start: usize,
    limit: usize,
    f: &mut Visitor<'_, 'a>,
) -> Result<(), HeaderError> {
    let mut cursor = Cursor { bytes: header, at: start };
    let (mut count, mut lossy) = (0, Lossy::default());
    while cursor.at < header.len() {
        count += 1;
        if count > limit {
            return Err(HeaderError::TooManyFields { limit });
        }
        let name = cursor.short_text("field name")?;
        let value = cursor.long_text("field value")?;
        if !name.is_empty() && !value.is_empty() {
            let at = cursor.at - value.len();
            f(&lossy.text(name, at - 4 - name.len())?, lossy.text(value, at)?)?;
        }
    }
    Ok(())
}

/// Reads texts, and few bytes that are none.
#[derive(Default)]
struct Lossy {
    bytes: usize,
}

impl Lossy {
    /// The text at `at`, bad bytes as U+FFFD.
    fn text<'a>(&mut self, bytes: &'a [u8], at: usize) -> Result<Cow<'a, str>, HeaderError> {
        if let Err(error) = std::str::from_utf8(bytes) {
            self.bytes += bytes.len();
            if self.bytes > LOSSY_MAX {
                return Err(HeaderError::NotText { at: at + error.valid_up_to() });
            }
        }
        Ok(String::from_utf8_lossy(bytes))
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], HeaderError> {
        let end = self.at.checked_add(length);
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(HeaderError::Truncated { at: self.bytes.len(), part });
        };
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], HeaderError> {
        let taken = self.take(N, part)?;
        let truncated = HeaderError::Truncated { at: self.bytes.len(), part };
        taken.first_chunk().copied().ok_or(truncated)
    }

    /// A text under a 16-bit length.
    fn short_text(&mut self, part: &'static str) -> Result<&'a [u8], HeaderError> {
        let length = u16::from_be_bytes(self.array(part)?);
        self.take(usize::from(length), part)
    }

    /// A text under a 32-bit length; a negative one is past every end, read as unsigned.
    fn long_text(&mut self, part: &'static str) -> Result<&'a [u8], HeaderError> {
        let length = u32::from_be_bytes(self.array(part)?);
        self.take(usize::try_from(length).unwrap_or(usize::MAX), part)
    }
}

/// Appends the header of a frame with this code and the fields that `fields` writes.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    code: i16,
    trailer: &Trailer<'_>,
    fields: impl FnOnce(&mut BinaryFields<'_>),
) {
    out.extend_from_slice(&code.to_be_bytes());
    out.push(Language::Rust.code());
    let version = i16::try_from(trailer.version).unwrap_or(i16::MAX);
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&trailer.opaque.raw().to_be_bytes());
    out.extend_from_slice(&trailer.flag.to_be_bytes());
    put_long(out, trailer.remark.unwrap_or_default());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    fields(&mut BinaryFields { out });
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_long(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Writes extension fields one behind the other.
#[derive(Debug)]
pub(super) struct BinaryFields<'a> {
    out: &'a mut Vec<u8>,
}

impl FieldSink for BinaryFields<'_> {
    fn text(&mut self, key: &'static str, value: &str) {
        self.pair(key, value);
    }

    fn int(&mut self, key: &'static str, value: i64) {
        self.pair(key, itoa::Buffer::new().format(value));
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.pair(key, if value { "true" } else { "false" });
    }

    /// A name that does not fit its 16-bit length is left out: it is none of ours.
    fn pair(&mut self, key: &str, value: &str) {
        if let Ok(length) = i16::try_from(key.len()) {
            self.out.extend_from_slice(&length.to_be_bytes());
            self.out.extend_from_slice(key.as_bytes());
            put_long(self.out, value);
        }
    }
}

impl WireFields for BinaryFields<'_> {
    #[cfg(feature = "acl")]
    const LONGEST_NAME: usize = i16::MAX as usize;
}
