//! One connection per peer: made when work comes, made again after a pause when it fails, closed
//! when nobody uses it.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Idle | a frame to send, or `want` | Connecting |
//! | | wanted, and the long pause is over | Connecting |
//! | Connecting | connected | Connected |
//! | | failed, or `connect_timeout` | Backoff, or Idle if that took long; its frames given back |
//! | Connected | closed | Backoff, its frames given back |
//! | | `close`, or requests are overdue and nothing comes back | Closing |
//! | | nothing went either way for `max_idle`, and nobody waits | Closing |
//! | | the peer says that it goes | Idle the first time; Backoff when it goes on saying so |
//! | Closing | closed | Backoff; Idle if nobody used it |
//! | Backoff | the pause is over, work waits | Connecting |
//! | | the pause is over, no work | Idle |
//!
//! `reconnect.rs` makes connections and ends them, `leaving.rs` lets go of those whose peer said
//! that it goes, `queue.rs` keeps what waits for their writers, `liveness.rs` watches what they
//! say, `pool.rs` spreads sends over several of them.

mod forget;
mod leaving;
mod liveness;
mod pool;
mod queue;
mod reconnect;
mod stats;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use leaving::Leaving;
pub use stats::{ConnectionState, ConnectionStats};

use crate::error::{CloseReason, PeerKind};
use crate::fifo::Fifo;
use crate::frame::OutFrame;
use crate::id::{ConnectionId, PeerId, Slots};
use crate::name::Endpoint;
use crate::time::Instant;
use crate::timer::TimerKey;

#[derive(Debug)]
enum State {
    Idle,
    /// `late`: until when a peer rests that is wanted and that no work waits for.
    Backoff {
        late: Instant,
    },
    Connecting {
        conn: ConnectionId,
        timer: TimerKey,
        slow: bool,
    },
    Connected {
        conn: ConnectionId,
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
    /// The peer this one is a lane of; itself if it is none.
    main: PeerId,
    /// Over which sends to it are spread; empty until the first one, and where there is no choice.
    lanes: Vec<PeerId>,
    /// For messages that the broker may close a connection for, once there was one.
    wide: Option<PeerId>,
    /// A try has run out without an answer, and nothing has come from the broker since.
    slow: bool,
    /// A timer is set that asks it whether that is over.
    probed: bool,
    /// Sends spread so far.
    turn: usize,
    state: State,
    /// Connections on which the peer said that it goes, beside the present one.
    leaving: Vec<Leaving>,
    queue: Fifo<OutFrame>,
    /// `Transmit` was said and the queue has not been empty since.
    raised: bool,
    /// Connections that could not be made, or were lost, since the peer last answered anything but
    /// that it goes.
    failures: u32,
    /// Its last connection ended before it had answered anything, and so it is still.
    unanswered: bool,
    /// Connections in a row that were lost soon after they had been made, whatever came on them.
    losses: u32,
    /// Connections in close succession on which the peer said that it goes.
    farewells: u32,
    /// When the present or last attempt to connect began.
    tried: Instant,
    /// Set while the peer rests.
    retry: Option<TimerKey>,
    /// Keep connected even while nothing is to be sent.
    wanted: bool,
    /// Sends without an answer: while they are few, the caller may write by itself.
    sends: u32,
    /// Bytes of the oneway messages that wait for the connection's writer.
    oneway: usize,
    /// Bytes of our answers that wait for it.
    answers: usize,
    /// Requests that have left on the connection and whose calls wait. Long polls do not count.
    owed: u32,
    /// When the first request left that no answer has come since.
    unheard: Option<Instant>,
    /// When the last answer came, if older requests still wait and none has left since.
    owing: Option<Instant>,
    /// Since when frames wait, the writer has taken none and no answer has come.
    untaken: Option<Instant>,
    /// When a part of a frame came last that is not whole yet, and may be an answer.
    part: Option<Instant>,
    /// A request has had no answer in time, and no other answer has come since.
    overdue: bool,
    /// A request of the peer's was dropped since so many answers wait for it, and none of ours has
    /// come since.
    unread: bool,
    /// Set while either is so.
    doubt: Option<TimerKey>,
    /// When the last answer came, or the connection was made.
    answered: Instant,
    /// When something last went either way.
    active: Instant,
    /// Set while connected, if idle connections are closed.
    idle: Option<TimerKey>,
    /// Looks in a row that found nobody who names it.
    unused: u8,
    /// The peer is nobody's: its place is for the next peer.
    free: bool,
}

/// A peer that lost a connection, with the frames that had not been handed out.
#[derive(Debug)]
pub(crate) struct Disconnect {
    pub(crate) peer: PeerId,
    pub(crate) queued: VecDeque<OutFrame>,
    /// The connection was the present one: what has not left yet is lost with it.
    pub(crate) present: bool,
}

impl Disconnect {
    fn of_leaving(peer: PeerId) -> Self {
        Self { peer, queued: VecDeque::new(), present: false }
    }
}

/// All peers and their connections.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    list: Vec<Peer>,
    by_endpoint: HashMap<(bool, Endpoint), PeerId>,
    /// Places of peers that were forgotten.
    freed: Vec<PeerId>,
    connections: Slots<ConnectionId, PeerId>,
    stopping: bool,
}

impl Peers {
    /// The peer of that kind at `endpoint`, known from now on.
    pub(crate) fn at(&mut self, kind: PeerKind, endpoint: &Endpoint) -> PeerId {
        let key = Self::key(kind, endpoint);
        if let Some(id) = self.by_endpoint.get(&key) {
            return *id;
        }
        let id = self.add(kind, endpoint.clone(), None);
        self.by_endpoint.insert(key, id);
        id
    }

