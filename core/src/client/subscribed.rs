//! Consumers, as their handles wait for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use super::listening::Listening;
use crate::effects::Leftover;
use crate::error::FilterRefused;
use crate::id::SubscriptionId;

/// All of a client.
pub(crate) type Consumers = BTreeMap<SubscriptionId, Subscribed>;

/// A consumer, as its handle waits for it.
#[derive(Default)]
pub(crate) struct Subscribed {
    pub(crate) waker: Option<Waker>,
    /// Who is told which queues it gains and loses.
    pub(super) listener: Option<Arc<Listening>>,
    /// So many want to know how it left, and are woken then.
    pub(super) watching: usize,
    pub(super) watchers: Vec<Waker>,
    /// A broker can't filter as it asked for.
    pub(super) refused: Option<Arc<FilterRefused>>,
    /// The consumer has left, with so many messages unsettled.
    pub(super) left: Option<Leftover>,
}

impl Subscribed {
    /// A broker can't filter as it asked for. Gives who waits for its messages.
    pub(super) fn refuse(&mut self, refused: Arc<FilterRefused>) -> Option<Waker> {
        self.refused = Some(refused);
        self.waker.take()
    }
}
