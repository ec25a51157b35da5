//! How a shutdown, or a consumer's leaving, came to its end.

use std::task::Waker;

use super::Blockable;
use super::shared::Core;
use crate::id::SubscriptionId;

/// How a shutdown, or a consumer's leaving, came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// All of it is done.
    InOrder,
    /// Nothing was waited for: waiting would block the very runtime that has to do it. It goes on
    /// in the background; await it instead.
    WouldDeadlock,
    /// This process is a fork of the one that made the client, and nothing of it is done here.
    Forked,
}

impl Ended {
    /// Whether it is over: nothing goes on in the background.
    pub const fn is_over(self) -> bool {
        match self {
            Self::InOrder => true,
            Self::WouldDeadlock | Self::Forked => false,
        }
    }
}

impl Core {
    /// How the client ended; or `waker` is kept until it has.
    pub(super) fn end_of_all(&mut self, waker: &mut Option<Waker>) -> Option<Ended> {
        if !self.stopped {
            self.stops.extend(waker.take());
            return None;
        }
        Some(Ended::InOrder)
    }

    /// How a consumer left; or `waker` is kept until it has, in the place of the one left there.
    pub(super) fn end_of(
        &mut self,
        sub: SubscriptionId,
        waker: &mut Option<Waker>,
    ) -> Option<Ended> {
        let Some(consumer) = self.consumers.get_mut(&sub) else { return Some(Ended::InOrder) };
        std::mem::swap(&mut consumer.waker, waker);
        None
    }
}

impl Blockable for Ended {
    /// It goes on without anybody waiting; a program that ends now cuts it short.
    fn would_deadlock() -> Self {
        log::error!("waiting here would block the runtime's only thread: await the end instead");
        Self::WouldDeadlock
    }

    fn forked() -> Self {
        Self::Forked
    }
}
