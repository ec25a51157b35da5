//! Headers on the wire: what Java writes, what every request and reply of ours becomes, and what
//! broken ones are called.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::header::Header as _;
use rocketry_core::frame::reply::{OffsetReply, PullReply, SendReply};
use rocketry_core::frame::request::*;
use rocketry_core::frame::{
    Content, Frame, FrameError, Head, HeaderError, HeaderForm, Inbound, Kind, Language, Limits,
    Opaque, OutFrame, Outbound, Pairs, Payload, Reply, ReplyFields, RequestCode, ResponseCode,
    json,
};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::time::UnixMillis;

fn encode(frame: &OutFrame) -> Vec<u8> {
    encode_in(HeaderForm::Json, frame)
}

fn encode_in(form: HeaderForm, frame: &OutFrame) -> Vec<u8> {
    let mut outbound = Outbound::new().in_form(form);
    outbound.push(frame).unwrap();
    let mut slices = [std::io::IoSlice::new(&[]); 4];
    let used = outbound.slices(&mut slices);
    slices[..used].iter().flat_map(|slice| slice.to_vec()).collect()
}

fn inbound(bytes: &[u8]) -> Inbound {
    let mut inbound = Inbound::new(Limits::default());
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = inbound.space();
        let taken = space.len().min(rest.len());
        space[..taken].copy_from_slice(&rest[..taken]);
        inbound.filled(taken);
        rest = &rest[taken..];
    }
    inbound
}

fn decode(bytes: &[u8]) -> Frame {
    let mut inbound = inbound(bytes);
    let frame = inbound.next_frame().unwrap().unwrap();
    assert_eq!(inbound.next_frame(), Ok(None));
    assert_eq!(frame.size, bytes.len());
    frame
}

fn header_text(bytes: &[u8]) -> &str {
    let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    std::str::from_utf8(&bytes[8..8 + length]).unwrap()
}

fn framed(form: u8, header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + header.len() + body.len()) as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&((header.len() as u32) | u32::from(form) << 24).to_be_bytes());
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(body);
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |d: u8| char::from(d).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn read(header: &str) -> Result<Head<'_>, HeaderError> {
    json::read_head(header.as_bytes(), 1024)
}

fn read_fields(fields: &str) -> Result<Pairs, HeaderError> {
    read(&format!("{{\"code\":0,\"opaque\":1,\"extFields\":{fields}}}"))?.fields.to_pairs()
}

fn arc(text: &str) -> Arc<str> {
    Arc::from(text)
}

#[test]
fn wire_02_wire_03_frames_that_java_wrote_are_read_in_both_forms() {
    let golden = include_str!("../../conformance/golden/frames.jsonl");
    let mut forms = [0, 0];
    for line in golden.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let bytes = hex(row["frame"].as_str().unwrap());
        let mut inbound = inbound(&bytes);
        let whole = inbound
            .next(|head| {
                assert_eq!(i64::from(head.code), row["code"].as_i64().unwrap());
                assert_eq!(i64::from(head.flag), row["flag"].as_i64().unwrap());
                assert_eq!(i64::from(head.opaque.raw()), row["opaque"].as_i64().unwrap());
                assert_eq!(i64::from(head.version), row["version"].as_i64().unwrap());
                assert_eq!(head.language.name(), row["language"].as_str().unwrap());
                assert_eq!(head.remark.as_deref(), row["remark"].as_str());
                head.fields.to_pairs().unwrap()
            })
            .unwrap()
            .unwrap();
        let found: BTreeMap<&str, &str> = whole.content.iter().map(|(k, v)| (&**k, &**v)).collect();
        let ext = row["ext"].as_object().unwrap().iter();
        let expected: BTreeMap<&str, &str> =
            ext.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
        assert_eq!(found, expected, "{line}");
        assert_eq!(whole.body, hex(row["body"].as_str().unwrap()));
        forms[usize::from(bytes[4])] += 1;
    }
    assert!(forms[0] > 50 && forms[1] > 50, "{forms:?}");
}

