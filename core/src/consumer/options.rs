//! What one consumer does otherwise than its client's settings say.

use std::sync::Arc;
use std::time::Duration;

use super::{ConsumeOrder, Start, Taking};
use crate::allocation::Strategy;
use crate::body::MessageModel;
use crate::config::{Config, ConfigError};
use crate::offsets::{OffsetStore, OwnStore};

/// The first pause of a queue whose message could not be handled, where order matters
/// (`DefaultMQPushConsumer.suspendCurrentQueueTimeMillis`).
const SUSPENDED: Duration = Duration::from_secs(1);
/// How often a message may come again, where order matters
/// (`ConsumeMessageOrderlyService.getMaxReconsumeTimes`).
const UNLIMITED: u32 = i32::MAX as u32;

/// How one consumer works. What is not set here is as the client's [`Config`] says, in the fields
/// of the same names and with the same ranges.
///
/// ```
/// use std::time::Duration;
/// use rocketry_core::consumer::{ConsumerOptions, Start};
///
/// let options = ConsumerOptions::default()
///     .start_at(Start::First)
///     .queue_messages(200)
///     .retry_delay(Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// Where the group begins in queues for which it has no offset: after the newest message,
    /// unless told otherwise.
    pub start: Start,
    /// Messages of one queue held unsettled before its pulls pause.
    pub queue_messages: Option<usize>,
    /// Bytes of one queue held unsettled before its pulls pause.
    pub queue_bytes: Option<usize>,
    /// Offsets of one queue from the first to the last held unsettled before its pulls pause.
    pub queue_span: Option<u32>,
    /// Messages of one topic held unsettled, divided among its queues here.
    pub topic_messages: Option<usize>,
    /// Bytes of one topic held unsettled, divided among its queues here.
    pub topic_bytes: Option<usize>,
    /// Messages asked for by one pull.
    pub pull_batch: Option<u32>,
    /// The pause before a message that could not be sent back is delivered again here; it also
    /// bounds the first pause of one that is dropped.
    pub retry_delay: Option<Duration>,
    /// How often a message may come again before it becomes a dead letter, or is dropped where the
    /// group broadcasts.
    pub max_reconsume_times: Option<u32>,
    /// How long the application may have a message before it is sent back. `Some(None)`: for ever.
    pub consume_timeout: Option<Option<Duration>>,
    /// How long the application may have a message before that is told of. `Some(None)`: for ever.
    pub slow_after: Option<Option<Duration>>,
    /// How the queues are shared out; all members of the group must use the same rule.
    pub strategy: Option<Strategy>,
    /// How long a queue that another member may have had rests before its offset is read.
    pub handover_pause: Option<Duration>,
    /// In which order messages are handled.
    pub order: ConsumeOrder,
    /// Who computes the shares.
    pub assignment: Assignment,
    /// It may begin without a topic.
    pub without_topics: bool,
    /// How its messages are taken. Whoever makes a handle says it there.
    pub taking: Taking,
    /// Messages given by one poll, where they are polled.
    pub poll_batch: Option<u32>,
    /// Whether the members share the queues, or each reads all of them.
    pub model: MessageModel,
    /// Who keeps its offsets, instead of the brokers, or of a file where it broadcasts.
    pub offset_store: Option<OwnStore>,
}

/// Who computes which member reads which queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assignment {
    /// Each member for itself, by the group's members and the strategy.
    #[default]
    Client,
    /// The broker (`QUERY_ASSIGNMENT`, from 5.0 on), by the strategy of that name. Where it does
    /// not know how (4.x), refuses, or would have the group pop its messages, each member computes
    /// its share itself, and a note tells so.
    Broker,
}

