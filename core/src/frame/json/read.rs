//! Reading a JSON header in two passes: the fixed part first, the extension fields when asked for.

use std::borrow::Cow;

use super::super::error::HeaderError;
use super::super::head::{Fields, Head, HeaderForm, LOSSY_MAX, Language, Visitor};
use super::super::opaque::Opaque;
use super::cursor::{Cursor, What, Wrong};
use super::found::Found;

/// Reads the fixed part of a header; its extension fields are only delimited.
///
/// Keys come in any order, unknown ones are ignored, the last of two equal ones counts. A number
/// may be quoted. `code` and `opaque` must be there; `flag` and `version` are 0 by default.
pub fn read_head(header: &[u8], max_fields: usize) -> Result<Head<'_>, HeaderError> {
    // Looked through once as a whole: names and values are then cut from it without a further look.
    let whole = match std::str::from_utf8(header) {
        Ok(whole) => whole,
        Err(_) if header.len() <= LOSSY_MAX => "",
        Err(error) => return Err(HeaderError::NotText { at: error.valid_up_to() }),
    };
    let mut cursor = Cursor::new(header, whole, 0);
    // Judged at the end: a bad value may be followed by a good one, which counts.
    let (mut code, mut opaque) = (Ok(None), Ok(None));
    let (mut flag, mut version) = (Ok(None), Ok(None));
    let mut language = Language::Unknown;
    let mut remark = None;
    let mut fields = Fields::new(HeaderForm::Json, (header, whole), max_fields);
    let mut next = cursor.enter().map_err(|wrong| cursor.error(wrong))?;
    while next {
        cursor.name().map_err(|wrong| cursor.error(wrong))?;
        let name = cursor.bytes_of(cursor.key);
        if name == b"extFields" { cursor.fields(&mut fields.found) } else { cursor.value() }
            .map_err(|wrong| cursor.error(wrong))?;
        match name {
            b"code" => code = int("code", &cursor),
            b"opaque" => opaque = int("opaque", &cursor),
            b"flag" => flag = int("flag", &cursor),
            b"version" => version = int("version", &cursor),
            b"language" => language = read_language(&cursor),
            b"remark" => remark = text(&cursor),
            b"extFields" => fields.range = object(&cursor)?,
            _ => {}
        }
        next = cursor.more().map_err(|wrong| cursor.error(wrong))?;
    }
    cursor.skip_white();
    if cursor.at != header.len() {
        return Err(cursor.error(Wrong::GoesOn));
    }
    Ok(Head {
        code: code?.ok_or(HeaderError::Missing { field: "code" })?,
        flag: flag?.unwrap_or(0),
        opaque: Opaque::from_raw(opaque?.ok_or(HeaderError::Missing { field: "opaque" })?),
        version: version?.unwrap_or(0),
        language,
        remark,
        fields,
    })
}

/// Visits the members of the object that starts at `start` and ends with `header`.
pub(in crate::frame) fn visit_fields<'a>(
    (header, whole): (&'a [u8], &'a str),
    start: usize,
    (limit, found): (usize, &Found),
    f: &mut Visitor<'_, 'a>,
) -> Result<(), HeaderError> {
    let mut cursor = Cursor::new(header, whole, start);
    if let Some(spans) = found.spans().filter(|spans| spans.len() <= limit) {
        for (name, value) in spans {
            if value.what != What::Null {
                f(&cursor.text_of(name), cursor.text_of(value))?;
            }
        }
        return Ok(());
    }
    let mut next = cursor.enter().map_err(|wrong| cursor.error(wrong))?;
    let mut count = 0;
    while next {
        count += 1;
        if count > limit {
            return Err(HeaderError::TooManyFields { limit });
        }
        cursor.member().map_err(|wrong| cursor.error(wrong))?;
        if let Some(value) = text(&cursor) {
            f(&cursor.text_of(cursor.key), value)?;
        }
        next = cursor.more().map_err(|wrong| cursor.error(wrong))?;
    }
    Ok(())
}

/// The value as text; `None` for null.
#[inline]
fn text<'a>(cursor: &Cursor<'a>) -> Option<Cow<'a, str>> {
    (cursor.value.what != What::Null).then(|| cursor.text_of(cursor.value))
}

fn int(field: &'static str, cursor: &Cursor<'_>) -> Result<Option<i32>, HeaderError> {
    let Some(text) = text(cursor) else { return Ok(None) };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(HeaderError::invalid(field, &text, "a 32-bit integer")),
    }
}

/// The name of a language, or its number (the Python client sends that).
fn read_language(cursor: &Cursor<'_>) -> Language {
    let Some(text) = text(cursor) else { return Language::Unknown };
    match cursor.value.what {
        What::Bare => text.parse().map_or(Language::Unknown, Language::from_code),
        _ => Language::from_name(&text),
    }
}

fn object(cursor: &Cursor<'_>) -> Result<(usize, usize), HeaderError> {
    match cursor.value.what {
        What::Nested => Ok((cursor.value.start, cursor.value.end)),
        What::Null => Ok((0, 0)),
        What::Text | What::Escaped | What::Bare => Err(cursor.error(Wrong::NoObject)),
    }
}
