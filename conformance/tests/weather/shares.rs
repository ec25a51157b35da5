//! What a consumer reads and how its queues are shared, changed and decided by the application.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketry::proto::allocation::{Allocate, Question, Strategy};
use rocketry::proto::consumer::ConsumerOptions;
use rocketry::{ConsumerBuilder, QueueChange};

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(topics_come_and_go_while_a_consumer_runs, an_own_rule_may_block_and_panic,);

const SOON: Duration = Duration::from_secs(10);

type Changes = Arc<Mutex<Vec<QueueChange>>>;

/// Has the changes of queues kept, and panics after each.
fn watched(builder: ConsumerBuilder) -> (ConsumerBuilder, Changes) {
    let changes = Changes::default();
    let kept = changes.clone();
    let builder = builder.on_queues(move |change| {
        kept.lock().expect("nobody panics within").push(change);
        panic!("a listener's own fault");
    });
    (builder, changes)
}

fn count(changes: &Changes, of: fn(&QueueChange) -> usize) -> usize {
    changes.lock().expect("nobody panics within").iter().map(of).sum()
}

fn topics_come_and_go_while_a_consumer_runs(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let builder = rig.client.consumer("changing").expect("a group").without_topics();
    let (builder, changes) = watched(builder);
    let consumer = builder.start().expect("a consumer");
    assert_eq!((consumer.queues(), consumer.subscriptions()), (Vec::new(), Vec::new()));
    consumer.subscribe(TOPIC, "eu || us").expect("a topic");
    assert!(eventually(SOON, || consumer.queues().len() == 8));
    assert!(eventually(SOON, || count(&changes, |change| change.gained.len()) == 8));
    assert_eq!(consumer.subscriptions()[0].filter.text(), "eu || us");
    assert_eq!(consumer.unsubscribe(TOPIC), Ok(true));
    assert!(eventually(SOON, || consumer.queues().is_empty()));
    assert!(eventually(SOON, || count(&changes, |change| change.lost.len()) == 8));
    assert!(consumer.subscribe("no topic", "*").is_err());
}

/// Takes all queues, at its leisure; panics when first asked.
#[derive(Debug, Default)]
struct Slow(AtomicU32);

impl Allocate for Slow {
    fn name(&self) -> &'static str {
        "SLOW"
    }

    fn allocate(&self, question: &Question<'_>) -> Result<Vec<usize>, String> {
        // The queues of the retry topic are shared by it, too.
        if question.topic != TOPIC {
            return Ok((0..question.queues.len()).collect());
        }
        std::thread::sleep(Duration::from_millis(100));
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "a rule's own fault");
        Ok((0..question.queues.len()).collect())
    }
}

fn an_own_rule_may_block_and_panic(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let rule = Arc::new(Slow::default());
    let options = ConsumerOptions::default().strategy(Strategy::Custom(rule.clone()));
    let builder = rig.client.consumer_with("slow", options).expect("a group");
    let consumer = builder.topic(TOPIC, "*").start().expect("a consumer");
    assert!(eventually(SOON, || consumer.queues().len() == 8));
    assert_eq!(rule.0.load(Ordering::SeqCst), 2, "asked again after it panicked");
    consumer.close().wait().expect("an end");
    // Nobody keeps it once the consumer has left.
    assert!(eventually(SOON, || Arc::strong_count(&rule) == 1));
}
