//! One mutex around the engine and the wakers, and the one function that takes it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;
use std::time::Duration;

use super::driving::{Driving, log_once};
use super::ended::Stops;
use super::holds::{Held, LockStats};
use super::later::Queueing;
use super::link::{Job, Link, Open};
use super::log::log_note;
use super::pending::{Slot, Waiting};
use super::wall::Wall;
use super::{Ended, Pending, Work};
use crate::config::Config;
use crate::engine::{Command, Engine, Event, Input, Note, Snapshot};
use crate::error::{ConnectError, QueryError, Refused, SendError, Stored};
use crate::id::{ConnectionId, OpId, SubscriptionId};
use crate::message::{MessageLimits, Publish, UniqueIds};
use crate::producer::SendOptions;
use crate::query::Query;
use crate::time::{Instant, UnixMillis};

/// What an adapter lends the handles.
pub trait Host: Send + Sync + 'static {
    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// The wall clock.
    fn unix(&self) -> UnixMillis;

    /// Whether the calling thread may wait: not if it is the one that has to do the work. Threads
    /// that [drive](super::is_own_thread) the client that is waited for are not asked about.
    fn may_block(&self) -> bool;

    /// The id of the process that asks. A child of `fork` has none of the threads that move its
    /// parent's bytes, and the parent's sockets are not its own: its calls are refused.
    fn process(&self) -> u32;

    /// Runs `wait`, which blocks the calling thread, where [`may_block`](Self::may_block) allows
    /// it. An executor that would strand tasks behind a blocked thread hears of it here.
    fn block(&self, wait: &mut dyn FnMut()) {
        wait();
    }

    /// With so many sends in flight on a connection a calling thread still writes by itself, after
    /// it has let others [go first](Self::yield_now) where it is not alone; with more it leaves
    /// writing to the connection's writer.
    fn writes_alone(&self) -> u32 {
        1
    }

    /// Lets other threads run that are about to send, so that what they send is written together
    /// with what this one does.
    fn yield_now(&self) {}

    /// Runs `work` to its end, beside what the caller does: a task, or a thread. A runtime that is
    /// dropped ends its tasks; nothing ends a thread, so what blocks must end when the client does.
    /// The pump of the feature `driver` has its connections' tasks run by it.
    ///
    /// # Errors
    ///
    /// When the system gives no thread; and always with [`io::ErrorKind::Unsupported`], unless the
    /// host says otherwise.
    fn spawn(&self, work: Work) -> io::Result<()> {
        drop(work);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Frames that may wait for a caller that waits.
const DEFERRED: usize = 48;

/// Writes that a calling thread does for others, which came while it wrote, before it leaves them
/// to the connection's writer.
const AGAIN: u32 = 3;

/// How long a look at the process's id is good for.
const LOOK: Duration = Duration::from_micros(100);

/// A consumer, as its handle waits for it.
#[derive(Default)]
pub(crate) struct Subscribed {
    pub(crate) waker: Option<Waker>,
    /// Somebody wants to know how it left.
    pub(super) watched: bool,
    /// It has left, with so many messages unsettled.
    pub(super) left: Option<usize>,
}

/// Everything behind the lock.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) waiting: Waiting,
    pub(crate) consumers: BTreeMap<SubscriptionId, Subscribed>,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    /// What the pump is to begin.
    pub(crate) tasks: VecDeque<Command>,
    pub(crate) pump: Option<Waker>,
    /// [`Host::writes_alone`].
    pub(crate) alone: u32,
    /// What the pump's timer is set to.
    pub(crate) armed: Instant,
    /// Sends that wait for room, the oldest first.
    pub(super) queueing: Queueing,
    pub(crate) stops: Stops,
    pub(super) wall: Wall,
    /// Messages that consumers held unsettled when they left, once the client ends.
    pub(super) unsettled: Option<usize>,
    /// Connections that have ended: their writing tasks end when they look again.
    pub(crate) ended: Vec<Open>,
    /// A connection whose frames wait for a caller that waits.
    deferred: Option<ConnectionId>,
    pub(crate) stopped: bool,
    /// The runtime is gone, or a thread panicked under the lock.
    pub(crate) gone: bool,
    /// That was before the client had stopped.
    pub(super) cut_short: bool,
}

/// What is left to do after unlocking.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) wakers: Vec<Waker>,
    notes: Vec<Note>,
    shutdowns: Vec<Arc<dyn super::Sink>>,
    spent: Vec<Arc<Publish>>,
    ended: Vec<Open>,
    job: Option<Job>,
}

