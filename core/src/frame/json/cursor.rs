//! A place in the bytes of a JSON header, and the steps that move it.

use std::borrow::Cow;

use super::super::error::HeaderError;
use super::escape::unescape;

/// Levels of objects and lists in a value that is passed over: as many as a `u128` has bits.
const DEPTH_MAX: u32 = 128;

pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

/// The bytes between the quotes of a string.
#[derive(Clone, Copy)]
pub(super) struct RawText<'a> {
    pub(super) bytes: &'a [u8],
    escaped: bool,
}

impl<'a> RawText<'a> {
    pub(super) fn text(self) -> Cow<'a, str> {
        if self.escaped { unescape(self.bytes) } else { String::from_utf8_lossy(self.bytes) }
    }
}

/// A value of an object.
pub(super) enum Value<'a> {
    Text(RawText<'a>),
    /// A number, `true` or `false`, as it stands.
    Bare(&'a [u8]),
    Null,
    /// An object or a list, from its opening to its closing bracket.
    Nested {
        start: usize,
        end: usize,
    },
}

impl<'a> Cursor<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) const fn wrong(&self, expected: &'static str) -> HeaderError {
        HeaderError::Syntax { at: self.at, expected }
    }

    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), HeaderError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.wrong(expected))
        }
    }

    /// Past the opening brace of an object. `false`: it is empty, and passed.
    pub(super) fn enter(&mut self) -> Result<bool, HeaderError> {
        self.skip_white();
        self.expect(b'{', "an object")?;
        self.skip_white();
        let empty = self.peek() == Some(b'}');
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// The name of the next member; the cursor then stands at its value.
    pub(super) fn key(&mut self) -> Result<RawText<'a>, HeaderError> {
        self.skip_white();
        let key = self.string()?;
        self.skip_white();
        self.expect(b':', "a colon")?;
        self.skip_white();
        Ok(key)
    }

    /// Past what follows a member. `false`: the object is at its end.
    pub(super) fn more(&mut self) -> Result<bool, HeaderError> {
        self.skip_white();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.wrong("a comma or the end of the object")),
        }
    }

    pub(super) fn string(&mut self) -> Result<RawText<'a>, HeaderError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(HeaderError::Truncated { at: self.bytes.len(), part: "string" });
            };
            self.at += found;
            if rest[found] == b'"' {
                let bytes = &self.bytes[start..self.at];
                self.at += 1;
                return Ok(RawText { bytes, escaped });
            }
            escaped = true;
            self.at += 2;
        }
    }

    pub(super) fn value(&mut self) -> Result<Value<'a>, HeaderError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{' | b'[') => {
                let start = self.at;
                self.skip_nested()?;
                Ok(Value::Nested { start, end: self.at })
            }
            _ => self.bare(),
        }
    }

    fn bare(&mut self) -> Result<Value<'a>, HeaderError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let inside =
            |b: &&u8| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.');
        let token = &rest[..rest.iter().take_while(inside).count()];
        let value = match token {
            b"null" => Value::Null,
            b"true" | b"false" | [b'-' | b'0'..=b'9', ..] => Value::Bare(token),
            _ => return Err(self.wrong("a value")),
        };
        self.at += token.len();
        Ok(value)
    }

    /// Past an object or a list. Only strings and brackets are looked at.
    fn skip_nested(&mut self) -> Result<(), HeaderError> {
        // One bit per level, 1 for an object: no recursion, whatever a peer sends.
        let (mut levels, mut depth) = (0_u128, 0_u32);
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => {
                    if depth == DEPTH_MAX {
                        return Err(HeaderError::Depth { at: self.at, limit: DEPTH_MAX });
                    }
                    depth += 1;
                    levels = levels << 1 | u128::from(byte == b'{');
                }
                b'}' | b']' => {
                    if (levels & 1 == 1) != (byte == b'}') {
                        return Err(self.wrong("the other closing bracket"));
                    }
                    depth -= 1;
                    levels >>= 1;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(HeaderError::Truncated { at: self.bytes.len(), part: "object" })
    }
}
