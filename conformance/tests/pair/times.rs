//! Messages for a time: what each version of a broker gets, and what it can't have.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::error::{ErrorKind, Failure, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::message::{Message, RecallHandle};
use rocketry_core::producer::SendOptions;
use rocketry_core::time::UnixMillis;

use crate::setting::*;

const OLD: i32 = 407;

fn cluster(version: i32) -> ClusterConfig {
    ClusterConfig { version, ..ClusterConfig::default() }.topic(TOPIC, 1)
}

/// A world of brokers of this version, one who sends, and one who reads.
fn begin(config: ClusterConfig) -> (World, ClientId) {
    let mut world = without_retries(World::new(1, config));
    let reader = world.client(config_of(2));
    consume(&mut world, reader, Pace::AtOnce);
    world.run_for(2 * SECOND);
    let client = world.client(config_of(1));
    (world, client)
}

fn config_of(salt: u64) -> rocketry_core::config::Config {
    let mut config = config();
    config.identity.salt = salt;
    config
}

/// Sends a message, and tells how long it took from its storing to its delivery.
fn delay_of(world: &mut World, client: ClientId, message: Message) -> Duration {
    let before = world.distinct();
    let op = world.try_send(client, message).unwrap();
    world.end_of(client, op).1.unwrap();
    world.run_until(4 * 3600 * SECOND, |world| world.distinct() > before).unwrap()
}

/// Whether it is that or a second more, and the time until a reader sees it.
fn is_about(took: Duration, wanted: Duration) -> bool {
    took + ms(50) >= wanted && took <= wanted + ms(1_200)
}

#[test]
fn delay_05_each_form_of_a_time_comes_within_the_second_after_it() {
    let (mut world, client) = begin(cluster(479));
    for wanted in [ms(1), ms(1_500), 3 * SECOND, 45 * SECOND, 600 * SECOND] {
        let took = delay_of(&mut world, client, message("x").delay(wanted));
        assert!(is_about(took, wanted), "{wanted:?} became {took:?}");
        let at = UnixMillis(world.unix().0 + wanted.as_millis() as i64);
        let took = delay_of(&mut world, client, message("x").deliver_at(at));
        assert!(is_about(took, wanted), "at {wanted:?} became {took:?}");
    }
}

#[test]
fn delay_06_a_time_that_is_past_is_at_once() {
    let (mut world, client) = begin(cluster(479));
    let past = UnixMillis(world.unix().0 - 60_000);
    assert!(delay_of(&mut world, client, message("x").deliver_at(past)) < ms(100));
    assert!(delay_of(&mut world, client, message("x").delay(Duration::ZERO)) < ms(100));
}

#[test]
fn delay_04_each_level_is_exact() {
    let seconds = [1, 5, 10, 30]
        .into_iter()
        .chain((1..=10).map(|minutes| 60 * minutes))
        .chain([1200, 1800, 3600, 7200]);
    for version in [OLD, 479] {
        let (mut world, client) = begin(cluster(version));
        for (level, seconds) in (1..=18).zip(seconds.clone()) {
            let took = delay_of(&mut world, client, message("x").delay_level(level));
            let late = took.checked_sub(seconds * SECOND - ms(5)).expect("not too early");
            assert!(late < ms(50), "level {level} took {took:?}");
        }
    }
}

#[test]
fn delay_12_delays_go_by_the_brokers_clock() {
    for hours in [-1, 1] {
        let (mut world, client) = begin(cluster(479));
        let off = UnixMillis(world.unix().0 + hours * 3_600_000);
        world.set_clock(client, off);
        let took = delay_of(&mut world, client, message("x").delay(5 * SECOND));
        assert!(is_about(took, 5 * SECOND), "{hours} h off: {took:?}");
        let at = UnixMillis(world.unix().0 + 5_000);
        let took = delay_of(&mut world, client, message("x").deliver_at(at));
        assert!(is_about(took, 5 * SECOND), "{hours} h off: {took:?}");
    }
}

#[test]
fn an_older_broker_gets_the_level_that_is_long_enough() {
    let (mut world, client) = begin(cluster(OLD));
    for (wanted, level) in [(ms(1), 1), (5 * SECOND, 5), (45 * SECOND, 60), (7200 * SECOND, 7200)] {
        let took = delay_of(&mut world, client, message("x").delay(wanted));
        assert!(is_about(took, level * SECOND), "{wanted:?} became {took:?}");
    }
    let at = UnixMillis(world.unix().0 + 9_000);
    let took = delay_of(&mut world, client, message("x").deliver_at(at));
    assert!(is_about(took, 10 * SECOND), "{took:?}");
}