impl ConsumerOptions {
    /// Where the group begins in queues for which it has no offset.
    #[must_use]
    #[doc(alias = "setConsumeFromWhere")]
    pub const fn start_at(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Holds at most so many messages of one queue unsettled.
    #[must_use]
    #[doc(alias = "setPullThresholdForQueue")]
    pub const fn queue_messages(mut self, most: usize) -> Self {
        self.queue_messages = Some(most);
        self
    }

    /// Holds at most so many bytes of one queue unsettled.
    #[must_use]
    #[doc(alias = "setPullThresholdSizeForQueue")]
    pub const fn queue_bytes(mut self, most: usize) -> Self {
        self.queue_bytes = Some(most);
        self
    }

    /// Lets the offsets of one queue that are held unsettled span at most so many: 1 or more.
    #[must_use]
    #[doc(alias = "setConsumeConcurrentlyMaxSpan")]
    pub const fn queue_span(mut self, most: u32) -> Self {
        self.queue_span = Some(most);
        self
    }

    /// Holds at most so many messages of one topic unsettled: each of its queues here an equal
    /// part, one at least.
    #[must_use]
    #[doc(alias = "setPullThresholdForTopic")]
    pub const fn topic_messages(mut self, most: usize) -> Self {
        self.topic_messages = Some(most);
        self
    }

    /// Holds at most so many bytes of one topic unsettled: each of its queues here an equal part.
    #[must_use]
    #[doc(alias = "setPullThresholdSizeForTopic")]
    pub const fn topic_bytes(mut self, most: usize) -> Self {
        self.topic_bytes = Some(most);
        self
    }

    /// Asks for so many messages by one pull: 1 to 1024.
    #[must_use]
    #[doc(alias = "setPullBatchSize")]
    pub const fn pull_batch(mut self, most: u32) -> Self {
        self.pull_batch = Some(most);
        self
    }

    /// Gives at most so many messages by one poll: 1 to 1024. For consumers that are polled.
    #[must_use]
    pub const fn poll_batch(mut self, most: u32) -> Self {
        self.poll_batch = Some(most);
        self
    }

    /// Has messages that could not be sent back delivered again here after this. Of an
    /// [orderly](Self::orderly) consumer it is the first pause of a queue.
    #[must_use]
    #[doc(alias = "setSuspendCurrentQueueTimeMillis")]
    pub const fn retry_delay(mut self, pause: Duration) -> Self {
        self.retry_delay = Some(pause);
        self
    }

    /// Shares queues out by this rule.
    #[must_use]
    #[doc(alias = "setAllocateMessageQueueStrategy")]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// Handles the messages of each queue one after the other, in their order, as
    /// [`ConsumeOrder::Orderly`] tells. Then `retry_delay` is the first pause of a queue whose
    /// message could not be handled, 1 s unless set here; `max_reconsume_times` counts only where
    /// it is set here; and `consume_timeout` and `handover_pause` do not count.
    #[must_use]
    #[doc(alias = "MessageListenerOrderly")]
    pub const fn orderly(mut self) -> Self {
        self.order = ConsumeOrder::Orderly;
        self
    }

    /// Has a queue that another member may have had rest so long before its offset is read: at
    /// most 10 s.
    #[must_use]
    pub const fn handover_pause(mut self, pause: Duration) -> Self {
        self.handover_pause = Some(pause);
        self
    }

    /// Has this side, or the broker, compute the shares.
    #[must_use]
    #[doc(alias = "setClientRebalance")]
    pub const fn assignment(mut self, assignment: Assignment) -> Self {
        self.assignment = assignment;
        self
    }

    /// Lets it begin without a topic: it subscribes to some later.
    #[must_use]
    pub const fn without_topics(mut self) -> Self {
        self.without_topics = true;
        self
    }

    /// Has a message come again so often before it becomes a dead letter; 0: each is
    /// one at once. 16, the default, is what -1 is in Java.
    #[must_use]
    #[doc(alias = "setMaxReconsumeTimes")]
    pub const fn max_reconsume_times(mut self, most: u32) -> Self {
        self.max_reconsume_times = Some(most);
        self
    }

    /// Takes a message from the application that has had it for so long, and sends it back; `None`:
    /// never.
    #[must_use]
    #[doc(alias = "setConsumeTimeout")]
    pub const fn consume_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.consume_timeout = Some(timeout);
        self
    }

    /// Tells of a message that the application has had for so long; `None`: never.
    #[must_use]
    pub const fn slow_after(mut self, time: Option<Duration>) -> Self {
        self.slow_after = Some(time);
        self
    }

