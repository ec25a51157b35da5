//! Groups that broadcast: each member gets all, and goes on from a file of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketry::proto::body::{MessageModel, OffsetFile};
use rocketry::{Config, Consumer, MessageView, RunOptions, Start};

use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, drained, next, number, queues, send_all, send_to, take,
};
use crate::rig::{Rig, eventually};

/// Where both clients say that they are: what a file is kept under begins with it.
const ADDRESS: [u8; 4] = [127, 0, 0, 9];

/// A folder for offsets, which goes with this.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rocketry-bcast-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).expect("a folder");
        Self(root)
    }

    /// A client of that name, which keeps its offsets here.
    fn config(&self, place: &Place, name: &str) -> Config {
        let mut config = place.config();
        config.identity.address = ADDRESS;
        config.instance_name = Some(name.to_owned());
        config.offset_store_path = self.0.to_str().map(str::to_owned);
        config.commit_interval = Duration::from_millis(200);
        config.retry_delay = Duration::from_millis(500);
        config
    }

    fn file(&self, name: &str, group: &str) -> PathBuf {
        self.0.join(format!("127.0.0.9@{name}")).join(group).join("offsets.json")
    }

    /// The sum of the offsets that are stored.
    fn stored(&self, name: &str, group: &str) -> i64 {
        let json = fs::read(self.file(name, group)).unwrap_or_default();
        OffsetFile::parse(&json).map_or(0, |file| file.offsets.into_values().sum())
    }

    fn await_stored(&self, name: &str, group: &str, sum: i64) {
        let come = eventually(SOON, || self.stored(name, group) == sum);
        assert!(come, "{} is stored, not {sum}", self.stored(name, group));
    }

    /// What is here now, as a crash leaves it.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_all(&self.0, &copy.0);
        copy
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map_while(Result::ok) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_all(&path, &to);
        } else {
            // A file that is being written goes away meanwhile.
            let _ = fs::copy(&path, &to);
        }
    }
}

fn listen(rig: &Rig, group: &str, topic: &str, start: Start) -> Consumer {
    let builder = rig.client.consumer(group).expect("a group").topic(topic, "*");
    builder.model(MessageModel::Broadcasting).start_at(start).start().expect("a consumer")
}

/// Waits until a consumer reads so many queues: what is sent from then on comes to it.
fn await_reading(rig: &Rig, count: usize) {
    let reads = || {
        let stats = rig.client.stats().consumers;
        let queues = stats.iter().flat_map(|one| &one.queues);
        queues.filter(|queue| queue.state == "pulling").count() == count
    };
    assert!(eventually(SOON, reads), "{}", rig.client.stats());
}

pub(crate) fn each_member_gets_all(place: &Place) {
    let (topic, group, root) = (place.topic(4), place.name(), Root::new());
    let rigs = ["one", "two"].map(|name| place.rig_with(root.config(place, name)));
    let mut consumers = rigs.each_ref().map(|rig| listen(rig, &group, &topic, Start::First));
    send_all(&rigs[0], &topic, 0..100);
    for (consumer, name) in consumers.iter_mut().zip(["one", "two"]) {
        let mut bodies: Vec<usize> = Vec::new();
        for delivery in take(consumer, 100) {
            bodies.push(number(&delivery));
            acked(delivery);
        }
        bodies.sort_unstable();
        assert!(bodies.into_iter().eq(0..100), "{name} misses some");
        root.await_stored(name, &group, 100);
    }
    for consumer in &mut consumers {
        assert!(consumer.recv_timeout(QUIET).is_err(), "a message comes twice");
    }
}

pub(crate) fn one_that_starts_later_begins_where_it_says(place: &Place) {
    let (topic, group, root) = (place.topic(1), place.name(), Root::new());
    let rigs = ["late", "all"].map(|name| place.rig_with(root.config(place, name)));
    let queue = &queues(&rigs[0], &topic)[0];
    send_to(&rigs[0], queue, 0..20);
    let mut late = listen(&rigs[0], &group, &topic, Start::Last);
    await_reading(&rigs[0], 1);
    let mut all = listen(&rigs[1], &group, &topic, Start::First);
    send_to(&rigs[0], queue, 20..30);
    assert!(drained(&mut late, 2 * QUIET).into_iter().eq(20..30), "what came after it");
    assert!(drained(&mut all, 2 * QUIET).into_iter().eq(0..30), "all");
}

pub(crate) fn one_that_crashes_goes_on_from_its_file(place: &Place) {
    let (topic, group, root) = (place.topic(2), place.name(), Root::new());
    let rigs = ["one", "two"].map(|name| place.rig_with(root.config(place, name)));
    let [mut one, mut two] = rigs.each_ref().map(|rig| listen(rig, &group, &topic, Start::First));
    send_all(&rigs[0], &topic, 0..20);
    take(&mut one, 20).into_iter().for_each(acked);
    root.await_stored("one", &group, 20);
    // What it handles from here on, it has not stored when it is gone.
    let crashed = root.copy();
    one.close().wait().expect("an end");
    send_all(&rigs[1], &topic, 20..30);
    assert!(drained(&mut two, 2 * QUIET).into_iter().eq(0..30), "the other is not affected");
    let rig = place.rig_with(crashed.config(place, "one"));
    let mut again = listen(&rig, &group, &topic, Start::First);
    assert!(drained(&mut again, 2 * QUIET).into_iter().eq(20..30), "on from its file");
}

