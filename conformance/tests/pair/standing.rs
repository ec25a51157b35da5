//! Where a consumer stands when brokers refuse, forget, or say what can't be.

use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::sim::{ClientId, Pace, Way, World};
use rocketry_core::config::Config;
use rocketry_core::engine::QueueStats;
use rocketry_core::frame::{RequestCode, ResponseCode};

use crate::setting::*;

const PULL: RequestCode = RequestCode::PULL_MESSAGE;

/// One queue, and a client whose settings differ.
fn with(change: impl FnOnce(&mut Config)) -> (World, ClientId) {
    let mut world = world(1, 1);
    let mut config = config();
    change(&mut config);
    let client = world.client(config);
    (world, client)
}

fn queue(world: &World, client: ClientId) -> QueueStats {
    let snapshot = world.engine(client).snapshot(world.now());
    snapshot.consumers[0].queues[0].clone()
}

#[test]
fn an_older_offset_in_an_answer_without_messages_moves_nothing_back() {
    for code in ["\"code\":19", "\"code\":20"] {
        let (mut world, client) = with(|config| config.pull_suspend = SECOND);
        consume(&mut world, client, Pace::AtOnce);
        store_many(&mut world, client, 5);
        world.run_for(6 * SECOND);
        world.tamper(move |endpoint, way, bytes| {
            let answers = endpoint == BROKER && way == Way::Down;
            if answers && reword(bytes, "\"code\":19", code) {
                let older = ("\"nextBeginOffset\":\"5\"", "\"nextBeginOffset\":\"2\"");
                assert!(reword(bytes, older.0, older.1), "the broker says where to go on");
            }
        });
        let asked = world.cluster().requests(PULL);
        world.run_for(10 * SECOND);
        assert!(world.cluster().requests(PULL) >= asked + 3, "{code}");
        assert_eq!((queue(&world, client).next, world.delivered().len()), (5, 5), "{code}");
        world.tamper_no_more();
        store(&mut world, client, "new");
        world.run_until(3 * SECOND, |world| world.distinct() == 6).unwrap();
        world.run_for(6 * SECOND);
        assert_eq!((world.delivered().len(), committed(&world)), (6, Some(6)), "{code}");
    }
}

#[test]
fn a_refused_commit_keeps_what_the_broker_confirmed_before() {
    let (mut world, client) = with(|_| {});
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 3);
    world.run_for(6 * SECOND);
    assert_eq!((committed(&world), queue(&world, client).committed), (Some(3), Some(3)));
    let code = RequestCode::UPDATE_CONSUMER_OFFSET;
    for answer in [ResponseCode::SYSTEM_ERROR, ResponseCode::SYSTEM_BUSY] {
        let (before, asked) = (committed(&world), world.cluster().requests(code));
        world.with_cluster(|cluster| cluster.push_error(code, [answer]));
        store(&mut world, client, "more");
        world.run_until(6 * SECOND, |world| world.cluster().requests(code) > asked).unwrap();
        world.run_for(ms(100));
        assert_eq!((committed(&world), queue(&world, client).committed), (before, before));
        world.run_for(6 * SECOND);
        assert_eq!(committed(&world), before.map(|offset| offset + 1));
    }
}

#[test]
fn after_word_that_a_broker_does_not_know_the_group_nothing_is_pulled_before_a_heartbeats_answer() {
    for code in [
        ResponseCode::SUBSCRIPTION_NOT_EXIST,
        ResponseCode::SUBSCRIPTION_NOT_LATEST,
        ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
    ] {
        let (mut world, client) = with(|config| {
            config.pull_suspend = SECOND;
            config.pull_retry = ms(100);
        });
        consume(&mut world, client, Pace::AtOnce);
        world.run_for(3 * SECOND);
        let beats = world.cluster().requests(RequestCode::HEART_BEAT);
        world.with_cluster(|cluster| {
            cluster.set_delay(RequestCode::HEART_BEAT, 2 * SECOND);
            cluster.push_error(PULL, [code]);
        });
        world.run_until(3 * SECOND, |world| world.cluster().faults_left() == 0).unwrap();
        let asked = world.cluster().requests(PULL);
        world.run_for(ms(1900));
        assert_eq!(world.cluster().requests(PULL), asked, "{code}");
        assert_eq!(world.cluster().requests(RequestCode::HEART_BEAT), beats + 1, "{code}");
        world.run_until(ms(200), |world| world.cluster().requests(PULL) > asked).unwrap();
        store(&mut world, client, "new");
        world.run_until(SECOND, |world| world.distinct() == 1).unwrap();
    }
}

/// Two brokers, the second of which stays in the routes while it is down.
fn two_brokers() -> World {
    let mut cluster = ClusterConfig::default().brokers(2).topic(TOPIC, 2);
    cluster.hide_down_brokers = false;
    World::new(1, cluster)
}

