//! Getting the page of an address server, for runtimes of tasks.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::fetch::{Download, request};
use super::poll::{Runtime, Socket, Timer, dial_first};
use crate::client::adapter::{Shared, Sink};
use crate::error::ConnectError;
use crate::fetch::{FetchError, FetchId, Url};

/// Bytes read at once.
const READ: usize = 4 << 10;
/// How often a task looks whether the page is still waited for.
const LOOK: Duration = Duration::from_millis(250);

/// Gets a page, until nobody waits for it.
pub(super) async fn fetch<R: Runtime>(shared: Arc<Shared>, runtime: R, fetch: FetchId, url: Url) {
    let mut getting = pin!(page(&runtime, &url, shared.connect_timeout()));
    let mut timer = runtime.timer();
    let mut look = runtime.now() + LOOK;
    let result = poll_fn(|cx| {
        if let Poll::Ready(result) = getting.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        loop {
            let now = runtime.now();
            if now < look && timer.poll_at(cx, look, now).is_pending() {
                return Poll::Pending;
            }
            if !shared.is_fetching(fetch) {
                return Poll::Ready(None);
            }
            look = runtime.now() + LOOK;
        }
    })
    .await;
    if let Some(result) = result {
        shared.fetched(fetch, result);
    }
}

async fn page<R: Runtime>(runtime: &R, url: &Url, within: Duration) -> Result<Bytes, FetchError> {
    let addresses = runtime.resolve(url.endpoint().clone()).await;
    let addresses = addresses.map_err(ConnectError::unresolved).map_err(FetchError::Connect)?;
    let socket = dial_first(runtime, addresses, within, |_| {}).await;
    let socket = socket.map_err(FetchError::Connect)?;
    write(&socket, &request(url)).await?;
    let (mut download, mut space) = (Download::default(), vec![0; READ]);
    loop {
        let read = poll_fn(|cx| socket.poll_read(cx, &mut space)).await;
        if let Some(page) = download.step(read.map(|count| &space[..count]))? {
            return Ok(page);
        }
    }
}

async fn write<S: Socket>(socket: &S, mut bytes: &[u8]) -> io::Result<()> {
    poll_fn(|cx| {
        while !bytes.is_empty() {
            match Sink::try_write(socket, &[IoSlice::new(bytes)]) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.poll_writable(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}
