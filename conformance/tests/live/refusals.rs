//! What a real broker refuses, as a user reads it.

use std::time::{Duration, Instant};

use rocketry::{Message, SendError, Topic};

use crate::rig::{On, Rig};
use crate::{live_on_all, new_name, shared};

live_on_all!(a_brokers_port_as_nameserver_fails_at_once_with_a_hint);

/// Sends to a topic and gives the error, which has to come at once.
pub(crate) fn refused_at_once(on: On, namesrv: &str, topic: &str) -> SendError {
    let rig = Rig::start(on, namesrv);
    let producer = rig.client.producer("refusals").expect("a producer");
    let begun = Instant::now();
    let topic = Topic::new(topic).expect("a topic");
    let error = producer.send(Message::new(topic, "x")).wait().expect_err("refused");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}: {error}", begun.elapsed());
    error
}

fn a_brokers_port_as_nameserver_fails_at_once_with_a_hint(on: On) {
    let text = refused_at_once(on, &shared().1, &new_name()).to_string();
    assert!(text.contains("looks like a broker's port") && text.contains("9876"), "{text}");
}
