//! Answers to pulls that can't be true: nothing is passed that was not delivered, nothing is
//! committed that a broker made up, and who stays at the wrong place is asked again at a pace.

use bytes::Bytes;
use rocketry_conformance::broker::{Draft, TopicConfig};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::{Outcome, Start, Subscribe};
use rocketry_core::frame::reply::{OffsetReply, PullReply};
use rocketry_core::frame::{ReplyFields, RequestCode, ResponseCode};
use rocketry_core::name::Group;

use crate::setting::*;

/// The bytes of so many stored messages from an offset on.
fn stored(world: &World, from: usize, count: usize) -> Bytes {
    let list = world.cluster().messages(0, TOPIC, 0);
    Bytes::from((from..from + count).flat_map(|at| list.raw(at)).collect::<Vec<u8>>())
}

/// Has answers to pulls from an offset on changed, so many of them.
fn edit_pulls(
    world: &mut World,
    from: i64,
    mut times: usize,
    mut edit: impl FnMut(&mut ResponseCode, &mut PullReply, &mut Bytes) + Send + 'static,
) {
    world.with_cluster(|cluster| {
        cluster.edit_answers(move |draft| {
            let Draft { from: asked, code, fields, body, .. } = draft;
            if let (Some(asked), ReplyFields::Pull(fields)) = (*asked, fields)
                && asked >= from
                && times > 0
            {
                times -= 1;
                edit(code, fields, body);
            }
        });
    });
}

fn pulls(world: &World) -> u64 {
    world.cluster().requests(RequestCode::PULL_MESSAGE)
}

fn offsets(world: &World) -> Vec<i64> {
    world.delivered().iter().map(|one| one.offset.unwrap()).collect()
}

fn told(world: &World, client: ClientId, part: &str) -> usize {
    world.notes(client).filter(|note| note.to_string().contains(part)).count()
}

/// A consumer that was given 0, 1 and 2, and waits for what follows.
fn at_three(seed: u64) -> (World, ClientId) {
    let (mut world, client) = pair(seed, 1);
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 3);
    world.run_for(7 * SECOND);
    assert_eq!((world.delivered().len(), committed(&world)), (3, Some(3)));
    (world, client)
}

#[test]
fn pull_19_older_messages_once_skip_nothing_and_are_told_of() {
    let (mut world, client) = at_three(1);
    let old = stored(&world, 0, 3);
    edit_pulls(&mut world, 3, 1, move |code, fields, body| {
        (*code, fields.next_begin_offset, *body) = (ResponseCode::SUCCESS, 3, old.clone());
    });
    store_many(&mut world, client, 2);
    world.run_for(7 * SECOND);
    assert_eq!((offsets(&world), committed(&world)), (vec![0, 1, 2, 3, 4], Some(5)));
    assert_eq!(told(&world, client, "at offset 3"), 1);
}

#[test]
fn pull_19_older_messages_for_ever_skip_nothing_and_are_asked_past_once_a_second() {
    let (mut world, client) = at_three(2);
    let old = stored(&world, 0, 3);
    edit_pulls(&mut world, 3, usize::MAX, move |code, fields, body| {
        (*code, fields.next_begin_offset, *body) = (ResponseCode::SUCCESS, 3, old.clone());
    });
    store_many(&mut world, client, 2);
    let before = pulls(&world);
    world.run_for(60 * SECOND);
    assert!(pulls(&world) - before < 75, "{}", pulls(&world) - before);
    assert_eq!((offsets(&world), committed(&world)), (vec![0, 1, 2], Some(3)));
    let lines = told(&world, client, "at offset 3");
    assert!((1..=6).contains(&lines), "{lines}");
    world.with_cluster(|cluster| cluster.edit_no_more());
    world.run_for(7 * SECOND);
    assert_eq!((offsets(&world), committed(&world)), (vec![0, 1, 2, 3, 4], Some(5)));
}

#[test]
fn pull_19_of_an_answer_that_begins_too_early_the_new_messages_are_delivered_and_no_others() {
    let (mut world, client) = at_three(3);
    // Brokers that keep a batch as one record answer from its beginning.
    let all = Bytes::from([&stored(&world, 1, 2)[..]].concat());
    edit_pulls(&mut world, 3, 1, move |_, _, body| {
        *body = Bytes::from([&all[..], &body[..]].concat());
    });
    store_many(&mut world, client, 2);
    world.run_for(7 * SECOND);
    assert_eq!((offsets(&world), committed(&world)), (vec![0, 1, 2, 3, 4], Some(5)));
}