fn requests() -> Vec<Request> {
    let mut all = message_requests();
    all.extend(group_requests());
    all
}

fn message_requests() -> Vec<Request> {
    let (group, topic, broker) = (arc("g\"用\\"), arc("%RETRY%t"), Some(arc("broker-a")));
    let queue_id = 3;
    vec![
        Request::Route(RouteRequest { topic: topic.clone(), ..Default::default() }),
        Request::Heartbeat(HeartbeatRequest::default()),
        Request::Unregister(UnregisterRequest {
            client_id: arc("10.0.0.1@7"),
            producer_group: None,
            consumer_group: Some(group.clone()),
            ..Default::default()
        }),
        Request::Send(SendRequest {
            producer_group: group.clone(),
            topic: topic.clone(),
            default_topic: arc("TBW102"),
            default_topic_queues: 4,
            queue_id,
            sys_flag: 1 << 2,
            born_timestamp: i64::MAX,
            flag: i32::MIN,
            properties: Some(arc("KEYS\u{1}a b\u{2}WAIT\u{1}true\u{2}")),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: Some(true),
            broker: broker.clone(),
            ..Default::default()
        }),
        Request::Pull(PullRequest {
            consumer_group: group.clone(),
            topic: topic.clone(),
            queue_id,
            queue_offset: -1,
            max_messages: 32,
            sys_flag: 6,
            commit_offset: 1 << 40,
            suspend_timeout_millis: 15_000,
            subscription: Some(arc("*")),
            sub_version: 1_763_800_000_000,
            expression_type: None,
            broker,
            ..Default::default()
        }),
    ]
}

fn group_requests() -> Vec<Request> {
    let (group, topic, broker) = (arc("g\"用\\"), arc("%RETRY%t"), Some(arc("broker-a")));
    let (consumer_group, queue_id) = (group.clone(), 3);
    vec![
        Request::ConsumerList(ConsumerListRequest {
            consumer_group: group.clone(),
            ..Default::default()
        }),
        Request::QueryOffset(QueryOffsetRequest {
            consumer_group: group.clone(),
            topic: topic.clone(),
            queue_id,
            broker: broker.clone(),
            ..Default::default()
        }),
        Request::UpdateOffset(UpdateOffsetRequest {
            consumer_group,
            topic: topic.clone(),
            queue_id,
            commit_offset: 0,
            broker: None,
            ..Default::default()
        }),
        Request::MaxOffset(MaxOffsetRequest {
            topic: topic.clone(),
            queue_id,
            broker: None,
            ..Default::default()
        }),
        Request::MinOffset(MinOffsetRequest { topic, queue_id, broker, ..Default::default() }),
        Request::NotifyIds(NotifyIdsRequest { consumer_group: group }),
        Request::Unknown {
            code: RequestCode(200_099),
            fields: vec![("a\"b".into(), "\u{1f}".into()), ("用".into(), "".into())],
        },
    ]
}

#[test]
fn every_request_of_the_table_comes_back_as_it_was_sent() {
    for (number, request) in requests().into_iter().enumerate() {
        let oneway = number % 2 == 1;
        let body = Bytes::from(vec![7; number]);
        let opaque = Opaque::new(Kind::Fields, number as u32);
        let payload =
            Payload::Request { request: Box::new(request.clone()), body: body.clone(), oneway };
        let frame = OutFrame { opaque, payload };
        let (bytes, binary) = (encode(&frame), encode_in(HeaderForm::Binary, &frame));
        let code = request.code();
        assert!(header_text(&bytes).starts_with(&format!("{{\"code\":{},\"extF", code.0)));
        serde_json::from_str::<serde_json::Value>(header_text(&bytes)).unwrap();
        let frame = decode(&bytes);
        assert_eq!((frame.opaque, frame.version, &frame.body), (opaque, 479, &body));
        assert_eq!(frame.content, Content::Request { request: Ok(request), oneway, code });
        // Java's binary form cuts codes to 16 bits: larger ones are not sent so.
        assert_eq!(binary[4] == 1, code.0 <= i32::from(i16::MAX), "{code}");
        let size = binary.len();
        assert_eq!(decode(&binary), Frame { size, ..frame });
    }
}

