//! Who asked, what is answered, and the outbox that answers wait in.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::frame::request::NotifyIdsRequest;
use rocketry_core::frame::{
    Opaque, OutFrame, Payload, ReplyFields, Request, RequestCode, ResponseCode, version,
};
use rocketry_core::rng::Rng;
use rocketry_core::time::{Instant, UnixMillis};

use super::config::ClusterConfig;
use super::draft::Pen;
use super::fault::{Fault, Faults};
use super::registry::Registry;
use super::{ConnId, ListenerId, Output};

/// The first version (5.3.2) that answers 29 to what cannot be, such as a queue that is not there.
const INVALID_PARAMETER: i32 = version::V5_3_1 + 2;

/// What a server of this version answers to a field out of range: 29, and 1 before 5.3.2.
pub(super) const fn invalid(server: i32) -> ResponseCode {
    if server < INVALID_PARAMETER {
        ResponseCode::SYSTEM_ERROR
    } else {
        ResponseCode::INVALID_PARAMETER
    }
}

/// The end of many of Java's remarks (`FAQUrl.suggestTodo`).
pub(super) const fn see(server: i32) -> &'static str {
    if version::pops(server) {
        "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
    } else {
        "\nSee http://rocketmq.apache.org/docs/faq/ for further details."
    }
}

/// The sender of one request, and how it is to be answered.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) conn: ConnId,
    pub(super) listener: ListenerId,
    pub(super) peer: SocketAddr,
    pub(super) code: RequestCode,
    pub(super) opaque: Opaque,
    pub(super) oneway: bool,
    /// From which offset on a pull asks.
    pub(super) from: Option<i64>,
    /// The version it shows.
    pub(super) version: i32,
    /// The version of the server it asks: what that one knows, and shows in its answers.
    pub(super) server: i32,
    /// What the test wants to become of the request.
    pub(super) fault: Fault,
}

/// A reply, but for where it goes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) remark: Option<Arc<str>>,
    pub(super) fields: ReplyFields,
    pub(super) body: Bytes,
}

impl Answer {
    /// Success with these fields and no body.
    pub(super) const fn fields(fields: ReplyFields) -> Self {
        Self { code: ResponseCode::SUCCESS, remark: None, fields, body: Bytes::new() }
    }

    /// Success with this body and no fields.
    pub(super) const fn body(body: Bytes) -> Self {
        Self { code: ResponseCode::SUCCESS, remark: None, fields: ReplyFields::None, body }
    }

    /// An error and its text.
    pub(super) fn error(code: ResponseCode, remark: impl AsRef<str>) -> Self {
        let remark = Some(Arc::from(remark.as_ref()));
        Self { code, remark, fields: ReplyFields::None, body: Bytes::new() }
    }

    /// Success, in the words of a Java handler that says nothing
    /// (`RemotingCommand.createResponseCommand`).
    pub(super) fn done() -> Self {
        let remark = Some(Arc::from("not set any response code"));
        Self { remark, ..Self::fields(ReplyFields::None) }
    }

    /// What Java's default processor says to a code it does not know.
    pub(super) fn unsupported(code: RequestCode) -> Self {
        let remark = format!(" request type {} not supported", code.0);
        Self::error(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark)
    }
}

/// Frames ready to go, and frames that a fault delays.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    ready: VecDeque<Output>,
    delayed: BTreeMap<(Instant, u64), Output>,
    sequence: u64,
    opaque: i32,
}

impl Outbox {
    pub(super) fn push(&mut self, output: Output) {
        self.ready.push_back(output);
    }

    fn push_at(&mut self, at: Instant, output: Output) {
        self.sequence += 1;
        self.delayed.insert((at, self.sequence), output);
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }

    pub(super) fn next_delayed(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Moves what was delayed until `now` to the ready frames.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry().filter(|e| e.key().0 <= now) {
            self.ready.push_back(entry.remove());
        }
    }

    /// Forgets every frame to `conn`.
    pub(super) fn forget(&mut self, conn: ConnId) {
        let to = |output: &Output| matches!(output, Output::Frame { conn: to, .. } if *to == conn);
        self.ready.retain(|output| !to(output));
        self.delayed.retain(|_, output| !to(output));
    }

    /// Tells a consumer that its group changed: oneway.
    pub(super) fn notify(&mut self, conn: ConnId, group: &str) {
        let request = Request::NotifyIds(NotifyIdsRequest { consumer_group: Arc::from(group) });
        self.ask(conn, request, Bytes::new(), true);
    }

    /// Asks a client, under an opaque of the broker's own.
    pub(super) fn ask(
        &mut self,
        conn: ConnId,
        request: Request,
        body: Bytes,
        oneway: bool,
    ) -> Opaque {
        self.opaque = (self.opaque + 1) & i32::MAX;
        let opaque = Opaque::from_raw(self.opaque);
        let payload = Payload::Request { request: Box::new(request), body, oneway };
        self.push(Output::Frame { conn, frame: OutFrame { opaque, payload } });
        opaque
    }
}

/// What a handler may look at and change besides its own broker.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) unix: UnixMillis,
    pub(super) config: &'a ClusterConfig,
    pub(super) rng: &'a mut Rng,
    pub(super) faults: &'a Faults,
    pub(super) registry: &'a Registry,
    pub(super) out: &'a mut Outbox,
    pub(super) pen: &'a mut Pen,
}

impl Turn<'_> {
    /// Queues the answer, unless nobody waits for one; as the fault says, if there is one.
    pub(super) fn reply(&mut self, to: &Caller, answer: Answer) {
        let Answer { code, remark, fields, body } = self.pen.edited(to, answer);
        let payload =
            Payload::Reply { code, remark, fields: Box::new(fields), body, version: to.server };
        let frame = OutFrame { opaque: to.opaque, payload };
        let none = Duration::ZERO;
        match to.fault {
            Fault::Pass | Fault::Refuse(_) => self.answer(to, none, frame),
            Fault::Late(by) => self.answer(to, by, frame),
            Fault::Twice(apart) => {
                self.answer(to, none, frame.clone());
                self.answer(to, apart, frame);
            }
            Fault::AnswerAndClose => {
                self.answer(to, none, frame);
                self.put(to, none, Output::Finish { conn: to.conn });
            }
            Fault::Close | Fault::LoseAndClose => {
                self.put(to, none, Output::Finish { conn: to.conn });
            }
            Fault::Mute | Fault::Lose => {}
        }
    }

    fn answer(&mut self, to: &Caller, after: Duration, frame: OutFrame) {
        if !to.oneway {
            self.put(to, after, Output::Frame { conn: to.conn, frame });
        }
    }

    fn put(&mut self, to: &Caller, after: Duration, output: Output) {
        match self.faults.delay_of(to.code) + after {
            delay if delay.is_zero() => self.out.push(output),
            delay => self.out.push_at(self.now + delay, output),
        }
    }
}
