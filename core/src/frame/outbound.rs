//! The writing half of a connection: frames in, bytes out, and which frames never left.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::code::RequestCode;
use super::error::FrameError;
use super::head::{FLAG_ONEWAY, FLAG_REPLY, HeaderForm};
use super::header::{FieldSink, WriteFields};
use super::inbound::Limits;
use super::json::{self, JsonFields, Trailer};
use super::opaque::Opaque;
use super::out_frame::{OutFrame, Payload};
use super::reply::ReplyFields;
use super::request::{HeartbeatRequest, PlainRequest, Request};
use super::seal::Seal;
use super::{CLIENT_VERSION, binary};
use crate::config::Config;
use crate::message::Publish;

/// Bodies below this many bytes are copied behind their header; larger ones are chained.
const COPY_MAX: usize = 4 << 10;
/// Most bytes kept for headers when nothing is to be written.
const TAIL_KEEP: usize = 1 << 20;
/// Bytes written from which the tail is moved to its front.
const COMPACT_MIN: usize = 64 << 10;

/// Encodes frames and remembers how far they were written.
///
/// [`push`](Self::push) frames, write [`slices`](Self::slices), and [`advance`](Self::advance) over
/// what the socket took.
pub struct Outbound {
    /// Headers and small bodies, one after the other.
    tail: Vec<u8>,
    /// Bytes of the tail already written.
    tail_sent: usize,
    /// Large bodies, each with the place in the tail before which it is written.
    chained: VecDeque<(usize, Bytes)>,
    /// The frames not yet written whole: where each ends, counted in all bytes ever pushed.
    frames: VecDeque<(u64, Opaque)>,
    pushed: u64,
    sent: u64,
    /// Where the last frame that was written whole ends.
    whole: u64,
    form: HeaderForm,
    limits: Limits,
    /// What is added to every request.
    seal: Option<Box<Seal>>,
}

