//! Much of everything on the embedded broker.

use crate::rig::{On, volume};
use crate::{TOPIC, on_all, served};

on_all!(five_thousand_messages_lie_in_the_log_as_often_as_they_were_answered);

fn fill(on: On, count: usize) {
    let served = served();
    let sent = volume::send(volume::rig(on, &served.namesrv()), TOPIC, count);
    assert_eq!(sent.ids.len(), count);
    sent.lies_in_the_log(on, "embedded");
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), count as u64);
}

fn five_thousand_messages_lie_in_the_log_as_often_as_they_were_answered(on: On) {
    fill(on, 5_000);
}

#[test]
#[ignore = "takes a minute and a gibibyte: as many as live brokers get"]
fn a_hundred_thousand_messages_on_each_runtime_lie_in_the_log() {
    On::ALL.into_iter().for_each(|on| fill(on, 100_000));
}
