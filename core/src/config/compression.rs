//! How bodies are compressed.

/// How a body is compressed (`CompressionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// zlib: type 3, or 0 from clients that know no other (4.8 and older, Go).
    Zlib,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    pub(super) const ALL: [Self; 3] = [Self::Zlib, Self::Lz4, Self::Zstd];

    /// Its name in settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build has it: each is a feature.
    pub const fn is_built(self) -> bool {
        match self {
            Self::Zlib => cfg!(feature = "zlib"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }
}
