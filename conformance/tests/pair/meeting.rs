//! Where the models of consuming meet: order, broadcasting, stores of one's own, resets, and ends.

use std::sync::{Arc, Mutex};

use rocketry_conformance::broker::Cluster;
use rocketry_conformance::sim::{ClientId, DiskFaults, Pace, World};
use rocketry_core::body::MessageModel;
use rocketry_core::config::Config;
use rocketry_core::consumer::{DeliveryId, Filter, Handout, Outcome, Subscribe};
use rocketry_core::engine::Note;
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;
use rocketry_core::offsets::{OffsetOwner, OffsetStore, Offsets, StoreFailure, StoredOffsets};

use crate::setting::*;

const BACK: RequestCode = RequestCode::CONSUMER_SEND_MSG_BACK;

fn orderly() -> Subscribe {
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.orderly();
    subscribe
}

fn named(name: &str) -> Config {
    let mut config = config();
    config.instance_name = Some(name.to_owned());
    config
}

/// One queue with so many messages, and one who handles them in order, by hand.
fn held(seed: u64, count: usize, subscribe: Subscribe) -> (World, ClientId, SubscriptionId) {
    let mut world = with_retries(seed, 1);
    let producer = world.client(config());
    store_many(&mut world, producer, count);
    let client = world.client(named("one"));
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(3 * SECOND);
    (world, client, sub)
}

fn next(world: &World, run: &mut Handout) -> Option<DeliveryId> {
    let index = run.take_next(world.now())?;
    Some(DeliveryId { batch: run.batch.id(), index })
}

/// The first message that comes next, if one does.
fn first(
    world: &mut World,
    client: ClientId,
    sub: SubscriptionId,
) -> Option<(Handout, DeliveryId)> {
    let mut run = world.take_run(client, sub)?;
    let id = next(world, &mut run)?;
    Some((run, id))
}

fn holder(world: &World) -> Option<String> {
    world.cluster().lock_holder(0, (GROUP, TOPIC), 0).map(str::to_owned)
}

#[test]
fn ord_13_where_order_matters_a_group_that_broadcasts_drops_what_it_rejects() {
    let mut subscribe = orderly();
    subscribe.options = subscribe.options.max_reconsume_times(1).retry_delay(ms(50));
    subscribe.options.model = MessageModel::Broadcasting;
    let (mut world, client, sub) = held(1, 4, subscribe);
    let (_, id) = first(&mut world, client, sub).unwrap();
    world.settle(client, id, Outcome::Reject).unwrap();
    world.run_for(SECOND);
    for index in [1, 1] {
        let (_, id) = first(&mut world, client, sub).unwrap();
        assert_eq!(id.index, index);
        world.settle(client, id, Outcome::Retry { after: None }).unwrap();
        world.run_for(SECOND);
    }
    let (_, id) = first(&mut world, client, sub).unwrap();
    assert_eq!(id.index, 2, "it came twice, and is dropped");
    let dropped = |note: &&Note| matches!(note, Note::Dropped { .. });
    assert_eq!(world.notes(client).filter(dropped).count(), 2);
    assert_eq!(world.cluster().requests(BACK), 0);
    assert_eq!(world.cluster().max_offset(0, "%DLQ%group_a", 0), None);
}

/// A store of the application's.
#[derive(Debug, Default)]
struct Table(Mutex<Offsets>);

impl OffsetStore for Table {
    fn load(&self, _: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        Ok(self.0.lock().map_err(|_| "poisoned")?.clone().into())
    }

