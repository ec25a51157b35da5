//! Writing a JSON header, its keys in the order in which Java's fastjson writes them.

use super::super::header::{FieldSink, WireFields};
use super::super::opaque::Opaque;
use super::escape::escape_into;

/// Appends the beginning of a header, up to its first extension field.
pub(in crate::frame) fn open_head(out: &mut Vec<u8>, code: i32) {
    out.extend_from_slice(b"{\"code\":");
    push_int(out, i64::from(code));
    out.extend_from_slice(b",\"extFields\":{");
}

/// What follows the extension fields.
#[derive(Clone, Copy, Debug)]
pub(in crate::frame) struct Trailer<'a> {
    pub(in crate::frame) flag: i32,
    pub(in crate::frame) opaque: Opaque,
    pub(in crate::frame) remark: Option<&'a str>,
    pub(in crate::frame) version: i32,
}

/// Appends the end of a header.
pub(in crate::frame) fn close_head(out: &mut Vec<u8>, trailer: &Trailer<'_>) {
    out.extend_from_slice(b"},\"flag\":");
    push_int(out, i64::from(trailer.flag));
    out.extend_from_slice(b",\"language\":\"RUST\",\"opaque\":");
    push_int(out, i64::from(trailer.opaque.raw()));
    if let Some(remark) = trailer.remark {
        out.extend_from_slice(b",\"remark\":\"");
        escape_into(out, remark);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    push_int(out, i64::from(trailer.version));
    out.push(b'}');
}

/// Appends a number in decimal.
pub(in crate::frame) fn push_int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes extension fields as members of an object, without the braces around them.
#[derive(Debug)]
pub struct JsonFields<'a> {
    out: &'a mut Vec<u8>,
    /// Where the first field stands, or will.
    begin: usize,
}

impl<'a> JsonFields<'a> {
    /// Writes to the end of `out`, where no field stands yet.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let begin = out.len();
        Self { out, begin }
    }

    /// The same, where fields stand from `begin` on already.
    pub(in crate::frame) const fn behind(out: &'a mut Vec<u8>, begin: usize) -> Self {
        Self { out, begin }
    }

    fn comma(&mut self) {
        if self.out.len() > self.begin {
            self.out.push(b',');
        }
    }

    /// A name that needs no escape, and the quotes up to its value.
    fn name(&mut self, key: &str) {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":\"");
    }
}

impl FieldSink for JsonFields<'_> {
    fn text(&mut self, key: &'static str, value: &str) {
        self.name(key);
        escape_into(self.out, value);
        self.out.push(b'"');
    }

    fn int(&mut self, key: &'static str, value: i64) {
        self.name(key);
        push_int(self.out, value);
        self.out.push(b'"');
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.name(key);
        self.out.extend_from_slice(if value { b"true\"" } else { b"false\"" });
    }

    fn pair(&mut self, key: &str, value: &str) {
        self.comma();
        self.out.push(b'"');
        escape_into(self.out, key);
        self.out.extend_from_slice(b"\":\"");
        escape_into(self.out, value);
        self.out.push(b'"');
    }
}

impl WireFields for JsonFields<'_> {
    #[cfg(feature = "acl")]
    const LONGEST_NAME: usize = usize::MAX;
}