/// The state that a client's handles and its pump share.
pub struct Shared {
    host: Box<dyn Host>,
    /// The process that made it.
    process: u32,
    /// When that was last looked at, in nanoseconds.
    looked: AtomicU64,
    config: Arc<Config>,
    client_id: Arc<str>,
    ids: UniqueIds,
    core: Mutex<Core>,
    /// Connections that nobody reads, so that a caller may.
    pub(super) free_readers: AtomicU32,
    #[cfg(feature = "lock-stats")]
    holds: super::holds::Holds,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Shared {
    /// A client that has done nothing yet. `seed` decides what its engine draws.
    pub fn new(config: Config, seed: u64, host: impl Host) -> Arc<Self> {
        let config = Arc::new(config);
        let ids = UniqueIds::of(&config);
        let (now, unix) = (host.now(), host.unix());
        let engine = Engine::new(config.clone(), seed, now, unix);
        let mut core = Core {
            waiting: Waiting::default(),
            consumers: BTreeMap::new(),
            links: BTreeMap::new(),
            tasks: VecDeque::new(),
            pump: None,
            alone: host.writes_alone(),
            armed: Instant::FAR,
            queueing: Queueing::default(),
            stops: Stops::default(),
            wall: Wall::new(now, unix),
            unsettled: None,
            ended: Vec::new(),
            deferred: None,
            stopped: false,
            gone: false,
            cut_short: false,
            engine,
        };
        let client_id = core.engine.client_id().clone();
        // Nobody waits for anything yet: what is to be begun is kept for the pump.
        core.drain(host.now(), &mut After::default());
        let process = host.process();
        let (host, core) = (Box::new(host), Mutex::new(core));
        Arc::new(Self {
            host,
            process,
            looked: AtomicU64::new(0),
            config,
            client_id,
            ids,
            core,
            free_readers: AtomicU32::new(0),
            #[cfg(feature = "lock-stats")]
            holds: Default::default(),
        })
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn client_id(&self) -> Arc<str> {
        self.client_id.clone()
    }

    pub(crate) fn ids(&self) -> &UniqueIds {
        &self.ids
    }

    pub(crate) fn limits(&self) -> MessageLimits {
        MessageLimits::of(&self.config)
    }

    pub(crate) fn lock_stats(&self) -> Option<LockStats> {
        #[cfg(feature = "lock-stats")]
        return Some(self.holds.stats());
        #[cfg(not(feature = "lock-stats"))]
        None
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Whether this is another process than the one that made the client: it must neither wait for
    /// its lock, which a thread that was not taken along may hold for ever, nor touch its sockets.
    pub(super) fn is_forked(&self) -> bool {
        self.host.process() != self.process
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

    /// Takes the lock; `None` where a thread may hold it that this process does not have.
    pub(super) fn lock_here(&self) -> Option<Held<'_>> {
        match self.core.try_lock() {
            Ok(core) => Some(self.held(core)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.recover(poisoned)),
            Err(TryLockError::WouldBlock) if self.is_forked() => None,
            Err(TryLockError::WouldBlock) => Some(self.lock()),
        }
    }

    /// Takes the lock.
    pub(crate) fn lock(&self) -> Held<'_> {
        match self.core.lock() {
            Ok(core) => self.held(core),
            Err(poisoned) => self.recover(poisoned),
        }
    }

    #[cfg(feature = "lock-stats")]
    fn held<'a>(&'a self, core: MutexGuard<'a, Core>) -> Held<'a> {
        Held::new(core, &*self.host, &self.holds)
    }

    #[cfg(not(feature = "lock-stats"))]
    fn held<'a>(&'a self, core: MutexGuard<'a, Core>) -> Held<'a> {
        core
    }

    /// A thread that panicked under the lock has left the engine in no known state: every call then
    /// ends with one typed error.
    fn recover<'a>(&'a self, poisoned: PoisonError<MutexGuard<'a, Core>>) -> Held<'a> {
        self.core.clear_poison();
        let mut core = PoisonError::into_inner(poisoned);
        let mut after = After::default();
        core.abandon(&mut after);
        drop(core);
        self.finish(&mut after);
        self.lock()
    }

    /// Runs `f` on the engine under the lock, then does what came of it without the lock. `None`
    /// once the runtime is gone, and in a process that was forked.
    pub(crate) fn run<R>(&self, f: impl FnOnce(&mut Core, Instant) -> R) -> Option<R> {
        let mut after = After::default();
        let result = self.run_into(&mut after, f);
        self.finish(&mut after);
        result
    }

    /// As [`run`](Self::run), with the work for afterwards left in `after`, whose room is reused.
    pub(crate) fn run_into<R>(
        &self,
        after: &mut After,
        f: impl FnOnce(&mut Core, Instant) -> R,
    ) -> Option<R> {
        let now = self.host.now();
        if self.is_forked_by(now) {
            return None;
        }
        let mut core = self.lock_here()?;
        if core.gone {
            return None;
        }
        let result = f(&mut core, now);
        core.drain(now, after);
        Some(result)
    }

    /// Does what was left to do. Not under the lock; whom it calls must not wait for this client.
    pub(crate) fn finish(&self, after: &mut After) {
        let _driving = Driving::after(self);
        while let Some(job) = after.job.take() {
            if !self.is_forked() {
                self.write_alone(job, after);
            }
        }
        after.wakers.drain(..).for_each(|waker| contained(|| waker.wake()));
        after.shutdowns.drain(..).for_each(|sink| sink.shutdown());
        after.spent.drain(..).for_each(|publish| contained(|| drop(publish)));
        after.ended.clear();
        for note in after.notes.drain(..) {
            contained(|| log_once(|| log_note(&self.client_id, &note)));
        }
    }

    /// Writes in the calling thread what it, and others meanwhile, had to send.
    pub(super) fn write_alone(&self, mut job: Job, after: &mut After) {
        let _driving = Driving::after(self);
        if job.patient {
            self.host.yield_now();
            self.run_into(after, |core, _| job.writer.fill(|| core.engine.poll_frame(job.conn)));
        }
        let mut again = if job.patient { AGAIN } else { 0 };
        loop {
            if job.writer.write(&*job.sink).is_err() {
                again = 0;
                job.sink.shutdown();
            }
            match self.give_back(job.conn, job.writer, again > 0, after) {
                Some(writer) => job.writer = writer,
                None => return,
            }
            again -= 1;
        }
    }

    /// Ends the client's work; see [`Client::shutdown`](super::Client::shutdown).
    pub(crate) fn shutdown(self: &Arc<Self>) -> Pending<Ended> {
        self.run(|core, now| {
            core.unsettled.get_or_insert(0);
            core.engine.shutdown(now);
        });
        Pending::stop(self.clone())
    }

    /// The runtime is done with this client: what has not ended ends with an error. A client that
    /// has stopped needs no runtime, and goes on to refuse calls as stopped.
    pub fn abandon(&self) {
        let mut after = After::default();
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
        let now = self.host.now();
        self.lock().engine.snapshot(now)
    }

    /// Gives the engine one message to send.
    pub(crate) fn send(
        &self,
        publish: Arc<Publish>,
        options: SendOptions,
    ) -> Result<OpId, SendError> {
        let ids = publish.ids();
        let sent = self.run(|core, now| {
            let op = core.engine.send_with(now, publish, options)?;
            core.waiting.insert(op);
            Ok::<_, Refused>(op)
        });
        let gone = || self.nobody(SendError::RuntimeGone { stored: Stored::No, ids: Some(ids) });
        Ok(sent.ok_or_else(gone)??)
    }

    /// Asks the engine for one fact.
    pub(crate) fn query(&self, query: Query) -> Result<OpId, QueryError> {
        let asked = self.run(|core, now| {
            let op = core.engine.query(now, query)?;
            core.waiting.insert(op);
            Ok::<_, Refused>(op)
        });
        Ok(asked.ok_or_else(|| self.nobody(QueryError::Stopped))??)
    }
}

/// Runs what may be the user's: a waker, an appender, the owner of a body. One that panics, which
/// its panic hook has told of, keeps nobody else from being woken.
fn contained(act: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(act)));
}

