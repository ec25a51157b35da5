//! What TLS carries.

use super::{carries, secured, works};
use crate::cases::place::Place;
use crate::rig::{On, Rig};

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

pub(crate) fn what_a_broker_sends_from_its_files_arrives_whole(place: &Place) {
    let bodies: Vec<_> = (0..200).map(|number| noise(1000 + number)).collect();
    carries(place, secured(place), &bodies);
}

pub(crate) fn every_runtime_says_the_same(place: &Place) {
    let said = |on: On| {
        let mut config = secured(place);
        config.tls_server_name = Some("nobody.test".to_owned());
        config.send_timeout = std::time::Duration::from_secs(2);
        let rig = Rig::with(on, config);
        let producer = rig.client.producer("tls").expect("a producer");
        let message = rocketry::Message::new(super::named(&place.name()), "x");
        let error = producer.send(message).wait().expect_err("another name");
        let mut all = error.attempts().into_iter().flat_map(|all| all.iter());
        all.next().map(|attempt| attempt.failure.to_string()).expect("a try")
    };
    works(place, secured(place));
    assert_eq!(said(place.on()), said(On::Threads));
}
