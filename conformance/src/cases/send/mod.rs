//! Sends of a producer.

pub(super) mod changes;
pub(super) mod many;
pub(super) mod one;
