//! Requests of peers: what each is, by its code; who waits for an answer; and what is done about
//! those who ask without end.
//!
//! | code | what it is | answer |
//! |---|---|---|
//! | `NOTIFY_CONSUMER_IDS_CHANGED` (40) | a group's members changed | 0 |
//! | `RESET_CONSUMER_CLIENT_OFFSET` (220) | a group goes on elsewhere | 0 |
//! | `GET_CONSUMER_STATUS_FROM_CLIENT` (221) | how far a group has come | 0 and a table |
//! | `GET_CONSUMER_RUNNING_INFO` (307) | what a consumer does | 0 and its running info |
//! | `CONSUME_MESSAGE_DIRECTLY` (309) | a message for the application | 0 and what it made of it |
//! | `CHECK_TRANSACTION_STATE` (39) | how a half message ended | by a request of our own (37) |
//! | `PUSH_REPLY_MESSAGE_TO_CLIENT` (326) | the reply to a request of the application's | 0 |
//! | any other | nothing that this client serves | 3, `REQUEST_CODE_NOT_SUPPORTED` |
//!
//! A request that wants an answer has a place in the table until it has one, which need not be at
//! once: whom to answer, on which connection, and by when. One that is not answered by then is
//! answered with an error, and one whose connection is gone by nobody.
//!
//! A peer that asks and does not read would have answers pile up for it. When 256 KiB of them wait
//! for a connection's writer, or 1,024 requests of all peers have no answer yet, further ones are
//! dropped, neither served nor answered, and counted. That is no reason to close: a peer may have
//! asked much at once and read it all. But its connection is then watched, and closed
//! (`CloseReason::Silent`) when its writer takes nothing for as long as a peer may be silent that
//! has not answered us in time. What wants no answer is always served.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Context;
use crate::body::ResetOffsetBody;
use crate::effects::{PushedReply, TimerKind};
use crate::frame::request::{CheckTransactionRequest, ResetOffsetRequest};
use crate::frame::{
    HeaderError, Opaque, OutFrame, ReplyFields, Request, RequestCode, ResponseCode,
};
use crate::id::{ConnectionId, PeerId, RequestId, Slots};
use crate::message::properties::PRODUCER_GROUP;
use crate::message::{RecordList, UniqueId};
use crate::name::{Group, Namespace, Topic};
use crate::timer::TimerKey;

/// Requests of all peers that may be without an answer.
const OPEN: usize = 1024;
/// Brokers wait for ten seconds at most (`Broker2Client.callClient`); what is told them later is
/// told nobody.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerRequest {
    /// A group's members changed; `None`: it can't be a group of ours, whose name is none.
    MembersChanged(Option<Group>),
    /// A group is to go on from other offsets, in these queues of a topic.
    ResetOffsets(Box<OffsetReset>),
    /// How far a group has come in a topic.
    Status(Group, Topic),
    /// What the consumer of a group does.
    RunningInfo(Group),
    /// A message that the consumer of a group is to hand to its application.
    ConsumeDirectly(Box<DirectMessage>),
    /// The reply to a request of the application's.
    Reply(Box<PushedReply>),
    /// How a half message ended.
    Check(Box<HalfCheck>),
    /// One of these that can't be read.
    Unreadable(Box<str>),
    /// Nothing that we serve.
    Unknown(RequestCode),
}

/// Offsets from which a group is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetReset {
    pub(crate) group: Group,
    pub(crate) topic: Topic,
    pub(crate) offsets: ResetOffsetBody,
}

/// A message that an administrator wants handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectMessage {
    pub(crate) group: Group,
    /// The broker that has it, if it was told.
    pub(crate) broker: Arc<str>,
    pub(crate) records: RecordList,
}

/// A broker asks how a half message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HalfCheck {
    pub(crate) group: Group,
    /// The message's unique id, where it is one of the usual form.
    pub(crate) id: Option<UniqueId>,
    /// What the broker told, to be told it again.
    pub(crate) asked: CheckTransactionRequest,
    /// The half message.
    pub(crate) records: RecordList,
}

impl HalfCheck {
    fn read(
        asked: &CheckTransactionRequest,
        records: RecordList,
        of: &Namespace,
    ) -> Result<Self, String> {
        let group = records.record(0).and_then(|record| record.property(PRODUCER_GROUP));
        let group = group.ok_or("the body is no half message that names its group")?;
        let group = of.told_group(group).map_err(|error| error.to_string())?;
        let unique = records.record(0).and_then(|record| record.unique_id());
        let id = unique.and_then(|id| UniqueId::parse(id).ok());
        Ok(Self { group, id, asked: asked.clone(), records })
    }
}

