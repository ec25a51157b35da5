//! Connections cut in the middle of a send, at every byte.

use rocketry_conformance::sim::{ClientId, Way, World};
use rocketry_core::error::{SendError, Stored};
use rocketry_core::producer::SendReceipt;

use crate::setting::*;

/// A client that has sent one message, so that route and connection are there.
fn warm(seed: u64) -> (World, ClientId) {
    let (mut world, client) = pair(seed, 4);
    store(&mut world, client, "warm");
    (world, client)
}

/// Bytes of one send's request and of its answer.
fn sizes() -> (u64, u64) {
    let (mut world, client) = warm(1);
    let count = std::rc::Rc::new(std::cell::Cell::new((0, 0)));
    let seen = count.clone();
    world.tamper(move |_, way, bytes| {
        let (up, down) = seen.get();
        let more = bytes.len() as u64;
        seen.set(if way == Way::Up { (up + more, down) } else { (up, down + more) });
    });
    store(&mut world, client, "x");
    count.get()
}

/// Sends with the connection cut after `bytes` in direction `way`, and checks what is said of it.
fn send_cut(
    way: Way,
    bytes: u64,
    attempts: u32,
) -> (World, ClientId, Result<SendReceipt, SendError>) {
    let mut world = world(bytes, 4);
    let mut config = config();
    config.send_attempts = attempts;
    let client = world.client(config);
    store(&mut world, client, "warm");
    world.cut_after(BROKER, way, bytes);
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    assert!(took < SECOND, "{way:?} {bytes}: {took:?}");
    let id = world.sent(client, op).id.to_string();
    let copies = world.copies(TOPIC, &id);
    match &result {
        Ok(_) => assert!(copies >= 1, "{way:?} {bytes}: answered and not there"),
        Err(error) => match error.stored() {
            Stored::No => assert_eq!(copies, 0, "{way:?} {bytes}: {error}"),
            Stored::Unknown => {}
            Stored::Yes => assert!(copies >= 1, "{way:?} {bytes}: {error}"),
        },
    }
    (world, client, result)
}

fn next_works(mut world: World, client: ClientId) {
    let start = world.now();
    store(&mut world, client, "next");
    assert!(world.now().since(start) < 3 * SECOND);
}

#[test]
fn fault_09_fault_16_a_request_cut_at_any_byte_is_sent_again_and_the_next_send_works() {
    let (request, _) = sizes();
    for at in 0..=request + 1 {
        let (world, client, result) = send_cut(Way::Up, at, 2);
        assert!(result.is_ok(), "{at}: {result:?}");
        next_works(world, client);
    }
}

#[test]
fn fault_16_an_answer_cut_at_any_byte_is_sent_again_and_the_next_send_works() {
    let (_, answer) = sizes();
    for at in 0..=answer + 1 {
        let (world, client, result) = send_cut(Way::Down, at, 2);
        assert!(result.is_ok(), "{at}: {result:?}");
        next_works(world, client);
    }
}

/// Ten sends under way on the connection, which ends after so many bytes of theirs, or of their
/// answers.
#[test]
fn fault_16_a_connection_that_ends_after_up_to_2000_bytes_loses_nothing() {
    for way in [Way::Up, Way::Down] {
        for bytes in 0..=2000 {
            let (mut world, client) = warm(bytes);
            world.cut_after(BROKER, way, bytes);
            let ops = burst(&mut world, client, 10);
            for op in ops {
                let (took, result) = world.end_of(client, op);
                assert!(took < SECOND, "{way:?} {bytes}: {took:?}");
                result.unwrap_or_else(|error| panic!("{way:?} {bytes}: {error}"));
                let id = world.sent(client, op).id.to_string();
                assert!(world.copies(TOPIC, &id) >= 1, "{way:?} {bytes}");
            }
        }
    }
}

#[test]
fn without_a_second_attempt_a_cut_request_is_honestly_unknown() {
    let (request, _) = sizes();
    let mut stored_all_the_same = 0;
    for at in 0..=request + 1 {
        let (world, client, result) = send_cut(Way::Up, at, 1);
        if at > request {
            result.unwrap();
            continue;
        }
        let error = result.unwrap_err();
        let lost = matches!(error, SendError::Lost { stored: Stored::Unknown, .. });
        assert!(lost && error.is_retriable(), "{at}: {error}");
        stored_all_the_same += u64::from(world.cluster().stored(TOPIC) == 2);
        next_works(world, client);
    }
    assert_eq!(stored_all_the_same, 1, "only the whole request is stored");
}

#[test]
fn without_a_second_attempt_a_cut_answer_is_honestly_unknown_and_the_message_there() {
    let (_, answer) = sizes();
    for at in 0..answer {
        let (world, client, result) = send_cut(Way::Down, at, 1);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::Lost { stored: Stored::Unknown, .. }), "{at}: {error}");
        assert_eq!(world.cluster().stored(TOPIC), 2);
        next_works(world, client);
    }
}

#[test]
fn fault_16_a_nameservers_answer_cut_at_any_byte_costs_little() {
    for at in 0..600 {
        let (mut world, client) = pair(at, 4);
        let op = send(&mut world, client, "x");
        world.run_until(SECOND, |world| world.open_links(NS) == 1).unwrap();
        world.cut_after(NS, Way::Down, at);
        let (took, result) = world.end_of(client, op);
        assert!(result.is_ok() && took < SECOND, "{at}: {took:?} {result:?}");
    }
}

#[test]
fn fault_11_a_stalled_connection_ends_a_send_at_its_deadline_whichever_way_is_stalled() {
    for way in [Way::Up, Way::Down] {
        let (mut world, client) = warm(1);
        world.stall(BROKER, way);
        let op = send(&mut world, client, "x");
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::TimedOut { stored: Stored::Unknown, .. }), "{error}");
        assert_eq!(took, 3 * SECOND);
        assert!(error.to_string().contains("may have been stored"), "{error}");
        world.unstall_all();
        next_works(world, client);
    }
}

#[test]
fn fault_10_a_connection_that_stays_dead_without_a_word_is_replaced() {
    for way in [Way::Up, Way::Down] {
        let (mut world, client) = warm(1);
        world.stall(BROKER, way);
        let start = world.now();
        let stored = std::iter::from_fn(|| {
            let op = send(&mut world, client, "x");
            Some(world.end_of(client, op).1.is_ok())
        });
        let tries = stored.take(20).position(|ok| ok);
        assert!(tries.is_some(), "twenty sends in a row fail on a dead connection");
        assert!(world.now().since(start) < 10 * SECOND, "{:?}", world.now().since(start));
    }
}

#[test]
fn fault_12_messages_that_did_not_fit_the_socket_are_known_not_to_be_stored() {
    let (mut world, client) = warm(1);
    world.stall(BROKER, Way::Up);
    let big = vec![7; 100 << 10];
    let ops: Vec<_> =
        (0..20).map(|_| world.try_send(client, message(big.clone())).unwrap()).collect();
    let ends: Vec<_> = ops.iter().map(|op| world.end_of(client, *op)).collect();
    let stored: Vec<Stored> =
        ends.iter().map(|(_, end)| end.as_ref().unwrap_err().stored()).collect();
    assert!(stored.contains(&Stored::No) && stored.contains(&Stored::Unknown), "{stored:?}");
    world.unstall_all();
    world.run_for(SECOND);
    for (op, stored) in ops.iter().zip(stored) {
        let id = world.sent(client, *op).id.to_string();
        assert!(stored != Stored::No || world.copies(TOPIC, &id) == 0);
    }
    next_works(world, client);
}
