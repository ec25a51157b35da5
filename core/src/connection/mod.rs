//! One connection per peer: made when work comes, made again after a pause when it fails.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Idle | a frame to send, or `want` | Connecting |
//! | Connecting | connected | Connected |
//! | | failed, or `connect_timeout` | Backoff, its frames given back |
//! | Connected | closed | Backoff, its frames given back |
//! | | `close`, or requests time out and nothing comes back | Closing |
//! | | the peer goes away | Connected, leaving: nothing is sent, and closed when all is answered |
//! | Closing | closed | Backoff; without a pause where the peer went away |
//! | Backoff | the pause is over, work waits | Connecting |
//! | | the pause is over, no work | Idle |
//!
//! The pause doubles from `reconnect_min` to `reconnect_max`, each drawn within a quarter.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::engine::{Command, Context, Note, TimerKind};
use crate::error::{CloseReason, ConnectError, PeerKind};
use crate::frame::OutFrame;
use crate::id::{ConnectionId, Slots};
use crate::name::Endpoint;
use crate::time::Instant;
use crate::timer::TimerKey;

/// A peer by its address; small, dense, and the same for the life of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) u32);

#[derive(Debug)]
enum State {
    Idle,
    Backoff,
    Connecting {
        conn: ConnectionId,
        timer: TimerKey,
        slow: bool,
    },
    /// `leaving`: the peer said that it goes; nothing more is sent.
    Connected {
        conn: ConnectionId,
        leaving: bool,
    },
    Closing {
        conn: ConnectionId,
        reason: CloseReason,
    },
}

#[derive(Debug)]
struct Peer {
    endpoint: Endpoint,
    kind: PeerKind,
    state: State,
    queue: VecDeque<OutFrame>,
    /// `Transmit` was said and the queue has not been empty since.
    raised: bool,
    failures: u32,
    /// Keep connected even while nothing is to be sent.
    wanted: bool,
    /// Sends without an answer: while they are few, the caller may write by itself.
    sends: u32,
    /// When the first request left that nothing has come back since. Long polls do not count.
    unheard: Option<Instant>,
}

/// A peer that lost its connection, with the frames that had not been handed out.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) peer: PeerId,
    pub(crate) queued: VecDeque<OutFrame>,
}

/// All peers and their connections.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    list: Vec<Peer>,
    by_endpoint: HashMap<(bool, Endpoint), PeerId>,
    connections: Slots<ConnectionId, PeerId>,
    stopping: bool,
}

impl Peers {
    /// The peer of that kind at `endpoint`, known from now on.
    pub(crate) fn at(&mut self, kind: PeerKind, endpoint: &Endpoint) -> PeerId {
        let key = (kind == PeerKind::NameServer, endpoint.clone());
        if let Some(id) = self.by_endpoint.get(&key) {
            return *id;
        }
        let id = PeerId(self.list.len() as u32);
        self.list.push(Peer {
            endpoint: endpoint.clone(),
            kind,
            state: State::Idle,
            queue: VecDeque::new(),
            raised: false,
            failures: 0,
            wanted: false,
            sends: 0,
            unheard: None,
        });
        self.by_endpoint.insert(key, id);
        id
    }

    fn peer(&mut self, id: PeerId) -> &mut Peer {
        &mut self.list[id.0 as usize]
    }

    pub(crate) fn endpoint(&self, id: PeerId) -> &Endpoint {
        &self.list[id.0 as usize].endpoint
    }

    pub(crate) fn kind(&self, id: PeerId) -> PeerKind {
        self.list[id.0 as usize].kind
    }

    /// The peer behind a living connection.
    pub(crate) fn of(&self, conn: ConnectionId) -> Option<PeerId> {
        self.connections.get(conn).copied()
    }

    pub(crate) fn is_connected(&self, id: PeerId) -> bool {
        matches!(self.list[id.0 as usize].state, State::Connected { .. })
    }

