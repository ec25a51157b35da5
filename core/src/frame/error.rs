//! What can be wrong with the bytes a peer sends.

use super::foreign::Foreign;

/// Longest piece of a peer's text kept in an error, in characters.
const QUOTED_MAX: usize = 64;

/// Why a header, or one of its fields, cannot be read. Positions count bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header ends before what it announces.
    #[error("the header ends at byte {at}, before its {part} does")]
    Truncated {
        /// Where the header ends.
        at: usize,
        /// What was being read.
        part: &'static str,
    },
    /// A JSON header is not JSON.
    #[error("the header is not JSON at byte {at}: expected {expected}")]
    Syntax {
        /// Where it goes wrong.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Much of the header is not UTF-8. Up to 8 KiB of such text is read, its bad bytes as U+FFFD.
    #[error("the header is not UTF-8 at byte {at}")]
    NotText {
        /// The first bad byte.
        at: usize,
    },
    /// Objects and lists in a JSON header are nested too deeply.
    #[error("the header nests more than {limit} levels at byte {at}")]
    Depth {
        /// Where the limit is passed.
        at: usize,
        /// Levels allowed.
        limit: u32,
    },
    /// There are more extension fields than allowed.
    #[error("the header has more than {limit} extension fields")]
    TooManyFields {
        /// Fields allowed.
        limit: usize,
    },
    /// A field that must be there is not.
    #[error("the field {field:?} is missing")]
    Missing {
        /// Its name on the wire.
        field: &'static str,
    },
    /// A field's value is not of its type.
    #[error("the field {field:?} holds {value:?}, which is not {expected}")]
    Invalid {
        /// Its name on the wire.
        field: &'static str,
        /// The value, cut to 64 characters.
        value: Box<str>,
        /// What it should be.
        expected: &'static str,
    },
}

impl HeaderError {
    /// A value that is not of its type; keeps the first 64 characters of it.
    pub(crate) fn invalid(field: &'static str, value: &str, expected: &'static str) -> Self {
        let end = value.char_indices().nth(QUOTED_MAX).map_or(value.len(), |(at, _)| at);
        Self::Invalid { field, value: Box::from(&value[..end]), expected }
    }
}

/// Why the bytes of a connection cannot be cut into frames. The connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length word is negative, or leaves no room for the header word.
    #[error("a frame of {length} bytes: the least is 4")]
    TooSmall {
        /// The length word.
        length: i32,
    },
    /// The frame is larger than allowed (Java: `com.rocketmq.remoting.frameMaxLength`, 16 MiB).
    #[error("a frame of {length} bytes: the limit is {limit}")]
    TooLarge {
        /// Bytes announced.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The header is larger than allowed.
    #[error("a header of {length} bytes: the limit is {limit}")]
    HeaderTooLarge {
        /// Bytes announced.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The header is longer than the frame around it.
    #[error("a header of {header} bytes in a frame that has room for {room}")]
    HeaderPastFrame {
        /// Bytes of header announced.
        header: usize,
        /// Bytes of the frame after its two length words.
        room: usize,
    },
    /// The header is in a form that we don't know; 0 is JSON and 1 is binary.
    #[error("a header of type {found}: only 0 (JSON) and 1 (ROCKETMQ) are known")]
    SerializeType {
        /// The type byte.
        found: u8,
    },
    /// The header's fixed part cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The peer speaks another protocol.
    #[error("{0}")]
    Foreign(Foreign),
}
