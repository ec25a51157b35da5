//! Every code a client meets: Java's field names, both ways in both header forms, replies by kind.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::header::Header as _;
use rocketry_core::frame::reply::{
    ChangeInvisibleReply, HeartbeatReply, NotificationReply, PollingInfoReply, PopReply, PullReply,
    QueryMessageReply, RecallReply, Region, SendReply, TimestampReply,
};
use rocketry_core::frame::request::*;
use rocketry_core::frame::{
    Content, Frame, Head, HeaderError, HeaderForm, Inbound, Kind, Limits, Opaque, OutFrame,
    Outbound, Payload, ReplyFields, RequestCode, ResponseCode, json, version,
};

fn encode_in(form: HeaderForm, frame: &OutFrame) -> Vec<u8> {
    let mut outbound = Outbound::new().in_form(form);
    outbound.push(frame).unwrap();
    let mut slices = [std::io::IoSlice::new(&[]); 4];
    let used = outbound.slices(&mut slices);
    slices[..used].iter().flat_map(|slice| slice.to_vec()).collect()
}

fn decode(bytes: &[u8]) -> Frame {
    let mut inbound = Inbound::new(Limits::default());
    inbound.space()[..bytes.len()].copy_from_slice(bytes);
    inbound.filled(bytes.len());
    inbound.next_frame().unwrap().unwrap()
}

fn there_and_back(form: HeaderForm, request: &Request) -> Result<Request, HeaderError> {
    let frame = OutFrame::request(Opaque::new(Kind::Fields, 1), request.clone());
    match decode(&encode_in(form, &frame)).content {
        Content::Request { request: read, code, .. } => {
            assert_eq!(code, request.code());
            read
        }
        Content::Reply(reply) => panic!("{reply:?}"),
    }
}

/// Reads `fields` as the request of a code would.
fn read(code: RequestCode, fields: &[(&str, &str)]) -> Result<Request, HeaderError> {
    let members: serde_json::Map<String, serde_json::Value> =
        fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let header = serde_json::json!({"code": code.0, "opaque": 1, "extFields": members});
    let header = header.to_string();
    Request::read(code, &json::read_head(header.as_bytes(), 1024).unwrap().fields)
}

/// A value for each field of a request: numbers, or what its type takes.
fn filled(code: RequestCode, names: &[&'static str]) -> (Request, Vec<(&'static str, String)>) {
    let common = ["ns", "nsd", "oway", "lo"].into_iter().filter(|_| code.0 != 40);
    let names = names.iter().copied().chain(common);
    let mut fields: Vec<_> =
        names.enumerate().map(|(n, name)| (name, (n + 1).to_string())).collect();
    loop {
        let given: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match read(code, &given) {
            Ok(request) => return (request, fields),
            Err(HeaderError::Invalid { field, expected: "true or false", .. }) => {
                fields.iter_mut().find(|(name, _)| *name == field).unwrap().1 = "true".to_owned();
            }
            Err(error) => panic!("{code}: {error}"),
        }
    }
}

