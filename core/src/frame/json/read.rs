//! Reading a JSON header in two passes: the fixed part first, the extension fields when asked for.

use std::borrow::Cow;

use super::super::error::HeaderError;
use super::super::head::{Fields, Head, HeaderForm, Language};
use super::super::opaque::Opaque;
use super::cursor::{Cursor, Value};

/// Reads the fixed part of a header; its extension fields are only delimited.
///
/// Keys come in any order, unknown ones are ignored, the last of two equal ones counts. A number
/// may be quoted. `code` and `opaque` must be there; `flag` and `version` are 0 by default.
pub fn read_head(header: &[u8], max_fields: usize) -> Result<Head<'_>, HeaderError> {
    let mut cursor = Cursor { bytes: header, at: 0 };
    let (mut code, mut opaque) = (None, None);
    let (mut flag, mut version) = (None, None);
    let mut language = Language::Unknown;
    let mut remark = None;
    let mut range = (0, 0);
    let mut more = cursor.enter()?;
    while more {
        let key = cursor.key()?;
        let at = cursor.at;
        let value = cursor.value()?;
        match key.bytes {
            b"code" => code = int("code", &value)?,
            b"opaque" => opaque = int("opaque", &value)?,
            b"flag" => flag = int("flag", &value)?,
            b"version" => version = int("version", &value)?,
            b"language" => language = read_language(&value),
            b"remark" => remark = text(header, &value),
            b"extFields" => range = object(at, &value)?,
            _ => {}
        }
        more = cursor.more()?;
    }
    cursor.skip_white();
    if cursor.at != header.len() {
        return Err(cursor.wrong("the end of the header"));
    }
    Ok(Head {
        code: code.ok_or(HeaderError::Missing { field: "code" })?,
        flag: flag.unwrap_or(0),
        opaque: Opaque::from_raw(opaque.ok_or(HeaderError::Missing { field: "opaque" })?),
        version: version.unwrap_or(0),
        language,
        remark,
        fields: Fields::new(HeaderForm::Json, header, range, max_fields),
    })
}

/// Visits the members of the object that starts at `start` and ends with `header`.
pub(in crate::frame) fn visit_fields<'a>(
    header: &'a [u8],
    start: usize,
    limit: usize,
    f: &mut dyn FnMut(&str, Cow<'a, str>) -> Result<(), HeaderError>,
) -> Result<(), HeaderError> {
    let mut cursor = Cursor { bytes: header, at: start };
    let mut more = cursor.enter()?;
    let mut count = 0;
    while more {
        count += 1;
        if count > limit {
            return Err(HeaderError::TooManyFields { limit });
        }
        let key = cursor.key()?;
        let value = cursor.value()?;
        if let Some(value) = text(header, &value) {
            f(&key.text(), value)?;
        }
        more = cursor.more()?;
    }
    Ok(())
}

/// A value as text: numbers, booleans, objects and lists as they stand; `None` for null.
fn text<'a>(header: &'a [u8], value: &Value<'a>) -> Option<Cow<'a, str>> {
    match *value {
        Value::Text(raw) => Some(raw.text()),
        Value::Bare(token) => Some(String::from_utf8_lossy(token)),
        Value::Nested { start, end } => Some(String::from_utf8_lossy(&header[start..end])),
        Value::Null => None,
    }
}

fn int(field: &'static str, value: &Value<'_>) -> Result<Option<i32>, HeaderError> {
    const EXPECTED: &str = "a 32-bit integer";
    let text = match value {
        Value::Bare(token) => String::from_utf8_lossy(token),
        Value::Text(raw) => raw.text(),
        Value::Null => return Ok(None),
        Value::Nested { .. } => return Err(HeaderError::invalid(field, "{..}", EXPECTED)),
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(HeaderError::invalid(field, &text, EXPECTED)),
    }
}

/// The name of a language, or its number (the Python client sends that).
fn read_language(value: &Value<'_>) -> Language {
    match value {
        Value::Text(raw) => Language::from_name(&raw.text()),
        Value::Bare(token) => {
            let code = std::str::from_utf8(token).ok().and_then(|text| text.parse().ok());
            code.map_or(Language::Unknown, Language::from_code)
        }
        Value::Null | Value::Nested { .. } => Language::Unknown,
    }
}

fn object(at: usize, value: &Value<'_>) -> Result<(usize, usize), HeaderError> {
    match *value {
        Value::Nested { start, end } => Ok((start, end)),
        Value::Null => Ok((0, 0)),
        Value::Text(_) | Value::Bare(_) => Err(HeaderError::Syntax { at, expected: "an object" }),
    }
}
