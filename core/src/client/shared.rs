//! One mutex around the engine and the wakers, and the one function that takes it.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::Duration;

use super::after_unlock::{AfterUnlock, OffsetJob, PendingWrite};
use super::checking::Checking;
use super::driving::{Driving, is_driven, log_once};
use super::host::{Clock, Host};
use super::link::{Action, Writer, Written};
use super::lock_stats::{Held, LockStats};
use super::log::log_note;
use super::question::Question;
use super::received::RecvError;
use super::state::Core;
use super::waiting::{Found, RequestEnd, SendEnd};
use super::wall::Wall;
use super::work::Work;
use crate::config::Config;
use crate::contain::contained;
use crate::engine::{Computed, Engine, Input, Job, Snapshot};
use crate::error::{ConnectError, QueryError, Refused, RequestError, SendError, Stored, TlsError};
use crate::id::{CheckId, ConnectionId, OpId};
use crate::message::{Publish, UniqueIds};
use crate::offsets::{NoFiles, OffsetStore, OffsetStoreError};
use crate::producer::SendOptions;
use crate::time::Instant;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::transaction::Resolution;

/// There is none in this build.
#[cfg(not(feature = "tls"))]
type Tls = std::convert::Infallible;

/// Writes that a calling thread does for others, which came while it wrote, before it leaves them
/// to the connection's writer.
const AGAIN: u32 = 3;

/// How long a look at the process's id is good for.
const LOOK: Duration = Duration::from_micros(100);

/// What a batch of messages keeps of its client.
pub(super) struct Home {
    /// Whoever has its engine, if that is there still.
    pub(super) shared: Weak<Shared>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The state that a client's handles and its pump share.
pub struct Shared {
    clock: Arc<dyn Clock>,
    host: Box<dyn Host>,
    /// The process that made it.
    process: u32,
    /// When that was last looked at, in nanoseconds.
    looked: AtomicU64,
    config: Arc<Config>,
    client_id: Arc<str>,
    ids: UniqueIds,
    /// Where offsets are kept that no broker keeps, unless a consumer has a store of its own.
    files: Arc<dyn OffsetStore>,
    /// What connections are encrypted by.
    tls: Option<Tls>,
    core: Mutex<Core>,
    /// Itself, for its messages and for work that goes on beside it.
    home: Arc<Home>,
    /// Connections that nobody reads, so that a caller may.
    pub(super) free_readers: AtomicU32,
    #[cfg(feature = "lock-stats")]
    histogram: super::lock_stats::Histogram,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Shared {
    /// A client that has done nothing yet. `seed` decides what its engine draws.
    /// It keeps no files: consumers that broadcast need a store of their own.
    pub fn new(config: Config, seed: u64, clock: impl Clock, host: impl Host) -> Arc<Self> {
        Self::with_files(config, seed, (clock, host), Arc::new(NoFiles))
    }

    /// The same, where offsets that no broker keeps are kept in `files`.
    pub fn with_files(
        config: Config,
        seed: u64,
        own: (impl Clock, impl Host),
        files: Arc<dyn OffsetStore>,
    ) -> Arc<Self> {
        Self::make(config, seed, own, (files, None))
    }

    /// As [`with_files`](Self::with_files), with what [`Config::tls`] asks for.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn with_tls(
        config: Config,
        seed: u64,
        own: (impl Clock, impl Host),
        files: Arc<dyn OffsetStore>,
        tls: Tls,
    ) -> Arc<Self> {
        Self::make(config, seed, own, (files, Some(tls)))
    }

    fn make(
        config: Config,
        seed: u64,
        (clock, host): (impl Clock, impl Host),
        (files, tls): (Arc<dyn OffsetStore>, Option<Tls>),
    ) -> Arc<Self> {
        let config = Arc::new(config);
        let ids = UniqueIds::of(&config);
        let (now, unix) = (clock.now(), clock.unix());
        let engine = Engine::new(config.clone(), seed, now, unix);
        let mut core = Core::new(engine, Wall::new(now, unix), host.writes_alone());
        let client_id = core.engine.client_id().clone();
        // Nobody waits for anything yet: what is to be begun is kept for the pump.
        core.drain(clock.now(), &mut AfterUnlock::default());
        let process = clock.process();
        let (clock, host, core): (Arc<dyn Clock>, _, _) =
            (Arc::new(clock), Box::new(host), Mutex::new(core));
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            home: Arc::new(Home { shared: me.clone(), clock: clock.clone() }),
            clock,
            host,
            process,
            looked: AtomicU64::new(0),
            config,
            client_id,
            ids,
            files,
            tls,
            core,
            free_readers: AtomicU32::new(0),
            #[cfg(feature = "lock-stats")]
            histogram: Default::default(),
        })
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What connections are to be encrypted by. One that is meant to be is not made without it.
    ///
    /// # Errors
    ///
    /// When [`Config::tls`] is on, and the adapter gave nothing to do it by.
    pub fn tls(&self) -> Result<Option<&Tls>, ConnectError> {
        match &self.tls {
            None if self.config.encrypts() => {
                let detail = "this adapter does not encrypt".into();
                Err(ConnectError::Tls(TlsError::Protocol { detail }))
            }
            tls => Ok(tls.as_ref()),
        }
    }