#[test]
fn wire_07_a_request_is_written_as_fastjson_writes_it() {
    let request = Request::Unregister(UnregisterRequest {
        client_id: arc("c"),
        producer_group: None,
        consumer_group: None,
        ..Default::default()
    });
    let bytes = encode(&OutFrame::request(Opaque::from_raw(1), request));
    assert_eq!(
        header_text(&bytes),
        "{\"code\":35,\"extFields\":{\"clientID\":\"c\"},\"flag\":0,\"language\":\"RUST\",\
         \"opaque\":1,\"serializeTypeCurrentRPC\":\"JSON\",\"version\":479}"
    );
}

#[test]
fn wire_01_a_length_leaves_itself_out_and_the_second_word_tells_form_and_header() {
    let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
    let frame = OutFrame::request_with_body(Opaque::from_raw(1), request, "body".into());
    for form in [HeaderForm::Json, HeaderForm::Binary] {
        let bytes = encode_in(form, &frame);
        let word = |at: usize| u32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
        let header = (word(4) & 0x00FF_FFFF) as usize;
        assert_eq!(word(0) as usize, bytes.len() - 4);
        assert_eq!(word(4) >> 24, u32::from(form.byte()));
        assert_eq!(&bytes[8 + header..], b"body");
    }
}

#[test]
fn wire_10_wire_15_each_frame_is_read_in_its_own_form_whatever_version_it_names() {
    let (code, remark) = (ResponseCode(1), None);
    let reply = |opaque, version| {
        let (fields, body) = (Box::new(ReplyFields::None), Bytes::from_static(b"x"));
        let remark: Option<Arc<str>> = remark.clone();
        OutFrame { opaque, payload: Payload::Reply { code, remark, fields, body, version } }
    };
    let versions = [0, 1, 317, 479, 32_767];
    let forms = [HeaderForm::Json, HeaderForm::Binary];
    let mut bytes = Vec::new();
    for (at, version) in versions.into_iter().enumerate() {
        let frame = reply(Opaque::new(Kind::Plain, at as u32), version);
        bytes.extend(forms.map(|form| encode_in(form, &frame)).concat());
    }
    let mut inbound = inbound(&bytes);
    for (at, version) in versions.into_iter().enumerate() {
        for _ in forms {
            let frame = inbound.next_frame().unwrap().unwrap();
            assert_eq!((frame.opaque.sequence(), frame.version), (at as u32, version));
            assert_eq!(frame.body, "x");
        }
    }
    assert_eq!(inbound.next_frame(), Ok(None));
}

#[test]
fn a_frame_over_the_limits_is_left_out_whole() {
    let request = |length: usize| {
        let fields = vec![("k".into(), "v".repeat(length).into())];
        OutFrame::request(Opaque::from_raw(1), Request::Unknown { code: RequestCode(4711), fields })
    };
    let body = |length: usize| {
        let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
        OutFrame::request_with_body(Opaque::from_raw(2), request, vec![0; length].into())
    };
    for form in [HeaderForm::Json, HeaderForm::Binary] {
        let mut outbound = Outbound::new().in_form(form);
        outbound.push(&request(65_000)).unwrap();
        let length = outbound.len();
        assert!(matches!(
            outbound.push(&request(65_600)),
            Err(FrameError::HeaderTooLarge { length: 65_601.., limit: 65_536 })
        ));
        for length in [(32 << 20) - 20, (32 << 20) + 1] {
            assert!(matches!(
                outbound.push(&body(length)),
                Err(FrameError::TooLarge { length, limit: 33_554_432 }) if length > 33_554_432
            ));
        }
        assert_eq!(outbound.len(), length);
        assert!(outbound.unsent().eq([Opaque::from_raw(1)]));
    }
}

