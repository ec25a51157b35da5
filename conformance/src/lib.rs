//! Conformance
pub mod broker;
pub mod live;
pub mod serve;
