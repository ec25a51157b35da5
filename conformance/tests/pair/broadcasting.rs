//! Groups that broadcast, and offsets that no broker keeps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rocketry_conformance::broker::{Cluster, ClusterConfig};
use rocketry_conformance::sim::{ClientId, DiskFaults, Pace, World};
use rocketry_core::body::{ConsumerStatusBody, GroupConfig, MessageModel, OffsetFile};
use rocketry_core::config::Config;
use rocketry_core::consumer::{Outcome, Subscribe};
use rocketry_core::engine::Note;
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::name::Group;
use rocketry_core::offsets::{
    OffsetOwner, OffsetStore, OffsetStoreError, Offsets, StoreFailure, StoredOffsets,
};

use crate::setting::*;

/// A client of that name: what it is kept under stays the same from run to run.
fn named(name: &str) -> Config {
    let mut config = config();
    config.instance_name = Some(name.to_owned());
    config
}

fn owner(name: &str) -> OffsetOwner {
    OffsetOwner::new(format!("127.0.0.1@{name}"), Group::new(GROUP).unwrap())
}

fn broadcast() -> Subscribe {
    let mut subscribe = from_first(GROUP);
    subscribe.options.model = MessageModel::Broadcasting;
    subscribe
}

fn listen(world: &mut World, client: ClientId, pace: Pace) -> SubscriptionId {
    world.subscribe(client, broadcast(), pace).unwrap()
}

/// What is in the file of the queues of `TOPIC`, by their numbers.
fn stored(world: &World, name: &str) -> Vec<(u32, i64)> {
    let Some(json) = world.offset_files(&owner(name)).file else { return Vec::new() };
    let file = OffsetFile::parse(&json).unwrap();
    file.offsets.into_iter().map(|(queue, offset)| (queue.queue, offset)).collect()
}

fn seen(world: &World, client: ClientId) -> usize {
    world.delivered().iter().filter(|one| one.client == client).count()
}

fn told(world: &World, client: ClientId, is: fn(&Note) -> bool) -> usize {
    world.notes(client).filter(|note| is(note)).count()
}

/// One queue with so many messages, and one who listens by hand.
fn held(seed: u64, count: usize) -> (World, ClientId, SubscriptionId) {
    let mut world = world(seed, 1);
    let producer = world.client(config());
    store_many(&mut world, producer, count);
    let client = world.client(named("one"));
    let sub = listen(&mut world, client, Pace::Manual);
    world.run_for(2 * SECOND);
    (world, client, sub)
}

#[test]
fn bcast_01_each_member_gets_all_and_keeps_its_own_offsets() {
    let mut world = with_retries(1, 4);
    let clients = ["one", "two"].map(|name| world.client(named(name)));
    for client in clients {
        listen(&mut world, client, Pace::AtOnce);
    }
    world.run_for(2 * SECOND);
    store_many(&mut world, clients[0], 40);
    world.run_for(20 * SECOND);
    for (client, name) in clients.into_iter().zip(["one", "two"]) {
        assert_eq!(seen(&world, client), 40);
        assert_eq!(stored(&world, name).iter().map(|(_, offset)| offset).sum::<i64>(), 40);
        assert_eq!(world.held(client, GROUP).len(), 4, "no retry topic, and no share");
    }
    for asked in [
        RequestCode::GET_CONSUMER_LIST_BY_GROUP,
        RequestCode::UPDATE_CONSUMER_OFFSET,
        RequestCode::QUERY_CONSUMER_OFFSET,
    ] {
        assert!(!world.trace().text().contains(&format!("{asked:?}")), "{asked:?} was asked");
    }
    assert_eq!(committed(&world), None);
}

