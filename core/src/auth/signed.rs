//! The extension fields of a request as they are signed: each value as the server reads it, in the
//! order of the fields' names.

use std::cmp::Ordering;

use super::{ACCESS_KEY, SECURITY_TOKEN, SIGNATURE};
use crate::frame::header::FieldSink;

/// Where name and value of one field end; they begin where those of the one before end.
struct Ends {
    name: u32,
    value: u32,
}

/// One field by its order: the first bytes of its name, which most orders follow from, and its
/// number.
type Place = (u64, u32);

/// With so many fields, a sort that costs more to begin with is faster.
const MANY: usize = 32;

/// Takes the fields that are written to it; reused from one request to the next.
#[derive(Default)]
pub(crate) struct Signed {
    ends: Vec<Ends>,
    /// Names and values, as they came.
    names: String,
    values: Vec<u8>,
    places: Vec<Place>,
    /// The values in the order of their names.
    content: Vec<u8>,
    /// Bytes of the longest name that is sent.
    longest: usize,
    /// There is a token to be added.
    token: bool,
}

impl Signed {
    /// Begins with the key's own fields: others of these names are not signed, as the server reads
    /// the last. Neither is what has a name of more than `longest` bytes.
    pub(super) fn begin<'a>(
        &mut self,
        own: impl Iterator<Item = (&'static str, &'a str)>,
        longest: usize,
    ) {
        self.ends.clear();
        self.names.clear();
        self.values.clear();
        self.places.clear();
        (self.longest, self.token) = (longest, false);
        for (name, value) in own {
            self.token |= name == SECURITY_TOKEN;
            self.text(name, value);
        }
    }

    /// What is signed of them; `left_out` is not.
    pub(super) fn content(&mut self, left_out: Option<&str>) -> &[u8] {
        let Self { ends, names, values, places, content, .. } = self;
        let name = |place: &Place| {
            let (from, to) = range(ends, place, |end| end.name);
            names.get(from..to).unwrap_or_default()
        };
        let cmp = |one: &Place, other: &Place| {
            let in_java = |place: &Place| name(place).bytes().map(in_java);
            one.0.cmp(&other.0).then_with(|| in_java(one).cmp(in_java(other)))
        };
        let is_less = |two: &[Place]| cmp(&two[0], &two[1]) == Ordering::Less;
        if left_out.is_none() && places.windows(2).all(is_less) {
            return values;
        }
        sort(places, cmp);
        content.clear();
        for (at, place) in places.iter().enumerate() {
            // Of two of one name a server knows the last.
            let next = places.get(at + 1);
            let hidden = next.is_some_and(|next| cmp(place, next) == Ordering::Equal);
            if !hidden && left_out != Some(name(place)) {
                let (from, to) = range(ends, place, |end| end.value);
                content.extend_from_slice(values.get(from..to).unwrap_or_default());
            }
        }
        content
    }

    #[inline]
    fn add(&mut self, name: &str, value: &[u8]) {
        self.places.push((first(name), self.ends.len() as u32));
        self.names.push_str(name);
        self.values.extend_from_slice(value);
        self.ends.push(Ends { name: self.names.len() as u32, value: self.values.len() as u32 });
    }
}

impl FieldSink for Signed {
    fn text(&mut self, key: &'static str, value: &str) {
        self.add(key, value.as_bytes());
    }

    fn int(&mut self, key: &'static str, value: i64) {
        self.add(key, itoa::Buffer::new().format(value).as_bytes());
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.add(key, if value { b"true" } else { b"false" });
    }

    fn pair(&mut self, key: &str, value: &str) {
        let own = key == ACCESS_KEY || key == SIGNATURE || (self.token && key == SECURITY_TOKEN);
        if !own && key.len() <= self.longest {
            self.add(key, value.as_bytes());
        }
    }
}

/// From where to where it stands.
fn range(ends: &[Ends], place: &Place, end: impl Fn(&Ends) -> u32) -> (usize, usize) {
    let at = place.1 as usize;
    let end = |at: usize| ends.get(at).map_or(0, &end) as usize;
    (at.checked_sub(1).map_or(0, end), end(at))
}

/// The first bytes of a name, as a number that is smaller where they come before.
fn first(name: &str) -> u64 {
    name.bytes()
        .take(8)
        .zip((0..64).step_by(8))
        .fold(0, |first, (byte, at)| first | u64::from(in_java(byte)) << (56 - at))
}

/// A byte by which names have the order of Java's `TreeMap`, that of UTF-16 units: characters of
/// two units, which begin with a byte from F0 on, come before those from U+E000 on.
const fn in_java(byte: u8) -> u8 {
    match byte {
        0xEE | 0xEF => byte + 8,
        _ => byte,
    }
}

/// Those of one name stay as they are.
fn sort(places: &mut [Place], cmp: impl Fn(&Place, &Place) -> Ordering) {
    if places.len() > MANY {
        return places.sort_by(cmp);
    }
    // What is written is nearly in order: each goes up the few places that it has to.
    for at in 1..places.len() {
        let mut place = at;
        while place > 0 && cmp(&places[place], &places[place - 1]) == Ordering::Less {
            places.swap(place, place - 1);
            place -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(own: &[(&'static str, &str)], pairs: &[(&str, &str)]) -> String {
        let mut signed = Signed::default();
        for _ in 0..2 {
            signed.begin(own.iter().copied(), 20);
            pairs.iter().for_each(|(name, value)| signed.pair(name, value));
        }
        String::from_utf8_lossy(signed.content(Some("left"))).into_owned()
    }

    #[test]
    fn names_have_the_order_of_utf_16_whatever_they_begin_with() {
        let names =
            ["", "\0", "Z", "a", "a\0", "abcdefgh", "abcdefghA", "abcdefghi", "\u{E9}", "\u{D7FF}"];
        let names = names.into_iter().chain([
            "\u{10000}",
            "\u{1F600}",
            "\u{10FFFF}",
            "\u{E000}",
            "\u{EFFF}",
            "\u{F000}",
            "\u{FFFF}",
            "same lead \u{1F600}",
            "same lead \u{FF5E}",
        ]);
        let names: Vec<&str> = names.collect();
        for one in &names {
            for other in &names {
                let java = one.encode_utf16().cmp(other.encode_utf16());
                let bytes = one.bytes().map(in_java).cmp(other.bytes().map(in_java));
                assert_eq!(bytes, java, "{one:?} beside {other:?}");
                let firsts = first(one).cmp(&first(other));
                assert!(firsts == java || firsts == Ordering::Equal, "{one:?} beside {other:?}");
            }
        }
    }

    #[test]
    fn the_last_of_one_name_is_signed_and_the_keys_own_whatever_else_there_is() {
        let own = [("AccessKey", "K"), ("SecurityToken", "T")];
        let pairs = [
            ("b", "1"),
            ("a", "2"),
            ("left", "3"),
            ("b", "4"),
            ("Signature", "5"),
            ("SecurityToken", "6"),
            ("AccessKey", "7"),
            ("name of twenty-one...", "8"),
            ("name of twenty bytes", "9"),
        ];
        assert_eq!(content(&own, &pairs), "KT249");
        assert_eq!(content(&own[..1], &pairs), "K6249");
        // More than are sorted as they come.
        let names: Vec<String> = (10..99).rev().map(|number| number.to_string()).collect();
        let many: Vec<(&str, &str)> =
            names.iter().map(|name| (&**name, &**name)).chain([("50", "!")]).collect();
        let sorted = (10..99).map(|it| if it == 50 { "!".to_owned() } else { it.to_string() });
        assert_eq!(content(&[], &many), sorted.collect::<String>());
    }
}
