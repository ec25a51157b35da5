//! Many messages through a group whose members come and go, over a broker that is killed: none may
//! be missed, and what comes twice has a bound.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rocketry::{Config, Consumer, Delivery, Message, Pending, SendError, SendReceipt, Start};

use crate::cases::common::named;
use crate::cases::place::{Place, note};
use crate::cases::reading::committed_at;
use crate::live::{Cluster, Options};
use crate::rig::{On, Rig, eventually};

const QUEUES: usize = 16;
const MEMBERS: usize = 4;
const WINDOW: usize = 256;
const TOPIC: &str = "many";
const GROUP: &str = "come_and_go";
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of one queue.
#[derive(Default)]
struct OfQueue {
    /// How often each offset came.
    times: Vec<u8>,
    /// The last offset that was settled, and one more.
    settled: i64,
}

/// What came of all.
struct Ledger {
    queues: Vec<Mutex<OfQueue>>,
    /// Which bodies came.
    bodies: Mutex<Vec<bool>>,
    handed: AtomicUsize,
    stop: AtomicBool,
}

impl Ledger {
    fn new(count: usize) -> Self {
        Self {
            queues: (0..QUEUES).map(|_| Mutex::default()).collect(),
            bodies: Mutex::new(vec![false; count]),
            handed: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn handle(&self, delivery: Delivery) {
        let offset = usize::try_from(delivery.offset().expect("an offset")).expect("not negative");
        let text = std::str::from_utf8(delivery.body()).expect("a text");
        let body: usize = text.trim_end_matches('.').parse().expect("a number");
        let queue = &self.queues[delivery.queue().queue as usize];
        self.bodies.lock().expect("no panic within")[body] = true;
        let mut of = queue.lock().expect("no panic within");
        if of.times.len() <= offset {
            of.times.resize(offset + 1, 0);
        }
        of.times[offset] = of.times[offset].saturating_add(1);
        if delivery.ack().is_taken() {
            of.settled = of.settled.max(offset as i64 + 1);
        }
        drop(of);
        self.handed.fetch_add(1, Ordering::Relaxed);
    }

    fn missing(&self) -> usize {
        self.bodies.lock().expect("no panic within").iter().filter(|came| !**came).count()
    }

    /// Deliveries beyond the first of a place in a queue.
    fn again(&self) -> usize {
        let of = |queue: &Mutex<OfQueue>| {
            let queue = queue.lock().expect("no panic within");
            queue.times.iter().map(|times| usize::from(times.saturating_sub(1))).sum::<usize>()
        };
        self.queues.iter().map(of).sum()
    }

    fn settled(&self, queue: usize) -> i64 {
        self.queues[queue].lock().expect("no panic within").settled
    }
}

/// A member of the group with a thread that handles its messages.
struct Member {
    rig: Rig,
    queues: Arc<Mutex<Vec<u32>>>,
    leave: Arc<AtomicBool>,
    worker: JoinHandle<Consumer>,
}

impl Member {
    fn start(on: On, config: Config, ledger: &Arc<Ledger>) -> Self {
        let rig = Rig::with(on, config);
        let builder = rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "*");
        let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
        let (queues, leave) = (Arc::<Mutex<Vec<u32>>>::default(), Arc::<AtomicBool>::default());
        let (own, told, leaving) = (ledger.clone(), queues.clone(), leave.clone());
        let worker = thread::spawn(move || {
            let mut looked = Instant::now();
            while !own.stop.load(Ordering::Relaxed) && !leaving.load(Ordering::Relaxed) {
                if let Ok(next) = consumer.recv_timeout(Duration::from_millis(20)) {
                    own.handle(next.expect("a readable message"));
                }
                if looked.elapsed() > Duration::from_millis(50) {
                    let mut now: Vec<u32> = consumer.queues().iter().map(|q| q.queue).collect();
                    now.sort_unstable();
                    *told.lock().expect("no panic within") = now;
                    looked = Instant::now();
                }
            }
            consumer
        });
        Self { rig, queues, leave, worker }
    }

    /// Leaves, with what is settled committed.
    fn leave(self) {
        self.leave.store(true, Ordering::Relaxed);
        let consumer = self.worker.join().expect("no panic within");
        consumer.close().wait().expect("an end");
        self.rig.client.shutdown().wait().expect("an end");
    }
}

/// Who has which queue, once each has one owner.
fn owners(members: &[Member]) -> BTreeMap<u32, usize> {
    let mut owners = BTreeMap::new();
    let shared = eventually(PATIENCE, || {
        let all: Vec<Vec<u32>> =
            members.iter().map(|one| one.queues.lock().expect("no panic").clone()).collect();
        let count: usize = all.iter().map(Vec::len).sum();
        let each = all.iter().enumerate();
        owners = each.flat_map(|(at, own)| own.iter().map(move |queue| (*queue, at))).collect();
        count == QUEUES && owners.len() == QUEUES
    });
    assert!(shared, "{owners:?}");
    owners
}

/// Sends all bodies, each until it is stored.
fn send(rig: &Rig, count: usize) -> usize {
    let producer = rig.client.producer("many").expect("a producer");
    let topic = named(TOPIC);
    let message = |body: usize| Message::new(topic.clone(), format!("{body:.<200}"));
    type Sent = Pending<Result<SendReceipt, SendError>>;
    let (mut window, mut left) =
        (VecDeque::<(usize, Sent)>::new(), (0..count).rev().collect::<Vec<_>>());
    let mut repeated = 0;
    while !left.is_empty() || !window.is_empty() {
        if window.len() < WINDOW
            && let Some(body) = left.pop()
        {
            window.push_back((body, producer.send(message(body))));
        } else if let Some((body, sent)) = window.pop_front()
            && let Err(error) = sent.wait()
        {
            assert!(error.is_retriable(), "{error}");
            repeated += 1;
            left.push(body);
            thread::sleep(Duration::from_millis(20));
        }
    }
    repeated
}

/// The cluster, and how its broker is killed.
pub(super) enum Ground<'p> {
    Live(Box<Cluster>),
    Embedded(&'p Place),
}

impl Ground<'_> {
    /// The embedded broker of a place, or a live one with these options.
    pub(super) fn of(place: &Place, options: impl FnOnce(&mut Options)) -> Ground<'_> {
        match place.served() {
            Some(_) => Ground::Embedded(place),
            None => Ground::Live(Box::new(place.cluster(options))),
        }
    }

    pub(super) fn at(&self) -> (String, String) {
        match self {
            Self::Live(cluster) => (cluster.namesrv(), cluster.broker()),
            Self::Embedded(place) => (place.namesrv(), place.broker()),
        }
    }

    pub(super) fn kill_and_restart(&mut self) {
        match self {
            Self::Live(cluster) => {
                cluster.kill("broker-a").expect("killed");
                thread::sleep(Duration::from_secs(2));
                cluster.restart("broker-a").expect("it starts again");
            }
            Self::Embedded(place) => {
                let served = place.served().expect("the embedded broker");
                served.kill_broker(0);
                thread::sleep(Duration::from_secs(1));
                served.start_broker(0).expect("it starts again");
            }
        }
    }
}

