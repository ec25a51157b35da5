//! Offsets that no broker keeps: those of a consumer that broadcasts, in a file of this host, and
//! those of one that was given a store of its own (`LocalFileOffsetStore`).
//!
//! | state of the loads | leaves on | to |
//! |---|---|---|
//! | needed by nobody | a queue asks where to begin | under way |
//! | under way | the offsets | known, or needed by nobody where others save there too |
//! | | a failure | pausing |
//! | pausing | its timer | under way |
//!
//! Saves go one after the other: what comes up meanwhile is gathered for the next one. What could
//! not be saved is saved again after a pause, and consuming goes on. The last save of one that
//! leaves is waited for, as the commits of others are.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queue::Queue;
use super::turns::Chore;
use super::{Consumer, Consumers, Phase, Trouble, count_commit};
use crate::body::MessageModel;
use crate::config::Config;
use crate::effects::{Command, ConsumerTimer, Effects, Note, Planted, Signal, TimerKind};
use crate::id::{PeerId, QueueKey, SubscriptionId};
use crate::name::{Group, QueueName};
use crate::offsets::{
    LoadJob, LoadedOffsets, OffsetOwner, OffsetStoreError, Offsets, OwnStore, SaveJob,
    SavedOffsets, StoredOffsets, Ticket, Work,
};
use crate::remoting::{Context, OffsetOf};
use crate::route::Known;
use crate::timer::TimerKey;

/// The pause after a failure; it doubles with each one in a row.
const AGAIN: Duration = Duration::from_secs(1);
/// It is never longer.
const LONGEST: Duration = Duration::from_secs(30);
/// So often in a row is a last offset tried to be saved before its queue is unlocked all the same.
const TRIES: u32 = 3;
/// One that leaves has little time.
const LEAVING: Duration = Duration::from_millis(100);

/// What is to be saved: of which life of a queue, and its offset.
type Entries = BTreeMap<QueueName, (QueueKey, i64)>;

/// How far a load has come.
#[derive(Debug, Default)]
enum Load {
    #[default]
    Idle,
    UnderWay(u64),
    Pausing(TimerKey),
}

/// A save that is under way.
#[derive(Debug)]
struct Save {
    number: u64,
    entries: Entries,
    last: bool,
}

/// What is left of a consumer that has gone while its file was read, or written: it is let go of
/// after that.
#[derive(Debug)]
pub(super) struct Orphan {
    work: Work,
    /// Loads and saves under way.
    left: usize,
}

/// The offsets of one consumer that no broker keeps.
#[derive(Debug)]
pub(super) struct Local {
    sub: SubscriptionId,
    of: OffsetOwner,
    own: Option<OwnStore>,
    /// Nobody else saves there: what was loaded once, and what was saved since, is what there is.
    exclusive: bool,
    table: Option<Offsets>,
    load: Load,
    /// Queues that wait for a load, and for which.
    waiting: BTreeMap<QueueKey, u64>,
    /// What loads said of queues, where others save there too.
    answers: BTreeMap<QueueKey, Option<i64>>,
    /// What is to be saved next.
    next: Entries,
    save: Option<Save>,
    /// The pause before the next save.
    pause: Option<TimerKey>,
    /// Loads, and saves, that failed in a row.
    failures: (u32, u32),
    /// Counts the loads and saves.
    jobs: u64,
    /// The last save is done.
    closed: bool,
}

impl Local {
    /// Nothing is loaded yet. None, where brokers keep the offsets.
    pub(super) fn of(
        sub: SubscriptionId,
        config: &Config,
        group: &Group,
        (model, own): (MessageModel, Option<OwnStore>),
    ) -> Option<Self> {
        // Stores are shared by clients of other namespaces.
        let group = group.known();
        let of = match model {
            MessageModel::Broadcasting => OffsetOwner::new(config.offset_client(), group),
            MessageModel::Clustering if own.is_some() => OffsetOwner::shared(group),
            MessageModel::Clustering => return None,
        };
        Some(Self {
            sub,
            of,
            own,
            exclusive: model == MessageModel::Broadcasting,
            table: None,
            load: Load::Idle,
            waiting: BTreeMap::new(),
            answers: BTreeMap::new(),
            next: Entries::new(),
            save: None,
            pause: None,
            failures: (0, 0),
            jobs: 0,
            closed: false,
        })
    }

