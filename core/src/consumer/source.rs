//! Where a queue is read: at its master, or at the slave that the master suggests
//! (`PullAPIWrapper.recalculatePullFromWhichNode`), and at any slave that is there while the master
//! is not.
//!
//! A suggestion counts for the next pull of its queue, not for another one where that is refused or
//! not answered, as Java's does, and only for a broker that the route names
//! and that knows us: until it does, and once it does not any more, the master is read from. Where
//! to begin is asked of the master in any case: what slaves know of offsets is older.

use super::Consumer;
use super::queue::Queue;
use crate::effects::Planted;
use crate::id::PeerId;
use crate::remoting::Context;
use crate::route::Known;

impl Consumer {
    /// Whom a queue asks for what it needs next: one that is there and knows us, if one is.
    pub(super) fn source(&self, ctx: &Context, known: Known<'_>, queue: &Queue) -> Option<PeerId> {
        let (broker, brokers) = (queue.at.broker, known.brokers);
        let revision = self.revision(queue.topic);
        let ready = |peer: &PeerId| known.is_ready(ctx, *peer, revision);
        let reader = brokers.reader(broker);
        let main = reader.filter(ready);
        if !queue.is_begun() {
            return main;
        }
        // Mostly the master, which was just asked for.
        let suggested = queue.suggested.and_then(|id| brokers.peer(broker, id));
        let suggested = if suggested == reader { main } else { suggested.filter(ready) };
        if ctx.fx.plant.is(Planted::FollowsUnlisted) && queue.suggested.is_some() {
            return suggested;
        }
        suggested.or(main).or_else(|| brokers.peers(broker).find(ready))
    }

    /// Connects to whom a queue would be read at if it were there: the master, and the slave that
    /// it suggests.
    pub(super) fn want_sources(&self, ctx: &mut Context, known: Known<'_>, queue: &Queue) {
        let (broker, revision) = (queue.at.broker, self.revision(queue.topic));
        let reader = known.brokers.reader(broker);
        let suggested = queue.suggested.and_then(|id| known.brokers.peer(broker, id));
        for peer in reader.into_iter().chain(suggested.filter(|peer| Some(*peer) != reader)) {
            if !known.is_ready(ctx, peer, revision) {
                // Nobody may have waited for it before.
                ctx.want(peer);
            }
        }
    }
}