/// What a run looks at.
struct Run<'p> {
    place: &'p Place,
    ground: Ground<'p>,
    watcher: Rig,
    ledger: Arc<Ledger>,
    members: Vec<Member>,
    /// What may come twice.
    bound: i64,
}

impl Run<'_> {
    fn committed(&self) -> Vec<i64> {
        let broker = self.ground.at().1;
        let of = |queue: usize| {
            committed_at(&self.watcher.client, &broker, GROUP, (TOPIC, queue as i32)).unwrap_or(0)
        };
        (0..QUEUES).map(of).collect()
    }

    fn config(&self) -> Config {
        let mut config = Config::new(&self.ground.at().0).expect("settings");
        config.send_timeout = Duration::from_secs(20);
        config
    }

    fn join(&mut self) {
        let member = Member::start(self.place.on(), self.config(), &self.ledger);
        self.members.push(member);
    }

    /// Changes something. What was settled in a queue that has another owner afterwards, or whose
    /// broker was killed, and was not committed before, may come again.
    fn change(&mut self, what: &str, killed: bool, act: impl FnOnce(&mut Self)) {
        let (before, stored) = (owners(&self.members), self.committed());
        let ids = |run: &Self, owners: &BTreeMap<u32, usize>| -> BTreeMap<u32, String> {
            let id = |at: usize| run.members[at].rig.client.id().to_string();
            owners.iter().map(|(queue, at)| (*queue, id(*at))).collect()
        };
        let (before, begun) = (ids(self, &before), Instant::now());
        act(self);
        let after = owners(&self.members);
        let (after, kept) = (ids(self, &after), self.committed());
        let mut may = 0;
        for queue in 0..QUEUES {
            let moved = before.get(&(queue as u32)) != after.get(&(queue as u32));
            if moved || killed {
                let least = stored[queue].min(if killed { kept[queue] } else { i64::MAX });
                may += (self.ledger.settled(queue) - least).max(0);
            }
        }
        // After a kill members come back one by one: the first takes all queues from what the kill
        // has left, and another one may take them from there before that is committed anew.
        may *= if killed { 2 } else { 1 };
        self.bound += may;
        let (handed, again) = (self.ledger.handed.load(Ordering::Relaxed), self.ledger.again());
        note!(
            self.place,
            "at {handed}: {what}, settled after {:?}: {may} may come twice; {again} did so far",
            begun.elapsed()
        );
    }

    fn await_handed(&self, count: usize) {
        let handed = || self.ledger.handed.load(Ordering::Relaxed);
        let come = eventually(PATIENCE * 10, || handed() >= count);
        assert!(come, "{} of {count}", handed());
    }
}

