//! Messages handled in their order: one run of a queue at a time, and what is given back first.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::config::Config;
use rocketry_core::consumer::{ConsumeOrder, DeliveryId, Handout, Outcome, Subscribe};
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;
use rocketry_core::time::Instant;

use crate::setting::*;

const LOCK: RequestCode = RequestCode::LOCK_BATCH_MQ;

fn orderly() -> Subscribe {
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.orderly();
    subscribe
}

fn join(world: &mut World, subscribe: Subscribe, pace: Pace) -> (ClientId, SubscriptionId) {
    let client = world.client(config());
    let sub = world.subscribe(client, subscribe, pace).unwrap();
    (client, sub)
}

/// One queue with so many messages, and an orderly consumer whose test handles them.
fn held(seed: u64, count: usize, subscribe: Subscribe) -> (World, ClientId, SubscriptionId) {
    let mut world = with_retries(seed, 1);
    let producer = world.client(config());
    store_many(&mut world, producer, count);
    let (client, sub) = join(&mut world, subscribe, Pace::Manual);
    world.run_for(3 * SECOND);
    (world, client, sub)
}

/// The next run, of which nothing is handed out yet.
fn run(world: &mut World, client: ClientId, sub: SubscriptionId) -> Option<Handout> {
    world.take_run(client, sub)
}

/// Hands out the next message of a run.
fn next(world: &World, run: &mut Handout) -> Option<DeliveryId> {
    let index = run.take_next(world.now())?;
    Some(DeliveryId { batch: run.batch.id(), index })
}

fn ack(world: &mut World, client: ClientId, id: DeliveryId) {
    world.settle(client, id, Outcome::Done).unwrap();
}

/// When each message was delivered, by its place.
fn times(world: &World, offset: i64) -> Vec<Instant> {
    let of = world.delivered().iter().filter(|one| one.offset == Some(offset));
    of.map(|one| one.at).collect()
}

#[test]
fn ord_01_eight_queues_are_handled_each_in_its_order_and_all_at_once() {
    for seed in 0..10 {
        let mut world = world(seed, 8);
        let producer = world.client(config());
        store_many(&mut world, producer, 240);
        join(&mut world, orderly(), Pace::InOrder(ms(40)));
        let took = world.run_until(30 * SECOND, |world| world.distinct() == 240).unwrap();
        assert!(took < 5 * SECOND, "queues wait for each other: {took:?}");
        assert_eq!((world.delivered().len(), world.handled_in_order()), (240, 240));
    }
}

#[test]
fn ord_02_the_next_message_of_a_run_waits_for_those_before_it() {
    let (mut world, client, sub) = held(1, 10, orderly());
    let mut first = run(&mut world, client, sub).unwrap();
    assert!(run(&mut world, client, sub).is_none(), "one run of a queue is out at a time");
    let id = next(&world, &mut first).unwrap();
    assert_eq!((id.index, next(&world, &mut first)), (0, None));
    // Who waits for the first message gives the others back, and has them when it is settled.
    world.give_back(client, &first);
    assert!(run(&mut world, client, sub).is_none());
    ack(&mut world, client, id);
    let mut rest = run(&mut world, client, sub).unwrap();
    assert_eq!((rest.next, rest.end), (1, 10));
    assert_eq!(first.take_next(world.now()), None, "the old run gives nothing more");
    for index in 1..10 {
        let id = next(&world, &mut rest).unwrap();
        assert_eq!(id.index, index);
        ack(&mut world, client, id);
    }
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(10));
}

#[test]
fn ord_03_a_queue_is_locked_before_it_is_read() {
    let mut world = world(2, 4);
    let producer = world.client(config());
    store_many(&mut world, producer, 40);
    world.with_cluster(|cluster| cluster.keep_requests());
    let (client, _) = join(&mut world, orderly(), Pace::InOrder(ms(1)));
    world.run_until(10 * SECOND, |world| world.distinct() == 40).unwrap();
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let codes: Vec<RequestCode> = requests.iter().map(|one| one.request.code()).collect();
    let at = |code| codes.iter().position(|one| *one == code).unwrap();
    assert!(at(LOCK) < at(RequestCode::QUERY_CONSUMER_OFFSET));
    assert!(at(LOCK) < at(RequestCode::PULL_MESSAGE));
    assert_eq!(world.cluster().requests(LOCK), 1, "one request for all queues of the broker");
    let own = world.engine(client).client_id().clone();
    for queue in 0..4 {
        assert_eq!(world.cluster().lock_holder(0, (GROUP, TOPIC), queue), Some(&*own));
    }
    // Renewed each 20 s.
    world.run_for(100 * SECOND);
    assert_eq!(world.cluster().requests(LOCK), 6);
}

