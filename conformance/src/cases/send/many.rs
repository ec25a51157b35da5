//! Many sends at once, oneway, by a selector, through a full window.

use std::time::{Duration, Instant};

use rocketry::proto::error::Refused;
use rocketry::{Message, SendError, SendOptions, Stored};

use crate::cases::common::{await_stored, named, stored};
use crate::cases::place::Place;
use crate::rig::eventually;

pub(crate) fn ten_thousand_in_flight_all_end(place: &Place) {
    let topic = &*place.topic(8);
    let message = |body: String| Message::new(named(topic), body);
    let rig = place.rig();
    let producer = rig.client.producer("producing").expect("a producer");
    let pending: Vec<_> = (0..10_000).map(|n| producer.send(message(format!("{n}")))).collect();
    for pending in pending {
        pending.wait().expect("stored");
    }
    await_stored(&rig, topic, 10_000);
}

pub(crate) fn oneway_messages_are_stored(place: &Place) {
    let topic = &*place.topic(8);
    let message = |body: String| Message::new(named(topic), body);
    let rig = place.rig();
    let producer = rig.client.producer("producing").expect("a producer");
    for n in 0..1_000 {
        producer.send_oneway(message(format!("{n}"))).wait().expect("given to the writer");
        // A busy broker throws away what nobody waits for: it is given time to keep up.
        if n % 20 == 19 {
            producer.send(message("answered".to_owned())).wait().expect("stored");
        }
    }
    await_stored(&rig, topic, 1_050);
    let pending = producer.send_with(message("x".to_owned()), SendOptions::default().oneway());
    assert_eq!(pending.wait(), Err(SendError::NoReceipt));
}

pub(crate) fn a_selector_that_panics_or_errs_harms_nobody(place: &Place) {
    let topic = &*place.topic(8);
    let message = |body: String| Message::new(named(topic), body);
    let rig = place.rig();
    let producer = rig.client.producer("producing").expect("a producer");
    // The first one finds no route yet, the second one does.
    for wanted in [5, 3] {
        let select = move |message: &Message, queues: &[rocketry::QueueChoice]| {
            assert_eq!(message.body(), "chosen");
            assert_eq!(queues.len(), 8);
            queues.iter().position(|choice| choice.queue.queue == wanted)
        };
        let receipt = producer
            .send_with_selector(message("chosen".to_owned()), select)
            .wait()
            .expect("stored");
        assert_eq!(receipt.queue, wanted as i32);
    }
    let no_choice = Err(SendError::NoChoice { topic: named(topic) });
    assert_eq!(
        producer
            .send_with_selector(message("x".to_owned()), |_, _| panic!("a bad selector"))
            .wait(),
        no_choice
    );
    assert_eq!(producer.send_with_selector(message("x".to_owned()), |_, _| None).wait(), no_choice);
    assert_eq!(
        producer.send_with_selector(message("x".to_owned()), |_, queues| Some(queues.len())).wait(),
        no_choice
    );
    producer.send(message("still alive".to_owned())).wait().expect("stored");
    await_stored(&rig, topic, 3);
}

/// As the settings say: it waits for room, or is refused at once.
pub(crate) fn a_full_window_waits_or_refuses(place: &Place) {
    a_full_window_waits_where_it_is_told_to(place);
    a_full_window_refuses_where_it_is_not_told_to_wait(place);
}

fn a_full_window_waits_where_it_is_told_to(place: &Place) {
    let topic = &*place.topic(8);
    let message = |body: String| Message::new(named(topic), body);
    let mut config = place.config();
    (config.max_pending, config.wait_for_room) = (4, true);
    let rig = place.rig_with(config);
    let producer = rig.client.producer("producing").expect("a producer");
    let pending: Vec<_> = (0..200).map(|n| producer.send(message(format!("{n}")))).collect();
    // Dropped before it began: it is not sent, and the others go on.
    drop(producer.send(message("dropped".to_owned())));
    for pending in pending {
        pending.wait().expect("stored");
    }
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (producer, topic) = (producer.clone(), named(topic));
            std::thread::spawn(move || {
                for n in 0..50 {
                    let message = Message::new(topic.clone(), format!("{n}"));
                    producer.send(message).wait().expect("stored");
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
    // The dropped one may have found room before it was dropped.
    let deadline = Instant::now() + Duration::from_secs(20);
    while stored(&rig, topic) < 600 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!((600..=601).contains(&stored(&rig, topic)), "{}", stored(&rig, topic));
}

fn a_full_window_refuses_where_it_is_not_told_to_wait(place: &Place) {
    let topic = &*place.topic(8);
    let mut config = place.config();
    (config.max_pending, config.wait_for_room) = (4, false);
    let rig = place.rig_with(config);
    let producer = rig.client.producer("producing").expect("a producer");
    let message = || Message::new(named(topic), "x");
    let pending: Vec<_> = (0..200).map(|_| producer.send(message())).collect();
    let (mut sent, mut refused) = (0, 0);
    for pending in pending {
        match pending.wait() {
            Ok(_) => sent += 1,
            Err(error) => {
                assert_eq!(error, SendError::Refused(Refused::Full(4)));
                assert!(error.is_retriable() && error.stored() == Stored::No);
                refused += 1;
            }
        }
    }
    assert!(sent >= 4 && sent + refused == 200, "{sent} sent, {refused} refused");
    await_stored(&rig, topic, sent);
}

pub(crate) fn a_dropped_send_frees_its_place(place: &Place) {
    let topic = &*place.topic(8);
    let mut config = place.config();
    config.max_pending = 4;
    let rig = place.rig_with(config);
    let producer = rig.client.producer("producing").expect("a producer");
    let message = || Message::new(named(topic), "x");
    let mut answered = 0;
    for _ in 0..30 {
        (0..8).for_each(|_| drop(producer.send(message())));
        // Nobody looks at those, and their places come back all the same.
        let free = eventually(Duration::from_secs(20), || producer.send(message()).wait().is_ok());
        assert!(free, "the places of dropped sends never came back");
        answered += 1;
        // A cancelled one gives its place back at once.
        let given_up: Vec<_> = (0..4).map(|_| producer.send(message())).collect();
        for pending in given_up {
            pending.cancel();
        }
        producer.send(message()).wait().expect("there is room");
        answered += 1;
    }
    let before = stored(&rig, topic);
    assert!(before >= answered, "{before} of {answered}");
    producer.send(message()).wait().expect("still alive");
}
