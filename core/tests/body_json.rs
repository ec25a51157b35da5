//! JSON bodies: what Java writes is read, what we write is what Java reads, and hostile ones are
//! refused within bounds.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use rocketry_core::body::*;
use rocketry_core::name::Endpoint;
use rocketry_core::rng::Rng;

const GOLDEN: &str = include_str!("../../conformance/golden/bodies.txt");

fn golden(name: &str) -> &'static str {
    let mut lines = GOLDEN.lines().filter_map(|line| line.split_once('='));
    lines.find(|(found, _)| found.trim() == name).unwrap().1.trim()
}

fn queue() -> MessageQueue {
    MessageQueue { broker_name: "b-0".into(), queue_id: 3, topic: "T".into() }
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap()
}

#[test]
fn tables_of_offsets_are_read_and_written_as_java_does() {
    let reset = ResetOffsetBody { offsets: [(queue(), 100)].into_iter().collect() };
    assert_eq!(ResetOffsetBody::parse(golden("ResetOffsetBody").as_bytes()).as_ref(), Ok(&reset));
    assert_eq!(text(reset.to_json()), golden("ResetOffsetBody"));
    let list = r#"{"offsetTable":[{"brokerName":"b-0","queueId":3,"topic":"T","offset":100}]}"#;
    assert_eq!(ResetOffsetBody::parse(list.as_bytes()).as_ref(), Ok(&reset));
    assert_eq!(text(reset.to_list_json()), list);
    let status = ConsumerStatusBody { offsets: reset.offsets, ..Default::default() };
    let json = golden("GetConsumerStatusBody");
    assert_eq!(ConsumerStatusBody::parse(json.as_bytes()).as_ref(), Ok(&status));
    assert_eq!(text(status.to_json()), json);
    let file = golden("offsets.json").replace("\\n", "\n").replace("\\t", "\t");
    let file = ResetOffsetBody::parse(file.as_bytes()).unwrap();
    assert_eq!(file.offsets.get(&queue()), Some(&7));
    for empty in ["{}", r#"{"offsetTable":null}"#, r#"{"offsetTable":{}}"#, r#"{"offsetTable":[]}"#]
    {
        assert_eq!(ResetOffsetBody::parse(empty.as_bytes()), Ok(ResetOffsetBody::default()));
    }
    let wrong = r#"{"offsetTable":{"not a queue":1}}"#;
    assert!(matches!(ResetOffsetBody::parse(wrong.as_bytes()), Err(BodyError::Invalid { .. })));
}

#[test]
fn figures_are_read_and_written_as_java_does() {
    let json = golden("consumeStats");
    let mut stats = ConsumeStats::parse(json.as_bytes()).unwrap();
    assert_eq!(stats.offsets.get(&queue()), Some(&ConsumeOffset::default()));
    assert_eq!(text(stats.to_json()), json);
    stats.offsets.0[0].1 =
        ConsumeOffset { broker_offset: 9, consumer_offset: 4, ..Default::default() };
    assert_eq!(stats.lag(), 5);
    let entry = TopicOffset { last_update_timestamp: 1, max_offset: 9, min_offset: 2 };
    let topic = TopicStats { offsets: [(queue(), entry)].into_iter().collect(), rate: 0.5 };
    assert_eq!(TopicStats::parse(&topic.to_json()), Ok(topic));
}

#[test]
fn a_running_info_is_read_with_its_references_and_written_whole() {
    let json = golden("runningInfo");
    let info = RunningInfo::parse(json.as_bytes()).unwrap();
    assert_eq!(info.mq_pop_table.get(&queue()), Some(&PopQueueInfo::default()));
    let (key, pulled) = &info.mq_table.0[0];
    assert_eq!(*key, QueueKey::Reference("$.mqPopTable.null".into()));
    assert_eq!(*pulled, PullQueueInfo::default());
    assert_eq!(info.properties["PROP_CONSUME_TYPE"], "CONSUME_PASSIVELY");
    assert_eq!(info.subscription_set[0].expression, "A || B");
    assert_eq!(text(info.to_json()), json);
    let stacks = RunningInfo { jstack: Some("a\n\tb".into()), ..info };
    assert_eq!(RunningInfo::parse(&stacks.to_json()), Ok(stacks));
}

#[test]
fn requests_with_bodies_are_read_and_written_as_java_does() {
    let lock = LockBody {
        client_id: "c".into(),
        consumer_group: "g".into(),
        queues: vec![queue()],
        only_this_broker: false,
    };
    assert_eq!(text(lock.to_json()), golden("LockBatch"));
    assert_eq!(LockBody::parse(golden("LockBatch").as_bytes()), Ok(lock));
    let locked = LockedBody { queues: vec![queue()] };
    assert_eq!(LockedBody::parse(&locked.to_json()), Ok(locked));

    let query = AssignmentQuery::parse(golden("queryAssign").as_bytes()).unwrap();
    assert_eq!(query.message_model, MessageModel::Clustering);
    assert_eq!(text(query.to_json()), golden("queryAssign"));
    let json = golden("queryAssignResp");
    let assigned = Assignments::parse(json.as_bytes()).unwrap();
    assert_eq!((&assigned.queues[0].queue, assigned.queues[0].mode), (&queue(), RequestMode::Pop));
    assert_eq!(text(assigned.to_json()), json);

    let direct = ConsumeDirectlyResult::parse(golden("direct").as_bytes()).unwrap();
    assert_eq!((direct.auto_commit, direct.result), (true, DirectResult::CrSuccess));
    assert_eq!(text(direct.to_json()), golden("direct"));
}

#[test]
fn a_batch_of_acks_has_javas_bits() {
    let json = golden("batchAck");
    let body = BatchAckBody::parse(json.as_bytes()).unwrap();
    let ack = &body.acks[0];
    assert_eq!(ack.bits.iter().collect::<Vec<_>>(), [0, 9]);
    assert_eq!((ack.start_offset, ack.revive_queue, &*ack.retry), (10, 2, "0"));
    assert_eq!(text(body.to_json()), json);
    for bits in [vec![], vec![0], vec![7, 8], vec![0, 23], vec![31], vec![1, 64, 65_535]] {
        let set: AckBits = bits.iter().copied().collect();
        assert_eq!((set.len(), set.is_empty()), (bits.len(), bits.is_empty()));
        let mut sent = body.clone();
        sent.acks[0].bits = set;
        let read = BatchAckBody::parse(&sent.to_json()).unwrap();
        assert_eq!(read.acks[0].bits.iter().collect::<Vec<_>>(), bits);
    }
    assert!(!AckBits::default().insert(ACK_BITS_MAX));
    for wrong in ["A", "A*==", "AQI=AQI="] {
        let json = json.replace("AQI=", wrong);
        assert!(BatchAckBody::parse(json.as_bytes()).is_err(), "{wrong}");
    }
    let long = json.replace("\"b\":", "\"bitSet\":").replace("\"q\":", "\"queueId\":");
    assert_eq!(BatchAckBody::parse(long.as_bytes()), Ok(body), "the names spelled out");
}

#[test]
fn clusters_topics_groups_and_connections_come_back() {
    let json = r#"{"brokerAddrTable":{"b-0":{"brokerAddrs":{0:"a:1"},"brokerName":"b-0",
        "cluster":"c"}},"clusterAddrTable":{"c":["b-0"]}}"#;
    let cluster = ClusterInfo::parse(json.as_bytes()).unwrap();
    assert_eq!(cluster.brokers["b-0"].addresses[&0], "a:1");
    assert!(cluster.clusters["c"].contains("b-0"));
    assert_eq!(ClusterInfo::parse(&cluster.to_json()), Ok(cluster));

    let topic = TopicConfig::new("T", 4);
    assert_eq!(
        text(topic.to_json()),
        concat!(
            r#"{"attributes":{},"order":false,"perm":6,"readQueueNums":4,"#,
            r#""topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"#,
            r#""writeQueueNums":4}"#
        )
    );
    let list = TopicConfigList { topics: vec![topic] };
    assert_eq!(TopicConfigList::parse(&list.to_json()), Ok(list));
    let topics = TopicList::parse(br#"{'topicList':["b","a",],/* all */}"#).unwrap();
    assert_eq!(topics.topics.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    let group =
        GroupConfig::parse(br#"{"groupName":"g","groupRetryPolicy":{"type":"X"}}"#).unwrap();
    assert_eq!((group.retry_max_times, group.retry_queue_nums), (16, 1));
    assert_eq!(GroupConfig::parse(&group.to_json()), Ok(group));
    let json = br#"{"connectionSet":[{"clientAddr":"1:2","clientId":"i","language":"GO",
        "version":317}],"consumeType":"CONSUME_ACTIVELY","subscriptionTable":{"T":{"topic":"T"}}}"#;
    let connected = ConsumerConnections::parse(json).unwrap();
    assert_eq!(connected.consume_type, ConsumeType::Actively);
    assert_eq!(connected.connections[0].version, 317);
    assert_eq!(ConsumerConnections::parse(&connected.to_json()), Ok(connected));
}