/// Fields of Java's header classes, 5.3.3 to 5.5.0; none stands for an empty header.
const JAVA: &[(i32, &str)] = &[
    (
        10,
        "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag \
          properties reconsumeTimes unitMode batch maxReconsumeTimes bname",
    ),
    (
        11,
        "consumerGroup topic queueId queueOffset maxMsgNums sysFlag commitOffset \
          suspendTimeoutMillis subscription subVersion expressionType maxMsgBytes requestSource \
          proxyFrowardClientId bname",
    ),
    (12, "topic key maxNum beginTimestamp endTimestamp _UNIQUE_KEY_QUERY indexType lastKey bname"),
    (14, "consumerGroup topic queueId setZeroIfNotFound bname"),
    (15, "consumerGroup topic queueId commitOffset bname"),
    (
        17,
        "topic defaultTopic readQueueNums writeQueueNums perm topicFilterType topicSysFlag order \
          attributes force bname",
    ),
    (29, "topic queueId timestamp boundaryType bname"),
    (30, "topic queueId committed bname"),
    (31, "topic queueId bname"),
    (32, "topic queueId bname"),
    (33, "topic offset bname"),
    (34, ""),
    (35, "clientID producerGroup consumerGroup"),
    (36, "offset group delayLevel originMsgId originTopic unitMode maxReconsumeTimes bname"),
    (
        37,
        "topic producerGroup tranStateTableOffset commitLogOffset commitOrRollback \
          fromTransactionCheck msgId transactionId bname",
    ),
    (38, "consumerGroup"),
    (39, "topic tranStateTableOffset commitLogOffset msgId transactionId offsetMsgId bname"),
    (40, "consumerGroup"),
    (105, "topic acceptStandardJsonOnly bname"),
    (202, "topic bname"),
    (203, "consumerGroup bname"),
    (204, "producerGroup bname"),
    (207, "groupName cleanOffset bname"),
    (208, "consumerGroup topic topicList bname"),
    (215, "topic bname"),
    (216, "topic clusterName bname"),
    (220, "group topic queueId offset timestamp isForce bname"),
    (221, "topic group clientAddr bname"),
    (222, "group topic queueId offset timestamp isForce bname"),
    (223, "topic group clientAddr bname"),
    (307, "consumerGroup clientId jstackEnable bname"),
    (309, "consumerGroup clientId msgId brokerName topic topicSysFlag groupSysFlag bname"),
    (310, "a b c d e f g h i j k l m n"),
    (320, "a b c d e f g h i j k l m n"),
    (
        324,
        "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp \
           flag properties reconsumeTimes unitMode batch maxReconsumeTimes bname",
    ),
    (325, "a b c d e f g h i j k l m n"),
    (
        326,
        "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp \
           flag properties reconsumeTimes unitMode bornHost storeHost storeTimestamp bname",
    ),
    (
        361,
        "consumerGroup topic queueId queueOffset maxMsgNums sysFlag commitOffset \
           suspendTimeoutMillis subscription subVersion expressionType maxMsgBytes requestSource \
           proxyFrowardClientId bname",
    ),
    (370, "producerGroup topic recallHandle bname"),
    (
        200_050,
        "consumerGroup topic queueId maxMsgNums invisibleTime pollTime bornTime initMode \
               expType exp order attemptId bname",
    ),
    (200_051, "consumerGroup topic queueId extraInfo offset liteTopic bname"),
    (200_052, "topic queueId maxMsgNums consumerGroup bname"),
    (200_053, "consumerGroup topic queueId extraInfo offset invisibleTime liteTopic suspend bname"),
    (200_054, "consumerGroup topic queueId pollTime bornTime order attemptId expType exp bname"),
    (200_055, "consumerGroup topic queueId bname"),
    (
        200_070,
        "clientId consumerGroup topic maxMsgNum invisibleTime pollTime bornTime attemptId \
               bname",
    ),
    (200_072, "consumerGroup topic queueId extraInfo offset liteTopic bname"),
    (200_073, "liteTopic consumerGroup clientId"),
];

/// Codes whose header is empty, but for what any request may carry.
const PLAIN: &[i32] =
    &[18, 21, 26, 28, 41, 42, 46, 106, 200, 201, 206, 225, 400, 401, 200_071, 200_151];

#[test]
fn every_code_has_javas_fields() {
    let mut seen = 0;
    for (code, names) in Request::TABLE {
        let mut found = names.to_vec();
        found.sort_unstable();
        let java = JAVA.iter().find(|(java, _)| *java == code.0).map(|(_, names)| *names);
        let java = java.or_else(|| PLAIN.contains(&code.0).then_some("bname"));
        let mut expected: Vec<&str> = java.unwrap().split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{code}");
        assert!(code.name().is_some(), "{code}");
        seen += 1;
    }
    assert_eq!(seen, JAVA.len() + PLAIN.len());
}

#[test]
fn every_field_of_every_code_comes_back_in_both_forms() {
    for (code, names) in Request::TABLE {
        let (request, fields) = filled(*code, names);
        assert_eq!(request.code(), *code);
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            assert_eq!(there_and_back(form, &request).as_ref(), Ok(&request), "{code}");
        }
        let frame = OutFrame::request(Opaque::from_raw(1), request);
        let bytes = encode_in(HeaderForm::Json, &frame);
        let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let head = Head::read(HeaderForm::Json, &bytes[8..8 + length], 1024).unwrap();
        for (name, value) in fields {
            assert_eq!(head.fields.get(name).as_deref(), Some(&*value), "{code} {name}");
        }
    }
}