    /// The consumer has gone, with all that is left done or not: a file is to be let go of all the
    /// same. Gives the application's store, which it alone should free, and what is to be waited
    /// for before.
    pub(super) fn end(mut self, fx: &mut Effects) -> (Option<OwnStore>, Option<Orphan>) {
        let closes = self.closed || self.save.as_ref().is_some_and(|save| save.last);
        let loads = matches!(self.load, Load::UnderWay(_));
        let left = usize::from(loads) + usize::from(self.save.is_some());
        let waits = !closes && left > 0 && self.own.is_none();
        let orphan = waits.then(|| Orphan { work: self.work(), left });
        self.timers().for_each(|timer| fx.timers.cancel(timer));
        if !closes && left == 0 {
            self.pause = None;
            self.save(fx, true);
        }
        (self.own, orphan)
    }

    fn work(&mut self) -> Work {
        self.jobs += 1;
        let ticket = Ticket { sub: self.sub, number: self.jobs };
        Work { ticket, of: self.of.clone(), own: self.own.clone() }
    }

    /// Loads, unless that is under way or pauses.
    fn load(&mut self, fx: &mut Effects) {
        if matches!(self.load, Load::Idle) {
            let work = self.work();
            self.load = Load::UnderWay(work.ticket.number);
            fx.command(Command::Load { job: LoadJob(work) });
        }
    }

    /// What is stored of a queue; `None`: a load has to say that first.
    fn stored(&self, key: QueueKey, name: &QueueName) -> Option<Option<i64>> {
        match &self.table {
            Some(table) => Some(table.get(name).copied()),
            None => self.answers.get(&key).copied(),
        }
    }

    /// A queue waits for a load: for the next one, where others may have saved since this began.
    fn wait(&mut self, fx: &mut Effects, key: QueueKey) {
        let begun = matches!(self.load, Load::UnderWay(_));
        self.load(fx);
        let late = u64::from(begun && !self.exclusive);
        self.waiting.insert(key, self.jobs.saturating_add(late));
    }

    /// Offsets were loaded. Gives the queues that know where they begin.
    fn take_loaded(
        &mut self,
        fx: &mut Effects,
        number: u64,
        loaded: Offsets,
        name: impl Fn(QueueKey) -> Option<QueueName>,
    ) -> Vec<QueueKey> {
        (self.load, self.failures.0) = (Load::Idle, 0);
        let told = self.waiting.iter().filter(|(_, of)| self.exclusive || **of <= number);
        let told: Vec<QueueKey> = told.map(|(key, _)| *key).collect();
        for key in &told {
            self.waiting.remove(key);
            if let (false, Some(name)) = (self.exclusive, name(*key)) {
                self.answers.insert(*key, loaded.get(&name).copied());
            }
        }
        if self.exclusive {
            let table = self.table.insert(loaded);
            // What was set before, by a reset, is newer.
            let ours = self.save.iter().flat_map(|save| &save.entries).chain(&self.next);
            table.extend(ours.map(|(name, (_, offset))| (name.clone(), *offset)));
        }
        if !self.waiting.is_empty() {
            self.load(fx);
        }
        told
    }

    /// An offset is to be saved, with whatever else is.
    pub(super) fn put(&mut self, fx: &mut Effects, name: &QueueName, entry: (QueueKey, i64)) {
        let under_way = self.save.as_ref().and_then(|save| save.entries.get(name));
        let known = self.next.get(name).or(under_way);
        if known == Some(&entry) {
            return;
        }
        if let Some(table) = &mut self.table {
            table.insert(name.clone(), entry.1);
        }
        self.next.insert(name.clone(), entry);
        fx.signal(Signal::OffsetsToSave(self.sub));
    }

    /// The last offset of a queue that is given up. Where its next owner reads the same store it is
    /// saved without a pause: the later it came, the likelier it would replace a newer one.
    pub(super) fn put_last(&mut self, fx: &mut Effects, name: &QueueName, entry: (QueueKey, i64)) {
        if let Some(pause) = self.pause.take_if(|_| !self.exclusive) {
            fx.timers.cancel(pause);
        }
        self.put(fx, name, entry);
        // What was known of it already may have waited for that pause.
        fx.signal(Signal::OffsetsToSave(self.sub));
    }

