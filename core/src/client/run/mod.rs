//! Handlers that are called: a consumer's messages shared out among workers.
//!
//! | part | what it does |
//! |---|---|
//! | `verdict` | what handlers may say |
//! | `options` | how many workers, how large batches |
//! | `slice` | the messages of a pull, each claimed by one worker |
//! | `seat` | a worker's place: gives it the next message |
//! | `feed` | takes pulls from the engine, and wakes a worker where there is work for it |
//! | `tally` | counts what each worker did |
//! | `pool` | what workers share; opens messages, calls, settles, tells |
//! | `worker` | the loops: threads, tasks, batches |
//! | `handle` | the handle users hold |
//!
//! A pull's messages are taken from the engine together, under the client's lock, and claimed one
//! by one by an atomic index: a slow handler keeps the worker that called it, and nothing else. One
//! worker is woken at a time, and wakes the next one where it leaves more to do: handlers that do
//! nothing wake nobody, and slow ones have all workers busy within a few wake-ups.

mod feed;
mod handle;
mod options;
mod pool;
mod seat;
mod slice;
mod tally;
mod verdict;
mod worker;

pub use handle::Run;
pub use options::{Concurrency, RunError, RunOptions};
pub use tally::RunStats;
pub use verdict::{BatchContext, Handled, Verdict};

pub(super) use handle::start;
pub(super) use pool::MakeWork;
pub(super) use worker::{batches, blocking, tasks};
