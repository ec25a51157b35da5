//! The sans-IO state machine of Rocketry, a RocketMQ client.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod body;
pub mod frame;
pub mod message;
pub mod name;
pub mod rng;
pub mod time;