    /// Whether the last try failed and the next one has not been made.
    pub(crate) fn is_down(&self, id: PeerId) -> bool {
        let peer = &self.list[id.0 as usize];
        match peer.state {
            State::Backoff => true,
            State::Connecting { .. } => peer.failures > 0,
            State::Idle | State::Connected { .. } | State::Closing { .. } => false,
        }
    }

    /// All peers with a connection.
    pub(crate) fn connected(&self) -> impl Iterator<Item = PeerId> {
        let all = (0..self.list.len() as u32).map(PeerId);
        all.filter(|id| self.is_connected(*id))
    }

    /// Sockets that exist or are being made.
    pub(crate) fn sockets(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn count_send(&mut self, id: PeerId, change: i32) {
        let peer = self.peer(id);
        peer.sends = peer.sends.saturating_add_signed(change);
    }

    /// Sends without an answer on the connection.
    pub(crate) fn sends(&self, conn: ConnectionId) -> u32 {
        self.of(conn).map_or(0, |id| self.list[id.0 as usize].sends)
    }

    /// Queues a frame, and connects if there is no connection.
    pub(crate) fn send(&mut self, ctx: &mut Context<'_>, id: PeerId, frame: OutFrame) {
        let peer = self.peer(id);
        peer.queue.push_back(frame);
        match peer.state {
            State::Idle => self.connect(ctx, id),
            State::Connected { conn, .. } if !peer.raised => {
                peer.raised = true;
                ctx.out.command(Command::Transmit { conn });
            }
            State::Connected { .. }
            | State::Connecting { .. }
            | State::Backoff
            | State::Closing { .. } => {}
        }
    }

    /// Keeps a connection to the peer from now on.
    pub(crate) fn want(&mut self, ctx: &mut Context<'_>, id: PeerId) {
        let peer = self.peer(id);
        peer.wanted = true;
        if matches!(peer.state, State::Idle) {
            self.connect(ctx, id);
        }
    }

    fn connect(&mut self, ctx: &mut Context<'_>, id: PeerId) {
        let peer = &mut self.list[id.0 as usize];
        if self.stopping {
            peer.state = State::Idle;
            return;
        }
        let conn = self.connections.insert(id);
        let timer = ctx.timers.after(ctx.now, ctx.config.connect_timeout, TimerKind::Connect(conn));
        peer.state = State::Connecting { conn, timer, slow: false };
        ctx.out.command(Command::Connect { conn, endpoint: peer.endpoint.clone() });
    }

    /// The adapter has a socket. `None`: it belongs to nobody any more.
    pub(crate) fn connected_now(
        &mut self,
        ctx: &mut Context<'_>,
        conn: ConnectionId,
    ) -> Option<PeerId> {
        let id = self.of(conn)?;
        let peer = &mut self.list[id.0 as usize];
        let State::Connecting { timer, slow, .. } = peer.state else { return None };
        ctx.timers.cancel(timer);
        if slow || self.stopping {
            // `Close` crossed the adapter's `Connected`: it closes, and says `Closed`.
            peer.state = State::Closing { conn, reason: CloseReason::Slow };
            return None;
        }
        peer.state = State::Connected { conn, leaving: false };
        if peer.failures > 0 {
            ctx.out.note(Note::Reconnected { endpoint: peer.endpoint.clone() });
        }
        peer.failures = 0;
        peer.raised = !peer.queue.is_empty();
        if peer.raised {
            ctx.out.command(Command::Transmit { conn });
        }
        Some(id)
    }

    /// The socket could not be had. The error is ours when we gave up.
    pub(crate) fn failed(
        &mut self,
        ctx: &mut Context<'_>,
        conn: ConnectionId,
        error: ConnectError,
    ) -> Option<(Lost, ConnectError)> {
        let id = self.of(conn)?;
        let State::Connecting { timer, slow, .. } = self.peer(id).state else { return None };
        ctx.timers.cancel(timer);
        // What is known of each address says more than that it took too long.
        let known = matches!(error, ConnectError::Addresses { .. });
        let error = match slow && !known {
            true => ConnectError::TimedOut(ctx.config.connect_timeout),
            false => error,
        };
        let peer = self.peer(id);
        if peer.failures == 0 {
            let endpoint = peer.endpoint.clone();
            ctx.out.note(Note::ConnectFailed { endpoint, error: error.clone() });
        }
        Some((self.lose(ctx, id, conn), error))
    }

    /// Why we closed the connection, if we did: the adapter sees only that it ended.
    pub(crate) fn blame(&self, conn: ConnectionId) -> Option<&CloseReason> {
        match &self.list[self.of(conn)?.0 as usize].state {
            State::Closing { reason, .. } => Some(reason),
            State::Idle | State::Backoff | State::Connecting { .. } | State::Connected { .. } => {
                None
            }
        }
    }

    /// The socket is gone.
    pub(crate) fn closed(
        &mut self,
        ctx: &mut Context<'_>,
        conn: ConnectionId,
        reason: &CloseReason,
    ) -> Option<Lost> {
        let id = self.of(conn)?;
        let stopping = self.stopping;
        let peer = self.peer(id);
        if !stopping {
            let endpoint = peer.endpoint.clone();
            ctx.out.note(Note::Closed { endpoint, reason: reason.clone() });
        }
        Some(self.lose(ctx, id, conn))
    }

    fn lose(&mut self, ctx: &mut Context<'_>, id: PeerId, conn: ConnectionId) -> Lost {
        self.connections.remove(conn);
        let stopping = self.stopping;
        let peer = self.peer(id);
        let asked = matches!(&peer.state, State::Closing { reason: CloseReason::GoAway, .. });
        (peer.raised, peer.unheard) = (false, None);
        let queued = std::mem::take(&mut peer.queue);
        if stopping {
            peer.state = State::Idle;
        } else {
            let doubled = ctx.config.reconnect_min.saturating_mul(1 << peer.failures.min(16));
            let pause = ctx.rng.jitter(doubled.min(ctx.config.reconnect_max));
            let pause = if asked { Duration::ZERO } else { pause.min(ctx.config.reconnect_max) };
            peer.failures = peer.failures.saturating_add(u32::from(!asked));
            peer.state = State::Backoff;
            ctx.timers.at(ctx.now + pause, TimerKind::Reconnect(id));
        }
        Lost { peer: id, queued }
    }

    /// The pause after a failure is over.
    pub(crate) fn pause_over(&mut self, ctx: &mut Context<'_>, id: PeerId) {
        let peer = self.peer(id);
        if !matches!(peer.state, State::Backoff) {
            return;
        }
        if peer.queue.is_empty() && !peer.wanted {
            peer.state = State::Idle;
        } else {
            self.connect(ctx, id);
        }
    }

    /// `connect_timeout` is over: the adapter is told to give up.
    pub(crate) fn too_slow(&mut self, ctx: &mut Context<'_>, conn: ConnectionId) {
        let Some(id) = self.of(conn) else { return };
        if let State::Connecting { slow, .. } = &mut self.peer(id).state {
            *slow = true;
            ctx.out.command(Command::Close { conn, reason: CloseReason::Slow });
        }
    }

    /// Closes a peer's connection; it may be made again.
    pub(crate) fn close(&mut self, ctx: &mut Context<'_>, conn: ConnectionId, why: CloseReason) {
        let Some(id) = self.of(conn) else { return };
        let peer = self.peer(id);
        match &mut peer.state {
            State::Connected { .. } => {
                peer.state = State::Closing { conn, reason: why.clone() };
            }
            State::Connecting { slow, .. } if !*slow => *slow = true,
            State::Connecting { .. } | State::Closing { .. } | State::Idle | State::Backoff => {
                return;
            }
        }
        ctx.out.command(Command::Close { conn, reason: why });
    }

    /// A request that is to be answered soon was handed out.
    pub(crate) fn asked(&mut self, conn: ConnectionId, now: Instant) {
        if let Some(id) = self.of(conn) {
            self.peer(id).unheard.get_or_insert(now);
        }
    }

    /// Something came from the peer.
    pub(crate) fn heard(&mut self, id: PeerId) {
        self.peer(id).unheard = None;
    }

    /// A request to the peer timed out. If nothing at all came back for `limit`, the connection is
    /// dead without a word, and another one has to be made (Java: `clientCloseSocketIfTimeout`).
    pub(crate) fn close_if_silent(&mut self, ctx: &mut Context<'_>, id: PeerId, limit: Duration) {
        let peer = self.peer(id);
        let silent = peer.unheard.map(|since| ctx.now.since(since)).filter(|time| *time >= limit);
        if let (Some(time), State::Connected { conn, .. }) = (silent, &peer.state) {
            let conn = *conn;
            self.close(ctx, conn, CloseReason::Silent(time));
        }
    }

    /// Closes every connection and makes no further one.
    pub(crate) fn stop(&mut self, ctx: &mut Context<'_>) {
        self.stopping = true;
        for conn in self.connections.ids() {
            self.close(ctx, conn, CloseReason::Stopping);
        }
    }

    /// The next frame for a connection's writer.
    pub(crate) fn next_frame(&mut self, conn: ConnectionId) -> Option<OutFrame> {
        let id = self.of(conn)?;
        let peer = self.peer(id);
        if !matches!(peer.state, State::Connected { leaving: false, .. }) {
            return None;
        }
        let frame = peer.queue.pop_front();
        // A bounded drain may stop at the last frame without asking again.
        peer.raised = !peer.queue.is_empty();
        frame
    }

    /// Whether frames wait for a connection's writer.
    pub(crate) fn has_frames(&self, conn: ConnectionId) -> bool {
        let Some(id) = self.of(conn) else { return false };
        let peer = &self.list[id.0 as usize];
        !peer.queue.is_empty() && !matches!(peer.state, State::Connected { leaving: true, .. })
    }

    /// The peer said that it goes: nothing more is handed out for its connection.
    pub(crate) fn leave(&mut self, id: PeerId) {
        let peer = self.peer(id);
        if let State::Connected { leaving, .. } = &mut peer.state {
            // As if `Transmit` had been said: what comes is for the next connection.
            (*leaving, peer.raised) = (true, true);
        }
    }

    /// The connection of a peer that said that it goes.
    pub(crate) fn leaving(&self, id: PeerId) -> Option<ConnectionId> {
        match self.list[id.0 as usize].state {
            State::Connected { conn, leaving: true } => Some(conn),
            _ => None,
        }
    }

    /// Brokers that are not among `used` need no connection any more.
    pub(crate) fn want_only(&mut self, used: &BTreeSet<PeerId>) {
        for (id, peer) in self.list.iter_mut().enumerate() {
            peer.wanted &= peer.kind != PeerKind::Broker || used.contains(&PeerId(id as u32));
        }
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        for (conn, id) in self.connections.iter() {
            let state = &self.list[id.0 as usize].state;
            let (State::Connecting { conn: own, .. }
            | State::Connected { conn: own, .. }
            | State::Closing { conn: own, .. }) = state
            else {
                panic!("{conn:?} of {id:?} in state {state:?}");
            };
            assert_eq!(*own, conn, "a peer has one connection");
        }
        for peer in &self.list {
            let waits = peer.queue.is_empty() || !matches!(peer.state, State::Idle);
            assert!(waits || self.stopping, "{} has frames and no connection", peer.endpoint);
            let seen = matches!(peer.state, State::Connected { .. });
            assert!(!seen || peer.queue.is_empty() || peer.raised, "{} waits", peer.endpoint);
        }
    }
}
