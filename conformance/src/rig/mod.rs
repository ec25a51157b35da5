//! A client on any of the four runtimes, and load for it: what cases and tests stand on.
//!
//! Made for tests: what can't be set up panics.

mod access;
mod asked;
pub mod collector;
pub mod diary;
pub mod flood;
pub mod heard;
pub mod load;
pub mod member;
pub mod share;
pub mod shop;
pub mod toil;
pub mod witness;

use std::time::{Duration, Instant};

pub use access::Access;
use rocketry::{Client, Config};

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// tokio, several threads.
    Tokio,
    /// smol's global executor.
    Smol,
    /// async-std's.
    AsyncStd,
    /// Plain threads.
    Threads,
}

impl On {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tokio, Self::Smol, Self::AsyncStd, Self::Threads];

    /// Its name, as the facade's features are called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
            Self::Threads => "std",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|on| on.name() == name)
    }
}

/// A client and what it runs on. Its callers are tasks on tokio, and else threads that wait: smol
/// and async-std move a client's bytes on threads of their own.
#[derive(Debug)]
pub struct Rig {
    /// The client.
    pub client: Client,
    /// On tokio only. Dropped after the client.
    pub tokio: Option<tokio::runtime::Runtime>,
}

/// A tokio runtime of two threads.
pub fn tokio_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

impl Rig {
    /// With the settings that a client begins with.
    pub fn start(on: On, namesrv: &str) -> Self {
        Self::with(on, Config::new(namesrv).expect("settings that work"))
    }

    /// One that prepares and looks, on threads: it gives a broker time that is busy.
    pub fn watcher(namesrv: &str) -> Self {
        Self::with(On::Threads, patient(namesrv))
    }

    /// With these settings.
    pub fn with(on: On, config: Config) -> Self {
        match on {
            On::Threads => {
                let client = rocketry::blocking::connect(config).expect("a client");
                Self { client, tokio: None }
            }
            On::Smol => {
                let client = rocketry::smol::connect(config).expect("a client");
                Self { client, tokio: None }
            }
            On::AsyncStd => {
                let client = rocketry::async_std::connect(config).expect("a client");
                Self { client, tokio: None }
            }
            On::Tokio => {
                let tokio = tokio_runtime();
                let entered = tokio.enter();
                let client = rocketry::tokio::connect(config).expect("a client");
                drop(entered);
                Self { client, tokio: Some(tokio) }
            }
        }
    }

    /// Where its callers are tasks.
    pub fn handle(&self) -> Option<tokio::runtime::Handle> {
        self.tokio.as_ref().map(|tokio| tokio.handle().clone())
    }
}

/// The settings that a client begins with, but it gives a broker time that is busy: the machine may
/// be.
pub fn patient(namesrv: &str) -> Config {
    let mut config = Config::new(namesrv).expect("settings that work");
    config.send_timeout = Duration::from_secs(60);
    config
}

/// Waits until something holds, looking every few milliseconds; false if it never did.
pub fn eventually(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
