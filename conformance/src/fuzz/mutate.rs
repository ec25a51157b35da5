//! Small damage to valid input, most of which keeps lengths as they are.

use rocketry_core::rng::Rng;

/// Bytes at which decoders turn.
const TURNS: &[u8] = b"{}[]\":,\\-0\x00\x01\x02\x7f\x80\xff";
/// Numbers at which decoders turn.
const EDGES: [u32; 8] = [0, 1, 27, 28, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, u32::MAX];

/// Damages `data` at one to four places; one in sixteen changes its length.
pub fn mutate(data: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        if data.is_empty() {
            return;
        }
        let at = rng.below(data.len() as u64) as usize;
        match rng.below(16) {
            0 => shift(data, at, rng),
            1..=4 => data[at] ^= 1 << rng.below(8),
            5..=8 => data[at] = TURNS[rng.below(TURNS.len() as u64) as usize],
            9..=10 => put(data, at, EDGES[rng.below(EDGES.len() as u64) as usize]),
            11..=12 => add(data, at, rng.below(33) as i64 - 16),
            13 => {
                let length = rng.below(data.len() as u64 + 8) as u32;
                put(data, at, length);
            }
            _ => copy_within(data, at, rng),
        }
    }
}

/// Cuts the input short, or writes a piece of it twice.
fn shift(data: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    if rng.below(2) == 0 {
        data.truncate(at);
    } else {
        let end = at + rng.below((data.len() - at) as u64 + 1).min(4096) as usize;
        let piece = data[at..end].to_vec();
        data.splice(at..at, piece);
    }
}

/// Writes a number of 32 bits, as far as it fits.
fn put(data: &mut [u8], at: usize, number: u32) {
    for (to, from) in data[at..].iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
}

/// Adds a little to the number of 32 bits that begins at `at`, which may be a length.
fn add(data: &mut [u8], at: usize, by: i64) {
    if let Some(word) = data[at..].first_chunk::<4>() {
        let number = u32::from_be_bytes(*word).wrapping_add(by as u32);
        put(data, at, number);
    }
}

/// Copies a piece to another place of the same length.
fn copy_within(data: &mut [u8], at: usize, rng: &mut Rng) {
    let from = rng.below(data.len() as u64) as usize;
    let length = (rng.below(32) as usize).min(data.len() - from).min(data.len() - at);
    data.copy_within(from..from + length, at);
}