#[test]
fn ord_07_what_is_given_back_comes_again_after_a_pause_that_grows_and_nothing_before_it() {
    let (mut world, client, sub) = held(3, 5, orderly());
    let mut begun = world.now();
    for (times, pause) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
        let mut run = run(&mut world, client, sub).unwrap();
        let id = next(&world, &mut run).unwrap();
        assert_eq!((id.index, run.batch.tries(0)), (0, times as u32));
        world.settle(client, id, Outcome::Retry { after: None }).unwrap();
        assert_eq!(next(&world, &mut run), None);
        let waited =
            world.run_until(60 * SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
        assert_eq!(waited.as_secs(), pause);
        begun = world.now();
    }
    // By the application's own word, and within bounds.
    for (asked, pause) in [(ms(1), ms(10)), (ms(2500), ms(2500)), (90 * SECOND, 30 * SECOND)] {
        let mut run = run(&mut world, client, sub).unwrap();
        let id = next(&world, &mut run).unwrap();
        world.settle(client, id, Outcome::Retry { after: Some(asked) }).unwrap();
        world.run_until(60 * SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
        assert_eq!(world.now().since(begun), pause);
        begun = world.now();
    }
    let mut last = run(&mut world, client, sub).unwrap();
    let order: Vec<u32> = std::iter::from_fn(|| {
        let id = next(&world, &mut last)?;
        ack(&mut world, client, id);
        Some(id.index)
    })
    .collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn ord_07_of_a_batch_what_is_given_back_comes_again_with_what_was_not_settled_after_it() {
    let (mut world, client, sub) = held(4, 10, orderly());
    let batch = world.take_one(client, sub).unwrap();
    let ids = ids([&batch]);
    for index in [0, 1, 2, 5] {
        ack(&mut world, client, ids[index]);
    }
    world.settle(client, ids[3], Outcome::Again).unwrap();
    world.run_for(2 * SECOND);
    assert!(!world.engine(client).has_batch(sub), "others of the batch are still out");
    for index in [4, 6, 7, 8, 9] {
        world.settle(client, ids[index], Outcome::Again).unwrap();
    }
    world.run_for(SECOND);
    let again = world.take_one(client, sub).unwrap();
    assert_eq!((again.next, again.end), (3, 10));
    assert_eq!((again.batch.tries(3), again.batch.tries(5)), (1, 0));
    let places = (3..10).filter(|index| !again.batch.is_settled(*index));
    assert_eq!(places.collect::<Vec<_>>(), [3, 4, 6, 7, 8, 9]);
}

#[test]
fn ord_08_a_message_that_came_too_often_is_a_dead_letter_before_the_next_one_is_delivered() {
    let mut subscribe = orderly();
    subscribe.options = subscribe.options.max_reconsume_times(2).retry_delay(ms(50));
    let (mut world, client, sub) = held(5, 3, subscribe);
    let back = RequestCode::CONSUMER_SEND_MSG_BACK;
    world.with_cluster(|cluster| cluster.set_delay(back, ms(700)));
    for _ in 0..3 {
        world.run_until(SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
        let mut run = run(&mut world, client, sub).unwrap();
        let id = next(&world, &mut run).unwrap();
        assert_eq!(id.index, 0);
        world.settle(client, id, Outcome::Retry { after: None }).unwrap();
    }
    let took = world.run_until(2 * SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
    assert!(took >= ms(700), "a broker has it before: {took:?}");
    assert_eq!(world.cluster().max_offset(0, "%DLQ%group_a", 0), Some(1));
    let mut rest = run(&mut world, client, sub).unwrap();
    let id = next(&world, &mut rest).unwrap();
    assert_eq!(id.index, 1);
    // One that is rejected is one at once.
    world.settle(client, id, Outcome::Reject).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.cluster().max_offset(0, "%DLQ%group_a", 0), Some(2));
    let mut rest = run(&mut world, client, sub).unwrap();
    assert_eq!(next(&world, &mut rest).unwrap().index, 2);
}

#[test]
fn ord_08_a_broker_that_takes_no_message_back_gets_it_by_its_retry_topic() {
    let (mut world, client, sub) = held(6, 2, orderly());
    let back = RequestCode::CONSUMER_SEND_MSG_BACK;
    world.with_cluster(|cluster| {
        cluster.push_error(back, [rocketry_core::frame::ResponseCode::SYSTEM_BUSY]);
    });
    let mut first = run(&mut world, client, sub).unwrap();
    let id = next(&world, &mut first).unwrap();
    world.settle(client, id, Outcome::Reject).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.cluster().max_offset(0, "%DLQ%group_a", 0), Some(1));
    assert_eq!(next_index(&mut world, client, sub), Some(1));
}

fn next_index(world: &mut World, client: ClientId, sub: SubscriptionId) -> Option<u32> {
    let mut run = run(world, client, sub)?;
    Some(next(world, &mut run)?.index)
}

#[test]
fn a_message_is_tried_without_end_unless_a_limit_is_set() {
    let mut subscribe = orderly();
    subscribe.options = subscribe.options.retry_delay(ms(10));
    assert_eq!(subscribe.options.order, ConsumeOrder::Orderly);
    let (mut world, client, sub) = held(7, 2, subscribe);
    for _ in 0..40 {
        world.run_until(40 * SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
        let mut run = run(&mut world, client, sub).unwrap();
        let id = next(&world, &mut run).unwrap();
        assert_eq!(id.index, 0);
        world.settle(client, id, Outcome::Retry { after: Some(ms(10)) }).unwrap();
    }
    assert_eq!(world.cluster().max_offset(0, "%DLQ%group_a", 0), None);
}

#[test]
fn what_is_held_for_long_is_not_taken_back_since_its_order_matters() {
    let mut config: Config = config();
    config.consume_timeout = Some(SECOND);
    let mut world = with_retries(8, 1);
    let client = world.client(config);
    store_many(&mut world, client, 2);
    let sub = world.subscribe(client, orderly(), Pace::Manual).unwrap();
    world.run_for(3 * SECOND);
    let batch = world.take_one(client, sub).unwrap();
    world.run_for(120 * SECOND);
    assert!(!batch.batch.is_taken_away(0));
    assert_eq!(world.cluster().requests(RequestCode::CONSUMER_SEND_MSG_BACK), 0);
    assert_eq!(times(&world, 0).len(), 1);
}
