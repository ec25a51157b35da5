//! A place in the bytes of a JSON header, and the steps that move it.

use std::borrow::Cow;

use super::super::error::HeaderError;
use super::escape::unescape;
use super::found::Found;

/// Levels of objects and lists in a value that is passed over: as many as a `u128` has bits.
const DEPTH_MAX: u32 = 128;
/// A byte in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// The same bytes as text; empty when they are not UTF-8.
    whole: &'a str,
    pub(super) at: usize,
    /// The name of the member last read.
    pub(super) key: Span,
    /// Its value.
    pub(super) value: Span,
}

/// Where a name or a value stands.
///
/// The cursor keeps these, and its steps return one byte: results that go through memory cost more
/// than the reading itself.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// The first byte; of a text, that behind its quote.
    pub(super) start: usize,
    /// The byte behind the last one; of a text, its closing quote.
    pub(super) end: usize,
    pub(super) what: What,
}

/// What kind of value it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A string without escapes.
    Text,
    /// A string with escapes.
    Escaped,
    /// A number, `true` or `false`.
    Bare,
    Null,
    /// An object or a list.
    Nested,
}

/// What is wrong where the cursor stands. One byte, so that each step's result stays small.
#[derive(Clone, Copy)]
pub(super) enum Wrong {
    NoObject,
    NoString,
    NoColon,
    NoComma,
    NoValue,
    Bracket,
    TooDeep,
    StringEnds,
    ObjectEnds,
    GoesOn,
}

pub(super) type Step<T> = Result<T, Wrong>;

impl<'a> Cursor<'a> {
    /// A cursor at `at`, which has read nothing yet.
    pub(super) const fn new(bytes: &'a [u8], whole: &'a str, at: usize) -> Self {
        let nothing = Span { start: at, end: at, what: What::Null };
        Self { bytes, whole, at, key: nothing, value: nothing }
    }

    /// The bytes of a name or value, as they stand.
    #[inline]
    pub(super) fn bytes_of(&self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    /// A name or value as text: numbers, booleans, objects and lists as they stand.
    #[inline]
    pub(super) fn text_of(&self, span: Span) -> Cow<'a, str> {
        match self.whole.get(span.start..span.end) {
            Some(text) if span.what != What::Escaped => Cow::Borrowed(text),
            _ => unescape(self.bytes_of(span)),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The error of a step that failed here.
    #[cold]
    pub(super) const fn error(&self, wrong: Wrong) -> HeaderError {
        let expected = match wrong {
            Wrong::NoObject => "an object",
            Wrong::NoString => "a string",
            Wrong::NoColon => "a colon",
            Wrong::NoComma => "a comma or the end of the object",
            Wrong::NoValue => "a value",
            Wrong::Bracket => "the other closing bracket",
            Wrong::GoesOn => "the end of the header",
            Wrong::TooDeep => return HeaderError::Depth { at: self.at, limit: DEPTH_MAX },
            Wrong::StringEnds => {
                return HeaderError::Truncated { at: self.bytes.len(), part: "string" };
            }
            Wrong::ObjectEnds => {
                return HeaderError::Truncated { at: self.bytes.len(), part: "object" };
            }
        };
        HeaderError::Syntax { at: self.at, expected }
    }

    #[inline]
    fn expect(&mut self, byte: u8, wrong: Wrong) -> Step<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(wrong)
        }
    }

    /// Past the opening brace of an object. `false`: it is empty, and passed.
    pub(super) fn enter(&mut self) -> Step<bool> {
        self.skip_white();
        self.expect(b'{', Wrong::NoObject)?;
        self.skip_white();
        let empty = self.peek() == Some(b'}');
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// Past the next member: its name and value are in [`key`](Self::key), [`value`](Self::value).
    pub(super) fn member(&mut self) -> Step<()> {
        self.name()?;
        self.value()
    }

    /// Past the name of the next member, and to its value.
    #[inline]
    pub(super) fn name(&mut self) -> Step<()> {
        self.skip_white();
        self.key = self.string()?;
        self.skip_white();
        self.expect(b':', Wrong::NoColon)?;
        self.skip_white();
        Ok(())
    }

    /// Past a value.
    #[inline]
    pub(super) fn value(&mut self) -> Step<()> {
        self.value = match self.peek() {
            Some(b'"') => self.string()?,
            Some(b'{' | b'[') => self.nested()?,
            _ => self.bare()?,
        };
        Ok(())
    }

    /// Past what follows a member. `false`: the object is at its end.
    #[inline]
    pub(super) fn more(&mut self) -> Step<bool> {
        self.skip_white();
        match self.peek() {
            Some(byte @ (b',' | b'}')) => {
                self.at += 1;
                Ok(byte == b',')
            }
            _ => Err(Wrong::NoComma),
        }
    }

    #[inline(always)]
    fn string(&mut self) -> Step<Span> {
        self.expect(b'"', Wrong::NoString)?;
        let start = self.at;
        let mut what = What::Text;
        loop {
            self.at = quote_or_backslash(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(_) => self.at += 2,
                None => return Err(Wrong::StringEnds),
            }
            what = What::Escaped;
        }
        self.at += 1;
        Ok(Span { start, end: self.at - 1, what })
    }

    #[inline(always)]
    fn bare(&mut self) -> Step<Span> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let inside = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let token = &rest[..rest.iter().take_while(inside).count()];
        let what = match token {
            [b'-' | b'0'..=b'9', ..] | b"true" | b"false" => What::Bare,
            b"null" => What::Null,
            _ => return Err(Wrong::NoValue),
        };
        let start = self.at;
        self.at += token.len();
        Ok(Span { start, end: self.at, what })
    }

    /// Past the object of extension fields: their places go into `found`, as far as it has room.
    ///
    /// What is no good object is passed over by its brackets alone, with nothing found: a bad field
    /// spoils one frame, and is reported by who reads the fields.
    pub(super) fn fields(&mut self, found: &mut Found) -> Step<()> {
        let start = self.at;
        found.clear();
        if self.peek() == Some(b'{') && self.flat(found).is_ok() {
            self.value = Span { start, end: self.at, what: What::Nested };
            return Ok(());
        }
        found.overflow();
        self.at = start;
        self.value()
    }

    fn flat(&mut self, found: &mut Found) -> Step<()> {
        let mut next = self.enter()?;
        while next {
            self.member()?;
            found.push(self.key, self.value);
            next = self.more()?;
        }
        Ok(())
    }

    /// Past an object or a list. Only strings and brackets are looked at.
    fn nested(&mut self) -> Step<Span> {
        let start = self.at;
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
                        return Err(Wrong::TooDeep);
                    }
                    depth += 1;
                    levels = levels << 1 | u128::from(byte == b'{');
                }
                b'}' | b']' => {
                    if (levels & 1 == 1) != (byte == b'}') {
                        return Err(Wrong::Bracket);
                    }
                    depth -= 1;
                    levels >>= 1;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(Span { start, end: self.at, what: What::Nested });
            }
        }
        Err(Wrong::ObjectEnds)
    }
}

/// The place of the first quote or backslash from `at` on, or the end of the bytes, or one past it.
///
/// Most names and values are short: a few words looked at in line cost less than a call.
#[inline]
fn quote_or_backslash(bytes: &[u8], mut at: usize) -> usize {
    for _ in 0..4 {
        let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else { break };
        let word = u64::from_le_bytes(*word);
        let hits = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    match bytes.get(at..) {
        Some(rest) => at + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len()),
        None => at,
    }
}

/// The upper bit of each zero byte, the lowest of them exact.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}
