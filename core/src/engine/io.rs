//! What goes in and what comes out.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::body::{ConsumerList, RouteBody};
use crate::error::{CloseReason, ConnectError, QueryError, SendError};
use crate::fetch::{FetchError, FetchId, Url};
use crate::frame::{Content, Frame, FrameError, Kind, Opaque, ResponseCode};
use crate::id::{ConnectionId, OpId, SubscriptionId};
use crate::message::{Publish, RecordList};
use crate::name::{Endpoint, Group, Topic};
use crate::producer::SendReceipt;
use crate::query::{Answer, QueueName};
use crate::time::UnixMillis;

/// What happened in the world. Frames come by [`Engine::handle_frames`].
///
/// [`Engine::handle_frames`]: crate::engine::Engine::handle_frames
#[derive(Clone, Debug)]
pub enum Input {
    /// The socket asked for by `Connect` is there.
    Connected {
        /// Which.
        conn: ConnectionId,
    },
    /// The socket asked for by `Connect` could not be had, or was given up on `Close`.
    ConnectFailed {
        /// Which.
        conn: ConnectionId,
        /// Why.
        error: ConnectError,
    },
    /// A connected socket is gone. Comes once, whoever closed it.
    Closed {
        /// Which.
        conn: ConnectionId,
        /// Why.
        reason: CloseReason,
        /// The frames taken by `poll_frame` whose last byte was never given to the system: the
        /// peer can't have seen them whole.
        unsent: Vec<Opaque>,
    },
    /// The peer's bytes are not frames: the connection is closed.
    Malformed {
        /// Which.
        conn: ConnectionId,
        /// What was wrong.
        error: FrameError,
    },
    /// Time passed.
    Timeout,
    /// The page asked for by `Fetch` is there, or could not be had. One that came too late is let
    /// drop.
    Fetched {
        /// Which.
        fetch: FetchId,
        /// The page, or why there is none.
        result: Result<Bytes, FetchError>,
    },
    /// The wall clock was read: it may have been set, or the process may have slept.
    ClockSync {
        /// What it shows now.
        unix: UnixMillis,
    },
}

/// What the engine wants done. Exhaustive on purpose: an adapter that compiles does them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect to a peer. Ends in one `Connected` or one `ConnectFailed`.
    Connect {
        /// The connection's id from now on.
        conn: ConnectionId,
        /// Where to; looking the name up is the adapter's work.
        endpoint: Endpoint,
    },
    /// Frames wait: take them with `poll_frame` until it gives none, and write them.
    Transmit {
        /// Whose.
        conn: ConnectionId,
    },
    /// Close the connection, or stop connecting. Ends in `Closed`, or in `ConnectFailed`.
    Close {
        /// Which.
        conn: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// Get this page, the list of nameservers, by HTTP. Ends in `Fetched`; it may be given up once
    /// [`Engine::is_fetching`](crate::engine::Engine::is_fetching) says that nobody waits for it.
    Fetch {
        /// The request's id.
        fetch: FetchId,
        /// The page.
        url: Url,
    },
}

/// What became of what the application asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A send has ended.
    Sent {
        /// Which.
        op: OpId,
        /// The message, given back: its body may be the application's own memory, which it alone
        /// should free.
        publish: Arc<Publish>,
        /// How.
        result: Result<SendReceipt, SendError>,
    },
    /// A oneway send was given to the writer of its connection.
    Handed {
        /// Which.
        op: OpId,
        /// The message, given back.
        publish: Arc<Publish>,
    },
    /// A query has ended.
    Answered {
        /// Which.
        op: OpId,
        /// How.
        result: Result<Answer, QueryError>,
    },
    /// A consumer has messages: take them with `poll_batch` until it gives none.
    Deliverable {
        /// Which.
        sub: SubscriptionId,
    },
    /// A consumer has left its group: nothing more will come.
    Left {
        /// Which.
        sub: SubscriptionId,
    },
    /// Something worth a line in a log.
    Note(Note),
    /// The shutdown is complete: every connection is closed, every call has ended.
    Stopped,
}