pub(crate) fn members_come_and_go_and_nothing_is_missed(place: &Place) {
    let count = match (place.served(), place.is_long()) {
        (Some(_), _) => 20_000,
        (None, false) => 60_000,
        (None, true) => 1_000_000,
    };
    let ground = Ground::of(place, |options| options.life = Duration::from_secs(3000));
    let (namesrv, broker) = ground.at();
    crate::live::create_topic(&namesrv, &broker, TOPIC, QUEUES as u32).expect("created");
    let (watcher, ledger) = (Rig::watcher(&namesrv), Arc::new(Ledger::new(count)));
    let mut run = Run { place, ground, watcher, ledger, members: Vec::new(), bound: 0 };
    run.join();
    run.join();
    let sender = Rig::with(place.on(), run.config());
    let begun = Instant::now();
    let sending = thread::spawn(move || send(&sender, count));
    let part = |percent: usize| count / 100 * percent;
    run.await_handed(part(10));
    run.change("a third member", false, Run::join);
    run.await_handed(part(20));
    run.change("a fourth member", false, Run::join);
    assert_eq!(run.members.len(), MEMBERS);
    run.await_handed(part(35));
    run.change("the broker killed", true, |run| run.ground.kill_and_restart());
    run.await_handed(part(50));
    run.change("a member left", false, |run| run.members.remove(0).leave());
    run.await_handed(part(60));
    run.change("it joined again", false, Run::join);
    run.await_handed(part(70));
    run.change("the broker killed again", true, |run| run.ground.kill_and_restart());
    run.await_handed(part(85));
    run.change("another one left", false, |run| run.members.remove(1).leave());
    let repeated = sending.join().expect("no panic within");
    note!(place, "{count} stored after {:?}, {repeated} sends repeated", begun.elapsed());
    let all = eventually(PATIENCE, || run.ledger.missing() == 0);
    let (missing, again) = (run.ledger.missing(), run.ledger.again());
    note!(
        place,
        "{:?}: of {count} messages {missing} were lost; {again} came twice, {} may have; {:?}",
        place.on(),
        run.bound,
        begun.elapsed()
    );
    assert!(all, "{missing} of {count} are missing");
    assert!(again as i64 <= run.bound, "{again} came twice, {} may have", run.bound);
    run.ledger.stop.store(true, Ordering::Relaxed);
    run.members.drain(..).for_each(Member::leave);
}
