//! Futures of the application's, which may panic.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::contain::contained;

/// A future in its place; it may panic as it is dropped, too.
struct Held<'a, F>(Pin<&'a mut Option<F>>);

impl<F> Drop for Held<'_, F> {
    fn drop(&mut self) {
        contained(|| self.0.set(None));
    }
}

/// What the future comes to; `None` if it panics.
pub(super) async fn outcome<F: Future>(future: F) -> Option<F::Output> {
    let mut held = Held(pin!(Some(future)));
    poll_fn(|cx| {
        let polled = contained(|| match held.0.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx).map(Some),
            None => Poll::Ready(None),
        });
        polled.unwrap_or(Poll::Ready(None))
    })
    .await
}
