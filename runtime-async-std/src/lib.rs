//! Sockets, name lookups and timers of `async-io` for the Rocketry RocketMQ client: for smol
//! (feature `smol`, the default) and for async-std (feature `async-std`).
//!
//! Both stand on the same reactor; only where tasks are spawned differs. The handles are those of
//! `rocketry-core`, the same on every runtime. async-std is discontinued (RUSTSEC-2025-0052): for
//! new programs take smol.

mod socket;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rocketry_core::client::Client;
use rocketry_core::client::adapter::Host;
use rocketry_core::config::{Config, ConfigError, SocketOptions};
use rocketry_core::driver::{Runtime, Timer, pump};
use rocketry_core::name::Endpoint;
use rocketry_core::time::{Instant, UnixMillis};
pub use rocketry_std::config_from_env;
use rocketry_std::host::{self, Begun, Clocks};

use socket::Stream;

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The settings can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The client on smol's global executor.
#[cfg(feature = "smol")]
pub mod smol {
    use super::{Client, ClientError, Config, ConfigError, start};

    /// A client on smol's global executor, whose threads (`SMOL_THREADS`) move its bytes.
    ///
    /// `config` is a list of nameservers (`"127.0.0.1:9876"`, several joined by `;`), the
    /// `http://` page of an address server that lists them, or a
    /// [`Config`], such as [`config_from_env`](crate::config_from_env) gives. Nothing is sent
    /// before the first use of a producer or consumer, so a nameserver that is not there shows as
    /// an error of the first call, by its deadline.
    pub fn connect<C>(config: C) -> Result<Client, ClientError>
    where
        C: TryInto<Config>,
        ConfigError: From<C::Error>,
    {
        start(config, |task| smol::spawn(task).detach())
    }
}

/// The client on async-std's global executor.
#[cfg(feature = "async-std")]
pub mod async_std {
    use super::{Client, ClientError, Config, ConfigError, start};

    /// A client on async-std's global executor, whose threads move its bytes.
    ///
    /// `config` is a list of nameservers (`"127.0.0.1:9876"`, several joined by `;`), the
    /// `http://` page of an address server that lists them, or a
    /// [`Config`], such as [`config_from_env`](crate::config_from_env) gives. Nothing is sent
    /// before the first use of a producer or consumer, so a nameserver that is not there shows as
    /// an error of the first call, by its deadline.
    pub fn connect<C>(config: C) -> Result<Client, ClientError>
    where
        C: TryInto<Config>,
        ConfigError: From<C::Error>,
    {
        start(config, |task| drop(async_std::task::spawn(task)))
    }
}

/// A task to be run to its end.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg_attr(not(any(feature = "smol", feature = "async-std")), expect(dead_code))]
fn start<C>(config: C, spawn: fn(Task)) -> Result<Client, ClientError>
where
    C: TryInto<Config>,
    ConfigError: From<C::Error>,
{
    let Begun { shared, clocks, options } = host::begin(config, Tasks)?;
    spawn(Box::pin(pump(shared.clone(), Reactor { clocks, options, spawn })));
    Ok(Client::new(shared))
}

struct Tasks(Clocks);

impl Host for Tasks {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn unix(&self) -> UnixMillis {
        self.0.unix()
    }

    fn process(&self) -> u32 {
        std::process::id()
    }

    /// The executors have threads of their own; waiting on one of them blocks it, and with it the
    /// client if it is the only one (`SMOL_THREADS` is 1 by default). They do not tell who runs on
    /// them, so waiting is allowed: await inside tasks.
    fn may_block(&self) -> bool {
        true
    }
}

#[derive(Clone, Copy)]
struct Reactor {
    clocks: Clocks,
    options: SocketOptions,
    spawn: fn(Task),
}

impl Runtime for Reactor {
    type Socket = Stream;
    type Timer = Alarm;

    fn resolve(
        &self,
        endpoint: Endpoint,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static {
        socket::resolve(endpoint)
    }

    fn dial(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        Stream::dial(address, self.options)
    }

    fn now(&self) -> Instant {
        self.clocks.now()
    }

    fn timer(&self) -> Alarm {
        Alarm { clocks: self.clocks, at: Instant::FAR, timer: async_io::Timer::never() }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.spawn)(Box::pin(task));
    }
}

/// One timer, set anew only when it is to fire at another time.
struct Alarm {
    clocks: Clocks,
    at: Instant,
    timer: async_io::Timer,
}

impl Timer for Alarm {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant, _: Instant) -> Poll<()> {
        if self.at != at {
            self.at = at;
            self.timer.set_at(self.clocks.system(at));
        }
        let fired = Pin::new(&mut self.timer).poll(cx).map(drop);
        if fired.is_ready() {
            // A timer that has fired is set again even for the same time.
            self.at = Instant::FAR;
        }
        fired
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use rocketry_core::driver::dial_first;
    use rocketry_core::error::ConnectError;
    use socket2::{Domain, Socket, Type};

    use super::*;

    /// An address that swallows who connects: a listener whose queue is full.
    fn black_hole() -> io::Result<(SocketAddr, Socket, Vec<TcpStream>)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(0)?;
        let at = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok();
        Ok((at, socket, std::iter::from_fn(connect).take(64).collect()))
    }

    /// An address that swallows, one that refuses, and one that answers.
    type Ways = ((SocketAddr, Socket, Vec<TcpStream>), SocketAddr, TcpListener);

    fn ways() -> io::Result<Ways> {
        let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok((black_hole()?, closed, TcpListener::bind("127.0.0.1:0")?))
    }

    /// Connects as for a name that has these addresses; gives the address of our end.
    fn connect(addresses: Vec<SocketAddr>) -> Result<SocketAddr, ConnectError> {
        let options = Config::default().socket();
        let reactor = Reactor { clocks: Clocks::default(), options, spawn: drop };
        let within = Duration::from_secs(3);
        let stream = async_io::block_on(dial_first(&reactor, addresses, within, |_| {}))?;
        Ok(stream.0.get_ref().local_addr()?)
    }

    #[test]
    fn every_address_of_a_name_is_tried_and_the_first_that_answers_wins()
    -> Result<(), Box<dyn std::error::Error>> {
        let (hole, closed, open) = ways()?;
        let begun = Instant::now();
        let stream = connect(vec![hole.0, closed, open.local_addr()?])?;
        let took = begun.elapsed();
        assert_eq!(open.accept()?.1, stream);
        let stagger = Duration::from_millis(250);
        assert!(stagger <= took && took < Duration::from_secs(2), "{took:?}");
        Ok(())
    }

    #[test]
    fn every_address_that_refuses_is_reported() -> Result<(), Box<dyn std::error::Error>> {
        let closed = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.2:0")?];
        let closed = closed.map(|listener| listener.local_addr());
        let closed = [closed[0].as_ref(), closed[1].as_ref()].map(|at| at.copied().ok());
        let error = connect(closed.into_iter().flatten().collect()).err();
        let Some(ConnectError::Addresses { failures, more: 0 }) = error else {
            return Err(format!("{error:?}").into());
        };
        let kind = io::ErrorKind::ConnectionRefused;
        for (failure, address) in failures.iter().zip(closed.into_iter().flatten()) {
            assert_eq!(failure.address, address);
            assert!(matches!(failure.error, ConnectError::Io { kind: k, .. } if k == kind));
        }
        assert_eq!(failures.len(), 2);
        Ok(())
    }
}
