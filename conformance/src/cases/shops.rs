//! Thousands of transactions of shops that are killed, at a broker that is killed: each is in the
//! log once, or never, as is written of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rocketry::Resolution;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::reply::ReplyFields;
use rocketry::proto::frame::request::MaxOffsetRequest;

use crate::cases::common::stored;
use crate::cases::loss::Ground;
use crate::cases::place::{Place, Setting, note};
use crate::cases::reading::{ask, committed_at, queues};
use crate::live;
use crate::rig::shop::{Book, Custom, Shop};
use crate::rig::{Rig, eventually};

/// Far enough apart that a shop has answered before another one is asked about the same: two that
/// commit in the same moment have the message twice.
pub(crate) const CHECKED: &[Setting] = &[("transactionCheckInterval", "5000")];
const TOPIC: &str = "sold";
const GROUP: &str = "shops";
const QUEUES: u32 = 4;
/// Shops at once.
const SHOPS: usize = 3;
/// A shop is killed so often.
const KILL_EVERY: Duration = Duration::from_secs(5);
/// How long checks may take to settle all.
const SETTLED: Duration = Duration::from_secs(240);

/// Half messages that the broker has not done with: those behind the place that its checks have
/// come to, in the one queue that it keeps them in.
fn undecided(ground: &Ground<'_>, rig: &Rig) -> Option<i64> {
    if let Ground::Embedded(place) = ground {
        let served = place.served().expect("the embedded broker");
        return Some(served.with(|cluster| cluster.halves(0)) as i64);
    }
    const HALVES: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
    let broker = ground.at().1;
    let request = MaxOffsetRequest { topic: HALVES.into(), ..MaxOffsetRequest::default() };
    let answer = ask(rig, &broker, Request::MaxOffset(request), Vec::new());
    let Ok(ReplyFields::Offset(end)) = answer.fields else { return None };
    let checked = committed_at(&rig.client, &broker, "CID_RMQ_SYS_TRANS", (HALVES, 0))?;
    Some(end.offset - checked)
}

/// The folder of a book, which goes with it.
struct Shelf {
    folder: PathBuf,
    book: Book,
}

impl Shelf {
    fn new(place: &Place) -> Self {
        let folder = std::env::temp_dir().join(format!("rocketry-{}", place.name()));
        fs::create_dir_all(&folder).expect("a folder");
        Self { book: Book::at(&folder), folder }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Keeps shops at work until they have begun so many; gives the names of what was begun.
struct Street<'p> {
    place: &'p Place,
    namesrv: String,
    book: Book,
    shops: Vec<Shop>,
    opened: usize,
    begun: Vec<String>,
}

impl Street<'_> {
    /// Each on the next runtime.
    fn open(&mut self) {
        let (name, at) = (format!("shop{}", self.opened), (&*self.namesrv, GROUP, TOPIC));
        self.opened += 1;
        let what = (&*name, &self.book, Custom::Ends);
        let all = self.place.runtimes();
        let on = all[self.opened % all.len()];
        self.shops.push(Shop::start(on, at, what));
    }

    fn count(&self) -> usize {
        self.begun.len() + self.shops.iter().map(Shop::begun).sum::<usize>()
    }

    fn kill_first(&mut self) {
        let names = self.shops.remove(0).kill();
        self.begun.extend(names);
    }

    /// Works on until so many are begun.
    fn until(&mut self, count: usize) {
        let (begun, mut killed) = (Instant::now(), Instant::now());
        while self.count() < count {
            assert!(begun.elapsed() < SETTLED, "{} of {count} were begun", self.count());
            if killed.elapsed() > KILL_EVERY {
                self.kill_first();
                self.open();
                killed = Instant::now();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How often each name is in the topic.
fn sold(rig: &Rig) -> BTreeMap<String, usize> {
    let mut sold = BTreeMap::new();
    for queue in queues(rig, TOPIC) {
        let end = rig.client.max_offset(&queue).wait().expect("an offset");
        let mut offset = 0;
        while offset < end {
            let pulled = rig.client.admin().pull(&queue, offset, 32).wait().expect("pulled");
            assert!(!pulled.records.is_empty(), "nothing at {offset} of {end}");
            for record in pulled.records.items().filter_map(|item| item.record()) {
                let name = record.property("TRANSACTION_ID").expect("a name").to_owned();
                *sold.entry(name).or_default() += 1;
                offset = record.queue_offset() + 1;
            }
        }
    }
    sold
}

pub(crate) fn of_thousands_each_ends_once_though_shops_and_broker_are_killed(place: &Place) {
    let count = if place.served().is_some() { 600 } else { 10_000 };
    let (mut ground, shelf) = (Ground::of(place, |_| ()), Shelf::new(place));
    let (namesrv, broker) = ground.at();
    live::create_topic(&namesrv, &broker, TOPIC, QUEUES).expect("created");
    let (rig, book) = (Rig::watcher(&namesrv), shelf.book.clone());
    let checks = book.clone();
    let here = rig.client.transaction_producer(GROUP, move |half| checks.check(half));
    let here = here.expect("a producer");
    here.attend(&TOPIC.try_into().expect("a topic"));
    let (shops, begun) = (Vec::new(), Vec::new());
    let mut street = Street { place, namesrv, book: book.clone(), shops, opened: 0, begun };
    let started = Instant::now();
    (0..SHOPS).for_each(|_| street.open());
    for part in 1..4 {
        street.until(count * part / 4);
        ground.kill_and_restart();
    }
    street.until(count);
    while !street.shops.is_empty() {
        street.kill_first();
    }
    let (begun, took) = (street.begun, started.elapsed());
    let ended = Instant::now();
    let none = || undecided(&ground, &rig) == Some(0) && begun.iter().all(|n| book.of(n).is_some());
    let all = eventually(SETTLED, || {
        none() || {
            thread::sleep(Duration::from_secs(1));
            false
        }
    });
    assert!(all, "{:?} are undecided", undecided(&ground, &rig));
    let settled = ended.elapsed();
    // Ends are written down within 3 s; what is still asked about is asked about then.
    thread::sleep(Duration::from_secs(if place.served().is_some() { 2 } else { 25 }));
    let (sold, mut wrong, mut commits) = (sold(&rig), Vec::new(), 0);
    for (name, resolution) in book.all() {
        let expected = usize::from(resolution == Resolution::Commit);
        commits += expected;
        let times = sold.get(&name).copied().unwrap_or(0);
        if times != expected {
            wrong.push((name, resolution, times));
        }
    }
    let seen = rig.client.stats().transactions;
    let strangers = sold.keys().filter(|name| book.of(name).is_none()).count();
    note!(
        place,
        "{} begun by {} shops in {took:.1?}, 3 kills of the broker, settled {settled:.1?} later: \
         {commits} committed, {} messages; wrong {}, unknown {strangers}; here: {seen}, {} \
         of copies",
        begun.len(),
        street.opened,
        sold.values().sum::<usize>(),
        wrong.len(),
        seen.copies
    );
    assert!(wrong.is_empty() && strangers == 0, "{strangers}; {wrong:?}");
    assert_eq!(stored(&rig, TOPIC), commits as i64);
}