    /// Whether an offset of that queue is to be saved, or being saved.
    pub(super) fn is_given(&self, name: &QueueName) -> bool {
        let saves = |save: &Save| save.entries.contains_key(name);
        self.next.contains_key(name) || self.save.as_ref().is_some_and(saves)
    }

    /// Of how many queues an offset is to be saved, and is not.
    pub(super) fn unsaved(&self) -> usize {
        let under_way = self.save.iter().flat_map(|save| save.entries.keys());
        self.next.len() + under_way.filter(|name| !self.next.contains_key(name)).count()
    }

    /// Whether an offset of that life of a queue is to be saved.
    fn waits_for(&self, key: QueueKey) -> bool {
        self.next.values().any(|(of, _)| *of == key)
    }

    /// Saves what there is to save, unless a save is under way or pauses. `last`: the consumer has
    /// nothing more.
    fn save(&mut self, fx: &mut Effects, last: bool) {
        if self.save.is_some() || self.pause.is_some() || self.closed {
            return;
        }
        // A load that ends later would open anew what is closed.
        let last = last && !matches!(self.load, Load::UnderWay(_));
        if self.next.is_empty() && !last {
            return;
        }
        let entries = std::mem::take(&mut self.next);
        let offsets = entries.iter().map(|(name, (_, offset))| (name.known(), *offset)).collect();
        let work = self.work();
        self.save = Some(Save { number: work.ticket.number, entries, last });
        fx.command(Command::Save { job: SaveJob { work, offsets, last } });
    }

    /// That save has ended: what it gave is saved, or is to be saved again.
    fn save_ended(&mut self, number: u64, saved: bool) -> Option<Entries> {
        let save = self.save.take_if(|save| save.number == number)?;
        if saved {
            (self.failures.1, self.closed) = (0, save.last);
        } else {
            self.failures.1 = self.failures.1.saturating_add(1);
            for (name, entry) in &save.entries {
                self.next.entry(name.clone()).or_insert(*entry);
            }
        }
        Some(save.entries)
    }

    /// Lets go of what is known of a queue's present life.
    pub(super) fn forget(&mut self, key: QueueKey) {
        self.waiting.remove(&key);
        self.answers.remove(&key);
    }

    /// Whether the last save is done.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The timers that it keeps.
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        let load = match self.load {
            Load::Pausing(timer) => Some(timer),
            Load::Idle | Load::UnderWay(_) => None,
        };
        load.into_iter().chain(self.pause)
    }

    /// Whether a load is under way, or will be: what a queue that waits for one goes by.
    pub(super) fn loads(&self, fx: &Effects) -> bool {
        match self.load {
            Load::Idle => false,
            Load::UnderWay(_) => true,
            Load::Pausing(timer) => fx.timers.is_set(timer),
        }
    }
}

/// The pause after so many failures in a row.
fn pause(failures: u32, is_leaving: bool) -> Duration {
    let pause = AGAIN.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(LONGEST);
    if is_leaving { LEAVING } else { pause }
}

impl Consumers {
    /// Offsets of a consumer are loaded, or could not be.
    pub(crate) fn loaded(&mut self, ctx: &mut Context, known: Known<'_>, done: LoadedOffsets) {
        let LoadedOffsets { ticket, result } = done;
        let Some(consumer) = self.get_mut(ticket.sub) else {
            return self.orphan_done(ctx, ticket.sub);
        };
        let told = consumer.take_loaded(ctx, ticket.number, result);
        consumer.unregister_if_committed(ctx);
        self.attend(ctx, known, ticket.sub, told, Chore::Resume);
    }

    /// Offsets of a consumer are saved, or could not be.
    pub(crate) fn saved(&mut self, ctx: &mut Context, done: SavedOffsets) {
        let SavedOffsets { ticket, result } = done;
        match self.get_mut(ticket.sub) {
            Some(consumer) => consumer.take_saved(ctx, ticket.number, result),
            None => self.orphan_done(ctx, ticket.sub),
        }
    }

