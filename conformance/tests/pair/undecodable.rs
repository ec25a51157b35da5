//! Records that can't be read, between good ones.

use rocketry_conformance::sim::{Pace, Way, World};

use crate::setting::*;

/// Consumes ten messages, the fifth of which is damaged by `damage`; it gets the whole answer and
/// the place of that record's magic code.
fn damaged(damage: impl Fn(&mut Vec<u8>, usize) + 'static) -> World {
    let (mut world, client) = pair(1, 1);
    for i in 0..10 {
        store(&mut world, client, &format!("body-{i}"));
    }
    world.tamper(move |_, way, bytes| {
        let magic: Vec<usize> = (0..bytes.len().saturating_sub(4))
            .filter(|at| bytes[*at..].starts_with(&[0xDA, 0xA3, 0x20, 0xA7]))
            .collect();
        if way == Way::Down && magic.len() == 10 {
            damage(bytes, magic[4]);
        }
    });
    consume(&mut world, client, Pace::AtOnce);
    world.run_for(10 * SECOND);
    world
}

fn assert_reported(world: &World) {
    let delivered = world.delivered();
    let good: Vec<_> = delivered.iter().filter_map(|one| one.body.as_deref().ok()).collect();
    let expected: Vec<String> = (0..10).filter(|i| *i != 4).map(|i| format!("body-{i}")).collect();
    assert_eq!(good, expected);
    assert_eq!(delivered.iter().filter(|one| one.body.is_err()).count(), 1);
    assert!(delivered[4].body.is_err());
    assert_eq!(world.cluster().committed(0, GROUP, TOPIC, 0), Some(10));
}

#[test]
fn a_body_that_does_not_match_its_checksum_is_reported_and_its_neighbours_delivered() {
    let world = damaged(|bytes, record| {
        let at = record + bytes[record..].windows(6).position(|w| w == b"body-4").unwrap();
        bytes[at] ^= 1;
    });
    assert_reported(&world);
    assert_eq!(world.delivered()[4].offset, Some(4));
}

#[test]
fn pull_22_messages_whose_checksum_the_broker_did_not_compute_are_delivered() {
    let world = damaged(|bytes, record| bytes[record + 4..record + 8].fill(0));
    let expected: Vec<String> = (0..10).map(|i| format!("body-{i}")).collect();
    assert_eq!(bodies(&world), expected);
}

#[test]
fn what_an_answer_may_take_is_a_setting() {
    let delivered = |max_frame| {
        let (mut world, writer) = pair(1, 1);
        for _ in 0..10 {
            let op = world.try_send(writer, message(vec![b'x'; 20_000])).unwrap();
            world.end_of(writer, op).1.unwrap();
        }
        let mut config = config();
        (config.max_body, config.max_frame) = (1, max_frame);
        let reader = world.client(config);
        consume(&mut world, reader, Pace::AtOnce);
        world.run_for(3 * SECOND);
        world.delivered().len()
    };
    // Ten records of 20 KB in one answer.
    assert_eq!(delivered(150_000), 0);
    assert_eq!(delivered(220_000), 10);
}

#[test]
fn a_record_of_unknown_kind_is_reported_and_its_neighbours_delivered() {
    let world = damaged(|bytes, record| bytes[record] = 0x11);
    assert_reported(&world);
}

#[test]
fn a_record_whose_lengths_lie_is_reported_and_its_neighbours_delivered() {
    // The length of the body stands 84 bytes after the record's beginning.
    for lie in [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0, 0, 1, 0]] {
        let world = damaged(move |bytes, record| {
            bytes[record + 80..record + 84].copy_from_slice(&lie);
        });
        assert_reported(&world);
    }
}

#[test]
fn a_record_whose_own_size_lies_hides_the_rest_of_one_answer_at_most_and_says_so() {
    for lie in [[0x7f, 0xff, 0xff, 0xff], [0; 4], [0xff; 4], [0, 0, 0, 5]] {
        let world = damaged(move |bytes, record| {
            bytes[record - 4..record].copy_from_slice(&lie);
        });
        let delivered = world.delivered();
        let good = delivered.iter().filter(|one| one.body.is_ok()).count();
        assert!(good >= 4 && delivered.iter().any(|one| one.body.is_err()), "{delivered:?}");
    }
}
