//! Locks of queues: renewed, lost, run out, given back, and what happens to messages meanwhile.

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::body::LockBody;
use rocketry_core::consumer::{DeliveryId, Outcome, Subscribe};
use rocketry_core::engine::Note;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

const LOCK: RequestCode = RequestCode::LOCK_BATCH_MQ;
const UNLOCK: RequestCode = RequestCode::UNLOCK_BATCH_MQ;

fn orderly() -> Subscribe {
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.orderly();
    subscribe
}

fn join(world: &mut World, pace: Pace) -> (ClientId, SubscriptionId) {
    let client = world.client(config());
    let sub = world.subscribe(client, orderly(), pace).unwrap();
    (client, sub)
}

fn in_order(world: &mut World) -> (ClientId, SubscriptionId) {
    join(world, Pace::InOrder(ms(20)))
}

fn lost(world: &World, client: ClientId) -> usize {
    world.notes(client).filter(|note| matches!(note, Note::NotLocked { lost: true, .. })).count()
}

/// Messages each 20 ms for so long, into all queues in turn.
fn traffic(world: &mut World, producer: ClientId, seconds: u64) -> usize {
    let count = seconds * 50;
    for i in 0..count {
        world.later(ms(20 * i), move |world| {
            world.try_send(producer, message(i.to_string())).unwrap();
        });
    }
    count as usize
}

#[test]
fn ord_04_nothing_is_handed_out_once_the_lock_has_run_out() {
    let (mut world, producer) = pair(1, 1);
    store_many(&mut world, producer, 100);
    let (client, sub) = join(&mut world, Pace::Manual);
    world.run_for(3 * SECOND);
    let mut run = world.take_run(client, sub).unwrap();
    // No answer to a renewal comes any more.
    world.with_cluster(|cluster| {
        cluster.push_error(LOCK, std::iter::repeat_n(ResponseCode::SYSTEM_ERROR, 1000));
    });
    let (mut handed, mut last) = (0, world.now());
    let locked = world.now();
    while let Some(index) = run.take_next(world.now()) {
        (handed, last) = (handed + 1, world.now());
        let id = DeliveryId { batch: run.batch.id(), index };
        world.run_for(SECOND);
        let settled = world.settle(client, id, Outcome::Done);
        assert_eq!(settled.is_ok(), world.now().since(locked) < 28 * SECOND, "{handed}");
        if settled.is_err() {
            break;
        }
    }
    let lasted = last.since(locked);
    assert!(lasted < 30 * SECOND && lasted > 24 * SECOND, "{lasted:?}");
    world.run_for(10 * SECOND);
    assert!(world.take_run(client, sub).is_none());
    assert_eq!(lost(&world, client), 1);
    let stored = committed(&world).unwrap();
    assert!(stored <= handed, "what is settled too late is not stored: {stored} of {handed}");
    // The lock comes back, and with it all that is not stored.
    world.with_cluster(|cluster| cluster.clear_faults());
    world.run_for(3 * SECOND);
    let again = world.take_run(client, sub).unwrap();
    assert_eq!(again.batch.offset(0), Some(stored));
}

#[test]
fn ord_05_a_queue_that_another_client_has_stops_within_one_message() {
    let (mut world, producer) = pair(2, 1);
    store_many(&mut world, producer, 100);
    let (client, sub) = join(&mut world, Pace::Manual);
    world.run_for(3 * SECOND);
    let mut run = world.take_run(client, sub).unwrap();
    let index = run.take_next(world.now()).unwrap();
    let first = DeliveryId { batch: run.batch.id(), index };
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, Some("another")));
    // The next renewal tells.
    world.run_for(21 * SECOND);
    assert_eq!(lost(&world, client), 1);
    assert!(run.batch.is_revoked());
    assert!(world.settle(client, first, Outcome::Done).is_err());
    assert_eq!(run.take_next(world.now()), None);
    // It is asked for again, and again, but not without pause.
    let asked = world.cluster().requests(LOCK);
    world.run_for(20 * SECOND);
    let asked = world.cluster().requests(LOCK) - asked;
    assert!((15..=25).contains(&asked), "{asked}");
    assert_eq!(committed(&world), None, "nothing is stored of a queue that is another's");
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 0, None));
    world.run_for(2 * SECOND);
    assert!(world.take_run(client, sub).is_some());
}