    fn key(kind: PeerKind, endpoint: &Endpoint) -> (bool, Endpoint) {
        (kind == PeerKind::NameServer, endpoint.clone())
    }

    fn add(&mut self, kind: PeerKind, endpoint: Endpoint, main: Option<PeerId>) -> PeerId {
        let freed = self.freed.pop();
        let id = freed.unwrap_or(PeerId(self.list.len() as u32));
        let peer = Peer {
            endpoint,
            kind,
            main: main.unwrap_or(id),
            lanes: Vec::new(),
            wide: None,
            slow: false,
            probed: false,
            turn: 0,
            state: State::Idle,
            leaving: Vec::new(),
            queue: Fifo::new(),
            raised: false,
            failures: 0,
            unanswered: false,
            losses: 0,
            farewells: 0,
            tried: Instant::ZERO,
            retry: None,
            wanted: false,
            sends: 0,
            oneway: 0,
            answers: 0,
            owed: 0,
            unheard: None,
            owing: None,
            untaken: None,
            part: None,
            overdue: false,
            unread: false,
            doubt: None,
            answered: Instant::ZERO,
            active: Instant::ZERO,
            idle: None,
            unused: 0,
            free: false,
        };
        match freed {
            Some(id) => *self.peer(id) = peer,
            None => self.list.push(peer),
        }
        id
    }

    fn peer(&mut self, id: PeerId) -> &mut Peer {
        &mut self.list[id.0 as usize]
    }

    fn state(&self, id: PeerId) -> &State {
        &self.list[id.0 as usize].state
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
        matches!(self.state(id), State::Connected { .. })
    }

    /// Whether a connection to the peer is being made, or will be without anything else happening.
    pub(crate) fn is_sought(&self, id: PeerId) -> bool {
        let peer = &self.list[id.0 as usize];
        match peer.state {
            State::Connecting { .. } => true,
            State::Idle | State::Backoff { .. } => peer.wanted && peer.retry.is_some(),
            State::Closing { .. } => peer.wanted,
            State::Connected { .. } => false,
        }
    }

    /// The peer's connection, if it stands.
    pub(crate) fn connection(&self, id: PeerId) -> Option<ConnectionId> {
        match self.list[id.0 as usize].state {
            State::Connected { conn } => Some(conn),
            State::Idle
            | State::Backoff { .. }
            | State::Connecting { .. }
            | State::Closing { .. } => None,
        }
    }

    /// The brokers with a connection that is more than a lane.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = PeerId> {
        let all = (0..self.list.len() as u32).map(PeerId);
        all.filter(|id| self.is_connected(*id) && self.is_broker(*id))
    }

    /// Whether it is a broker, and no lane of one.
    pub(crate) fn is_broker(&self, id: PeerId) -> bool {
        self.kind(id) == PeerKind::Broker && self.main(id) == id
    }

    /// Whether the peer closes connections before it has answered anything on them.
    pub(crate) fn is_unanswered(&self, id: PeerId) -> bool {
        self.list[id.0 as usize].unanswered
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
        self.present(conn).map_or(0, |peer| peer.sends)
    }

    /// The peer whose present connection this is; one that its peer has left has no frames.
    fn present(&self, conn: ConnectionId) -> Option<&Peer> {
        let peer = &self.list[self.of(conn)?.0 as usize];
        let own = match &peer.state {
            State::Connecting { conn, .. }
            | State::Connected { conn }
            | State::Closing { conn, .. } => Some(*conn),
            State::Idle | State::Backoff { .. } => None,
        };
        (own == Some(conn)).then_some(peer)
    }

    /// Brokers that are not among `used` need no connection any more.
    pub(crate) fn want_only(&mut self, used: &BTreeSet<PeerId>) {
        for (id, peer) in self.list.iter_mut().enumerate() {
            peer.wanted &= peer.kind != PeerKind::Broker || used.contains(&PeerId(id as u32));
        }
    }

    /// `sends`: those under way, by the table of calls.
    pub(crate) fn check_sends(&self, sends: &BTreeMap<PeerId, u32>) {
        for (at, peer) in self.list.iter().enumerate().filter(|_| !self.stopping) {
            let under_way = sends.get(&PeerId(at as u32)).copied().unwrap_or_default();
            assert_eq!(peer.sends, under_way, "sends to {} are miscounted", peer.endpoint);
        }
    }

    /// What must hold between two calls.
    pub(crate) fn check(&self) {
        for (conn, id) in self.connections.iter() {
            let left = self.list[id.0 as usize].leaving.iter().any(|one| one.conn == conn);
            let state = self.state(*id);
            assert!(left || self.present(conn).is_some(), "{conn:?} of {id:?} in state {state:?}");
        }
        for peer in &self.list {
            let name = &peer.endpoint;
            let waits = peer.queue.is_empty() || !matches!(peer.state, State::Idle);
            assert!(waits || self.stopping, "{name} has frames and no connection");
            let seen = matches!(peer.state, State::Connected { .. });
            assert!(!seen || peer.queue.is_empty() || peer.raised, "{name} waits");
            let held = matches!(peer.state, State::Connected { .. } | State::Closing { .. });
            assert!(held || (peer.idle.is_none() && peer.doubt.is_none()), "{name} is watched");
            let rests = matches!(peer.state, State::Backoff { .. });
            assert!(!rests || peer.retry.is_some(), "{name} rests for ever");
        }
    }
}