#[test]
fn fields_that_must_be_there_are_missed_by_name_and_others_are_not() {
    for (code, names) in Request::TABLE {
        let (_, all) = filled(*code, names);
        let mut fields: Vec<(&'static str, &str)> = Vec::new();
        let least = loop {
            match read(*code, &fields) {
                Ok(request) => break request,
                Err(HeaderError::Missing { field }) => {
                    let value = all.iter().find(|(name, _)| *name == field).unwrap();
                    fields.push((value.0, &value.1));
                }
                Err(error) => panic!("{code}: {error}"),
            }
        };
        assert_eq!(there_and_back(HeaderForm::Json, &least).as_ref(), Ok(&least), "{code}");
    }
    // What Java marks as not null of a pop, and nothing else.
    let missing = |fields: &[(&str, &str)]| read(RequestCode::POP_MESSAGE, fields).unwrap_err();
    assert_eq!(missing(&[]), HeaderError::Missing { field: "consumerGroup" });
}

#[test]
fn unknown_codes_pass_through_untouched() {
    for code in [0, 9, 32_767, 32_768, 200_056, 200_099, i32::MAX, -1] {
        let fields = vec![("b".into(), "2".into()), ("a\"用".into(), "\u{1}x".into())];
        let request = Request::Unknown { code: RequestCode(code), fields };
        for form in [HeaderForm::Json, HeaderForm::Binary] {
            assert_eq!(there_and_back(form, &request), Ok(request.clone()), "{code}");
        }
    }
    assert_eq!(ResponseCode(4711).name(), None);
    assert_eq!(ResponseCode(4711).to_string(), "4711");
}

#[test]
fn wire_16_one_letter_names_mean_what_the_long_ones_mean() {
    let letters = [
        ("a", "producerGroup", "g"),
        ("b", "topic", "T"),
        ("c", "defaultTopic", "TBW102"),
        ("d", "defaultTopicQueueNums", "4"),
        ("e", "queueId", "3"),
        ("f", "sysFlag", "1"),
        ("g", "bornTimestamp", "1763800000000"),
        ("h", "flag", "-7"),
        ("i", "properties", "KEYS\u{1}k\u{2}"),
        ("j", "reconsumeTimes", "2"),
        ("k", "unitMode", "false"),
        ("l", "maxReconsumeTimes", "16"),
        ("m", "batch", "true"),
        ("n", "bname", "broker-a"),
    ];
    let short: Vec<_> = letters.iter().map(|(letter, _, value)| (*letter, *value)).collect();
    let long: Vec<_> = letters.iter().map(|(_, name, value)| (*name, *value)).collect();
    for (v2, v1) in [
        (RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_MESSAGE),
        (RequestCode::SEND_REPLY_MESSAGE_V2, RequestCode::SEND_REPLY_MESSAGE),
    ] {
        let (Request::Send(short) | Request::SendReply(short)) = read(v2, &short).unwrap() else {
            panic!("{v2} is no send")
        };
        let (Request::SendV1(long) | Request::SendReplyV1(long)) = read(v1, &long).unwrap() else {
            panic!("{v1} is no send")
        };
        assert_eq!(SendRequest::from(long.clone()), short);
        assert_eq!(SendRequestV1::from(short.clone()), long);
        assert_eq!((short.queue_id, short.flag, short.max_reconsume_times), (3, -7, Some(16)));
        assert_eq!((short.batch, short.broker.as_deref()), (Some(true), Some("broker-a")));
    }
    // Each letter alone: what one form has, the other has under its name, and nowhere else.
    for skipped in ["i", "j", "k", "l", "m", "n"] {
        let (_, name, _) = letters.iter().find(|(letter, _, _)| *letter == skipped).unwrap();
        let short: Vec<_> = short.iter().copied().filter(|(key, _)| *key != skipped).collect();
        let long: Vec<_> = long.iter().copied().filter(|(key, _)| key != name).collect();
        let Request::Send(short) = read(RequestCode::SEND_MESSAGE_V2, &short).unwrap() else {
            panic!("no send")
        };
        let Request::SendV1(long) = read(RequestCode::SEND_MESSAGE, &long).unwrap() else {
            panic!("no send")
        };
        assert_eq!(SendRequest::from(long), short, "{skipped}");
    }
}

fn reply_of(kind: Kind, code: i32, fields: &ReplyFields) -> Result<ReplyFields, HeaderError> {
    let (code, fields) = (ResponseCode(code), Box::new(fields.clone()));
    let (remark, body) = (None, Bytes::new());
    let payload = Payload::Reply { code, remark, fields, body, version: 413 };
    let out = OutFrame { opaque: Opaque::new(kind, 1), payload };
    let [json, binary] = [HeaderForm::Json, HeaderForm::Binary].map(|form| {
        match decode(&encode_in(form, &out)).content {
            Content::Reply(reply) => reply.fields,
            Content::Request { code, .. } => panic!("{code}"),
        }
    });
    assert_eq!(json, binary);
    json
}

fn replies() -> Vec<(Kind, ReplyFields, &'static [i32])> {
    let arc = |text: &str| Some(Arc::<str>::from(text));
    vec![
        (
            Kind::Send,
            ReplyFields::Send(SendReply {
                msg_id: Arc::from("7F00000100002A9F0000000000003039"),
                queue_id: 1,
                queue_offset: 2,
                transaction_id: arc("t"),
                batch_unique_id: arc("b"),
                recall_handle: arc("djE="),
                region: Region::new("here"),
                trace_on: Some(false),
            }),
            &[0, 10, 11, 12],
        ),
        (
            Kind::Pull,
            ReplyFields::Pull(PullReply {
                suggest_broker_id: Some(1),
                next_begin_offset: 2,
                min_offset: 3,
                max_offset: 4,
                offset_delta: Some(5),
                topic_sys_flag: Some(6),
                group_sys_flag: Some(7),
                forbidden_type: Some(8),
            }),
            &[0, 19, 20, 21],
        ),
        (
            Kind::Heartbeat,
            ReplyFields::Heartbeat(HeartbeatReply { v2: true, sub_changed: true }),
            &[0],
        ),
        (
            Kind::Pop,
            ReplyFields::Pop(PopReply {
                pop_time: 1,
                invisible_millis: 2,
                revive_queue: 3,
                rest: 4,
                start_offsets: arc("0 1 10"),
                message_offsets: arc("0 1 10,11"),
                order_counts: arc("0 1 2"),
            }),
            &[0, 19, 209, 210],
        ),
    ]
}

fn small_replies() -> Vec<(Kind, ReplyFields, &'static [i32])> {
    vec![
        (
            Kind::ChangeInvisible,
            ReplyFields::ChangeInvisible(ChangeInvisibleReply {
                pop_time: 1,
                invisible_millis: 2,
                revive_queue: 3,
            }),
            &[0],
        ),
        (
            Kind::Notification,
            ReplyFields::Notification(NotificationReply { has_messages: true, polling_full: true }),
            &[0],
        ),
        (Kind::PollingInfo, ReplyFields::PollingInfo(PollingInfoReply { waiting: 9 }), &[0]),
        (Kind::Timestamp, ReplyFields::Timestamp(TimestampReply { timestamp: -1 }), &[0]),
        (Kind::Recall, ReplyFields::Recall(RecallReply { message_id: Arc::from("id") }), &[0]),
        (
            Kind::QueryMessage,
            ReplyFields::QueryMessage(QueryMessageReply { index_timestamp: 1, index_offset: 2 }),
            &[0, 22],
        ),
    ]
}

#[test]
fn replies_come_back_for_their_kind_and_the_codes_that_have_fields() {
    for (kind, fields, codes) in replies().into_iter().chain(small_replies()) {
        for code in (0..30).chain([208, 209, 210, 215, 1500, -1]) {
            let kept = if codes.contains(&code) { fields.clone() } else { ReplyFields::None };
            assert_eq!(reply_of(kind, code, &fields), Ok(kept), "{kind:?} {code}");
        }
        assert!(matches!(reply_of(Kind::Fields, 0, &fields), Ok(ReplyFields::Pairs(_))));
    }
}

#[test]
fn what_brokers_leave_out_has_javas_meaning() {
    let none = ReplyFields::None;
    let beat = ReplyFields::Heartbeat(HeartbeatReply::default());
    assert_eq!(reply_of(Kind::Heartbeat, 0, &none), Ok(beat), "a 4.x broker");
    assert_eq!(reply_of(Kind::Pop, 209, &none), Ok(ReplyFields::Pop(PopReply::default())));
    let missing = HeaderError::Missing { field: "popTime" };
    assert_eq!(reply_of(Kind::ChangeInvisible, 0, &none), Err(missing));
    assert_eq!(Region::default().as_str(), "DefaultRegion");
    assert_eq!(Region::new("DefaultRegion"), Region::new(""));
    assert_eq!(Region::new("cn-1").as_str(), "cn-1");
}

#[test]
fn version_gates_lie_where_java_has_them() {
    assert!(version::takes_offset_resets(28) && !version::takes_offset_resets(27));
    assert!(version::tells_running_info(62) && !version::tells_running_info(61));
    assert!(version::reads_standard_json(401) && !version::reads_standard_json(400));
    assert!(version::pops(413) && !version::pops(407));
    assert!(version::takes_go_away(476) && !version::takes_go_away(475));
    assert!(version::signs_without_unique_mark(399) && !version::signs_without_unique_mark(400));
}

#[test]
fn bad_10_a_hundred_thousand_fields_are_refused_at_the_limit() {
    let members: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":\"v\"")).collect();
    let header = format!("{{\"code\":11,\"opaque\":1,\"extFields\":{{{}}}}}", members.join(","));
    let head = json::read_head(header.as_bytes(), 1024).unwrap();
    let limit = HeaderError::TooManyFields { limit: 1024 };
    assert_eq!(Request::read(RequestCode(11), &head.fields), Err(limit.clone()));
    assert_eq!(Request::read(RequestCode(4711), &head.fields), Err(limit));
}

