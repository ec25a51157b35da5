//! Rows of the catalogue about pulls, under virtual time.

use rocketry_conformance::broker::Fault;
use rocketry_conformance::sim::{Pace, Way};
use rocketry_core::frame::{Request, RequestCode};

use crate::setting::*;

const SUSPEND: i32 = 2;

#[test]
fn pull_10_a_pull_asks_to_be_held_and_for_nothing_else() {
    let (mut world, client) = pair(1, 2);
    world.with_cluster(|cluster| cluster.keep_requests());
    consume(&mut world, client, Pace::AtOnce);
    store_many(&mut world, client, 20);
    world.run_for(20 * SECOND);
    let requests = world.with_cluster(|cluster| cluster.take_requests());
    let pulls = requests.into_iter().filter_map(|received| match received.request {
        Request::Pull(pull) => Some(pull),
        _ => None,
    });
    let pulls: Vec<_> = pulls.collect();
    assert!(pulls.len() >= 4, "{} pulls", pulls.len());
    for pull in pulls {
        // Nothing is to be committed (1), the subscription is that of the heartbeat and not the
        // pull's (4), it names no class (8), and the pull is no lite consumer's (16).
        assert_eq!(pull.sys_flag, SUSPEND, "{pull:?}");
        assert_eq!((pull.commit_offset, pull.expression_type.as_deref()), (0, Some("TAG")));
        assert_eq!((pull.suspend_timeout_millis, pull.max_messages), (15_000, 32), "{pull:?}");
    }
}

#[test]
fn reb_13_a_queue_whose_pull_is_lost_is_pulled_again_long_before_two_minutes() {
    let (mut world, client) = pair(2, 1);
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(20 * SECOND);
    let lost = vec![Fault::Lose; 1];
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::PULL_MESSAGE, lost));
    // The pull that is held ends within 15 s, and the next one is lost.
    world.run_for(16 * SECOND);
    assert_eq!(world.cluster().faults_left(), 0);
    store(&mut world, client, "x");
    let took = world.run_until(120 * SECOND, |world| world.distinct() == 1);
    assert!(took.is_some_and(|took| took < 35 * SECOND), "{took:?}");
}

/// Every byte of the answer to a pull in turn, changed in one bit.
#[test]
fn fault_20_whichever_byte_of_an_answer_is_changed_no_wrong_body_is_delivered() {
    const BODY: &str = "a body that must come as it was sent";
    let (mut whole, mut at) = (false, 0);
    while !whole {
        let (mut world, client) = pair(3, 1);
        store(&mut world, client, BODY);
        // The frame in which the body comes, the first time.
        let (flip, done) = (at, std::rc::Rc::new(std::cell::Cell::new(None)));
        let told = done.clone();
        world.tamper(move |endpoint, way, bytes| {
            let carries = bytes.windows(BODY.len()).any(|part| part == BODY.as_bytes());
            if endpoint == BROKER && way == Way::Down && carries && told.get().is_none() {
                told.set(Some(bytes.len()));
                if let Some(byte) = bytes.get_mut(flip) {
                    *byte ^= 1 << (flip % 8);
                }
            }
        });
        consume(&mut world, client, Pace::AtOnce);
        let come = |world: &rocketry_conformance::sim::World| !world.delivered().is_empty();
        world.run_until(60 * SECOND, come);
        world.run_for(2 * SECOND);
        let length = done.get().expect("an answer had the body");
        for one in world.delivered() {
            assert!(
                one.body.as_deref().is_ok_and(|body| body == BODY) || one.body.is_err(),
                "{at}: {one:?}"
            );
        }
        // It came in the end, or was handed out as what can't be read.
        assert!(!world.delivered().is_empty(), "{at} of {length}");
        at += 1;
        whole = at >= length;
    }
    println!("{at} bytes, each changed once");
}
