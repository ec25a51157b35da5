//! The sans-IO state machine of Rocketry, a RocketMQ client.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod allocation;
#[cfg(feature = "acl")]
pub mod auth;
pub mod body;
mod broker;
#[cfg(feature = "client")]
pub mod client;
pub mod config;
pub mod consumer;
pub mod dial;
#[cfg(feature = "driver")]
pub mod driver;
mod effects;
pub mod engine;
pub mod error;
pub mod fetch;
mod fifo;
pub mod frame;
pub mod id;
pub mod message;
pub mod name;
mod nameserver;
pub mod producer;
pub mod query;
mod remoting;
pub mod rng;
mod route;
mod shutdown;
pub mod time;
pub mod timer;
pub mod trace;
mod url;
