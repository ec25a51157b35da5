//! One message to be read.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;

use super::shared::Home;
use crate::consumer::Batch;
use crate::message::{Item, Message, NoRequest, Record, RecordError, properties};
use crate::query::QueueName;

/// One message that came, to be read: its body, opened, and everything else of it. It is cheap to
/// clone, and says nothing of whether the message is settled: a [`Delivery`](super::Delivery) does,
/// which is one, too.
///
/// It shares memory with its pull's other messages for as long as it is kept.
#[derive(Clone)]
#[doc(alias = "MessageExt")]
pub struct MessageView {
    pub(super) batch: Arc<Batch>,
    pub(super) index: u32,
    /// How often this client has handed it out before.
    pub(super) again: u32,
    /// The body, once it was opened, or asked for: to share the batch's memory costs as much as
    /// settling does, and who passes a message by its tag or key needs none of it.
    body: OnceLock<Bytes>,
}

impl fmt::Debug for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MessageView");
        shown.field("queue", self.queue()).field("offset", &self.offset());
        shown.field("bytes", &self.body().len()).finish_non_exhaustive()
    }
}

impl MessageView {
    /// The message at `index`, its checksum looked at, and its body opened if it is compressed.
    pub(super) fn open(batch: &Arc<Batch>, index: u32) -> Result<Self, RecordError> {
        match batch.records().item(index as usize) {
            Item::Record(record) if record.is_plain() => Ok(Self::plain(batch, index)),
            Item::Record(record) => {
                let body = OnceLock::from(record.body()?);
                Ok(Self { body, ..Self::plain(batch, index) })
            }
            Item::Undecodable(undecodable) => Err(undecodable.reason),
        }
    }

    /// The same, of one whose body is as it is stored, and looked at.
    #[inline]
    pub(super) fn plain(batch: &Arc<Batch>, index: u32) -> Self {
        Self { batch: batch.clone(), index, again: 0, body: OnceLock::new() }
    }

