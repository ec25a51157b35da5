//! Bodies that are JSON: routes, heartbeats and lists of consumers, as fastjson writes them.

mod bare_keys;
mod consumer_list;
mod error;
mod heartbeat;
mod route;
mod text;

pub use consumer_list::ConsumerList;
pub use error::{BODY_MAX, BodyError};
pub use heartbeat::{
    ConsumeFrom, ConsumeType, ConsumerData, Heartbeat, MessageModel, ProducerData, SubscriptionData,
};
pub use route::{BrokerData, QUEUES_MAX, QueueData, RouteBody};
