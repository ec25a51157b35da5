//! Getting the page of an address server, on a thread that may block.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::client::adapter::Shared;
use rocketry_core::config::SocketOptions;
use rocketry_core::dial::Dial;
use rocketry_core::driver::{Download, request};
use rocketry_core::error::ConnectError;
use rocketry_core::fetch::{FetchError, FetchId, Url};

use crate::base::{self, Clocks};
use crate::socket::Stream;

/// Bytes read at once.
const READ: usize = 4 << 10;
/// How often a thread looks whether the page is still waited for.
const LOOK: Duration = Duration::from_millis(250);

/// Gets a page, until nobody waits for it.
pub(crate) fn fetch(
    shared: &Shared,
    fetch: FetchId,
    url: &Url,
    clocks: Clocks,
    options: &SocketOptions,
) {
    let resolved = base::resolve(url.endpoint()).map_err(ConnectError::unresolved);
    let connected = resolved.and_then(|addresses| {
        let dial = Dial::new(addresses, shared.connect_timeout());
        Stream::connect(dial, options, clocks, |_| shared.is_fetching(fetch))
    });
    let connected = connected.map_err(FetchError::Connect);
    let wanted = || shared.is_fetching(fetch);
    let result = connected.and_then(|stream| page(&stream.into(), url, wanted));
    // Where nobody waits, this tells nobody.
    shared.fetched(fetch, result);
}

fn page(mut stream: &TcpStream, url: &Url, wanted: impl Fn() -> bool) -> Result<Bytes, FetchError> {
    stream.set_read_timeout(Some(LOOK))?;
    // The request is shorter than any buffer of the system's.
    stream.set_write_timeout(Some(LOOK))?;
    stream.write_all(&request(url))?;
    let (mut download, mut space) = (Download::default(), vec![0; READ]);
    loop {
        let read = match stream.read(&mut space) {
            Err(error) if is_pause(&error) && wanted() => continue,
            read => read,
        };
        if let Some(page) = download.step(read.map(|count| &space[..count]))? {
            return Ok(page);
        }
    }
}

/// Unix says that it would block, Windows that the time is over.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
