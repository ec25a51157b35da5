//! Whole frames in both header forms.

use std::collections::BTreeMap;
use std::io::IoSlice;

use rocketry_core::frame::{
    HeaderForm, Inbound, Limits, Opaque, OutFrame, Outbound, Pairs, Payload, ReplyFields, Request,
    RequestCode, ResponseCode,
};

use super::row::Row;
use super::same;

/// What a frame says.
#[derive(Debug, PartialEq)]
struct Said {
    code: i64,
    flag: i64,
    opaque: i64,
    version: i64,
    language: String,
    remark: Option<String>,
    fields: Pairs,
    body: Vec<u8>,
}

pub(super) fn frame(row: Row<'_>) -> Result<(), String> {
    let frame = row.bytes("frame")?;
    let said = read(&frame)?;
    let form = if row.text("serialize")? == "JSON" { 0 } else { 1 };
    same("the header's form", frame[4], form)?;
    let numbers = [
        ("code", said.code),
        ("flag", said.flag),
        ("opaque", said.opaque),
        ("version", said.version),
    ];
    for (key, found) in numbers {
        same(key, found, row.int(key)?)?;
    }
    same("language", said.language.as_str(), row.text("language")?)?;
    // Java writes an empty remark of the binary form as none.
    same(
        "remark",
        said.remark.as_deref().filter(|r| !r.is_empty()),
        row.maybe("remark").filter(|r| !r.is_empty()),
    )?;
    let fields: BTreeMap<&str, &str> = said.fields.iter().map(|(k, v)| (&**k, &**v)).collect();
    same("ext", fields, row.map("ext")?)?;
    same("body", &said.body, &row.bytes("body")?)?;
    written(&said)
}

/// The frame at the beginning of `bytes`, which must be all there is.
fn read(bytes: &[u8]) -> Result<Said, String> {
    let mut inbound = Inbound::new(Limits::default());
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = inbound.space();
        let taken = space.len().min(rest.len());
        space[..taken].copy_from_slice(&rest[..taken]);
        inbound.filled(taken);
        rest = &rest[taken..];
    }
    let whole = inbound.next(|head| {
        Ok::<_, String>(Said {
            code: head.code.into(),
            flag: head.flag.into(),
            opaque: head.opaque.raw().into(),
            version: head.version.into(),
            language: head.language.name().to_owned(),
            remark: head.remark.as_deref().map(str::to_owned),
            fields: head.fields.to_pairs().map_err(|error| error.to_string())?,
            body: Vec::new(),
        })
    });
    let whole = whole.map_err(|error| error.to_string())?.ok_or("the frame is not whole")?;
    same("the frame's size", whole.size, bytes.len())?;
    let mut said = whole.content?;
    said.body = whole.body.to_vec();
    Ok(said)
}

/// The same frame written by us, in both forms, says the same: except for version and language,
/// which are ours, and the flags that Java does not define.
fn written(said: &Said) -> Result<(), String> {
    let code = said.code as i32;
    let (body, fields) = (said.body.clone().into(), said.fields.clone());
    let payload = if said.flag & 1 == 1 {
        Payload::Reply {
            code: ResponseCode(code),
            remark: said.remark.as_deref().map(Into::into),
            fields: Box::new(ReplyFields::Pairs(fields)),
            body,
            version: said.version as i32,
        }
    } else {
        let request = Request::Unknown { code: RequestCode(code), fields };
        Payload::Request { request: Box::new(request), body, oneway: said.flag & 2 == 2 }
    };
    let frame = OutFrame { opaque: Opaque::from_raw(said.opaque as i32), payload };
    for form in [HeaderForm::Json, HeaderForm::Binary] {
        let mut outbound = Outbound::with_limits(Limits::default()).in_form(form);
        outbound.push(&frame).map_err(|error| format!("our frame: {error}"))?;
        let mut slices = [IoSlice::new(&[]); 4];
        let used = outbound.slices(&mut slices);
        let bytes: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
        let again = read(&bytes)?;
        same("our frame's code", again.code, said.code)?;
        same("our frame's opaque", again.opaque, said.opaque)?;
        // The binary form, where the code fits it, has no empty values: they read as absent.
        let binary = bytes.get(4) == Some(&HeaderForm::Binary.byte());
        let kept = |text: &str| !binary || !text.is_empty();
        let expected: Vec<_> =
            said.fields.iter().filter(|(_, value)| kept(value)).cloned().collect();
        same("our frame's fields", &again.fields, &expected)?;
        same("our frame's body", &again.body, &said.body)?;
        if said.flag & 1 == 1 {
            same("our frame's version", again.version, said.version)?;
            same("our frame's flag", again.flag & 1, 1)?;
            let remark = |said: &Said| said.remark.clone().filter(|remark| !remark.is_empty());
            same("our frame's remark", remark(&again), remark(said))?;
        } else {
            same("our frame's flag", again.flag, said.flag & 2)?;
        }
    }
    Ok(())
}