#[test]
fn pull_19_messages_out_of_order_are_all_waited_for() {
    let (mut world, client) = pair(4, 1);
    store_many(&mut world, client, 3);
    let mixed = Bytes::from([&stored(&world, 2, 1)[..], &stored(&world, 0, 2)[..]].concat());
    edit_pulls(&mut world, 0, 1, move |_, _, body| *body = mixed.clone());
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    let handouts = world.take(client, sub);
    assert_eq!(offsets(&world), [2, 0, 1]);
    let id = |index| rocketry_core::consumer::DeliveryId { batch: handouts[0].batch.id(), index };
    world.settle(client, id(0), Outcome::Done).unwrap();
    world.settle(client, id(1), Outcome::Done).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(1));
    world.settle(client, id(2), Outcome::Done).unwrap();
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(3));
}

#[test]
fn pull_19_a_message_whose_place_is_damaged_is_not_taken_for_an_older_one() {
    for damaged in [3, 4] {
        let (mut world, client) = pair(15, 1);
        store_many(&mut world, client, 5);
        world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 3));
        edit_pulls(&mut world, 3, usize::MAX, move |_, _, body| {
            let mut bytes = body.to_vec();
            let (magic, place) = ([0xDA, 0xA3, 0x20, 0xA7], (damaged as i64).to_be_bytes());
            let records = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&magic));
            for at in records.collect::<Vec<_>>() {
                if bytes[at + 16..at + 24] == place {
                    bytes[at + 16..at + 24].copy_from_slice(&1_i64.to_be_bytes());
                }
            }
            *body = bytes.into();
        });
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(7 * SECOND);
        assert_eq!((bodies(&world), committed(&world)), (vec!["3", "4"], Some(5)), "{damaged}");
    }
}

