//! Quotes the bare integer keys that fastjson writes: `{0:"a"}` becomes `{"0":"a"}`.

/// The same JSON with its bare integer keys quoted; `None` when there are none.
///
/// Linear in the input and at most twice as long. What is wrong in other ways stays wrong.
pub(super) fn quote_bare_keys(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at = match byte {
            b'"' => string_end(json, at + 1),
            // A number followed by a colon is a key wherever it stands: arrays have no colons.
            b'{' | b',' => {
                let start = skip(json, at + 1, is_space);
                let end = skip(json, start, |b| b.is_ascii_digit() || b == b'-');
                if end > start && json.get(skip(json, end, is_space)) == Some(&b':') {
                    out.extend_from_slice(&json[copied..start]);
                    out.push(b'"');
                    out.extend_from_slice(&json[start..end]);
                    out.push(b'"');
                    copied = end;
                }
                end
            }
            _ => at + 1,
        };
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&json[copied..]);
    Some(out)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn skip(json: &[u8], from: usize, what: impl Fn(u8) -> bool) -> usize {
    from + json.get(from..).unwrap_or_default().iter().take_while(|byte| what(**byte)).count()
}

/// Just behind the quote that ends the string whose text begins at `at`.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr::memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(json: &str) -> Option<String> {
        quote_bare_keys(json.as_bytes()).map(|quoted| String::from_utf8(quoted).unwrap())
    }

    #[test]
    fn integers_before_a_colon_are_quoted_wherever_they_stand() {
        assert_eq!(quoted(r#"{0:"a",12 : {-3:4}}"#).unwrap(), r#"{"0":"a","12" : {"-3":4}}"#);
        assert_eq!(quoted("[{ 1\n:[2,3]}]").unwrap(), "[{ \"1\"\n:[2,3]}]");
    }

    #[test]
    fn strings_values_and_arrays_are_left_alone() {
        for json in
            [r#"{"a":",1:","b\",2:":3}"#, "[1,2]", r#"{"0":1}"#, "", "{", "{1", "\"", "\"\\"]
        {
            assert_eq!(quoted(json), None, "{json}");
        }
    }

    #[test]
    fn hostile_input_takes_linear_time_and_room() {
        let digits = format!("{{{}", "1".repeat(1 << 20));
        assert_eq!(quoted(&digits), None);
        let commas = ",".repeat(1 << 20);
        assert_eq!(quoted(&commas), None);
        let spaces = format!("{{1{}", " ".repeat(1 << 20)).repeat(4);
        assert_eq!(quoted(&spaces), None);
        let keys = "{1:".repeat(1 << 18);
        assert!(quoted(&keys).unwrap().len() < 2 * keys.len());
    }
}
