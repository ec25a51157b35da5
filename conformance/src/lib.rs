//! Conformance
pub mod bench;
pub mod broker;
pub mod live;
pub mod serve;
