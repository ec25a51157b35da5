//! What of a send is signed, where requests are: the values of its fields as they are, in the order
//! of the fields' names. Made with the fields, so that nobody has to read them once more.

use std::fmt;

use super::publish::Fields;

/// The fields of a send as they are sent, and what of them is signed.
pub(super) struct Encoded {
    /// As JSON members.
    pub(super) fields: Vec<u8>,
    pub(super) values: Option<Box<Values>>,
}

/// The values of the fields of a send but queue and broker, which are known last.
#[derive(Clone)]
#[cfg_attr(not(feature = "acl"), expect(dead_code, reason = "signatures alone read it"))]
pub(crate) struct Values {
    text: Vec<u8>,
    /// So many bytes stand before the queue's number.
    before_queue: usize,
}

/// Shows how many bytes there are: they may not be for the log.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} bytes)", self.text.len())
    }
}

impl Values {
    /// In the order in which [`Fields::encode`] writes them, which is that of their names.
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let mut number = itoa::Buffer::new();
        let names = fields.group.wire().len() + fields.topic.wire().len();
        let mut text = Vec::with_capacity(names + fields.properties.len() + ROOM);
        text.extend_from_slice(fields.group.wire().as_bytes());
        text.extend_from_slice(fields.topic.wire().as_bytes());
        text.extend_from_slice(b"TBW1024");
        let before_queue = text.len();
        text.extend_from_slice(number.format(fields.sys_flag).as_bytes());
        text.extend_from_slice(number.format(fields.born.0).as_bytes());
        text.extend_from_slice(number.format(fields.flag).as_bytes());
        text.extend_from_slice(fields.properties.as_bytes());
        if let Some(id) = fields.id {
            text.extend_from_slice(b"UNIQ_KEY\x01");
            text.extend_from_slice(id.as_str().as_bytes());
            text.push(2);
        }
        text.extend_from_slice(match fields.waits {
            true => b"WAIT\x01true\x02",
            false => b"WAIT\x01false\x02",
        });
        let (times, most) = fields.again.unzip();
        text.extend_from_slice(number.format(times.unwrap_or(0)).as_bytes());
        text.extend_from_slice(b"false");
        if let Some(most) = most {
            text.extend_from_slice(number.format(most).as_bytes());
        }
        text.extend_from_slice(if fields.batch { b"true" } else { b"false" });
        Self { text, before_queue }
    }

    /// Those before the queue's number, and those between it and the broker's name.
    #[cfg(feature = "acl")]
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        self.text.split_at(self.before_queue)
    }
}

/// Bytes of the values that are the same in each message, with their numbers at their longest, and
/// of the properties that each gets.
const ROOM: usize = 128;
