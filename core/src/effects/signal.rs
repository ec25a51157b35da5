//! What one machine tells the others, or asks of one.

use crate::id::PeerId;

/// What one machine tells the others, or asks of one. The engine carries each to whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A broker has confirmed a heartbeat that told it more of us than it knew.
    Registered(PeerId),
}
