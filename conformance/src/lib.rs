//! Conformance
pub mod bench;
pub mod broker;
pub mod fuzz;
pub mod live;
pub mod proxy;
pub mod serve;
pub mod sim;
pub mod vectors;
