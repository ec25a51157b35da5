//! Consumers that are polled: the handles of Java's lite pull.

mod builder;
mod consumer;
mod control;
mod error;

pub use builder::PullConsumerBuilder;
pub use consumer::{NextPoll, Polled, PullConsumer};
pub use control::PullControl;
pub use error::{NotAssigned, SeekError};