    /// A load, or a save, of a consumer that has gone is over.
    fn orphan_done(&mut self, ctx: &mut Context, sub: SubscriptionId) {
        let Some(orphan) = self.orphans.get_mut(&sub) else { return };
        orphan.left -= 1;
        if orphan.left == 0
            && let Some(Orphan { work, .. }) = self.orphans.remove(&sub)
        {
            let (offsets, last) = (Offsets::new(), true);
            ctx.fx.command(Command::Save { job: SaveJob { work, offsets, last } });
        }
    }

    /// Offsets of a consumer wait to be saved.
    pub(crate) fn save_offsets(&mut self, ctx: &mut Context, sub: SubscriptionId) {
        if let Some(consumer) = self.get_mut(sub) {
            consumer.save_offsets(ctx);
        }
    }
}

impl Consumer {
    /// Loads what is stored, where nobody else changes it: before the first queue asks.
    pub(super) fn load_ahead(&mut self, ctx: &mut Context) {
        if let Some(local) = self.local.as_mut().filter(|local| local.exclusive) {
            local.load(&mut ctx.fx);
        }
    }

    /// A queue is to begin where the store says, or at an end where nothing is stored of it.
    pub(super) fn begin_stored(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        key: QueueKey,
    ) {
        let (Some(queue), Some(local)) = (self.queues.get_mut(key), &mut self.local) else {
            return;
        };
        match local.stored(key, &queue.name) {
            Some(Some(offset)) => {
                local.forget(key);
                queue.offset_received(ctx.fx.now, offset, OffsetOf::Group);
                self.resume(ctx, known, key);
            }
            Some(None) => self.fetch_end(ctx, known, peer, key),
            None => {
                local.wait(&mut ctx.fx, key);
                queue.cursor.await_store();
            }
        }
    }

    fn take_loaded(
        &mut self,
        ctx: &mut Context,
        number: u64,
        result: Result<StoredOffsets, OffsetStoreError>,
    ) -> Vec<QueueKey> {
        let (leaving, group) = (self.is_leaving(), self.group.clone());
        let Some(local) = &mut self.local else { return Vec::new() };
        if !matches!(local.load, Load::UnderWay(under_way) if under_way == number) {
            return Vec::new();
        }
        let StoredOffsets { offsets, damage } = match result {
            Ok(stored) => stored,
            Err(error) => {
                local.failures.0 = local.failures.0.saturating_add(1);
                let after = pause(local.failures.0, leaving);
                let timer = TimerKind::Consumer(ConsumerTimer::Load(self.id));
                local.load = Load::Pausing(ctx.fx.after(after, timer));
                if self.tells(ctx.fx.now, Trouble::Load) {
                    ctx.fx.note(Note::OffsetsNotLoaded { group, error });
                }
                return Vec::new();
            }
        };
        let told =
            |(queue, offset): (QueueName, i64)| Some((ctx.fx.namespace.told(queue)?, offset));
        let offsets = offsets.into_iter().filter_map(told).collect();
        let queues = &self.queues;
        let name = |key| queues.get(key).map(|queue| queue.name.clone());
        let told = local.take_loaded(&mut ctx.fx, number, offsets, name);
        for key in &told {
            if let Some(queue) = self.queues.get_mut(*key) {
                queue.cursor.store_answered();
            }
        }
        if let Some(damage) = damage {
            ctx.fx.note(Note::OffsetsDamaged { group, damage: damage.into() });
        }
        told
    }

    /// The pause before another load is over.
    pub(super) fn load_due(&mut self, ctx: &mut Context) {
        let leaving = self.is_leaving();
        if let Some(local) = &mut self.local {
            local.load = Load::Idle;
            if !leaving {
                local.load(&mut ctx.fx);
            }
        }
    }

    /// The pause before another save is over.
    pub(super) fn save_due(&mut self, ctx: &mut Context) {
        if let Some(local) = &mut self.local {
            local.pause = None;
        }
        self.save_offsets(ctx);
    }

