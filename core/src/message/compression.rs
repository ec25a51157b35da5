//! Opens compressed bodies, up to a limit.

use bytes::Bytes;

use super::record::RecordError;
use super::sys_flag::Compression;

/// Bytes that a body may open to: 32 MiB, eight times what brokers take by default.
#[cfg(feature = "zlib")]
const LIMIT: u32 = 32 << 20;

/// The body that `stored` holds in compressed form. The work stops at the limit: a small record
/// can't claim memory without end.
pub(super) fn open(kind: Compression, stored: &[u8]) -> Result<Bytes, RecordError> {
    match kind {
        Compression::Zlib => open_zlib(stored),
        Compression::Lz4 | Compression::Zstd => Err(RecordError::Compressed { kind }),
    }
}

#[cfg(not(feature = "zlib"))]
fn open_zlib(_stored: &[u8]) -> Result<Bytes, RecordError> {
    Err(RecordError::Compressed { kind: Compression::Zlib })
}

#[cfg(feature = "zlib")]
fn open_zlib(stored: &[u8]) -> Result<Bytes, RecordError> {
    use std::io::Read;

    let damaged = RecordError::Damaged { kind: Compression::Zlib };
    // Text shrinks to about a third: the guess saves growing, and the limit holds all the same.
    let mut opened = Vec::with_capacity(stored.len().saturating_mul(3).min(LIMIT as usize));
    let mut reader = flate2::read::ZlibDecoder::new(stored).take(u64::from(LIMIT) + 1);
    reader.read_to_end(&mut opened).map_err(|_| damaged)?;
    if opened.len() > LIMIT as usize {
        return Err(RecordError::TooLarge { limit: LIMIT });
    }
    Ok(opened.into())
}

#[cfg(test)]
#[cfg(feature = "zlib")]
mod tests {
    use std::io::Write;

    use super::*;

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn a_body_opens_up_to_the_limit_and_no_further() {
        let limit = LIMIT as usize;
        assert_eq!(open_zlib(&zlib(b"body")).unwrap(), "body");
        assert_eq!(open_zlib(&zlib(&vec![0; limit])).unwrap().len(), limit);
        let bomb = zlib(&vec![0; limit + 1]);
        assert!(bomb.len() < limit / 100);
        assert_eq!(open_zlib(&bomb), Err(RecordError::TooLarge { limit: LIMIT }));
    }

    #[test]
    fn a_body_that_ends_early_is_damaged_not_shorter() {
        let whole = zlib(b"a body that is long enough to be cut");
        for length in 0..whole.len() {
            let damaged = Err(RecordError::Damaged { kind: Compression::Zlib });
            assert_eq!(open_zlib(&whole[..length]), damaged, "{length}");
        }
    }
}