#[test]
fn ord_06_who_is_shut_down_unlocks_after_it_has_committed_and_another_goes_on_within_a_second() {
    for seed in 0..10 {
        let mut world = world(seed, 4);
        let producer = world.client(config());
        let (first, _) = in_order(&mut world);
        store_many(&mut world, producer, 100);
        world.run_until(10 * SECOND, |world| world.distinct() == 100).unwrap();
        let (second, own) = in_order(&mut world);
        world.run_for(5 * SECOND);
        world.with_cluster(|cluster| cluster.keep_requests());
        world.shutdown(first);
        let asked = world.now();
        world.run_until(SECOND, |world| world.engine(second).queues(own).len() == 4).unwrap();
        let id = world.engine(second).client_id().clone();
        world
            .run_until(SECOND, |world| {
                let holds = |queue| world.cluster().lock_holder(0, (GROUP, TOPIC), queue);
                (0..4).all(|queue| holds(queue) == Some(&*id))
            })
            .unwrap();
        assert!(world.now().since(asked) < SECOND, "{:?}", world.now().since(asked));
        let requests = world.with_cluster(|cluster| cluster.take_requests());
        let codes: Vec<RequestCode> = requests.iter().map(|one| one.request.code()).collect();
        let unlocked = codes.iter().position(|code| *code == UNLOCK).unwrap();
        let left = codes.iter().position(|code| *code == RequestCode::UNREGISTER_CLIENT).unwrap();
        assert!(unlocked < left, "{codes:?}");
        store_many(&mut world, producer, 100);
        world.run_until(5 * SECOND, |world| world.distinct() == 200).unwrap();
        assert_eq!(world.delivered().len(), 200, "nothing came twice");
    }
}

#[test]
fn ord_09_order_holds_while_members_come_and_go() {
    for seed in 0..5 {
        let mut world = world(seed, 8);
        let producer = world.client(config());
        let first = in_order(&mut world);
        let second = in_order(&mut world);
        let count = traffic(&mut world, producer, 20);
        world.run_for(4 * SECOND);
        let third = in_order(&mut world);
        world.run_for(2 * SECOND);
        in_order(&mut world);
        world.run_for(4 * SECOND);
        world.drain(first.0, first.1, 5 * SECOND).unwrap();
        world.run_for(3 * SECOND);
        world.drain(third.0, third.1, 5 * SECOND).unwrap();
        let done = world.run_until(60 * SECOND, |world| world.distinct() == count);
        assert!(done.is_some(), "{seed}: {} of {count}", world.distinct());
        assert_eq!(world.delivered().len(), count, "{seed}: nothing came twice");
        assert_eq!(lost(&world, second.0), 0);
    }
}

#[test]
fn ord_09_what_is_being_handled_is_waited_for_when_its_queue_goes_elsewhere() {
    let mut world = world(3, 2);
    let producer = world.client(config());
    let (first, sub) = join(&mut world, Pace::Manual);
    store_many(&mut world, producer, 20);
    world.run_for(3 * SECOND);
    let mut runs: Vec<_> = std::iter::from_fn(|| world.take_run(first, sub)).collect();
    assert_eq!(runs.len(), 2);
    let mut ids = Vec::new();
    for run in &mut runs {
        let index = run.take_next(world.now()).unwrap();
        ids.push(DeliveryId { batch: run.batch.id(), index });
    }
    let (second, _) = in_order(&mut world);
    world.run_for(8 * SECOND);
    let moved = |world: &World| world.delivered().iter().any(|one| one.client == second);
    assert!(!moved(&world), "its message is still being handled");
    assert_eq!(world.engine(first).queues(sub).len(), 1);
    for id in ids {
        world.settle(first, id, Outcome::Done).unwrap();
    }
    let took = world.run_until(2 * SECOND, moved).unwrap();
    assert!(took < ms(1100), "{took:?}");
    let begun = world.delivered().iter().find(|one| one.client == second).unwrap();
    assert_eq!(begun.offset, Some(1), "what was handled was stored");
}

#[test]
fn ord_09_what_is_handled_for_too_long_is_waited_for_as_long_as_the_lock_lasts() {
    let mut world = world(4, 2);
    let producer = world.client(config());
    let (first, sub) = join(&mut world, Pace::Manual);
    store_many(&mut world, producer, 20);
    world.run_for(3 * SECOND);
    let mut runs: Vec<_> = std::iter::from_fn(|| world.take_run(first, sub)).collect();
    let ids: Vec<_> = runs
        .iter_mut()
        .map(|run| {
            let index = run.take_next(world.now()).unwrap();
            DeliveryId { batch: run.batch.id(), index }
        })
        .collect();
    let begun = world.now();
    let (second, _) = in_order(&mut world);
    let moved = |world: &World| world.delivered().iter().any(|one| one.client == second);
    world.run_until(120 * SECOND, moved).unwrap();
    let took = world.now().since(begun);
    // The broker keeps the lock for 60 s after it was last renewed.
    assert!((40 * SECOND..90 * SECOND).contains(&took), "{took:?}");
    let settled = ids.iter().filter(|id| world.settle(first, **id, Outcome::Done).is_ok());
    assert_eq!(settled.count(), 1, "one of them is another member's");
}