    pub(crate) fn client_id(&self) -> Arc<str> {
        self.client_id.clone()
    }

    pub(crate) fn ids(&self) -> &UniqueIds {
        &self.ids
    }

    pub(crate) fn lock_stats(&self) -> Option<LockStats> {
        #[cfg(feature = "lock-stats")]
        return Some(self.histogram.stats());
        #[cfg(not(feature = "lock-stats"))]
        None
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// What its batches of messages keep.
    pub(super) const fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Which client threads are marked as [driving](super::driving).
    fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Marks this thread, for a turn of one of the client's own tasks or threads.
    pub(crate) fn driving(&self) -> Driving {
        Driving::own(self.address())
    }

    /// Whether the calling thread may wait for this client: it does not drive it, and the host
    /// allows it.
    pub(super) fn may_block(&self) -> bool {
        !is_driven(self.address()) && self.host.may_block()
    }

    /// Whether this is another process than the one that made the client: it must neither wait for
    /// its lock, which a thread that was not taken along may hold for ever, nor touch its sockets.
    pub(super) fn is_forked(&self) -> bool {
        self.clock.process() != self.process
    }

    /// The same at `now`, looked at once in [`LOOK`]: asking is a system call, and forking takes
    /// longer. What slips through is seen before anything is written or waited for.
    pub(super) fn is_forked_by(&self, now: Instant) -> bool {
        let since = Instant::from_nanos(self.looked.load(Ordering::Relaxed));
        if now.since(since) < LOOK {
            return false;
        }
        let forked = self.is_forked();
        if !forked {
            self.looked.store(now.as_nanos(), Ordering::Relaxed);
        }
        forked
    }

    /// Why a call that has not begun can't: the runtime is gone, or another process's.
    pub(super) fn nobody<E: From<Refused>>(&self, gone: E) -> E {
        if self.is_forked() { Refused::Forked.into() } else { gone }
    }

    /// Why a consumer gives nothing more.
    pub(super) fn end_of_messages(&self) -> RecvError {
        if self.is_forked() {
            return RecvError::Forked;
        }
        match self.lock_here() {
            Some(core) if core.cut_short => RecvError::RuntimeGone,
            Some(_) => RecvError::Left,
            None => RecvError::Forked,
        }
    }

    /// Takes the lock; `None` where a thread may hold it that this process does not have.
    pub(super) fn lock_here(&self) -> Option<Held<'_, Core>> {
        match self.core.try_lock() {
            Ok(core) => Some(self.held(core)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.recover(poisoned)),
            Err(TryLockError::WouldBlock) if self.is_forked() => None,
            Err(TryLockError::WouldBlock) => Some(self.lock()),
        }
    }

