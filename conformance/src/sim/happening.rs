//! What is due at some moment.

use std::fmt;

use bytes::Bytes;
use rocketry_core::consumer::Handout;
use rocketry_core::engine::Computed;
use rocketry_core::error::CloseReason;
use rocketry_core::fetch::{FetchError, FetchId};

use super::app::ClientId;
use super::disk::DiskJob;
use super::link::{LinkId, Way};
use super::share::Routes;
use super::world::World;

/// Something that a test wants done later.
pub(super) struct Act(pub(super) Box<dyn FnOnce(&mut World)>);

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Act")
    }
}

/// What is due at some moment.
#[derive(Debug)]
pub(super) enum Happening {
    /// An attempt to connect succeeds.
    Connected(LinkId),
    /// An attempt to connect is refused.
    Refused(LinkId),
    /// The engine's own `Close` is done, or its attempt given up.
    Closed(LinkId),
    /// Bytes arrive.
    Arrived { link: LinkId, way: Way, bytes: Vec<u8> },
    /// The end of a direction arrives.
    Ended { link: LinkId, way: Way, reason: CloseReason },
    /// An address server answers.
    Fetched { client: ClientId, fetch: FetchId, result: Result<Bytes, FetchError> },
    /// What an engine wanted is computed.
    Computed { client: ClientId, done: Computed, routes: Routes },
    /// The disk comes to a load, or a save, of an engine's.
    Disk { client: ClientId, job: DiskJob },
    /// A consumer is done with some messages.
    Settle { client: ClientId, handout: Handout },
    /// It is done with one of them.
    Judge { client: ClientId, handout: Handout },
    /// It is done with one whose order matters, and may have the next one.
    InOrder { client: ClientId, one: Box<Handout>, rest: Box<Handout> },
    /// The test wants something done.
    Act(Act),
}
