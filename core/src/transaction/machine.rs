//! Half messages from their first try to their verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::by_id::{ById, Spread, all, take};
use super::end::End;
use super::verdicts::{Verdicts, asked_until};
use super::{Resolution, TransactionStats};
use crate::effects::{HalfStored, Note, Planted, SendStatus};
use crate::error::Stored;
use crate::frame::request::EndTransactionRequest;
use crate::id::{CheckId, ConnectionId, OpId, PeerId, Slots, Table};
use crate::message::{OffsetMessageId, Publish, UniqueId};
use crate::name::{Group, Topic};
use crate::remoting::{Context, HalfCheck};
use crate::route::Known;
use crate::time::Instant;
use crate::timer::TimerKey;

/// What is known of a half message beside the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HalfOptions {
    /// For how long the transaction may be decided here; `None`: for as long as it takes.
    pub work_limit: Option<Duration>,
    /// What the application calls the transaction.
    pub transaction_id: Option<Arc<str>>,
    /// The message had a delay level, which was left out.
    pub delayed: bool,
    /// Before that time brokers don't ask, by a property of the message.
    pub check_after: Option<Duration>,
}

/// A check, by which connection it came, and when.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) peer: PeerId,
    pub(super) conn: ConnectionId,
    pub(super) since: Instant,
    pub(super) check: Box<HalfCheck>,
}

impl Asked {
    /// Bytes of the message.
    pub(super) fn bytes(&self) -> usize {
        self.check.records.byte_len()
    }
}

/// A check that is to be answered with commit, unless the message is in its topic already.
#[derive(Debug)]
pub(super) struct Committing {
    pub(super) asked: Asked,
    /// It was not there, and the broker is told to commit.
    pub(super) told: bool,
}

/// Where a half message lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) broker: Arc<str>,
    pub(super) queue_offset: i64,
    pub(super) commit_log_offset: i64,
}

/// A half message that nobody has decided.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) group: Group,
    pub(super) topic: Topic,
    pub(super) since: Instant,
    pub(super) limit: Option<Duration>,
    /// Brokers don't ask before.
    pub(super) check_after: Duration,
    /// What the application calls the transaction, or the unique id.
    pub(super) name: Arc<str>,
    /// The verdict on one of the same id before it, which counts unless this one may be stored.
    before: Option<Resolution>,
    /// No local work is done for it, wherever it is stored.
    unwanted: bool,
    /// Once it is stored.
    pub(super) place: Option<Place>,
    /// The last check of it.
    pub(super) asked: Option<Asked>,
    /// That check waits for the end, until then.
    pub(super) waits: Option<TimerKey>,
}

impl Half {
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.limit.is_some_and(|limit| now.since(self.since) > limit)
    }

    /// Its unique id, which mostly is its name.
    pub(super) fn id_text(&self, id: UniqueId) -> Arc<str> {
        if *self.name == *id.as_str() { self.name.clone() } else { id.as_str().into() }
    }

    /// What tells its broker how it ended: the copy that the broker asked about last, else the one
    /// that was stored first.
    pub(super) fn end(&self, id: UniqueId, resolution: Resolution) -> EndTransactionRequest {
        if let Some(asked) = &self.asked {
            return asked.check.end(resolution);
        }
        let place = self.place.as_ref();
        EndTransactionRequest {
            topic: Some(self.topic.wire().clone()),
            producer_group: self.group.wire().clone(),
            queue_offset: place.map_or(0, |place| place.queue_offset),
            commit_log_offset: place.map_or(0, |place| place.commit_log_offset),
            outcome: resolution.outcome(),
            from_check: false,
            message_id: self.id_text(id),
            transaction_id: Some(self.name.clone()),
            broker: place.map(|place| place.broker.clone()),
            ..EndTransactionRequest::default()
        }
    }
}

/// All transactions of one client.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// Groups whose checks are answered here, and how many transaction producers each has.
    pub(super) groups: BTreeMap<Group, usize>,
    /// Topics whose brokers have to be able to ask, and until when: those that the application
    /// attends for as long as a group is answered for.
    pub(super) topics: BTreeMap<Topic, Instant>,
    pub(super) halves: ById<Box<Half>>,
    pub(super) verdicts: Verdicts,
    pub(super) ends: Table<OpId, End>,
    /// How many there are for each message: one that is sent again under its id may have two.
    pub(super) ending: ById<usize>,
    /// Checks that wait for the application's word.
    pub(super) asking: Slots<CheckId, Asked>,
    /// Bytes of the messages of those.
    pub(super) asking_bytes: usize,
    /// The same by the messages' ids.
    pub(super) asked: BTreeMap<UniqueId, CheckId>,
    /// Checks to be answered with commit.
    pub(super) committing: Slots<CheckId, Committing>,
    /// The same by the messages' ids: each is committed by one answer at a time.
    pub(super) commits: BTreeMap<UniqueId, CheckId>,
    /// What was done.
    pub(super) counted: TransactionStats,
}

