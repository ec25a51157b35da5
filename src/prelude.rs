//! What most programs name: `use rocketry::prelude::*;`.
//!
//! Types alone, and none that is called like a crate or a type of the standard library's: `tokio`
//! and `smol` beside it are the runtimes, which [`rocketry::tokio`](crate) and its like would hide.

pub use crate::{
    BatchContext, Client, Config, Consumer, ConsumerHandle, ConsumerOptions, Delivery, Filter,
    Group, Message, MessageModel, MessageView, Pending, Producer, ProducerOptions, QueueName,
    QueueSelection, RecvError, RecvTimeoutError, Run, RunOptions, SendError, SendOptions,
    SendReceipt, Settlement, Start, Stored, Topic, Unreadable, Verdict,
};
