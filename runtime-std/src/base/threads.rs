//! Threads, and what runs on one of its own.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use rocketry_core::client::adapter::Work;

/// Name of the threads that do a client's [`Work`].
const WORK: &str = "rocketry-work";

/// A thread with as much stack as any of the standard library's (2 MiB, or `RUST_MIN_STACK`): it
/// calls wakers, log appenders and handlers of the user's, which may be deep. What is not used
/// costs no memory.
///
/// # Errors
///
/// When the system gives no thread.
pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Does work on a thread of its own, whatever it is.
///
/// # Errors
///
/// When the system gives no thread.
pub fn run(work: Work) -> io::Result<()> {
    match work {
        Work::Blocking(run) => spawn(WORK, run),
        Work::Task(task) => spawn(WORK, || block_on(task)),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Wakes this thread where it is parked.
pub(crate) fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Polls a future to its end, and parks this thread in between.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let (mut future, waker) = (pin!(future), waker());
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