/// One change of state that an operator would want to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A connection could not be made; tries that follow are not reported until one succeeds.
    ConnectFailed {
        /// The peer.
        endpoint: Endpoint,
        /// Why.
        error: ConnectError,
    },
    /// A connection is back.
    Reconnected {
        /// The peer.
        endpoint: Endpoint,
    },
    /// A connection is gone.
    Closed {
        /// The peer.
        endpoint: Endpoint,
        /// Why.
        reason: CloseReason,
    },
    /// The address server tells other nameservers than before.
    NameServers {
        /// All it tells.
        servers: Vec<Endpoint>,
    },
    /// The address server could not be asked, or its list is none: the last one stays. Failures
    /// that follow are not reported until one request succeeds.
    FetchFailed {
        /// The page.
        url: Url,
        /// Why.
        error: FetchError,
    },
    /// A consumer's share of queues changed.
    Rebalanced {
        /// Its group.
        group: Group,
        /// The topic.
        topic: Topic,
        /// Queues it has now.
        share: usize,
        /// Members of the group.
        members: usize,
    },
    /// The broker says that the offset asked for is not in the queue: some messages are gone.
    OffsetMoved {
        /// The queue.
        queue: QueueName,
        /// The offset asked for.
        from: i64,
        /// The offset the broker gives instead.
        to: i64,
    },
    /// A broker refused a pull.
    PullRefused {
        /// The queue.
        queue: QueueName,
        /// The broker's code.
        code: ResponseCode,
        /// The broker's words.
        remark: Option<Arc<str>>,
    },
}

impl Note {
    /// Whether it tells of trouble.
    pub const fn is_trouble(&self) -> bool {
        match self {
            Self::Reconnected { .. } | Self::Rebalanced { .. } | Self::NameServers { .. } => false,
            Self::ConnectFailed { .. }
            | Self::FetchFailed { .. }
            | Self::Closed { .. }
            | Self::OffsetMoved { .. }
            | Self::PullRefused { .. } => true,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed { endpoint, error } => {
                write!(f, "no connection to {endpoint}: {error}")
            }
            Self::Reconnected { endpoint } => write!(f, "connected to {endpoint} again"),
            Self::Closed { endpoint, reason } => {
                write!(f, "connection to {endpoint} is gone: {reason}")
            }
            Self::NameServers { servers } => {
                let servers: Vec<_> = servers.iter().map(Endpoint::as_str).collect();
                write!(f, "nameservers are {}", servers.join(";"))
            }
            Self::FetchFailed { url, error } => write!(f, "no nameservers from {url}: {error}"),
            Self::Rebalanced { group, topic, share, members } => {
                write!(f, "group {group} has {members} members; {share} queues of {topic} are ours")
            }
            Self::OffsetMoved { queue: QueueName { topic, broker, queue }, from, to } => {
                write!(f, "queue {queue} of {topic} on {broker} has no offset {from}: on at {to}")
            }
            Self::PullRefused { queue: QueueName { topic, broker, queue }, code, remark } => {
                let remark = remark.as_deref().unwrap_or_default();
                write!(f, "pull of queue {queue} of {topic} on {broker} refused: {code} {remark}")
            }
        }
    }
}

/// A frame whose body has been read as well, so that nothing of it is left to do under a lock.
#[derive(Debug)]
pub struct Arrived {
    pub(crate) opaque: Opaque,
    pub(crate) content: Content,
    pub(crate) body: Body,
    pub(crate) size: usize,
}

/// A body, read as the kind of its answer tells.
#[derive(Debug)]
pub(crate) enum Body {
    /// Nothing here reads it; dropped after the lock, with the frame.
    None,
    Route(Result<RouteBody, crate::body::BodyError>),
    Members(Result<ConsumerList, crate::body::BodyError>),
    Records(RecordList),
    /// As it came, for whoever asked.
    Raw(Bytes),
}

impl From<Frame> for Arrived {
    fn from(frame: Frame) -> Self {
        let Frame { opaque, version: _, content, body, size } = frame;
        let good = matches!(&content, Content::Reply(reply) if reply.code == ResponseCode::SUCCESS);
        let body = match opaque.kind() {
            Some(Kind::Route) if good => Body::Route(RouteBody::parse(&body)),
            Some(Kind::ConsumerList) if good => Body::Members(ConsumerList::parse(&body)),
            Some(Kind::Pull) if good => Body::Records(RecordList::cut(body)),
            Some(Kind::Fields) => Body::Raw(body),
            _ => Body::None,
        };
        Self { opaque, content, body, size }
    }
}

impl Arrived {
    /// Bytes the frame took on the wire, its length field included.
    pub const fn size(&self) -> usize {
        self.size
    }
}