#[test]
fn bcast_02_one_that_starts_later_begins_where_it_says() {
    let mut world = world(2, 1);
    let producer = world.client(config());
    store_many(&mut world, producer, 5);
    let late = world.client(named("late"));
    let mut subscribe = broadcast();
    subscribe.options.start = rocketry_core::consumer::Start::Last;
    // Brokers that flush their disks say where a queue ends.
    world.subscribe(late, subscribe, Pace::AtOnce).unwrap();
    let all = world.client(named("all"));
    listen(&mut world, all, Pace::AtOnce);
    world.run_for(2 * SECOND);
    store_many(&mut world, producer, 3);
    world.run_for(2 * SECOND);
    assert_eq!((seen(&world, late), seen(&world, all)), (3, 8));
}

#[test]
fn bcast_03_one_that_crashes_goes_on_from_its_own_file() {
    let mut world = world(3, 2);
    let [one, two] = ["one", "two"].map(|name| world.client(named(name)));
    listen(&mut world, one, Pace::AtOnce);
    listen(&mut world, two, Pace::AtOnce);
    world.run_for(SECOND);
    store_many(&mut world, two, 10);
    world.run_for(10 * SECOND);
    world.vanish(one);
    store_many(&mut world, two, 6);
    world.run_for(2 * SECOND);
    let again = world.client(named("one"));
    listen(&mut world, again, Pace::AtOnce);
    world.run_for(2 * SECOND);
    assert_eq!((seen(&world, one), seen(&world, two), seen(&world, again)), (10, 16, 6));
}

#[test]
fn bcast_03_what_is_saved_passes_nothing_unsettled_and_the_end_is_saved_at_once() {
    let (mut world, client, sub) = held(4, 8);
    let ids = ids(&world.take(client, sub));
    for id in ids.iter().take(3).chain(ids.last()) {
        world.settle(client, *id, Outcome::Done).unwrap();
    }
    world.run_for(6 * SECOND);
    assert_eq!(stored(&world, "one"), [(0, 3)]);
    for id in &ids[3..5] {
        world.settle(client, *id, Outcome::Done).unwrap();
    }
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    assert!(world.left_at(client, sub).is_some());
    assert_eq!(stored(&world, "one"), [(0, 5)]);
}

#[test]
fn bcast_04_what_can_not_be_handled_comes_again_here_and_is_dropped_then() {
    let mut world = with_retries(5, 1);
    let client = world.client(named("one"));
    let mut subscribe = broadcast();
    subscribe.options.max_reconsume_times = Some(2);
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(SECOND);
    store_many(&mut world, client, 2);
    world.run_for(SECOND);
    let first = ids(&world.take(client, sub));
    world.settle(client, first[1], Outcome::Done).unwrap();
    world.settle(client, first[0], Outcome::Retry { after: None }).unwrap();
    for outcome in [Outcome::Again, Outcome::Retry { after: Some(SECOND) }] {
        assert!(world.run_until(5 * SECOND, |world| has(world, client, sub)).is_some());
        let next = ids(&world.take(client, sub));
        assert_eq!(next, first[..1]);
        world.settle(client, next[0], outcome).unwrap();
    }
    world.run_for(20 * SECOND);
    assert!(world.take(client, sub).is_empty(), "three times is all");
    let dropped = |note: &Note| matches!(note, Note::Dropped { attempts: 3, offset: Some(0), .. });
    assert_eq!(told(&world, client, dropped), 1);
    assert_eq!(stored(&world, "one"), [(0, 2)]);
    let stats = world.engine(client).snapshot(world.now()).consumers.remove(0);
    let topic = &stats.consumption[0];
    assert_eq!((topic.done, topic.dropped, topic.redelivered), (1, 1, 2));
    assert!(!world.trace().text().contains("SEND_BACK"), "nothing goes back to a broker");
}

fn has(world: &World, client: ClientId, sub: SubscriptionId) -> bool {
    world.engine(client).has_batch(sub)
}

#[test]
fn bcast_04_what_is_rejected_is_dropped_at_once() {
    let (mut world, client, sub) = held(6, 1);
    let id = ids(&world.take(client, sub))[0];
    world.settle(client, id, Outcome::Reject).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(told(&world, client, |note| matches!(note, Note::Dropped { attempts: 1, .. })), 1);
    assert_eq!(stored(&world, "one"), [(0, 1)]);
}