#[test]
fn ord_10_the_queues_of_one_that_is_killed_are_taken_over_when_the_broker_forgets_its_locks() {
    for seed in 0..5 {
        let mut world = world(seed, 8);
        let producer = world.client(config());
        let (first, _) = in_order(&mut world);
        in_order(&mut world);
        store_many(&mut world, producer, 80);
        world.run_until(10 * SECOND, |world| world.distinct() == 80).unwrap();
        world.run_for(10 * SECOND);
        world.vanish(first);
        let killed = world.now();
        store_many(&mut world, producer, 80);
        world.run_until(90 * SECOND, |world| world.distinct() == 160).unwrap();
        let took = world.now().since(killed);
        assert!(took > 20 * SECOND && took < 65 * SECOND, "{seed}: {took:?}");
        assert_eq!(world.delivered().len(), 160, "{seed}: nothing came twice");
    }
}

#[test]
fn a_broker_that_begins_anew_knows_no_locks_and_nothing_is_handed_out_before_it_confirms_them() {
    for seed in 0..10 {
        let mut world = world(seed, 4);
        let producer = world.client(config());
        let (client, _) = in_order(&mut world);
        let count = traffic(&mut world, producer, 10);
        world.run_for(5 * SECOND);
        let locks = world.cluster().requests(LOCK);
        world.crash(0);
        world.run_for(ms(500));
        let before = world.delivered().len();
        world.run_for(3 * SECOND);
        assert_eq!(world.delivered().len(), before, "{seed}: its broker is away");
        world.bring_up(0);
        world.run_for(20 * SECOND);
        assert!(world.cluster().requests(LOCK) > locks);
        assert_eq!(lost(&world, client), 0);
        assert!(world.delivered().len() > before && world.distinct() <= count);
    }
}

#[test]
fn ord_12_after_a_restart_of_the_broker_the_queue_goes_on_where_it_was() {
    let (mut world, producer) = pair(5, 1);
    let (_, _) = in_order(&mut world);
    store_many(&mut world, producer, 50);
    world.run_until(20 * SECOND, |world| world.distinct() == 50).unwrap();
    world.run_for(6 * SECOND);
    world.crash(0);
    // Until the locks have run out.
    world.run_for(40 * SECOND);
    world.bring_up(0);
    world.run_for(10 * SECOND);
    assert_eq!(committed(&world), Some(50));
    store_many(&mut world, producer, 50);
    world.run_until(20 * SECOND, |world| world.distinct() == 100).unwrap();
    assert_eq!(world.delivered().len(), 100, "nothing came twice");
}

#[test]
fn a_process_that_sleeps_for_40_s_hands_nothing_out_under_its_old_locks() {
    for seed in 0..3 {
        let mut world = world(seed, 4);
        let producer = world.client(config());
        let (client, _) = join(&mut world, Pace::InOrder(ms(200)));
        let (other, _) = join(&mut world, Pace::InOrder(ms(200)));
        let count = traffic(&mut world, producer, 20);
        world.run_for(5 * SECOND);
        world.freeze(client, 40 * SECOND);
        // Another may have them by then: the world looks at each message.
        let id = world.engine(other).client_id().clone();
        world.later(38 * SECOND, move |world| {
            for queue in 0..4 {
                let of = (GROUP, TOPIC);
                world.with_cluster(|cluster| cluster.set_lock(0, of, queue, Some(&id)));
            }
        });
        world.run_for(41 * SECOND);
        assert!(lost(&world, client) > 0, "{seed}");
        let done = world.run_until(200 * SECOND, |world| world.distinct() == count);
        assert!(done.is_some(), "{seed}: {} of {count}", world.distinct());
    }
}

#[test]
fn a_machine_that_sleeps_without_its_clock_shows_it_has_lost_its_locks() {
    let (mut world, producer) = pair(6, 1);
    store_many(&mut world, producer, 100);
    let (client, sub) = join(&mut world, Pace::Manual);
    world.run_for(3 * SECOND);
    let mut run = world.take_run(client, sub).unwrap();
    assert!(run.take_next(world.now()).is_some());
    let left = |world: &World, run: &rocketry_core::consumer::Handout| {
        run.batch.lock_remaining(world.now()).unwrap().as_secs()
    };
    let before = left(&world, &run);
    world.jump(client, 5 * SECOND);
    assert_eq!(left(&world, &run), before - 5);
    world.run_for(SECOND);
    assert!(left(&world, &run) >= 28, "it is renewed at once");
    world.jump(client, 40 * SECOND);
    assert_eq!(left(&world, &run), 0);
    world.run_for(ms(100));
    assert!(run.batch.is_revoked());
    assert_eq!(lost(&world, client), 1);
}

