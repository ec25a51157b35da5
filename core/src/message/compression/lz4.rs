//! Opens LZ4 frames, and makes them (`Lz4Compressor`, `LZ4FrameInputStream`).
//!
//! The frame is read here and only its blocks by `lz4_flex`: that crate's own frame reader takes a
//! frame without an end for a shorter one, and clears four megabytes for each message that Java
//! compressed, however small.

use bytes::Bytes;
use lz4_flex::block;

use crate::message::record::RecordError;
use crate::message::sys_flag::Compression;

const DAMAGED: RecordError = RecordError::Damaged { kind: Compression::Lz4 };
const MAGIC: u32 = 0x184D_2204;
/// Magic numbers of frames to skip: the last four bits are free.
const SKIPPABLE: u32 = 0x184D_2A50;
/// How far back a block may refer into the ones before it.
const WINDOW: usize = 64 << 10;
/// A byte of a block stands for at most this many opened ones.
const GROWTH: usize = 255;

/// The flags of a frame's descriptor.
const VERSION: u8 = 0xC0;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECKSUMS: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const RESERVED: u8 = 0x02;
const DICTIONARY: u8 = 0x01;

pub(super) fn open(stored: &[u8], limit: u32) -> Result<Bytes, RecordError> {
    let mut rest = Rest(stored);
    let mut opened = Vec::new();
    if stored.is_empty() {
        return Err(DAMAGED);
    }
    while !rest.0.is_empty() {
        match rest.int()? {
            MAGIC => open_frame(&mut rest, limit, &mut opened)?,
            magic if magic & !15 == SKIPPABLE => {
                let length = rest.int()? as usize;
                rest.take(length)?;
            }
            _ => return Err(DAMAGED),
        }
    }
    Ok(opened.into())
}

/// The body as one frame of blocks that do not refer to each other: Java reads no others. They are
/// as small as holds the body, since Java clears as much memory as a block may take.
pub(super) fn pack(body: &[u8]) -> Bytes {
    let size = (4..7u8).find(|size| body.len() <= block_size(*size)).unwrap_or(7);
    let descriptor = [0x40 | INDEPENDENT, size << 4];
    let mut frame = Vec::with_capacity(body.len() / 2);
    frame.extend_from_slice(&MAGIC.to_le_bytes());
    frame.extend_from_slice(&descriptor);
    frame.push((xxh32(&descriptor) >> 8) as u8);
    for part in body.chunks(block_size(size)) {
        let block = block::compress(part);
        let (block, raw) = if block.len() < part.len() { (&*block, 0) } else { (part, 1u32 << 31) };
        // A part has four megabytes at most.
        frame.extend_from_slice(&(block.len() as u32 | raw).to_le_bytes());
        frame.extend_from_slice(block);
    }
    frame.extend_from_slice(&0u32.to_le_bytes());
    frame.into()
}

/// Bytes of a frame's largest block, by its number: 4 to 7 are 64 KiB, 256 KiB, 1 MiB and 4 MiB.
const fn block_size(number: u8) -> usize {
    1 << (8 + 2 * number)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<u32, RecordError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*taken))
    }
}

/// Opens one frame, whose magic number was read, behind what was opened before.
fn open_frame(rest: &mut Rest<'_>, limit: u32, opened: &mut Vec<u8>) -> Result<(), RecordError> {
    let too_large = RecordError::TooLarge { limit };
    let (flags, block_max, declared) = descriptor(rest)?;
    let start = opened.len();
    let room = limit as usize - start;
    if declared.is_some_and(|size| size > room as u64) {
        return Err(too_large);
    }
    loop {
        let size = rest.int()?;
        if size == 0 {
            break;
        }
        let block = rest.take((size & 0x7FFF_FFFF) as usize)?;
        if block.len() > block_max {
            return Err(DAMAGED);
        }
        if flags & BLOCK_CHECKSUMS != 0 && rest.int()? != xxh32(block) {
            return Err(DAMAGED);
        }
        let from = opened.len();
        if size >> 31 == 1 {
            opened.extend_from_slice(block);
        } else {
            let window = if flags & INDEPENDENT != 0 { from } else { start };
            open_block(block, block_max, window, limit, opened)?;
        }
        if opened.len() > limit as usize {
            return Err(too_large);
        }
    }
    let content = &opened[start..];
    if declared.is_some_and(|size| size != content.len() as u64) {
        return Err(DAMAGED);
    }
    if flags & CONTENT_CHECKSUM != 0 && rest.int()? != xxh32(content) {
        return Err(DAMAGED);
    }
    Ok(())
}

/// The frame's flags, the size of its largest block, and the size of its content if it says so.
fn descriptor(rest: &mut Rest<'_>) -> Result<(u8, usize, Option<u64>), RecordError> {
    let whole = rest.0;
    let fixed = rest.take(2)?;
    let (flags, sizes) = (fixed[0], fixed[1]);
    let known = flags & VERSION == 0x40 && flags & (RESERVED | DICTIONARY) == 0;
    if !known || sizes & 0x8F != 0 || sizes < 0x40 {
        return Err(DAMAGED);
    }
    let block_max = block_size(sizes >> 4);
    let declared = if flags & CONTENT_SIZE == 0 {
        None
    } else {
        let low = u64::from(rest.int()?);
        Some(u64::from(rest.int()?) << 32 | low)
    };
    let hashed = &whole[..whole.len() - rest.0.len()];
    if rest.take(1)?[0] != (xxh32(hashed) >> 8) as u8 {
        return Err(DAMAGED);
    }
    Ok((flags, block_max, declared))
}

