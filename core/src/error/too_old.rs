//! What brokers lack for their age.

use std::sync::Arc;

/// What a broker's version lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} needs brokers from {needs} on, and {broker} is older")]
pub struct TooOld {
    /// The broker group.
    pub broker: Arc<str>,
    /// What it lacks.
    pub what: &'static str,
    /// The first version that has it, such as `5.0`.
    pub needs: &'static str,
}