    fn save(&self, _: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure> {
        self.0.lock().map_err(|_| "poisoned")?.extend(offsets.clone());
        Ok(())
    }
}

#[test]
fn ord_11_a_queue_is_unlocked_once_a_store_of_ones_own_has_its_offset() {
    for ends in [false, true] {
        let mut world = world(2, 2);
        let producer = world.client(config());
        let table = Arc::<Table>::default();
        let mut subscribe = orderly();
        subscribe.options = subscribe.options.offset_store(table);
        let one = world.client(config());
        let sub = world.subscribe(one, subscribe.clone(), Pace::InOrder(ms(0))).unwrap();
        world.run_for(2 * SECOND);
        let two = world.client(config());
        if ends {
            world.subscribe(two, subscribe.clone(), Pace::InOrder(ms(0))).unwrap();
            world.run_for(8 * SECOND);
        }
        store_many(&mut world, producer, 100);
        world.run_until(5 * SECOND, |world| world.distinct() == 100).unwrap();
        // The save takes long, and the load of the next owner does not.
        let disk = |takes| DiskFaults { takes, ..DiskFaults::default() };
        world.set_disk(disk(Some(if ends { SECOND } else { 4 * SECOND })));
        if ends {
            world.leave(one, sub).unwrap();
        } else {
            world.subscribe(two, subscribe, Pace::InOrder(ms(0))).unwrap();
            let gives = |world: &World| world.engine(one).queues(sub).len() == 1;
            world.run_until(5 * SECOND, gives).unwrap();
        }
        world.set_disk(disk(None));
        world.run_for(20 * SECOND);
        assert_eq!(world.delivered().len(), 100, "{ends}: what was handled was stored");
        store_many(&mut world, producer, 10);
        world.run_until(5 * SECOND, |world| world.distinct() == 110).unwrap();
    }
}

#[test]
fn ord_06_the_lock_of_what_is_being_handled_is_not_given_back_by_one_that_leaves_at_once() {
    let (mut world, client, sub) = held(3, 10, orderly());
    let mut run = world.take_run(client, sub).unwrap();
    let done = next(&world, &mut run).unwrap();
    world.settle(client, done, Outcome::Done).unwrap();
    next(&world, &mut run).unwrap();
    let id = world.engine(client).client_id().to_string();
    world.leave(client, sub).unwrap();
    world.run_for(SECOND);
    assert!(world.left_at(client, sub).is_some());
    assert_eq!(committed(&world), Some(1), "what is done with is stored");
    let left = run.batch.lock_remaining(world.now()).unwrap();
    let locked = holder(&world) == Some(id);
    assert!(locked || left.is_zero(), "its handler has {left:?}, and another may have the queue");
}

#[test]
fn ord_05_no_time_is_left_of_a_lock_that_is_anothers() {
    let (mut world, client, sub) = held(9, 10, orderly());
    let (run, id) = first(&mut world, client, sub).unwrap();
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, Some("another")));
    let told = |world: &World| world.notes(client).any(|n| matches!(n, Note::NotLocked { .. }));
    world.run_until(25 * SECOND, told).unwrap();
    assert_eq!(run.batch.lock_remaining(world.now()), Some(ms(0)));
    // It is had again while its message is being handled still.
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, None));
    world.run_for(5 * SECOND);
    assert!(first(&mut world, client, sub).is_none(), "its message is out twice");
    assert!(world.settle(client, id, Outcome::Again).is_err());
    assert_eq!(first(&mut world, client, sub).unwrap().1.index, 0);
}

#[test]
fn ord_02_a_topic_that_is_read_anew_waits_for_what_of_it_is_being_handled() {
    let (mut world, client, sub) = held(4, 10, orderly());
    let (_, id) = first(&mut world, client, sub).unwrap();
    world.unsubscribe_from(client, sub, &topic(TOPIC)).unwrap();
    world.run_for(ms(100));
    world.subscribe_to(client, sub, topic(TOPIC), Filter::All).unwrap();
    world.run_for(5 * SECOND);
    assert!(first(&mut world, client, sub).is_none(), "two of its messages are out at once");
    world.settle(client, id, Outcome::Done).unwrap();
    world.run_for(2 * SECOND);
    let (run, id) = first(&mut world, client, sub).unwrap();
    assert_eq!(run.batch.offset(id.index), Some(1), "what was handled was stored");
}

#[test]
fn ord_02_a_reset_waits_for_what_is_being_handled() {
    let (mut world, client, sub) = held(5, 10, orderly());
    let (mut run, id) = first(&mut world, client, sub).unwrap();
    world.settle(client, id, Outcome::Done).unwrap();
    world.run_for(6 * SECOND);
    let busy = next(&world, &mut run).unwrap();
    let reset = |cluster: &mut Cluster| cluster.reset_offset(0, (GROUP, TOPIC), 0, true);
    world.with_cluster(reset).unwrap();
    world.run_for(5 * SECOND);
    assert!(first(&mut world, client, sub).is_none(), "two of its messages are out at once");
    let _ = world.settle(client, busy, Outcome::Done);
    world.run_for(SECOND);
    let (run, id) = first(&mut world, client, sub).unwrap();
    assert_eq!(run.batch.offset(id.index), Some(0));
}