/// Opens one block behind `opened`, from whose byte `window` on it may copy.
fn open_block(
    block: &[u8],
    block_max: usize,
    window: usize,
    limit: u32,
    opened: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let from = opened.len();
    let most = block.len().saturating_mul(GROWTH).min(block_max);
    // One byte more than the limit allows tells a body that is too large from a damaged one.
    let room = most.min(limit as usize + 1 - from);
    opened.resize(from + room, 0);
    let (before, space) = opened.split_at_mut(from);
    let known = &before[window.max(from.saturating_sub(WINDOW))..];
    let length = if known.is_empty() {
        block::decompress_into(block, space)
    } else {
        block::decompress_into_with_dict(block, space, known)
    };
    match length {
        Ok(length) => opened.truncate(from + length),
        Err(_) if room < most => return Err(RecordError::TooLarge { limit }),
        Err(_) => return Err(DAMAGED),
    }
    Ok(())
}

/// The hash that LZ4 frames are checked by, with seed 0.
fn xxh32(bytes: &[u8]) -> u32 {
    const P: [u32; 5] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D, 0x27D4_EB2F, 0x1656_67B1];
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
    let round = |lane: u32, input: u32| {
        lane.wrapping_add(input.wrapping_mul(P[1])).rotate_left(13).wrapping_mul(P[0])
    };
    let mut stripes = bytes.chunks_exact(16);
    let mut lanes = [P[0].wrapping_add(P[1]), P[1], 0, 0_u32.wrapping_sub(P[0])];
    for stripe in stripes.by_ref() {
        for (lane, input) in lanes.iter_mut().zip(stripe.chunks_exact(4)) {
            *lane = round(*lane, word(input));
        }
    }
    let mut hash = if bytes.len() < 16 {
        P[4]
    } else {
        let turns = [1, 7, 12, 18];
        lanes.iter().zip(turns).fold(0_u32, |sum, (lane, n)| sum.wrapping_add(lane.rotate_left(n)))
    };
    hash = hash.wrapping_add(bytes.len() as u32);
    let mut words = stripes.remainder().chunks_exact(4);
    for input in words.by_ref() {
        hash = hash.wrapping_add(word(input).wrapping_mul(P[2])).rotate_left(17).wrapping_mul(P[3]);
    }
    for byte in words.remainder() {
        let input = u32::from(*byte).wrapping_mul(P[4]);
        hash = hash.wrapping_add(input).rotate_left(11).wrapping_mul(P[0]);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(P[1]);
    hash = (hash ^ hash >> 13).wrapping_mul(P[2]);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::super::LIMIT;
    use super::*;

    fn lz4(body: &[u8], info: FrameInfo) -> Vec<u8> {
        let mut writer = FrameEncoder::with_frame_info(info, Vec::new());
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    }

    fn text() -> Vec<u8> {
        (0..20_000).flat_map(|n: u32| format!("line {} ", n * n).into_bytes()).collect()
    }

    #[test]
    fn frames_of_every_shape_open() {
        let body = text();
        for mode in [BlockMode::Independent, BlockMode::Linked] {
            for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
                for checks in [false, true] {
                    let length = Some(body.len() as u64).filter(|_| checks);
                    let info = FrameInfo::new()
                        .block_mode(mode)
                        .block_size(size)
                        .block_checksums(checks)
                        .content_checksum(checks)
                        .content_size(length);
                    let stored = lz4(&body, info);
                    assert!(stored.len() < body.len());
                    assert_eq!(open(&stored, LIMIT).unwrap(), body);
                }
            }
        }
    }

    #[test]
    fn bad_21_a_body_opens_up_to_the_limit_and_no_further() {
        let stored = lz4(&text(), FrameInfo::new());
        let length = text().len() as u32;
        assert_eq!(open(&stored, length).unwrap().len(), length as usize);
        for limit in [length - 1, length / 2, 70_000, 1, 0] {
            assert_eq!(open(&stored, limit), Err(RecordError::TooLarge { limit }));
        }
        let bomb = lz4(&vec![0; LIMIT as usize + 1], FrameInfo::new());
        assert!(bomb.len() < 1 << 20);
        assert_eq!(open(&bomb, LIMIT), Err(RecordError::TooLarge { limit: LIMIT }));
    }

    #[test]
    fn bad_21_a_false_size_a_cut_and_trailing_bytes_are_damage() {
        let body = b"hello rocketmq ".repeat(20);
        let stored = lz4(&body, FrameInfo::new().content_size(Some(body.len() as u64)));
        let trailing = [&stored[..], b"more!"].concat();
        assert_eq!(open(&trailing, LIMIT), Err(DAMAGED));
        for length in 0..stored.len() {
            assert_eq!(open(&stored[..length], LIMIT), Err(DAMAGED), "{length}");
        }
        for size in [0, 1, body.len() as u64 + 1, u64::MAX] {
            let mut lying = stored.clone();
            lying[6..14].copy_from_slice(&size.to_le_bytes());
            lying[14] = (xxh32(&lying[4..14]) >> 8) as u8;
            assert!(open(&lying, LIMIT).is_err(), "{size}");
        }
        let twice = [&stored[..], &[0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 7], &stored].concat();
        assert_eq!(open(&twice, LIMIT).unwrap(), body.repeat(2));
    }

    #[test]
    fn no_mutation_does_harm() {
        let mut rng = crate::rng::Rng::new(4);
        let frame = lz4(&text()[..3000], FrameInfo::new().block_mode(BlockMode::Linked));
        for _ in 0..4_000 {
            let mut stored = frame.clone();
            for _ in 0..=rng.below(3) {
                let at = rng.below(stored.len() as u64) as usize;
                stored[at] = rng.next_u64() as u8;
            }
            let _ = open(&stored, 1 << 20);
        }
    }
}