/// A binary header with code 35 and these fields, their length as given.
fn binary(fields: &[u8], length: u32) -> Vec<u8> {
    let mut header = vec![0, 35, 9, 1, 61, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(fields);
    header
}

#[test]
fn bad_11_binary_lengths_below_zero_are_errors() {
    for fields in [&b"\xff\xffk\0\0\0\x01v"[..], b"\0\x01k\xff\xff\xff\xffv", b"\x80\0k"] {
        let header = binary(fields, fields.len() as u32);
        let head = Head::read(HeaderForm::Binary, &header, 1024).unwrap();
        let error = Request::read(RequestCode(35), &head.fields).unwrap_err();
        assert!(matches!(error, HeaderError::Truncated { .. }), "{error}");
    }
    for length in [u32::MAX, 1 << 31] {
        let header = binary(b"", length);
        let error = Head::read(HeaderForm::Binary, &header, 1024).unwrap_err();
        assert!(matches!(error, HeaderError::Truncated { .. }), "{error}");
    }
}

#[test]
fn bad_12_binary_lengths_past_the_end_are_errors() {
    for fields in [&b"\0\x09k\0\0\0\x01v"[..], b"\0\x01k\0\0\0\x02v", b"\0\x01k\x7f\xff\xff\xffv"] {
        let header = binary(fields, fields.len() as u32);
        let head = Head::read(HeaderForm::Binary, &header, 1024).unwrap();
        let error = Request::read(RequestCode(35), &head.fields).unwrap_err();
        assert!(error.to_string().contains(&header.len().to_string()), "{error}");
    }
    let header = binary(b"\0\x01k\0\0\0\x01v", 9);
    let error = Head::read(HeaderForm::Binary, &header, 1024).unwrap_err();
    assert!(matches!(error, HeaderError::Truncated { at: 29, .. }), "{error}");
}

#[test]
fn bad_13_bytes_that_are_not_text_are_replaced_and_their_neighbours_kept() {
    let json =
        b"{\"code\":35,\"opaque\":1,\"remark\":\"\xff!\",\"extFields\":{\"clientID\":\"a\xc3\",\
          \"consumerGroup\":\"g\"}}";
    let head = json::read_head(json, 9).unwrap();
    assert_eq!(head.remark.as_deref(), Some("\u{fffd}!"));
    let fields = b"\0\x08clientID\0\0\0\x02a\xc3\0\x0dconsumerGroup\0\0\0\x01g";
    let header = binary(fields, fields.len() as u32);
    let binary = Head::read(HeaderForm::Binary, &header, 9).unwrap();
    for head in [head, binary] {
        let read = Request::read(RequestCode::UNREGISTER_CLIENT, &head.fields).unwrap();
        let Request::Unregister(read) = read else { panic!("{read:?}") };
        assert_eq!((&*read.client_id, read.consumer_group.as_deref()), ("a\u{fffd}", Some("g")));
    }
    assert_eq!(UnregisterRequest::NAMES, ["clientID", "producerGroup", "consumerGroup"]);
}

#[test]
fn adm_06_no_request_that_changes_a_configuration_is_built() {
    // UPDATE_BROKER_CONFIG (CVE-2023-33246), of access control, of key-value pairs, of flow
    // control, of nameservers (CVE-2023-37582) and of controllers.
    for code in [25, 50, 51, 53, 100, 102, 318, 1009, 2001, 2002] {
        let built = Request::TABLE.iter().any(|(built, _)| *built == RequestCode(code));
        assert!(!built, "{}", RequestCode(code));
    }
    // It is the codes that are looked for: what only reads is there.
    assert!(Request::TABLE.iter().any(|(code, _)| *code == RequestCode::GET_BROKER_CONFIG));
}
