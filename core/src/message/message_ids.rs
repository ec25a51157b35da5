//! The unique ids of what one send carries.

use std::fmt;
use std::sync::Arc;

use super::UniqueId;

/// The unique ids of what one send carries: of one message, or of each message of a batch.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageIds {
    first: UniqueId,
    batch: Option<Arc<[UniqueId]>>,
}

impl MessageIds {
    pub(crate) const fn new(first: UniqueId, batch: Option<Arc<[UniqueId]>>) -> Self {
        Self { first, batch }
    }

    /// The id of the message, or of the batch's first one.
    pub const fn first(&self) -> UniqueId {
        self.first
    }

    /// All of them, in the order of the messages.
    pub fn iter(&self) -> impl Iterator<Item = UniqueId> {
        self.batch.as_deref().unwrap_or(std::slice::from_ref(&self.first)).iter().copied()
    }
}

impl fmt::Display for MessageIds {
    /// The first one, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.batch.as_deref().map_or(0, |batch| batch.len().saturating_sub(1)) {
            0 => write!(f, "{}", self.first),
            more => write!(f, "{} and {more} more", self.first),
        }
    }
}

impl fmt::Debug for MessageIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