impl PeerRequest {
    /// What a request is, by its code. Before any lock is taken: see [`Decoder`](super::Decoder).
    pub(super) fn read(
        request: &Result<Request, HeaderError>,
        code: RequestCode,
        (body, held): (Bytes, usize),
        opened_max: u32,
        namespace: &Namespace,
    ) -> Self {
        let of = |group: &Arc<str>| namespace.told_group(group);
        let asked = match request {
            Ok(Request::NotifyIds(notice)) => {
                Ok(Self::MembersChanged(of(&notice.consumer_group).ok()))
            }
            Ok(Request::ResetOffset(reset)) => Self::reset(reset, &body, namespace),
            Ok(Request::ConsumerStatus(status)) => of(&status.group)
                .and_then(|group| Ok(Self::Status(group, namespace.told_topic(&status.topic)?)))
                .map_err(|error| error.to_string()),
            Ok(Request::RunningInfo(info)) => {
                of(&info.consumer_group).map(Self::RunningInfo).map_err(|error| error.to_string())
            }
            Ok(Request::ConsumeDirectly(direct)) => {
                let records = RecordList::cut_within(body, held, opened_max);
                let broker = direct.broker_name.clone().unwrap_or_default();
                of(&direct.consumer_group)
                    .map(|group| DirectMessage { group, broker, records })
                    .map(|direct| Self::ConsumeDirectly(Box::new(direct)))
                    .map_err(|error| error.to_string())
            }
            Ok(Request::PushReply(push)) => {
                Ok(Self::Reply(Box::new(PushedReply::of(push, body, opened_max))))
            }
            Ok(Request::CheckTransaction(check)) => {
                let records = RecordList::cut_within(body, held, opened_max);
                HalfCheck::read(check, records, namespace).map(|check| Self::Check(Box::new(check)))
            }
            Ok(_) | Err(_) => Ok(Self::Unknown(code)),
        };
        asked.unwrap_or_else(|error| Self::Unreadable(error.into()))
    }

    fn reset(reset: &ResetOffsetRequest, body: &[u8], of: &Namespace) -> Result<Self, String> {
        let group = of.told_group(&reset.group).map_err(|error| error.to_string())?;
        let topic = of.told_topic(&reset.topic).map_err(|error| error.to_string())?;
        let offsets = ResetOffsetBody::parse(body).map_err(|error| error.to_string())?;
        Ok(Self::ResetOffsets(Box::new(OffsetReset { group, topic, offsets })))
    }
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) opaque: Opaque,
    pub(crate) asked: PeerRequest,
    pub(crate) oneway: bool,
}

/// What a peer is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerAnswer {
    /// What was asked is done.
    Done,
    /// What was asked for.
    Body(Bytes),
    /// What was asked is not done, and why.
    Refused(ResponseCode, Arc<str>),
}

impl PeerAnswer {
    /// To a request that nobody here serves.
    pub(crate) fn unknown(code: RequestCode) -> Self {
        let remark = format!("request type {code} is not for this client");
        Self::Refused(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark.into())
    }

    /// To a request about a group that is none of this client's (`ClientRemotingProcessor`).
    pub(crate) fn no_consumer(group: &Group) -> Self {
        let remark = format!("this client has no consumer of the group {group}");
        Self::Refused(ResponseCode::SYSTEM_ERROR, remark.into())
    }

    fn frame(self, opaque: Opaque) -> OutFrame {
        match self {
            Self::Done => Self::Body(Bytes::new()).frame(opaque),
            Self::Body(body) => {
                OutFrame::reply(opaque, ResponseCode::SUCCESS, ReplyFields::None, body)
            }
            Self::Refused(code, remark) => OutFrame::refusal(opaque, code, remark),
        }
    }
}

/// A request without an answer yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    peer: PeerId,
    /// The answer goes there or nowhere.
    conn: ConnectionId,
    opaque: Opaque,
    /// By when it is answered with an error.
    timer: TimerKey,
}

/// The requests of all peers that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: Slots<RequestId, Open>,
}

impl Requests {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The timer of each.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.open.iter().map(|(_, open)| open.timer)
    }
}

impl Context {
    /// A request of the peer's came. Gives what it asks for and, if it wants an answer, under which
    /// id it [gets](Self::reply) that; or nothing, and it is dropped.
    pub(crate) fn take_in(
        &mut self,
        peer: PeerId,
        conn: ConnectionId,
        incoming: Incoming,
    ) -> Option<(PeerRequest, Option<RequestId>)> {
        let Incoming { opaque, asked, oneway } = incoming;
        self.fx.counters.requests_received += 1;
        self.remoting.peers.used(conn, self.fx.now);
        // What comes on a connection that its peer has left can't be answered there.
        if oneway || self.remoting.peers.connection(peer) != Some(conn) {
            return Some((asked, None));
        }
        if self.remoting.requests.len() >= OPEN || !self.remoting.peers.takes_answer(peer) {
            self.fx.counters.requests_dropped += 1;
            let (peers, fx) = self.peers();
            peers.suspect_reader(fx, peer);
            return None;
        }
        let fx = &mut self.fx;
        let id = self.remoting.requests.open.insert_with(|id| {
            let timer = fx.after(ANSWER_WITHIN, TimerKind::Request(id));
            Open { peer, conn, opaque, timer }
        });
        Some((asked, Some(id)))
    }

