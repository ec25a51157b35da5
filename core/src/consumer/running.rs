//! What a consumer tells of itself when an administrator asks.
//!
//! Code of brokers' requests: `GET_CONSUMER_RUNNING_INFO` (307), answered as
//! `DefaultMQPushConsumerImpl.consumerRunningInfo` does.

use std::collections::BTreeMap;

use super::heartbeat::subscriptions;
use super::queue::{Lock, Queue};
use super::{Consumer, Consumers};
use crate::body::{ConsumeStatus, PullQueueInfo, RunningInfo};
use crate::frame::version;
use crate::name::Group;
use crate::remoting::{Context, PeerAnswer};
use crate::time::{Instant, millis};

impl Consumers {
    /// The running info of a group's consumer. There are no stacks of threads in it.
    pub(crate) fn running_info(&self, ctx: &Context, group: &Group) -> PeerAnswer {
        match self.of_group(group).and_then(|sub| self.get(sub)) {
            Some(consumer) => PeerAnswer::Body(consumer.running_info(ctx).to_json().into()),
            None => PeerAnswer::no_consumer(group),
        }
    }
}

impl Consumer {
    fn running_info(&self, ctx: &Context) -> RunningInfo {
        let queues = self.queues.iter();
        let queues = queues.map(|(_, queue)| (queue.name.named(), queue.info(ctx)));
        RunningInfo {
            mq_table: queues.collect(),
            properties: self.properties(ctx),
            status_table: self.consume_status(ctx.fx.now),
            subscription_set: subscriptions(self).collect(),
            ..RunningInfo::default()
        }
    }

    fn consume_status(&self, now: Instant) -> BTreeMap<String, ConsumeStatus> {
        let open = self.settled_open();
        let tallies = self.topics.iter().filter_map(|(key, of)| {
            Some((
                of.topic.wire().to_string(),
                self.tallies.get(key)?.consume_status(now, open.get(&key).copied().unwrap_or(0)),
            ))
        });
        tallies.collect()
    }

    /// Those by which Java's admin tools know what they see (`ConsumerRunningInfo`), and settings
    /// under the names of Java's.
    fn properties(&self, ctx: &Context) -> BTreeMap<String, String> {
        let servers: Vec<String> =
            ctx.fx.config.name_servers.iter().map(ToString::to_string).collect();
        let properties = [
            ("PROP_CLIENT_VERSION", version::OWN.to_owned()),
            ("PROP_CONSUMEORDERLY", self.is_orderly().to_string()),
            ("PROP_CONSUMER_START_TIMESTAMP", self.started.0.to_string()),
            (
                "PROP_CONSUME_TYPE",
                match self.is_polled() {
                    true => "CONSUME_ACTIVELY".to_owned(),
                    false => "CONSUME_PASSIVELY".to_owned(),
                },
            ),
            ("PROP_NAMESERVER_ADDR", servers.join(";")),
            ("consumerGroup", self.group.wire().to_string()),
            ("pullBatchSize", self.bounds.pull_batch.to_string()),
            ("pullThresholdForQueue", self.bounds.queue_messages.to_string()),
            ("pullThresholdSizeForQueue", (self.bounds.queue_bytes >> 20).to_string()),
        ];
        properties.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

impl Queue {
    /// The queue as Java's admin tools show it.
    fn info(&self, ctx: &Context) -> PullQueueInfo {
        let now = ctx.fx.now;
        let unix = |at: Instant| ctx.fx.unix().0.saturating_sub(millis(now.since(at)));
        let last = self.window.batches().filter_map(|batch| batch.last()).max();
        PullQueueInfo {
            cached_msg_count: i32::try_from(self.window.messages()).unwrap_or(i32::MAX),
            cached_msg_max_offset: last.unwrap_or(0),
            cached_msg_min_offset: last.and_then(|_| self.low()).unwrap_or(0),
            cached_msg_size_mib: (self.window.bytes() >> 20) as i32,
            commit_offset: self.reached(now).unwrap_or(-1),
            last_pull_timestamp: self.cursor.pulled_at().map_or(0, unix),
            locked: matches!(self.lock(), Lock::Held { .. }),
            ..PullQueueInfo::default()
        }
    }
}
