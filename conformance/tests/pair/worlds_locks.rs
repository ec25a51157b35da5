//! Every order of what happens to the lock of one queue between two orderly consumers: it is
//! handed over, given up, left behind by one that crashes or sleeps, refused, not answered, taken
//! away, run out, forgotten by a broker that begins anew, and unlocked in vain.
//!
//! What must hold of each: first deliveries come in order; whoever is given a message has the
//! queue's lock at its broker; nobody is given one while another member handles one, unless its
//! lock is long over; and in the end all is handled and stored, and one member has the queue and
//! its lock.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::sim::{Choices, ClientId, Pace, Reads, Split, World};
use rocketry_core::engine::{Note, Planted};
use rocketry_core::error::PeerKind;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::time;

use crate::setting::*;

const LOCK: RequestCode = RequestCode::LOCK_BATCH_MQ;
const UNLOCK: RequestCode = RequestCode::UNLOCK_BATCH_MQ;
const READS: Reads<'static> = Reads { group: GROUP, topic: TOPIC, tag: None };

/// What becomes of the one who had the queue first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Stays,
    Leaves,
    Finishes,
    Crashes,
    /// Stands still for so many seconds.
    Sleeps(u64),
}

/// What befalls the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hurt {
    Nothing,
    /// The request for it of this number.
    Lock(usize, Fault),
    /// The first word that it is given back.
    Unlock(Fault),
    /// The broker begins anew, and has forgotten it.
    Restart,
    /// Each renewal, until it is over.
    Renewals(Fault),
    /// It is given to somebody else, which the next renewal tells, and free again later.
    Another,
}

#[derive(Clone, Copy, Debug)]
struct Plot {
    turn: Turn,
    hurt: Hurt,
}

/// How long the order of things is chosen, each time.
const CHOSEN: Duration = Duration::from_secs(3);
/// The one who has the queue goes at this time.
const TURN: Duration = Duration::from_millis(800);
/// A lock that was left behind has run out by then, and all is handled.
const CALM: Duration = Duration::from_secs(150);
/// Whoever was given a message so long ago has lost its lock, at its broker too.
const OVER: Duration = Duration::from_secs(35);
const HANDLES: Pace = Pace::InOrder(Duration::from_millis(400));

impl Plot {
    /// When the order of things is chosen a second time.
    fn later(self) -> Option<Duration> {
        match (self.turn, self.hurt) {
            (Turn::Sleeps(seconds), _) => Some(TURN + Duration::from_secs(seconds) - ms(200)),
            (_, Hurt::Renewals(_)) => Some(30 * SECOND),
            (_, Hurt::Another) => Some(ms(22_500)),
            _ => None,
        }
    }
}

/// What has been looked at of one world.
#[derive(Default)]
struct Watch {
    seen: usize,
    handed: BTreeMap<ClientId, time::Instant>,
    /// How many connections to the broker have ended for a client, and when the last one did.
    ended: BTreeMap<ClientId, (usize, Option<time::Instant>)>,
}

impl Watch {
    fn look(&mut self, world: &mut World) {
        world.assert_kept(READS);
        let forgot = world.cluster().locks_since(0);
        for one in &world.delivered()[self.seen..] {
            let holder = world.cluster().lock_holder(0, (GROUP, TOPIC), 0);
            let own = world.engine(one.client).client_id();
            let has = holder == Some(&**own) || holder.is_none() && forgot.is_some();
            assert!(has, "{:?} is given {:?}, locked by {holder:?}", one.client, one.offset);
            self.handed.insert(one.client, one.at);
        }
        self.seen = world.delivered().len();
        let (now, busy) = (world.now(), world.in_hand());
        for (client, ended) in &mut self.ended {
            let closed = |note: &&Note| matches!(note, Note::Closed { peer: PeerKind::Broker, .. });
            let count = world.notes(*client).filter(closed).count();
            if count != ended.0 {
                *ended = (count, Some(now));
            }
        }
        // Who has not heard yet that the broker began anew believes in its lock.
        let believes = |client: &ClientId, forgot: time::Instant| {
            let heard = self.ended[client].1.filter(|heard| *heard >= forgot);
            heard.is_none_or(|heard| self.handed[client] <= heard)
        };
        let bound = busy.iter().filter(|client| {
            let over = now.since(self.handed[client]) >= OVER;
            !over && !forgot.is_some_and(|forgot| believes(client, forgot))
        });
        assert!(bound.count() <= 1, "{busy:?} handle one queue at once");
    }
}