    /// Has the members share the queues, or each of them read all.
    #[must_use]
    #[doc(alias = "setMessageModel")]
    pub const fn model(mut self, model: MessageModel) -> Self {
        self.model = model;
        self
    }

    /// Has its offsets kept there.
    #[must_use]
    #[doc(alias = "setOffsetStore")]
    pub fn offset_store(mut self, store: Arc<dyn OffsetStore>) -> Self {
        self.offset_store = Some(OwnStore::new(store));
        self
    }

    /// Names the first value that can't work, and says what it must be.
    ///
    /// # Errors
    ///
    /// As [`Config::check`].
    pub fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let bounds = self.over(config);
        let own = Config {
            queue_messages: bounds.queue_messages,
            queue_bytes: bounds.queue_bytes,
            queue_span: bounds.queue_span,
            topic_messages: bounds.topic_messages,
            topic_bytes: bounds.topic_bytes,
            pull_batch: bounds.pull_batch,
            poll_batch: bounds.poll_batch,
            retry_delay: bounds.retry_delay,
            max_reconsume_times: bounds.max_reconsume_times,
            consume_timeout: bounds.consume_timeout,
            slow_after: bounds.slow_after,
            handover_pause: bounds.handover_pause,
            ..config.clone()
        };
        own.check()?;
        let broadcasts = self.model == MessageModel::Broadcasting;
        if self.taking != Taking::Delivered && (broadcasts || self.offset_store.is_some()) {
            return Err(ConfigError::Field {
                field: if broadcasts { "model" } else { "offset_store" },
                problem: "is not for messages that are polled: brokers keep their offsets",
            });
        }
        if self.taking != Taking::Delivered && self.order == ConsumeOrder::Orderly {
            return Err(ConfigError::Field {
                field: "order",
                problem: "must be concurrent where messages are polled",
            });
        }
        match self.strategy.as_ref().is_none_or(Strategy::can_work) {
            true => Ok(()),
            false => Err(ConfigError::Field {
                field: "strategy",
                problem: "must have 1 to 1000 places for each member on the ring of hashes",
            }),
        }
    }

    /// What holds for a consumer of a client with those settings.
    pub(crate) fn over(&self, config: &Config) -> Bounds {
        let bounds = self.concurrent_over(config);
        match self.order {
            ConsumeOrder::Concurrent => bounds,
            ConsumeOrder::Orderly => Bounds {
                retry_delay: self.retry_delay.unwrap_or(SUSPENDED),
                max_reconsume_times: self.max_reconsume_times.unwrap_or(UNLIMITED),
                consume_timeout: None,
                ..bounds
            },
        }
    }

    fn concurrent_over(&self, config: &Config) -> Bounds {
        // What is polled is held until the next poll, however long that takes, and not sent back.
        let sends_back = self.taking == Taking::Delivered;
        Bounds {
            queue_messages: self.queue_messages.unwrap_or(config.queue_messages),
            queue_bytes: self.queue_bytes.unwrap_or(config.queue_bytes),
            queue_span: self.queue_span.unwrap_or(config.queue_span),
            topic_messages: self.topic_messages.or(config.topic_messages),
            topic_bytes: self.topic_bytes.or(config.topic_bytes),
            pull_batch: self.pull_batch.unwrap_or(config.pull_batch),
            poll_batch: self.poll_batch.unwrap_or(config.poll_batch),
            retry_delay: self.retry_delay.unwrap_or(config.retry_delay),
            handover_pause: self.handover_pause.unwrap_or(config.handover_pause),
            max_reconsume_times: self.max_reconsume_times.unwrap_or(config.max_reconsume_times),
            consume_timeout: self
                .consume_timeout
                .unwrap_or(config.consume_timeout)
                .filter(|_| sends_back),
            slow_after: self.slow_after.unwrap_or(config.slow_after),
        }
    }

    /// The rule that holds.
    pub(super) fn strategy_over(&self, config: &Config) -> Strategy {
        self.strategy.clone().unwrap_or_else(|| config.strategy.into())
    }
}

