//! When a send begins, and tries that run out before their send does: the next one goes to another
//! broker, and what the first one's broker says late still counts
//! (`sendMsgMaxTimeoutPerRequest`).

use std::time::Duration;

use super::{Earlier, Producers, QueueSelection, SendOptions};
use crate::broker::Brokers;
use crate::config::Config;
use crate::effects::TimerKind;
use crate::error::{ConnectError, Failure, Stored};
use crate::frame::Opaque;
use crate::id::{BrokerId, OpId};
use crate::remoting::{AskedPeer, Context};
use crate::route::Ways;

/// A try takes this part of its send's deadline, unless it is told otherwise.
const PART: u32 = 3;
/// Such a part is no limit when it is shorter, and none that is set is: an answer takes its time.
const LEAST: Duration = Duration::from_millis(10);
/// So many sends begin or go on in one turn.
const TURN: usize = 256;

/// How long a try of such a send may take while there is another broker; `None`: there is none.
pub(super) fn try_limit(
    config: &Config,
    options: &SendOptions,
    most: u32,
    within: Duration,
) -> Option<Duration> {
    let selected = options.selection.as_ref().is_some_and(QueueSelection::is_fixed);
    let fixed = options.oneway || selected || most < 2;
    let part = Some(within / PART).filter(|part| *part >= LEAST);
    config.try_timeout.map(|limit| limit.max(LEAST)).or(part).filter(|_| !fixed)
}

impl Producers {
    /// Whether a send may begin: one that keeps an order waits for those of its key before it.
    pub(super) fn is_first(&mut self, op: OpId) -> bool {
        let Some(send) = self.sends.get_mut(op) else { return false };
        if let Some(key) = &send.line {
            send.behind = !self.lines.enter(key.clone(), op);
        }
        !send.behind
    }

    /// Lets those begin that have become the first of their key, those go on whose turn it is, and
    /// those begin for which there is room now. Not where the one before them ends: each might end
    /// at once in its turn. What is too much for one turn is due at once, after others have run.
    pub(crate) fn begin_next(&mut self, ctx: &mut Context, ways: &mut Ways<'_>) {
        for _ in 0..TURN {
            if let Some(op) = self.lines.next() {
                if let Some(send) = self.send_of(op) {
                    send.behind = false;
                    self.route_send(ctx, ways, op);
                }
            } else if !self.call_next(ctx, ways) && !self.admit_next(ctx, ways) {
                return;
            }
        }
        if !std::mem::replace(&mut self.more, true) {
            ctx.fx.timers.at(ctx.fx.now, TimerKind::Sends);
        }
    }

    /// The next turn has come.
    pub(crate) const fn turn_due(&mut self) {
        self.more = false;
    }

    /// The present try of a send may have run out, long before its deadline.
    pub(super) fn try_over(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.sends.get(op) else { return };
        let (now, limit) = (ctx.fx.now, send.limit.unwrap_or(send.deadline.since(send.since)));
        let due = send.tried + limit;
        let next = if send.call.is_some() && now < due { due } else { now + limit };
        let timer = ctx.fx.timers.at(next.min(send.deadline), TimerKind::Deadline(op));
        let more = send.tries + 1 < send.most;
        let ran_out = send.call.filter(|_| now >= due && more).zip(send.at);
        let turn = send.turn;
        if let Some(send) = self.send_of(op) {
            send.timer = timer;
        }
        self.turn_elsewhere(ctx, ways, op, turn);
        if let Some((opaque, (broker, _))) = ran_out
            && self.has_others(ctx, ways, op, broker)
        {
            self.leave_try(ctx, ways, op, opaque, broker, limit);
        }
    }

    /// Whether another broker than that one may take the message. If all others are down, one of
    /// them is connected to: it may take it when the try has run out once more.
    pub(super) fn has_others(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        tried: BrokerId,
    ) -> bool {
        let Some(send) = self.sends.get(op) else { return false };
        let Some(route) = ways.routes.known(send.publish.topic()) else { return false };
        let mut down = None;
        for broker in route.writable.iter().map(|queue| queue.broker) {
            let other = broker != tried && !send.has_left_for(broker);
            match ways.brokers.master(broker).filter(|_| other) {
                Some(peer) if ctx.remoting.peers.is_down(peer) => down = Some(peer),
                Some(peer) if !ctx.remoting.peers.is_slow(peer) => return true,
                Some(_) | None => {}
            }
        }
        if let Some(peer) = down {
            let (peers, fx) = ctx.peers();
            peers.probe(fx, peer);
        }
        false
    }

    /// A try that had run out has stored the message: what the present one waits for is over.
    pub(super) fn forget_try(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.send_of(op) else { return };
        let (topic, pause) = (send.publish.topic().clone(), send.pause.take());
        if let Some(pause) = pause {
            ctx.fx.timers.cancel(pause);
        }
        ways.routes.forget(&topic, op);
    }

    /// The next try goes to another broker. What had left may still be answered.
    fn leave_try(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
        opaque: Opaque,
        broker: BrokerId,
        limit: Duration,
    ) {
        let Some((peer, left)) = ctx.remoting.calls.place_of(opaque) else { return };
        let Some(send) = self.get(op) else { return };
        let (size, tried) = (send.window_size(), send.tried);
        if left.is_none() && !ctx.remoting.peers.is_connected(peer) {
            // Connections have limits of their own.
            return;
        }
        Brokers::slow_down(ctx, peer);
        if left.is_none() {
            // The peer reads nothing: what waits for it costs no try.
            self.close(ctx, (opaque, broker, tried), size);
            ctx.suspect(peer);
            let failure = Failure::Connect(ConnectError::TimedOut(limit));
            let asked = AskedPeer { peer, opaque };
            return self.try_failed(ctx, ways, op, asked, failure, Stored::No);
        }
        let attempt = ctx.attempt(peer, Some(opaque), Failure::TimedOut(limit));
        if let Some(send) = self.send_of(op) {
            send.call = None;
            send.tries += 1;
            send.attempts.push(attempt);
            send.earlier.push(Earlier { opaque, broker, tried });
        }
        self.not_answered(ctx, broker, peer, tried);
        ctx.suspect(peer);
        self.route_send(ctx, ways, op);
    }
}
