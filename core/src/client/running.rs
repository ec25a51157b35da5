//! Consumers whose messages are given to handlers.

use std::future::Future;

use super::consumer::Consumer;
use super::run::{
    BatchContext, Handled, MakeWork, Run, RunError, RunOptions, batches, blocking, start, tasks,
};
use super::view::MessageView;

impl Consumer {
    /// Gives each message to `handler`, on threads of its own on every runtime: the handler may
    /// block. What it returns decides what becomes of the message: nothing or
    /// [`Verdict`](super::Verdict), or a `Result` of either, whose error is logged and means
    /// [`Retry`](super::Verdict::Retry). So does a panic, which ends nothing.
    ///
    /// Messages are shared out one by one: one that takes long keeps one worker, and no other
    /// message waits while there are idle ones. Those of a queue are begun in order, and end in
    /// any. What was pulled and not begun when its queue goes to another member is not handled.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, RunOptions, Verdict};
    /// # use std::time::Duration;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let consumer = client.consumer("billing")?.topic("orders", "*").start()?;
    /// let run = consumer.run(RunOptions::default().concurrency(1..=64), |message| {
    ///     match std::str::from_utf8(message.body()) {
    ///         Ok(order) => println!("{order}"),
    ///         Err(_) => return Verdict::Reject,
    ///     }
    ///     Verdict::Ack
    /// })?;
    /// println!("{}", run.ended().wait()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With `?` in it, a closure says at its end which errors it may give:
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, RunOptions};
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let consumer = client.consumer("billing")?.topic("orders", "*").start()?;
    /// let run = consumer.run(RunOptions::default(), |message| {
    ///     let order: u64 = std::str::from_utf8(message.body())?.parse()?;
    ///     println!("order {order}");
    ///     Ok::<_, Box<dyn std::error::Error>>(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the options can't work, or the system gives no thread. The consumer has left then.
    #[doc(alias = "MessageListenerConcurrently", alias = "registerMessageListener")]
    #[doc(alias = "MessageListener", alias = "consumeMessage", alias = "register_message_listener")]
    pub fn run<H, R>(self, options: RunOptions, handler: H) -> Result<Run, RunError>
    where
        H: Fn(&MessageView) -> R + Send + Sync + 'static,
        R: Into<Handled>,
    {
        self.hand_on(options, blocking(handler))
    }

    /// As [`run`](Self::run), with a handler whose futures are tasks of the client's runtime: so
    /// many at once as there are workers. On plain threads each is polled to its end on a worker's
    /// thread.
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, MessageView, RunOptions};
    /// # async fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// async fn store(message: MessageView) -> Result<(), std::io::Error> {
    ///     println!("{:?}", message.body());
    ///     Ok(())
    /// }
    ///
    /// let consumer = client.consumer("billing")?.topic("orders", "*").start()?;
    /// let run = consumer.run_async(RunOptions::default(), store)?;
    /// println!("{}", run.ended().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What handlers share is cloned for each message, before `async move`:
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, MessageView, RunOptions};
    /// # use std::sync::Arc;
    /// # use std::sync::atomic::{AtomicUsize, Ordering};
    /// # async fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let consumer = client.consumer("billing")?.topic("orders", "*").start()?;
    /// let bytes = Arc::new(AtomicUsize::new(0));
    /// let run = consumer.run_async(RunOptions::default(), move |message: MessageView| {
    ///     let bytes = bytes.clone();
    ///     async move {
    ///         bytes.fetch_add(message.body().len(), Ordering::Relaxed);
    ///     }
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_async<H, F>(self, options: RunOptions, handler: H) -> Result<Run, RunError>
    where
        H: Fn(MessageView) -> F + Send + Sync + 'static,
        F: Future<Output: Into<Handled>> + Send + 'static,
    {
        self.hand_on(options, tasks(handler))
    }

    /// As [`run`](Self::run), with batches: of up to as many messages as the options say, of
    /// whatever queues and topics the consumer reads ([`MessageView::queue`] tells each one's).
    /// Java gives a batch messages of one queue; here it is the fuller for it. Messages that can't
    /// be read are dealt with before, and are in no batch.
    ///
    /// The verdict is of all of a batch, or of those behind the first that the handler says are
    /// [`done`](BatchContext::done).
    ///
    /// ```no_run
    /// # use rocketry_core::client::{Client, RunOptions};
    /// # use std::time::Duration;
    /// # fn f(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let consumer = client.consumer("billing")?.topic("orders", "*").start()?;
    /// let options = RunOptions::default().concurrency(2).batch(500, Duration::from_millis(100));
    /// let run = consumer.run_batches(options, |messages, batch| {
    ///     for (before, message) in messages.iter().enumerate() {
    ///         batch.done(before);
    ///         std::fs::write("last", message.body())?;
    ///     }
    ///     batch.done(messages.len());
    ///     std::io::Result::Ok(())
    /// })?;
    /// println!("{}", run.ended().wait()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    #[doc(alias = "setConsumeMessageBatchMaxSize", alias = "consume_message_batch_max_size")]
    pub fn run_batches<H, R>(self, options: RunOptions, handler: H) -> Result<Run, RunError>
    where
        H: Fn(&[MessageView], &mut BatchContext) -> R + Send + Sync + 'static,
        R: Into<Handled>,
    {
        self.hand_on(options, batches(handler))
    }

    fn hand_on(mut self, options: RunOptions, make: Box<MakeWork>) -> Result<Run, RunError> {
        self.handed_on = true;
        let first = (self.current.take(), self.opening.clone());
        start(self.owner.clone(), self.control.clone(), first, options, make)
    }
}
