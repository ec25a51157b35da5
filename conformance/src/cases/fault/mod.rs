//! Brokers and nameservers that leave, fall silent and come back.

pub(super) mod acting;
mod books;
pub(super) mod comeback;
pub(super) mod failover;
pub(super) mod kill;
pub(super) mod moves;
pub(super) mod outages;
pub(super) mod restart;
pub(super) mod roles;
mod script;
pub(super) mod slow;
pub(super) mod storm;
