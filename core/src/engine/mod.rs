//! The whole client as one state machine: the only place where sub-machines meet.
//!
//! Four kinds of methods. *Getters* take `&self`. `handle_*` and [`handle`](Engine::handle) tell
//! what happened in the world; they can't fail: a bad peer is closed and reported. *Bare verbs*
//! come from the application; an error means refused now, with nothing sent. `poll_*` tell what
//! the world is to do; drain each until it gives `None`. The loop around them is on the [front
//! page](crate), what each method may change on that of [`Engine`].

mod calls;
mod carry;
mod check;
mod consumers;
mod dispatch;
mod ending;
mod heartbeat;
mod polling;
mod routes;
mod session;
mod snapshot;
mod transactions;

use std::sync::Arc;

pub use crate::route::TopicStats;
pub use crate::shutdown::ClientPhase;
pub use session::Session;
pub use snapshot::Snapshot;

pub use crate::allocation::{Computed, Job};
pub use crate::consumer::{ConsumerStats, QueueStats};
#[cfg(feature = "planted")]
pub use crate::effects::Planted;
pub use crate::effects::{
    Cancelled, Command, ConsumerTimer, Counters, Event, Fact, Input, Leftover, Note, TimerKind,
};
pub(crate) use crate::remoting::Body;
pub use crate::remoting::{ConnectionState, ConnectionStats, Decoder, InFrame};

pub use crate::broker::{BrokerStats, WindowStats};
use crate::broker::{Brokers, PROBES};
use crate::config::Config;
use crate::consumer::Consumers;
use crate::effects::Effects;
use crate::frame::{Kind, Opaque, OutFrame};
use crate::id::{ConnectionId, OpId};
use crate::name::Group;
use crate::nameserver::NameServers;
use crate::producer::Producers;
use crate::query::Queries;
use crate::remoting::{Context, Remoting};
use crate::rng::Rng;
use crate::route::Routes;
use crate::shutdown::Shutdown;
use crate::time::{Instant, UnixMillis};
use crate::transaction::Transactions;

/// A RocketMQ client without IO.
///
/// What may be new after a method, and is to be looked at before the loop waits. *Commands* are
/// what [`poll_command`] gives, *events* what [`poll_event`] does, and the *timeout* is
/// [`next_timeout`], which may be sooner or later then.
///
/// | after | commands | events | timeout |
/// |---|---|---|---|
/// | [`new`] | `Fetch`, of an address server | | new |
/// | [`handle`], [`handle_frames`] | any | any | new |
/// | [`send`], [`send_with`], [`query`] | `Connect`, `Transmit` | the call's end, `Note` | new |
/// | [`request`] | `Connect`, `Transmit` | any | new |
/// | [`cancel`] | as other calls begin | `Spent`, other calls' ends | new |
/// | [`begin_half`], [`resolve`] | as `send` | as `send`; `TransactionEnded` | new |
/// | [`answer_check`], [`leave_half`] | `Transmit` | `Check` | new |
/// | [`attend`], [`answer_for`] | `Connect`, `Transmit` | `Note` | new |
/// | [`answer_no_more`] | `Transmit` | | new |
/// | [`produce`] | `Transmit` | | new |
/// | [`subscribe`] | `Connect`, `Transmit`, `Load` | `Note` | new |
/// | [`settle`], [`batch_ended`] | `Connect`, `Transmit` | `Deliverable`, `Left` | new |
/// | [`drain`], [`leave`] | `Connect`, `Transmit`, `Save` | `Deliverable`, `Left` | new |
/// | [`poll_messages`], [`settle_polled`] | `Connect`, `Transmit` | `Left` | new |
/// | [`seek`], [`release`] | `Connect`, `Transmit` | `Deliverable`, `Left` | new |
/// | [`assign`] | `Connect`, `Transmit`, `Compute` | `TopicQueues`, `Note` | new |
/// | [`commit`] | `Transmit` | `Committed` | new |
/// | [`shutdown`] | any | any | new, or `None` |
/// | [`poll_frame`] | as other calls begin | `Handed`, `Spent`, other calls' ends | new |
/// | [`withdraw`], [`poll_batch`], other `poll_*`, getters | | | |
///
/// Frames wait for [`poll_frame`] once `Transmit` has named their connection, messages for
/// [`poll_batch`] once `Deliverable` has named their consumer. [`Session`] has the same methods for
/// what comes in, with bytes in place of frames.
///
/// [`poll_command`]: Self::poll_command
/// [`poll_event`]: Self::poll_event
/// [`next_timeout`]: Self::next_timeout
/// [`new`]: Self::new
/// [`handle`]: Self::handle
/// [`handle_frames`]: Self::handle_frames
/// [`send`]: Self::send
/// [`send_with`]: Self::send_with
/// [`request`]: Self::request
/// [`query`]: Self::query
/// [`cancel`]: Self::cancel
/// [`begin_half`]: Self::begin_half
/// [`resolve`]: Self::resolve
/// [`answer_check`]: Self::answer_check
/// [`leave_half`]: Self::leave_half
/// [`attend`]: Self::attend
/// [`answer_for`]: Self::answer_for
/// [`answer_no_more`]: Self::answer_no_more
/// [`produce`]: Self::produce
/// [`subscribe`]: Self::subscribe
/// [`settle`]: Self::settle
/// [`batch_ended`]: Self::batch_ended
/// [`drain`]: Self::drain
/// [`leave`]: Self::leave
/// [`poll_messages`]: Self::poll_messages
/// [`settle_polled`]: Self::settle_polled
/// [`release`]: Self::release
/// [`seek`]: Self::seek
/// [`assign`]: Self::assign
/// [`commit`]: Self::commit
/// [`shutdown`]: Self::shutdown
/// [`poll_frame`]: Self::poll_frame
/// [`withdraw`]: Self::withdraw
/// [`poll_batch`]: Self::poll_batch
#[derive(Debug)]
pub struct Engine {
    ctx: Context,
    names: NameServers,
    routes: Routes,
    brokers: Brokers,
    producers: Producers,
    queries: Queries,
    consumers: Consumers,
    transactions: Transactions,
    shutdown: Shutdown,
}

