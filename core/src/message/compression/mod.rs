//! Opens compressed bodies, up to a limit, and compresses those that are sent.

#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::Bytes;

use super::publish::MessageLimits;
use super::record::RecordError;
use super::sys_flag::Compression;

/// Bytes that a body may open to unless told otherwise (`Config::max_opened_body`): 32 MiB, eight
/// times what brokers take by default.
pub(super) const LIMIT: u32 = 32 << 20;

/// The body compressed, if it is long enough to be and shrinks by it.
#[cfg_attr(not(feature = "zlib"), expect(unused_variables, reason = "nothing compresses"))]
pub(super) fn pack(body: &Bytes, limits: &MessageLimits) -> Option<Bytes> {
    #[cfg(feature = "zlib")]
    if body.len() > limits.compress_over {
        return zlib::pack(body, limits.compress_level).filter(|packed| packed.len() < body.len());
    }
    None
}

/// The body that `stored` holds in compressed form. The work stops at the limit: a small record
/// can't claim memory without end.
#[cfg_attr(
    not(any(feature = "zlib", feature = "lz4", feature = "zstd")),
    expect(unused_variables, reason = "no codec looks at it")
)]
pub(super) fn open(kind: Compression, stored: &[u8], limit: u32) -> Result<Bytes, RecordError> {
    match kind {
        #[cfg(feature = "zlib")]
        Compression::Zlib => zlib::open(stored, limit),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => lz4::open(stored, limit),
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::open(stored, limit),
        #[allow(unreachable_patterns, reason = "none is left when every feature is on")]
        kind => Err(RecordError::Compressed { kind }),
    }
}