#[test]
fn a_publish_is_the_send_request_it_stands_for() {
    let ids = UniqueIds::new([10, 0, 0, 1], 77, 5);
    let born = UnixMillis(1_763_800_000_123);
    let message = Message::new(Topic::new("T").unwrap(), "hello").tag("a").key("k1").flag(9);
    let group = Group::new("g").unwrap();
    let id = ids.next(born);
    let publish = Publish::new(message, &group, id, born, &MessageLimits::default()).unwrap();
    let frame = OutFrame::publish(Opaque::new(Kind::Send, 5), publish.into(), 3, arc("b\"0"));
    let bytes = encode(&frame);
    serde_json::from_str::<serde_json::Value>(header_text(&bytes)).unwrap();
    let frame = decode(&bytes);
    assert_eq!(frame.body, "hello");
    let Content::Request { request: Ok(Request::Send(send)), oneway: false, .. } = frame.content
    else {
        panic!("{frame:?}")
    };
    assert_eq!((&*send.topic, &*send.producer_group, &*send.default_topic), ("T", "g", "TBW102"));
    assert_eq!((send.queue_id, send.broker.as_deref()), (3, Some("b\"0")));
    assert_eq!((send.born_timestamp, send.flag, send.sys_flag), (born.0, 9, 0));
    let properties = send.properties.unwrap();
    for part in ["TAGS\u{1}a\u{2}", "KEYS\u{1}k1\u{2}", "WAIT\u{1}true\u{2}", id.as_str()] {
        assert!(properties.contains(part), "{properties:?} lacks {part:?}");
    }
}

fn reply(kind: Kind, code: i32, fields: ReplyFields) -> Reply {
    let opaque = Opaque::new(kind, 1);
    let (code, remark) = (ResponseCode(code), Some(arc("why\n\"")));
    let payload =
        Payload::Reply { code, remark, fields: Box::new(fields), body: Bytes::new(), version: 413 };
    let out = OutFrame { opaque, payload };
    let (frame, binary) = (decode(&encode(&out)), decode(&encode_in(HeaderForm::Binary, &out)));
    assert_eq!((frame.opaque, frame.version), (opaque, 413));
    assert_eq!(binary.content, frame.content);
    let Content::Reply(reply) = frame.content else { panic!("{frame:?}") };
    // That a pull has found messages is not told in words.
    let told = (kind, code) != (Kind::Pull, ResponseCode::SUCCESS);
    assert_eq!((reply.code, reply.remark.as_deref()), (code, told.then_some("why\n\"")));
    reply
}

#[test]
fn replies_are_read_by_the_kind_in_their_opaque_and_only_for_codes_that_have_fields() {
    let send = ReplyFields::Send(SendReply {
        msg_id: arc("7F00000100002A9F0000000000003039"),
        queue_id: 2,
        queue_offset: 1 << 33,
        transaction_id: Some(arc("tx")),
        ..Default::default()
    });
    let pull = ReplyFields::Pull(PullReply {
        suggest_broker_id: None,
        next_begin_offset: 5,
        min_offset: 0,
        max_offset: 9,
        ..Default::default()
    });
    let offset = ReplyFields::Offset(OffsetReply { offset: -1 });
    for (kind, fields, with) in [
        (Kind::Send, &send, &[0, 10, 11, 12][..]),
        (Kind::Pull, &pull, &[0, 19, 20, 21]),
        (Kind::Offset, &offset, &[0]),
        (Kind::Plain, &offset, &[]),
        (Kind::Route, &offset, &[]),
        (Kind::ConsumerList, &offset, &[]),
        (Kind::Records, &offset, &[]),
    ] {
        for code in (0..30).chain([215, 1500, -1]) {
            let kept = if with.contains(&code) { fields.clone() } else { ReplyFields::None };
            assert_eq!(reply(kind, code, fields.clone()).fields, Ok(kept), "{kind:?} {code}");
        }
    }
    let pairs = ReplyFields::Pairs(vec![("offset".into(), "-1".into())]);
    assert_eq!(reply(Kind::Fields, 1, offset).fields, Ok(pairs.clone()));
    assert_eq!(reply(Kind::Fields, 0, pairs.clone()).fields, Ok(pairs));
    let missing = HeaderError::Missing { field: "queueId" };
    assert_eq!(reply(Kind::Send, 0, ReplyFields::None).fields, Err(missing));
}

