//! Where the extension fields of a header stand: found once, read when they are asked for.

use super::cursor::{Span, What};

/// Fields whose places are kept; a header with more is searched again when they are read. The
/// replies of brokers have at most ten.
const KEPT: usize = 12;

/// The places of a header's extension fields, if there are not too many.
#[derive(Clone, Debug)]
pub(in crate::frame) struct Found {
    places: [(Place, Place); KEPT],
    count: usize,
}

/// A [`Span`] in half the room.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
    what: What,
}

impl Place {
    const NONE: Self = Self { start: 0, end: 0, what: What::Null };

    fn of(span: Span) -> Option<Self> {
        let (start, end) = (u32::try_from(span.start).ok()?, u32::try_from(span.end).ok()?);
        Some(Self { start, end, what: span.what })
    }

    const fn span(self) -> Span {
        Span { start: self.start as usize, end: self.end as usize, what: self.what }
    }
}

impl Found {
    /// Nothing is known: the fields must be searched.
    pub(in crate::frame) const UNKNOWN: Self =
        Self { places: [(Place::NONE, Place::NONE); KEPT], count: usize::MAX };

    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }

    pub(super) const fn overflow(&mut self) {
        self.count = usize::MAX;
    }

    pub(super) fn push(&mut self, name: Span, value: Span) {
        match (self.places.get_mut(self.count), Place::of(name), Place::of(value)) {
            (Some(place), Some(name), Some(value)) => {
                *place = (name, value);
                self.count += 1;
            }
            _ => self.overflow(),
        }
    }

    /// Name and value of each field; `None` when they must be searched.
    pub(super) fn spans(&self) -> Option<impl ExactSizeIterator<Item = (Span, Span)>> {
        let places = self.places.get(..self.count)?;
        Some(places.iter().map(|(name, value)| (name.span(), value.span())))
    }
}
