//! Members of a group that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::consumer::Assignment;
use rocketry::{Consumer, ConsumerOptions, Start};

use crate::cases::place::{Place, note};
use crate::cases::reading::{
    QUIET, SOON, acked, consume, drain, next, number, queues, send_all, send_to, take,
};
use crate::rig::collector::Collector;
use crate::rig::{Rig, eventually};

/// How many queues the members have, where none has two owners.
fn owned(consumers: &[Consumer]) -> Vec<usize> {
    let queues: Vec<_> = consumers.iter().map(Consumer::queues).collect();
    let all: BTreeSet<_> =
        queues.iter().flatten().map(|queue| (queue.broker.clone(), queue.queue)).collect();
    let mut counts: Vec<usize> = queues.iter().map(Vec::len).collect();
    if all.len() != counts.iter().sum::<usize>() {
        counts.push(usize::MAX);
    }
    counts.sort_unstable();
    counts
}

pub(crate) fn members_beyond_the_number_of_queues_stay_idle(place: &Place) {
    let (topic, group) = (place.topic(4), place.name());
    let rigs = [(); 6].map(|()| place.rig());
    let mut consumers: Vec<_> = rigs.iter().map(|rig| consume(rig, &group, &topic, "*")).collect();
    let begun = Instant::now();
    let shared = eventually(SOON, || owned(&consumers) == [0, 0, 1, 1, 1, 1]);
    note!(place, "{:?}: 4 queues among 6 after {:?}", place.on(), begun.elapsed());
    assert!(shared, "{:?}", owned(&consumers));
    send_all(&rigs[0], &topic, 0..40);
    let mut came: Vec<usize> = Vec::new();
    let all = eventually(SOON, || {
        for consumer in &mut consumers {
            came.extend(drain(consumer, Duration::from_millis(50)));
        }
        came.len() >= 40
    });
    came.sort_unstable();
    assert!(all && came == (0..40).collect::<Vec<_>>(), "{came:?}");
}

pub(crate) fn a_group_grows_and_shrinks_and_loses_none_of_240(place: &Place) {
    let (topic, group) = (place.topic(8), place.name());
    let rigs = [(); 4].map(|()| place.rig());
    let mut sent = 0..240;
    let sender = place.rig();
    let mut send = || send_all(&sender, &topic, sent.by_ref().take(60));
    let start = |rig: &Rig| Collector::start(rig, &group, &topic);
    let mut members = vec![start(&rigs[0]), start(&rigs[1])];
    send();
    thread::sleep(Duration::from_secs(2));
    members.extend([start(&rigs[2]), start(&rigs[3])]);
    send();
    thread::sleep(Duration::from_secs(2));
    send();
    for member in &mut members[2..] {
        member.stop().expect("a consumer").close().wait().expect("an end");
    }
    send();
    let seen = || {
        let ids = members.iter().flat_map(|one| one.look(|seen| seen.ids.clone()));
        let mut all = BTreeMap::<String, u32>::new();
        ids.for_each(|(id, times)| *all.entry(id).or_default() += times);
        all
    };
    let all = eventually(SOON, || seen().len() == 240);
    let again: u32 = seen().values().map(|times| times - 1).sum();
    note!(place, "{:?}: {} of 240 came, {again} again", place.on(), seen().len());
    assert!(all, "{} of 240 came", seen().len());
}

pub(crate) fn a_queue_that_moves_is_committed_first(place: &Place) {
    let (topic, group) = (place.topic(2), place.name());
    let mut config = place.config();
    // Not by the clock: by the move.
    config.commit_interval = Duration::from_secs(60);
    let rigs = [(); 2].map(|()| place.rig_with(config.clone()));
    for queue in queues(&rigs[0], &topic) {
        let first = 100 * queue.queue as usize;
        send_to(&rigs[0], &queue, first..first + 50);
    }
    let mut one = consume(&rigs[0], &group, &topic, "*");
    let first: BTreeSet<usize> = take(&mut one, 100)
        .into_iter()
        .map(|delivery| {
            let body = number(&delivery);
            acked(delivery);
            body
        })
        .collect();
    assert_eq!(first.len(), 100);
    let mut other = consume(&rigs[1], &group, &topic, "*");
    let shared = || (one.queues().len(), other.queues().len());
    assert!(eventually(SOON, || shared() == (1, 1)), "{:?}", shared());
    for queue in queues(&rigs[0], &topic) {
        send_to(&rigs[0], &queue, [1000 + queue.queue as usize]);
    }
    let came = drain(&mut other, QUIET * 2);
    let again = came.iter().filter(|body| first.contains(body)).count();
    note!(place, "{:?}: {again} came again with the queue", place.on());
    assert!(again <= 32, "{again} came again");
    assert!(came.last().is_some_and(|last| *last >= 1000), "{came:?}");
}

pub(crate) fn a_broker_that_assigns_queues_is_gone_by_and_one_that_can_not_is_no_trouble(
    place: &Place,
) {
    let (topic, group) = (place.topic(8), place.name());
    let rigs = [(); 2].map(|()| place.rig());
    let consumers = rigs.each_ref().map(|rig| {
        let mut options = ConsumerOptions::default();
        options.assignment = Assignment::Broker;
        let builder = rig.client.consumer_with(&*group, options).expect("a group");
        builder.topic(&*topic, "*").start_at(Start::First).start().expect("a consumer")
    });
    let begun = Instant::now();
    // Brokers let several members have a queue where they assign them for pops: here they do not.
    let shared = eventually(SOON * 2, || owned(&consumers) == [4, 4]);
    let (on, version) = (place.on(), place.version());
    note!(place, "{on:?}: {version}: four queues each after {:?}", begun.elapsed());
    assert!(shared, "{:?}", owned(&consumers));
    send_all(&rigs[0], &topic, 0..40);
    let mut came = Vec::new();
    for mut consumer in consumers {
        let first = next(&mut consumer);
        came.push(number(&first));
        acked(first);
        came.extend(drain(&mut consumer, QUIET));
    }
    came.sort_unstable();
    assert_eq!(came, (0..40).collect::<Vec<_>>());
}
