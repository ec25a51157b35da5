//! How the messages of a consumer are opened before they are handed out: who settles those that
//! can't be read, and the application's own filter.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::delivery::{Delivery, OnUnreadable, Received};
use super::driving::log_once;
use super::shared::Shared;
use super::view::MessageView;
use crate::consumer::Batch;
use crate::contain::contained;
use crate::query::QueueName;
use crate::time::Instant;

/// A filter that panics at every message is told of once in this time.
const APART: Duration = Duration::from_secs(1);

/// What the application says of each message: whether it wants it.
pub(super) type Wanted = dyn Fn(&MessageView) -> bool + Send + Sync;

/// How messages are opened; the same for all who open those of one consumer.
#[derive(Clone, Default)]
pub(super) struct Opening {
    pub(super) unreadable: OnUnreadable,
    pub(super) wanted: Option<Arc<Wanted>>,
    /// When a panic of the filter was last told, in nanoseconds.
    told: Arc<AtomicU64>,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Opening");
        shown.field("unreadable", &self.unreadable).field("filters", &self.wanted.is_some());
        shown.finish_non_exhaustive()
    }
}

impl Opening {
    /// Opens a message. `None`: the application's filter does not want it, and it is settled.
    #[inline]
    pub(super) fn open(
        &self,
        batch: &Arc<Batch>,
        at: (u32, u32),
        shared: &Arc<Shared>,
    ) -> Option<Received> {
        let received = Delivery::open(batch, at, shared, self.unreadable);
        // Whoever has one consumed directly waits for what the handler says of it.
        match &self.wanted {
            Some(wanted) if !batch.id().is_direct() => {
                self.filtered(&**wanted, batch, received, shared)
            }
            Some(_) | None => Some(received),
        }
    }

    fn filtered(
        &self,
        wanted: &Wanted,
        batch: &Batch,
        received: Received,
        shared: &Shared,
    ) -> Option<Received> {
        match received {
            Ok(delivery) if !self.wants(wanted, &delivery, shared) => {
                batch.count_filtered();
                delivery.ack();
                None
            }
            received => Some(received),
        }
    }

    /// A message at which the filter panics is handed out: one that it refuses is gone.
    fn wants(&self, wanted: &Wanted, message: &MessageView, shared: &Shared) -> bool {
        contained(|| wanted(message)).unwrap_or_else(|| {
            self.tell(message, shared);
            true
        })
    }

    fn tell(&self, message: &MessageView, shared: &Shared) {
        let (now, last) = (shared.clock().now(), self.told.load(Ordering::Relaxed));
        if last != 0 && now.since(Instant::from_nanos(last)) < APART {
            return;
        }
        self.told.store(now.as_nanos().max(1), Ordering::Relaxed);
        let QueueName { topic, broker, queue } = message.queue();
        let (client, offset) = (shared.client_id(), message.offset().unwrap_or(-1));
        let write = || {
            log::warn!(
                target: "rocketry",
                client:% = client, topic:% = topic, broker:% = broker, queue = queue,
                offset = offset;
                "the filter of the application's panicked at offset {offset} of {}: the message is \
                 handed out",
                message.queue(),
            );
        };
        contained(|| log_once(write));
    }
}