#[test]
fn an_answer_that_is_lost_or_late_is_asked_for_again() {
    use rocketry_conformance::broker::Fault;
    let faults = [Fault::Mute, Fault::Late(5 * SECOND), Fault::LoseAndClose, Fault::Twice(SECOND)];
    for (seed, fault) in (0..).zip(faults) {
        let mut world = world(seed, 4);
        let producer = world.client(config());
        world.with_cluster(|cluster| cluster.push_faults(LOCK, [fault]));
        store_many(&mut world, producer, 40);
        in_order(&mut world);
        let done = world.run_until(10 * SECOND, |world| world.distinct() == 40);
        assert!(done.is_some(), "{fault:?}");
        world.with_cluster(|cluster| cluster.push_faults(LOCK, [fault]));
        let count = traffic(&mut world, producer, 30);
        world.run_for(40 * SECOND);
        assert_eq!((world.distinct(), world.delivered().len()), (40 + count, 40 + count));
    }
}

#[test]
fn a_lock_that_comes_for_a_queue_that_is_gone_is_given_back() {
    for seed in 0..10 {
        let mut world = world(seed, 4);
        let (first, sub) = in_order(&mut world);
        world.run_for(3 * SECOND);
        // Its renewals take long, while another one joins and takes half.
        world.with_cluster(|cluster| cluster.set_delay(LOCK, ms(1500)));
        let (second, own) = in_order(&mut world);
        world.run_for(30 * SECOND);
        world.with_cluster(|cluster| cluster.set_delay(LOCK, ms(0)));
        world.run_for(3 * SECOND);
        for (client, sub) in [(first, sub), (second, own)] {
            let id = world.engine(client).client_id().clone();
            let queues = world.engine(client).queues(sub);
            assert_eq!(queues.len(), 2);
            for queue in queues {
                let holder = world.cluster().lock_holder(0, (GROUP, TOPIC), queue.queue as i32);
                assert_eq!(holder, Some(&*id), "{seed}");
            }
        }
    }
}

#[test]
fn locks_are_one_request_to_each_broker() {
    let cluster = ClusterConfig::default().brokers(3).topic(TOPIC, 50);
    let mut world = without_retries(World::new(7, cluster));
    in_order(&mut world);
    world.run_for(3 * SECOND);
    assert_eq!(world.cluster().requests(LOCK), 3);
    world.run_for(20 * SECOND);
    assert_eq!(world.cluster().requests(LOCK), 6);
}

#[test]
fn locks_of_many_queues_are_asked_for_renewed_and_given_back_in_parts() {
    const QUEUES: u32 = 600;
    let mut world = world(3, QUEUES);
    world.check_each(64);
    world.with_cluster(|cluster| cluster.keep_requests());
    let (client, sub) = join(&mut world, Pace::AtOnce);
    let ours = world.engine(client).client_id().clone();
    let held = |world: &World, by: Option<&str>| {
        let cluster = world.cluster();
        let queues = 0..QUEUES as i32;
        queues.filter(|queue| cluster.lock_holder(0, (GROUP, TOPIC), *queue) == by).count()
    };
    let all = QUEUES as usize;
    world.run_until(2 * SECOND, |world| held(world, Some(&ours)) == all).unwrap();
    // Another client has one of the last ones for a while, which keeps no other from us.
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 599, Some("another")));
    world.run_for(45 * SECOND);
    assert_eq!((held(&world, Some(&ours)), lost(&world, client)), (all - 1, 1));
    world.with_cluster(|cluster| cluster.set_lock(0, (GROUP, TOPIC), 599, None));
    world.run_until(2 * SECOND, |world| held(world, Some(&ours)) == all).unwrap();
    world.leave(client, sub).unwrap();
    world.run_until(5 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!(held(&world, None), all);
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let named = requests.iter().filter_map(|one| match one.request {
        Request::Lock(_) | Request::Unlock(_) => Some(LockBody::parse(&one.body).unwrap()),
        _ => None,
    });
    let most = named.map(|body| body.queues.len()).max();
    assert_eq!(most, Some(256), "as many as one turn handles");
}
