//! What happened in the world.

use bytes::Bytes;

use crate::allocation::Computed;
use crate::error::{CloseReason, ConnectError};
use crate::fetch::{FetchError, FetchId};
use crate::frame::{FrameError, Opaque};
use crate::id::ConnectionId;
use crate::offsets::{LoadedOffsets, SavedOffsets};
use crate::time::UnixMillis;

/// What happened in the world. Frames come by [`Engine::handle_frames`].
///
/// [`Engine::handle_frames`]: crate::engine::Engine::handle_frames
#[derive(Clone, Debug)]
pub enum Input {
    /// The socket asked for by `Connect` is there.
    Connected {
        /// The connection.
        conn: ConnectionId,
    },
    /// The socket asked for by `Connect` could not be had, or was given up on `Close`.
    ConnectFailed {
        /// The connection.
        conn: ConnectionId,
        /// What went wrong.
        error: ConnectError,
    },
    /// A connected socket is gone. Comes once, whoever closed it.
    Closed {
        /// The connection.
        conn: ConnectionId,
        /// What ended it.
        reason: CloseReason,
        /// The frames taken by `poll_frame` whose last byte was never given to the system: the
        /// peer can't have seen them whole.
        unsent: Vec<Opaque>,
        /// The first of those, if some of its bytes were given to the system: a peer that will not
        /// take such a frame, for being too large, closes its connection in the middle of it.
        begun: Option<Opaque>,
    },
    /// The peer's bytes are not frames: the connection is closed.
    Malformed {
        /// The connection.
        conn: ConnectionId,
        /// What was wrong.
        error: FrameError,
    },
    /// Time passed.
    Timeout,
    /// The page asked for by `Fetch` is there, or could not be had. One that came too late is let
    /// drop.
    Fetched {
        /// The request for the page.
        fetch: FetchId,
        /// The page, or why there is none.
        result: Result<Bytes, FetchError>,
    },
    /// What `Compute` asked for is computed. One that comes too late is let drop.
    Computed {
        /// What the job came to.
        done: Computed,
    },
    /// The offsets that `Load` asked for are there, or could not be had. Those that come too late
    /// are let drop.
    Loaded {
        /// What the job came to.
        done: LoadedOffsets,
    },
    /// The offsets that `Save` gave are saved, or could not be. What comes too late is let drop.
    Saved {
        /// What the job came to.
        done: SavedOffsets,
    },
    /// The wall clock was read: it may have been set, or the process may have slept.
    ClockSync {
        /// What it shows now.
        unix: UnixMillis,
    },
}
