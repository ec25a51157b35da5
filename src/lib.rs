//! A RocketMQ client with a sans-IO protocol core and pluggable runtimes.
//!
//! Pick a runtime by feature (`std`, the default; `tokio`; `smol`; `async-std`), connect, and use
//! the handles of [`client`], the same on each:
//!
//! ```no_run
//! use rocketry::Message;
//!
//! let client = rocketry::blocking::connect("127.0.0.1:9876")?;
//! let producer = client.producer("orders")?;
//! let receipt = producer.send(Message::new("order", "paid")).wait()?;
//! println!("stored at offset {} of queue {}", receipt.offset, receipt.queue);
//! client.shutdown().wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`prelude`] has the names that most programs use. To drive the state machine from an event loop
//! of your own, use [`proto`].
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "logging")]
pub mod logging;
pub mod prelude;

pub use bytes::Bytes;

pub use rocketry_core as proto;
pub use rocketry_core::client::{
    self, Admin, Client, Consumer, Delivery, OnUnreadable, Pending, Producer, Unreadable,
};
pub use rocketry_core::config::{Config, ConfigError};
pub use rocketry_core::consumer::{Filter, Start};
pub use rocketry_core::engine::Snapshot;
pub use rocketry_core::error::{ErrorKind, QueryError, SendError, Stored};
pub use rocketry_core::message::Message;
pub use rocketry_core::name::{Group, Topic};
pub use rocketry_core::producer::{QueueSelection, SendOptions, SendReceipt, SendStatus};
pub use rocketry_core::query::{QueueChoice, QueueName};

// What `Admin` is asked for and answers, and what errors and handles tell.
pub use rocketry_core::body::{BodyError, ClusterInfo, RouteBody, TopicConfig, TopicList};
pub use rocketry_core::client::{
    Blockable, ConsumerBuilder, Ended, LockStats, Pulled, SubscribeError,
};
pub use rocketry_core::engine::Cancelled;
pub use rocketry_core::error::{Failure, PeerKind};
pub use rocketry_core::frame::{Request, RequestCode, ResponseCode};
pub use rocketry_core::message::{Compression, MessageError, RecordError, UniqueId};
pub use rocketry_core::name::{Endpoint, NameError};
pub use rocketry_core::query::{Response, Target};

/// The client on plain threads.
#[cfg(feature = "std")]
pub mod blocking {
    pub use rocketry_std::{ClientError, config_from_env, connect};
}

/// The client on tokio.
#[cfg(feature = "tokio")]
pub mod tokio {
    pub use rocketry_tokio::{ClientError, config_from_env, connect};
}

/// The client on smol.
#[cfg(feature = "smol")]
pub mod smol {
    pub use rocketry_async_std::{ClientError, config_from_env, smol::connect};
}

/// The client on async-std, which is discontinued (RUSTSEC-2025-0052): for new programs take smol.
#[cfg(feature = "async-std")]
pub mod async_std {
    pub use rocketry_async_std::{ClientError, async_std::connect, config_from_env};
}

/// Has the code of the README, and of the pages in `docs`, compiled with the other doc tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/sending.md")]
    struct Sending;
    #[doc = include_str!("../docs/consuming.md")]
    struct Consuming;
    #[doc = include_str!("../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../docs/operating.md")]
    struct Operating;
    #[doc = include_str!("../docs/runtimes.md")]
    struct Runtimes;
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
}
