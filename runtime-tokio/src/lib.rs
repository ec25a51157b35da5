//! Sockets, name lookups and timers of tokio for the Rocketry RocketMQ client.
//!
//! [`connect`] gives a [`Client`] whose bytes are moved by tasks of the tokio runtime it is called
//! in. The handles are those of `rocketry-core`, the same on every runtime.

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
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Sleep;

use socket::Stream;

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The settings can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No tokio runtime runs here.
    #[error("call this inside a tokio runtime, or use `Handle::enter`")]
    NoRuntime,
}

/// A client on the tokio runtime this is called in, which needs IO and time enabled.
///
/// `config` is a list of nameservers (`"127.0.0.1:9876"`, several joined by `;`), the `http://`
/// page of an address server that lists them, or a [`Config`],
/// such as [`config_from_env`] gives.
/// Nothing is sent before the first use of a producer or consumer, so a nameserver that is not
/// there shows as an error of the first call, by its deadline. When the runtime is dropped first,
/// every call ends with an error.
pub fn connect<C>(config: C) -> Result<Client, ClientError>
where
    C: TryInto<Config>,
    ConfigError: From<C::Error>,
{
    let Begun { shared, clocks, options } = host::begin(config, Tasks)?;
    let handle = Handle::try_current().map_err(|_| ClientError::NoRuntime)?;
    let tokio = Tokio { handle: handle.clone(), clocks, options };
    handle.spawn(pump(shared.clone(), tokio));
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

    /// Blocking the only thread of a runtime blocks the client's own tasks too.
    fn may_block(&self) -> bool {
        let Ok(handle) = Handle::try_current() else { return true };
        handle.runtime_flavor() != RuntimeFlavor::CurrentThread
    }

    /// A worker keeps the task woken last to itself, where no other worker can take it: blocked
    /// without a word, it would keep the client's own task from ever running. Inside a `LocalSet`
    /// tokio panics here, as it does for any `block_in_place`.
    fn block(&self, wait: &mut dyn FnMut()) {
        match Handle::try_current() {
            Ok(_) => tokio::task::block_in_place(wait),
            Err(_) => wait(),
        }
    }
}

#[derive(Clone, Debug)]
struct Tokio {
    handle: Handle,
    clocks: Clocks,
    options: SocketOptions,
}

impl Runtime for Tokio {
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
        Alarm { clocks: self.clocks, at: Instant::FAR, sleep: None }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}

/// One timer, set anew only when it is to fire at another time.
struct Alarm {
    clocks: Clocks,
    at: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer for Alarm {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant, _: Instant) -> Poll<()> {
        let deadline = tokio::time::Instant::from_std(self.clocks.system(at));
        let sleep = match &mut self.sleep {
            Some(sleep) => sleep,
            none => none.insert(Box::pin(tokio::time::sleep_until(deadline))),
        };
        if self.at != at {
            self.at = at;
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use rocketry_core::driver::dial_first;
    use rocketry_core::error::ConnectError;
    use socket2::{Domain, SockRef, Socket, Type};

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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let options = Config::default().socket();
        let (handle, clocks) = (runtime.handle().clone(), Clocks::default());
        let tokio = Tokio { handle, clocks, options };
        let within = Duration::from_secs(3);
        let stream = runtime.block_on(dial_first(&tokio, addresses, within, |_| {}))?;
        let local = SockRef::from(&stream.0).local_addr()?.as_socket();
        local.ok_or(ConnectError::Aborted)
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
