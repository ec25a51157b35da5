//! The handles of transactions.

mod half;
mod listener;
mod options;
mod producer;

pub use half::{Begin, HalfMessage};
pub use listener::TransactionListener;
pub use options::{BeginError, TransactionOptions, TransactionRunError};
pub use producer::TransactionProducer;