pub(crate) fn what_can_not_be_handled_is_dropped_and_told(place: &Place) {
    let (topic, group, root) = (place.topic(1), place.name(), Root::new());
    let mut config = root.config(place, "one");
    config.max_reconsume_times = 1;
    let rig = place.rig_with(config);
    let mut consumer = listen(&rig, &group, &topic, Start::First);
    send_to(&rig, &queues(&rig, &topic)[0], 0..3);
    for (delivery, expected) in take(&mut consumer, 3).into_iter().zip(0..) {
        assert_eq!(number(&delivery), expected);
        let settled = match expected {
            0 => delivery.retry(),
            1 => delivery.reject(),
            _ => delivery.ack(),
        };
        assert!(settled.is_taken(), "ours");
    }
    let again = next(&mut consumer);
    assert_eq!((number(&again), again.attempts()), (0, 2));
    assert!(again.retry().is_taken(), "ours");
    assert!(consumer.recv_timeout(2 * QUIET).is_err(), "twice is all");
    root.await_stored("one", &group, 3);
    let stats = rig.client.stats();
    let topic = &stats.consumers[0].consumption[0];
    assert_eq!((topic.done, topic.dropped), (1, 2), "{topic}");
    assert_eq!((stats.counters.sent_back, stats.counters.sent_back_failed), (0, 0));
}

/// Reads the bodies of ten messages that are sent now, and leaves.
fn ten(place: &Place, root: &Root, (group, topic): (&str, &str), bodies: std::ops::Range<usize>) {
    let rig = place.rig_with(root.config(place, "both"));
    let mut consumer = listen(&rig, group, topic, Start::First);
    send_all(&rig, topic, bodies.clone());
    assert!(drained(&mut consumer, 2 * QUIET).into_iter().eq(bodies), "those and no others");
    consumer.close().wait().expect("an end");
    rig.client.shutdown().wait().expect("an end");
}

pub(crate) fn java_goes_on_from_our_file_and_we_from_javas(place: &Place) {
    let (topic, group, root) = (place.topic(4), place.name(), Root::new());
    let of = (&*group, &*topic);
    ten(place, &root, of, 0..10);
    note!(place, "ours: {}", fs::read_to_string(root.file("both", &group)).unwrap_or_default());
    let (namesrv, folder) = (place.namesrv(), root.0.display().to_string());
    let words = ["broadcast", &namesrv, &group, &topic, &folder, "127.0.0.9", "both"];
    let mut java = Peer::java(place.version(), &words);
    java.await_ready();
    let producer = place.rig();
    send_all(&producer, &topic, 10..20);
    let came = || java.told("seen").len();
    assert!(eventually(SOON, || came() >= 10), "{} came to Java", came());
    std::thread::sleep(2 * QUIET);
    assert_eq!(came(), 10, "Java went on elsewhere");
    java.leave();
    root.await_stored("both", &group, 20);
    note!(place, "Java's: {}", fs::read_to_string(root.file("both", &group)).unwrap_or_default());
    ten(place, &root, of, 20..30);
}

/// Each of two members handles all messages, those of a queue one after the other.
pub(crate) fn orderly_members_each_get_every_queue_in_its_order(place: &Place) {
    const EACH: usize = 25;
    let (topic, group, root) = (place.topic(4), place.name(), Root::new());
    let sender = place.rig();
    for (number, queue) in queues(&sender, &topic).iter().enumerate() {
        send_to(&sender, queue, number * EACH..(number + 1) * EACH);
    }
    let member = |name: &str| {
        let rig = place.rig_with(root.config(place, name));
        let builder = rig.client.consumer(&*group).expect("a group").topic(&*topic, "*");
        let builder = builder.model(MessageModel::Broadcasting).orderly();
        let consumer = builder.start_at(Start::First).start().expect("a consumer");
        let seen: Arc<Mutex<BTreeMap<u32, Vec<usize>>>> = Arc::default();
        let own = seen.clone();
        let handler = move |message: &MessageView| {
            let mut seen = own.lock().expect("no panic within");
            seen.entry(message.queue().queue).or_default().push(number(message));
        };
        let run = consumer.run(RunOptions::default().concurrency(8), handler).expect("it runs");
        (rig, run, seen)
    };
    let members = ["one", "two"].map(member);
    for (_, _, seen) in &members {
        let count = || seen.lock().expect("no panic within").values().map(Vec::len).sum::<usize>();
        assert!(eventually(SOON, || count() >= 4 * EACH), "{} came", count());
        std::thread::sleep(QUIET);
        assert_eq!(count(), 4 * EACH, "some came twice");
        for (queue, bodies) in seen.lock().expect("no panic within").iter() {
            assert!(bodies.is_sorted(), "queue {queue}: {bodies:?}");
        }
    }
}
