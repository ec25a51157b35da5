//! Settling many popped messages at once.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::json_body;
use super::text::or_default;

/// Most messages that one entry settles: Java keeps their places in a `BitSet`, one bit each.
pub const ACK_BITS_MAX: u32 = 1 << 16;

/// The body of `BATCH_ACK_MESSAGE` (200151): `BatchAckMessageRequestBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAckBody {
    /// One entry per pop and queue.
    #[serde(default, deserialize_with = "or_default")]
    pub acks: Vec<BatchAck>,
    /// The broker.
    #[serde(rename = "brokerName", default, deserialize_with = "or_default")]
    pub broker_name: String,
}

json_body!(BatchAckBody, "batch of acks");

/// Messages of one pop of one queue (`BatchAck`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAck {
    /// Which messages.
    #[serde(rename = "b", alias = "bitSet", default)]
    pub bits: AckBits,
    /// The group.
    #[serde(rename = "c", alias = "consumerGroup")]
    pub consumer_group: String,
    /// How long they were to stay invisible, in milliseconds.
    #[serde(rename = "it", alias = "invisibleTime")]
    pub invisible_millis: i64,
    /// When they were popped, in milliseconds since 1970 by the broker's clock.
    #[serde(rename = "pt", alias = "popTime")]
    pub pop_time: i64,
    /// The queue.
    #[serde(rename = "q", alias = "queueId")]
    pub queue_id: i32,
    /// From which topic: 0 the one named here, 1 the group's retry topic, 2 its second form.
    #[serde(rename = "r", alias = "retry", default, deserialize_with = "or_default")]
    pub retry: String,
    /// The queue in which the broker keeps the receipts.
    #[serde(rename = "rq", alias = "reviveQueueId")]
    pub revive_queue: i32,
    /// The offset that bit 0 stands for.
    #[serde(rename = "so", alias = "startOffset")]
    pub start_offset: i64,
    /// The topic, as subscribed to.
    #[serde(rename = "t", alias = "topic")]
    pub topic: String,
}

/// Places counted from an offset, as Java's `BitSet.toByteArray` in base64: bit `i` is bit `i % 8`
/// of byte `i / 8`, and there are no zero bytes at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckBits(Vec<u8>);

impl AckBits {
    /// Sets a bit; false when it is past [`ACK_BITS_MAX`], which changes nothing.
    pub fn insert(&mut self, bit: u32) -> bool {
        if bit >= ACK_BITS_MAX {
            return false;
        }
        let byte = (bit / 8) as usize;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (bit % 8);
        true
    }

    /// Whether a bit is set.
    pub fn contains(&self, bit: u32) -> bool {
        self.0.get((bit / 8) as usize).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// The bits that are set, from the least on.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.0.len() as u32 * 8).filter(|bit| self.contains(*bit))
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// None is set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<u32> for AckBits {
    /// Bits past [`ACK_BITS_MAX`] are left out.
    fn from_iter<I: IntoIterator<Item = u32>>(bits: I) -> Self {
        let mut all = Self::default();
        for bit in bits {
            all.insert(bit);
        }
        all
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Serialize for AckBits {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.0.len().div_ceil(3) * 4);
        for chunk in self.0.chunks(3) {
            let word = (0..3).fold(0, |word, i| word << 8 | u32::from(*chunk.get(i).unwrap_or(&0)));
            for place in 0..4 {
                let sign = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
                text.push(if place <= chunk.len() { char::from(sign) } else { '=' });
            }
        }
        to.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for AckBits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(from)?.unwrap_or_default();
        let signs = text.trim_end_matches('=').as_bytes();
        let value = |sign: u8| ALPHABET.iter().position(|known| *known == sign);
        if signs.len() > ACK_BITS_MAX as usize / 6 + 1 || signs.len() % 4 == 1 {
            return Err(D::Error::custom("bits of another length than base64 can have"));
        }
        let mut bytes = Vec::with_capacity(signs.len() * 3 / 4);
        let (mut word, mut held) = (0_u32, 0);
        for sign in signs {
            let value = value(*sign).ok_or_else(|| D::Error::custom("bits that are not base64"))?;
            word = word << 6 | value as u32;
            held += 6;
            if held >= 8 {
                held -= 8;
                bytes.push((word >> held) as u8);
                word &= (1 << held) - 1;
            }
        }
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(Self(bytes))
    }
}
