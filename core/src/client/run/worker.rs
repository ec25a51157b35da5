//! The loops of workers.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::thread::panicking;

use super::super::delivery::Delivery;
use super::super::outcome::outcome;
use super::super::park::{block_on, block_until};
use super::super::view::MessageView;
use super::super::work::Work;
use super::pool::{MakeWork, Pool};
use super::seat::Seat;
use super::tally::Tally;
use super::verdict::{BatchContext, Handled, Verdict};
use crate::contain::contained;

/// A task that always finds messages lets others run after so many, handled or not.
const TURN: u32 = 64;

/// A worker, from when its loop begins.
struct Worker {
    pool: Arc<Pool>,
    seat: Seat,
    tally: Arc<Tally>,
}

impl Worker {
    fn new(pool: Arc<Pool>, seat: Seat) -> Self {
        let tally = pool.tally(&seat);
        Self { pool, seat, tally }
    }
}

/// One that is lost by a panic, which is none of a handler's, has another one come.
impl Drop for Worker {
    fn drop(&mut self) {
        self.seat.leave();
        if panicking() {
            contained(|| self.pool.refill());
        }
    }
}

/// Workers that call `handler` on threads of their own, message by message.
pub(in crate::client) fn blocking<H, R>(handler: H) -> Box<MakeWork>
where
    H: Fn(&MessageView) -> R + Send + Sync + 'static,
    R: Into<Handled>,
{
    let handler = Arc::new(handler);
    Box::new(move |pool, seat| {
        let handler = handler.clone();
        Work::Blocking(Box::new(move || call_each(Worker::new(pool, seat), &*handler)))
    })
}

fn call_each<R: Into<Handled>>(mut worker: Worker, handler: &dyn Fn(&MessageView) -> R) {
    let Worker { pool, seat, tally } = &mut worker;
    let host = pool.shared().host();
    while let Some(claim) = block_on(host, |cx| seat.poll_next(cx, false)) {
        let Some(delivery) = pool.open(&claim, tally) else { continue };
        let (begun, since) = (tally.begin(1), pool.now());
        let handled = contained(|| handler(&delivery).into());
        let took = pool.now().since(since);
        drop(begun);
        pool.ended(delivery, handled, took, tally);
    }
}

/// Workers that are tasks, each with one future of `handler` at a time.
pub(in crate::client) fn tasks<H, F>(handler: H) -> Box<MakeWork>
where
    H: Fn(MessageView) -> F + Send + Sync + 'static,
    F: Future<Output: Into<Handled>> + Send + 'static,
{
    let handler = Arc::new(handler);
    Box::new(move |pool, seat| Work::Task(Box::pin(await_each(pool, seat, handler.clone()))))
}

async fn await_each<H, F>(pool: Arc<Pool>, seat: Seat, handler: Arc<H>)
where
    H: Fn(MessageView) -> F + Send + Sync + 'static,
    F: Future<Output: Into<Handled>> + Send + 'static,
{
    let mut worker = Worker::new(pool, seat);
    let Worker { pool, seat, tally } = &mut worker;
    let mut turn = 0;
    loop {
        if turn == TURN {
            turn = 0;
            others_first().await;
        }
        let Some(claim) = poll_fn(|cx| seat.poll_next(cx, false)).await else { break };
        turn += 1;
        let Some(delivery) = pool.open(&claim, tally) else { continue };
        let (begun, since) = (tally.begin(1), pool.now());
        let handled = match contained(|| handler(delivery.view())) {
            Some(future) => outcome(async { future.await.into() }).await,
            None => None,
        };
        let took = pool.now().since(since);
        drop(begun);
        pool.ended(delivery, handled, took, tally);
    }
}

/// Lets other tasks run.
async fn others_first() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Workers that call `handler` on threads of their own, batch by batch.
pub(in crate::client) fn batches<H, R>(handler: H) -> Box<MakeWork>
where
    H: Fn(&[MessageView], &mut BatchContext) -> R + Send + Sync + 'static,
    R: Into<Handled>,
{
    let handler = Arc::new(handler);
    Box::new(move |pool, seat| {
        let handler = handler.clone();
        Work::Blocking(Box::new(move || call_batches(Worker::new(pool, seat), &*handler)))
    })
}

fn call_batches<R: Into<Handled>>(
    mut worker: Worker,
    handler: &dyn Fn(&[MessageView], &mut BatchContext) -> R,
) {
    let Worker { pool, seat, tally } = &mut worker;
    while let Some(batch) = gather(pool, seat, tally) {
        if batch.is_empty() {
            continue;
        }
        let views: Vec<MessageView> = batch.iter().map(Delivery::view).collect();
        let mut context = BatchContext::default();
        let (begun, since) = (tally.begin(batch.len()), pool.now());
        let handled = contained(|| handler(&views, &mut context).into());
        tally.took(pool.now().since(since));
        drop((begun, views));
        let verdict = pool.verdict(&batch.iter().collect::<Vec<_>>(), handled, tally);
        let (done, rest) = context.split(batch.len(), verdict);
        for (at, delivery) in batch.into_iter().enumerate() {
            let verdict = if at < done { Verdict::Ack } else { rest };
            pool.settle(delivery, verdict, tally);
        }
    }
}

