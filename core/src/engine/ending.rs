//! The end of the client: the verb, and what the machines do of it.

use super::Engine;
use crate::id::SubscriptionId;
use crate::time::Instant;

impl Engine {
    /// Ends everything in good order, within `shutdown_timeout`: new calls are refused, sends
    /// under way finish, consumers [drain](Self::drain) for at most three quarters of it and leave,
    /// brokers are told, connections close. Ends with [`Event::Stopped`](super::Event::Stopped). A
    /// second call changes nothing.
    ///
    /// After this: commands, events, and the timeout, which is `None` once it has stopped.
    pub fn shutdown(&mut self, now: Instant) {
        let now = self.tick(now);
        let Some(within) = self.shutdown.begin(&mut self.ctx) else { return };
        for sub in self.consumers.ids() {
            // A consumer that had gone would have no id here.
            let _ = self.drain(now, sub, within);
        }
        self.advance();
    }

    /// Carries what is to be told, lets calls begin that waited for room, and goes on with the end,
    /// as far as it can go now.
    pub(super) fn advance(&mut self) {
        self.carry();
        let (producers, ctx, mut ways) = self.producers();
        producers.begin_next(ctx, &mut ways);
        let Self { shutdown, ctx, names, producers, consumers, .. } = self;
        shutdown.advance(ctx, names, producers, consumers);
        if self.shutdown.is_stopped() {
            self.transactions.stop();
        }
    }

    /// A broker answered a farewell, or can't.
    pub(super) fn unregister_answered(&mut self, sub: Option<SubscriptionId>) {
        match sub {
            Some(sub) => {
                let (consumers, ctx, known) = self.consumers();
                consumers.unregistered(ctx, known, sub);
            }
            None => self.shutdown.unregistered(),
        }
    }

    /// `shutdown_timeout` is over.
    pub(super) fn shutdown_overdue(&mut self) {
        self.abandon_calls();
        let (consumers, ctx, known) = self.consumers();
        consumers.all_left(ctx, known);
        self.shutdown.close(&mut self.ctx);
    }
}
