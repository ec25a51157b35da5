//! What brokers ask: how half messages ended (`ClientRemotingProcessor.checkTransactionState`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::end::{holds, look_for};
use super::machine::Asked;
use super::{CheckedHalf, Resolution, Transactions};
use crate::effects::{Event, Note, Planted, TimerKind};
use crate::frame::Kind;
use crate::frame::request::EndTransactionRequest;
use crate::id::{CheckId, ConnectionId, PeerId};
use crate::message::UniqueId;
use crate::remoting::{Body, Context, HalfAsk, HalfCheck, Purpose};

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
            return self.answer_or_look(ctx, asked, verdict);
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
        self.answer_or_look(ctx, asked, verdict);
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

    /// Answers a check, with commit if the message is not in its topic yet.
    fn answer_or_look(&mut self, ctx: &mut Context, asked: Asked, verdict: Resolution) {
        let unique = asked.check.records.record(0).and_then(|record| record.unique_id());
        let Some(key) = unique.map(Arc::<str>::from) else {
            return self.answer(ctx, &asked, verdict);
        };
        if verdict != Resolution::Commit || ctx.fx.plant.is(Planted::CommitsCopies) {
            return self.answer(ctx, &asked, verdict);
        }
        let topic = asked.check.records.record(0).map(|record| record.topic().as_ref().into());
        let broker = asked.check.asked.broker.clone();
        let request = look_for(topic.unwrap_or_default(), key, broker);
        let (peer, within) = (asked.peer, ctx.fx.config.request_timeout);
        let purpose = Purpose::Half(HalfAsk::Look(self.looking.insert(asked)));
        ctx.ask(peer, purpose, Kind::Fields, request, Bytes::new(), within);
    }

    /// The broker says whether the message is there. Where it can't, it asks again.
    pub(super) fn looked(&mut self, ctx: &mut Context, check: CheckId, found: Option<Body>) {
        let Some(asked) = self.looking.remove(check) else { return };
        let record = asked.check.records.record(0);
        let id = record.as_ref().and_then(|record| record.unique_id()).unwrap_or_default();
        let verdict = match found {
            None => Resolution::Unknown,
            Some(Body::Raw(body)) if holds(&body, id) => {
                self.counted.copies += 1;
                Resolution::RollBack
            }
            Some(_) => Resolution::Commit,
        };
        self.answer(ctx, &asked, verdict);
    }
}