fn begin(plot: Plot, plant: Option<Planted>) -> (World, [ClientId; 2], ClientId) {
    let mut world = World::new(1, ClusterConfig::default().topic(TOPIC, 1));
    world.split(Split::Whole);
    world.latency(ms(1), Duration::from_nanos(1));
    world.compute_takes(ms(1));
    if let Some(fault) = plant {
        world.plant(fault);
    }
    let mut world = without_retries(world);
    // The one who comes later has the lower id: the queue goes to it.
    let clients = [(); 2].map(|()| {
        let mut config = config();
        config.retry_delay = ms(300);
        world.client(config)
    });
    let producer = world.client(config());
    for body in ["good 0", "flaky 1", "good 2"] {
        store(&mut world, producer, body);
    }
    hurt(&mut world, plot.hurt);
    (world, clients, producer)
}

fn hurt(world: &mut World, hurt: Hurt) {
    match hurt {
        Hurt::Nothing => {}
        Hurt::Lock(before, fault) => world.with_cluster(|cluster| {
            cluster.push_faults(LOCK, vec![Fault::Pass; before]);
            cluster.push_faults(LOCK, [fault]);
        }),
        Hurt::Unlock(fault) => world.with_cluster(|cluster| cluster.push_faults(UNLOCK, [fault])),
        Hurt::Restart => world.later(ms(600), |world| {
            world.crash(0);
            world.later(ms(200), |world| world.bring_up(0));
        }),
        Hurt::Renewals(fault) => {
            world.later(5 * SECOND, move |world| {
                world.with_cluster(|cluster| cluster.push_faults(LOCK, vec![fault; 1000]));
            });
            world.later(40 * SECOND, |world| world.with_cluster(|cluster| cluster.clear_faults()));
        }
        Hurt::Another => {
            world.later(5 * SECOND, |world| set_lock(world, Some("another")));
            world.later(ms(24_000), |world| set_lock(world, None));
        }
    }
}

fn set_lock(world: &mut World, client: Option<&str>) {
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, client));
}

fn join(world: &mut World, client: ClientId) -> SubscriptionId {
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.orderly();
    world.subscribe(client, subscribe, HANDLES).unwrap()
}

fn goes(world: &mut World, turn: Turn, client: ClientId, sub: SubscriptionId) {
    match turn {
        Turn::Stays => {}
        Turn::Leaves => world.leave(client, sub).unwrap(),
        Turn::Finishes => world.drain(client, sub, SECOND).unwrap(),
        Turn::Crashes => world.vanish(client),
        Turn::Sleeps(seconds) => world.freeze(client, Duration::from_secs(seconds)),
    }
}

/// Messages that come while the order of things is chosen again.
fn more(world: &mut World, producer: ClientId, at: Duration) {
    for number in 3..7 {
        world.later(at + ms(500) * (number - 3), move |world| {
            world.try_send(producer, message(format!("good {number}"))).unwrap();
        });
    }
}