#[test]
fn who_leaves_does_not_wait_for_a_master_that_is_away_and_commits_at_the_others() {
    for stops in [false, true] {
        let mut world = two_brokers();
        let client = world.client(config());
        let sub = consume(&mut world, client, Pace::AtOnce);
        world.run_for(2 * SECOND);
        store_many(&mut world, client, 40);
        world.run_until(SECOND, |world| world.distinct() == 40).unwrap();
        world.take_down(1);
        world.run_for(ms(50));
        if stops {
            world.shutdown(client);
        } else {
            world.leave(client, sub).unwrap();
        }
        let gone = |world: &World| match stops {
            true => world.stopped_at(client).is_some(),
            false => world.left_at(client, sub).is_some(),
        };
        let took = world.run_until(5 * SECOND, gone).unwrap();
        assert!(took < ms(50), "{took:?}");
        for queue in 0..2 {
            let stored = world.cluster().max_offset(0, TOPIC, queue).unwrap() as i64;
            let committed = world.cluster().committed(0, GROUP, TOPIC, queue);
            assert_eq!(committed, Some(stored));
        }
    }
}

#[test]
fn who_leaves_while_no_broker_is_there_at_all_has_left_at_once() {
    let (mut world, client) = with(|_| {});
    let sub = consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 3);
    world.run_for(SECOND);
    world.take_down(0);
    world.run_for(2 * SECOND);
    world.leave(client, sub).unwrap();
    let took = world.run_until(5 * SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert!(took < ms(10), "{took:?}");
}

#[test]
fn who_has_committed_everything_leaves_without_committing_it_again() {
    let (mut world, client) = with(|_| {});
    let sub = consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 3);
    world.run_for(11 * SECOND);
    let code = RequestCode::UPDATE_CONSUMER_OFFSET;
    let before = (committed(&world), world.cluster().requests(code));
    world.leave(client, sub).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    assert_eq!((committed(&world), world.cluster().requests(code)), before);
    assert_eq!(before.0, Some(3));
}

#[test]
fn a_broker_that_finds_no_end_of_a_queue_is_asked_once_a_second() {
    let (mut world, client) = with(|_| {});
    store_many(&mut world, client, 10);
    let code = RequestCode::GET_MIN_OFFSET;
    world.with_cluster(|cluster| {
        cluster.expire(0, TOPIC, 0, 4);
        cluster.push_error(code, [ResponseCode::QUERY_NOT_FOUND; 5]);
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(ms(4500));
    assert!(
        (3..=5).contains(&world.cluster().requests(code)),
        "{}",
        world.cluster().requests(code)
    );
    world.run_until(4 * SECOND, |world| world.distinct() == 6).unwrap();
}

#[test]
fn a_broker_that_slows_pulls_down_is_asked_again_within_a_moment_and_nobody_is_alarmed() {
    let (mut world, client) = with(|config| config.pull_suspend = SECOND);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    world.with_cluster(|cluster| cluster.push_error(PULL, [ResponseCode::FLOW_CONTROL; 3]));
    world.run_until(3 * SECOND, |world| world.cluster().faults_left() < 3).unwrap();
    store(&mut world, client, "x");
    let took = world.run_until(SECOND, |world| world.distinct() == 1).unwrap();
    assert!(took < ms(200), "{took:?}");
    assert_eq!(world.notes(client).filter(|note| note.is_trouble()).count(), 0);
}

#[test]
fn one_commit_of_a_queue_is_under_way_at_a_time() {
    let (mut world, client) = with(|config| config.commit_interval = SECOND);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    let code = RequestCode::UPDATE_CONSUMER_OFFSET;
    world.with_cluster(|cluster| cluster.set_delay(code, ms(2500)));
    let before = world.cluster().requests(code);
    for n in 0..120 {
        store(&mut world, client, &n.to_string());
        world.run_for(ms(100));
    }
    let commits = world.cluster().requests(code) - before;
    assert!((3..=6).contains(&commits), "{commits}");
    world.run_for(6 * SECOND);
    assert_eq!(committed(&world), Some(120));
}

#[test]
fn that_each_of_many_pulls_is_refused_is_told_to_the_broker_once() {
    let (mut world, client) = pair(12, 128);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(3 * SECOND);
    let beats = |world: &World| world.cluster().requests(RequestCode::HEART_BEAT);
    let before = beats(&world);
    let refused = [Fault::Refuse(ResponseCode::SUBSCRIPTION_NOT_LATEST); 128];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::PULL_MESSAGE, refused));
    // The long polls end, and what follows is refused.
    world.run_for(20 * SECOND);
    let more = beats(&world) - before;
    assert!((1..=8).contains(&more), "{more} heartbeats");
}