#[test]
fn bad_08_depth_127_is_read_129_and_a_million_are_refused() {
    let nested = |levels: usize| {
        let lists = levels - 1;
        format!("{{\"later\":{}{}}}", "[".repeat(lists), "]".repeat(lists))
    };
    assert_eq!(TopicList::parse(nested(127).as_bytes()), Ok(TopicList::default()));
    for levels in [128, 129, 1_000_000] {
        let error = TopicList::parse(nested(levels).as_bytes()).unwrap_err();
        assert!(
            matches!(error, BodyError::Invalid { .. } | BodyError::TooManyElements { .. }),
            "{levels}: {error}"
        );
        let keys = format!("{{\"later\":{}", "{{".repeat(levels));
        assert!(TopicList::parse(keys.as_bytes()).is_err());
    }
}

#[test]
fn bad_09_each_oddity_of_json_has_one_outcome() {
    let ids = |json: &str| ConsumerList::parse(json.as_bytes()).map(|list| list.client_ids);
    assert_eq!(ids("\u{feff}{\"consumerIdList\":[\"a\"]}"), Ok(vec!["a".into()]), "a BOM");
    assert_eq!(ids("{\"consumerIdList\":[\"a\0\"]}"), Ok(vec!["a\0".into()]), "NUL in a text");
    assert_eq!(ids(r#"{"consumerIdList":["\ud800x"]}"#), Ok(vec!["\u{fffd}x".into()]));
    assert!(ids("{\"consumerIdList\":[]\0}").is_err(), "NUL elsewhere");
    assert!(ids(r#"{"consumerIdList":[],"consumerIdList":[]}"#).is_err(), "a field twice");
    assert!(ConsumeStats::parse(br#"{"consumeTps":1e400}"#).is_err(), "past every number");
    assert!(ConsumeStats::parse(br#"{"consumeTps":NaN}"#).is_err(), "no number");
    assert_eq!(ids(r#"{"later":NaN,"consumerIdList":[]}"#), Ok(vec![]), "no number, ignored");
    let mut bytes = b"{\"consumerIdList\":[\"a?\"]}".to_vec();
    bytes[21] = 0xff;
    let read = ConsumerList::parse(&bytes).unwrap();
    assert_eq!(read.client_ids, ["a\u{fffd}"], "bytes that are no text");
}

#[test]
fn bad_25_a_route_keeps_what_can_be_used() {
    let route = |read: u32, addresses: &str| {
        RouteBody::parse(
            format!(
                r#"{{"queueDatas":[{{"brokerName":"b","perm":6,"readQueueNums":{read},
                "writeQueueNums":0}}],
                 "brokerDatas":[{{"brokerName":"b","brokerAddrs":{{{addresses}}},
                "cluster":"c"}},{{"brokerName":"b","brokerAddrs":{{0:"x:2"}},"cluster":"c"}}]}}"#
            )
            .as_bytes(),
        )
    };
    assert_eq!(route(0, "").unwrap().queues[0].read_queues, 0);
    assert_eq!(route(1_000_000, "").unwrap().queues[0].read_queues, 1_000_000);
    // One row that can't be does not make the others unreadable.
    let refused = route(2_000_000, "").unwrap();
    assert_eq!((refused.queues.len(), refused.refused.len(), QUEUES_MAX), (0, 1, 1 << 20));
    let read = route(1, r#"0:"127.0.0.1:70000",1:"",2:"127.0.0.1:10911""#).unwrap();
    assert_eq!(read.brokers.len(), 2, "a broker twice stays twice: the first one counts");
    let usable = |address: &String| Endpoint::parse(address).is_ok();
    let usable: Vec<_> = read.brokers[0].addresses.values().map(usable).collect();
    assert_eq!(usable, [false, false, true]);
}

#[test]
fn bad_26_a_million_members_are_read_and_two_million_refused() {
    let list = |count: usize| {
        let ids = vec!["\"id\""; count].join(",");
        ConsumerList::parse(format!("{{\"consumerIdList\":[{ids}]}}").as_bytes())
    };
    assert_eq!(list(1_000_000).unwrap().client_ids.len(), 1_000_000);
    let refused = BodyError::TooManyElements { what: "consumer list", limit: ELEMENTS_MAX };
    assert_eq!(list(2_000_000), Err(refused.clone()));
    // In another dialect they are counted where they are read.
    let loose = format!("{{'consumerIdList':['\"',{}'a']}}", "'\"',".repeat(2_000_000));
    assert_eq!(ConsumerList::parse(loose.as_bytes()), Err(refused));
}

#[test]
fn no_mutation_of_a_body_does_harm() {
    let mut rng = Rng::new(307);
    let names =
        ["runningInfo", "batchAck", "GetConsumerStatusBody", "queryAssignResp", "heartbeat"];
    for round in 0..4_000 {
        let mut json = golden(names[round % names.len()]).as_bytes().to_vec();
        for _ in 0..=rng.below(3) {
            let at = rng.below(json.len() as u64) as usize;
            match rng.below(3) {
                0 => json.truncate(at + 1),
                1 => json[at] = rng.next_u64() as u8,
                _ => json[at] = b"{}[]\":,0'/*\\"[rng.below(12) as usize],
            }
        }
        if let Ok(info) = RunningInfo::parse(&json) {
            assert_eq!(RunningInfo::parse(&info.to_json()), Ok(info));
        }
        if let Ok(status) = ConsumerStatusBody::parse(&json) {
            assert_eq!(ConsumerStatusBody::parse(&status.to_json()), Ok(status));
        }
        if let Ok(acks) = BatchAckBody::parse(&json) {
            assert_eq!(BatchAckBody::parse(&acks.to_json()), Ok(acks));
        }
    }
}