/// One world.
fn play(plot: Plot, plant: Option<Planted>, choices: &mut Choices) {
    let (mut world, [first, second], producer) = begin(plot, plant);
    let (mut watch, begun) = (Watch::default(), world.now());
    watch.ended.extend([first, second].map(|client| (client, (0, None))));
    let sub = join(&mut world, second);
    world.later(ms(300), move |world| {
        join(world, first);
    });
    world.later(TURN, move |world| goes(world, plot.turn, second, sub));
    let mut messages = 3;
    if let Some(at) = plot.later() {
        messages += 4;
        more(&mut world, producer, at - ms(700));
    }
    world.run_by(choices, CHOSEN, |world| watch.look(world));
    if let Some(at) = plot.later() {
        while world.step(begun + at) {
            watch.look(&mut world);
        }
        world.run_by(choices, CHOSEN, |world| watch.look(world));
    }
    let done = |world: &World| {
        committed(world) == Some(messages)
            && world.in_hand().is_empty()
            && !hurts(world, begun, plot)
    };
    let limit = world.now() + CALM;
    while !done(&world) {
        assert!(world.step(limit), "{:?} of {messages} is stored", committed(&world));
        watch.look(&mut world);
    }
    assert_eq!(world.distinct() as i64, messages);
    // Two looks at the shares, and a renewal of the lock.
    world.run_for(45 * SECOND);
    watch.look(&mut world);
    let living = [first, second].into_iter().filter(|client| !world.is_gone(*client));
    let holders: Vec<ClientId> =
        living.filter(|client| !world.held(*client, GROUP).is_empty()).collect();
    assert_eq!(holders, [first], "who has the queue");
    let own = &**world.engine(first).client_id();
    assert_eq!(world.cluster().lock_holder(0, (GROUP, TOPIC), 0), Some(own));
    if plot.hurt == Hurt::Nothing && !loses(plot.turn) && !choices.is_late() {
        assert_eq!(world.repeated(GROUP).handled, 0, "what was settled came again");
    }
}

/// What is being handled of the queue may come again.
fn loses(turn: Turn) -> bool {
    matches!(turn, Turn::Crashes | Turn::Sleeps(_))
}

/// Whether something is still to befall the lock.
fn hurts(world: &World, begun: time::Instant, plot: Plot) -> bool {
    match plot.hurt {
        Hurt::Renewals(_) => world.now() < begun + 41 * SECOND,
        Hurt::Another => world.now() < begun + 25 * SECOND,
        _ => false,
    }
}

/// Every world with so many choices out of the ordinary, or the first `most` of them.
fn explore(plot: Plot, plant: Option<Planted>, odd: usize, most: usize) -> (usize, usize) {
    let (mut next, mut worlds, mut longest) = (Some(Choices::default()), 0, 0);
    while let Some(mut choices) = next.filter(|_| worlds < most) {
        let shown = Shown(plot, choices.clone(), plant.is_none());
        play(plot, plant, &mut choices);
        drop(shown);
        worlds += 1;
        longest = longest.max(choices.len());
        next = choices.next(odd);
    }
    (worlds, longest)
}

/// Names the world that fails, unless it is to.
struct Shown(Plot, Choices, bool);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() && self.2 {
            eprintln!("{:?}, given {:?}", self.0, self.1);
        }
    }
}

/// What may befall a lock that is handed over. The first of them where nothing is optimised.
fn hurts_of_a_moment() -> Vec<Hurt> {
    let refused = Fault::Refuse(ResponseCode::SYSTEM_ERROR);
    let faults = [Fault::Mute, refused, Fault::LoseAndClose, Fault::Late(2 * SECOND)];
    let mut hurts = vec![Hurt::Nothing, Hurt::Restart, Hurt::Unlock(Fault::Mute)];
    hurts.push(Hurt::Unlock(Fault::Lose));
    hurts.extend([Fault::Close, Fault::LoseAndClose].map(Hurt::Unlock));
    for number in 0..3 {
        hurts.extend(faults.map(|fault| Hurt::Lock(number, fault)));
    }
    hurts
}

fn explore_all(turn: Turn, hurts: &[Hurt]) {
    let start = Instant::now();
    let (mut worlds, mut longest) = (0, 0);
    for hurt in hurts {
        let (count, choices) = explore(Plot { turn, hurt: *hurt }, None, 1, usize::MAX);
        (worlds, longest) = (worlds + count, longest.max(choices));
    }
    let plots = hurts.len();
    println!(
        "{turn:?}: {worlds} worlds of {plots} plots, up to {longest} choices, {:?}",
        start.elapsed()
    );
    assert!(worlds > 100 * plots, "{worlds}");
}

