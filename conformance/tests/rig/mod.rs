//! A client on either runtime, and load for it: what the socket tests and the live tests share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod collector;
pub mod load;
pub mod member;
pub mod producing;
pub mod share;

use std::time::{Duration, Instant};

use rocketry::{Client, Config};

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Tokio,
    Threads,
}

impl On {
    pub fn named(name: &str) -> Self {
        if name == "Tokio" { Self::Tokio } else { Self::Threads }
    }
}

/// A client and what it runs on.
pub struct Rig {
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
    pub fn start(on: On, namesrv: &str) -> Self {
        Self::with(on, Config::new(namesrv).expect("settings that work"))
    }

    pub fn with(on: On, config: Config) -> Self {
        match on {
            On::Threads => {
                let client = rocketry::blocking::connect(config).expect("a client");
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

    pub fn handle(&self) -> Option<tokio::runtime::Handle> {
        self.tokio.as_ref().map(|tokio| tokio.handle().clone())
    }
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

/// Makes two tests of a function that takes a runtime.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[test]
            fn on_tokio() {
                super::$name($crate::rig::On::Tokio);
            }

            #[test]
            fn on_threads() {
                super::$name($crate::rig::On::Threads);
            }
        }
    )* };
}
