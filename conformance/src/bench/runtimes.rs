//! What the works need of a runtime beside the client: tasks, and an end to waiting.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use rocketry::{Client, Config};
use smol::Timer;
use smol::future::{FutureExt, or};

use super::{BenchError, Job, Report, tasks};

/// One runtime.
pub(super) trait Tasks: Clone + Send + Sync + 'static {
    fn connect(config: Config) -> Result<Client, BenchError>;

    /// Starts a task at once; what is returned waits for its end.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, BenchError>> + Send + 'static;

    /// `None` when the work is not done after `limit`.
    fn timeout<T>(
        limit: Duration,
        work: impl Future<Output = T> + Send,
    ) -> impl Future<Output = Option<T>> + Send;
}

/// Does a job on tokio's multi-threaded runtime.
pub(super) fn on_tokio(job: Job) -> Result<Report, BenchError> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async { Tokio.spawn(tasks::run(Tokio, job)).await })?
}

/// Does a job on smol's global executor, which has `SMOL_THREADS` threads, by default one.
pub(super) fn on_smol(job: Job) -> Result<Report, BenchError> {
    smol::block_on(Smol.spawn(tasks::run(Smol, job)))?
}

/// Does a job beside async-std's global executor, which moves the client's bytes.
pub(super) fn on_async_std(job: Job) -> Result<Report, BenchError> {
    let here = AsyncStd::default();
    smol::block_on(here.0.run(here.spawn(tasks::run(here.clone(), job))))?
}

#[derive(Clone, Copy, Debug)]
struct Tokio;

impl Tasks for Tokio {
    fn connect(config: Config) -> Result<Client, BenchError> {
        Ok(rocketry::tokio::connect(config)?)
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, BenchError>> + Send + 'static {
        let task = tokio::spawn(task);
        async { task.await.map_err(|_| BenchError::Panicked) }
    }

    async fn timeout<T>(limit: Duration, work: impl Future<Output = T> + Send) -> Option<T> {
        tokio::time::timeout(limit, work).await.ok()
    }
}

#[derive(Clone, Copy, Debug)]
struct Smol;

impl Tasks for Smol {
    fn connect(config: Config) -> Result<Client, BenchError> {
        Ok(rocketry::smol::connect(config)?)
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, BenchError>> + Send + 'static {
        ended(smol::spawn(AssertUnwindSafe(task).catch_unwind()))
    }

    async fn timeout<T>(limit: Duration, work: impl Future<Output = T> + Send) -> Option<T> {
        by(limit, work).await
    }
}

/// The client's tasks are async-std's. The callers' are on the thread that waits for them, as
/// `task::block_on` and `task::spawn_local` have them: the same executor and reactor without
/// async-std itself, which only its adapter may bring.
#[derive(Clone, Debug, Default)]
struct AsyncStd(Arc<smol::Executor<'static>>);

impl Tasks for AsyncStd {
    fn connect(config: Config) -> Result<Client, BenchError> {
        Ok(rocketry::async_std::connect(config)?)
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, BenchError>> + Send + 'static {
        ended(self.0.spawn(AssertUnwindSafe(task).catch_unwind()))
    }

    async fn timeout<T>(limit: Duration, work: impl Future<Output = T> + Send) -> Option<T> {
        by(limit, work).await
    }
}

async fn ended<T>(task: smol::Task<std::thread::Result<T>>) -> Result<T, BenchError> {
    task.await.map_err(|_| BenchError::Panicked)
}

/// The timer costs nothing when the work is done at its first poll, which comes before.
async fn by<T>(limit: Duration, work: impl Future<Output = T> + Send) -> Option<T> {
    let late = async {
        Timer::after(limit).await;
        None
    };
    or(async { Some(work.await) }, late).await
}
