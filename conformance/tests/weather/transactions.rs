//! Transactions on every runtime: what their handles do beside the engine.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use rocketry::proto::frame::RequestCode;
use rocketry::{
    Begin, CheckedHalf, ErrorKind, HalfMessage, Message, Resolution, TransactionError,
    TransactionListener, TransactionOptions, TransactionProducer, TransactionState,
};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::rig::{On, Rig, eventually};
use rocketry_conformance::serve::Served;

const SOON: Duration = Duration::from_secs(20);
const ALL: [On; 4] = [On::Threads, On::Tokio, On::Smol, On::AsyncStd];

fn served() -> Served {
    let pause = Duration::from_millis(100);
    Served::start(ClusterConfig::default().topic("t", 1).checks(pause, pause)).unwrap()
}

fn in_topic(served: &Served) -> usize {
    served.with(|cluster| cluster.messages(0, "t", 0).len())
}

fn message() -> Message {
    Message::new("t", "paid").transaction_id("order-7")
}

/// Calls of one checker: the first panics.
fn shaky(calls: &Arc<AtomicU32>) -> impl Fn() -> Resolution + Send + Sync + 'static + use<> {
    let calls = calls.clone();
    move || {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "a checker's own fault");
        Resolution::Commit
    }
}

#[test]
fn txn_08_a_checker_that_panics_says_unknown() {
    for on in ALL {
        let served = served();
        let rig = Rig::start(on, &served.namesrv());
        let calls = Arc::<AtomicU32>::default();
        let check = shaky(&calls);
        let producer = rig.client.transaction_producer("g", move |_| check()).unwrap();
        drop(producer.begin(message()).wait().unwrap());
        assert!(eventually(SOON, || in_topic(&served) == 1), "{on:?}");
        // Brokers ask again while an answer is under way.
        assert!(calls.load(Ordering::SeqCst) >= 2, "{on:?}");
        // The same with a task, which panics when it is called and when it is polled.
        let calls = Arc::<AtomicU32>::default();
        let (call, poll) = (shaky(&calls), shaky(&Arc::default()));
        let poll = Arc::new(poll);
        producer.set_checker_async(move |_| {
            call();
            let poll = poll.clone();
            async move { poll() }
        });
        drop(producer.begin(message()).wait().unwrap());
        assert!(eventually(SOON, || in_topic(&served) == 2), "{on:?}");
        assert!(calls.load(Ordering::SeqCst) >= 3, "{on:?}");
        assert_eq!(rig.client.stats().transactions.checks_unknown, 3, "{on:?}");
    }
}

#[test]
fn a_checker_sees_the_message_and_may_be_replaced() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let (tell, told) = mpsc::channel();
    let producer = rig.client.transaction_producer("g", move |half: &CheckedHalf| {
        let topic = half.message().topic().into_owned();
        let seen = (half.transaction_id().to_owned(), half.body(), topic, half.checks());
        tell.send(seen).unwrap();
        Resolution::Unknown
    });
    let producer = producer.unwrap();
    drop(producer.begin(message()).wait().unwrap());
    let (name, body, topic, checks) = told.recv_timeout(SOON).unwrap();
    assert_eq!((&*name, &*topic, checks), ("order-7", "t", 1));
    assert_eq!(&body.unwrap()[..], b"paid");
    // Another producer of the group on the client has the checker that counts from then on.
    let second = rig.client.transaction_producer("g", |_| Resolution::Commit).unwrap();
    assert!(eventually(SOON, || in_topic(&served) == 1));
    drop(producer);
    assert_eq!(served.with(|cluster| cluster.producers(0, "g").len()), 1);
    drop(second);
    assert!(eventually(SOON, || served.with(|cluster| cluster.producers(0, "g").is_empty())));
}

struct Shop {
    stored: AtomicU32,
}

impl TransactionListener for Shop {
    type Argument = u32;

    fn execute_local(&self, half: &HalfMessage, count: u32) -> Resolution {
        assert_eq!(half.transaction_id(), "order-7");
        self.stored.store(count, Ordering::SeqCst);
        if count > 2 { Resolution::Unknown } else { Resolution::Commit }
    }

    fn check_local(&self, _: &CheckedHalf) -> Resolution {
        assert_eq!(self.stored.load(Ordering::SeqCst), 3);
        Resolution::Commit
    }
}

#[test]
fn a_listener_does_the_work_and_answers_for_it() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let shop = Arc::new(Shop { stored: AtomicU32::new(0) });
    let producer = rig.client.transaction_producer_of("g", shop.clone()).unwrap();
    let sent = shop.send(&producer, message(), 1).unwrap();
    assert_eq!((sent.state, &*sent.transaction_id), (TransactionState::Committed, "order-7"));
    let sent = shop.send(&producer, message(), 3).unwrap();
    assert_eq!(sent.state, TransactionState::Unknown);
    assert!(eventually(SOON, || in_topic(&served) == 2));
    // Work that panics is unknown too, and a simple listener always says the same.
    let sent = producer.run(message(), |_| panic!("the work's own fault")).unwrap();
    assert_eq!(sent.state, TransactionState::Unknown);
    let sent = Resolution::RollBack.send(&producer, message(), ()).unwrap();
    assert_eq!(sent.state, TransactionState::RolledBack);
    assert!(eventually(SOON, || in_topic(&served) == 3));
}

