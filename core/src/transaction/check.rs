//! What brokers ask: how half messages ended (`ClientRemotingProcessor.checkTransactionState`).

use std::sync::Arc;
use std::time::Duration;

use super::machine::Asked;
use super::{CheckedHalf, Resolution, Transactions};
use crate::effects::{Event, Note, TimerKind};
use crate::frame::request::EndTransactionRequest;
use crate::id::{CheckId, ConnectionId, PeerId};
use crate::message::UniqueId;
use crate::remoting::{Context, HalfCheck};

/// For so long a check waits for the local work that is still under way.
const PATIENCE: Duration = Duration::from_secs(5);
/// Checks that may wait for the application's word at once. Brokers ask again.
const OPEN: usize = 4096;

impl HalfCheck {
    /// The answer to it.
    pub(super) fn end(&self, resolution: Resolution) -> EndTransactionRequest {
        let asked = &self.asked;
        let id = self.id.map(|id| Arc::from(id.as_str()));
        EndTransactionRequest {
            topic: self.records.record(0).map(|record| record.topic().as_ref().into()),
            producer_group: self.group.shared(),
            queue_offset: asked.queue_offset,
            commit_log_offset: asked.commit_log_offset,
            outcome: resolution.outcome(),
            from_check: true,
            message_id: id.or_else(|| asked.message_id.clone()).unwrap_or_default(),
            transaction_id: asked.transaction_id.clone(),
            broker: asked.broker.clone(),
            ..EndTransactionRequest::default()
        }
    }
}

impl Transactions {
    /// A broker asks.
    pub(crate) fn checked(
        &mut self,
        ctx: &mut Context,
        (peer, conn): (PeerId, ConnectionId),
        check: Box<HalfCheck>,
    ) {
        self.counted.checks += 1;
        if !self.groups.contains_key(&check.group) {
            self.counted.checks_unanswered += 1;
            let endpoint = ctx.remoting.peers.endpoint(peer).clone();
            return ctx.fx.note(Note::CheckIgnored { group: check.group.clone(), endpoint });
        }
        let id = check.id;
        let asked = Asked { peer, conn, check };
        let Some(id) = id else { return self.ask(ctx, asked) };
        if self.is_ending(id) {
            // Which of the two comes first is not known, and it is to be told once.
            return self.answer(ctx, &asked, Resolution::Unknown);
        }
        if let Some(verdict) = self.verdicts.of(id) {
            return self.answer(ctx, &asked, verdict);
        }
        let now = ctx.fx.now;
        match self.halves.get_mut(&id) {
            Some(half) if half.is_overdue(now) => {
                self.take_half(ctx, id);
                self.counted.left += 1;
                self.ask(ctx, asked);
            }
            Some(half) => {
                half.asked = Some(asked);
                if half.waits.is_none() {
                    half.waits = Some(ctx.fx.after(PATIENCE, TimerKind::Check(id)));
                }
            }
            None => self.ask(ctx, asked),
        }
    }

    /// A check has waited for its transaction's end for long enough.
    pub(crate) fn patience_over(&mut self, ctx: &mut Context, id: UniqueId) {
        let Some(half) = self.halves.get_mut(&id) else { return };
        half.waits = None;
        if let Some(asked) = half.asked.take() {
            self.answer(ctx, &asked, Resolution::Unknown);
            if let Some(half) = self.halves.get_mut(&id) {
                half.asked = Some(asked);
            }
        }
    }

    /// Nobody will decide a half message here: that is for checks. One that waits goes on to the
    /// application. False if it was decided before.
    pub(crate) fn leave(&mut self, ctx: &mut Context, id: UniqueId) -> bool {
        let waited = self.halves.get(&id).is_some_and(|half| half.waits.is_some());
        let Some(half) = self.take_half(ctx, id) else { return false };
        self.counted.left += 1;
        if let Some(asked) = half.asked.filter(|_| waited) {
            self.ask(ctx, asked);
        }
        true
    }

    /// Asks the application. A message that it is being asked about already is asked about once.
    fn ask(&mut self, ctx: &mut Context, asked: Asked) {
        let id = asked.check.id;
        let known = id.and_then(|id| self.asked.get(&id));
        if let Some(open) = known.and_then(|check| self.asking.get_mut(*check)) {
            *open = asked;
            return;
        }
        if self.asking.len() >= OPEN {
            self.counted.checks_unanswered += 1;
            return;
        }
        let group = asked.check.group.clone();
        let records = asked.check.records.clone();
        let half = Arc::new(CheckedHalf { group: group.clone(), records });
        let check = self.asking.insert(asked);
        if let Some(id) = id {
            self.asked.insert(id, check);
        }
        ctx.fx.event(Event::Check { check, group, half });
    }

    /// The application says how a half message ended: what was decided meanwhile counts.
    pub(crate) fn answer_check(&mut self, ctx: &mut Context, check: CheckId, said: Resolution) {
        let Some(asked) = self.asking.remove(check) else { return };
        let id = asked.check.id;
        if let Some(id) = id {
            self.asked.remove(&id);
        }
        let verdict = match (said, id) {
            (Resolution::Unknown, Some(id)) => self.verdicts.of(id).unwrap_or(said),
            (Resolution::Unknown, None) | (_, None) => said,
            (_, Some(id)) => self.keep(ctx, id, said),
        };
        self.answer(ctx, &asked, verdict);
    }

    /// Answers a check, on the connection by which it came or not at all.
    fn answer(&mut self, ctx: &mut Context, asked: &Asked, verdict: Resolution) {
        if ctx.remoting.peers.connection(asked.peer) != Some(asked.conn) {
            self.counted.checks_unanswered += 1;
            return;
        }
        self.counted.checks_unknown += u64::from(verdict == Resolution::Unknown);
        self.say(ctx, asked.peer, asked.check.end(verdict), verdict);
    }
}
