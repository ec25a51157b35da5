//! For whom a call was waiting when its time was up.

use super::NameServers;
use crate::error::{Attempts, ConnectError, Failure};
use crate::frame::Opaque;
use crate::remoting::{Call, Context};
use crate::time::Instant;

impl NameServers {
    /// Adds for whom a call was waiting when its time was up: for `call`'s answer, or else for the
    /// topic's route. A peer whose last failure is in the list already is not named again.
    pub(crate) fn blame(
        &self,
        ctx: &Context,
        attempts: &mut Attempts,
        call: Option<(Opaque, &Call)>,
        since: Instant,
    ) {
        let (opaque, call) = call.unzip();
        let Some(peer) = call.map(|call| call.peer).or_else(|| self.current()) else {
            let unfetched = self.unfetched(ctx.fx.now);
            return unfetched.into_iter().for_each(|attempt| attempts.push(attempt));
        };
        let endpoint = ctx.remoting.peers.endpoint(peer);
        let left = call.is_some_and(Call::has_left);
        if !left && attempts.last().is_some_and(|last| last.endpoint == *endpoint) {
            return;
        }
        let waited = ctx.fx.now.since(since);
        let failure = if left || (call.is_none() && ctx.remoting.peers.is_connected(peer)) {
            Failure::TimedOut(waited)
        } else if ctx.remoting.peers.is_connected(peer) {
            Failure::NotTaken(waited)
        } else {
            Failure::Connect(ConnectError::TimedOut(waited))
        };
        attempts.push(ctx.attempt(peer, opaque, failure));
    }
}
