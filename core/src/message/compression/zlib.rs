//! Opens zlib streams (`ZlibCompressor`).

use std::io::{Read, Write};

use bytes::Bytes;

use crate::message::record::RecordError;
use crate::message::sys_flag::Compression;

pub(super) fn open(stored: &[u8], limit: u32) -> Result<Bytes, RecordError> {
    let damaged = RecordError::Damaged { kind: Compression::Zlib };
    // Text shrinks to about a third: the guess saves growing, and the limit holds all the same.
    let mut opened = Vec::with_capacity(stored.len().saturating_mul(3).min(limit as usize));
    let mut reader = flate2::read::ZlibDecoder::new(stored).take(u64::from(limit) + 1);
    reader.read_to_end(&mut opened).map_err(|_| damaged)?;
    if opened.len() > limit as usize {
        return Err(RecordError::TooLarge { limit });
    }
    Ok(opened.into())
}

/// The same as a zlib stream.
pub(super) fn pack(body: &[u8], level: u32) -> Option<Bytes> {
    let level = flate2::Compression::new(level.min(9));
    let mut writer = flate2::write::ZlibEncoder::new(Vec::with_capacity(body.len() / 2), level);
    writer.write_all(body).ok()?;
    writer.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::super::LIMIT;
    use super::*;

    fn zlib(body: &[u8], level: u32) -> Vec<u8> {
        let level = flate2::Compression::new(level);
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn bad_19_a_body_opens_up_to_the_limit_and_no_further() {
        let limit = LIMIT as usize;
        assert_eq!(open(&zlib(b"body", 1), LIMIT).unwrap(), "body");
        assert_eq!(open(&zlib(&vec![0; limit], 1), LIMIT).unwrap().len(), limit);
        let bomb = zlib(&vec![0; limit + 1], 1);
        assert!(bomb.len() < limit / 100);
        assert_eq!(open(&bomb, LIMIT), Err(RecordError::TooLarge { limit: LIMIT }));
    }

    #[test]
    fn comp_06_every_level_opens() {
        let body = b"hello rocketmq ".repeat(1000);
        for level in 0..=9 {
            assert_eq!(open(&zlib(&body, level), LIMIT).unwrap(), body, "{level}");
        }
    }

    #[test]
    fn a_body_that_ends_early_is_damaged_not_shorter() {
        let whole = zlib(b"a body that is long enough to be cut", 1);
        for length in 0..whole.len() {
            let damaged = Err(RecordError::Damaged { kind: Compression::Zlib });
            assert_eq!(open(&whole[..length], LIMIT), damaged, "{length}");
        }
    }
}
