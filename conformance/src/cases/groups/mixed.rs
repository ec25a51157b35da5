//! A group of our consumers, Java's and Go's: whatever client a member runs, it takes the share
//! that the others leave to it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rocketry::proto::body::ConsumerConnections;
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::ConsumerConnectionsRequest;

use crate::cases::groups::asked::running_info;
use crate::cases::peers::Peer;
use crate::cases::place::{Place, note};
use crate::cases::reading::{ask, send_all};
use crate::rig::Rig;
use crate::rig::collector::Collector;

const QUEUES: u32 = 16;
/// Twice the 20 s after which Java and Go look at the members by themselves.
const TWO_PERIODS: Duration = Duration::from_secs(40);
/// The queues that stay with their owners from then on are looked at so often.
const LOOKS: usize = 4;

/// The members' ids, and what each of them says of the topic's queues.
fn shares(rig: &Rig, broker: &str, group: &str, topic: &str) -> BTreeMap<String, Option<Vec<i32>>> {
    let fields = ConsumerConnectionsRequest { consumer_group: group.into(), ..Default::default() };
    let answer = ask(rig, broker, Request::ConsumerConnections(fields), Vec::new());
    let members = ConsumerConnections::parse(&answer.body).unwrap_or_default().connections;
    let share = |client: &str| {
        let info = running_info(rig, broker, group, client)?;
        let of = |(queue, info): (&rocketry::proto::body::MessageQueue, _)| {
            let info: &rocketry::proto::body::PullQueueInfo = info;
            (queue.topic == topic && !info.dropped).then_some(queue.queue_id)
        };
        let mut queues: Vec<i32> = info.mq_table.iter().filter_map(of).collect();
        queues.sort_unstable();
        Some(queues)
    };
    members.into_iter().map(|one| (one.client_id.clone(), share(&one.client_id))).collect()
}

/// Whether so many members have all queues among them, none of them twice, and as the average rule
/// gives them to the sorted ids.
fn is_average(shares: &BTreeMap<String, Option<Vec<i32>>>, members: usize) -> bool {
    let (each, more) = (QUEUES as usize / members, QUEUES as usize % members);
    let mut first = 0;
    shares.len() == members
        && shares.values().enumerate().all(|(at, share)| {
            let count = each + usize::from(at < more);
            let expected: Vec<i32> = (first..first + count as i32).collect();
            first += count as i32;
            share.as_ref() == Some(&expected)
        })
}

/// Waits for two periods at most until the shares are right, and then looks whether they stay.
fn settle(place: &Place, rig: &Rig, (group, topic): (&str, &str), members: usize, what: &str) {
    let (broker, changed) = (place.broker(), Instant::now());
    let mut seen = shares(rig, &broker, group, topic);
    while !is_average(&seen, members) {
        assert!(changed.elapsed() < TWO_PERIODS, "{what}: {seen:#?}");
        thread::sleep(Duration::from_millis(500));
        seen = shares(rig, &broker, group, topic);
    }
    note!(place, "{what}: {members} members share {QUEUES} queues after {:?}", changed.elapsed());
    for _ in 0..LOOKS {
        thread::sleep(Duration::from_secs(2));
        seen = shares(rig, &broker, group, topic);
        // Who is busy does not answer in time.
        if seen.values().all(Option::is_some) {
            assert!(is_average(&seen, members), "{what}: {seen:#?}");
        }
    }
}

pub(crate) fn java_go_and_we_share_by_one_rule(place: &Place) {
    let (topic, group) = (place.topic(QUEUES), place.name());
    let (namesrv, watcher) = (place.namesrv(), place.rig());
    let words = ["member", &namesrv, &group, &topic];
    let rigs = [(); 3].map(|()| place.rig());
    let of = (&*group, &*topic);
    let mut ours: Vec<Collector> =
        rigs[..2].iter().map(|rig| Collector::start(rig, &group, &topic)).collect();
    let go = Peer::go(&words[1..]);
    let others = if go.is_some() { 2 } else { 1 };
    if go.is_none() {
        note!(place, "no Go: there is no toolchain, or its modules can't be had");
    }
    let mut java = Peer::java(place.version(), &words);
    java.await_ready();
    go.iter().for_each(Peer::await_ready);
    settle(place, &watcher, of, 2 + others, "two of ours, Java, Go");
    send_all(&watcher, &topic, 0..160);

    ours.push(Collector::start(&rigs[2], &group, &topic));
    settle(place, &watcher, of, 3 + others, "one more of ours");
    send_all(&watcher, &topic, 160..320);

    java.leave();
    settle(place, &watcher, of, 2 + others, "without Java");
    send_all(&watcher, &topic, 320..480);

    ours[0].stop().expect("a consumer").close().wait().expect("an end");
    settle(place, &watcher, of, 1 + others, "one of ours less");
    send_all(&watcher, &topic, 480..640);
    thread::sleep(Duration::from_secs(2));
    let came = |one: &Collector| one.look(|seen| seen.ids.values().sum::<u32>()) as usize;
    let by_go = go.as_ref().map_or(0, |go| go.told("seen").len());
    let (by_us, by_java) = (ours.iter().map(came).sum::<usize>(), java.told("seen").len());
    note!(place, "of 640 messages {by_us} came to us, {by_java} to Java, {by_go} to Go");
    assert!(by_us + by_java + by_go >= 640 && by_us > 0 && by_java > 0);
}