impl Core {
    /// Sorts what the engine gave to those who wait for it.
    pub(crate) fn drain(&mut self, now: Instant, after: &mut After) {
        for mut open in self.ended.drain(..) {
            after.wakers.extend(open.waker.take());
            after.ended.push(open);
        }
        self.drain_events(after);
        while let Some(command) = self.engine.poll_command() {
            self.command(now, command, after);
            self.drain_events(after);
        }
        // Whatever made room, an answer or a call given up: those that wait for it go on.
        if !self.queueing.is_empty() {
            self.queueing.take(self.engine.room(), &mut after.wakers);
        }
        if let Some(conn) = self.deferred.take_if(|conn| self.engine.frames_on(*conn) >= DEFERRED) {
            after.job = after.job.take().or_else(|| self.job(conn));
        }
        let next = self.engine.next_timeout().unwrap_or(Instant::FAR);
        if next < self.armed {
            self.armed = next;
            after.wakers.extend(self.pump.take());
        }
    }

    /// What waits to be written on a connection on which nobody writes.
    pub(super) fn job(&mut self, conn: ConnectionId) -> Option<Job> {
        let Link::Open(open) = self.links.get_mut(&conn)? else { return None };
        let unsent = self.engine.has_frames(conn);
        let mut writer = open.writer.take_if(|writer| unsent && writer.is_empty())?;
        writer.fill(|| self.engine.poll_frame(conn));
        Some(Job { conn, sink: open.sink.clone(), writer, patient: false })
    }