    /// What of a queue is to be saved now: how far it is settled, where that is not stored yet.
    pub(super) fn offset_to_save(&self, ctx: &Context, queue: &Queue) -> Option<i64> {
        if ctx.fx.plant.is(Planted::SavesPulled) {
            let next = queue.is_begun().then(|| queue.cursor.next());
            return next.filter(|next| queue.keeper.lacks(*next));
        }
        queue.to_store(ctx.fx.now)
    }

    fn save_offsets(&mut self, ctx: &mut Context) {
        let last = self.phase == Phase::Committing && self.queues.is_empty();
        if let Some(local) = &mut self.local {
            local.save(&mut ctx.fx, last);
        }
    }

    fn take_saved(&mut self, ctx: &mut Context, number: u64, result: Result<(), OffsetStoreError>) {
        let (now, saved, leaving) = (ctx.fx.now, result.is_ok(), self.is_leaving());
        let Some(local) = &mut self.local else { return };
        let Some(entries) = local.save_ended(number, saved) else { return };
        if !saved {
            let after = pause(local.failures.1, leaving);
            let timer = TimerKind::Consumer(ConsumerTimer::Save(self.id));
            local.pause = Some(ctx.fx.after(after, timer));
        }
        let gives_up = !saved && !local.exclusive && (!leaving || local.failures.1 >= TRIES);
        if gives_up && !leaving {
            // Of a queue that another member has by now, what comes late may replace a later one.
            local.next.retain(|_, (key, _)| self.queues.get(*key).is_some());
        }
        for (key, offset) in entries.into_values() {
            count_commit(ctx, saved);
            self.stored.ended(now, saved);
            if let Some(queue) = self.queues.get_mut(key) {
                queue.keeper.commit_ended(now, saved.then_some(offset));
            }
            let waits = self.local.as_ref().is_some_and(|local| local.waits_for(key));
            if gives_up || !waits {
                self.committed_last(ctx, key);
            }
        }
        if let Err(error) = result
            && self.tells(now, Trouble::Save)
        {
            let group = self.group.clone();
            ctx.fx.note(Note::OffsetsNotSaved { group, error });
        }
        self.save_offsets(ctx);
        self.unregister_if_committed(ctx);
    }

    /// It leaves: what waits for a pause to be over is saved now.
    pub(super) fn hurry_saves(&mut self, ctx: &mut Context) {
        let Some(local) = &mut self.local else { return };
        local.timers().for_each(|timer| ctx.fx.timers.cancel(timer));
        local.pause = None;
        if matches!(local.load, Load::Pausing(_)) {
            local.load = Load::Idle;
        }
        self.save_offsets(ctx);
    }

    /// Has the last save done, with all that is left. True once it is.
    pub(super) fn is_saved(&mut self, ctx: &mut Context) -> bool {
        self.save_offsets(ctx);
        self.local.as_ref().is_none_or(Local::is_closed)
    }

    /// What must hold between two calls: what is to be saved passes nothing that is not settled,
    /// and somebody saves it; a queue waits for a load that comes.
    pub(super) fn check_local(&self, ctx: &Context) {
        let Some(local) = &self.local else { return };
        let comes = local.save.is_some() || local.pause.is_some_and(|at| ctx.fx.timers.is_set(at));
        assert!(local.next.is_empty() || comes, "{:?} has offsets that nobody saves", self.id);
        let saved = local.save.iter().flat_map(|save| &save.entries).chain(&local.next);
        for (name, (key, offset)) in saved {
            let low = self.queues.get(*key).and_then(Queue::low);
            assert!(low.is_none_or(|low| *offset <= low), "{name:?} saves {offset}, past {low:?}");
        }
        let ends = self.phase == Phase::Committing && self.queues.is_empty();
        let loads = matches!(local.load, Load::UnderWay(_));
        let ended = comes || local.closed || loads;
        assert!(
            !ends || ended || !self.commits.is_empty(),
            "{:?} leaves and does not save",
            self.id
        );
        for key in local.waiting.keys().chain(local.answers.keys()) {
            assert!(self.queues.get(*key).is_some(), "{key:?} is gone and waits for offsets");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_thirty_seconds_and_are_short_at_the_end() {
        let pauses: Vec<u64> = (1..8).map(|failures| pause(failures, false).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(u32::MAX, false), LONGEST);
        assert_eq!(pause(5, true), LEAVING);
    }
}
