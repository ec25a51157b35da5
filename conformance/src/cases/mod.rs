//! The cases: what a client of RocketMQ is held to, each as a row with its id, its sentence, its
//! source, and what shows that it holds.

pub mod case;
mod catalogue;
pub mod place;

pub use catalogue::{Group, all, groups};
