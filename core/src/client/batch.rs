//! Messages taken many at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::awaiting::Wait;
use super::consumer::Consumer;
use super::delivery::{Received, is_held, is_orderly};
use super::received::RecvError;
use crate::time::Instant;

/// What [`Consumer::next_batch`] gives: some of the next messages.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextBatch<'a> {
    consumer: &'a mut Consumer,
    most: usize,
    by: Instant,
    /// It is woken at the end of its time.
    reminded: bool,
}

impl Future for NextBatch<'_> {
    type Output = Result<Vec<Received>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (most, by) = (self.most, self.by);
        let mut wait = Wait::parked(cx.waker());
        if let Poll::Ready(batch) = self.consumer.poll_batch(&mut wait, most) {
            return Poll::Ready(batch);
        }
        let shared = self.consumer.owner.shared().clone();
        if shared.clock().now() >= by {
            return Poll::Ready(Ok(self.consumer.gathered_by_now(most)));
        }
        if !std::mem::replace(&mut self.reminded, true) {
            let sub = self.consumer.control.sub;
            shared.run(|core, now| core.engine.remind(now, sub, by));
        }
        Poll::Pending
    }
}

/// What [`Consumer::iter`] gives: message after message, until none comes any more.
#[derive(Debug)]
pub struct Iter<'a> {
    consumer: &'a mut Consumer,
    ended: bool,
}

/// Ends when the consumer has left its group; and after an error that says why no more come
/// otherwise.
impl Iterator for Iter<'_> {
    type Item = Result<Received, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let received = self.consumer.recv();
        self.ended = received.is_err();
        Some(received).filter(|received| !matches!(received, Err(RecvError::Left)))
    }
}

impl<'a> IntoIterator for &'a mut Consumer {
    type Item = Result<Received, RecvError>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Consumer {
    /// Up to `most` messages, of any of its queues, blocking this thread: as soon as so many are
    /// there, or what there is after `within`, which may be none, as it is while the consumer is
    /// suspended. Those that can't be read are among them. Each is settled by itself, or dropped to
    /// come again.
    ///
    /// Of an [orderly](super::ConsumerBuilder::orderly) consumer it gives what there is of one
    /// queue, of one pull, as soon as there is any, and nothing more of that queue until all of it
    /// is settled: several such batches may be out at once, each of another queue. What is given
    /// back of one comes again with all that was not settled after it.
    ///
    /// An error is given where there is nothing to give before it, as by [`recv`](Self::recv);
    /// [`RecvError::EmptyBatch`] where `most` is 0.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # use std::time::Duration;
    /// # fn f(mut consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let batch = consumer.recv_batch(500, Duration::from_millis(100))?;
    /// for message in batch.iter().flatten() {
    ///     println!("{:?}", message.body());
    /// }
    /// for received in batch {
    ///     received.map(|message| message.ack()).unwrap_or_else(|unreadable| unreadable.ack());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "poll", alias = "setPollTimeoutMillis", alias = "receive")]
    pub fn recv_batch(
        &mut self,
        most: usize,
        within: Duration,
    ) -> Result<Vec<Received>, RecvError> {
        let now = self.may_wait()?;
        let batch = self.await_by(Some(now + within), |own, wait| own.poll_batch(wait, most));
        batch.unwrap_or_else(|| Ok(self.gathered_by_now(most)))
    }

    /// As [`recv_batch`](Self::recv_batch), awaited. Dropping the future loses nothing: what it had
    /// is given by the next call, of whichever kind, unless its queue has gone to another member.
    /// To handlers ([`run`](Self::run)) it comes again, as a further attempt.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # use std::time::Duration;
    /// # async fn f(mut consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// let batch = consumer.next_batch(500, Duration::from_millis(100)).await?;
    /// println!("{} messages", batch.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_batch(&mut self, most: usize, within: Duration) -> NextBatch<'_> {
        let by = self.owner.shared().clock().now() + within;
        NextBatch { consumer: self, most, by, reminded: false }
    }

    /// Message after message, blocking this thread, until the consumer leaves its group. A loop
    /// over `&mut consumer` is the same.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Consumer;
    /// # fn f(mut consumer: Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// for received in consumer.iter() {
    ///     match received? {
    ///         Ok(message) => _ = message.ack(),
    ///         Err(unreadable) => _ = unreadable.ack(),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub const fn iter(&mut self) -> Iter<'_> {
        Iter { consumer: self, ended: false }
    }

    /// Gathers until so many are there, and gives them. An error waits until what is there was
    /// given.
    fn poll_batch(
        &mut self,
        wait: &mut Wait<'_>,
        most: usize,
    ) -> Poll<Result<Vec<Received>, RecvError>> {
        if most == 0 {
            return Poll::Ready(Err(RecvError::EmptyBatch));
        }
        loop {
            let paused = self.control.is_suspended();
            if !paused && self.gathered.len() >= most {
                self.gathered.retain(is_held);
                if self.gathered.len() >= most {
                    return Poll::Ready(Ok(self.take_gathered(most)));
                }
            }
            match self.poll_fresh(wait) {
                Poll::Ready(Ok(received)) if is_orderly(&received) => {
                    return Poll::Ready(Ok(self.rest_of_run(received, most)));
                }
                Poll::Ready(Ok(received)) => self.gathered.push_back(received),
                Poll::Ready(Err(error)) => {
                    let batch = self.gathered_by_now(most);
                    return Poll::Ready(if batch.is_empty() { Err(error) } else { Ok(batch) });
                }
                // Resumed meanwhile, what was gathered before may do.
                Poll::Pending if paused && !self.control.is_suspended() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// A message whose order matters, and those that come after it: none but of its queue.
    fn rest_of_run(&mut self, first: Received, most: usize) -> Vec<Received> {
        let more = std::iter::from_fn(|| self.fresh_of_run());
        std::iter::once(first).chain(more.take(most - 1)).collect()
    }

    /// Up to so many of those that were gathered and are still held; none while it is suspended.
    fn gathered_by_now(&mut self, most: usize) -> Vec<Received> {
        if self.control.is_suspended() {
            return Vec::new();
        }
        self.gathered.retain(is_held);
        self.take_gathered(most)
    }

    fn take_gathered(&mut self, most: usize) -> Vec<Received> {
        let count = most.min(self.gathered.len());
        self.gathered.drain(..count).collect()
    }

    /// One of those that were gathered and are still held.
    pub(super) fn one_gathered(&mut self) -> Option<Received> {
        std::iter::from_fn(|| self.gathered.pop_front()).find(is_held)
    }
}