    /// Takes the lock.
    pub(crate) fn lock(&self) -> Held<'_, Core> {
        match self.core.lock() {
            Ok(core) => self.held(core),
            Err(poisoned) => self.recover(poisoned),
        }
    }

    #[cfg(feature = "lock-stats")]
    fn held<'a>(&'a self, core: MutexGuard<'a, Core>) -> Held<'a, Core> {
        Held::new(core, &*self.clock, &self.histogram)
    }

    #[cfg(not(feature = "lock-stats"))]
    fn held<'a>(&'a self, core: MutexGuard<'a, Core>) -> Held<'a, Core> {
        core
    }

    /// A thread that panicked under the lock has left the engine in no known state: every call then
    /// ends with one typed error.
    fn recover<'a>(&'a self, poisoned: PoisonError<MutexGuard<'a, Core>>) -> Held<'a, Core> {
        self.core.clear_poison();
        let mut core = PoisonError::into_inner(poisoned);
        let mut after = AfterUnlock::default();
        core.abandon(&mut after);
        drop(core);
        self.finish(&mut after);
        self.lock()
    }

    /// Runs `f` on the engine under the lock, then does what came of it without the lock. `None`
    /// once the runtime is gone, and in a process that was forked.
    pub(crate) fn run<R>(&self, f: impl FnOnce(&mut Core, Instant) -> R) -> Option<R> {
        let mut after = AfterUnlock::default();
        let result = self.run_into(&mut after, |core, now, _| f(core, now));
        self.finish(&mut after);
        result
    }

    /// As [`run`](Self::run), with the work for afterwards left in `after`, whose room is reused.
    pub(crate) fn run_into<R>(
        &self,
        after: &mut AfterUnlock,
        f: impl FnOnce(&mut Core, Instant, &mut AfterUnlock) -> R,
    ) -> Option<R> {
        let now = self.clock.now();
        if self.is_forked_by(now) {
            return None;
        }
        let mut core = self.lock_here()?;
        if core.gone {
            return None;
        }
        let result = f(&mut core, now, after);
        core.drain(now, after);
        Some(result)
    }

    /// Lets go of the lock. What was taken out for a write may have ended calls, and let others
    /// begin: who waits for that hears of it before the write.
    pub(super) fn tell(&self, core: Held<'_, Core>) {
        let told = core.engine.has_effects();
        drop(core);
        if told {
            self.run(|_, _| ());
        }
    }

    /// Does what was left to do. Not under the lock; whom it calls must not wait for this client.
    pub(crate) fn finish(&self, after: &mut AfterUnlock) {
        if after.is_empty() {
            return;
        }
        let _driving = Driving::after(self.address());
        while let Some(write) = after.write.take() {
            if !self.is_forked() {
                self.write_here(write, after);
            }
        }
        each(&mut after.wakers, |waker| contained(|| waker.wake()));
        each(&mut after.shutdowns, |sink| sink.shutdown());
        each(&mut after.spent, |publish| contained(|| drop(publish)));
        each(&mut after.bodies, |body| contained(|| drop(body)));
        each(&mut after.ended, |open| contained(|| drop(open)));
        each(&mut after.notes, |note| {
            contained(|| log_once(|| log_note(&self.client_id, &note)));
        });
        each(&mut after.listeners, |listener| {
            listener.tell();
            contained(|| drop(listener));
        });
        each(&mut after.rules, |rule| contained(|| drop(rule)));
        each(&mut after.stores, |store| contained(|| drop(store)));
        each(&mut after.offsets, |job| self.keep_offsets(job));
        each(&mut after.checks, |checking| self.answer_checks(checking));
        each(&mut after.jobs, |job| self.compute(job));
    }

    /// Computes what the engine wants: here, or where it may block on a thread of its own, if the
    /// host has such.
    fn compute(&self, job: Job) {
        if job.may_block() {
            let (me, apart) = (self.home.shared.clone(), job.clone());
            let work = move || {
                let done = apart.run();
                if let Some(shared) = me.upgrade() {
                    shared.computed(done);
                }
            };
            if self.host.spawn(Work::Blocking(Box::new(work))).is_ok() {
                contained(|| drop(job));
                return;
            }
        }
        self.computed(job.run());
    }

    /// Loads or saves offsets: on a thread of its own on every runtime, since files block, and a
    /// store of the application's does as it likes. A consumer has one of each under way at most.
    fn keep_offsets(&self, job: OffsetJob) {
        let (me, files, apart) = (self.home.shared.clone(), self.files.clone(), job.clone());
        let work = move || {
            let told = apart.run(&*files);
            drop(files);
            if let Some(shared) = me.upgrade() {
                shared.run(|core, now| core.engine.handle(now, told));
            }
        };
        let spawned = self.host.spawn(Work::Blocking(Box::new(work)));
        contained(|| match spawned {
            Ok(()) => drop(job),
            Err(error) => {
                let told = job.fail(OffsetStoreError::NoThread { error: error.to_string() });
                self.run(|core, now| core.engine.handle(now, told));
            }
        });
    }

    /// Has the application look at half messages, beside what the caller does, one after the other.
    /// Where nobody can, brokers are told so, and ask again.
    pub(super) fn answer_checks(&self, checking: Arc<Checking>) {
        let me = self.home.shared.clone();
        let answer = move |check, said| {
            let shared = me.upgrade();
            shared.is_some_and(|shared| shared.answer_check(check, said))
        };
        let Some(work) = checking.clone().begin(answer) else { return };
        if self.host.spawn(work).is_err() {
            for check in checking.give_up() {
                self.answer_check(check, Resolution::Unknown);
            }
        }
    }

    /// False once the runtime is gone.
    fn answer_check(&self, check: CheckId, said: Resolution) -> bool {
        self.run(|core, now| core.engine.answer_check(now, check, said)).is_some()
    }

    fn computed(&self, done: Computed) {
        self.run(|core, now| core.engine.handle(now, Input::Computed { done }));
    }

    /// Writes in the calling thread what it, and others meanwhile, had to send.
    pub(super) fn write_here(&self, write: PendingWrite, after: &mut AfterUnlock) {
        let _driving = Driving::after(self.address());
        let PendingWrite { conn, sink, mut writer, yields } = write;
        let mut again = 0;
        if yields {
            again = AGAIN;
            self.host.yield_now();
            self.run_into(after, |core, _, _| core.fill(conn, &mut writer));
        }
        loop {
            let wrote = match writer.write(&*sink) {
                Ok(_) if again > 0 => Written::Again,
                Ok(_) => Written::Done,
                Err(_) => {
                    sink.shutdown();
                    Written::Broken
                }
            };
            match self.give_back(conn, writer, wrote, after) {
                Some(kept) => writer = kept,
                None => return,
            }
            again -= 1;
        }
    }

    /// Gives the right to write back; or takes what has come meanwhile, and keeps it.
    pub(super) fn give_back(
        &self,
        conn: ConnectionId,
        writer: Box<Writer>,
        wrote: Written,
        after: &mut AfterUnlock,
    ) -> Option<Box<Writer>> {
        // What is left in the writer of a connection that is gone is dropped here, after the lock.
        let mut dead = None;
        let kept = self.run_into(after, |core, now, after| {
            let Some((open, on)) = core.open(conn) else {
                dead = Some(writer);
                return None;
            };
            match open.halves.wrote(writer, wrote, &on) {
                Action::Write(mut writer) => {
                    core.fill(conn, &mut writer);
                    Some(writer)
                }
                action => {
                    core.carry_out(now, conn, action, after);
                    None
                }
            }
        });
        drop(dead);
        kept.flatten()
    }

    /// The runtime is done with this client: what has not ended ends with an error. A client that
    /// has stopped needs no runtime, and goes on to refuse calls as stopped.
    pub fn abandon(&self) {
        let mut after = AfterUnlock::default();
        {
            let mut core = self.lock();
            if !(core.stopped && core.links.is_empty()) {
                core.abandon(&mut after);
            }
        }
        self.finish(&mut after);
    }

    /// Everything observable of this client.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        self.lock().engine.snapshot(now)
    }

    /// Gives the engine one message to send. The caller keeps an `Arc` of its own until this
    /// returns: one that is refused is not freed under the lock.
    pub(crate) fn send(
        &self,
        publish: Arc<Publish>,
        options: SendOptions,
    ) -> Result<OpId, SendError> {
        let ids = publish.ids();
        let sent = self.run(|core, now| {
            let op = core.engine.send_with(now, publish, options)?;
            core.waiting.insert::<SendEnd>(op);
            Ok::<_, Refused>(op)
        });
        let gone = || self.nobody(SendError::RuntimeGone { stored: Stored::No, ids: Some(ids) });
        Ok(sent.ok_or_else(gone)??)
    }

    /// As [`send`](Self::send), for a message whose reply is waited for.
    pub(super) fn request(
        &self,
        publish: Arc<Publish>,
        correlation: Arc<str>,
        options: SendOptions,
    ) -> Result<OpId, RequestError> {
        let ids = publish.ids();
        let sent = self.run(|core, now| {
            let op = core.engine.request(now, publish, correlation, options)?;
            core.waiting.insert::<RequestEnd>(op);
            Ok::<_, Refused>(op)
        });
        let gone = || self.nobody(SendError::RuntimeGone { stored: Stored::No, ids: Some(ids) });
        Ok(sent.ok_or_else(gone)??)
    }

    /// Asks the engine for one fact.
    pub(super) fn ask<A: Found>(&self, question: Question<A>) -> Result<OpId, QueryError> {
        let asked = self.run(|core, now| {
            let most = core.engine.config().request_timeout;
            let within = question.within.map_or(most, |within| within.min(most));
            let op = core.engine.query_within(now, question.query, within)?;
            core.waiting.insert::<Result<A, QueryError>>(op);
            Ok::<_, Refused>(op)
        });
        Ok(asked.ok_or_else(|| self.nobody(QueryError::Stopped))??)
    }
}

/// Takes out one after the other. Most lists are empty, and draining costs even then.
fn each<T, R>(list: &mut Vec<T>, mut act: impl FnMut(T) -> R) {
    if !list.is_empty() {
        list.drain(..).for_each(|one| drop(act(one)));
    }
}

/// What the users' handles hold together: when the last is dropped, the client shuts down.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
}

impl Owner {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.run(|core, now| core.engine.shutdown(now));
    }
}