#[test]
fn a_field_that_is_missing_or_of_another_type_is_named() {
    let offset = |fields: &str| {
        let header = format!("{{\"code\":0,\"opaque\":1,\"extFields\":{fields}}}");
        OffsetReply::read(&read(&header).unwrap().fields)
    };
    assert_eq!(offset("{\"offset\":\"7\"}"), Ok(OffsetReply { offset: 7 }));
    assert_eq!(offset("{\"x\":1,\"offset\":7}"), Ok(OffsetReply { offset: 7 }));
    assert_eq!(offset("{\"offset\":1,\"offset\":2}"), Ok(OffsetReply { offset: 2 }));
    for absent in ["{}", "null", " { } ", "{\"offset\":null}", "{\"Offset\":\"1\"}"] {
        assert_eq!(offset(absent), Err(HeaderError::Missing { field: "offset" }), "{absent}");
    }
    for wrong in ["\"\"", "\"1.5\"", "1e400", "\"NaN\"", "\" 1\"", "9223372036854775808", "{}"] {
        let error = offset(&format!("{{\"offset\":{wrong}}}")).unwrap_err();
        assert!(matches!(error, HeaderError::Invalid { field: "offset", .. }), "{wrong}: {error}");
    }
    let long = offset(&format!("{{\"offset\":\"{}\"}}", "é".repeat(100))).unwrap_err();
    let expected = "a 64-bit integer";
    assert_eq!(
        long,
        HeaderError::Invalid { field: "offset", value: "é".repeat(64).into(), expected }
    );
}

#[test]
fn wire_08_wire_11_wire_12_wire_13_json_headers_are_read_in_any_order_and_with_any_extras() {
    let head = read(
        " {\"version\":\"401\" ,\"future\":{\"a\":[1,{\"b\":\"}]\\\"\"}],\"c\":-1.5e3},\
         \"remark\":null,\"opaque\":-7,\"extFields\":{\
         \"x\":\"\\u7528\\ud83d\\ude80\",\"n\":12,\"t\":true,\"z\":null,\
         \"o\":{\"k\":[1]}},\"language\":12,\"code\":1,\"code\":2,\"flag\":3}\r\n",
    )
    .unwrap();
    assert_eq!((head.code, head.flag, head.opaque.raw(), head.version), (2, 3, -7, 401));
    assert_eq!((head.language, head.remark.as_deref()), (Language::Rust, None));
    assert!(head.is_reply() && head.is_oneway() && !head.fields.is_empty());
    assert_eq!(head.fields.get("x").as_deref(), Some("用🚀"));
    assert_eq!(head.fields.get("n").as_deref(), Some("12"));
    assert_eq!(head.fields.get("t").as_deref(), Some("true"));
    assert_eq!(head.fields.get("o").as_deref(), Some("{\"k\":[1]}"));
    assert_eq!((head.fields.get("z"), head.fields.get("y")), (None, None));
    let twice = read("{\"code\":0,\"opaque\":\"JAVA\",\"opaque\":7}").unwrap();
    assert_eq!(twice.opaque.raw(), 7);
    let odd = read("{\"code\":0,\"opaque\":1,\"flag\":-6}").unwrap();
    assert_eq!((odd.flag, odd.is_reply(), odd.is_oneway()), (-6, false, true));
    let bare = read("{\"code\":0,\"opaque\":1}").unwrap();
    assert_eq!((bare.flag, bare.version, bare.language), (0, 0, Language::Unknown));
    let blank = read("{\"code\":0,\"opaque\":1,\"extFields\":{ }}").unwrap();
    assert!(bare.fields.is_empty() && blank.fields.is_empty());
}

