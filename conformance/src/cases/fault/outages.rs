//! A real broker that is silent for a while, a nameserver that is gone, shutdown in both, and a
//! master without the slave it is to have: on every runtime.

use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Message, SendError, SendStatus, Stored, Topic};

use super::restart::Work;
use crate::cases::common::all;
use crate::cases::place::{Place, note};
use crate::rig::eventually;
use crate::rig::load::Load;

fn message(topic: &str) -> Message {
    Message::new(Topic::new(topic).expect("a topic"), "x")
}

pub(crate) fn a_broker_that_is_silent_for_twenty_seconds_is_used_again_and_loses_nothing(
    place: &Place,
) {
    let cluster = place.cluster(|_| ());
    let works = all(place.runtimes(), |on| Work::start(on, &cluster, place));
    cluster.stop("broker-a").expect("frozen");
    thread::sleep(Duration::from_secs(20));
    let back = Instant::now();
    cluster.cont("broker-a").expect("thawed");
    for work in &works {
        let first = work.load.first_after(back, Duration::from_secs(20));
        let took = first.expect("sends flow again") - back;
        note!(place, "{:?}: first answer {took:?} after the broker went on", work.on);
    }
    thread::sleep(Duration::from_secs(2));
    for work in works {
        let (slowest, failed) = work.load.look(|outcome| {
            let stored = outcome.failed.iter().map(SendError::stored);
            (outcome.slowest, stored.filter(|stored| *stored == Stored::Unknown).count())
        });
        note!(place, "{:?}: the slowest send took {slowest:?}, {failed} are unknown", work.on);
        // Each ends by its deadline; the rest is for a machine that is busy.
        assert!(slowest < Duration::from_secs(5), "{:?}: {slowest:?}", work.on);
        assert!(failed > 0, "{:?}: nothing was under way", work.on);
        work.lost_nothing();
    }
}

pub(crate) fn without_a_nameserver_sends_go_on_and_new_topics_wait_for_it(place: &Place) {
    let mut cluster = place.cluster(|_| ());
    cluster.create_topic("new", 4).expect("the topic is created");
    let works = all(place.runtimes(), |on| Work::start(on, &cluster, place));
    cluster.kill("namesrv-1").expect("killed");
    let killed = Instant::now();
    for work in &works {
        let producer = work.rig.client.producer("outage").expect("a producer");
        let error = producer.send(message("new")).wait().expect_err("nobody knows where");
        assert!(matches!(error, SendError::NoRoute { .. }) && error.is_retriable(), "{error}");
        assert_eq!(error.stored(), Stored::No);
    }
    // Long enough for the routes to be asked for again, in vain.
    thread::sleep(Duration::from_secs(35).saturating_sub(killed.elapsed()));
    for work in &works {
        let (last, failed) = work.load.look(|outcome| {
            (outcome.sent.last().expect("some").1, outcome.failed.first().cloned())
        });
        assert!(last > killed + Duration::from_secs(30) && failed.is_none(), "{failed:?}");
    }
    cluster.restart("namesrv-1").expect("it starts again");
    for work in works {
        let producer = work.rig.client.producer("outage").expect("a producer");
        // Brokers register again within half a minute.
        let sent =
            eventually(Duration::from_secs(60), || producer.send(message("new")).wait().is_ok());
        assert!(sent, "{:?}: the nameserver is not used again", work.on);
        work.lost_nothing();
    }
}

pub(crate) fn a_shutdown_ends_by_its_deadline_while_the_broker_is_silent_or_dead(place: &Place) {
    let mut cluster = place.cluster(|_| ());
    cluster.create_topic("ends", 4).expect("the topic is created");
    for silent in [true, false] {
        let rigs = all(place.runtimes(), |on| {
            let mut config = rocketry::Config::new(cluster.namesrv()).expect("settings");
            config.shutdown_timeout = Duration::from_secs(2);
            let rig = place.rig_with(config);
            let load = Load::start(&rig, "ends", 4, Duration::from_millis(5));
            let flows = || load.look(|outcome| outcome.sent.len() > 20);
            assert!(eventually(Duration::from_secs(30), flows), "{on:?}: nothing is sent");
            (on, rig, load)
        });
        match silent {
            true => cluster.stop("broker-a").expect("frozen"),
            false => cluster.kill("broker-a").expect("killed"),
        }
        thread::sleep(Duration::from_millis(500));
        for (on, rig, load) in rigs {
            let begun = Instant::now();
            load.tell();
            rig.client.shutdown().wait().expect("an end");
            note!(place, "{on:?}: shut down in {:?}", begun.elapsed());
            assert!(begun.elapsed() < Duration::from_secs(4), "{on:?}: {:?}", begun.elapsed());
            load.stop();
        }
        if silent {
            cluster.cont("broker-a").expect("thawed");
        }
    }
}

pub(crate) fn a_shutdown_under_load_ends_every_send_and_loses_nothing(place: &Place) {
    let topic = place.topic(8);
    let rig = place.rig();
    let load = Load::start(&rig, &topic, 8, Duration::ZERO);
    assert!(eventually(Duration::from_secs(20), || load.look(|outcome| outcome.sent.len() > 500)));
    load.tell();
    rig.client.shutdown().wait().expect("an end");
    let outcome = load.stop();
    let unknown = outcome.failed.iter().filter(|error| error.stored() == Stored::Unknown).count();
    let observer = place.rig();
    let topic = Topic::new(topic).expect("a topic");
    let queues = observer.client.queues(&topic).wait().expect("queues");
    let end = |queue| observer.client.max_offset(queue).wait().expect("an offset") as usize;
    let stored = || queues.iter().map(end).sum::<usize>();
    let sent = outcome.sent.len();
    assert!(eventually(Duration::from_secs(10), || stored() >= sent), "{} of {sent}", stored());
    assert!(stored() <= sent + unknown, "{} stored, {sent} answered", stored());
    let stopped = outcome.failed.iter().all(|error| !error.is_retriable());
    assert!(stopped, "{:?}", outcome.failed.first());
}

/// A master that is to have a copy on a slave, and has none: it tells so, but not to a message that
/// does not wait.
pub(crate) fn only_a_message_that_waits_hears_of_a_slave_that_is_not_there(place: &Place) {
    let cluster = place.cluster(|_| ());
    cluster.create_topic("waits", 4).expect("the topic is created");
    for &on in place.runtimes() {
        let mut config = rocketry::Config::new(cluster.namesrv()).expect("settings");
        config.send_timeout = Duration::from_secs(20);
        let rig = place.rig_with(config);
        let producer = rig.client.producer("waits").expect("a producer");
        let waited = producer.send(message("waits")).wait().expect("stored");
        let quick = message("waits").wait_store_msg_ok(false);
        let quick = producer.send(quick).wait().expect("stored");
        note!(place, "{on:?}: {:?} with waiting, {:?} without", waited.status, quick.status);
        let lacking = [SendStatus::SlaveNotAvailable, SendStatus::FlushSlaveTimeout];
        assert!(lacking.contains(&waited.status), "{:?}", waited.status);
        assert_eq!(quick.status, SendStatus::Ok);
    }
}