/// Figures of an engine at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of the application that have not ended.
    pub operations: usize,
    /// Requests without an answer.
    pub requests: usize,
    /// Sockets that exist or are being made.
    pub sockets: usize,
    /// Timers set.
    pub timers: usize,
}

impl Engine {
    /// An engine that has done nothing yet but ask for the list of nameservers, where there is an
    /// address server. `seed` decides all it draws; `unix` is the wall time
    /// at `now`. The configuration must have passed [`Config::check`].
    ///
    /// After this: commands, where there is an address server, and a timeout.
    pub fn new(config: Arc<Config>, seed: u64, now: Instant, unix: UnixMillis) -> Self {
        let mut fx = Effects::new(config, Rng::new(seed), now, unix);
        let (config, mut remoting) = (fx.config.clone(), Remoting::default());
        let names = NameServers::of(&mut fx, &mut remoting.peers);
        fx.timers.at(now + fx.rng.jitter(config.route_refresh_interval), TimerKind::Routes);
        fx.timers.at(now + fx.rng.jitter(config.heartbeat_interval), TimerKind::Heartbeat);
        fx.timers.at(now + config.commit_interval, TimerKind::Consumer(ConsumerTimer::Commit));
        if config.probe_isolated {
            fx.timers.at(now + PROBES, TimerKind::Probe);
        }
        let mut engine = Self {
            ctx: Context { fx, remoting },
            names,
            routes: Routes::default(),
            brokers: Brokers::default(),
            producers: Producers::default(),
            queries: Queries::default(),
            consumers: Consumers::default(),
            transactions: Transactions::new(seed),
            shutdown: Shutdown::default(),
        };
        engine.fetch_servers();
        engine
    }

    /// Gives the engine a fault, before anything else.
    #[cfg(feature = "planted")]
    pub fn plant(&mut self, fault: Planted) {
        self.ctx.fx.plant = fault.into();
    }

    /// The settings.
    pub fn config(&self) -> &Arc<Config> {
        &self.ctx.fx.config
    }

    /// The id brokers know this client by.
    pub fn client_id(&self) -> &Arc<str> {
        &self.ctx.fx.client_id
    }

    /// Figures of this moment.
    pub fn stats(&self) -> Stats {
        Stats {
            operations: self.ctx.fx.ops.len(),
            requests: self.ctx.remoting.calls.len(),
            sockets: self.ctx.remoting.peers.sockets(),
            timers: self.ctx.fx.timers.len(),
        }
    }

    /// Whether [`Event::Stopped`] has been given or waits to be.
    pub fn is_stopped(&self) -> bool {
        self.shutdown.is_stopped()
    }

    /// Moves the clock on, never back: threads read it before they lock.
    fn tick(&mut self, now: Instant) -> Instant {
        self.ctx.fx.now = self.ctx.fx.now.max(now);
        self.consumers.begin_turn();
        self.ctx.fx.now
    }

    /// Makes the producer group `group` part of what heartbeats say, until each call has had its
    /// [`withdraw`](Self::withdraw). Sends of a group that was not named work all the same; a
    /// broker then does not know who its producers are.
    ///
    /// After this: commands, timeout.
    pub fn produce(&mut self, now: Instant, group: &Group) {
        self.tick(now);
        let group = &self.ctx.fx.namespace.group(group);
        if self.producers.groups.enter(&mut self.brokers, group) {
            self.register_all();
        }
    }

