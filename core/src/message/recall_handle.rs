//! What a message that waits for its time is taken back by (`RecallMessageHandle`).

use crate::name::Topic;
use crate::time::UnixMillis;

/// The alphabet of base64 in addresses, in its order.
const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// No handle is longer: a topic, a broker's name, a time and an id.
const LONGEST: usize = 2048;

/// Which message is to be taken back, from which broker: base64url of
/// `v1 topic broker time uniqueId`, as the answer to its send has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecallHandle {
    /// The topic it was sent to.
    pub topic: Topic,
    /// The broker group that keeps it.
    pub broker: Box<str>,
    /// When it is due, as the broker understood that.
    pub due: UnixMillis,
    /// Its unique id.
    pub message_id: Box<str>,
}

impl RecallHandle {
    /// Reads one; `None`: the text is none.
    pub fn parse(handle: &str) -> Option<Self> {
        let text = String::from_utf8(decode(handle)?).ok()?;
        let mut parts = text.split(' ');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        if part()? != "v1" {
            return None;
        }
        let (topic, broker, due, id) = (part()?, part()?, part()?, part()?);
        Some(Self {
            topic: Topic::new(topic).ok()?,
            broker: broker.into(),
            due: UnixMillis(due.parse().ok()?),
            message_id: id.into(),
        })
    }

    /// As brokers write it.
    pub fn to_text(&self) -> String {
        let Self { topic, broker, due, message_id } = self;
        encode(format!("v1 {topic} {broker} {} {message_id}", due.0).as_bytes())
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(sign) } else { '=' });
        }
    }
    out
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() > LONGEST || text.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for sign in chunk {
            bits = bits << 6 | SIGNS.iter().position(|known| known == sign)? as u32;
        }
        bits <<= 6 * (4 - chunk.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_09_a_handle_is_read_as_java_writes_it() {
        // `RecallMessageHandle.HandleV1.buildHandle("T", "b-0", "1700000000001", "AB")`.
        let java = "djEgVCBiLTAgMTcwMDAwMDAwMDAwMSBBQg==";
        let handle = RecallHandle::parse(java).unwrap();
        let expected = RecallHandle {
            topic: Topic::new("T").unwrap(),
            broker: "b-0".into(),
            due: UnixMillis(1_700_000_000_001),
            message_id: "AB".into(),
        };
        assert_eq!(handle, expected);
        assert_eq!(handle.to_text(), java);
        assert_eq!(RecallHandle::parse(java.trim_end_matches('=')), Some(handle));
    }

    #[test]
    fn delay_10_what_is_no_handle_is_none() {
        for text in ["", "x", "hello", "djI=", "v1 T b 1 A", "djEgVCBiLTA=", "\u{e9}\u{e9}"] {
            assert_eq!(RecallHandle::parse(text), None, "{text}");
        }
        assert_eq!(RecallHandle::parse(&"A".repeat(1 << 20)), None);
        let old = encode(b"v2 T b-0 1700000000001 AB");
        assert_eq!(RecallHandle::parse(&old), None);
    }
}
