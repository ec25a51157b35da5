//! Makes standard JSON of what fastjson writes and reads: bare keys, objects as keys, single
//! quotes, comments.
//!
//! | found | becomes |
//! |---|---|
//! | `{0:"a"}`, `{name:1}` | `{"0":"a"}`, `{"name":1}` |
//! | `{{"q":1}:2}` | `{"{\"q\":1}":2}`: the key is text that holds JSON |
//! | `'a'` | `"a"` |
//! | `// ...`, `/* ... */`, a comma too many | nothing |
//! | `NaN`, `Infinity`, `undefined` | `null` |
//! | a lone surrogate, bytes that are not UTF-8 | U+FFFD |
//! | a control character in a text | its escape |
//!
//! One pass, bounded in depth, in the number of values and in what it writes.

use std::borrow::Cow;

/// Levels of lists and objects: as many as `serde_json` takes.
pub(super) const DEPTH_MAX: u32 = 127;

/// What stops the rewriting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Not JSON in any dialect: at this byte, where this was expected.
    Syntax(usize, &'static str),
    /// Nested too deeply.
    Depth(usize),
    /// Too many values.
    Elements,
    /// More to write than allowed.
    Size,
}

/// Bounds of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Values: members of lists and of objects, counted together.
    pub(super) elements: usize,
    /// Bytes written.
    pub(super) size: usize,
}

/// The same as standard JSON.
pub(super) fn standard(json: &[u8], bounds: Bounds) -> Result<Vec<u8>, Stop> {
    let text = String::from_utf8_lossy(json);
    let text = match &text {
        Cow::Borrowed(text) => text.as_bytes(),
        Cow::Owned(text) => text.as_bytes(),
    };
    // What is written is about as long, by quotes around some keys.
    let out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut rewriter = Rewriter { text, at: 0, out, in_key: false, elements: 0, bounds };
    if text.starts_with(b"\xef\xbb\xbf") {
        rewriter.at = 3;
    }
    rewriter.value(0)?;
    rewriter.skip_blank()?;
    match rewriter.peek() {
        None => Ok(rewriter.out),
        Some(_) => Err(Stop::Syntax(rewriter.at, "the end")),
    }
}

struct Rewriter<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// What is written stands inside the text of a key.
    in_key: bool,
    elements: usize,
    bounds: Bounds,
}