#[test]
fn bcast_06_a_torn_file_has_its_backup_read_and_a_torn_backup_begins_anew() {
    let mut world = world(7, 1);
    let one = world.client(named("one"));
    listen(&mut world, one, Pace::AtOnce);
    world.run_for(SECOND);
    for _ in 0..2 {
        store_many(&mut world, one, 4);
        world.run_for(10 * SECOND);
    }
    world.vanish(one);
    let mut files = world.offset_files(&owner("one"));
    files.file.as_mut().unwrap().truncate(40);
    world.set_offset_files(&owner("one"), files);
    let two = world.client(named("one"));
    listen(&mut world, two, Pace::AtOnce);
    world.run_for(10 * SECOND);
    assert_eq!(seen(&world, two), 4, "the backup knows of the first four");
    assert_eq!(told(&world, two, |note| matches!(note, Note::OffsetsDamaged { .. })), 1);
    assert_eq!(stored(&world, "one"), [(0, 8)]);
    world.vanish(two);
    let mut files = world.offset_files(&owner("one"));
    files.file = Some(Vec::new());
    files.backup = Some(b"no JSON".to_vec());
    world.set_offset_files(&owner("one"), files);
    let three = world.client(named("one"));
    listen(&mut world, three, Pace::AtOnce);
    world.run_for(10 * SECOND);
    assert_eq!(seen(&world, three), 8, "from the start");
    assert_eq!(told(&world, three, |note| matches!(note, Note::OffsetsDamaged { .. })), 1);
}

#[test]
fn bcast_08_offsets_of_a_broker_that_is_absent_stay() {
    let mut world = brokers(8, 2, 1);
    let producer = world.client(config());
    store_many(&mut world, producer, 20);
    let one = world.client(named("one"));
    listen(&mut world, one, Pace::AtOnce);
    world.run_for(10 * SECOND);
    let before = stored(&world, "one");
    assert_eq!(before.len(), 2, "{before:?}");
    world.vanish(one);
    world.take_down(1);
    // Its queues leave the route.
    world.run_for(200 * SECOND);
    let two = world.client(named("one"));
    listen(&mut world, two, Pace::AtOnce);
    world.run_for(5 * SECOND);
    store_many(&mut world, producer, 4);
    world.run_for(20 * SECOND);
    assert_eq!(seen(&world, two), 4);
    let (first, now) = (before[1], stored(&world, "one"));
    assert!(now.contains(&first) && now.len() == 2, "{before:?} {now:?}");
    world.bring_up(1);
    world.run_for(60 * SECOND);
    assert_eq!(seen(&world, two), 4, "the broker's messages were done with before");
    store_many(&mut world, producer, 8);
    world.run_for(10 * SECOND);
    assert_eq!(seen(&world, two), 12);
}

#[test]
fn a_load_that_is_late_holds_reading_up_and_one_that_fails_is_tried_again() {
    let mut world = world(9, 1);
    let client = world.client(named("one"));
    store_many(&mut world, client, 3);
    world.set_disk(DiskFaults { takes: Some(20 * SECOND), ..DiskFaults::default() });
    listen(&mut world, client, Pace::AtOnce);
    world.run_for(19 * SECOND);
    assert_eq!((seen(&world, client), world.disk_work()), (0, (0, 0)));
    let state = world.engine(client).snapshot(world.now()).consumers[0].queues[0].state;
    assert_eq!(state, "loading offset");
    world.run_for(2 * SECOND);
    assert_eq!((seen(&world, client), world.disk_work()), (3, (1, 0)));

    let other = world.client(named("two"));
    world.set_disk(DiskFaults { unreadable: true, ..DiskFaults::default() });
    listen(&mut world, other, Pace::AtOnce);
    world.run_for(100 * SECOND);
    let (loads, _) = world.disk_work();
    assert!((6..=9).contains(&loads), "{loads} loads in 100 s: 1, 2, 4, ... 30 s apart");
    assert_eq!(seen(&world, other), 0, "no guess");
    let told = told(&world, other, |note| matches!(note, Note::OffsetsNotLoaded { .. }));
    assert_eq!(told, 2, "once a minute");
    world.set_disk(DiskFaults::default());
    world.run_for(31 * SECOND);
    assert_eq!(seen(&world, other), 3);
}

