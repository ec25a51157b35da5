//! Bodies that are JSON, as fastjson writes and reads them: routes, heartbeats, locks, offsets,
//! assignments, figures and lists.
//!
//! What comes in is read by one tolerant reader, bounded in size ([`BODY_MAX`]), in the number of
//! values ([`ELEMENTS_MAX`]) and in depth. What goes out has the shapes that Java reads: keys in
//! alphabetical order, objects as keys of a [`QueueTable`].

mod assignment;
mod batch_ack;
mod cluster;
mod consumer_list;
mod error;
mod heartbeat;
mod locks;
mod members;
mod offset_file;
mod offsets;
mod queue;
mod route;
mod running;
mod standard;
mod text;
mod topics;

pub use assignment::{Assignment, AssignmentQuery, Assignments, RequestMode, RequestModeBody};
pub use batch_ack::{ACK_BITS_MAX, AckBits, BatchAck, BatchAckBody};
pub use cluster::ClusterInfo;
pub use consumer_list::ConsumerList;
pub use error::{BODY_MAX, BodyError, ELEMENTS_MAX, VALUE_MAX};
pub use heartbeat::{
    ConsumeFrom, ConsumeType, ConsumerData, Heartbeat, MessageModel, ProducerData, SharedHeartbeat,
    SubscriptionData,
};
pub use locks::{LockBody, LockedBody, SharedLocks};
pub(crate) use members::Members;
pub use offset_file::OffsetFile;
pub use offsets::{
    ConsumeOffset, ConsumeStats, ConsumerStatusBody, ResetOffsetBody, TopicOffset, TopicStats,
};
pub use queue::{MessageQueue, QueueKey, QueueTable};
pub use route::{
    BROKERS_MAX, BrokerData, QUEUES_MAX, QueueData, REFUSED_MAX, RefusedRow, RouteBody,
};
pub use running::{
    ConsumeDirectlyResult, ConsumeStatus, DirectResult, PopQueueInfo, PullQueueInfo, RunningInfo,
};
pub use topics::{
    CheckClientBody, Connection, ConsumerConnections, GroupConfig, GroupConfigList,
    GroupConfigTable, ProducerConnections, TopicConfig, TopicConfigList, TopicConfigTable,
    TopicList,
};