    /// Answers a request, now or later. What is over already, or whose connection is, stays so.
    pub(crate) fn reply(&mut self, id: RequestId, answer: PeerAnswer) {
        let Some(open) = self.remoting.requests.open.remove(id) else { return };
        self.fx.timers.cancel(open.timer);
        if self.remoting.peers.connection(open.peer) == Some(open.conn) {
            let (peers, fx) = self.peers();
            peers.send_answer(fx, open.peer, answer.frame(open.opaque));
        }
    }

    /// A request has had no answer for as long as its peer waits.
    pub(crate) fn request_overdue(&mut self, id: RequestId) {
        let remark = Arc::from("this client gave no answer in time");
        self.reply(id, PeerAnswer::Refused(ResponseCode::SYSTEM_ERROR, remark));
    }

    /// A connection is gone: nobody waits for the answers to what came on it.
    pub(crate) fn forget_requests(&mut self, conn: ConnectionId) {
        let requests = &mut self.remoting.requests;
        if requests.open.is_empty() {
            return;
        }
        for id in requests.open.ids() {
            if requests.open.get(id).is_some_and(|open| open.conn == conn)
                && let Some(open) = requests.open.remove(id)
            {
                self.fx.timers.cancel(open.timer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::effects::Effects;
    use crate::error::PeerKind;
    use crate::frame::Payload;
    use crate::name::Endpoint;
    use crate::remoting::Remoting;
    use crate::rng::Rng;
    use crate::time::{Instant, UnixMillis};

    /// A context with one connected peer.
    fn connected() -> (Context, PeerId, ConnectionId) {
        let config = Arc::new(Config::new("ns:9876").unwrap());
        let fx = Effects::new(config, Rng::new(1), Instant::ZERO, UnixMillis(0));
        let mut ctx = Context { fx, remoting: Remoting::default() };
        let endpoint = Endpoint::parse("broker:10911").unwrap();
        let peer = ctx.remoting.peers.at(PeerKind::Broker, &endpoint);
        ctx.want(peer);
        let (peers, fx) = ctx.peers();
        let Some(crate::effects::Command::Connect { conn, .. }) = fx.commands.pop_front() else {
            panic!("it connects")
        };
        peers.connected_now(fx, conn).unwrap();
        (ctx, peer, conn)
    }

    fn incoming(opaque: u32) -> Incoming {
        let asked = PeerRequest::Unknown(RequestCode(4711));
        Incoming { opaque: Opaque::from_raw(opaque as i32), asked, oneway: false }
    }

    fn open(ctx: &mut Context, peer: PeerId, conn: ConnectionId, opaque: u32) -> RequestId {
        ctx.take_in(peer, conn, incoming(opaque)).unwrap().1.unwrap()
    }

    /// The opaques and codes of the answers that wait for the writer.
    fn answers(ctx: &mut Context, conn: ConnectionId) -> Vec<(i32, ResponseCode)> {
        let now = ctx.fx.now;
        let next = || ctx.remoting.peers.next_frame(conn, now);
        let code = |frame: OutFrame| match frame.payload {
            Payload::Reply { code, .. } => (frame.opaque.raw(), code),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(next).map(code).collect()
    }

    #[test]
    fn requests_are_answered_in_whatever_order_the_answers_come_and_once() {
        let (mut ctx, peer, conn) = connected();
        let [first, second] = [1, 2].map(|n| open(&mut ctx, peer, conn, n));
        ctx.reply(second, PeerAnswer::Done);
        ctx.reply(first, PeerAnswer::unknown(RequestCode(4711)));
        ctx.reply(first, PeerAnswer::Done);
        let refused = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
        assert_eq!(answers(&mut ctx, conn), [(2, ResponseCode::SUCCESS), (1, refused)]);
        assert_eq!(ctx.remoting.requests.len(), 0);
    }

    #[test]
    fn what_nobody_answers_in_time_is_answered_with_an_error() {
        let (mut ctx, peer, conn) = connected();
        let id = open(&mut ctx, peer, conn, 1);
        ctx.fx.now = Instant::ZERO + ANSWER_WITHIN;
        let due = std::iter::from_fn(|| ctx.fx.timers.pop_due(ctx.fx.now)).collect::<Vec<_>>();
        assert!(due.contains(&TimerKind::Request(id)), "{due:?}");
        ctx.request_overdue(id);
        ctx.reply(id, PeerAnswer::Done);
        assert_eq!(answers(&mut ctx, conn), [(1, ResponseCode::SYSTEM_ERROR)]);
    }

    #[test]
    fn the_table_takes_so_many_and_lets_go_of_those_whose_connection_is_gone() {
        let (mut ctx, peer, conn) = connected();
        let timers = ctx.fx.timers.len();
        let ids: Vec<_> = (0..OPEN as u32).map(|n| open(&mut ctx, peer, conn, n)).collect();
        assert!(ctx.take_in(peer, conn, incoming(0)).is_none());
        assert_eq!(ctx.fx.counters.requests_dropped, 1);
        assert_eq!(ctx.remoting.requests.timers().count(), OPEN);
        ctx.forget_requests(conn);
        assert_eq!((ctx.remoting.requests.len(), ctx.fx.timers.len()), (0, timers));
        ctx.reply(ids[0], PeerAnswer::Done);
        assert_eq!(answers(&mut ctx, conn), []);
    }
}