/// Shows how much there is, and not what: tokens are not for the log.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("bytes", &self.len())
            .field("frames", &self.frames.len())
            .finish_non_exhaustive()
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbound {
    /// An empty one with the limits [`Limits::SENT`]; allocates nothing yet.
    pub fn new() -> Self {
        Self::with_limits(Limits::SENT)
    }

    /// One with limits of its own. The number of fields is not counted, and a header is never
    /// longer than 16 MiB.
    pub fn with_limits(limits: Limits) -> Self {
        let (tail, chained, frames) = (Vec::new(), VecDeque::new(), VecDeque::new());
        let (form, seal) = (HeaderForm::Json, None);
        let (tail_sent, pushed, sent, whole) = (0, 0, 0, 0);
        Self { tail, tail_sent, chained, frames, pushed, sent, whole, form, limits, seal }
    }

    /// One for the connections of a client with these settings: it sends as much as that one
    /// reads, puts the client's namespace into every request, and signs each with its access key,
    /// anew each time it is encoded. Answers are not signed, as Java's are not. Headers have no
    /// limit of their own then: tokens may be long.
    pub fn of(config: &Config) -> Self {
        Self::of_limits(config, Limits::of(config).sent())
    }

    /// The same with limits of its own.
    pub(crate) fn of_limits(config: &Config, limits: Limits) -> Self {
        Self { seal: Seal::of(config), ..Self::with_limits(limits) }
    }

    /// The same, writing headers in `form` where it can: publishes, and codes above 32,767, are
    /// JSON all the same. Any peer reads both forms.
    #[must_use]
    pub fn in_form(mut self, form: HeaderForm) -> Self {
        self.form = form;
        self
    }

    /// Encodes a frame behind the others. One that is larger than the limits is left out, whole.
    pub fn push(&mut self, frame: &OutFrame) -> Result<(), FrameError> {
        let limit = self.limits.frame;
        let too_large = |length| FrameError::TooLarge { length, limit };
        if frame.body().len() > limit {
            return Err(too_large(frame.body().len()));
        }
        self.compact();
        let begin = self.tail.len();
        self.tail.extend_from_slice(&[0; 8]);
        let (body, form) = encode_head(&mut self.tail, self.form, self.seal.as_deref_mut(), frame);
        let header = self.tail.len() - begin - 8;
        let length = 4 + header + body.len();
        // What the seal adds is as long as it has to be: without it nothing is of any use.
        let most = if self.seal.is_some() { usize::MAX } else { self.limits.header };
        let most = most.min((1 << 24) - 1);
        if header > most || length > limit {
            self.tail.truncate(begin);
            return Err(if header > most {
                FrameError::HeaderTooLarge { length: header, limit: most }
            } else {
                too_large(length)
            });
        }
        self.tail[begin..begin + 4].copy_from_slice(&(length as u32).to_be_bytes());
        self.tail[begin + 4..begin + 8].copy_from_slice(&(header as u32).to_be_bytes());
        self.tail[begin + 4] = form.byte();
        if body.len() < COPY_MAX {
            self.tail.extend_from_slice(body);
        } else {
            self.chained.push_back((self.tail.len(), body.clone()));
        }
        self.pushed += 4 + length as u64;
        self.frames.push_back((self.pushed, frame.opaque));
        Ok(())
    }

    /// Fills `into` with the bytes to write next, in order, and tells how many slices that took.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut room = into.iter_mut();
        let mut used = 0;
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return true;
            }
            let slot = room.next();
            used += usize::from(slot.is_some());
            slot.map(|slot| *slot = IoSlice::new(bytes)).is_some()
        };
        let mut from = self.tail_sent;
        for (at, body) in &self.chained {
            if !put(&self.tail[from..*at]) || !put(body) {
                return used;
            }
            from = *at;
        }
        put(&self.tail[from..]);
        used
    }

    /// The next `n` bytes were written. More than there are is clamped.
    pub fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len());
        self.sent += left as u64;
        while left > 0 {
            let edge = self.chained.front().map_or(self.tail.len(), |(at, _)| *at);
            let step = left.min(edge - self.tail_sent);
            self.tail_sent += step;
            left -= step;
            if let Some((_, body)) = self.chained.front_mut().filter(|_| left > 0) {
                let step = left.min(body.len());
                body.advance(step);
                left -= step;
                if body.is_empty() {
                    self.chained.pop_front();
                }
            }
        }
        while let Some((end, _)) = self.frames.front().filter(|(end, _)| *end <= self.sent) {
            self.whole = *end;
            self.frames.pop_front();
        }
        if self.is_empty() {
            self.tail.clear();
            self.tail_sent = 0;
            if self.tail.capacity() > TAIL_KEEP {
                self.tail.shrink_to(COMPACT_MIN);
            }
        }
    }

    /// Bytes left to write.
    pub const fn len(&self) -> usize {
        (self.pushed - self.sent) as usize
    }

    /// Nothing is left to write.
    pub const fn is_empty(&self) -> bool {
        self.pushed == self.sent
    }

    /// Opaques of the frames whose last byte was not advanced over, in order: the peer cannot have
    /// seen them whole.
    pub fn unsent(&self) -> impl Iterator<Item = Opaque> {
        self.frames.iter().map(|&(_, opaque)| opaque)
    }

    /// The first of those, if the peer may have seen a part of it.
    pub fn begun(&self) -> Option<Opaque> {
        self.frames.front().filter(|_| self.sent > self.whole).map(|&(_, opaque)| opaque)
    }

    /// A writer that is never done would let the written part of the tail grow without end.
    fn compact(&mut self) {
        if self.tail_sent >= COMPACT_MIN && self.tail_sent >= self.tail.len() / 2 {
            self.tail.drain(..self.tail_sent);
            self.chained.iter_mut().for_each(|(at, _)| *at -= self.tail_sent);
            self.tail_sent = 0;
        }
    }
}

