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
        Kind::from_number(self.0 >> Self::SEQUENCE_BITS)
    }

    /// The 26 bits of sequence.
    pub const fn sequence(self) -> u32 {
        self.0 as u32 & Self::SEQUENCE_MASK
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal,)*) => {
        /// Which decoder the reply to a request needs.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl Kind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
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
    /// One offset: a query of a consumer, the largest or the least of a queue, that of a time.
    Offset = 5,
    /// What the broker says of heartbeats; its version is in the header itself.
    Heartbeat = 6,
    /// All extension fields are kept as text.
    Fields = 7,
    /// The fields of a pop's reply; its body is a list of records.
    Pop = 8,
    /// The new receipt of a popped message.
    ChangeInvisible = 9,
    /// Whether there is something to pop.
    Notification = 10,
    /// How many pops wait.
    PollingInfo = 11,
    /// When a queue's first message was stored.
    Timestamp = 12,
    /// Which message was taken back.
    Recall = 13,
    /// The fields of a search by key; the body is a list of records.
    QueryMessage = 14,
    /// No fields; the body is one record, or some.
    Records = 15,
    /// No fields; the body tells which queues are locked.
    Locks = 16,
    /// No fields; the body is a list of assigned queues.
    Assignments = 17,
    /// No fields; the body tells clusters and brokers.
    Cluster = 18,
    /// None: nobody waits for a reply.
    Oneway = 19,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_the_ends_of_the_sequence_come_back() {
        for &kind in Kind::ALL {
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
        for raw in [-1, i32::MIN, i32::MAX, 31 << 26] {
            assert_eq!(Opaque::from_raw(raw).kind(), None, "{raw}");
        }
    }
}