    fn drain_events(&mut self, after: &mut After) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Sent { op, publish, result } => {
                    after.spent.push(publish);
                    after.wakers.extend(self.waiting.end(op, Slot::Sent(result)));
                }
                Event::Handed { op, publish } => {
                    after.spent.push(publish);
                    after.wakers.extend(self.waiting.end(op, Slot::Handed));
                }
                Event::OnewayLost { messages } => after.spent.extend(messages),
                Event::Answered { op, result } => {
                    after.wakers.extend(self.waiting.end(op, Slot::Answered(result)));
                }
                Event::Deliverable { sub } => {
                    let consumer = self.consumers.get_mut(&sub);
                    after.wakers.extend(consumer.and_then(|consumer| consumer.waker.take()));
                }
                Event::Left { sub, unsettled } => after.wakers.extend(self.left(sub, unsettled)),
                Event::Note(note) => after.notes.push(note),
                Event::Stopped => {
                    self.stopped = true;
                    self.queueing.take_all(&mut after.wakers);
                    after.wakers.extend(self.stops.take_all());
                    after.wakers.extend(self.pump.take());
                }
            }
        }
    }

    fn command(&mut self, now: Instant, command: Command, after: &mut After) {
        match command {
            Command::Connect { conn, .. } => {
                self.links.insert(conn, Link::Connecting { waker: None, dial: None });
                self.tasks.push_back(command);
                after.wakers.extend(self.pump.take());
            }
            Command::Fetch { .. } => {
                self.tasks.push_back(command);
                after.wakers.extend(self.pump.take());
            }
            Command::Transmit { conn } => {
                let Some(Link::Open(open)) = self.links.get_mut(&conn) else { return };
                // The calling thread writes when nobody writes, nothing waits for the system, and
                // little is gained by waiting for others; one write for each hold of the lock.
                let sends = self.engine.sends_on(conn);
                let oneway = self.engine.has_oneway(conn);
                if sends > 1 && !oneway && open.shelf.is_free() {
                    // Whoever waits next for one of them writes them all.
                    self.deferred = Some(conn);
                    return;
                }
                let may = after.job.is_none() && sends <= self.alone && !oneway;
                match open.writer.take_if(|writer| may && writer.is_empty()) {
                    Some(mut writer) => {
                        let patient = sends > 1;
                        if !patient {
                            writer.fill(|| self.engine.poll_frame(conn));
                        }
                        after.job = Some(Job { conn, sink: open.sink.clone(), writer, patient });
                    }
                    None => after.wakers.extend(open.waker.take()),
                }
            }
            Command::Close { conn, .. } => match self.links.get_mut(&conn) {
                Some(Link::Open(open)) => after.shutdowns.push(open.sink.clone()),
                // A thread in the middle of connecting, or of looking a name up, can't be told:
                // the engine does not wait for it, and it finds its link gone.
                Some(Link::Connecting { waker, dial }) => {
                    after.wakers.extend(waker.take());
                    let dial = dial.take().map(|dial| dial.given_up(now));
                    self.links.remove(&conn);
                    let error = dial.unwrap_or(ConnectError::Aborted);
                    self.engine.handle(now, Input::ConnectFailed { conn, error });
                }
                None => {}
            },
        }
    }

    /// Ends every wait with an error: nobody moves bytes any more.
    fn abandon(&mut self, after: &mut After) {
        if std::mem::replace(&mut self.gone, true) {
            return;
        }
        self.cut_short = !self.stopped;
        self.stopped = true;
        self.waiting.abandon(&mut after.wakers);
        self.queueing.take_all(&mut after.wakers);
        after.wakers.extend(self.stops.take_all());
        after.wakers.extend(self.pump.take());
        for (_, consumer) in std::mem::take(&mut self.consumers) {
            after.wakers.extend(consumer.waker);
        }
        for (_, link) in std::mem::take(&mut self.links) {
            match link {
                Link::Connecting { waker, dial: _ } => after.wakers.extend(waker),
                Link::Open(open) => {
                    after.wakers.extend(open.waker);
                    after.shutdowns.push(open.sink);
                }
            }
        }
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
