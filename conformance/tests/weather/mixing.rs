//! All ways to take messages, one after the other on one consumer, of a queue that has all sorts of
//! them: none may be lost, overtake another, or come twice.

use std::collections::BTreeMap;
use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::StreamExt;
use rocketry::proto::message::sys_flag;
use rocketry::proto::rng::Rng;
use rocketry::{Config, Consumer, Ended, Message, Received, Start, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

use crate::rig::{On, Rig, eventually};
use crate::unreadable::store;
use crate::{TOPIC, on_all};

on_all!(ways_to_take_messages_that_take_turns_give_each_message_once_and_in_its_turn);

const GROUP: &str = "mixers";
const COUNT: i64 = 300;
const LONG: Duration = Duration::from_secs(20);

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Plain,
    Compressed,
    /// It says that it is compressed.
    Damaged,
    /// Its tag is another one, with the same hash.
    Unwanted,
}

/// Some of each, and as many in a row that are not wanted as are passed before others run: whoever
/// gathers stops there, with the rest of the pull at hand.
fn sort(offset: i64) -> Sort {
    match (offset % 75, offset * 7 % 23) {
        (39 | 72, _) => Sort::Plain,
        (40..72, _) | (_, 15..=17) => Sort::Unwanted,
        (_, 3 | 4) => Sort::Compressed,
        (_, 8) => Sort::Damaged,
        _ => Sort::Plain,
    }
}

fn body(offset: i64) -> String {
    let length = if sort(offset) == Sort::Compressed { 300 } else { 20 };
    format!("{offset:length$}")
}

fn send(rig: &Rig) {
    let producer = rig.client.producer(GROUP).expect("a producer");
    for offset in 0..COUNT {
        let topic = Topic::new(TOPIC).expect("a topic");
        if sort(offset) == Sort::Damaged {
            store(rig, &body(offset), sys_flag::COMPRESSED, Some("TAGS\u{1}Aa\u{2}"));
        } else {
            let tag = if sort(offset) == Sort::Unwanted { "BB" } else { "Aa" };
            producer.send(Message::new(topic, body(offset)).tag(tag)).wait().expect("sent");
        }
    }
}

/// Takes what comes next in one of the ways. Nothing, where the way is a call that is dropped.
fn take(consumer: &mut Consumer, way: u64, most: usize) -> Vec<Received> {
    match way {
        0 => vec![smol::block_on(consumer.next()).expect("a message")],
        1 => vec![consumer.recv().expect("a message")],
        2 => consumer.recv_timeout(Duration::ZERO).into_iter().collect(),
        3 => consumer.recv_batch(most, Duration::from_millis(1)).expect("messages"),
        4 => smol::block_on(StreamExt::next(consumer)).expect("one").into_iter().collect(),
        5 => consumer.iter().next().expect("one").into_iter().collect(),
        6 => {
            let call = smol::block_on(consumer.next_batch(most, Duration::from_millis(1)));
            call.expect("messages")
        }
        7 => {
            let control = consumer.control();
            control.suspend();
            assert!(consumer.recv_timeout(Duration::ZERO).is_err(), "it is suspended");
            let mut next = std::pin::pin!(consumer.next());
            let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending(), "it is suspended");
            control.resume();
            Vec::new()
        }
        _ => {
            let mut call = std::pin::pin!(consumer.next_batch(1000, LONG));
            let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending(), "there are not so many");
            Vec::new()
        }
    }
}

/// Looks at a message, and whether it is as it was sent: its offset, and which attempt it is.
fn look(received: &Received) -> (i64, Option<u32>) {
    match received {
        Ok(message) => {
            let offset = message.offset().expect("a place");
            assert_eq!(message.body(), &body(offset));
            assert_eq!(message.detach().body(), &body(offset));
            assert!(matches!(sort(offset), Sort::Plain | Sort::Compressed), "{message:?}");
            (offset, Some(message.attempts()))
        }
        Err(unreadable) => {
            let offset = unreadable.offset.expect("a place");
            assert_eq!(sort(offset), Sort::Damaged, "{unreadable}");
            (offset, None)
        }
    }
}

fn ways_to_take_messages_that_take_turns_give_each_message_once_and_in_its_turn(on: On) {
    let served = Served::start(ClusterConfig::default().topic(TOPIC, 1)).expect("a served cluster");
    let mut config = Config::new(served.namesrv()).expect("settings");
    config.commit_interval = Duration::from_millis(50);
    config.retry_delay = Duration::from_millis(20);
    (config.compress_over, config.pull_batch) = (100, 200);
    let rig = Rig::with(on, config);
    send(&rig);
    let builder = rig.client.consumer(GROUP).expect("a group").topic(TOPIC, "Aa");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let wanted: Vec<i64> = (0..COUNT).filter(|offset| sort(*offset) != Sort::Unwanted).collect();
    let (mut rng, mut firsts, mut times) = (Rng::new(7), Vec::new(), BTreeMap::new());
    let mut settled = 0;
    while settled < wanted.len() {
        let way = rng.below(9);
        for received in take(&mut consumer, way, 1 + rng.below(7) as usize) {
            let (offset, attempt) = look(&received);
            let before = times.entry(offset).or_insert(0);
            if *before == 0 {
                firsts.push(offset);
            }
            *before += 1;
            assert!(attempt.is_none_or(|attempt| attempt == *before), "{attempt:?}: {offset}");
            // Some are dropped, and come again.
            if *before < 3 && rng.below(5) == 0 {
                continue;
            }
            let taken = received.map_or_else(|bad| bad.ack(), |message| message.ack());
            assert!(taken.is_taken(), "{offset} was not ours");
            settled += 1;
        }
    }
    assert_eq!(firsts, wanted);
    assert!(consumer.recv_timeout(Duration::from_millis(200)).is_err(), "one came twice");
    let committed = || served.with(|cluster| cluster.committed(0, GROUP, TOPIC, 0));
    assert!(eventually(LONG, || committed() == Some(COUNT)), "{:?}", committed());
    assert_eq!(consumer.drain(LONG).wait(), Ok(Ended::InOrder));
}