/// The next batch: what there is, up to the most, and what comes while it may wait. Empty where
/// nothing of it can be read; `None` where this worker is to leave.
fn gather(pool: &Pool, seat: &mut Seat, tally: &Tally) -> Option<Vec<Delivery>> {
    let (most, wait) = pool.options.batches();
    let (clock, host) = (pool.shared().clock(), pool.shared().host());
    let first = block_on(host, |cx| seat.poll_next(cx, false))?;
    let mut batch: Vec<Delivery> = pool.open(&first, tally).into_iter().collect();
    if first.batch.is_orderly() {
        let more = std::iter::from_fn(|| seat.next_of_run()).take(most - 1);
        batch.extend(more.filter_map(|claim| pool.open(&claim, tally)));
        seat.leave_off();
        return Some(batch);
    }
    let (deadline, mut passed) = (clock.now() + wait, 0);
    while batch.len() < most {
        let next = if wait.is_zero() {
            seat.try_next()
        } else {
            block_until(deadline, (clock, host), |cx| seat.poll_next(cx, true)).flatten()
        };
        let Some(claim) = next else { break };
        let opened = pool.open(&claim, tally);
        passed += u32::from(opened.is_none());
        batch.extend(opened);
        // What is in no batch takes time as well, and there may be a backlog of it.
        if passed >= TURN {
            passed = 0;
            if clock.now() >= deadline {
                break;
            }
        }
    }
    seat.leave_off();
    Some(batch)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::super::super::control::ConsumerHandle;
    use super::super::super::host::{Clock, Host};
    use super::super::super::opening::Opening;
    use super::super::super::shared::Shared;
    use super::super::feed::Feed;
    use super::super::options::RunOptions;
    use super::*;
    use crate::config::Config;
    use crate::id::{Slots, SubscriptionId};
    use crate::time::{Instant, UnixMillis};

    /// Keeps what it is to run.
    #[derive(Clone, Default)]
    struct Bench(Arc<Mutex<Vec<Work>>>);

    impl Clock for Bench {
        fn now(&self) -> Instant {
            Instant::ZERO + Duration::from_secs(1)
        }

        fn unix(&self) -> UnixMillis {
            UnixMillis(1_700_000_000_000)
        }

        fn process(&self) -> u32 {
            1
        }
    }

    impl Host for Bench {
        fn may_block(&self) -> bool {
            true
        }

        fn spawn(&self, work: Work) -> io::Result<()> {
            self.0.lock().unwrap().push(work);
            Ok(())
        }
    }

    impl Bench {
        /// Runs what there is, whose panics end here.
        fn turn(&self) -> usize {
            let works = std::mem::take(&mut *self.0.lock().unwrap());
            let count = works.len();
            for work in works {
                let Work::Blocking(work) = work else { unreachable!("threads alone") };
                contained(work);
            }
            count
        }
    }

    fn pool(bench: &Bench, lives: impl Fn() -> bool + Send + Sync + 'static) -> Arc<Pool> {
        let config = Config::new("ns:9876").unwrap();
        let shared = Shared::new(config, 7, bench.clone(), bench.clone());
        let sub = Slots::<SubscriptionId, ()>::default().insert(());
        let feed = Feed::new(ConsumerHandle::new(shared, sub), None, 3);
        let lives = Arc::new(lives);
        let make: Box<MakeWork> = Box::new(move |pool, seat| {
            let lives = lives.clone();
            Work::Blocking(Box::new(move || {
                let _worker = Worker::new(pool, seat);
                assert!(lives(), "a fault of the client's own");
            }))
        });
        let options = RunOptions::default().concurrency(3);
        Pool::new(feed, options, Opening::default(), make)
    }

    #[test]
    fn a_worker_that_is_lost_by_a_panic_is_replaced_and_one_that_ends_is_not() {
        let (bench, faults) = (Bench::default(), Mutex::new(2));
        let pool = pool(&bench, move || {
            let mut faults = faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let lives = *faults == 0;
            *faults -= i32::from(!lives);
            lives
        });
        assert_eq!((pool.resize(3).unwrap(), pool.feed.workers()), (3, (3, 3)));
        assert_eq!(bench.turn(), 3);
        assert_eq!(pool.feed.workers(), (2, 3), "two were lost and are there again");
        assert_eq!((bench.turn(), bench.turn()), (2, 0));
        assert_eq!(pool.feed.workers(), (0, 3));
    }
}
