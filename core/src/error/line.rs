//! Texts of peers in texts of ours: on one line, and nothing in them that a terminal obeys.

use std::fmt::{self, Write};

/// A text whose control characters, line ends and marks that turn a line round are escaped: a peer
/// could write lines of its own into a log with them.
pub(crate) struct Line<'a>(pub(crate) &'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaping(f).write_str(self.0)
    }
}

/// Lets `write` write on one line.
pub(crate) fn one_line(f: &mut fmt::Formatter<'_>, text: &dyn fmt::Display) -> fmt::Result {
    write!(Escaping(f), "{text}")
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, odd)) = rest.char_indices().find(|(_, c)| is_odd(*c)) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", odd.escape_default())?;
            rest = &rest[at + odd.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

const fn is_odd(c: char) -> bool {
    matches!(
        c,
        '\0'..'\u{20}'
            | '\u{7f}'..'\u{a0}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_or_a_log_would_obey_is_shown_instead() {
        let odd = "a\nb\r\u{1b}[31mc\u{202e}d\u{85}\u{2028}e\t\u{feff}";
        let plain = "a\\nb\\r\\u{1b}[31mc\\u{202e}d\\u{85}\\u{2028}e\\t\\u{feff}";
        assert_eq!(Line(odd).to_string(), plain);
        assert_eq!(Line("schlie\u{df}t \u{5173}").to_string(), "schlie\u{df}t \u{5173}");
        assert_eq!(Line("").to_string(), "");
    }
}