#[test]
fn bcast_04_offsets_that_could_not_be_saved_at_the_end_are_told_as_left_over() {
    let mut subscribe = from_first(GROUP);
    subscribe.options.model = MessageModel::Broadcasting;
    let (mut world, client, sub) = held(6, 4, subscribe);
    world.set_disk(DiskFaults { full: true, ..DiskFaults::default() });
    let ids = ids(&world.take(client, sub));
    for id in ids {
        world.settle(client, id, Outcome::Done).unwrap();
    }
    world.leave(client, sub).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(world.left_uncommitted(client, sub), Some(1));
}

#[test]
fn ord_06_what_is_settled_under_a_lock_that_is_doubtful_is_told_as_left_over() {
    let (mut world, client, sub) = held(7, 4, orderly());
    let (_, id) = first(&mut world, client, sub).unwrap();
    world.settle(client, id, Outcome::Done).unwrap();
    world.crash(0);
    world.run_for(SECOND);
    world.leave(client, sub).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(committed(&world), None);
    assert_eq!(world.left_uncommitted(client, sub), Some(1));
}

#[test]
fn an_administrator_is_told_that_order_matters_and_what_is_locked() {
    use rocketry_core::body::RunningInfo;
    let (mut world, client, _) = held(8, 1, orderly());
    let id = world.engine(client).client_id().clone();
    world.with_cluster(|cluster| cluster.take_answers());
    world.with_cluster(|cluster| cluster.ask_running_info(0, GROUP, &id).unwrap());
    world.run_for(SECOND);
    let answer = world.with_cluster(|cluster| cluster.take_answers()).remove(0);
    let info = RunningInfo::parse(&answer.body).unwrap();
    assert_eq!(info.properties["PROP_CONSUMEORDERLY"], "true");
    let locked = info.mq_table.iter().filter(|(queue, _)| queue.topic == TOPIC);
    assert!(locked.map(|(_, queue)| queue.locked).eq([true]));
}

#[test]
fn ord_04_a_broker_that_moves_knows_no_locks_and_is_asked_before_anything_is_handed_out() {
    use rocketry_conformance::broker::ListenerId;
    use rocketry_conformance::sim::{Door, Host};
    let (mut world, client, sub) = held(10, 10, orderly());
    let (mut run, id) = first(&mut world, client, sub).unwrap();
    world.settle(client, id, Outcome::Done).unwrap();
    let moved = "127.0.0.1:20911";
    world.take_down(0);
    world.run_for(ms(300));
    world.with_cluster(|cluster| cluster.set_endpoint(0, moved));
    world.host(moved, Host::Cluster(ListenerId::Broker(0)));
    world.bring_up(0);
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, Some("another")));
    world.door(BROKER, Door::Refuse);
    for _ in 0..50 {
        assert!(next(&world, &mut run).is_none(), "it is another's there");
        assert!(first(&mut world, client, sub).is_none(), "it is another's there");
        world.run_for(ms(100));
    }
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, None));
    world.run_for(5 * SECOND);
    assert!(first(&mut world, client, sub).is_some());
}

#[test]
fn ord_06_one_that_is_left_alone_by_its_brokers_leaves_at_once() {
    let (mut world, client, sub) = held(11, 10, orderly());
    let (_, id) = first(&mut world, client, sub).unwrap();
    world.settle(client, id, Outcome::Done).unwrap();
    // Nobody answers for its locks any more, and the route names nobody a while later.
    world.take_down(0);
    world.run_for(ms(50));
    world.leave(client, sub).unwrap();
    let gone = |world: &World| world.left_at(client, sub).is_some();
    let took = world.run_until(5 * SECOND, gone).unwrap();
    assert!(took < ms(700), "{took:?}");
}
