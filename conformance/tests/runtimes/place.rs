//! The runtimes, and a future run on each with a client.

use std::time::Duration;

use futures::channel::oneshot;
use rocketry::client::Blockable;
use rocketry::{Client, Config, Pending};

/// Who moves the bytes, and who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// tokio with two workers.
    Tokio,
    /// tokio with the one thread that waits.
    TokioOne,
    Smol,
    AsyncStd,
    /// Plain threads, whose callers block.
    Threads,
}

pub(crate) const ALL: [Place; 5] =
    [Place::Tokio, Place::TokioOne, Place::Smol, Place::AsyncStd, Place::Threads];

pub(crate) fn tokio_runtime(place: Place) -> tokio::runtime::Runtime {
    use tokio::runtime::Builder;
    let mut builder = match place {
        Place::TokioOne => Builder::new_current_thread(),
        Place::Tokio | Place::Smol | Place::AsyncStd | Place::Threads => {
            Builder::new_multi_thread()
        }
    };
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

impl Place {
    /// Runs `work` there, with a client of these settings.
    pub(crate) fn run<T>(self, config: Config, work: impl AsyncFnOnce(&Client) -> T) -> T {
        match self {
            Self::Tokio | Self::TokioOne => tokio_runtime(self).block_on(async {
                let client = rocketry::tokio::connect(config).expect("a client");
                work(&client).await
            }),
            Self::Smol => {
                let client = rocketry::smol::connect(config).expect("a client");
                smol::block_on(work(&client))
            }
            Self::AsyncStd => {
                let client = rocketry::async_std::connect(config).expect("a client");
                smol::block_on(work(&client))
            }
            Self::Threads => {
                let client = rocketry::blocking::connect(config).expect("a client");
                futures::executor::block_on(work(&client))
            }
        }
    }

    /// The result of a call: threads block for it, tasks do not.
    pub(crate) async fn end<T: Blockable>(self, pending: Pending<T>) -> T {
        match self {
            Self::Threads => pending.wait(),
            Self::Tokio | Self::TokioOne | Self::Smol | Self::AsyncStd => pending.await,
        }
    }
}

/// Lets time pass without blocking who waits, on any runtime.
pub(crate) async fn pause(time: Duration) {
    let (done, over) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        drop(done);
    });
    let _ = over.await;
}