    fn record(&self) -> Option<Record<'_>> {
        self.batch.records().record(self.index as usize)
    }

    /// The body, opened if it was compressed. It shares memory with its pull's other messages:
    /// copy it to keep a small one for long.
    ///
    /// ```no_run
    /// # use rocketry_core::client::MessageView;
    /// # fn f(message: MessageView) -> Result<(), Box<dyn std::error::Error>> {
    /// let text = std::str::from_utf8(message.body())?;
    /// println!("{text}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn body(&self) -> &Bytes {
        self.body.get_or_init(|| self.message().raw_body())
    }

    /// Everything else of the message: tags, keys, properties, times, ids.
    ///
    /// # Panics
    /// Never: a view is only made of a record that can be read.
    ///
    /// ```no_run
    /// # use rocketry_core::client::MessageView;
    /// # fn f(message: MessageView) -> Result<(), Box<dyn std::error::Error>> {
    /// let record = message.message();
    /// let keys: Vec<&str> = record.keys().collect();
    /// println!("{:?} {keys:?} {:?}", record.tags(), record.property("colour"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn message(&self) -> Record<'_> {
        #[expect(clippy::expect_used, reason = "`open` made sure of it")]
        self.record().expect("a view is of a readable record")
    }

    /// One of its properties, the producer's own or RocketMQ's: all of them are those of
    /// [`message`](Self::message).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Delivery;
    /// # fn f(delivery: Delivery) {
    /// println!("{:?}", delivery.property("colour"));
    /// delivery.ack();
    /// # }
    /// ```
    #[doc(alias = "getProperty", alias = "getUserProperty", alias = "GetProperty")]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.message().property(name)
    }

    /// A message to send, with what an application gave this one: its topic, body, flag, tag, keys
    /// and own properties, to be changed and sent again. It gets a unique id of its own, and has
    /// no delay. The body is shared, not copied.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{MessageView, Producer};
    /// # fn f(message: MessageView, to: &Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// to.send(message.to_message().property("seen", "once")).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_message(&self) -> Message {
        Message::of(self.topic(), &self.message(), self.body().clone())
    }

    /// The reply to it, where it was sent by a request: to be given more properties and a tag, and
    /// sent with [`Producer::send`](super::Producer::send), by which it reaches whoever asked. It
    /// goes to the broker that the request came from first, since that knows the requester; another
    /// try goes to another broker of the cluster.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{MessageView, Producer};
    /// # type Outcome = Result<(), Box<dyn std::error::Error>>;
    /// # fn f(question: &MessageView, producer: &Producer) -> Outcome {
    /// let answer = question.to_reply("42")?.property("unit", "EUR");
    /// producer.send(answer).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "createReplyMessage")]
    pub fn to_reply(&self, body: impl Into<Bytes>) -> Result<Message, NoRequest> {
        let (record, broker) = (self.message(), &self.queue().broker);
        Message::replying(record.properties(), broker, body.into())
    }

    /// The topic it was sent to first. That of its [queue](Self::queue) is the group's retry topic,
    /// where it comes again after it was sent back, or its dead letters (Java's `getTopic` gives
    /// the topic of its dead letters then).
    ///
    /// ```no_run
    /// # use rocketry_core::client::MessageView;
    /// # fn f(message: MessageView) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("attempt {} of {} from {}", message.attempts(), message.id(), message.topic());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "getTopic")]
    pub fn topic(&self) -> &str {
        self.batch.topic(self.index)
    }

    /// The id that its producer gave it, which stays the same when it comes again; of a message
    /// without one, the id of its place at the broker (`MessageClientExt.getMsgId`).
    ///
    /// See the example of [`topic`](Self::topic).
    #[doc(alias = "getMsgId")]
    pub fn id(&self) -> Cow<'_, str> {
        self.message().id()
    }

    /// The id of the place where a message was stored first that was sent back since
    /// (`ORIGIN_MESSAGE_ID`); `None` of one that comes for the first time. Where a client sent it
    /// to the retry topic, because its broker did not take it back, it is its [`id`](Self::id).
    #[doc(alias = "getOriginMessageId")]
    pub fn origin_id(&self) -> Option<&str> {
        self.record()?.property(properties::ORIGIN_MESSAGE_ID)
    }

    /// Which attempt this is, from 1: one more than the message was sent back before, by whomever
    /// of the group (`reconsumeTimes`), and handed out here before. A dead letter goes on from the
    /// attempts of the group that it is of.
    ///
    /// See the example of [`topic`](Self::topic).
    #[doc(alias = "getReconsumeTimes", alias = "ReconsumeTimes", alias = "delivery_attempt")]
    pub fn attempts(&self) -> u32 {
        let before = self.record().map_or(0, |record| record.reconsume_times().max(0) as u32);
        before.saturating_add(self.again).saturating_add(1)
    }

    /// The same message as a copy that keeps nothing else in memory: to be kept for long. A view
    /// keeps all messages of its pull, up to the size of a frame, which the limits of what a
    /// consumer holds count only until they are settled.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Delivery, MessageView};
    /// # fn f(message: Delivery, kept: &mut Vec<MessageView>) {
    /// kept.push(message.detach());
    /// message.ack();
    /// # }
    /// ```
    pub fn detach(&self) -> Self {
        let batch = Arc::new(self.batch.single(self.index));
        // A body that was opened has its memory to itself.
        let stored = batch.records().record(0).is_some_and(|record| record.compression().is_none());
        let body = if stored { OnceLock::new() } else { self.body.clone() };
        Self { batch, index: 0, again: self.again, body }
    }

    /// How long the queue is still locked for this consumer, by this client's clock, as far as is
    /// known now; zero: it may be another member's. `None` where no lock is needed: of a consumer
    /// that is not [orderly](super::ConsumerBuilder::orderly), or broadcasts. The lock of a message
    /// that is being handled is not given back when its consumer ends meanwhile.
    ///
    /// A broker does not fence off who has lost a lock: whoever writes elsewhere, where two writers
    /// must not meet, has to be done before the time is over. Locks are renewed every 20 s and last
    /// 30 s here, 60 s at the broker.
    ///
    /// ```no_run
    /// # use rocketry_core::client::MessageView;
    /// # use std::time::Duration;
    /// # fn f(message: &MessageView) {
    /// let is_enough = message.lock_remaining().is_none_or(|left| left > Duration::from_secs(5));
    /// assert!(is_enough, "the queue may be another's before this is written");
    /// # }
    /// ```
    pub fn lock_remaining(&self) -> Option<Duration> {
        self.batch.lock_remaining(self.batch.home::<Home>()?.clock.now())
    }

    /// The queue it came from.
    ///
    /// ```no_run
    /// # use rocketry_core::client::MessageView;
    /// # fn f(message: MessageView) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?} of queue {}", message.offset(), message.queue().queue);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue(&self) -> &QueueName {
        self.batch.queue()
    }

    /// Its place in the queue, from 0; `None` where the broker's number can't be its place.
    ///
    /// See the example of [`queue`](Self::queue).
    pub fn offset(&self) -> Option<i64> {
        self.batch.offset(self.index)
    }
}
