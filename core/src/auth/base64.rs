//! Base64 of a signature, with the standard alphabet and padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Bytes of a signature, and characters of its text.
const BYTES: usize = 20;
pub(super) const CHARACTERS: usize = 28;

/// The text of a signature.
pub(super) fn encode(bytes: &[u8; BYTES]) -> [u8; CHARACTERS] {
    let mut out = [b'='; CHARACTERS];
    for (chunk, text) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let mut three = [0; 4];
        three[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(three);
        for (place, digit) in text.iter_mut().take(chunk.len() + 1).enumerate() {
            *digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_coded_as_the_standard_has_it() {
        let mut bytes = *b"foobar--------------";
        assert_eq!(&encode(&bytes), b"Zm9vYmFyLS0tLS0tLS0tLS0tLS0=");
        bytes[..2].copy_from_slice(&[0xFB, 0xFF]);
        assert!(encode(&bytes).starts_with(b"+/9v"));
        assert_eq!(&encode(&[0xFF; BYTES]), b"//////////////////////////8=");
    }
}