#[test]
fn json_that_is_not_a_header_is_refused_with_its_place() {
    let broken = [
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "\"\"",
        "{\"code\"",
        "{\"code\":",
        "{\"code\":0",
        "{\"code\":0,",
        "{\"code\":0,}",
        "{code:0}",
        "{'code':0}",
        "{\"code\":0 \"opaque\":1}",
        "{\"code\":NaN}",
        "{\"code\":Infinity}",
        "{\"code\":+1}",
        "{\"code\":tru}",
        "{\"code\":\"",
        "{\"code\":\"\\",
        "{\"x\":[}",
        "{\"x\":{]}",
        "{\"x\":[1,2}",
        "\u{feff}{\"code\":0,\"opaque\":1}",
        "{\"code\":0,\"opaque\":1}x",
        "{\"code\":0,\"opaque\":1}\0",
        "\0",
        "{\"code\":0,\"opaque\":1}{}",
        "{\"code\":0,\"opaque\":1,\"extFields\":[1}",
        "{\"code\":0,\"opaque\":1,\"extFields\":\"x\"}",
    ];
    for header in broken {
        let error = read(header).err();
        let (Some(HeaderError::Syntax { at, .. }) | Some(HeaderError::Truncated { at, .. })) =
            error
        else {
            panic!("{header:?}: {error:?}")
        };
        assert!(at <= header.len(), "{header:?}: {error:?}");
    }
    for (header, field) in [("{}", "code"), ("{\"opaque\":1}", "code"), ("{\"code\":0}", "opaque")]
    {
        assert_eq!(read(header).err(), Some(HeaderError::Missing { field }));
    }
    for value in ["1e400", "1.0", "2147483648", "\"x\"", "true", "{}", "[]", "-"] {
        let header = format!("{{\"code\":{value},\"opaque\":1}}");
        let error = read(&header).err();
        assert!(matches!(error, Some(HeaderError::Invalid { field: "code", .. })), "{error:?}");
    }
}

#[test]
fn nesting_is_passed_over_up_to_128_levels_and_refused_beyond() {
    let nested = |open: &str, close: &str, levels: usize| {
        let value = format!("{}{}", open.repeat(levels), close.repeat(levels));
        read(&format!("{{\"code\":0,\"opaque\":1,\"x\":{value}}}")).map(|head| head.code)
    };
    assert_eq!(nested("[", "]", 128), Ok(0));
    assert_eq!(nested("{\"a\":", "}", 128), Ok(0));
    for levels in [129, 200_000] {
        let error = nested("[", "]", levels).unwrap_err();
        assert!(matches!(error, HeaderError::Depth { limit: 128, .. }), "{error}");
        assert!(nested("{\"a\":", "}", levels).is_err());
        assert!(nested("[", "", levels).is_err());
    }
    let bomb = read_fields(&format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200)));
    assert!(matches!(bomb, Err(HeaderError::Depth { .. })), "{bomb:?}");
}

#[test]
fn more_than_1024_extension_fields_are_refused_when_they_are_read() {
    let fields = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":\"v\"")).collect();
        read_fields(&format!("{{{}}}", members.join(",")))
    };
    assert_eq!(fields(1024).unwrap().len(), 1024);
    assert_eq!(fields(1025), Err(HeaderError::TooManyFields { limit: 1024 }));
    assert_eq!(fields(100_000), Err(HeaderError::TooManyFields { limit: 1024 }));
}

