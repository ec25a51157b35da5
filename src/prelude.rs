//! What most programs name: `use rocketry::prelude::*;`.
//!
//! Types alone, and none that is called like a crate or a type of the standard library's: `tokio`
//! and `smol` beside it are the runtimes, which [`rocketry::tokio`](crate) and its like would hide.

pub use crate::{
    Client, Config, Consumer, Delivery, Group, Message, Pending, Producer, QueueName, SendError,
    SendOptions, SendReceipt, Start, Stored, Topic, Unreadable,
};
