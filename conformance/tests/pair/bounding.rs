//! What bounds the messages held, beside their number in one queue: the span of their offsets, and
//! the limits of a topic, divided among the queues that a consumer has of it.

use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{ConsumerOptions, DeliveryId, Handout, Outcome};
use rocketry_core::frame::RequestCode;
use rocketry_core::id::SubscriptionId;

use crate::setting::*;

/// A consumer of `count` messages in `queues` queues, which has had time to pull.
fn held(
    queues: u32,
    count: usize,
    set: impl FnOnce(ConsumerOptions) -> ConsumerOptions,
) -> (World, ClientId, SubscriptionId) {
    let mut world = world(1, queues);
    let client = world.client(config());
    store_many(&mut world, client, count);
    let mut subscribe = from_first(GROUP);
    subscribe.options = set(subscribe.options);
    let sub = world.subscribe(client, subscribe, Pace::Manual).unwrap();
    world.run_for(10 * SECOND);
    (world, client, sub)
}

/// What each queue of the topic holds, and whether it is throttled: not that of the retry topic.
fn queues(world: &World, client: ClientId) -> Vec<(usize, bool)> {
    let stats = world.engine(client).snapshot(world.now());
    let queues = stats.consumers.iter().flat_map(|consumer| &consumer.queues);
    let queues = queues.filter(|queue| queue.queue.topic.as_str() == TOPIC);
    queues.map(|queue| (queue.messages, queue.state == "throttled")).collect()
}

/// Settles all but the message at offset `kept`, which it gives if it is among them.
fn settle_all_but(
    world: &mut World,
    client: ClientId,
    handouts: &[Handout],
    kept: i64,
) -> Option<DeliveryId> {
    let mut found = None;
    for handout in handouts {
        for index in handout.next..handout.end {
            let id = DeliveryId { batch: handout.batch.id(), index };
            if handout.batch.offset(index) == Some(kept) {
                found = Some(id);
            } else {
                world.settle(client, id, Outcome::Done).unwrap();
            }
        }
    }
    found
}

#[test]
fn push_05_what_is_held_spans_so_many_offsets_and_no_more() {
    let (mut world, client, sub) = held(1, 1000, |options| options.queue_span(200));
    // 200 offsets from the first one held, and the pull that reaches beyond.
    let first = world.take(client, sub);
    let seen: u32 = first.iter().map(|handout| handout.end - handout.next).sum();
    assert_eq!((seen, queues(&world, client)), (224, vec![(224, true)]));
    let pulls = world.cluster().requests(RequestCode::PULL_MESSAGE);
    world.run_for(60 * SECOND);
    // The retry topic's long poll is asked anew each 15 s.
    let since = world.cluster().requests(RequestCode::PULL_MESSAGE) - pulls;
    assert!(since <= 5 && queues(&world, client) == [(224, true)], "{since} pulls");
    // All but one slow message are done: at once the next pull leaves. Its messages are so far from
    // the slow one that no other follows before they are settled.
    let slow = settle_all_but(&mut world, client, &first, 3).unwrap();
    for _ in 0..5 {
        assert!(world.run_until(SECOND, |world| world.engine(client).has_batch(sub)).is_some());
        world.run_for(SECOND);
        assert_eq!(queues(&world, client), [(64, true)]);
        let next = world.take(client, sub);
        assert_eq!(settle_all_but(&mut world, client, &next, 3), None);
    }
    world.settle(client, slow, Outcome::Done).unwrap();
    for _ in 0..40 {
        for handout in world.take(client, sub) {
            world.settle_all(client, &handout);
        }
        world.run_for(SECOND);
    }
    assert_eq!(world.distinct(), 1000);
}

#[test]
fn push_06_a_topics_messages_are_divided_among_the_queues_that_are_held_of_it() {
    let (mut world, client, sub) = held(8, 2000, |options| options.topic_messages(512));
    assert_eq!(queues(&world, client), [(64, true); 8]);
    // Another member takes four of them: those that stay may hold twice as much, and do so.
    let other = world.client(config());
    let theirs = consume(&mut world, other, Pace::Manual);
    world.run_for(5 * SECOND);
    assert_eq!(queues(&world, client), [(128, true); 4]);
    // And back: what is held beyond the smaller part stays, and nothing more is pulled before it
    // has gone.
    world.leave(other, theirs).unwrap();
    world.run_for(5 * SECOND);
    let after = queues(&world, client);
    assert_eq!(after.len(), 8);
    assert!(after.iter().all(|(held, full)| [64, 128].contains(held) && *full), "{after:?}");
    for _ in 0..60 {
        for handout in world.take(client, sub) {
            world.settle_all(client, &handout);
        }
        world.run_for(SECOND);
    }
    assert!(queues(&world, client).iter().all(|(held, full)| *held == 0 && !full));
    assert_eq!(world.distinct(), 2000);
}

#[test]
fn push_06_a_topics_bytes_are_divided_as_well() {
    let (world, client, _) = held(4, 2000, |options| options.topic_bytes(40_000));
    let stats = world.engine(client).snapshot(world.now());
    let queues = stats.consumers[0].queues.iter();
    for queue in queues.filter(|queue| queue.queue.topic.as_str() == TOPIC) {
        assert_eq!(queue.state, "throttled", "{queue:?}");
        // The last pull goes beyond it.
        assert!((10_000..20_000).contains(&queue.bytes), "{queue:?}");
    }
}
