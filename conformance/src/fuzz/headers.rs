//! Headers of frames, in both forms.

use std::collections::BTreeMap;

use bytes::Bytes;
use rocketry_core::frame::{
    Content, Fields, Head, HeaderForm, Inbound, Kind, Limits, Opaque, OutFrame, Outbound, Pairs,
    ReplyFields, Request, RequestCode, ResponseCode,
};
use serde_json::Value;

use super::streams;

/// As many as a client takes.
const FIELDS_MAX: usize = 1024;
const KINDS: [Kind; 8] = [
    Kind::Plain,
    Kind::Send,
    Kind::Pull,
    Kind::Route,
    Kind::ConsumerList,
    Kind::Offset,
    Kind::Heartbeat,
    Kind::Fields,
];

/// A header in JSON: what `serde_json` reads is read alike, and what is read can be written.
pub fn json_header(data: &[u8]) {
    let read = Head::read(HeaderForm::Json, data, FIELDS_MAX);
    if let Ok(head) = &read {
        typed(head);
    }
    if let Some(expected) = plain(data) {
        let head = read.unwrap_or_else(|error| panic!("serde_json reads it, we do not: {error}"));
        assert_eq!((head.code, head.opaque.raw()), (expected.code, expected.opaque));
        assert_eq!((head.flag, head.version), (expected.flag, expected.version));
        if expected.fields.len() < FIELDS_MAX {
            same_fields(&head.fields, &expected.fields);
        }
    }
}

/// A header in Java's binary form.
pub fn binary_header(data: &[u8]) {
    if let Ok(head) = Head::read(HeaderForm::Binary, data, FIELDS_MAX) {
        typed(&head);
    }
}

/// Reads the fields as those of every kind of frame, and writes them again.
fn typed(head: &Head<'_>) {
    let _ = Content::read(head);
    for kind in KINDS {
        let _ = ReplyFields::read(Some(kind), ResponseCode(head.code), &head.fields);
        let _ = ReplyFields::read(Some(kind), ResponseCode::SUCCESS, &head.fields);
    }
    for code in [head.code, head.code & 0x1FF, 310, 11] {
        if let Ok(request) = Request::read(RequestCode(code), &head.fields) {
            round_trip(request, HeaderForm::Json);
        }
    }
    let Ok(pairs) = head.fields.to_pairs() else { return };
    for (name, _) in &pairs {
        let last = pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value);
        assert_eq!(head.fields.get(name).as_deref(), last);
        if pairs.len() > 64 {
            break;
        }
    }
    let request = |pairs| Request::Unknown { code: RequestCode(30_000), fields: pairs };
    round_trip(request(pairs.clone()), HeaderForm::Json);
    // The binary form has no empty texts, and 15 bits for the length of a name.
    let fits = |(name, value): &(Box<str>, Box<str>)| {
        !value.is_empty() && (1..=i16::MAX as usize).contains(&name.len())
    };
    let pairs: Pairs = pairs.into_iter().filter(fits).collect();
    round_trip(request(pairs), HeaderForm::Binary);
}

/// What is written is read as the same.
fn round_trip(request: Request, form: HeaderForm) {
    let limits = Limits { header: 16 << 20, ..Limits::default() };
    let mut outbound = Outbound::with_limits(limits.clone()).in_form(form);
    let frame = OutFrame::request(Opaque::new(Kind::Plain, 7), request.clone());
    assert_eq!(outbound.push(&frame), Ok(()));
    let bytes = streams::written(&outbound);
    let mut inbound = Inbound::new(limits);
    streams::fill(&mut inbound, &bytes);
    let read = inbound.next_frame().unwrap_or_else(|error| panic!("{error} in {request:?}"));
    let Some(read) = read else { panic!("{request:?} is not whole") };
    assert_eq!((read.size, read.body), (bytes.len(), Bytes::new()));
    let Content::Request { request: read, .. } = read.content else { panic!("a reply") };
    assert_eq!(read.as_ref(), Ok(&request));
}

/// A header as `serde_json` reads it.
struct Plain {
    code: i32,
    opaque: i32,
    flag: i32,
    version: i32,
    fields: BTreeMap<String, Value>,
}

/// `None` where the two readers may differ: escaped letters in keys, numbers that are texts or
/// fractions, fields that are no object or come twice.
fn plain(data: &[u8]) -> Option<Plain> {
    let count = |text: &[u8]| data.windows(text.len()).filter(|part| *part == text).count();
    if count(b"\\u") > 0 || count(b"\"extFields\"") > 1 {
        return None;
    }
    let Value::Object(mut map) = serde_json::from_slice(data).ok()? else { return None };
    let int = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
    let or_zero = |key: &str| map.get(key).map_or(Some(0), int);
    let (code, opaque) = (int(map.get("code")?)?, int(map.get("opaque")?)?);
    let (flag, version) = (or_zero("flag")?, or_zero("version")?);
    let fields = match map.remove("extFields") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(fields)) => fields.into_iter().collect(),
        Some(_) => return None,
    };
    Some(Plain { code, opaque, flag, version, fields })
}

fn same_fields(fields: &Fields<'_>, expected: &BTreeMap<String, Value>) {
    let Ok(pairs) = fields.to_pairs() else { return };
    let read: BTreeMap<_, _> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
    for (key, value) in expected {
        if let Value::String(text) = value {
            assert_eq!(read.get(&**key), Some(&&**text), "the field {key:?}");
        }
    }
}
