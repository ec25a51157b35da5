//! What a client makes of a frame, before any lock is taken.

use bytes::Bytes;

use super::code::{RequestCode, ResponseCode};
use super::error::HeaderError;
use super::head::Head;
use super::opaque::{Kind, Opaque};
use super::reply::ReplyFields;
use super::request::Request;

/// A frame whose header is decoded and whose body is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The number that ties a reply to its request. That of a request is the peer's own choice.
    pub opaque: Opaque,
    /// The ordinal of the peer's version in Java's `MQVersion.Version`.
    pub version: i32,
    /// A reply or a request.
    pub content: Content,
    /// The body. It keeps less than twice its length alive: see [`Whole::body`].
    ///
    /// [`Whole::body`]: super::Whole::body
    pub body: Bytes,
    /// Bytes of memory that the body keeps alive.
    pub held: usize,
    /// Bytes on the wire, length words included.
    pub size: usize,
}

/// A reply to a request of ours, or a request of the peer's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// The answer to one of our requests.
    Reply(Reply),
    /// A request.
    Request {
        /// Its fields, or why they can't be read.
        request: Result<Request, HeaderError>,
        /// It must not be answered.
        oneway: bool,
        /// Its code, known even if the fields are not.
        code: RequestCode,
    },
}

/// Bytes of a remark that are kept: a peer may send megabytes, and attempts, notes and answers keep
/// them for as long as they live.
const REMARK_MAX: usize = 1 << 10;

fn shortened(text: &str) -> &str {
    let fits = (0..=REMARK_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..fits.unwrap_or_default()]
}

/// The header of a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// How the request ended.
    pub code: ResponseCode,
    /// Why it failed, in words: the first 1 KiB of them. Of a pull that found messages, nothing.
    pub remark: Option<Box<str>>,
    /// The fields that the opaque's kind asks for, or why they can't be read.
    pub fields: Result<ReplyFields, HeaderError>,
}

impl Content {
    /// Takes from a header what outlives the read buffer. Bad fields are a value, not an error: the
    /// rest of the connection is sound.
    pub fn read(head: &Head<'_>) -> Self {
        if head.is_reply() {
            let (kind, code) = (head.opaque.kind(), ResponseCode(head.code));
            // One that brought messages says so, `FOUND`: in words, it is of no use.
            let found = kind == Some(Kind::Pull) && code == ResponseCode::SUCCESS;
            let remark = head.remark.as_deref().filter(|_| !found);
            return Self::Reply(Reply {
                code,
                remark: remark.map(|text| Box::from(shortened(text))),
                fields: ReplyFields::read(kind, code, &head.fields),
            });
        }
        let code = RequestCode(head.code);
        Self::Request { request: Request::read(code, &head.fields), oneway: head.is_oneway(), code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_of_megabytes_is_kept_to_a_kibibyte_and_to_whole_characters() {
        assert_eq!(shortened("short"), "short");
        let long = format!("{}{}", "x".repeat(1023), "\u{5173}".repeat(1 << 20));
        assert_eq!(shortened(&long), "x".repeat(1023));
        assert_eq!(shortened(&"\u{5173}".repeat(1000)).len(), 1023);
    }
}
