//! The checksum of stored bodies: the CRC-32 of zip files, of which brokers keep 31 bits
//! (`UtilAll.crc32`).

use std::sync::LazyLock;

use crc32fast::Hasher;

/// The bits that brokers keep.
pub(super) const MASK: u32 = 0x7FFF_FFFF;

/// One that has seen nothing. To ask the processor for each message what it can do takes as long as
/// a few dozen bytes.
static BLANK: LazyLock<Hasher> = LazyLock::new(Hasher::new);

/// The checksum of a body.
pub(super) fn checksum(body: &[u8]) -> u32 {
    let mut hasher = BLANK.clone();
    hasher.update(body);
    hasher.finalize() & MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_body_has_the_checksum_that_zip_files_have_without_its_upper_bit() {
        // Java: `(int) (crc.getValue() & 0x7FFFFFFF)` of these.
        assert_eq!(checksum(b""), 0);
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926 & MASK);
        for length in [1, 15, 16, 100, 255, 256, 1024, 5000] {
            let body: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
            assert_eq!(checksum(&body), crc32fast::hash(&body) & MASK, "{length}");
        }
    }
}
