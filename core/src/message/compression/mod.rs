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
use super::sys_flag::{COMPRESSED, Compression};

/// Bytes that a body may open to unless told otherwise (`Config::max_opened_body`): 32 MiB, eight
/// times what brokers take by default.
pub(super) const LIMIT: u32 = 32 << 20;

/// The body compressed and what its system flag says of that, if it is long enough to be and
/// shrinks by it.
pub(super) fn pack(body: &Bytes, limits: &MessageLimits) -> Option<(Bytes, i32)> {
    let kind = limits.compression.filter(|_| body.len() > limits.compress_over)?;
    let packed: Option<Bytes> = match kind {
        #[cfg(feature = "zlib")]
        Compression::Zlib => zlib::pack(body, limits.compress_level),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => Some(lz4::pack(body)),
        #[cfg(feature = "zstd")]
        Compression::Zstd => Some(zstd::pack(body)),
        #[allow(unreachable_patterns, reason = "none is left when every feature is on")]
        _ => None,
    };
    // Clients before 5.0 know zlib alone, and no bits that say so.
    let flag = if kind == Compression::Zlib { COMPRESSED } else { kind.bits() };
    packed.filter(|packed| packed.len() < body.len()).map(|packed| (packed, flag))
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

#[cfg(all(test, feature = "zlib", feature = "lz4", feature = "zstd"))]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const KINDS: [Compression; 3] = [Compression::Zlib, Compression::Lz4, Compression::Zstd];

    fn limits(compression: Option<Compression>) -> MessageLimits {
        MessageLimits { compression, ..MessageLimits::default() }
    }

    /// Text, noise, runs and what lies between, of any length up to `most`.
    fn body(rng: &mut Rng, most: u64) -> Bytes {
        let length = rng.below(most) as usize;
        let letters = 1 + rng.below(256);
        let mut body = Vec::with_capacity(length);
        while body.len() < length {
            let from = rng.below(body.len() as u64 + 1) as usize;
            let count = (1 + rng.below(400) as usize).min(length - body.len());
            match rng.below(4) {
                0 => body.extend((0..count).map(|_| rng.below(letters) as u8)),
                1 => body.extend(std::iter::repeat_n(rng.below(letters) as u8, count)),
                _ => {
                    let again: Vec<u8> = body[from..].iter().copied().take(count).collect();
                    body.extend(again);
                    body.push(rng.below(letters) as u8);
                }
            }
        }
        body.into()
    }

    #[test]
    fn comp_03_comp_04_what_one_codec_packs_it_opens_and_its_flag_says_which() {
        let mut rng = Rng::new(7);
        for round in 0..60 {
            let most = if round % 30 == 0 { 1 << 19 } else { 40_000 };
            let body = body(&mut rng, most);
            for kind in KINDS {
                let Some((packed, flag)) = pack(&body, &limits(Some(kind))) else { continue };
                assert_eq!(Compression::of(flag), Ok(Some(kind)));
                assert_eq!(open(kind, &packed, LIMIT).as_ref(), Ok(&body), "{kind:?}");
            }
        }
    }

    #[test]
    fn every_kind_shrinks_text_and_leaves_what_is_short_or_noise() {
        let text = Bytes::from(b"hello rocketmq ".repeat(1000));
        let short = text.slice(..4096);
        let mut rng = Rng::new(7);
        let noise: Bytes = (0..20_000).map(|_| rng.next_u64() as u8).collect();
        for kind in KINDS {
            let limits = limits(Some(kind));
            let (packed, _) = pack(&text, &limits).expect("long and of one kind");
            assert!(packed.len() < text.len() / 20, "{kind:?}: {}", packed.len());
            assert_eq!(pack(&short, &limits), None, "{kind:?}");
            assert_eq!(pack(&noise, &limits), None, "{kind:?}");
        }
        assert_eq!(pack(&text, &limits(None)), None, "off");
    }
}
