//! The rules that need no engine, against what the real Java classes print: shares of queues,
//! signatures, traces.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use rocketry_core::allocation::{Allocation, AllocationError, PrefixRooms, Queue, Strategy};
use rocketry_core::rng::Rng;
use rocketry_core::time::UnixMillis;
use rocketry_core::trace::{
    AccessChannel, ConsumeOutcome, TraceContext, TraceError, TraceKind, TraceMessage,
};

fn queues(brokers: &[&str], each: u32) -> Vec<Queue> {
    let brokers = brokers.iter().map(|name| Arc::<str>::from(*name));
    brokers
        .flat_map(|broker| (0..each).map(move |id| Queue { broker: broker.clone(), id }))
        .collect()
}

fn ids(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn allocation(queues: Vec<Queue>, members: Vec<Arc<str>>) -> Allocation {
    Allocation::new("T".into(), queues, members)
}

fn shares(allocation: &Allocation, strategy: &Strategy) -> Vec<Vec<usize>> {
    let share = |id: &Arc<str>| allocation.share(strategy, id).unwrap();
    allocation.members().iter().map(share).collect()
}

/// Every strategy by which each queue has one owner, whatever the members.
fn covering() -> Vec<Strategy> {
    let nearby = |within| Strategy::Nearby { rooms: Arc::new(PrefixRooms('-')), within };
    #[cfg_attr(not(feature = "consistent-hash"), expect(unused_mut, reason = "nothing is added"))]
    let mut strategies = vec![
        Strategy::Average,
        Strategy::Circle,
        Strategy::MachineRoom((0..4).map(|n| format!("r{n}-b").into()).collect()),
        nearby(Box::new(Strategy::Average)),
        nearby(Box::new(Strategy::Circle)),
        nearby(Box::new(nearby(Box::new(Strategy::Average)))),
    ];
    #[cfg(feature = "consistent-hash")]
    {
        strategies.push(Strategy::ConsistentHash { virtual_nodes: 10 });
        let within = Box::new(Strategy::ConsistentHash { virtual_nodes: 3 });
        strategies.push(nearby(within));
    }
    strategies
}

#[test]
fn reb_02_the_circle_goes_by_index() {
    let allocation = allocation(queues(&["b", "a"], 4), ids(&["z", "x", "y", "y"]));
    assert_eq!(allocation.queues()[0], Queue { broker: "a".into(), id: 0 });
    assert_eq!(allocation.members(), ids(&["x", "y", "z"]));
    let shares = shares(&allocation, &Strategy::Circle);
    assert_eq!(shares, [vec![0, 3, 6], vec![1, 4, 7], vec![2, 5]]);
    assert_eq!(allocation.share(&Strategy::Circle, "nobody"), Ok(Vec::new()));
}

#[test]
fn reb_04_rooms_and_configuration_are_as_in_java() {
    // `AllocateMachineRoomNearByTest` and `AllocateMessageQueueByMachineRoom` by hand.
    let rooms: BTreeSet<Arc<str>> = ["hz".into(), "sh".into()].into();
    let names = ["hz@a", "sh@b", "bj@c", "d", "hz@e@f"];
    let by_room = allocation(queues(&names, 5), ids(&["x", "y", "z"]));
    let strategy = Strategy::MachineRoom(rooms);
    let named = |place: &usize| by_room.queues()[*place].clone();
    let found: Vec<Vec<_>> = shares(&by_room, &strategy)
        .iter()
        .map(|share| share.iter().map(named).map(|q| format!("{}:{}", q.broker, q.id)).collect())
        .collect();
    // Ten queues: runs of three, and the tenth to the first.
    assert_eq!(found[0], ["hz@a:0", "hz@a:1", "hz@a:2", "sh@b:4"]);
    assert_eq!(found[1], ["hz@a:3", "hz@a:4", "sh@b:0"]);
    assert_eq!(found[2], ["sh@b:1", "sh@b:2", "sh@b:3"]);

    let near = |within| Strategy::Nearby { rooms: Arc::new(PrefixRooms('-')), within };
    let strategy = near(Box::new(Strategy::Average));
    let members = ids(&["hz-1", "hz-2", "sh-1"]);
    let nearby = allocation(queues(&["hz-a", "sh-a", "tj-a"], 4), members);
    let shares = shares(&nearby, &strategy);
    // Four each in Hangzhou and Shanghai; those of Tianjin, where nobody is, go to all.
    assert_eq!(shares, [vec![0, 1, 8, 9], vec![2, 3, 10], vec![4, 5, 6, 7, 11]]);
    let lost = allocation(queues(&["hz-a"], 1), ids(&["hz-1", "nowhere"]));
    let error = AllocationError::Room { name: "nowhere".into() };
    assert_eq!(lost.share(&strategy, "hz-1"), Err(error));

    let own = vec![Queue { broker: "sh-a".into(), id: 1 }, Queue { broker: "gone".into(), id: 0 }];
    assert_eq!(nearby.share(&Strategy::Config(own), "sh-1"), Ok(vec![5]));
    assert_eq!(strategy.name(), "MACHINE_ROOM_NEARBY-AVG");
}

#[test]
fn reb_05_every_strategy_gives_each_queue_to_one_member() {
    let mut rng = Rng::new(5);
    for _ in 0..200 {
        let rooms = |rng: &mut Rng| format!("r{}-b", rng.below(4));
        let count = 1 + rng.below(12);
        let members: Vec<Arc<str>> =
            (0..count).map(|n| format!("{}-{n}", rooms(&mut rng)).into()).collect();
        let brokers: Vec<String> =
            (0..1 + rng.below(4)).map(|n| format!("{}@{n}", rooms(&mut rng))).collect();
        let brokers: Vec<&str> = brokers.iter().map(String::as_str).collect();
        let allocation = allocation(queues(&brokers, rng.below(9) as u32), members);
        for strategy in covering() {
            let mut all = shares(&allocation, &strategy).concat();
            all.sort_unstable();
            let expected: Vec<usize> = (0..allocation.queues().len()).collect();
            assert_eq!(all, expected, "{strategy:?}");
        }
    }
}

#[test]
#[cfg(feature = "consistent-hash")]
fn reb_03_consistent_hashing_is_javas_rule_on_a_thousand_sets() {
    use md5::{Digest, Md5};
    use std::collections::BTreeMap;

    // Java's own steps, one for one: a sorted map, and the first entry of its tail.
    let hash = |text: &str| u32::from_be_bytes(*Md5::digest(text).first_chunk().unwrap());
    let mut rng = Rng::new(3);
    for set in 0..1000 {
        let members: Vec<Arc<str>> = (0..1 + rng.below(12))
            .map(|_| format!("10.0.{}.{}@{}", rng.below(256), rng.below(256), rng.below(99999)))
            .map(Arc::from)
            .collect();
        let each = rng.below(8) as u32;
        let allocation = allocation(queues(&["broker-a", "broker-b"], each), members);
        let mut ring = BTreeMap::new();
        for id in allocation.members() {
            for node in 0..10 {
                ring.insert(hash(&format!("{id}-{node}")), id.clone());
            }
        }
        let strategy = Strategy::ConsistentHash { virtual_nodes: 10 };
        for id in allocation.members() {
            let owned = |queue: &Queue| {
                let (broker, number) = (&queue.broker, queue.id);
                let text = format!("MessageQueue [topic=T, brokerName={broker}, queueId={number}]");
                let next = ring.range(hash(&text)..).next().or_else(|| ring.iter().next());
                next.unwrap().1 == id
            };
            let all = allocation.queues().iter().enumerate();
            let expected: Vec<usize> = all.filter(|(_, q)| owned(q)).map(|(i, _)| i).collect();
            assert_eq!(allocation.share(&strategy, id), Ok(expected), "{set}");
        }
    }
}

#[test]
fn a_hundred_thousand_queues_and_ten_thousand_members_are_cheap() {
    // Bounded by what a debug build does in the time a test may take: no rule is quadratic.
    let brokers: Vec<String> = (0..100).map(|n| format!("r{}-b@{n}", n % 4)).collect();
    let brokers: Vec<&str> = brokers.iter().map(String::as_str).collect();
    let members = (0..10_000).map(|n| format!("r{}-b-{n}", n % 5).into()).collect();
    let allocation = allocation(queues(&brokers, 1000), members);
    for strategy in covering() {
        let share = allocation.share(&strategy, "r0-b-5000").unwrap();
        assert!(share.len() < 100, "{strategy:?}");
    }
}

fn context(kind: TraceKind) -> TraceContext {
    let message = TraceMessage {
        topic: "T".into(),
        message_id: "ID".into(),
        store_host: "h:1".into(),
        ..TraceMessage::default()
    };
    let mut context = TraceContext::new(kind);
    context.timestamp = UnixMillis(17);
    context.region = "R".into();
    context.group = "g".into();
    context.request_id = "q".into();
    context.messages = vec![message];
    context
}

fn encoded(context: &TraceContext) -> String {
    let mut out = String::new();
    context.encode_into(&mut out);
    out.replace('\u{1}', "|").replace('\u{2}', "~")
}

#[test]
fn trace_01_what_is_absent_is_written_as_java_writes_it() {
    assert_eq!(encoded(&context(TraceKind::Pub)), "Pub|17|R|g|T|ID|null|null|h:1|0|0|0|null|true~");
    let mut empty = context(TraceKind::Pub);
    empty.messages.clear();
    assert_eq!(encoded(&empty), "");
    assert_eq!(encoded(&context(TraceKind::Recall)), "Recall|17|R|g|T|ID|true~");
}

#[test]
fn trace_01_a_separator_in_a_text_forges_no_record() {
    let mut forged = context(TraceKind::Pub);
    forged.messages[0].keys = Some("a\u{2}Pub\u{1}18".into());
    assert_eq!(encoded(&forged), "Pub|17|R|g|T|ID|null|a Pub 18|h:1|0|0|0|null|true~");
    assert_eq!(forged.keys(), BTreeSet::from(["ID", "a\u{2}Pub\u{1}18"]));
}

#[test]
fn trace_02_the_records_around_consuming_share_their_request_id() {
    let mut after = context(TraceKind::SubAfter);
    after.outcome = ConsumeOutcome::Failed;
    after.messages.push(after.messages[0].clone());
    let line = "SubAfter|q|ID|0|true|null|4|17|g~";
    assert_eq!(encoded(&after), line.repeat(2));
    after.channel = AccessChannel::Cloud;
    assert_eq!(encoded(&after), "SubAfter|q|ID|0|true|null|4~".repeat(2));
    assert_eq!(encoded(&context(TraceKind::SubBefore)), "SubBefore|17|R|g|q|ID|0|null~");
    let text = "SubBefore|1|R|g|q|ID|2|k~SubAfter|q|ID|3|false|k~".replace('|', "\u{1}");
    let read = TraceContext::parse(&text.replace('~', "\u{2}")).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].request_id, read[1].request_id);
    assert_eq!((read[1].success, read[1].cost_millis), (false, 3));
}

#[test]
fn trace_03_every_kind_is_read_as_it_was_written() {
    for kind in TraceKind::ALL {
        let mut text = String::new();
        context(kind).encode_into(&mut text);
        text.push_str("Later\u{1}kind\u{2}");
        let read = TraceContext::parse(&text).unwrap();
        assert_eq!(read.len(), 1);
        let mut again = String::new();
        read[0].encode_into(&mut again);
        assert!(text.starts_with(&again) && !again.is_empty(), "{again:?}");
    }
    let cut = TraceContext::parse("Pub\u{1}17\u{1}R");
    assert_eq!(cut, Err(TraceError::Missing { record: 0, field: 3 }));
    let wrong = TraceContext::parse("\u{2}Pub\u{1}x");
    assert_eq!(wrong, Err(TraceError::Number { record: 1, field: 1 }));
}
