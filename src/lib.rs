//! A RocketMQ client with a sans-IO protocol core and pluggable runtimes.
//!
//! Pick a runtime by feature (`std`, the default; `tokio`; `smol`; `async-std`), connect, and use
//! the handles of [`client`], the same on each: what differs is who connects, and whether you wait
//! or await.
//!
//! # On threads
//!
//! ```no_run
//! use std::time::Duration;
//! use rocketry::prelude::*;
//!
//! let client = rocketry::blocking::connect("127.0.0.1:9876")?;
//!
//! let producer = client.producer("shop")?;
//! let receipt = producer.send(Message::new("orders", "3 apples").tag("eu")).wait()?;
//! println!("stored at offset {} of queue {}", receipt.offset, receipt.queue);
//!
//! let builder = client.consumer("billing")?.topic("orders", "eu || us");
//! let mut consumer = builder.start_at(Start::First).start()?;
//! while let Ok(received) = consumer.recv_timeout(Duration::from_secs(10)) {
//!     match received {
//!         Ok(message) => {
//!             println!("{:?} from {:?}", message.body(), message.queue());
//!             message.ack();
//!         }
//!         // A body that can't be opened, say: the group's offset waits for its ack, too.
//!         Err(unreadable) => {
//!             eprintln!("{unreadable}");
//!             unreadable.ack();
//!         }
//!     }
//! }
//! client.shutdown().wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # On tokio
//!
//! ```no_run
//! use rocketry::prelude::*;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = rocketry::tokio::connect("127.0.0.1:9876")?;
//!
//!     // Any number at once: each is under way when `send` returns.
//!     let producer = client.producer("shop")?;
//!     let order = |id: u32| Message::new("orders", format!("order {id}"));
//!     let sent: Vec<_> = (0..100).map(|id| producer.send(order(id))).collect();
//!     for call in sent {
//!         call.await?;
//!     }
//!
//!     let builder = client.consumer("billing")?.topic("orders", "*");
//!     let mut consumer = builder.start_at(Start::First).start()?;
//!     for _ in 0..100 {
//!         match consumer.next().await? {
//!             Ok(message) => {
//!                 println!("{:?} from {:?}", message.body(), message.queue());
//!                 message.ack();
//!             }
//!             Err(unreadable) => {
//!                 eprintln!("{unreadable}");
//!                 unreadable.ack();
//!             }
//!         }
//!     }
//!     // The runtime ends with `main`, and what still runs in it with the runtime.
//!     client.shutdown().await?;
//!     Ok(())
//! }
//! ```
//!
//! On smol and async-std it is as on tokio, with their `connect`.
//!
//! # More
//!
//! [`prelude`] has the names that most programs use, [`Config`] every setting, and each method of
//! the handles an example. To drive the state machine from an event loop of your own, use
//! [`proto`], whose page is the manual for that.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod listener;
#[cfg(feature = "logging")]
pub mod logging;
pub mod prelude;

pub use bytes::Bytes;
pub use listener::SimpleMessageListener;

pub use rocketry_core as proto;
pub use rocketry_core::client::{
    self, Admin, Client, Consumer, Delivery, MessageView, OnUnreadable, Pending, Producer,
    PullConsumer, Unreadable,
};
pub use rocketry_core::config::{
    Config, ConfigError, Credentials, CredentialsProvider, Pem, RotatingCredentials, Secret,
};
pub use rocketry_core::consumer::{Filter, Start};
pub use rocketry_core::engine::Snapshot;
pub use rocketry_core::error::{ErrorKind, QueryError, SendError, Stored};
pub use rocketry_core::message::Message;
pub use rocketry_core::name::{Group, Topic};
pub use rocketry_core::producer::{
    QueueSelection, ReplyMessage, SendOptions, SendReceipt, SendStatus,
};
pub use rocketry_core::query::{QueueChoice, QueueName};

// What `Admin` is asked for and answers, and what errors and handles tell.
pub use rocketry_core::allocation::{Allocate, AllocationError, Question, Strategy};
pub use rocketry_core::body::{
    BodyError, ClusterInfo, MessageModel, RouteBody, TopicConfig, TopicList,
};
pub use rocketry_core::client::{
    BatchContext, Blockable, Concurrency, ConsumerBuilder, ConsumerHandle, EndError, Ended,
    Handled, LockStats, NextPoll, NotAssigned, Polled, ProducerError, ProducerOptions,
    PullConsumerBuilder, PullControl, Pulled, QueueChange, Received, RecvError, RecvTimeoutError,
    Run, RunError, RunOptions, RunStats, SeekError, Settlement, SubscribeError, TopicQueues,
    Verdict,
};
pub use rocketry_core::client::{
    Begin, BeginError, HalfMessage, TransactionListener, TransactionOptions, TransactionProducer,
    TransactionRunError,
};
pub use rocketry_core::consumer::{
    Assignment, ConsumeOrder, ConsumerOptions, ConsumerStats, FilterError, OffsetStats, QueueStats,
    TopicConsumption, TopicSubscription,
};
pub use rocketry_core::engine::Cancelled;
pub use rocketry_core::error::{
    Attempt, Attempts, CloseReason, CommitError, ConnectError, Failure, FilterRefused, Lack,
    PeerKind, RecallError, Refused, ReplyError, RequestError, TlsError, TlsSetupError, TooOld,
    TransactionError,
};
pub use rocketry_core::frame::{Request, RequestCode, ResponseCode};
pub use rocketry_core::message::{Compression, MessageError, RecordError, UniqueId};
pub use rocketry_core::name::{Endpoint, NameError};
pub use rocketry_core::offsets::{
    OffsetOwner, OffsetStore, OffsetStoreError, Offsets, StoreFailure, StoredOffsets,
};
pub use rocketry_core::query::{Response, Target};
pub use rocketry_core::time::UnixMillis;
pub use rocketry_core::transaction::{
    CheckedHalf, Resolution, TransactionReceipt, TransactionState, TransactionStats,
};

// One type, whichever runtime is there.
#[cfg(all(
    not(any(feature = "std", feature = "tokio")),
    any(feature = "smol", feature = "async-std")
))]
pub use rocketry_async_std::ClientError;
#[cfg(feature = "std")]
pub use rocketry_std::ClientError;
#[cfg(all(feature = "tokio", not(feature = "std")))]
pub use rocketry_tokio::ClientError;

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
    #[doc = include_str!("../docs/delays.md")]
    #[doc = include_str!("../docs/requests.md")]
    struct Later;
    #[doc = include_str!("../docs/broadcasting.md")]
    struct Broadcasting;
    #[doc = include_str!("../docs/consuming.md")]
    #[doc = include_str!("../docs/pulling.md")]
    struct Consuming;
    #[doc = include_str!("../docs/filters.md")]
    struct Filters;

    #[doc = include_str!("../docs/transactions.md")]
    struct Transactions;
    #[doc = include_str!("../docs/orderly.md")]
    struct Order;
    #[doc = include_str!("../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../docs/security.md")]
    struct Security;
    #[doc = include_str!("../docs/operating.md")]
    struct Operating;
    #[doc = include_str!("../docs/runtimes.md")]
    struct Runtimes;
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
}