impl Transactions {
    /// There are none yet. `seed` is the engine's.
    pub(crate) fn new(seed: u64) -> Self {
        Self::by(Spread::new(seed))
    }

    fn by(spread: Spread) -> Self {
        Self {
            halves: ById::with_hasher(spread),
            ending: ById::with_hasher(spread),
            verdicts: Verdicts::new(spread),
            ..Self::default()
        }
    }

    /// One more answers for the group.
    pub(crate) fn enter(&mut self, group: &Group) {
        *self.groups.entry(group.clone()).or_default() += 1;
    }

    /// One less does. True if it was the last one.
    pub(crate) fn withdraw(&mut self, group: &Group) -> bool {
        let Some(count) = self.groups.get_mut(group) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.groups.remove(group);
        }
        if self.groups.is_empty() {
            self.topics.clear();
        }
        last
    }

    /// Topics whose routes are in use here.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.keys()
    }

    /// Whether its brokers have to be able to ask.
    pub(crate) fn attends(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    /// Has brokers of a topic able to ask, for as long as the application answers for its group.
    /// True if that is new.
    pub(crate) fn attend(&mut self, ctx: &mut Context, known: Known<'_>, topic: &Topic) -> bool {
        self.attend_until(ctx, known, topic, Instant::FAR)
    }

    /// The same for as long as brokers may ask about a half message that is sent now.
    pub(crate) fn attend_half(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        topic: &Topic,
        check_after: Duration,
    ) -> bool {
        let until = asked_until(ctx.fx.now, check_after);
        self.attend_until(ctx, known, topic, until)
    }

    fn attend_until(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        topic: &Topic,
        until: Instant,
    ) -> bool {
        if let Some(time) = self.topics.get_mut(topic) {
            *time = until.max(*time);
            return false;
        }
        self.topics.insert(topic.clone(), until);
        reach(ctx, known, topic);
        true
    }

    /// Lets go of topics that half messages went to long ago, unless one is undecided.
    pub(crate) fn let_go(&mut self, ctx: &Context) {
        let Self { topics, halves, .. } = self;
        topics.retain(|topic, until| {
            *until > ctx.fx.now || all(halves).any(|(_, half)| half.topic == *topic)
        });
    }

    /// Keeps connections to all brokers that may ask.
    pub(crate) fn reach_all(&self, ctx: &mut Context, known: Known<'_>) {
        self.topics.keys().for_each(|topic| reach(ctx, known, topic));
    }

    /// Whether a broker that may ask is there.
    pub(crate) fn is_awaited(&self, known: Known<'_>, peer: PeerId) -> bool {
        let routes = self.topics.keys().filter_map(|topic| known.routes.known(topic));
        let mut masters = routes.flat_map(|route| &route.writers);
        masters.any(|broker| known.brokers.master(*broker) == Some(peer))
    }

    /// Whether the half message of that id may be begun.
    pub(crate) fn admits(&self, id: UniqueId) -> bool {
        !self.halves.contains_key(&id)
    }

    /// A half message is about to be sent.
    pub(crate) fn begin(&mut self, ctx: &mut Context, publish: &Publish, options: HalfOptions) {
        let (id, group, topic) = (publish.unique_id(), publish.group(), publish.topic());
        self.counted.begun += 1;
        let before = self.verdicts.forget(id);
        if options.delayed {
            let (group, topic) = (group.clone(), topic.clone());
            ctx.fx.note(Note::DelayDropped { group, topic });
        }
        let half = Half {
            group: group.clone(),
            topic: topic.clone(),
            since: ctx.fx.now,
            limit: options.work_limit,
            check_after: options.check_after.unwrap_or_default(),
            name: options.transaction_id.unwrap_or_else(|| id.as_str().into()),
            before,
            unwanted: false,
            place: None,
            asked: None,
            waits: None,
        };
        self.halves.insert(id, Box::new(half));
    }

    /// It did not come to be sent.
    pub(crate) fn refused(&mut self, ctx: &mut Context, id: UniqueId) {
        self.counted.begun -= 1;
        self.not_stored(ctx, id);
    }

    /// What was decided before on a half message of that id counts again.
    fn not_stored(&mut self, ctx: &mut Context, id: UniqueId) {
        let Some(half) = self.take_half(ctx, id) else { return };
        if let Some(verdict) = half.before {
            self.keep(ctx, id, verdict, half.check_after);
        }
    }

    /// No local work is done for a half message: it is rolled back, once it is known where it lies.
    pub(crate) fn unwanted(&mut self, ctx: &mut Context, known: Known<'_>, id: UniqueId) {
        match self.halves.get_mut(&id) {
            Some(half) if half.place.is_none() => half.unwanted = true,
            Some(_) => self.give_up(ctx, known, id),
            None => {}
        }
    }

    /// It is stored, or is not, as far as is known.
    pub(crate) fn sent(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        id: UniqueId,
        result: Result<HalfStored, Stored>,
    ) {
        let Some(half) = self.halves.get_mut(&id) else { return };
        match result {
            Ok(stored) => {
                let safe = stored.status == SendStatus::Ok;
                half.place = Some(place(stored));
                // What is not as safe as it should be is not to count (`sendMessageInTransaction`).
                if !safe || half.unwanted {
                    self.give_up(ctx, known, id);
                }
            }
            Err(Stored::Unknown | Stored::Yes) => self.give_up(ctx, known, id),
            Err(Stored::No) => self.not_stored(ctx, id),
        }
    }

    /// No local work is done for a half message that may be stored: it is rolled back.
    fn give_up(&mut self, ctx: &mut Context, known: Known<'_>, id: UniqueId) {
        let Some(half) = self.take_half(ctx, id) else { return };
        let verdict = self.keep(ctx, id, Resolution::RollBack, half.check_after);
        self.tell(ctx, known, id, &half, verdict);
    }

    /// Takes a half message out. No check waits for it any more.
    pub(super) fn take_half(&mut self, ctx: &mut Context, id: UniqueId) -> Option<Box<Half>> {
        let mut half = take(&mut self.halves, id)?;
        if let Some(timer) = half.waits.take() {
            ctx.fx.timers.cancel(timer);
        }
        Some(half)
    }

    /// Keeps a verdict on what brokers don't ask about before `check_after`, unless there is one.
    /// Gives the one that counts.
    pub(super) fn keep(
        &mut self,
        ctx: &Context,
        id: UniqueId,
        verdict: Resolution,
        check_after: Duration,
    ) -> Resolution {
        if ctx.fx.plant.is(Planted::ForgetsVerdicts) {
            return verdict;
        }
        self.verdicts.keep(ctx.fx.now, id, verdict, check_after)
    }

    /// The timers of those that wait.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        let checks = all(&self.halves).filter_map(|(_, half)| half.waits);
        checks.chain(self.ends.iter().map(|(_, end)| end.timer))
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self, ctx: &Context) {
        for (id, half) in all(&self.halves) {
            assert!(half.waits.is_none() || half.asked.is_some(), "{id} waits for nothing");
            let decided = self.verdicts.of(*id);
            assert_eq!(decided, None, "{id} is decided and is not");
        }
        for (id, check) in &self.asked {
            let open = self.asking.get(*check).and_then(|asked| asked.check.id);
            assert_eq!(open, Some(*id), "{check:?} is of another message");
        }
        let bytes: usize = self.asking.iter().map(|(_, asked)| asked.bytes()).sum();
        assert_eq!(bytes, self.asking_bytes, "bytes of checks are miscounted");
        for (id, check) in &self.commits {
            let open = self.committing.get(*check).and_then(|one| one.asked.check.id);
            assert_eq!(open, Some(*id), "{check:?} commits another message");
        }
        for (op, end) in self.ends.iter() {
            assert!(ctx.fx.ops.get(op).is_some(), "{op:?} is no call");
            assert!(self.ending.contains_key(&end.id), "{op:?} is not found by its id");
        }
        let ending: usize = all(&self.ending).map(|(_, count)| count).sum();
        assert_eq!(ending, self.ends.len(), "ends are miscounted");
    }

    /// The client has stopped.
    pub(crate) fn stop(&mut self) {
        let counted = self.counted;
        *self = Self { counted, ..Self::by(*self.halves.hasher()) };
    }
}

fn place(stored: HalfStored) -> Place {
    let offset = OffsetMessageId::parse(&stored.offset_message_id).map(|id| id.offset as i64);
    Place {
        broker: stored.broker,
        queue_offset: stored.offset,
        commit_log_offset: offset.unwrap_or_default(),
    }
}

/// Connects to the masters of a topic, which hear of us then.
fn reach(ctx: &mut Context, known: Known<'_>, topic: &Topic) {
    let route = known.routes.known(topic).filter(|route| !route.fallback);
    let writers = route.into_iter().flat_map(|route| &route.writers);
    for peer in writers.filter_map(|broker| known.brokers.master(*broker)) {
        ctx.want(peer);
    }
}