#[test]
fn a_disk_that_is_full_is_told_and_consuming_goes_on() {
    let mut world = world(10, 1);
    let client = world.client(named("one"));
    listen(&mut world, client, Pace::AtOnce);
    world.run_for(SECOND);
    world.set_disk(DiskFaults { full: true, ..DiskFaults::default() });
    for _ in 0..10 {
        store_many(&mut world, client, 2);
        world.run_for(10 * SECOND);
    }
    assert_eq!((seen(&world, client), stored(&world, "one")), (20, vec![]));
    assert_eq!(told(&world, client, |note| matches!(note, Note::OffsetsNotSaved { .. })), 2);
    let stats = world.engine(client).snapshot(world.now()).consumers.remove(0).offsets;
    assert!(stats.stored == 0 && stats.failed > 3, "{stats:?}");
    world.set_disk(DiskFaults::default());
    world.run_for(31 * SECOND);
    assert_eq!(stored(&world, "one"), [(0, 20)]);
}

#[test]
fn the_last_save_is_waited_for_up_to_the_shutdowns_end() {
    for (takes, kept) in [(SECOND, true), (4 * SECOND, false)] {
        let (mut world, client, sub) = held(11, 2);
        let handouts = world.take(client, sub);
        handouts.iter().for_each(|handout| world.settle_all(client, handout));
        // One save is on its way when the end comes, of nothing new.
        world.set_disk(DiskFaults { takes: Some(takes), ..DiskFaults::default() });
        let begun = world.now();
        world.shutdown(client);
        assert!(world.run_until(10 * SECOND, |w| w.stopped_at(client).is_some()).is_some());
        let took = world.stopped_at(client).unwrap().since(begun);
        assert!(took <= 3 * SECOND + ms(100), "{took:?}");
        assert!(took >= SECOND, "{took:?}");
        assert_eq!(!stored(&world, "one").is_empty(), kept);
        // What comes too late is nobody's.
        world.run_for(5 * SECOND);
    }
}

#[test]
fn a_save_that_is_on_its_way_at_the_end_is_followed_by_a_last_one() {
    let (mut world, client, sub) = held(12, 4);
    let ids = ids(&world.take(client, sub));
    world.settle(client, ids[0], Outcome::Done).unwrap();
    world.set_disk(DiskFaults { takes: Some(SECOND), ..DiskFaults::default() });
    assert!(world.run_until(6 * SECOND, |w| w.trace().text().contains("SaveJob")).is_some());
    world.settle(client, ids[1], Outcome::Done).unwrap();
    world.leave(client, sub).unwrap();
    world.run_for(ms(500));
    assert!(world.left_at(client, sub).is_none());
    world.run_for(2 * SECOND);
    assert!(world.left_at(client, sub).is_some());
    assert_eq!(stored(&world, "one"), [(0, 2)]);
}

#[test]
fn a_second_client_of_the_same_name_waits_until_the_first_has_left() {
    let mut world = world(13, 1);
    let one = world.client(named("one"));
    let sub = listen(&mut world, one, Pace::AtOnce);
    world.run_for(SECOND);
    let two = world.client(named("one"));
    listen(&mut world, two, Pace::AtOnce);
    world.run_for(10 * SECOND);
    store_many(&mut world, one, 5);
    world.run_for(5 * SECOND);
    assert_eq!((seen(&world, one), seen(&world, two)), (5, 0));
    let locked = |note: &Note| {
        matches!(note, Note::OffsetsNotLoaded { error: OffsetStoreError::Locked { .. }, .. })
    };
    assert_eq!(told(&world, two, locked), 1);
    world.leave(one, sub).unwrap();
    world.run_for(31 * SECOND);
    store_many(&mut world, one, 2);
    world.run_for(SECOND);
    assert_eq!((seen(&world, one), seen(&world, two)), (5, 2));
}