#[test]
fn bytes_that_are_not_text_become_replacement_characters() {
    let mut header =
        b"{\"code\":0,\"opaque\":1,\"remark\":\"a\xff\0\",\"extFields\":{\"k\xc3\":\"\x80\"}}"
            .to_vec();
    let head = json::read_head(&header, 9).unwrap();
    assert_eq!(head.remark.as_deref(), Some("a\u{fffd}\0"));
    let pair: (Box<str>, Box<str>) = ("k\u{fffd}".into(), "\u{fffd}".into());
    assert_eq!(head.fields.to_pairs(), Ok(vec![pair]));
    let lone = read_fields("{\"k\":\"\\ud800x\\udc00\"}").unwrap();
    assert_eq!(&*lone[0].1, "\u{fffd}x\u{fffd}");
    header[0] = 0xff;
    assert!(json::read_head(&header, 9).is_err());
}

/// A binary header: code 11, GO, version 317, opaque 7, flag 1, remark "r", fields as given.
fn binary_header(fields: &[u8]) -> Vec<u8> {
    let mut header = vec![0, 11, 9, 1, 61, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, b'r'];
    header.extend_from_slice(&(fields.len() as u32).to_be_bytes());
    header.extend_from_slice(fields);
    header
}

#[test]
fn binary_headers_are_read_and_their_truncations_named() {
    let fields = b"\0\x01k\0\0\0\x02vw\0\x01e\0\0\0\0\0\0\0\0\0\x01x";
    let header = binary_header(fields);
    let head = Head::read(HeaderForm::Binary, &header, 1024).unwrap();
    assert_eq!((head.code, head.language, head.version), (11, Language::Go, 317));
    assert_eq!((head.opaque.raw(), head.flag, head.remark.as_deref()), (7, 1, Some("r")));
    assert!(!head.fields.is_empty());
    let none = binary_header(b"");
    assert!(Head::read(HeaderForm::Binary, &none, 9).unwrap().fields.is_empty());
    // A text of no length is none, as value and as name.
    assert_eq!(head.fields.to_pairs(), Ok(vec![("k".into(), "vw".into())]));
    for cut in 0..header.len() {
        let error = Head::read(HeaderForm::Binary, &header[..cut], 1024).unwrap_err();
        assert!(matches!(error, HeaderError::Truncated { at, .. } if at == cut), "{cut}: {error}");
    }
    for cut in 1..7 {
        let header = binary_header(&fields[..cut]);
        let head = Head::read(HeaderForm::Binary, &header, 1024).unwrap();
        assert!(matches!(head.fields.to_pairs(), Err(HeaderError::Truncated { .. })));
    }
    let negative = binary_header(b"\xff\xffk\xff\xff\xff\xffv");
    let head = Head::read(HeaderForm::Binary, &negative, 1024).unwrap();
    assert!(matches!(head.fields.to_pairs(), Err(HeaderError::Truncated { .. })));
    let many = binary_header(&b"\0\x01k\0\0\0\x01v".repeat(100_000));
    let head = Head::read(HeaderForm::Binary, &many, 1024).unwrap();
    assert_eq!(head.fields.to_pairs(), Err(HeaderError::TooManyFields { limit: 1024 }));
}

#[test]
fn bad_fields_spoil_one_frame_and_a_bad_header_the_connection() {
    let bad = framed(0, b"{\"code\":105,\"opaque\":1,\"extFields\":{\"topic\":}}", b"");
    let good = encode(&OutFrame::request(Opaque::from_raw(2), requests().remove(0)));
    let mut both = inbound(&[bad.clone(), good.clone()].concat());
    let frame = both.next_frame().unwrap().unwrap();
    let Content::Request { request: Err(HeaderError::Syntax { .. }), code, .. } = frame.content
    else {
        panic!("{frame:?}")
    };
    assert_eq!(code, RequestCode::GET_ROUTEINFO_BY_TOPIC);
    assert_eq!(both.next_frame().unwrap().unwrap().opaque, Opaque::from_raw(2));

    let mut broken = inbound(&[framed(0, b"{\"code\":1}", b""), good].concat());
    let missing = FrameError::Header(HeaderError::Missing { field: "opaque" });
    assert_eq!(broken.next_frame(), Err(missing.clone()));
    assert_eq!(broken.next_frame(), Err(missing));
}