    /// One of those that [`produce`](Self::produce) in the group does so no more. A minute after
    /// the last one the group is gone from heartbeats, and the brokers there is a connection to are
    /// told (`UNREGISTER_CLIENT`, 35), unless somebody produces in it again. Sends under way go on.
    ///
    /// After this: nothing at once.
    pub fn withdraw(&mut self, now: Instant, group: &Group) {
        let now = self.tick(now);
        self.producers.groups.withdraw(now, group);
    }

    /// The next thing to do for the adapter, oldest first.
    ///
    /// After this: nothing but what doing it brings.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.ctx.fx.commands.pop_front()
    }

    /// The commands that wait, for tests and traces.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.ctx.fx.commands.iter()
    }

    /// Whether there is something to do, or to tell: a command or an event.
    pub fn has_effects(&self) -> bool {
        !(self.ctx.fx.commands.is_empty() && self.ctx.fx.events.is_empty())
    }

    /// The next frame to write on a connection. A frame handed out counts as seen by the peer,
    /// unless [`Input::Closed`] says otherwise.
    ///
    /// After this: events of oneway sends, which end here, commands of sends for which they made
    /// room, timeout.
    pub fn poll_frame(&mut self, conn: ConnectionId) -> Option<OutFrame> {
        loop {
            let mut frame = self.ctx.remoting.peers.next_frame(conn, self.ctx.fx.now)?;
            let leaves = if frame.ends_call() {
                let (producers, ctx, mut ways) = self.producers();
                let opaque = frame.opaque;
                // From now on nobody waits for what becomes of it.
                frame.opaque = Opaque::new(Kind::Oneway, opaque.sequence());
                producers.handed(ctx, &mut ways, opaque)
            } else {
                self.ctx.hand_out(conn, &frame)
            };
            if leaves {
                return Some(frame);
            }
            self.ctx.pass_over(conn, frame);
        }
    }

    /// How many frames wait for the connection's writer.
    pub fn frames_on(&self, conn: ConnectionId) -> usize {
        self.ctx.remoting.peers.frames(conn)
    }

    /// Whether frames wait for the connection's writer.
    pub fn has_frames(&self, conn: ConnectionId) -> bool {
        self.ctx.remoting.peers.has_frames(conn)
    }

    /// Sends that wait for their answers on the connection: while they are few, the thread that
    /// sends may as well write, since there is little to write together with.
    pub fn sends_on(&self, conn: ConnectionId) -> u32 {
        self.ctx.remoting.peers.sends(conn)
    }

    /// Requests that wait for their answers on the connection.
    pub fn calls_on(&self, conn: ConnectionId) -> u32 {
        self.ctx.remoting.calls_on(conn)
    }

    /// The connection on which the request of a call of the application is under way, if nothing
    /// but sends and pulls is besides.
    pub fn awaits_on(&self, op: OpId) -> Option<ConnectionId> {
        let send = self.producers.get(op).map(|send| send.call);
        let asked = || self.queries.get(op).and_then(|asked| asked.call);
        let opaque = send.flatten().or_else(asked).or_else(|| self.transactions.call_of(op))?;
        self.ctx.remoting.awaits_on(opaque)
    }

    /// The connection on which messages are asked for, if all consumers ask on one, and nothing but
    /// sends is under way there besides: what comes next there are most likely messages.
    pub fn pulls_on(&self) -> Option<ConnectionId> {
        self.ctx.remoting.pulls_on()
    }

    /// Whether messages are asked for on the connection.
    pub fn has_pulls(&self, conn: ConnectionId) -> bool {
        self.ctx.remoting.has_pulls(conn)
    }

    /// Whether all requests under way on the connection, if any, are sends and pulls.
    pub fn only_messages(&self, conn: ConnectionId) -> bool {
        self.ctx.remoting.only_messages(conn)
    }

    /// Whether oneway messages wait for the connection's writer. Nobody waits for them, so there is
    /// time to gather some more.
    pub fn has_oneway(&self, conn: ConnectionId) -> bool {
        self.ctx.remoting.peers.has_oneway(conn)
    }

    /// The next thing to tell the application, oldest first.
    ///
    /// After this: nothing but what the application's next verbs bring.
    pub fn poll_event(&mut self) -> Option<Event> {
        let fx = &mut self.ctx.fx;
        fx.events.pop_front().or_else(|| fx.spent.take())
    }

    /// When to call with [`Input::Timeout`] if nothing else happens before, and what for. After a
    /// drain it lies in the future of the last `now`, unless more was due than one call handles:
    /// then it is due at once, and the next call goes on.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerKind)> {
        let notes = self.ctx.fx.throttle.due().map(|at| (at, TimerKind::Notes));
        self.ctx.fx.timers.next().into_iter().chain(notes).min_by_key(|(at, _)| *at)
    }

    /// As [`poll_timeout`](Self::poll_timeout), without the reason. `None` once the engine has
    /// stopped, and never before: a loop that waits for it ends there.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.ctx.fx.timers.next_at().into_iter().chain(self.ctx.fx.throttle.due()).min()
    }
}
