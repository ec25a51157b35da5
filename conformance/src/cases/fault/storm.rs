//! Work under a [script](super::script) of faults, and what has to hold of it: what was answered is
//! in the log, what is in the log is delivered, queues keep their order and their one holder, no
//! offset passes what is not settled, and the accounts balance.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rocketry::{Config, MessageView, Run, RunOptions, Start};

use super::books::{
    Books, GROUPS, QUEUES, TOPIC, all_is_in_the_log, locked, offsets_are_true, order_is_kept,
};
use super::script::Scene;
use crate::cases::place::{Place, note};
use crate::rig::{Rig, eventually};

/// A seed of the caller's, for the same script again.
const SEED: &str = "FAULT_SEED";
const CALLERS: usize = 4;
const DEADLINE: Duration = Duration::from_secs(3);
/// What a machine that is busy may take beyond a deadline.
const LATE: Duration = Duration::from_secs(4);
/// A queue whose holder lost it may stay locked for a minute, and is looked at each 20 s then.
const REST: Duration = Duration::from_secs(130);

/// Two clients with a member of each group, and one that sends.
struct Work {
    books: Arc<Books>,
    rigs: Vec<Rig>,
    threads: Vec<JoinHandle<()>>,
    runs: Vec<Run>,
}

impl Work {
    fn start(place: &Place, namesrv: &str) -> Self {
        let mut config = Config::new(namesrv).expect("settings");
        config.send_timeout = DEADLINE;
        let rigs: Vec<Rig> = (0..2).map(|_| Rig::with(place.on(), config.clone())).collect();
        let (books, mut threads, mut runs) = (Arc::<Books>::default(), Vec::new(), Vec::new());
        for (member, rig) in rigs.iter().enumerate() {
            let consumer = |group: &str| {
                let builder = rig.client.consumer(group).expect("a group");
                builder.topic(TOPIC, "*").start_at(Start::First)
            };
            let (own, mut pushed) = (books.clone(), consumer(GROUPS[0]).start().expect("one"));
            threads.push(thread::spawn(move || own.push(&mut pushed)));
            let ordered = consumer(GROUPS[1]).orderly().start().expect("one");
            let own = books.clone();
            let handler = move |message: &MessageView| own.handle(member, message);
            let options = RunOptions::default().concurrency(8);
            runs.push(ordered.run(options, handler).expect("it runs"));
        }
        for _ in 0..CALLERS {
            let (own, client) = (books.clone(), rigs[0].client.clone());
            threads.push(thread::spawn(move || own.call(&client)));
        }
        Self { books, rigs, threads, runs }
    }

    /// Everything ends, each in its time.
    fn end(mut self) {
        self.books.stop.store(true, Ordering::Relaxed);
        for run in self.runs.drain(..) {
            run.stop(Duration::from_secs(10)).wait().expect("an end");
        }
        self.threads.drain(..).for_each(|thread| thread.join().expect("no panic within"));
        for rig in &self.rigs {
            let balanced = || {
                let stats = rig.client.stats();
                let counters = stats.counters;
                let ended = counters.sends_stored + counters.sends_handed;
                let ended = ended + counters.sends_failed + counters.sends_cancelled;
                (counters.sends_begun, stats.open.operations) == (ended, 0)
            };
            assert!(eventually(DEADLINE + LATE, balanced), "{}", rig.client.stats());
            rig.client.shutdown().wait().expect("an end");
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.books.calm.store(true, Ordering::Relaxed);
        self.books.stop.store(true, Ordering::Relaxed);
    }
}

fn seed() -> u64 {
    let given = std::env::var(SEED).ok().map(|text| text.parse().expect("a number"));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    given.unwrap_or_else(|| u64::from(now().subsec_nanos()))
}

/// Suffers the script while the offsets are looked at.
fn suffer(scene: &Scene, books: &Books, seed: u64, time: Duration) -> Vec<String> {
    thread::scope(|scope| {
        let script = scope.spawn(|| scene.suffer(seed, time));
        while !script.is_finished() {
            offsets_are_true(scene, books);
            thread::sleep(Duration::from_millis(40));
        }
        script.join().expect("no panic within")
    })
}

pub(crate) fn a_script_of_all_faults_breaks_no_promise(place: &Place) {
    let (seed, time) = (seed(), Duration::from_secs(if place.is_long() { 60 } else { 5 }));
    note!(place, "{SEED}={seed} has the same script again");
    let scene = Scene::start(TOPIC, QUEUES);
    let work = Work::start(place, &scene.namesrv());
    let books = work.books.clone();
    let handled = || locked(&books.ordered.came).len().min(locked(&books.pushed.came).len());
    assert!(eventually(REST, || handled() > 100), "nothing comes");
    let told = suffer(&scene, &books, seed, time);
    told.iter().for_each(|fault| note!(place, "{fault}"));
    let (calm, before) = (Instant::now(), locked(&books.sent).len());
    let stored = || locked(&books.sent).len();
    assert!(eventually(REST, || stored() > before + 100), "sends do not go on");
    note!(place, "a hundred more were stored {:?} after the last fault", calm.elapsed());
    books.calm.store(true, Ordering::Relaxed);
    let slowest = || *locked(&books.slowest);
    thread::sleep(Duration::from_millis(100));
    let sent = || -> BTreeSet<usize> { locked(&books.sent).iter().map(|one| one.0).collect() };
    let missing = || (books.pushed.missing(&sent()), books.ordered.missing(&sent()));
    let all = eventually(REST, || {
        offsets_are_true(&scene, &books);
        missing() == (0, 0)
    });
    note!(
        place,
        "{} answered, {} failed, the slowest {:?}; {:?} of them were lost, {:?} after the storm",
        stored(),
        books.failed.load(Ordering::Relaxed),
        slowest(),
        missing(),
        calm.elapsed()
    );
    let stats = || work.rigs.iter().map(|rig| rig.client.stats().to_string()).collect::<String>();
    assert!(all, "{:?} are missing: {}", missing(), stats());
    assert!(slowest() < DEADLINE + LATE, "a send took {:?}", slowest());
    work.end();
    offsets_are_true(&scene, &books);
    all_is_in_the_log(&scene, &locked(&books.sent));
    order_is_kept(place, &scene, &books);
}
