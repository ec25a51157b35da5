//! Threads that wait.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::host::{Clock, Host};
use crate::time::Instant;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static UNPARK: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

/// What unparks this thread.
pub(super) fn own_waker() -> Waker {
    UNPARK.with(Waker::clone)
}

/// Blocks this thread until `poll` is ready.
pub(crate) fn block_on<T>(host: &dyn Host, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waker = own_waker();
    let mut cx = Context::from_waker(&waker);
    loop {
        let mut polled = poll(&mut cx);
        if polled.is_pending() {
            host.block(&mut || {
                while polled.is_pending() {
                    thread::park();
                    polled = poll(&mut cx);
                }
            });
        }
        if let Poll::Ready(result) = polled {
            return result;
        }
    }
}

/// Blocks this thread until `poll` is ready or the clock shows `deadline`.
pub(crate) fn block_until<T>(
    deadline: Instant,
    (clock, host): (&dyn Clock, &dyn Host),
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let waker = own_waker();
    let mut cx = Context::from_waker(&waker);
    let mut polled = poll(&mut cx);
    if polled.is_pending() {
        host.block(&mut || {
            while polled.is_pending() {
                let left = deadline.since(clock.now());
                if left.is_zero() {
                    return;
                }
                thread::park_timeout(left);
                polled = poll(&mut cx);
            }
        });
    }
    match polled {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
