//! What becomes of requests when their connection is gone.

use super::{Call, Remoting};
use crate::error::{CloseReason, Failure};
use crate::frame::{Kind, Opaque};
use crate::id::ConnectionId;

/// A connection that is gone.
pub(crate) struct ConnectionLoss {
    pub(crate) conn: ConnectionId,
    /// We closed it for want of work.
    pub(crate) idle: bool,
    /// What became of requests that had left whole.
    pub(crate) maybe: Failure,
    /// The request that was being written, and what became of it.
    pub(crate) cut: Option<(Opaque, Failure)>,
    /// Oneway messages that its writer had taken, and not written whole.
    pub(crate) oneway: usize,
}

impl ConnectionLoss {
    /// A connection that ended for that reason; of the request `begun` a part had been written, and
    /// none of `unsent` whole.
    pub(crate) fn new(
        conn: ConnectionId,
        reason: CloseReason,
        begun: Option<Opaque>,
        unsent: &[Opaque],
    ) -> Self {
        // One that we closed for want of work says nothing of where the broker is.
        let idle = matches!(reason, CloseReason::Idle(_));
        let cut = begun.map(|opaque| (opaque, Failure::Cut(reason.clone())));
        let oneway = unsent.iter().filter(|one| one.kind() == Some(Kind::Oneway)).count();
        Self { conn, idle, maybe: Failure::Closed(reason), cut, oneway }
    }

    fn failure<'a>(&'a self, opaque: Opaque, call: &Call, never: &'a Failure) -> &'a Failure {
        match &self.cut {
            Some((cut, failure)) if *cut == opaque => failure,
            _ if call.unsent => never,
            _ => &self.maybe,
        }
    }
}

impl Remoting {
    /// Frames that were taken by the writer of a connection that is gone, and not written whole.
    pub(crate) fn unsent(&mut self, conn: ConnectionId, unsent: &[Opaque]) {
        for opaque in unsent {
            if let Some(call) = self.calls.find(*opaque) {
                call.unsent = call.on == Some(conn);
            }
        }
    }

    /// Takes a request out that ends with a loss, and gives how. `present`: the connection was the
    /// peer's present one, or there is none: what never left fails as `never`.
    pub(crate) fn lose(
        &mut self,
        opaque: Opaque,
        present: bool,
        gone: Option<&ConnectionLoss>,
        never: &Failure,
    ) -> Option<(Call, Failure)> {
        let call = self.calls.find(opaque)?;
        let failure = match (call.on, gone) {
            (None, _) if present => never,
            (Some(on), Some(gone)) if on == gone.conn => gone.failure(opaque, call, never),
            _ => return None,
        };
        let failure = failure.clone();
        Some((self.calls.close(opaque)?, failure))
    }
}
