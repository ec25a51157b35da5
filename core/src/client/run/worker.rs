//! The loops of workers.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::super::delivery::Delivery;
use super::super::park::{block_on, block_until};
use super::super::view::MessageView;
use super::super::work::Work;
use super::pool::{MakeWork, Pool};
use super::seat::Seat;
use super::tally::Tally;
use super::verdict::{BatchContext, Handled, Verdict};

/// A task that always finds messages lets others run after so many.
const TURN: u32 = 64;

/// Workers that call `handler` on threads of their own, message by message.
pub(in crate::client) fn blocking<H, R>(handler: H) -> Box<MakeWork>
where
    H: Fn(&MessageView) -> R + Send + Sync + 'static,
    R: Into<Handled>,
{
    let handler = Arc::new(handler);
    Box::new(move |pool, seat| {
        let handler = handler.clone();
        Work::Blocking(Box::new(move || call_each(&pool, seat, &*handler)))
    })
}

fn call_each<R: Into<Handled>>(pool: &Pool, mut seat: Seat, handler: &dyn Fn(&MessageView) -> R) {
    let (tally, host) = (pool.tally(&seat), pool.shared().host());
    while let Some(claim) = block_on(host, |cx| seat.poll_next(cx, false)) {
        let Some(delivery) = pool.open(&claim, &tally) else { continue };
        let (begun, since) = (tally.begin(1), pool.now());
        let handled = catch_unwind(AssertUnwindSafe(|| handler(&delivery).into())).ok();
        let took = pool.now().since(since);
        drop(begun);
        pool.ended(delivery, handled, took, &tally);
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

async fn await_each<H, F>(pool: Arc<Pool>, mut seat: Seat, handler: Arc<H>)
where
    H: Fn(MessageView) -> F + Send + Sync + 'static,
    F: Future<Output: Into<Handled>> + Send + 'static,
{
    let (tally, mut turn) = (pool.tally(&seat), 0);
    while let Some(claim) = poll_fn(|cx| seat.poll_next(cx, false)).await {
        let Some(delivery) = pool.open(&claim, &tally) else { continue };
        let (begun, since) = (tally.begin(1), pool.now());
        let handled = match catch_unwind(AssertUnwindSafe(|| handler(delivery.view()))) {
            Ok(future) => contained(future).await,
            Err(_) => None,
        };
        let took = pool.now().since(since);
        drop(begun);
        pool.ended(delivery, handled, took, &tally);
        turn += 1;
        if turn == TURN {
            turn = 0;
            others_first().await;
        }
    }
}

/// What the future comes to; `None` if it panics.
async fn contained(future: impl Future<Output: Into<Handled>>) -> Option<Handled> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx).map(Into::into)));
        match polled {
            Ok(Poll::Ready(handled)) => Poll::Ready(Some(handled)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
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
        Work::Blocking(Box::new(move || call_batches(&pool, seat, &*handler)))
    })
}

fn call_batches<R: Into<Handled>>(
    pool: &Pool,
    mut seat: Seat,
    handler: &dyn Fn(&[MessageView], &mut BatchContext) -> R,
) {
    let tally = pool.tally(&seat);
    while let Some(batch) = gather(pool, &mut seat, &tally) {
        if batch.is_empty() {
            continue;
        }
        let views: Vec<MessageView> = batch.iter().map(Delivery::view).collect();
        let mut context = BatchContext::default();
        let (begun, since) = (tally.begin(batch.len()), pool.now());
        let called = AssertUnwindSafe(|| handler(&views, &mut context).into());
        let handled = catch_unwind(called).ok();
        tally.took(pool.now().since(since));
        drop((begun, views));
        let verdict = pool.verdict(&batch.iter().collect::<Vec<_>>(), handled, &tally);
        let (done, rest) = context.split(batch.len(), verdict);
        for (at, delivery) in batch.into_iter().enumerate() {
            let verdict = if at < done { Verdict::Ack } else { rest };
            pool.settle(delivery, verdict, &tally);
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
    let deadline = clock.now() + wait;
    while batch.len() < most {
        let next = if wait.is_zero() {
            seat.try_next()
        } else {
            block_until(deadline, (clock, host), |cx| seat.poll_next(cx, true)).flatten()
        };
        let Some(claim) = next else { break };
        batch.extend(pool.open(&claim, tally));
    }
    seat.leave_off();
    Some(batch)
}