#[test]
fn two_topics_are_in_one_file_and_one_that_is_given_up_stays_there() {
    let cluster = ClusterConfig::default().topic(TOPIC, 1).topic("topic_b", 1);
    let mut world = without_retries(World::new(14, cluster));
    let client = world.client(named("one"));
    let sub = listen(&mut world, client, Pace::AtOnce);
    let other = topic("topic_b");
    let all = rocketry_core::consumer::Filter::All;
    world.subscribe_to(client, sub, other.clone(), all.clone()).unwrap();
    world.run_for(SECOND);
    store_many(&mut world, client, 3);
    let message = rocketry_core::message::Message::new(other.clone(), "b");
    let op = world.try_send(client, message).unwrap();
    world.end_of(client, op).1.unwrap();
    world.run_for(SECOND);
    world.unsubscribe_from(client, sub, &other).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(stored(&world, "one"), [(0, 3), (0, 1)]);
    let op = world.try_send(client, rocketry_core::message::Message::new(other.clone(), "b2"));
    world.end_of(client, op.unwrap()).1.unwrap();
    world.subscribe_to(client, sub, other, all).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(seen(&world, client), 5, "the topic goes on where it was left");
}

#[test]
fn a_reset_and_a_question_how_far_it_is_are_answered_as_ever() {
    let mut world = world(15, 1);
    let former = world.client(config());
    store_many(&mut world, former, 4);
    // Brokers reset nothing of a group that they keep no offsets of.
    let sub = consume(&mut world, former, Pace::AtOnce);
    world.run_for(SECOND);
    world.leave(former, sub).unwrap();
    world.run_for(SECOND);
    assert_eq!(committed(&world), Some(4));
    let client = world.client(named("one"));
    listen(&mut world, client, Pace::AtOnce);
    world.run_for(6 * SECOND);
    assert_eq!((seen(&world, client), stored(&world, "one")), (4, vec![(0, 4)]));
    let reset = |cluster: &mut Cluster| cluster.reset_offset(0, (GROUP, TOPIC), 0, true);
    world.with_cluster(reset).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!((seen(&world, client), stored(&world, "one")), (8, vec![(0, 4)]));
    world.with_cluster(|cluster| cluster.take_answers());
    world.with_cluster(|cluster| cluster.ask_status(0, GROUP, TOPIC));
    world.run_for(SECOND);
    let answer = world.with_cluster(|cluster| cluster.take_answers()).remove(0);
    let status = ConsumerStatusBody::parse(&answer.body).unwrap();
    assert_eq!(status.offsets.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), [4]);
}

#[test]
fn a_group_that_may_not_broadcast_is_told_so_and_goes_on_once_it_may() {
    let mut world = world(18, 1);
    let client = world.client(named("one"));
    let config = GroupConfig { group_name: GROUP.to_owned(), ..GroupConfig::default() };
    let allow = |world: &mut World, consume_broadcast_enable| {
        let config = GroupConfig { consume_broadcast_enable, ..config.clone() };
        world.with_cluster(|cluster| cluster.set_group(&config));
    };
    allow(&mut world, false);
    store_many(&mut world, client, 3);
    listen(&mut world, client, Pace::AtOnce);
    world.run_for(10 * SECOND);
    let refused =
        |note: &Note| matches!(note, Note::PullRefused { code: ResponseCode::NO_PERMISSION, .. });
    assert_eq!((told(&world, client, refused), seen(&world, client)), (1, 0));
    allow(&mut world, true);
    world.run_for(2 * SECOND);
    assert_eq!(seen(&world, client), 3);
}