#[test]
fn a_queue_whose_offsets_are_mapped_is_counted_in_those_of_the_answer() {
    let (mut world, client) = pair(16, 1);
    store_many(&mut world, client, 5);
    let all = stored(&world, 0, 5);
    world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, 100));
    edit_pulls(&mut world, 100, usize::MAX, move |code, fields, body| {
        *fields = PullReply {
            min_offset: 100,
            max_offset: 105,
            next_begin_offset: 105,
            offset_delta: Some(100),
            ..fields.clone()
        };
        (*code, *body) = (ResponseCode::SUCCESS, all.clone());
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(7 * SECOND);
    assert_eq!((offsets(&world), committed(&world)), (vec![100, 101, 102, 103, 104], Some(105)));
}

type Edit = fn(&mut ResponseCode, &mut PullReply, &mut Bytes);

/// Numbers that can't be, each by what they are. The queue has five messages.
const DAMAGED: [(&str, Edit); 12] = [
    ("next, of messages", |code, fields, _| {
        if *code == ResponseCode::SUCCESS {
            fields.next_begin_offset = 5_000_000_000;
        }
    }),
    ("next, of messages, the greatest", |code, fields, _| {
        if *code == ResponseCode::SUCCESS {
            fields.next_begin_offset = i64::MAX;
        }
    }),
    ("next, where there is nothing new", |code, fields, _| {
        if *code == ResponseCode::PULL_NOT_FOUND {
            fields.next_begin_offset = 5_000_000_000;
        }
    }),
    ("next, where nothing matches", |code, fields, body| {
        *code = ResponseCode::PULL_RETRY_IMMEDIATELY;
        (fields.next_begin_offset, *body) = (5_000_000_000, Bytes::new());
    }),
    ("next, moved to the end of time", |code, fields, body| {
        *code = ResponseCode::PULL_OFFSET_MOVED;
        (fields.next_begin_offset, *body) = (i64::MAX, Bytes::new());
    }),
    ("next, moved past the end", |code, fields, body| {
        *code = ResponseCode::PULL_OFFSET_MOVED;
        (fields.next_begin_offset, *body) = (fields.max_offset + 1, Bytes::new());
    }),
    ("next, moved below the beginning", |code, fields, body| {
        *code = ResponseCode::PULL_OFFSET_MOVED;
        (fields.next_begin_offset, fields.min_offset, *body) = (0, 3, Bytes::new());
    }),
    ("next, moved below nothing", |code, fields, body| {
        *code = ResponseCode::PULL_OFFSET_MOVED;
        (fields.next_begin_offset, *body) = (-7, Bytes::new());
    }),
    ("an end that is missing", |code, fields, body| {
        *code = ResponseCode::PULL_RETRY_IMMEDIATELY;
        (fields.next_begin_offset, fields.max_offset) = (4, 0);
        *body = Bytes::new();
    }),
    ("ends that are the wrong way round", |code, fields, body| {
        *code = ResponseCode::PULL_OFFSET_MOVED;
        (fields.min_offset, fields.max_offset, fields.next_begin_offset) = (9, 2, 4);
        *body = Bytes::new();
    }),
    ("no messages among those found", |code, fields, body| {
        *code = ResponseCode::SUCCESS;
        (fields.next_begin_offset, *body) = (fields.max_offset, Bytes::new());
    }),
    ("a record's own place", |_, _, body| {
        let mut bytes = body.to_vec();
        let magic = [0xDA, 0xA3, 0x20, 0xA7];
        let mut places = bytes.windows(4).enumerate().filter(|(_, four)| **four == magic);
        // The offset stands 16 bytes after the magic code; the last record is the dangerous one.
        if let Some((at, _)) = places.next_back() {
            bytes[at + 16..at + 24].copy_from_slice(&(i64::MAX - 1).to_be_bytes());
        }
        *body = bytes.into();
    }),
];

#[test]
fn pull_20_no_damaged_number_is_pulled_from_or_committed_and_nothing_is_missed() {
    for (what, edit) in DAMAGED {
        for times in [1, 4] {
            let (mut world, client) = pair(5, 1);
            store_many(&mut world, client, 5);
            world.with_cluster(|cluster| cluster.keep_requests());
            world.with_cluster(|cluster| cluster.set_holding(0, false));
            edit_pulls(&mut world, 0, times, edit);
            consume(&mut world, client, Pace::AtOnce);
            world.run_for(7 * SECOND);
            store_many(&mut world, client, 2);
            world.run_for(12 * SECOND);
            let bodies: std::collections::BTreeSet<&str> = bodies(&world).into_iter().collect();
            assert_eq!((bodies.len(), world.distinct()), (5, 7), "{what} {times}");
            assert_eq!(committed(&world), Some(7), "{what} {times}");
            for asked in world.with_cluster(|cluster| cluster.take_requests()) {
                match asked.request {
                    rocketry_core::frame::Request::Pull(pull) => {
                        assert!((0..=7).contains(&pull.queue_offset), "{what}: {pull:?}");
                    }
                    rocketry_core::frame::Request::UpdateOffset(commit) => {
                        assert!((0..=7).contains(&commit.commit_offset), "{what}: {commit:?}");
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn pull_20_a_damaged_number_is_told_of_with_the_queue_and_the_offset_asked_for() {
    let (mut world, client) = pair(6, 1);
    store_many(&mut world, client, 5);
    edit_pulls(&mut world, 0, 1, |_, fields, _| fields.next_begin_offset = 5_000_000_000);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(2 * SECOND);
    assert_eq!(told(&world, client, "5000000000"), 1);
    assert_eq!(offsets(&world), [0, 1, 2, 3, 4]);
}

#[test]
fn pull_20_messages_stored_while_a_broker_answers_are_no_damage() {
    // Java's brokers read the end of the queue first and its messages then: those may go past it.
    let (mut world, client) = pair(7, 1);
    store_many(&mut world, client, 5);
    edit_pulls(&mut world, 0, 1, |_, fields, _| fields.max_offset = 3);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(ms(1500));
    assert_eq!((offsets(&world), told(&world, client, "at offset")), (vec![0, 1, 2, 3, 4], 0));
}

#[test]
fn pull_20_a_stored_offset_beyond_the_queue_is_corrected_and_never_committed() {
    for wrong in [i64::MAX, 5_000_000_000, 8] {
        let (mut world, client) = pair(8, 1);
        store_many(&mut world, client, 5);
        world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, wrong));
        world.with_cluster(|cluster| cluster.keep_requests());
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(2 * SECOND);
        store_many(&mut world, client, 2);
        world.run_for(7 * SECOND);
        assert_eq!((offsets(&world), committed(&world)), (vec![5, 6], Some(7)), "{wrong}");
        for asked in world.with_cluster(|cluster| cluster.take_requests()) {
            if let rocketry_core::frame::Request::UpdateOffset(commit) = asked.request {
                assert!(commit.commit_offset <= 7, "{commit:?}");
            }
        }
    }
}

#[test]
fn pull_20_a_stored_offset_beyond_the_queue_is_not_repeated_after_a_registration() {
    let (mut world, client) = pair(17, 1);
    store_many(&mut world, client, 5);
    world.with_cluster(|cluster| cluster.set_committed(0, GROUP, TOPIC, 0, i64::MAX));
    world.with_cluster(|cluster| cluster.set_delay(RequestCode::PULL_MESSAGE, ms(400)));
    world.with_cluster(|cluster| cluster.keep_requests());
    let mut config = config();
    config.commit_interval = ms(50);
    let late = world.client(config);
    world.subscribe(late, from_first(GROUP), Pace::AtOnce).unwrap();
    let pulled = |world: &World| pulls(world) == 1;
    world.run_until(3 * SECOND, pulled).unwrap();
    world.cut_all(BROKER);
    world.run_for(7 * SECOND);
    for asked in world.with_cluster(|cluster| cluster.take_requests()) {
        if let rocketry_core::frame::Request::UpdateOffset(commit) = asked.request {
            assert_eq!(commit.commit_offset, 5);
        }
    }
    assert_eq!(committed(&world), Some(5));
}

#[test]
fn pull_20_an_end_beyond_the_queue_is_not_committed_before_a_pull_has_shown_it() {
    let (mut world, client) = pair(9, 1);
    store_many(&mut world, client, 10);
    world.with_cluster(|cluster| cluster.expire(0, TOPIC, 0, 4));
    world.with_cluster(|cluster| cluster.keep_requests());
    world.with_cluster(|cluster| {
        cluster.edit_answers(|draft| {
            if draft.request == RequestCode::GET_MAX_OFFSET {
                draft.fields = ReplyFields::Offset(OffsetReply { offset: i64::MAX });
            }
        });
    });
    // The pull that would show it is slow, and commits are due meanwhile.
    world.with_cluster(|cluster| cluster.set_delay(RequestCode::PULL_MESSAGE, ms(300)));
    let mut config = config();
    config.commit_interval = ms(100);
    let late = world.client(config);
    let mut subscribe = Subscribe::new(Group::new(GROUP).unwrap(), topic(TOPIC));
    subscribe.options.start = Start::Last;
    world.subscribe(late, subscribe, Pace::AtOnce).unwrap();
    world.run_for(7 * SECOND);
    assert_eq!(committed(&world), Some(10));
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let commits = requests.iter().filter_map(|asked| match &asked.request {
        rocketry_core::frame::Request::UpdateOffset(commit) => Some(commit.commit_offset),
        _ => None,
    });
    assert_eq!(commits.collect::<Vec<_>>(), [10]);
}

#[test]
fn pull_21_a_ring_of_moved_offsets_costs_few_pulls_and_a_new_message_comes_soon() {
    for codes in [
        [ResponseCode::PULL_OFFSET_MOVED; 2],
        [ResponseCode::PULL_OFFSET_MOVED, ResponseCode::PULL_RETRY_IMMEDIATELY],
    ] {
        let (mut world, client) = at_three(10);
        world.with_cluster(|cluster| {
            cluster.edit_answers(move |draft| {
                if let (Some(from), ReplyFields::Pull(fields)) = (draft.from, &mut draft.fields) {
                    draft.code = codes[usize::from(from < 2)];
                    fields.next_begin_offset = if from < 2 { 2 } else { 1 };
                    draft.body = Bytes::new();
                }
            });
        });
        store(&mut world, client, "wakes the long poll");
        let before = pulls(&world);
        world.run_for(60 * SECOND);
        assert!(pulls(&world) - before < 150, "{}", pulls(&world) - before);
        world.with_cluster(|cluster| cluster.edit_no_more());
        store(&mut world, client, "new");
        let new = |world: &World| bodies(world).contains(&"new");
        let took = world.run_until(5 * SECOND, new).unwrap();
        assert!(took < ms(1500), "{took:?}");
    }
}

#[test]
fn pull_21_a_broker_that_does_not_hold_pulls_is_asked_once_a_second_and_a_message_comes_soon() {
    for stored in [false, true] {
        let (mut world, client) = at_three(11);
        world.with_cluster(|cluster| cluster.set_holding(0, false));
        if stored {
            // It finds messages, but never any that the group wants.
            edit_pulls(&mut world, 3, usize::MAX, |code, fields, body| {
                *code = ResponseCode::PULL_RETRY_IMMEDIATELY;
                (fields.next_begin_offset, *body) = (3, Bytes::new());
            });
        }
        store(&mut world, client, "wakes the long poll");
        for _ in 0..4 {
            let before = pulls(&world);
            world.run_for(SECOND);
            assert!(pulls(&world) - before < 20, "{}", pulls(&world) - before);
        }
        let before = pulls(&world);
        world.run_for(60 * SECOND);
        assert!(pulls(&world) - before < 65, "{}", pulls(&world) - before);
        world.with_cluster(|cluster| cluster.edit_no_more());
        for i in 0..10 {
            let body = format!("new {i}");
            store(&mut world, client, &body);
            let new = |world: &World| bodies(world).contains(&body.as_str());
            let took = world.run_until(5 * SECOND, new).unwrap();
            assert!(took < ms(1500), "{took:?}");
            world.run_for(3 * SECOND);
        }
    }
}

#[test]
fn pull_21_a_busy_broker_is_asked_at_a_pause_that_grows() {
    let (mut world, client) = at_three(12);
    world.with_cluster(|cluster| {
        cluster.push_error(RequestCode::PULL_MESSAGE, [ResponseCode::FLOW_CONTROL; 1000]);
    });
    store(&mut world, client, "wakes the long poll");
    let before = pulls(&world);
    world.run_for(30 * SECOND);
    let asked = pulls(&world) - before;
    assert!((25..40).contains(&asked), "{asked}");
}

#[test]
fn pull_21_a_long_poll_that_ends_is_followed_by_the_next_at_once() {
    let (mut world, _) = at_three(13);
    let before = pulls(&world);
    world.run_for(61 * SECOND);
    assert_eq!(pulls(&world) - before, 4);
    assert_eq!(world.cluster().held_pulls(0), 1);
}

#[test]
fn off_18_a_topic_made_anew_while_messages_are_held_is_committed_from_its_own_beginning() {
    let (mut world, client) = pair(14, 1);
    store_many(&mut world, client, 100);
    let sub = consume(&mut world, client, Pace::Manual);
    world.run_for(3 * SECOND);
    let old = world.take(client, sub);
    let ids: Vec<_> = old
        .iter()
        .flat_map(|run| {
            let batch = run.batch.id();
            (run.next..run.end)
                .map(move |index| rocketry_core::consumer::DeliveryId { batch, index })
        })
        .collect();
    assert_eq!(ids.len(), 100);
    ids[..90].iter().for_each(|id| world.settle(client, *id, Outcome::Done).unwrap());
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(90));
    world.with_cluster(|cluster| {
        cluster.delete_topic(TOPIC);
        cluster.create_topic(&TopicConfig::new(TOPIC, 1));
        // A 4.x broker goes on at the beginning of a queue that has lost nothing.
        cluster.edit_answers(|draft| {
            if let ReplyFields::Pull(fields) = &mut draft.fields
                && draft.code == ResponseCode::PULL_OFFSET_MOVED
            {
                fields.next_begin_offset = fields.min_offset;
            }
        });
    });
    store_many(&mut world, client, 60);
    world.run_until(30 * SECOND, |world| world.engine(client).has_batch(sub)).unwrap();
    world.run_for(SECOND);
    // What is held of the topic's first life is nobody's any more.
    assert!(old.iter().all(|run| run.batch.is_revoked()));
    assert!(world.settle(client, ids[95], Outcome::Done).is_err());
    assert!(world.settle(client, ids[95], Outcome::Again).is_err());
    let new = world.take(client, sub);
    assert_eq!(new.iter().map(|run| run.end - run.next).sum::<u32>(), 60);
    for settled in new.iter().skip(1) {
        world.settle_all(client, settled);
    }
    let mut most = -1;
    world.run_until(12 * SECOND, |world| {
        most = most.max(committed(world).unwrap_or(-1));
        false
    });
    assert_eq!((most, committed(&world)), (0, Some(0)));
    world.settle_all(client, &new[0]);
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(60));
}
