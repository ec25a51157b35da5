//! One message to be read.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::consumer::Batch;
use crate::message::{Message, Record};
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
    pub(super) body: Bytes,
}

impl fmt::Debug for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MessageView");
        shown.field("queue", self.queue()).field("offset", &self.offset());
        shown.field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl MessageView {
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
    pub const fn body(&self) -> &Bytes {
        &self.body
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
        Message::of(self.queue().topic.clone(), &self.message(), self.body.clone())
    }

    /// The same message as a copy that keeps nothing else in memory: to be kept for long. A view
    /// keeps all messages of its pull, up to the size of a frame, which the limits of what a consumer
    /// holds count only until they are settled.
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
        let stored = batch.records().record(0).filter(|record| record.compression().is_none());
        let body = stored.map_or_else(|| self.body.clone(), |record| record.raw_body());
        Self { batch, index: 0, body }
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