/// All of them, but the first few where nothing is optimised.
fn some(hurts: Vec<Hurt>) -> Vec<Hurt> {
    let most = if cfg!(debug_assertions) { 4 } else { hurts.len() };
    hurts.into_iter().take(most).collect()
}

#[test]
fn ord_09_in_every_order_of_things_a_lock_goes_to_one_who_joins() {
    explore_all(Turn::Stays, &some(hurts_of_a_moment()));
}

#[test]
fn ord_06_in_every_order_of_things_a_lock_is_left_at_once() {
    explore_all(Turn::Leaves, &some(hurts_of_a_moment()));
}

#[test]
fn ord_06_in_every_order_of_things_a_lock_is_given_back_by_one_who_finishes() {
    explore_all(Turn::Finishes, &some(hurts_of_a_moment()));
}

#[test]
fn ord_10_in_every_order_of_things_a_lock_is_taken_from_one_who_crashes() {
    explore_all(Turn::Crashes, &some(hurts_of_a_moment()));
}

/// The lock is the sleeper's at its broker when it wakes after 40 s, and another's after 70 s.
#[test]
fn ord_04_in_every_order_of_things_one_who_sleeps_hands_nothing_out_when_it_wakes() {
    explore_all(Turn::Sleeps(40), &[Hurt::Nothing]);
    explore_all(Turn::Sleeps(70), &[Hurt::Nothing]);
}

#[test]
fn ord_04_in_every_order_of_things_a_lock_that_runs_out_is_over() {
    let refused = Fault::Refuse(ResponseCode::SYSTEM_ERROR);
    explore_all(Turn::Stays, &[Hurt::Renewals(refused), Hurt::Renewals(Fault::Lose)]);
}

#[test]
fn ord_05_in_every_order_of_things_a_lock_that_is_anothers_is_lost() {
    explore_all(Turn::Stays, &[Hurt::Another]);
}

/// Old faults put back on purpose: there is a world in which each of them shows.
#[test]
fn what_breaks_order_is_found_in_a_small_world() {
    for (fault, plot) in [
        (Planted::ReleasesBusy, Plot { turn: Turn::Stays, hurt: Hurt::Nothing }),
        (Planted::RetryPasses, Plot { turn: Turn::Stays, hurt: Hurt::Nothing }),
        (Planted::OutlivesLock, Plot { turn: Turn::Sleeps(70), hurt: Hurt::Nothing }),
        (Planted::TrustsLocks, Plot { turn: Turn::Stays, hurt: Hurt::Restart }),
    ] {
        let found = catch_unwind(AssertUnwindSafe(|| explore(plot, Some(fault), 1, usize::MAX)));
        let Err(why) = found else { panic!("{fault:?} is not found in {plot:?}: {found:?}") };
        let text = why.downcast_ref::<String>().map_or("an assertion", String::as_str);
        println!("{fault:?}: {text}");
    }
}

/// Two choices out of the ordinary, in so many worlds of each plot.
#[test]
#[ignore = "for long runs: WORLDS of each plot, or all of them"]
fn ord_09_in_every_order_of_things_with_two_out_of_the_ordinary() {
    let most = std::env::var("WORLDS").ok().and_then(|text| text.parse().ok());
    for turn in [Turn::Stays, Turn::Leaves, Turn::Finishes, Turn::Crashes, Turn::Sleeps(70)] {
        for hurt in hurts_of_a_moment() {
            let plot = Plot { turn, hurt };
            let (worlds, longest) = explore(plot, None, 2, most.unwrap_or(usize::MAX));
            println!("{plot:?}: {worlds} worlds of up to {longest} choices");
        }
    }
}
