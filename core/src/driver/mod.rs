//! The pump: the steps that move bytes and keep time, for loops that poll and loops that block.
//!
//! An adapter lends a small [`Runtime`] (connect, a timer, spawn) and calls [`pump`]; an adapter of
//! threads calls the steps itself: [`Reader`], [`write_next`], and
//! [`Shared::step`](crate::client::Shared::step). No step sets a time limit of its own: the engine
//! alone owns time.

mod poll;
mod reader;
mod threads;

pub use poll::{Runtime, Socket, Timer, pump};
pub use reader::Reader;
pub use threads::{Blocking, Wrote, read_all, write_next};