/// A store of the application's, and what was asked of it.
#[derive(Debug, Default)]
struct Table {
    offsets: Mutex<Offsets>,
    panics: AtomicBool,
    closed: AtomicBool,
}

impl OffsetStore for Table {
    fn load(&self, _: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        Ok(self.offsets.lock().map_err(|_| "poisoned")?.clone().into())
    }

    fn save(&self, _: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure> {
        assert!(!self.panics.load(Ordering::Relaxed), "as it should");
        self.offsets.lock().map_err(|_| "poisoned")?.extend(offsets.clone());
        Ok(())
    }

    fn close(&self, _: &OffsetOwner) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

#[test]
fn members_that_share_their_queues_may_keep_their_offsets_in_a_store_of_their_own() {
    let mut world = with_retries(16, 4);
    let table = Arc::<Table>::default();
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.offset_store(table.clone());
    let [one, two] = [(); 2].map(|()| world.client(config()));
    let sub = world.subscribe(one, subscribe.clone(), Pace::AtOnce).unwrap();
    world.run_for(2 * SECOND);
    store_many(&mut world, one, 40);
    world.run_for(10 * SECOND);
    world.subscribe(two, subscribe, Pace::AtOnce).unwrap();
    world.run_for(10 * SECOND);
    store_many(&mut world, one, 40);
    world.run_for(10 * SECOND);
    let of_topic =
        |client| world.held(client, GROUP).iter().filter(|q| q.topic.as_str() == TOPIC).count();
    assert_eq!((of_topic(one), of_topic(two)), (2, 2));
    world.leave(one, sub).unwrap();
    world.run_for(20 * SECOND);
    store_many(&mut world, two, 40);
    world.run_for(10 * SECOND);
    assert_eq!((seen(&world, one) + seen(&world, two), world.distinct()), (120, 120));
    let stored = table.offsets.lock().unwrap().clone();
    let own = stored.iter().filter(|(queue, _)| queue.topic.as_str() == TOPIC);
    assert_eq!(own.map(|(_, offset)| offset).sum::<i64>(), 120, "{stored:?}");
    assert_eq!((committed(&world), world.disk_work()), (None, (0, 0)));
    assert!(table.closed.load(Ordering::Relaxed));
}

#[test]
fn a_store_that_panics_is_told_of_and_asked_again() {
    let mut world = world(17, 1);
    let table = Arc::<Table>::default();
    table.panics.store(true, Ordering::Relaxed);
    let mut subscribe = broadcast();
    subscribe.options = subscribe.options.offset_store(table.clone());
    let client = world.client(named("one"));
    let sub = world.subscribe(client, subscribe, Pace::AtOnce).unwrap();
    world.run_for(SECOND);
    store_many(&mut world, client, 3);
    world.run_for(10 * SECOND);
    let panicked = |note: &Note| {
        matches!(note, Note::OffsetsNotSaved { error: OffsetStoreError::Panicked, .. })
    };
    assert_eq!((told(&world, client, panicked), seen(&world, client)), (1, 3));
    table.panics.store(false, Ordering::Relaxed);
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    assert!(world.left_at(client, sub).is_some());
    assert_eq!(table.offsets.lock().unwrap().values().copied().collect::<Vec<_>>(), [3]);
}

#[test]
fn bcast_01_members_of_a_topic_that_is_made_later_get_all_of_it() {
    let mut world = World::new(1, ClusterConfig::default());
    let members = ["one", "two"].map(|name| {
        let client = world.client(named(name));
        listen(&mut world, client, Pace::AtOnce);
        client
    });
    let producer = world.client(config());
    store_many(&mut world, producer, 20);
    let all = |world: &World| members.iter().all(|member| seen(world, *member) == 20);
    let took = world.run_until(20 * SECOND, all);
    assert!(took.is_some(), "{:?}", members.map(|member| seen(&world, member)));
}
