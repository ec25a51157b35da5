//! RT-02 and RT-06: each flavour of tokio by itself, and several runtimes in one process.

use std::time::Duration;

use rocketry::{Client, Config, Message, Start, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;

use crate::place::{ALL, Place, tokio_runtime};

const TOPIC: &str = "together";
const COUNT: usize = 100;

fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 4)).expect("a served cluster")
}

fn config(served: &Served) -> Config {
    let mut config = Config::new(served.namesrv()).expect("settings that work");
    config.send_timeout = Duration::from_secs(30);
    config
}

fn message(body: String) -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), body)
}

/// Sends messages all at once and reads as many as the group's own.
async fn round(client: &Client, group: &str) {
    let producer = client.producer(group).expect("a producer");
    let pending: Vec<_> = (0..COUNT).map(|n| producer.send(message(format!("{n}")))).collect();
    for pending in pending {
        pending.await.expect("stored");
    }
    let builder = client.consumer(group).expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    for _ in 0..COUNT {
        let delivery = consumer.next().await.expect("not closed").expect("readable");
        assert!(delivery.ack().is_taken(), "ours still");
    }
    consumer.close().await.expect("an end");
}

#[test]
fn rt_02_both_flavours_of_tokio_produce_consume_and_shut_down() {
    for place in [Place::TokioOne, Place::Tokio] {
        let served = served();
        place.run(config(&served), async |client| {
            round(client, "flavour").await;
            client.shutdown().await.expect("an end");
        });
        assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), COUNT as u64, "{place:?}");
    }
}

#[test]
fn rt_02_a_task_and_a_thread_beside_a_current_thread_runtime_share_one_client() {
    let served = served();
    Place::TokioOne.run(config(&served), async |client| {
        let producer = client.producer("beside").expect("a producer");
        let own = producer.clone();
        let thread = std::thread::spawn(move || {
            (0..COUNT)
                .for_each(|n| drop(own.send(message(format!("{n}"))).wait().expect("stored")));
        });
        let task = tokio::spawn(async move {
            for n in 0..COUNT {
                producer.send(message(format!("{n}"))).await.expect("stored");
            }
        });
        task.await.expect("no panic");
        while !thread.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        thread.join().expect("no panic");
    });
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), 2 * COUNT as u64);
}

#[test]
fn rt_06_every_runtime_at_once_in_one_process_and_one_that_ends_stops_no_other() {
    let served = served();
    std::thread::scope(|scope| {
        for place in ALL {
            let config = config(&served);
            scope.spawn(move || {
                let group = format!("{place:?}");
                place.run(config, async |client| round(client, &group).await);
            });
        }
    });
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), (ALL.len() * COUNT) as u64);
}

#[test]
fn rt_06_a_runtime_dropped_under_its_client_leaves_the_client_of_another_one_at_work() {
    let served = served();
    let gone = tokio_runtime(Place::Tokio);
    let entered = gone.enter();
    let lost = rocketry::tokio::connect(config(&served)).expect("a client");
    drop(entered);
    Place::Smol.run(config(&served), async |client| {
        let producer = client.producer("kept").expect("a producer");
        producer.send(message("x".to_owned())).await.expect("stored");
        let other = lost.producer("lost").expect("a producer");
        other.send(message("x".to_owned())).await.expect("stored");
        gone.shutdown_background();
        producer.send(message("x".to_owned())).await.expect("stored");
        other.send(message("x".to_owned())).await.expect_err("nobody moves its bytes");
    });
    assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), 3);
}
