//! Opens Zstandard frames (`ZstdCompressor`), one after the other as `zstd` itself reads them, and
//! makes them.

use bytes::Bytes;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::LIMIT;
use crate::message::record::RecordError;
use crate::message::sys_flag::Compression;

const DAMAGED: RecordError = RecordError::Damaged { kind: Compression::Zstd };
/// Magic numbers of frames to skip: the last four bits are free.
const SKIPPABLE: u32 = 0x184D_2A50;

/// The body as one frame, at the one level that the crate knows: about the first one of `zstd`.
pub(super) fn pack(body: &[u8]) -> Bytes {
    compress_to_vec(body, CompressionLevel::Fastest).into()
}

pub(super) fn open(stored: &[u8], limit: u32) -> Result<Bytes, RecordError> {
    let mut rest = stored;
    let mut opened = Vec::new();
    if rest.is_empty() {
        return Err(DAMAGED);
    }
    while let Some((magic, behind)) = rest.split_first_chunk() {
        if u32::from_le_bytes(*magic) & !15 == SKIPPABLE {
            let (length, behind) = behind.split_first_chunk().ok_or(DAMAGED)?;
            rest = behind.get(u32::from_le_bytes(*length) as usize..).ok_or(DAMAGED)?;
        } else {
            rest = open_frame(rest, limit, &mut opened)?;
        }
    }
    if rest.is_empty() { Ok(opened.into()) } else { Err(DAMAGED) }
}

/// Opens the first frame of `stored` behind what was opened before; gives what follows it.
fn open_frame<'a>(
    stored: &'a [u8],
    limit: u32,
    opened: &mut Vec<u8>,
) -> Result<&'a [u8], RecordError> {
    let too_large = RecordError::TooLarge { limit };
    let mut decoder = FrameDecoder::new();
    // Checked before anything is allocated for it: a few bytes may declare a window of terabytes.
    decoder.set_max_window_size(LIMIT.max(limit).into());
    let mut rest = stored;
    decoder.init(&mut rest).map_err(|error| match error {
        FrameDecoderError::WindowSizeTooBig { .. } => too_large,
        _ => DAMAGED,
    })?;
    let declared = decoder.content_size();
    if declared > u64::from(limit) {
        return Err(too_large);
    }
    let before = opened.len();
    // The size declared may be a lie: it may claim no more than text could have shrunk by.
    let guess = (declared as usize).min(stored.len().saturating_mul(16));
    opened.reserve(guess.min(limit as usize - before));
    loop {
        let done = decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1));
        let done = done.map_err(|_| DAMAGED)?;
        decoder.collect_to_writer(&mut *opened).map_err(|_| DAMAGED)?;
        if opened.len() > limit as usize {
            return Err(too_large);
        }
        if done {
            break;
        }
    }
    let length = (opened.len() - before) as u64;
    let said = decoder.get_checksum_from_data();
    let differs = said.is_some() && said != decoder.get_calculated_checksum();
    if differs || (declared != 0 && declared != length) {
        return Err(DAMAGED);
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zstd(body: &[u8]) -> Vec<u8> {
        pack(body).to_vec()
    }

    #[test]
    fn bad_20_a_body_opens_up_to_the_limit_and_no_further() {
        let body = b"hello rocketmq ".repeat(1000);
        let stored = zstd(&body);
        assert_eq!(open(&stored, LIMIT).unwrap(), body);
        assert_eq!(open(&stored, body.len() as u32).unwrap(), body);
        let limit = body.len() as u32 - 1;
        assert_eq!(open(&stored, limit), Err(RecordError::TooLarge { limit }));
        let bomb = zstd(&vec![0; LIMIT as usize + 1]);
        assert!(bomb.len() < 1 << 16);
        assert_eq!(open(&bomb, LIMIT), Err(RecordError::TooLarge { limit: LIMIT }));
    }

    #[test]
    fn bad_20_a_huge_window_is_refused_before_it_is_allocated() {
        // A frame without a size, its window descriptor at the largest exponent; one empty block.
        for descriptor in [0x88, 0xA0, 0xF8, 0xFF] {
            let stored = [0x28, 0xB5, 0x2F, 0xFD, 0, descriptor, 1, 0, 0];
            assert!(open(&stored, LIMIT).is_err(), "{descriptor:#x}");
        }
        let stored = [0x28, 0xB5, 0x2F, 0xFD, 0, 0x88, 1, 0, 0];
        assert_eq!(open(&stored, LIMIT), Err(RecordError::TooLarge { limit: LIMIT }));
        let small = [0x28, 0xB5, 0x2F, 0xFD, 0, 0, 1, 0, 0];
        assert_eq!(open(&small, LIMIT).unwrap(), "");
    }

    #[test]
    fn frames_follow_each_other_and_nothing_else_may() {
        let skipped = [0x5A, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 9, 9];
        let both = [&zstd(b"one")[..], &skipped, &zstd(b"two")].concat();
        assert_eq!(open(&both, LIMIT).unwrap(), "onetwo");
        for length in [0, 1, 2, 3, 5] {
            let trailing = [&both[..], &[7; 5][..length]].concat();
            assert_eq!(open(&trailing, LIMIT).is_ok(), length == 0);
        }
        let whole = zstd(b"a body that is long enough to be cut");
        for length in 0..whole.len() {
            assert_eq!(open(&whole[..length], LIMIT), Err(DAMAGED), "{length}");
        }
    }

    #[test]
    fn a_wrong_checksum_is_damage() {
        let mut stored = zstd(b"a body with a checksum behind it");
        *stored.last_mut().unwrap() ^= 1;
        assert_eq!(open(&stored, LIMIT), Err(DAMAGED));
    }
}
