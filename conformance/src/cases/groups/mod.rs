//! Consumers of a group as their users meet them.

pub(crate) mod asked;
pub(crate) mod handlers;
pub(crate) mod members;
pub(crate) mod mixed;
pub(crate) mod topics;