#[test]
fn transactions_are_awaited_and_what_is_dropped_on_the_way_is_the_checkers() {
    let served = served();
    let rig = Rig::start(On::Tokio, &served.namesrv());
    let options = TransactionOptions::default().work_limit(Duration::from_secs(60));
    let check = |_| async { Resolution::Commit };
    let producer = rig.client.transaction_producer_async("g", options, check).unwrap();
    rig.handle().unwrap().block_on(async {
        let half = producer.begin(message()).await.unwrap();
        assert_eq!(half.commit().await.unwrap().state, TransactionState::Committed);
        let sent = producer.run_async(message(), |_| async { Resolution::RollBack }).await.unwrap();
        assert_eq!(sent.state, TransactionState::RolledBack);
    });
    assert_eq!(in_topic(&served), 1);
    // Each of these is dropped at another point.
    let drops: [fn(&TransactionProducer); 3] = [
        |producer| drop(producer.begin(message())),
        |producer| drop(producer.begin(message()).wait().unwrap()),
        |producer| {
            let begun: Begin = producer.begin(message());
            begun.cancel();
        },
    ];
    for drop_one in drops {
        drop_one(&producer);
    }
    let all_decided = || {
        let undecided = rig.client.stats().transactions.undecided;
        undecided == 0 && served.with(|cluster| cluster.halves(0)) == 0
    };
    assert!(eventually(SOON, || in_topic(&served) >= 3 && all_decided()));
    let late = TransactionOptions::default().work_limit(Duration::from_millis(20));
    let quick = rig.client.transaction_producer_with("q", late, |_| Resolution::Commit).unwrap();
    let half = quick.begin(message()).wait().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(half.commit().wait(), Err(TransactionError::Overdue));
}

/// A checker's own, which panics when it is dropped.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(thread::panicking(), "a checker's own fault");
    }
}

#[test]
fn a_checker_that_panics_when_it_is_dropped_ends_no_other() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let slot = Arc::<OnceLock<TransactionProducer>>::default();
    let (own, brittle) = (slot.clone(), Brittle);
    let producer = rig.client.transaction_producer("g", move |_| {
        let _kept = &brittle;
        if let Some(producer) = own.get() {
            producer.set_checker(|_| Resolution::Commit);
        }
        Resolution::Unknown
    });
    slot.set(producer.unwrap()).unwrap();
    drop(slot.get().unwrap().begin(message()).wait().unwrap());
    assert!(eventually(SOON, || in_topic(&served) == 1));
}

/// Begins a transaction, and waits, where the client calls it.
struct Begins {
    producer: TransactionProducer,
    told: Mutex<Option<ErrorKind>>,
}

impl Wake for Begins {
    fn wake(self: Arc<Self>) {
        let begun = self.producer.begin(message()).wait();
        *self.told.lock().unwrap() = begun.err().map(|error| error.kind());
    }
}

#[test]
fn a_half_message_that_can_not_be_waited_for_is_rolled_back() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.transaction_producer("g", |_| Resolution::Unknown).unwrap();
    // Slow enough that the answer finds the waker.
    let delay = Duration::from_millis(100);
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, delay));
    let mut sent = rig.client.producer("p").unwrap().send(Message::new("t", "x"));
    let begins = Arc::new(Begins { producer, told: Mutex::default() });
    let waker = Waker::from(begins.clone());
    assert!(Pin::new(&mut sent).poll(&mut Context::from_waker(&waker)).is_pending());
    let told = || *begins.told.lock().unwrap();
    assert!(eventually(SOON, || told() == Some(ErrorKind::WouldDeadlock)));
    assert!(eventually(SOON, || rig.client.stats().transactions.rolled_back == 1));
    assert_eq!((in_topic(&served), served.with(|cluster| cluster.halves(0))), (1, 0));
}

#[test]
fn a_half_message_that_outlives_its_producer_is_still_answered_for() {
    let served = served();
    let rig = Rig::start(On::Threads, &served.namesrv());
    let producer = rig.client.transaction_producer("g", |_| Resolution::RollBack).unwrap();
    let half = producer.begin(message()).wait().unwrap();
    drop(producer);
    let checks = || rig.client.stats().transactions.checks > 0;
    assert!(eventually(SOON, checks), "nobody is asked");
    let stats = rig.client.stats().transactions;
    assert_eq!((stats.checks_unanswered, in_topic(&served)), (0, 0), "{stats}");
    assert_eq!(half.commit().wait().unwrap().state, TransactionState::Committed);
    assert_eq!(in_topic(&served), 1);
    // With it the group has nobody any more.
    let members = || served.with(|cluster| cluster.producers(0, "g").len());
    assert!(eventually(SOON, || members() == 0), "{} producers", members());
}
