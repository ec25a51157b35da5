//! Ranges, as the table of settings writes them.

/// What a value may measure, and the words for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) least: u128,
    pub(super) most: u128,
    pub(super) says: &'static str,
}

impl Range {
    pub(super) fn has(self, measure: Option<u128>) -> bool {
        measure.is_none_or(|measure| self.least <= measure && measure <= self.most)
    }
}

/// `not zero`, `1 ..`, `1 ..= 1024`, `1 s ..= 60 s`; nothing is everything. With `says` in front,
/// the words alone.
macro_rules! range {
    (says not zero) => { "must not be zero" };
    (says $least:literal ..) => { concat!("must be at least ", $least) };
    (says $least:literal ..= $most:literal) => { concat!("must be ", $least, " to ", $most) };
    (says $least:literal s ..= $most:literal s) => {
        concat!("must be ", $least, " s to ", $most, " s")
    };
    (@ $least:expr, $most:expr, $says:expr) => {
        Range { least: $least, most: $most, says: $says }
    };
    () => { range!(@ 0, u128::MAX, "") };
    (not zero) => { range!(@ 1, u128::MAX, range!(says not zero)) };
    ($least:literal ..) => { range!(@ $least, u128::MAX, range!(says $least ..)) };
    ($least:literal ..= $most:literal) => {
        range!(@ $least, $most, range!(says $least ..= $most))
    };
    ($least:literal s ..= $most:literal s) => {
        range!(@ $least * 1_000_000_000, $most * 1_000_000_000, range!(says $least s ..= $most s))
    };
}
pub(super) use range;
