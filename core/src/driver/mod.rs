//! The pump: the steps that move bytes and keep time, for loops that poll and loops that block.
//!
//! An adapter lends a small [`Runtime`] (lookup, dial, a timer) and calls [`pump`]; an
//! adapter of threads calls the steps itself: [`Dialling`](crate::dial::Dialling), [`Reader`],
//! [`write_next`], [`Download`], and [`Shared::step`](crate::client::adapter::Shared::step). No
//! step sets a time limit of its own: the engine alone owns time.

mod fetch;
mod page;
mod poll;
mod reader;
#[cfg(feature = "tls")]
mod secured;
mod threads;

pub use fetch::{Download, request};
pub use poll::{Runtime, Socket, Timer, dial_first, pump};
pub use reader::Reader;
#[cfg(feature = "tls")]
pub use secured::Secured;
pub use threads::{Blocking, Wrote, read_all, write_next};
