//! Brokers that answer a send with an error.

use std::time::Duration;

use rocketry_conformance::sim::{ClientId, World};
use rocketry_core::error::{SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::producer::{SendReceipt, SendStatus};

use crate::setting::*;

fn refused_with(
    world: &mut World,
    client: ClientId,
    codes: &[ResponseCode],
) -> Result<SendReceipt, SendError> {
    let (took, result) = timed(world, client, codes);
    assert!(took < ms(50), "{took:?}");
    result
}

fn timed(
    world: &mut World,
    client: ClientId,
    codes: &[ResponseCode],
) -> (Duration, Result<SendReceipt, SendError>) {
    let codes = codes.to_vec();
    world.with_cluster(|cluster| cluster.push_error(RequestCode::SEND_MESSAGE_V2, codes));
    let op = send(world, client, "x");
    world.end_of(client, op)
}

#[test]
fn send_14_a_busy_broker_is_asked_again_after_a_pause_on_another_queue() {
    let (mut world, client) = pair(1, 4);
    let (took, result) = timed(&mut world, client, &[ResponseCode::SYSTEM_BUSY]);
    let receipt = result.unwrap();
    assert!(took > ms(30) && took < ms(120), "{took:?}");
    assert_eq!(receipt.status, SendStatus::Ok);
    assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1);
    let sends = world.trace().text().lines().filter(|line| line.contains("Up SEND_MESSAGE_V2"));
    let queues: std::collections::BTreeSet<_> = sends
        .map(|line| line.split("queue_id: ").nth(1).unwrap().split(',').next().unwrap())
        .collect();
    assert_eq!(queues.len(), 2, "{queues:?}");
}

#[test]
fn send_14_a_broker_that_stays_busy_rejects_the_message_and_has_not_stored_it() {
    let (mut world, client) = pair(1, 4);
    let (took, result) = timed(&mut world, client, &[ResponseCode::SYSTEM_BUSY; 64]);
    let error = result.unwrap_err();
    assert_eq!(took, ms(3000), "the deadline alone ends the tries");
    let SendError::Rejected { code, stored, attempts, .. } = &error else { panic!("{error}") };
    assert_eq!((*code, *stored), (ResponseCode::SYSTEM_BUSY, Stored::No));
    assert_eq!(attempts.iter().count(), 1, "two alike are one to read: {error}");
    assert!(error.is_retriable());
    assert_eq!(world.cluster().stored(TOPIC), 0);
}

#[test]
fn a_missing_permission_may_be_one_brokers_alone_and_is_tried_once_more() {
    let (mut world, client) = pair(1, 4);
    refused_with(&mut world, client, &[ResponseCode::NO_PERMISSION]).unwrap();
    let error = refused_with(&mut world, client, &[ResponseCode::NO_PERMISSION; 2]).unwrap_err();
    assert!(
        matches!(error, SendError::Rejected { code: ResponseCode::NO_PERMISSION, .. }),
        "{error}"
    );
    assert_eq!(error.stored(), Stored::No);
    assert_eq!(world.cluster().stored(TOPIC), 1);
}

#[test]
fn an_illegal_message_is_not_sent_twice() {
    let (mut world, client) = pair(1, 4);
    let error = refused_with(&mut world, client, &[ResponseCode::MESSAGE_ILLEGAL]).unwrap_err();
    assert!(matches!(error, SendError::Rejected { stored: Stored::No, .. }), "{error}");
    assert!(!error.is_retriable());
    assert_eq!(world.cluster().requests(RequestCode::SEND_MESSAGE_V2), 1);
}

#[test]
fn a_message_kept_but_not_flushed_is_stored_and_says_how_well() {
    let (mut world, client) = pair(1, 4);
    for (code, status) in [
        (ResponseCode::FLUSH_DISK_TIMEOUT, SendStatus::FlushDiskTimeout),
        (ResponseCode::FLUSH_SLAVE_TIMEOUT, SendStatus::FlushSlaveTimeout),
        (ResponseCode::SLAVE_NOT_AVAILABLE, SendStatus::SlaveNotAvailable),
    ] {
        let receipt = refused_with(&mut world, client, &[code]).unwrap();
        assert_eq!(receipt.status, status);
        assert_eq!(world.copies(TOPIC, receipt.message_id.as_str()), 1);
    }
}
