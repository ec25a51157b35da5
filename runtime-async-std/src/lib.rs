//! Sockets, name lookups and timers of `async-io` for the Rocketry RocketMQ client: for smol
//! (feature `smol`, the default) and for async-std (feature `async-std`).
//!
//! Both stand on the same reactor; only where tasks are spawned differs. The handles are those of
//! `rocketry-core`, the same on every runtime. async-std is discontinued (RUSTSEC-2025-0052): for
//! new programs take smol.

mod socket;
#[cfg(test)]
#[path = "../../runtime-std/src/base/trial.rs"]
mod trial;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rocketry_core::client::Client;
use rocketry_core::client::adapter::{Clock as _, Host, Work, is_own_thread};
use rocketry_core::config::{Config, ConfigError, SocketOptions};
use rocketry_core::driver::{Runtime, Timer, pump};
use rocketry_core::name::Endpoint;
use rocketry_core::time::Instant;
use rocketry_std::base::{self, Begun, Clocks};
pub use rocketry_std::{ClientError, config_from_env};

use socket::Stream;

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
    let host = || Ok(Tasks { spawn });
    let Begun { shared, clocks, options } = base::begin(config, host)?;
    spawn(Box::pin(pump(shared.clone(), Reactor { clocks, options })));
    Ok(Client::new(shared))
}

#[derive(Clone, Copy)]
struct Tasks {
    spawn: fn(Task),
}

impl Host for Tasks {
    /// The executors have threads of their own; waiting on one of them blocks it, and with it the
    /// client if it is the only one (`SMOL_THREADS` is 1 by default). They do not tell who runs on
    /// them, so waiting is allowed except where a client's own task runs: await inside tasks.
    fn may_block(&self) -> bool {
        !is_own_thread()
    }

    fn spawn(&self, work: Work) -> io::Result<()> {
        match work {
            Work::Task(task) => (self.spawn)(task),
            Work::Blocking(_) => base::run(work)?,
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Reactor {
    clocks: Clocks,
    options: SocketOptions,
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
    use std::time::Duration;

    use rocketry_core::driver::dial_first;
    use rocketry_core::error::ConnectError;
    use trial::Tried;

    use super::*;

    /// Connects as for a name that has these addresses; gives the address of our end.
    fn connect(addresses: Vec<SocketAddr>) -> Result<SocketAddr, ConnectError> {
        let options = Config::default().socket();
        let reactor = Reactor { clocks: Clocks::default(), options };
        let within = Duration::from_secs(3);
        let stream = async_io::block_on(dial_first(&reactor, addresses, within, |_| {}))?;
        Ok(stream.0.get_ref().local_addr()?)
    }

    #[test]
    fn every_address_of_a_name_is_tried_and_the_first_that_answers_wins() -> Tried {
        trial::the_first_address_that_answers_wins(connect)
    }

    #[test]
    fn every_address_that_refuses_is_reported() -> Tried {
        trial::every_refusal_is_reported(connect)
    }

    fn runs(spawn: fn(Task)) -> Tried {
        let host = Tasks { spawn };
        trial::a_host_runs_what_blocks_and_what_is_polled(&host)
    }

    #[test]
    #[cfg(feature = "smol")]
    fn a_host_on_smol_runs_what_blocks_and_what_is_polled() -> Tried {
        runs(|task| ::smol::spawn(task).detach())
    }

    #[test]
    #[cfg(feature = "async-std")]
    fn a_host_on_async_std_runs_what_blocks_and_what_is_polled() -> Tried {
        runs(|task| drop(::async_std::task::spawn(task)))
    }
}
