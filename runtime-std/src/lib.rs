//! Sockets, name lookups and timers on plain threads for the Rocketry RocketMQ client.
//!
//! [`connect`] gives a [`Client`] whose bytes are moved by threads of its own: one that keeps time,
//! and a reader and a writer for each connection. No async runtime is anywhere in this crate's
//! tree. The handles are those of `rocketry-core`, the same on every runtime.
//!
//! [`base`] is what the adapters for other runtimes take from here.

pub mod base;
mod page;
mod socket;

use std::io;
use std::sync::Arc;
use std::thread;

use rocketry_core::client::Client;
use rocketry_core::client::adapter::{Clock as _, Host, Shared, Step, Work};
use rocketry_core::config::{Config, ConfigError, SocketOptions};
use rocketry_core::dial::Dial;
#[cfg(feature = "tls")]
use rocketry_core::driver::Secured;
use rocketry_core::driver::{Blocking, Wrote, read_all, write_next};
use rocketry_core::error::ConnectError;
use rocketry_core::id::ConnectionId;
use rocketry_core::name::Endpoint;

use base::{Begun, Clocks, spawn, waker};
pub use base::{ClientError, config_from_env};
use socket::Stream;

/// Up to so many sends in flight, the thread that sends one writes it.
const ALONE: u32 = 32;

/// A client on threads of its own.
///
/// `config` is a list of nameservers (`"127.0.0.1:9876"`, several joined by `;`), the `http://`
/// page of an address server that lists them, or a [`Config`],
/// such as [`config_from_env`] gives.
/// Nothing is sent before the first use of a producer or consumer, so a nameserver that is not
/// there shows as an error of the first call, by its deadline. The threads end when the client has
/// shut down, which dropping its last handle starts.
pub fn connect<C>(config: C) -> Result<Client, ClientError>
where
    C: TryInto<Config>,
    ConfigError: From<C::Error>,
{
    let Begun { shared, clocks, options } = base::begin(config, || Ok(Threads))?;
    let pump = shared.clone();
    spawn("rocketry-pump", move || run(&pump, clocks, options))?;
    Ok(Client::new(shared))
}

#[derive(Clone)]
struct Threads;

impl Host for Threads {
    fn may_block(&self) -> bool {
        true
    }

    /// Waking another thread costs more than a write of one's own, until there is much to write.
    fn writes_alone(&self) -> u32 {
        ALONE
    }

    fn yield_now(&self) {
        thread::yield_now();
    }

    fn spawn(&self, work: Work) -> io::Result<()> {
        base::run(work)
    }
}

/// Ends the client's calls with an error if its pump panics.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Keeps time and makes connections until the client has stopped.
fn run(shared: &Arc<Shared>, clocks: Clocks, options: SocketOptions) {
    let _guard = Guard(shared);
    let waker = waker();
    loop {
        match shared.step(&waker) {
            Step::Connect(conn, endpoint) => {
                let own = shared.clone();
                let run = move || connection(&own, conn, &endpoint, clocks, &options);
                if let Err(error) = spawn("rocketry-read", run) {
                    shared.connect_failed(conn, ConnectError::from(error));
                }
            }
            Step::Fetch(fetch, url) => {
                let own = shared.clone();
                let run = move || page::fetch(&own, fetch, &url, clocks, &options);
                if let Err(error) = spawn("rocketry-fetch", run) {
                    shared.fetched(fetch, Err(error.into()));
                }
            }
            Step::Wait(at) => {
                let left = at.since(clocks.now());
                if left.is_zero() {
                    if shared.tick() {
                        thread::yield_now();
                    }
                } else {
                    thread::park_timeout(left);
                }
            }
            Step::Done => return,
        }
    }
}

/// Makes one connection and reads from it until its end.
fn connection(
    shared: &Arc<Shared>,
    conn: ConnectionId,
    endpoint: &Endpoint,
    clocks: Clocks,
    options: &SocketOptions,
) {
    let resolved = base::resolve(endpoint).map_err(ConnectError::unresolved);
    let opened = resolved.and_then(|addresses| {
        let dial = Dial::new(addresses, shared.connect_timeout());
        Stream::connect(dial, options, clocks, |dial| shared.dialling(conn, dial))
    });
    match (opened, shared.tls()) {
        (Err(error), _) | (_, Err(error)) => shared.connect_failed(conn, error),
        (Ok(stream), Ok(None)) => carry(shared, conn, stream),
        // Without the feature there is no client that has it.
        #[cfg(not(feature = "tls"))]
        (Ok(_), Ok(Some(_))) => shared.connect_failed(conn, ConnectError::Aborted),
        #[cfg(feature = "tls")]
        (Ok(stream), Ok(Some(tls))) => {
            match Secured::open_here(shared, conn, (tls, endpoint), stream) {
                Ok(stream) => carry(shared, conn, stream),
                Err(error) => shared.connect_failed(conn, error),
            }
        }
    }
}

/// Runs a connection's two halves, reading in this thread.
fn carry(shared: &Arc<Shared>, conn: ConnectionId, stream: impl Blocking) {
    let stream = Arc::new(stream);
    if !shared.connected(conn, stream.clone()) {
        return;
    }
    let (own, sink) = (shared.clone(), stream.clone());
    let reason = match spawn("rocketry-write", move || write(&own, conn, &*sink)) {
        Ok(()) => read_all(shared, conn, &stream, &waker()),
        Err(error) => error.into(),
    };
    stream.shutdown();
    shared.ended(conn, reason);
}

fn write(shared: &Shared, conn: ConnectionId, stream: &impl Blocking) {
    let waker = waker();
    loop {
        match write_next(shared, conn, stream, &waker) {
            Wrote::Some => {}
            Wrote::Nothing => thread::park(),
            Wrote::Gone => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::trial;

    #[test]
    fn a_host_runs_what_blocks_and_what_is_polled() -> trial::Tried {
        trial::a_host_runs_what_blocks_and_what_is_polled(&Threads)
    }
}
