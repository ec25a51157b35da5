//! The bits of a message's system flag (`MessageSysFlag`).

pub use crate::config::Compression;

/// The body is compressed; bits 8 to 10 say how.
pub const COMPRESSED: i32 = 1;
/// The message has several tags.
pub const MULTI_TAGS: i32 = 2;
/// Both bits of the transaction state; 0 is no transaction, or one not yet known.
pub const TRANSACTION: i32 = 12;
/// A half message.
pub const TRANSACTION_PREPARED: i32 = 4;
/// A committed message.
pub const TRANSACTION_COMMIT: i32 = 8;
/// A rolled back message.
pub const TRANSACTION_ROLLBACK: i32 = 12;
/// The producer's address is an IPv6 one.
pub const BORN_HOST_V6: i32 = 16;
/// The broker's address is an IPv6 one.
pub const STORE_HOST_V6: i32 = 32;
/// A batch stored as one record, to be taken apart by the consumer.
pub const NEED_UNWRAP: i32 = 64;
/// A batch stored as one record.
pub const INNER_BATCH: i32 = 128;

/// The three bits that say how a body is compressed.
pub const COMPRESSION_TYPE: i32 = 7 << 8;

impl Compression {
    /// What a system flag says of the body: `None` when it is not compressed, or the number of an
    /// unknown type.
    pub const fn of(sys_flag: i32) -> Result<Option<Self>, u8> {
        if sys_flag & COMPRESSED == 0 {
            return Ok(None);
        }
        match (sys_flag >> 8) & 7 {
            0 | 3 => Ok(Some(Self::Zlib)),
            1 => Ok(Some(Self::Lz4)),
            2 => Ok(Some(Self::Zstd)),
            unknown => Err(unknown as u8),
        }
    }

    /// The bits that say so in a system flag.
    pub const fn bits(self) -> i32 {
        let kind = match self {
            Self::Lz4 => 1,
            Self::Zstd => 2,
            Self::Zlib => 3,
        };
        COMPRESSED | kind << 8
    }
}
