//! A handler that keeps or tells what comes: for tests, and to look at a topic.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{MessageView, Verdict};

type Tell = dyn Fn(&str) + Send + Sync;

/// A handler that is there already: it keeps each message, or tells a line of each, and acks it.
///
/// ```no_run
/// use std::time::Duration;
/// use rocketry::{Client, RunOptions, SimpleMessageListener};
///
/// fn see(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
///     let listener = SimpleMessageListener::keeping();
///     let consumer = client.consumer("tests")?.topic("orders", "*").start()?;
///     let run = consumer.run(RunOptions::default(), listener.handler())?;
///     let orders = listener.wait_for(3, Duration::from_secs(10));
///     assert_eq!(orders.len(), 3);
///     Ok(())
/// }
/// ```
#[derive(Clone, Default)]
#[doc(alias = "MessageListenerConcurrently")]
pub struct SimpleMessageListener {
    kept: Arc<(Mutex<Vec<MessageView>>, Condvar)>,
    tell: Option<Arc<Tell>>,
}

impl fmt::Debug for SimpleMessageListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SimpleMessageListener");
        shown.field("kept", &self.lock().len()).finish_non_exhaustive()
    }
}

impl SimpleMessageListener {
    /// One that keeps each message, as a copy that keeps nothing else of its pull.
    pub fn keeping() -> Self {
        Self::default()
    }

    /// One that gives a line of each message to `tell`: its place, tags, keys and size, and nothing
    /// of its body. `SimpleMessageListener::telling(|line| println!("{line}"))` prints them, and
    /// with `log::info!("{line}")` they are in the log.
    pub fn telling(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Some(Arc::new(tell)), ..Self::default() }
    }

    /// The handler, for [`Consumer::run`](crate::Consumer::run).
    pub fn handler(&self) -> impl Fn(&MessageView) -> Verdict + Send + Sync + 'static {
        let own = self.clone();
        move |message| {
            match &own.tell {
                Some(tell) => tell(&line(message)),
                None => {
                    own.lock().push(message.detach());
                    own.kept.1.notify_all();
                }
            }
            Verdict::Ack
        }
    }

    /// The messages that were kept so far, in the order in which they came.
    pub fn messages(&self) -> Vec<MessageView> {
        self.lock().clone()
    }

    /// The messages that were kept, once there are `count`, or what there is after `within`. Blocks
    /// this thread.
    pub fn wait_for(&self, count: usize, within: Duration) -> Vec<MessageView> {
        let few = |kept: &mut Vec<MessageView>| kept.len() < count;
        let waited = self.kept.1.wait_timeout_while(self.lock(), within, few);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<MessageView>> {
        self.kept.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(message: &MessageView) -> String {
    let (record, queue) = (message.message(), message.queue());
    let offset = message.offset().map_or_else(|| "?".to_owned(), |offset| offset.to_string());
    let mut line = format!("{}/{}/{}@{offset}", queue.topic, queue.broker, queue.queue);
    if let Some(tags) = record.tags() {
        line += &format!(" tag={tags}");
    }
    let keys: Vec<&str> = record.keys().collect();
    if !keys.is_empty() {
        line += &format!(" keys={}", keys.join(","));
    }
    line + &format!(" attempt={} bytes={}", message.attempts(), message.body().len())
}
