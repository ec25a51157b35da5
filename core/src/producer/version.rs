//! Messages that brokers get by their versions: those for a time.

use std::sync::Arc;
use std::time::Duration;

use super::Producers;
use crate::effects::{Signal, TimerKind};
use crate::error::{CloseReason, Failure, SendError, TooOld};
use crate::id::{BrokerId, OpId, PeerId};
use crate::message::Publish;
use crate::remoting::Context;
use crate::route::Ways;

/// Pause before a broker is looked at again whose version is not known, where its answer to a
/// heartbeat does not tell it before: the first one, and twice as long each time.
const LOOK: Duration = Duration::from_millis(20);
/// The longest one: another broker may take the message meanwhile.
const LOOK_MOST: Duration = Duration::from_millis(500);

/// The broker whose version a send pauses for, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown {
    pub(super) peer: PeerId,
    look: Duration,
}

impl Producers {
    /// A broker has told its version: sends that paused for it go on.
    pub(crate) fn version_known(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, peer: PeerId) {
        let pausing = self.sends.iter().filter(|(_, send)| {
            send.pause.is_some() && send.unknown.is_some_and(|unknown| unknown.peer == peer)
        });
        let pausing: Vec<OpId> = pausing.map(|(op, _)| op).collect();
        for op in pausing {
            if let Some(pause) = self.send_of(op).and_then(|send| send.pause.take()) {
                ctx.fx.timers.cancel(pause);
                self.route_send(ctx, ways, op);
            }
        }
    }

    /// What that broker gets of a send. `None`: its version is waited for, or the send has ended,
    /// since the broker is too old for it.
    pub(super) fn fitting(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        (peer, broker): (PeerId, BrokerId),
    ) -> Option<Arc<Publish>> {
        let send = self.send_of(op)?;
        if !send.publish.is_timed() {
            return Some(send.publish.clone());
        }
        let Some(version) = ways.brokers.version(peer) else {
            let last = send.unknown.filter(|unknown| unknown.peer == peer);
            let (again, look) = match last {
                Some(last) => (true, (2 * last.look).min(LOOK_MOST)),
                None => (false, LOOK),
            };
            send.unknown = Some(Unknown { peer, look });
            send.pause = Some(ctx.fx.after(look, TimerKind::Resend(op)));
            ctx.want(peer);
            // Not at once: a connection that has just been made begins with a heartbeat by itself.
            if again && ctx.remoting.peers.is_connected(peer) && !ways.brokers.is_hearing(peer) {
                ctx.fx.signal(Signal::VersionWanted(peer));
            }
            return None;
        };
        send.unknown = None;
        let fitting = send.publish.for_version(version);
        if fitting.is_none() {
            let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
            let broker = ways.brokers.name(broker).clone();
            let (stored, attempts, _) = self.detach(ctx, ways, op);
            let (what, needs) = ("a delay of more than 2 h", "5.0");
            let lack = Box::new(TooOld { broker, what, needs });
            let error = SendError::Unsupported { topic, lack, stored, ids, attempts };
            self.end_send(ctx, op, Err(error));
        }
        fitting
    }

    /// The deadline of a send has come: where it waited for a broker's version, that is what came
    /// to nothing; or the end of the broker's connections, where it answers nothing on them.
    pub(super) fn note_unknown(&mut self, ctx: &Context, op: OpId) {
        let Some(send) = self.send_of(op) else { return };
        if let Some(Unknown { peer, .. }) = send.unknown.take() {
            let failure = match ctx.remoting.peers.is_unanswered(peer) {
                true => Failure::Closed(CloseReason::Unanswered),
                false => Failure::TimedOut(ctx.fx.now.since(send.since)),
            };
            send.attempts.push(ctx.attempt(peer, None, failure));
        }
    }
}
