//! What brokers ask: how half messages ended (`ClientRemotingProcessor.checkTransactionState`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::end::{holds, look_for};
use super::machine::{Asked, Committing};
use super::{CheckedHalf, Resolution, Transactions};
use crate::effects::{Event, Note, Planted, TimerKind};
use crate::frame::request::EndTransactionRequest;
use crate::frame::{Kind, Request};
use crate::id::{CheckId, ConnectionId, PeerId};
use crate::message::UniqueId;
use crate::message::properties::TRANSACTION_CHECK_TIMES;
use crate::remoting::{Body, Context, HalfAsk, HalfCheck, Purpose};
use crate::time::Instant;

/// For so long a check waits for the local work that is still under way.
const PATIENCE: Duration = Duration::from_secs(5);
/// From this check of a half message on it is committed also where its broker does not say whether
/// it is in its topic: brokers ask fifteen times, and what comes twice is better than what is lost.
const LAST_LOOK: u32 = 3;
/// What a broker was told to commit may be missing in its index for so long: that is written behind
/// the log, later the more a broker has to do.
const INDEXED: Duration = Duration::from_secs(15);
/// A commit that is known later than this after its check came is told to the next check instead:
/// brokers ask the next client of the group 30 s after the last one, or more
/// (`transactionCheckInterval`), and of two that commit at once neither finds what the other did.
const LATE: Duration = Duration::from_secs(15);
/// From this check of a half message on it is told all the same: brokers ask fifteen times where
/// nobody has set `transactionCheckMax` lower, and what only slow checkers are asked about would be
/// laid aside.
const LAST_WAIT: u32 = LAST_LOOK;
/// How long a commit may take to leave, at most.
const TO_LEAVE: Duration = Duration::from_secs(5);
/// Checks that may wait for the application's word at once. Brokers ask again.
const OPEN: usize = 4096;
/// Bytes of the messages that these are about, but for one of any size.
const OPEN_BYTES: usize = 64 << 20;

impl HalfCheck {
    /// How often its broker has asked, this time included.
    fn times(&self) -> u32 {
        let record = self.records.record(0);
        let times = record.as_ref().and_then(|record| record.property(TRANSACTION_CHECK_TIMES));
        times.and_then(|times| times.parse().ok()).unwrap_or(1)
    }

