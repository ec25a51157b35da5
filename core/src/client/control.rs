//! A handle of a consumer, beside the one that takes its messages.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ended::{EndError, Ended};
use super::pending::Pending;
use super::shared::Shared;
use crate::error::Denial;
use crate::id::SubscriptionId;

/// Controls a consumer from any thread, while another one takes its messages or handlers run. Cheap
/// to clone; it keeps neither the consumer nor its client.
#[derive(Clone)]
pub struct ConsumerHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) sub: SubscriptionId,
    /// How the consumer leaves is remembered as long as there is one.
    _watch: Arc<Watch>,
    /// What the consumer looks at before it hands out what it has at hand.
    paused: Arc<AtomicBool>,
}

/// Somebody may want to know how a consumer left.
struct Watch {
    shared: Arc<Shared>,
    sub: SubscriptionId,
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.shared.run(|core, _| core.unwatch(self.sub)));
    }
}

impl fmt::Debug for ConsumerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerHandle").field("sub", &self.sub).finish_non_exhaustive()
    }
}

impl ConsumerHandle {
    /// Of a consumer that is watched once more for it.
    pub(super) fn new(shared: Arc<Shared>, sub: SubscriptionId) -> Self {
        let watch = Arc::new(Watch { shared: shared.clone(), sub });
        Self { shared, sub, _watch: watch, paused: Arc::default() }
    }

    /// Suspends the consumer: nothing more is handed out, and no pull begins, until
    /// [`resume`](Self::resume). It stays a member of its group and keeps its queues. What pulls
    /// under way bring is kept; what was handed out before may be settled, and offsets are
    /// committed. Returns at once.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(consumer: &Consumer) {
    /// let control = consumer.control();
    /// control.suspend();
    /// assert!(control.is_suspended());
    /// control.resume();
    /// # }
    /// ```
    #[doc(alias = "Suspend", alias = "pause")]
    pub fn suspend(&self) {
        self.set(true);
    }

    /// Resumes the consumer: what is at hand is handed out, and pulls go on.
    ///
    /// See the example of [`suspend`](Self::suspend).
    #[doc(alias = "Resume")]
    pub fn resume(&self) {
        self.set(false);
    }

    fn set(&self, paused: bool) {
        self.shared.run(|core, now| {
            self.paused.store(paused, Ordering::Release);
            // It may have left.
            let _ = if paused {
                core.engine.suspend(now, self.sub)
            } else {
                core.engine.resume(now, self.sub)
            };
        });
    }

    /// Whether the consumer is suspended.
    ///
    /// See the example of [`suspend`](Self::suspend).
    pub fn is_suspended(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// As [`Consumer::drain`](super::Consumer::drain), by whoever does not hold the consumer: its
    /// `recv` ends with [`RecvError::Left`](super::RecvError::Left), its handlers finish.
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # use std::time::Duration;
    /// # fn f(control: ConsumerHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", control.drain(Duration::from_secs(10)).wait()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self, within: Duration) -> Pending<Result<Ended, EndError>> {
        let pending = self.ended();
        self.shared.run(|core, now| {
            // It may have left with the whole client already.
            let _ = core.engine.drain(now, self.sub, within);
        });
        pending
    }

    /// Resolves when the consumer has left its group, whoever ended it, with how it went; at once
    /// where it has left already.
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # async fn f(control: ConsumerHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", control.ended().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ended(&self) -> Pending<Result<Ended, EndError>> {
        self.shared.run(|core, _| core.watch(self.sub));
        Pending::left(self.shared.clone(), self.sub)
    }

    /// What is denied to this client's access key, without which no messages come: a topic's route,
    /// a heartbeat, the members of the group, locks, or what was asked about a queue, in this
    /// order. `None` where the consumer has been served since, and where nobody was asked yet.
    ///
    /// Nothing ends by it, `recv`, streams and handlers neither: brokers are asked again each
    /// second or less often, and the consumer goes on once its account has the right, or the key is
    /// another. Whoever would rather stop looks here. [`Consumer::recv_timeout`] does by itself.
    ///
    /// ```no_run
    /// # use rocketry_core::client::ConsumerHandle;
    /// # fn f(control: ConsumerHandle) {
    /// if let Some(denied) = control.denied() {
    ///     eprintln!("nothing can come: {denied}");
    /// }
    /// # }
    /// ```
    ///
    /// [`Consumer::recv_timeout`]: super::Consumer::recv_timeout
    pub fn denied(&self) -> Option<Denial> {
        self.shared.run(|core, _| core.engine.denied(self.sub)).flatten()
    }

    /// Leaves the group at once, in the background.
    pub(super) fn leave(&self) {
        self.shared.run(|core, now| {
            // It may have left with the whole client already.
            let _ = core.engine.leave(now, self.sub);
        });
    }
}
