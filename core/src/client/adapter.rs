//! What adapters call, and what they lend: users of the handles need none of it.
//!
//! An adapter implements [`Host`] and [`Clock`], makes a [`Shared`] of them, gives it to its pump
//! and to [`Client::new`](super::Client::new), and carries out [`Shared::step`]. Loops
//! that do that for any runtime of tasks, and the steps of one of threads, are in the module
//! `driver`.

pub use super::driving::is_own_thread;
pub use super::host::{Clock, Host};
pub use super::link::{Half, ReadTurn, Sink};
pub(crate) use super::link::{WriteTurn, Writer, Written};
pub use super::pump::{Scratch, Step};
pub use super::shared::Shared;
pub use super::work::Work;