impl Rewriter<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Spaces and comments.
    fn skip_blank(&mut self) -> Result<(), Stop> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += match rest {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => 1,
                [b'/', b'/', ..] => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
                [b'/', b'*', inner @ ..] => match memchr::memmem::find(inner, b"*/") {
                    Some(end) => end + 4,
                    None => return Err(Stop::Syntax(self.at, "the end of the comment")),
                },
                _ => return Ok(()),
            };
        }
    }

    /// Writes structure: inside the text of a key, quotes are escaped.
    fn put(&mut self, byte: u8) {
        if self.in_key && byte == b'"' {
            self.out.push(b'\\');
        }
        self.out.push(byte);
    }

    /// Writes the backslash of an escape.
    fn put_backslash(&mut self) {
        self.out.push(b'\\');
        if self.in_key {
            self.out.push(b'\\');
        }
    }

    fn element(&mut self) -> Result<(), Stop> {
        self.elements += 1;
        if self.elements > self.bounds.elements {
            return Err(Stop::Elements);
        }
        if self.out.len() > self.bounds.size {
            return Err(Stop::Size);
        }
        Ok(())
    }

    fn value(&mut self, depth: u32) -> Result<(), Stop> {
        self.element()?;
        self.skip_blank()?;
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(quote @ (b'"' | b'\'')) => self.string(quote),
            Some(_) => self.bare_value(),
            None => Err(Stop::Syntax(self.at, "a value")),
        }
    }

    fn list(&mut self, depth: u32) -> Result<(), Stop> {
        self.open(depth)?;
        loop {
            if !self.more(b']')? {
                self.put(b']');
                return Ok(());
            }
            self.value(depth)?;
        }
    }

    fn object(&mut self, depth: u32) -> Result<(), Stop> {
        self.open(depth)?;
        loop {
            if !self.more(b'}')? {
                self.put(b'}');
                return Ok(());
            }
            self.key(depth)?;
            self.skip_blank()?;
            if self.peek() != Some(b':') {
                return Err(Stop::Syntax(self.at, "a colon"));
            }
            self.at += 1;
            self.put(b':');
            self.value(depth)?;
        }
    }

    /// Over the bracket, which is written as it is.
    fn open(&mut self, depth: u32) -> Result<(), Stop> {
        if depth > DEPTH_MAX {
            return Err(Stop::Depth(self.at));
        }
        let bracket = self.peek().unwrap_or(b'{');
        self.put(bracket);
        self.at += 1;
        Ok(())
    }

    /// Whether a member follows; between two of them a comma is written, and any number is read.
    fn more(&mut self, close: u8) -> Result<bool, Stop> {
        let mut comma = false;
        loop {
            self.skip_blank()?;
            match self.peek() {
                Some(b',') => comma = true,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(false);
                }
                Some(_) => break,
                None => return Err(Stop::Syntax(self.at, "the end of a list or an object")),
            }
            self.at += 1;
        }
        let first = matches!(self.out.last(), Some(b'{' | b'['));
        match (first, comma) {
            (true, _) => {}
            (false, true) => self.put(b','),
            (false, false) => return Err(Stop::Syntax(self.at, "a comma")),
        }
        Ok(true)
    }

    fn key(&mut self, depth: u32) -> Result<(), Stop> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.string(quote),
            // A key inside a key would double the backslashes with each level: nobody writes it.
            Some(b'{') if self.in_key => Err(Stop::Syntax(self.at, "a key that is text")),
            Some(b'{') => {
                self.element()?;
                self.out.push(b'"');
                self.in_key = true;
                self.object(depth + 1)?;
                self.in_key = false;
                self.out.push(b'"');
                Ok(())
            }
            _ => {
                let word = self.word()?;
                self.put(b'"');
                self.out.extend_from_slice(word);
                self.put(b'"');
                Ok(())
            }
        }
    }

    fn bare_value(&mut self) -> Result<(), Stop> {
        match self.word()? {
            b"NaN" | b"Infinity" | b"-Infinity" | b"undefined" => {
                self.out.extend_from_slice(b"null");
            }
            word => self.out.extend_from_slice(word),
        }
        Ok(())
    }
}