    /// The answer to it.
    pub(super) fn end(&self, resolution: Resolution) -> EndTransactionRequest {
        let asked = &self.asked;
        let id = self.id.map(|id| Arc::from(id.as_str()));
        EndTransactionRequest {
            topic: self.records.record(0).map(|record| record.topic().as_ref().into()),
            producer_group: self.group.wire().clone(),
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

impl Asked {
    /// Whether another client may be asked about the same by now. Without an id there is no verdict
    /// that the next check could be answered with.
    fn is_late(&self, now: Instant) -> bool {
        let waits = self.check.id.is_some() && self.check.times() < LAST_WAIT;
        waits && now.since(self.since) > LATE
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
        let asked = Asked { peer, conn, since: ctx.fx.now, check };
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
            self.asking_bytes = self.asking_bytes + asked.bytes() - open.bytes();
            *open = asked;
            return;
        }
        let (bytes, most) = (self.asking_bytes + asked.bytes(), OPEN_BYTES);
        if self.asking.len() >= OPEN || (self.asking_bytes > 0 && bytes > most) {
            self.counted.checks_unanswered += 1;
            return;
        }
        let group = asked.check.group.clone();
        let records = asked.check.records.clone();
        let half = Arc::new(CheckedHalf { group: group.clone(), records });
        self.asking_bytes = bytes;
        let check = self.asking.insert(asked);
        if let Some(id) = id {
            self.asked.insert(id, check);
        }
        ctx.fx.event(Event::Check { check, group, half });
    }

    /// The application says how a half message ended: what was decided meanwhile counts.
    pub(crate) fn answer_check(&mut self, ctx: &mut Context, check: CheckId, said: Resolution) {
        let Some(asked) = self.asking.remove(check) else { return };
        self.asking_bytes -= asked.bytes();
        let id = asked.check.id;
        if let Some(id) = id {
            self.asked.remove(&id);
        }
        let verdict = match (said, id) {
            (Resolution::Unknown, Some(id)) => self.verdicts.of(id).unwrap_or(said),
            (Resolution::Unknown, None) | (_, None) => said,
            // One was begun under the same id meanwhile: its end decides.
            (_, Some(id)) if self.halves.contains_key(&id) => Resolution::Unknown,
            (_, Some(id)) => self.keep(ctx, id, said, Duration::ZERO),
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
        if asked.is_late(ctx.fx.now) {
            return self.answer(ctx, &asked, Resolution::Unknown);
        }
        let commits = asked.check.id.and_then(|id| self.commits.get(&id));
        if let Some(open) = commits.and_then(|open| self.committing.get_mut(*open)) {
            if open.told {
                // Whether that is done already is not known, and it is to be done once.
                return self.answer(ctx, &asked, Resolution::Unknown);
            }
            open.asked = asked;
            return;
        }
        let topic = asked.check.records.record(0).map(|record| record.topic().as_ref().into());
        let broker = asked.check.asked.broker.clone();
        let request = look_for(topic.unwrap_or_default(), key, broker);
        let (peer, id) = (asked.peer, asked.check.id);
        let check = self.committing.insert(Committing { asked, told: false });
        self.commits.extend(id.map(|id| (id, check)));
        let (purpose, within) =
            (Purpose::Half(HalfAsk::Look(check)), ctx.fx.config.request_timeout);
        ctx.ask(peer, purpose, Kind::Fields, request, Bytes::new(), within);
    }

    /// The broker says whether the message is there. Where it can't, it asks again.
    pub(super) fn looked(&mut self, ctx: &mut Context, check: CheckId, found: Option<Body>) {
        let Some(Committing { asked, told: is_told }) = self.committing.get_mut(check) else {
            return;
        };
        let late = asked.is_late(ctx.fx.now);
        let Asked { peer, conn, check: half, .. } = asked;
        let record = half.records.record(0);
        let id = record.as_ref().and_then(|record| record.unique_id()).unwrap_or_default();
        let told = half.id.and_then(|id| self.verdicts.told_at(id));
        let behind = told.is_some_and(|at| ctx.fx.now.since(at) < INDEXED);
        let verdict = match found {
            None if half.times() < LAST_LOOK => Resolution::Unknown,
            Some(Body::Raw(body)) if holds(&body, id) => {
                self.counted.copies += 1;
                Resolution::RollBack
            }
            None | Some(_) if behind && !ctx.fx.plant.is(Planted::CommitsCopies) => {
                Resolution::Unknown
            }
            None | Some(_) if late => Resolution::Unknown,
            None | Some(_) => Resolution::Commit,
        };
        if verdict == Resolution::Commit && ctx.remoting.peers.connection(*peer) == Some(*conn) {
            *is_told = true;
            if let Some(id) = half.id {
                self.verdicts.told(Some(ctx.fx.now), id);
            }
            let request = Request::EndTransaction(half.end(verdict));
            let purpose = Purpose::Half(HalfAsk::Commit(check));
            let (peer, within) = (*peer, ctx.fx.config.request_timeout.min(TO_LEAVE));
            ctx.ask(peer, purpose, Kind::Plain, request, Bytes::new(), within);
        } else if let Some(asked) = self.settled(check) {
            self.answer(ctx, &asked, verdict);
        }
    }

    /// A check is not to be answered with commit any more.
    pub(super) fn settled(&mut self, check: CheckId) -> Option<Asked> {
        let Committing { asked, .. } = self.committing.remove(check)?;
        if let Some(id) = asked.check.id {
            self.commits.remove(&id);
        }
        Some(asked)
    }
}
