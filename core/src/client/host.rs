//! What an adapter lends the handles.

use std::io;

use super::work::Work;
use crate::time::{Instant, UnixMillis};

/// The clocks that a client goes by, and the process that it is in.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// The wall clock.
    fn unix(&self) -> UnixMillis;

    /// The id of the process that asks. A child of `fork` has none of the threads that move its
    /// parent's bytes, and the parent's sockets are not its own: its calls are refused.
    fn process(&self) -> u32;
}

/// What an adapter lends the handles.
pub trait Host: Send + Sync + 'static {
    /// Whether the calling thread may wait: not if it is the one that has to do the work. Threads
    /// that [drive](super::adapter::is_own_thread) the client that is waited for are not asked
    /// about.
    fn may_block(&self) -> bool;

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