/// What holds for one consumer; the fields are those of [`Config`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) queue_messages: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) queue_span: u32,
    pub(crate) topic_messages: Option<usize>,
    pub(crate) topic_bytes: Option<usize>,
    pub(crate) pull_batch: u32,
    pub(crate) poll_batch: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) handover_pause: Duration,
    pub(crate) max_reconsume_times: u32,
    pub(crate) consume_timeout: Option<Duration>,
    pub(crate) slow_after: Option<Duration>,
}

impl Bounds {
    /// Whether they are divided among the queues that are held.
    pub(crate) const fn are_divided(&self) -> bool {
        self.topic_messages.is_some() || self.topic_bytes.is_some()
    }

    /// What holds for one queue of a topic of which the consumer has `held`: an equal part of what
    /// the topic may hold, if that is less (`RebalancePushImpl.messageQueueChanged`).
    pub(crate) fn of_queue(&self, held: usize) -> Self {
        let part =
            |whole: Option<usize>| whole.map_or(usize::MAX, |most| (most / held.max(1)).max(1));
        Self {
            queue_messages: self.queue_messages.min(part(self.topic_messages)),
            queue_bytes: self.queue_bytes.min(part(self.topic_bytes)),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_client_says_and_ranges_are_the_clients() {
        let config = Config::testing("ns:9876").unwrap();
        let Bounds { queue_messages, pull_batch, retry_delay, .. } =
            ConsumerOptions::default().pull_batch(7).over(&config);
        assert_eq!((pull_batch, queue_messages), (7, config.queue_messages));
        assert_eq!(retry_delay, config.retry_delay);
        assert_eq!(ConsumerOptions::default().check(&config), Ok(()));
        let wrong = |options: ConsumerOptions| match options.check(&config) {
            Err(ConfigError::Field { field, .. }) => Some(field),
            _ => None,
        };
        let taking = Taking::Polled(Default::default());
        let mut polled = ConsumerOptions { taking, ..ConsumerOptions::default() };
        assert_eq!(wrong(polled.clone()), None);
        assert_eq!(wrong(polled.clone().orderly()), Some("order"));
        polled.model = MessageModel::Broadcasting;
        assert_eq!(wrong(polled), Some("model"));
        assert_eq!(wrong(ConsumerOptions::default().pull_batch(0)), Some("pull_batch"));
        assert_eq!(wrong(ConsumerOptions::default().queue_messages(0)), Some("queue_messages"));
        assert_eq!(wrong(ConsumerOptions::default().queue_bytes(0)), Some("queue_bytes"));
        assert_eq!(wrong(ConsumerOptions::default().queue_span(0)), Some("queue_span"));
        assert_eq!(wrong(ConsumerOptions::default().topic_messages(0)), Some("topic_messages"));
        assert_eq!(wrong(ConsumerOptions::default().topic_bytes(0)), Some("topic_bytes"));
        let short = Some(Duration::from_millis(999));
        let wrong_timeout = wrong(ConsumerOptions::default().consume_timeout(short));
        assert_eq!(wrong_timeout, Some("consume_timeout"));
        assert_eq!(wrong(ConsumerOptions::default().consume_timeout(None)), None);
        let times = ConsumerOptions::default().max_reconsume_times(u32::MAX);
        assert_eq!(wrong(times), Some("max_reconsume_times"));
    }

    #[test]
    fn each_queue_has_an_equal_part_of_its_topics_limits_and_one_message_at_least() {
        let options = ConsumerOptions::default().queue_messages(100).topic_messages(240);
        let bounds = options.topic_bytes(1000).over(&Config::default());
        let of = |held| {
            let Bounds { queue_messages, queue_bytes, .. } = bounds.of_queue(held);
            (queue_messages, queue_bytes)
        };
        assert_eq!([of(0), of(1), of(8)], [(100, 1000), (100, 1000), (30, 125)]);
        assert_eq!(of(5000), (1, 1));
        let none = ConsumerOptions::default().over(&Config::default());
        assert_eq!(none.of_queue(8).queue_messages, Config::default().queue_messages);
    }
}
