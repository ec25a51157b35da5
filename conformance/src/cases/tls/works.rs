//! What TLS carries.

use std::time::{Duration, Instant};

use rocketry::Start;
use rocketry::proto::error::{CloseReason, ErrorKind, Failure};

use super::{carries, refused, says, secured, works};
use crate::cases::common::{await_stored, named};
use crate::cases::place::{Place, note};
use crate::certificates::CA;
use crate::live::KEYS;
use crate::rig::{On, Rig};

/// What is broken looks like the beginning of a long frame at first, and a pull waits for 30 s.
const BROKEN: Duration = Duration::from_secs(90);

pub(crate) fn a_client_with_tls_and_one_without_work_with_a_permissive_broker(place: &Place) {
    works(place, secured(place));
    let mut plain = place.config();
    plain.await_topic = true;
    works(place, plain);
}

/// The bodies don't shrink, so that they fill their frames.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn the_largest_bodies_arrive_whole(place: &Place) {
    let mut config = secured(place);
    config.compression = None;
    let small = (0..64).map(|number| noise(100 + number * 97));
    let bodies: Vec<_> = (0..3).map(|number| noise((4 << 20) - number)).chain(small).collect();
    carries(place, config, &bodies);
}

/// Brokers of 4.x leave bytes out where they send a file past the filter (apache/rocketmq #3292).
/// What comes out of that is no frame, and whatever waited for it is asked for again.
pub(crate) fn what_a_broker_sends_from_its_files_arrives_whole_or_is_seen_to_be_broken(
    place: &Place,
) {
    let bodies: Vec<_> = (0..200).map(|number| noise(1000 + number)).collect();
    let (topic, group, rig) = (place.name(), place.name(), place.rig_with(secured(place)));
    let producer = rig.client.producer("tls").expect("a producer");
    for body in &bodies {
        let message = rocketry::Message::new(named(&topic), body.clone());
        producer.send(message).wait().expect("sent");
    }
    let builder = rig.client.consumer(&*group).expect("a group").topic(&*topic, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let (mut missing, mut broken) = (bodies.clone(), false);
    let begun = Instant::now();
    while !missing.is_empty() && !broken && begun.elapsed() < BROKEN {
        match consumer.recv_timeout(Duration::from_millis(100)) {
            Ok(message) => {
                let message = message.expect("a message that can be read");
                let at = missing.iter().position(|body| body[..] == message.body()[..]);
                missing.swap_remove(at.expect("a body that was sent, once"));
                message.ack();
            }
            Err(_) => broken = rig.client.stats().connections.iter().any(|one| one.failures > 0),
        }
    }
    let (version, left, took) = (place.version(), missing.len(), begun.elapsed());
    note!(place, "{version}: {left} of {} did not come; broken: {broken}; {took:?}", bodies.len());
    assert!(missing.is_empty() || broken, "{left} never came, and nobody says why");
    assert!(missing.is_empty() || version.starts_with('4'), "{left} never came");
    drop(consumer);
    rig.client.shutdown().wait().expect("an end");
    // By a connection that pulls nothing, which would break it again.
    let rig = place.rig_with(secured(place));
    await_stored(&rig, &topic, bodies.len() as i64);
    rig.client.shutdown().wait().expect("an end");
}

pub(crate) fn every_runtime_says_the_same(place: &Place) {
    let said = |on: On| {
        let mut config = secured(place);
        config.tls_server_name = Some("nobody.test".to_owned());
        config.send_timeout = Duration::from_secs(2);
        let rig = Rig::with(on, config);
        let producer = rig.client.producer("tls").expect("a producer");
        let message = rocketry::Message::new(named(&place.name()), "x");
        let error = producer.send(message).wait().expect_err("another name");
        let mut all = error.attempts().into_iter().flat_map(|all| all.iter());
        all.next().map(|attempt| attempt.failure.to_string()).expect("a try")
    };
    works(place, secured(place));
    assert_eq!(said(place.on()), said(On::Threads));
}

/// A key, its secret and an authority: no other setting is needed, TLS comes with the authority.
pub(crate) fn three_settings_are_enough_where_keys_are_checked_and_tls_is_enforced(place: &Place) {
    let with = |authority: Option<&str>, key: bool| {
        let mut config = place.config();
        config.await_topic = true;
        config.tls_ca = authority.map(Into::into);
        let ((name, secret), given) = (KEYS, |text: &str| key.then(|| text.to_owned()));
        (config.access_key, config.secret_key) = (given(name), given(secret).map(Into::into));
        config
    };
    let begun = Instant::now();
    carries(place, with(Some(CA), true), &(0..100_u8).map(|at| vec![at]).collect::<Vec<_>>());
    place.note(format!("{:?}: 100 messages there and back in {:?}", place.on(), begun.elapsed()));
    let error = refused(place, with(Some(CA), false));
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let error = refused(place, with(None, true));
    let unanswered =
        |failure: &Failure| matches!(failure, Failure::Closed(CloseReason::Unanswered));
    assert!(says(&error, unanswered), "{error:?}");
}