#[test]
fn what_an_older_broker_can_not_do_is_said_and_not_sent() {
    let (mut world, client) = begin(cluster(OLD));
    let later = message("x").delay(7201 * SECOND);
    let op = world.try_send(client, later.clone()).unwrap();
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(&error, SendError::Unsupported { lack, .. } if lack.needs == "5.0"));
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!((error.stored(), error.is_retriable()), (Stored::No, false));
    assert_eq!(world.cluster().stored(TOPIC), 0);
    // Oneway as well.
    let op = world.send_with(client, later, SendOptions::default().oneway()).unwrap();
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(matches!(error, SendError::Unsupported { .. }), "{error}");
}

#[test]
fn a_client_without_groups_learns_a_brokers_version_as_well() {
    for (version, level) in [(OLD, "5"), (479, "")] {
        let mut world = without_retries(World::new(1, cluster(version)));
        let client = world.client(config());
        let op = world.try_send(client, message("x").delay(45 * SECOND)).unwrap();
        let (took, result) = world.end_of(client, op);
        let receipt = result.unwrap();
        assert!(took < ms(200), "{took:?}");
        assert_eq!(receipt.recall_handle.is_some(), version == 479);
        let waiting = match version {
            OLD => world.cluster().messages(0, "SCHEDULE_TOPIC_XXXX", 4),
            _ => world.cluster().messages(0, "rmq_sys_wheel_timer", 0),
        };
        let record = waiting.record(0).unwrap();
        assert_eq!(record.property("DELAY").unwrap_or_default(), level);
    }
}

#[test]
fn a_broker_that_tells_no_version_is_waited_for_until_the_deadline() {
    let (mut world, client) = begin(cluster(479));
    world.with_cluster(|cluster| {
        let mute = std::iter::repeat_n(Fault::Mute, 99);
        cluster.push_faults(RequestCode::HEART_BEAT, mute);
    });
    let op = world.try_send(client, message("x").delay(SECOND)).unwrap();
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert_eq!((took, error.stored()), (3 * SECOND, Stored::No));
    let last = error.last_attempt().map(|attempt| attempt.failure.clone());
    assert_eq!(last, Some(Failure::TimedOut(3 * SECOND)), "{error}");
}

#[test]
fn delay_07_delay_08_what_the_broker_does_not_take_is_its_answer() {
    let end = |config: ClusterConfig, after: Duration| {
        let (mut world, client) = begin(config);
        let op = world.try_send(client, message("x").delay(after)).unwrap();
        let error = world.end_of(client, op).1.unwrap_err();
        let text = error.to_string();
        assert_eq!(world.cluster().stored(TOPIC), 0);
        (error.code(), error.is_retriable(), text)
    };
    let day = 86_400 * SECOND;
    let (code, again, text) = end(cluster(479), 3 * day + SECOND);
    assert_eq!((code, again), (Some(ResponseCode::MESSAGE_ILLEGAL), false));
    assert!(text.contains("259200000ms"), "{text}");
    let off = ClusterConfig { timers: false, ..cluster(479) };
    let (code, _, text) = end(off, SECOND);
    assert_eq!(code, Some(ResponseCode::SYSTEM_ERROR));
    assert!(text.contains("timerWheelEnable is false"), "{text}");
    assert_eq!(end(cluster(479), Duration::MAX).0, Some(ResponseCode::MESSAGE_ILLEGAL));
}

#[test]
fn a_handle_names_the_message_that_waits() {
    let (mut world, client) = begin(cluster(479));
    let op = world.try_send(client, message("x").delay(10 * SECOND)).unwrap();
    let receipt = world.end_of(client, op).1.unwrap();
    let handle = RecallHandle::parse(receipt.recall_handle.as_deref().unwrap()).unwrap();
    assert_eq!(handle.topic.as_str(), TOPIC);
    assert_eq!((&*handle.broker, &*handle.message_id), ("broker-a", receipt.message_id.as_str()));
    // Not of levels, nor from brokers before 5.3.
    let op = world.try_send(client, message("x").delay_level(1)).unwrap();
    assert_eq!(world.end_of(client, op).1.unwrap().recall_handle, None);
    let (mut world, client) = begin(cluster(453));
    let op = world.try_send(client, message("x").delay(SECOND)).unwrap();
    assert_eq!(world.end_of(client, op).1.unwrap().recall_handle, None);
}

/// Seconds that pass are those of round trips: to the nameserver, to connect, to hear the version.
#[test]
fn a_timed_message_goes_as_soon_as_its_broker_has_told_its_version() {
    let took = |message: Message, slow: Duration| {
        let (mut world, client) = begin(cluster(479));
        world.produce(client);
        world.with_cluster(|cluster| cluster.set_delay(RequestCode::HEART_BEAT, slow));
        let op = world.try_send(client, message).unwrap();
        let (took, result) = world.end_of(client, op);
        result.unwrap();
        took
    };
    for slow in [ms(0), ms(7), ms(105), ms(1_005)] {
        let plain = took(message("x"), slow);
        let timed = took(message("x").delay(SECOND), slow);
        let more = timed.saturating_sub(plain);
        assert!(more <= slow + ms(5), "a version after {slow:?} costs {more:?}");
    }
}