/// Appends the header of a frame; gives its body and the form that the header has.
fn encode_head<'a>(
    out: &mut Vec<u8>,
    form: HeaderForm,
    seal: Option<&mut Seal>,
    frame: &'a OutFrame,
) -> (&'a Bytes, HeaderForm) {
    let opaque = frame.opaque;
    let asked = |flag, code: RequestCode, seal: &Option<&mut Seal>| {
        let version = seal.as_ref().map_or(CLIENT_VERSION, |seal| seal.version(code));
        Trailer { flag, opaque, remark: None, version }
    };
    match &frame.payload {
        Payload::Publish { publish, queue, broker, oneway } => {
            let flag = if *oneway { FLAG_ONEWAY } else { 0 };
            let trailer = asked(flag, publish.code(), &seal);
            encode_publish(out, &trailer, seal, publish, *queue, broker);
            (publish.body(), HeaderForm::Json)
        }
        Payload::Request { request, body, oneway } => {
            let (flag, code) = (if *oneway { FLAG_ONEWAY } else { 0 }, request.code());
            let trailer = asked(flag, code, &seal);
            let seal = seal.map(|seal| (seal, &**body));
            (body, encode_fields(out, form, code.0, &trailer, &**request, seal))
        }
        Payload::Heartbeat(heartbeat) => {
            let request = Request::Heartbeat(HeartbeatRequest::default());
            let (code, body) = (request.code(), heartbeat.json());
            let trailer = asked(0, code, &seal);
            let seal = seal.map(|seal| (seal, &**body));
            (body, encode_fields(out, form, code.0, &trailer, &request, seal))
        }
        Payload::Locks { locks, unlock } => {
            let plain = PlainRequest::default();
            let request = if *unlock { Request::Unlock(plain) } else { Request::Lock(plain) };
            let (code, body) = (request.code(), locks.json());
            let trailer = asked(0, code, &seal);
            let seal = seal.map(|seal| (seal, &**body));
            (body, encode_fields(out, form, code.0, &trailer, &request, seal))
        }
        Payload::Reply { code, remark, fields, body, version } => {
            let (remark, version) = (remark.as_deref(), *version);
            let trailer = Trailer { flag: FLAG_REPLY, opaque, remark, version };
            (body, encode_fields(out, form, code.0, &trailer, &**fields, None))
        }
    }
}

impl WriteFields for Request {
    fn write_fields<W: FieldSink>(&self, to: &mut W) {
        self.write(to);
    }
}

impl WriteFields for ReplyFields {
    fn write_fields<W: FieldSink>(&self, to: &mut W) {
        self.write(to);
    }
}

/// `seal` comes with the body, which is signed as well.
fn encode_fields(
    out: &mut Vec<u8>,
    form: HeaderForm,
    code: i32,
    trailer: &Trailer<'_>,
    fields: &impl WriteFields,
    seal: Option<(&mut Seal, &[u8])>,
) -> HeaderForm {
    if let (HeaderForm::Binary, Ok(short)) = (form, i16::try_from(code)) {
        binary::write_head(out, short, trailer, |to| {
            fields.write_fields(to);
            if let Some((seal, body)) = seal {
                seal.close((RequestCode(code), body), fields, to);
            }
        });
        return HeaderForm::Binary;
    }
    json::open_head(out, code);
    let mut to = JsonFields::new(out);
    fields.write_fields(&mut to);
    if let Some((seal, body)) = seal {
        seal.close((RequestCode(code), body), fields, &mut to);
    }
    json::close_head(out, trailer);
    HeaderForm::Json
}

/// Most of the fields were encoded when the message was made: only its aim is added.
fn encode_publish(
    out: &mut Vec<u8>,
    trailer: &Trailer<'_>,
    seal: Option<&mut Seal>,
    publish: &Publish,
    queue: i32,
    broker: &str,
) {
    json::open_head(out, publish.code().0);
    let begin = out.len();
    out.extend_from_slice(publish.fields());
    out.extend_from_slice(b",\"e\":\"");
    json::push_int(out, i64::from(queue));
    out.extend_from_slice(b"\",\"n\":\"");
    json::escape_into(out, broker);
    out.push(b'"');
    if let Some(seal) = seal {
        let to = &mut JsonFields::behind(out, begin);
        seal.close_publish(publish, (queue, broker), to);
    }
    json::close_head(out, trailer);
}
