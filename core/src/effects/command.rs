//! What the adapter is to do.

use crate::allocation::Job;
use crate::error::CloseReason;
use crate::fetch::{FetchId, Url};
use crate::id::ConnectionId;
use crate::name::Endpoint;
use crate::offsets::{LoadJob, SaveJob};

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
    /// Frames wait. With a [`Session`](crate::engine::Session): write what `to_write` gives, until
    /// it gives nothing; else take frames with `poll_frame` until it gives none, and write them.
    Transmit {
        /// The connection.
        conn: ConnectionId,
    },
    /// Close the connection, or stop connecting. Ends in `Closed`, or in `ConnectFailed`.
    Close {
        /// The connection.
        conn: ConnectionId,
        /// What ended it.
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
    /// Compute this, outside of the engine and of whatever lock is held for it. Ends in `Computed`.
    Compute {
        /// What: its [`run`](Job::run) gives what to tell.
        job: Job,
    },
    /// Load these offsets, on a thread that may block. Ends in `Loaded`. Comes of consumers that
    /// broadcast or have a store of their own, and of no others.
    Load {
        /// Which: its [`run`](LoadJob::run) gives what to tell.
        job: LoadJob,
    },
    /// Save these offsets, on a thread that may block. Ends in `Saved`. One consumer's loads and
    /// saves never overlap with others of their kind.
    Save {
        /// Which: its [`run`](SaveJob::run) gives what to tell.
        job: SaveJob,
    },
}