impl<'a> Rewriter<'a> {
    /// Letters, digits and what numbers are made of. What it means, `serde_json` says.
    fn word(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-+._$".contains(byte);
        let length = rest.iter().take_while(is_part).count();
        if length == 0 {
            return Err(Stop::Syntax(self.at, "a key or a value"));
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn string(&mut self, quote: u8) -> Result<(), Stop> {
        self.at += 1;
        self.put(b'"');
        loop {
            let Some(byte) = self.peek() else { return Err(Stop::Syntax(self.at, "a quote")) };
            self.at += 1;
            match byte {
                _ if byte == quote => break,
                b'\\' => self.escape()?,
                b'"' => self.escaped(b'"'),
                0..=0x1f => self.unit(u16::from(byte)),
                _ => self.out.push(byte),
            }
            if self.out.len() > self.bounds.size {
                return Err(Stop::Size);
            }
        }
        self.put(b'"');
        Ok(())
    }

    /// An escape of one character.
    fn escaped(&mut self, byte: u8) {
        self.put_backslash();
        if self.in_key && matches!(byte, b'"' | b'\\') {
            self.out.push(b'\\');
        }
        self.out.push(byte);
    }

    /// An escape by number.
    fn unit(&mut self, unit: u16) {
        self.put_backslash();
        self.out.push(b'u');
        for shift in [12, 8, 4, 0] {
            self.out.push(b"0123456789abcdef"[usize::from(unit >> shift & 15)]);
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<(), Stop> {
        let Some(byte) = self.peek() else { return Err(Stop::Syntax(self.at, "an escape")) };
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.escaped(byte),
            b'\'' => self.out.push(byte),
            b'0'..=b'7' => self.unit(u16::from(byte - b'0')),
            b'v' => self.unit(0x0b),
            b'x' => {
                let unit = self.hex(2)?;
                self.unit(unit);
            }
            b'u' => {
                let unit = self.hex(4)?;
                match unit {
                    0xd800..=0xdbff => self.pair(unit)?,
                    0xdc00..=0xdfff => self.unit(0xfffd),
                    _ => self.unit(unit),
                }
            }
            _ => return Err(Stop::Syntax(self.at - 1, "an escape")),
        }
        Ok(())
    }

    /// Half of a character: with its other half, or as U+FFFD.
    fn pair(&mut self, high: u16) -> Result<(), Stop> {
        let here = self.at;
        if self.text.get(here..here + 2) == Some(b"\\u") {
            self.at += 2;
            let low = self.hex(4)?;
            if matches!(low, 0xdc00..=0xdfff) {
                self.unit(high);
                self.unit(low);
                return Ok(());
            }
            self.at = here;
        }
        self.unit(0xfffd);
        Ok(())
    }

    fn hex(&mut self, digits: usize) -> Result<u16, Stop> {
        let mut unit = 0;
        for _ in 0..digits {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(Stop::Syntax(self.at, "a digit")) };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { elements: 1000, size: 1 << 20 };

    fn read(json: &str) -> String {
        String::from_utf8(standard(json.as_bytes(), BOUNDS).unwrap()).unwrap()
    }

    #[test]
    fn every_habit_of_fastjson_becomes_standard_json() {
        for (loose, expected) in [
            (r#"{0:"a",-1 : {name_1:4}}"#, r#"{"0":"a","-1":{"name_1":4}}"#),
            (r#"{{"q":"a\"b","n":3}:1}"#, r#"{"{\"q\":\"a\\\"b\",\"n\":3}":1}"#),
            (r#"{{'$ref':"$.a.null"}:[1,{}]}"#, r#"{"{\"$ref\":\"$.a.null\"}":[1,{}]}"#),
            (r#"{'it\'s':'a "b"'}"#, r#"{"it's":"a \"b\""}"#),
            ("/* a */[1, // b\n2,,3,]// c", "[1,2,3]"),
            ("[NaN,Infinity,-Infinity,undefined]", "[null,null,null,null]"),
            (r#"["\ud83d\ude80","\ud800x","\udc00"]"#, r#"["\ud83d\ude80","\ufffdx","\ufffd"]"#),
            ("\u{feff}[\"a\0\nb\"]", r#"["a\u0000\u000ab"]"#),
            (r#"["\x41\0\v"]"#, r#"["\u0041\u0000\u000b"]"#),
            (" \t{ } ", "{}"),
        ] {
            assert_eq!(read(loose), expected);
            let value: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(read(&value.to_string()), value.to_string(), "standard JSON stays");
        }
    }

    #[test]
    fn keys_that_are_objects_hold_json_again() {
        let loose = r#"{{"a":"x\\\"\n\u0001用","b":{"c":[1]}}:7}"#;
        let outer: serde_json::Value = serde_json::from_str(&read(loose)).unwrap();
        let key = outer.as_object().unwrap().keys().next().unwrap();
        let inner: serde_json::Value = serde_json::from_str(key).unwrap();
        assert_eq!(inner["a"], "x\\\"\n\u{1}用");
        assert_eq!(inner["b"]["c"][0], 1);
    }

    #[test]
    fn what_no_dialect_allows_is_refused_with_its_place() {
        for (json, at) in [
            ("", 0),
            ("[1 2]", 3),
            ("{a 1}", 3),
            ("[1", 2),
            ("{\"a", 3),
            ("[1]x", 3),
            ("/*", 0),
            ("[\"\\q\"]", 3),
            ("[\"\\u12g4\"]", 6),
            ("[\0]", 1),
            ("{{{a:1}:1}:1}", 2),
        ] {
            let error = standard(json.as_bytes(), BOUNDS).unwrap_err();
            assert!(matches!(error, Stop::Syntax(found, _) if found == at), "{json}: {error:?}");
        }
    }

    #[test]
    fn depth_values_and_size_are_bounded() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(standard(deep(127).as_bytes(), BOUNDS).is_ok());
        assert_eq!(standard(deep(128).as_bytes(), BOUNDS), Err(Stop::Depth(127)));
        assert_eq!(standard(deep(1_000_000).as_bytes(), BOUNDS), Err(Stop::Depth(127)));
        let many = format!("[{}]", "1,".repeat(999));
        assert!(standard(many.as_bytes(), BOUNDS).is_ok());
        let many = format!("[{}]", "1,".repeat(1000));
        assert_eq!(standard(many.as_bytes(), BOUNDS), Err(Stop::Elements));
        let grows = format!("[\"{}\"]", "\0".repeat(1 << 18));
        assert_eq!(standard(grows.as_bytes(), BOUNDS), Err(Stop::Size));
    }
}
