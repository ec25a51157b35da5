//! The words of an expression (`SelectorParserTokenManager`): the longest token that fits, blanks
//! and comments between.

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A word of the language, in capitals.
    Word(&'static str),
    /// A sign, or two that are one.
    Sign(&'static str),
    /// A property's name.
    Name(String),
    /// A text, without its quotes.
    Text(String),
    /// A whole number's digits.
    Whole(String),
    /// The digits of a number with a point or an exponent.
    Float(String),
    /// Nothing follows.
    End,
}

/// Words that mean something, however they are written.
const WORDS: [&str; 12] = [
    "NOT",
    "AND",
    "OR",
    "BETWEEN",
    "IN",
    "TRUE",
    "FALSE",
    "NULL",
    "IS",
    "CONTAINS",
    "STARTSWITH",
    "ENDSWITH",
];
/// Signs, the longer of two that begin alike first.
const SIGNS: [&str; 11] = ["<>", ">=", "<=", "=", "<", ">", "(", ")", ",", "+", "-"];

/// What is left of an expression.
#[derive(Debug)]
pub(super) struct Words<'a> {
    rest: &'a str,
    /// The broker knows `CONTAINS`, `STARTSWITH` and `ENDSWITH`.
    searches: bool,
}

impl<'a> Words<'a> {
    pub(super) const fn new(text: &'a str, searches: bool) -> Self {
        Self { rest: text, searches }
    }

    /// Takes so many bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// How many bytes from `from` on are of that kind.
    fn run(&self, from: usize, is: impl Fn(u8) -> bool) -> usize {
        self.rest.as_bytes().iter().skip(from).take_while(|byte| is(**byte)).count()
    }

    /// The next word; `None` where there is none that could be.
    pub(super) fn next(&mut self) -> Option<Token> {
        self.skip();
        let Some(first) = self.rest.bytes().next() else { return Some(Token::End) };
        match first {
            b'\'' => self.text(),
            b'0'..=b'9' | b'.' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => Some(self.name()),
            _ => {
                let sign = SIGNS.iter().find(|sign| self.rest.starts_with(**sign))?;
                self.take(sign.len());
                Some(Token::Sign(sign))
            }
        }
    }

    /// Passes blanks and comments. A comment of a line ends with the line's end: without one, its
    /// two signs are two minuses.
    fn skip(&mut self) {
        loop {
            let blanks = self.run(0, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c));
            self.take(blanks);
            let comment = match self.rest.get(..2) {
                Some("--") => self.rest.find(['\n', '\r']).map(|at| at + 1),
                Some("/*") => self.rest[2..].find("*/").map(|at| at + 4),
                _ => None,
            };
            match comment {
                Some(length) => _ = self.take(length),
                None if blanks == 0 => return,
                None => {}
            }
        }
    }

    /// Two quotes inside are one; where no other one follows, the first of them is the end.
    fn text(&mut self) -> Option<Token> {
        let (mut next, mut pair) = (1, None);
        let end = loop {
            let Some(found) = self.rest[next..].find('\'') else { break pair? };
            let at = next + found;
            if !self.rest[at..].starts_with("''") {
                break at;
            }
            (next, pair) = (at + 2, Some(at));
        };
        let whole = self.take(end + 1);
        Some(Token::Text(whole[1..end].replace("''", "'")))
    }

    fn number(&mut self) -> Option<Token> {
        let digits = |from| self.run(from, |byte| byte.is_ascii_digit());
        let whole = digits(0);
        let point = self.rest.as_bytes().get(whole) == Some(&b'.');
        let fraction = if point { digits(whole + 1) } else { 0 };
        if whole + fraction == 0 {
            return None;
        }
        let mantissa = whole + usize::from(point) + fraction;
        let exponent = self.exponent(mantissa);
        if point || exponent > 0 {
            return Some(Token::Float(self.take(mantissa + exponent).to_owned()));
        }
        // A zero is a number by itself: what follows it is the next one.
        let length = if self.rest.starts_with('0') { 1 } else { whole };
        let digits = self.take(length);
        let long = digits != "0" && self.rest.starts_with(['l', 'L']);
        self.take(usize::from(long));
        Some(Token::Whole(digits.to_owned()))
    }

    /// The length of the exponent there, if there is one.
    fn exponent(&self, from: usize) -> usize {
        let bytes = self.rest.as_bytes();
        if !matches!(bytes.get(from), Some(b'e' | b'E')) {
            return 0;
        }
        let sign = usize::from(matches!(bytes.get(from + 1), Some(b'+' | b'-')));
        match self.run(from + 1 + sign, |byte| byte.is_ascii_digit()) {
            0 => 0,
            digits => 1 + sign + digits,
        }
    }

    fn name(&mut self) -> Token {
        let length =
            self.run(0, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'));
        let name = self.take(length);
        let known = if self.searches { WORDS.len() } else { WORDS.len() - 3 };
        let words = WORDS.iter().take(known);
        match { words }.find(|word| word.eq_ignore_ascii_case(name)) {
            Some(word) => Token::Word(word),
            None => Token::Name(name.to_owned()),
        }
    }
}
