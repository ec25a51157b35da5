//! Sockets, name lookups and timers of tokio for the Rocketry RocketMQ client.
//!
//! [`connect`] gives a [`Client`] whose bytes are moved by tasks of the tokio runtime it is called
//! in. The handles are those of `rocketry-core`, the same on every runtime.

mod socket;
#[cfg(test)]
#[path = "../../runtime-std/src/base/trial.rs"]
mod trial;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rocketry_core::client::Client;
use rocketry_core::client::adapter::{Clock as _, Host, Work};
use rocketry_core::config::{Config, ConfigError, SocketOptions};
use rocketry_core::driver::{Runtime, Timer, pump};
use rocketry_core::name::Endpoint;
use rocketry_core::time::Instant;
use rocketry_std::base::{self, Begun, Clocks};
pub use rocketry_std::{ClientError, config_from_env};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Sleep;

use socket::Stream;

/// A client on the tokio runtime this is called in, which needs IO and time enabled.
///
/// `config` is a list of nameservers (`"127.0.0.1:9876"`, several joined by `;`), the `http://`
/// page of an address server that lists them, or a [`Config`],
/// such as [`config_from_env`] gives.
/// Nothing is sent before the first use of a producer or consumer, so a nameserver that is not
/// there shows as an error of the first call, by its deadline. When the runtime is dropped first,
/// every call ends with an error, and those whose `Pending` was dropped end unseen: await
/// [`Client::shutdown`] before `main` ends.
///
/// # Waiting instead of awaiting
///
/// `Pending::wait`, `Consumer::recv` and `Consumer::recv_timeout` block the thread that calls them:
///
/// | called | on a multi-thread runtime | on a current-thread one |
/// |---|---|---|
/// | in a task | blocks as `block_in_place` does | refused as `WouldDeadlock` |
/// | in a task of a `LocalSet` | panics as `block_in_place` does | refused as `WouldDeadlock` |
/// | in `spawn_blocking` | blocks | refused as `WouldDeadlock` |
/// | on a thread outside | blocks | blocks, while another thread runs the runtime |
pub fn connect<C>(config: C) -> Result<Client, ClientError>
where
    C: TryInto<Config>,
    ConfigError: From<C::Error>,
{
    let handle = Handle::try_current().map_err(|_| ClientError::NoRuntime);
    let host = || handle.clone().map(|handle| Tasks { handle });
    let Begun { shared, clocks, options } = base::begin(config, host)?;
    let handle = handle?;
    handle.spawn(pump(shared.clone(), Tokio { clocks, options }));
    Ok(Client::new(shared))
}

thread_local! {
    /// This thread does work that may block: it is none of the runtime's.
    static WORKS: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone)]
struct Tasks {
    handle: Handle,
}

impl Host for Tasks {
    /// Blocking the only thread of a runtime blocks the client's own tasks too.
    fn may_block(&self) -> bool {
        let Ok(handle) = Handle::try_current() else { return true };
        // Another runtime may have been begun in work that blocks.
        let own = WORKS.get() && handle.id() == self.handle.id();
        handle.runtime_flavor() != RuntimeFlavor::CurrentThread || own
    }

    /// A worker keeps the task woken last to itself, where no other worker can take it: blocked
    /// without a word, it would keep the client's own task from ever running.
    fn block(&self, wait: &mut dyn FnMut()) {
        match Handle::try_current() {
            Ok(_) if !WORKS.get() => tokio::task::block_in_place(wait),
            Ok(_) | Err(_) => wait(),
        }
    }

    /// What blocks has a thread of its own, inside the runtime: it may spawn tasks there. tokio's
    /// pool of blocking threads is bounded, and a runtime that is dropped waits for it.
    fn spawn(&self, work: Work) -> io::Result<()> {
        let handle = self.handle.clone();
        match work {
            Work::Task(task) => drop(handle.spawn(task)),
            Work::Blocking(run) => base::run(Work::Blocking(Box::new(move || {
                WORKS.set(true);
                let _inside = handle.enter();
                run();
            })))?,
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Tokio {
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rocketry_core::driver::dial_first;
    use rocketry_core::error::ConnectError;
    use socket2::SockRef;
    use tokio::runtime::Builder;
    use trial::Tried;

    use super::*;

    /// Connects as for a name that has these addresses; gives the address of our end.
    fn connect(addresses: Vec<SocketAddr>) -> Result<SocketAddr, ConnectError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let options = Config::default().socket();
        let tokio = Tokio { clocks: Clocks::default(), options };
        let within = Duration::from_secs(3);
        let stream = runtime.block_on(dial_first(&tokio, addresses, within, |_| {}))?;
        let local = SockRef::from(&stream.0).local_addr()?.as_socket();
        local.ok_or(ConnectError::Aborted)
    }

    #[test]
    fn every_address_of_a_name_is_tried_and_the_first_that_answers_wins() -> Tried {
        trial::the_first_address_that_answers_wins(connect)
    }

    #[test]
    fn every_address_that_refuses_is_reported() -> Tried {
        trial::every_refusal_is_reported(connect)
    }

    #[test]
    fn a_host_runs_what_blocks_and_what_is_polled() -> Tried {
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let runtime = builder.worker_threads(1).enable_all().build()?;
            let host = Tasks { handle: runtime.handle().clone() };
            let done = Arc::new(AtomicBool::default());
            let ends = done.clone();
            // A small runtime has no threads: it runs where somebody blocks on it.
            let run = std::thread::spawn(move || {
                runtime.block_on(async {
                    while !ends.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                });
            });
            let tried = trial::a_host_runs_what_blocks_and_what_is_polled(&host);
            done.store(true, Ordering::Relaxed);
            assert!(run.join().is_ok());
            tried?;
        }
        Ok(())
    }
}
