//! The number that ties a reply to its request, and says how that reply is read.
//!
//! A reply does not name its request, yet its header is decoded before the engine's lock is taken:
//! so the opaque itself carries the kind of decoder in its upper bits.

/// A 31-bit correlation number: 5 bits of [`Kind`] (bits 26 to 30) and 26 bits of sequence.
///
/// The sign bit of those we issue is 0. A peer's own requests have opaques of its own choosing, so
/// any 32-bit value can be held. Java's field is `RemotingCommand.opaque`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Opaque(i32);

impl Opaque {
    /// Bits of sequence: 67,108,864 numbers before one comes again.
    pub const SEQUENCE_BITS: u32 = 26;
    const SEQUENCE_MASK: u32 = (1 << Self::SEQUENCE_BITS) - 1;

    /// The opaque of one of our requests; bits of `sequence` above the 26th are dropped.
    pub const fn new(kind: Kind, sequence: u32) -> Self {
        let bits = ((kind as u32) << Self::SEQUENCE_BITS) | (sequence & Self::SEQUENCE_MASK);
        Self(bits as i32)
    }

    /// An opaque as it stood on the wire.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The number as it stands on the wire.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The decoder of the reply; `None` for a kind we never issue, or a negative number.
    pub const fn kind(self) -> Option<Kind> {
        if self.0 < 0 {
            return None;
        }
        match self.0 >> Self::SEQUENCE_BITS {
            0 => Some(Kind::Plain),
            1 => Some(Kind::Send),
            2 => Some(Kind::Pull),
            3 => Some(Kind::Route),
            4 => Some(Kind::ConsumerList),
            5 => Some(Kind::Offset),
            6 => Some(Kind::Heartbeat),
            7 => Some(Kind::Fields),
            _ => None,
        }
    }

    /// The 26 bits of sequence.
    pub const fn sequence(self) -> u32 {
        self.0 as u32 & Self::SEQUENCE_MASK
    }
}

/// Which decoder the reply to a request needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Only the code, the remark and the version matter.
    Plain = 0,
    /// The fields of a send's reply.
    Send = 1,
    /// The fields of a pull's reply; its body is a list of records.
    Pull = 2,
    /// No fields; the body is a route.
    Route = 3,
    /// No fields; the body is a list of client ids.
    ConsumerList = 4,
    /// One offset: a query of a consumer, the largest or the least of a queue.
    Offset = 5,
    /// The version of the broker, from the header itself.
    Heartbeat = 6,
    /// All extension fields are kept as text.
    Fields = 7,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 8] = [
        Kind::Plain,
        Kind::Send,
        Kind::Pull,
        Kind::Route,
        Kind::ConsumerList,
        Kind::Offset,
        Kind::Heartbeat,
        Kind::Fields,
    ];

    #[test]
    fn every_kind_and_the_ends_of_the_sequence_come_back() {
        for kind in ALL {
            for sequence in [0, 1, 0x2AA_AAAA, 0x3FF_FFFF] {
                let opaque = Opaque::new(kind, sequence);
                assert!(opaque.raw() >= 0);
                assert_eq!((opaque.kind(), opaque.sequence()), (Some(kind), sequence));
                assert_eq!(Opaque::from_raw(opaque.raw()), opaque);
            }
        }
        assert_eq!(Opaque::new(Kind::Send, u32::MAX).kind(), Some(Kind::Send));
    }

    #[test]
    fn numbers_we_never_issue_have_no_kind() {
        for raw in [-1, i32::MIN, i32::MAX, 8 << 26, 31 << 26] {
            assert_eq!(Opaque::from_raw(raw).kind(), None, "{raw}");
        }
    }
}
