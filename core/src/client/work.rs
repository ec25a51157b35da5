//! Work that runs beside a client: what its host spawns.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Work that a host runs to its end, beside the client's own: a worker that hands messages to a
/// handler, say. See [`Host::spawn`](super::adapter::Host::spawn).
pub enum Work {
    /// May block its thread as long as it likes: it has one of its own, on every runtime, and may
    /// [`wait`](super::Pending::wait) there. Pools of runtimes are for short work.
    Blocking(Box<dyn FnOnce() + Send>),
    /// Is polled to its end: a task of the runtime; on plain threads, one that does nothing else.
    Task(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking(_) => "Blocking",
            Self::Task(_) => "Task",
        })
    }
}
