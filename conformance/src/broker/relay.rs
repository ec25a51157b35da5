//! What a broker asks of clients because somebody asks it: `Broker2Client` and
//! `AdminBrokerProcessor.callConsumer`. A client's answer is passed on, or gathered with others'.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::{ConsumerStatusBody, MessageQueue, QueueTable};
use rocketry_core::frame::request::ConsumerStatusRequest;
use rocketry_core::frame::{Opaque, ReplyFields, Request, ResponseCode, version};
use rocketry_core::time::Instant;

use super::ConnId;
use super::answer::{Answer, Caller, Turn};
use super::asked::ClientAnswer;
use super::node::Node;
use super::reply::Pushed;

/// How long a client may take to tell what it does, or to handle a message (`callClient`).
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How long a client may take to tell its offsets (`getConsumeStatus`).
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// What a client's answer is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To be passed on to who asked.
    Call { caller: Caller, group: Arc<str>, client: Arc<str> },
    /// To be gathered under this client id, in the survey of this number.
    Survey { number: u64, client: Box<str> },
    /// Whether it has taken the reply to its request.
    Reply(Box<Pushed>),
}

#[derive(Debug)]
struct Waiting {
    conn: ConnId,
    until: Instant,
    purpose: Purpose,
}

/// A question to all members of a group.
#[derive(Debug)]
struct Survey {
    caller: Caller,
    open: usize,
    tables: BTreeMap<String, QueueTable<i64>>,
}

/// Requests to clients whose answers somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Relays {
    waiting: BTreeMap<Opaque, Waiting>,
    surveys: BTreeMap<u64, Survey>,
    issued: u64,
}

impl Relays {
    fn wait(&mut self, opaque: Opaque, conn: ConnId, until: Instant, purpose: Purpose) {
        self.waiting.insert(opaque, Waiting { conn, until, purpose });
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    /// Whether a client's frame answers one of these requests.
    pub(super) fn expects(&self, conn: ConnId, opaque: Opaque) -> bool {
        self.waiting.get(&opaque).is_some_and(|waiting| waiting.conn == conn)
    }

    fn drain(&mut self, over: impl Fn(&Waiting) -> bool) -> Vec<Purpose> {
        let found = self.waiting.iter().filter(|(_, waiting)| over(waiting));
        let found: Vec<Opaque> = found.map(|(&opaque, _)| opaque).collect();
        found.iter().filter_map(|opaque| self.waiting.remove(opaque)).map(|w| w.purpose).collect()
    }

    /// Gathers one client's offsets, if it has told any; answers once nobody is left to wait for.
    fn gather(&mut self, turn: &mut Turn<'_>, number: u64, client: &str, body: Option<&Bytes>) {
        let Some(survey) = self.surveys.get_mut(&number) else { return };
        survey.open = survey.open.saturating_sub(1);
        let told = body.and_then(|body| ConsumerStatusBody::parse(body).ok());
        survey.tables.extend(told.map(|told| (client.to_owned(), told.offsets)));
        if survey.open == 0
            && let Some(Survey { caller, tables, .. }) = self.surveys.remove(&number)
        {
            let body = ConsumerStatusBody { clients: tables, ..Default::default() };
            turn.reply(&caller, Answer::body(Bytes::from(body.to_json())));
        }
    }
}

/// What is said of a client whose version knows nothing of a request.
pub(super) fn too_old(version: i32) -> Answer {
    let remark = format!("the client does not support this feature. version={version}");
    Answer::error(ResponseCode::SYSTEM_ERROR, remark)
}

impl Node {
    /// Has one client of a group do what somebody asks for, and passes its answer on.
    pub(super) fn call(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        (group, client): (Arc<str>, Arc<str>),
        request: Request,
        body: Bytes,
    ) {
        let refuse = |remark: String| Answer::error(ResponseCode::SYSTEM_ERROR, remark);
        let member = self.groups.online(&group).and_then(|g| g.members_of(Some(&client)).next());
        let refused = match member {
            None => refuse(format!("The Consumer <{group}> <{client}> not online")),
            Some((_, member)) if !version::tells_running_info(member.version) => refuse(format!(
                "The Consumer <{client}> Version <{}> too low to finish, please upgrade it to \
                 V3_1_8_SNAPSHOT",
                member.version
            )),
            Some((conn, _)) => {
                let purpose = Purpose::Call { caller, group, client };
                return self.ask(turn, conn, request, body, purpose);
            }
        };
        turn.reply(&caller, refused);
    }

    /// Asks the client of a connection, and waits for its answer.
    pub(super) fn ask(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        request: Request,
        body: Bytes,
        purpose: Purpose,
    ) {
        let opaque = turn.out.ask(conn, request, body, false);
        self.relays.wait(opaque, conn, turn.now + CALL_LIMIT, purpose);
    }

    /// Has the members of a group tell their offsets in a topic, and answers with all of them
    /// (223). Java asks one after the other, 5 s each; here all are asked at once.
    pub(super) fn status(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: &ConsumerStatusRequest,
    ) {
        let group = &*request.group;
        let Some(online) = self.groups.online(group) else {
            let remark = format!("No Any Consumer online in the consumer group: [{group}]");
            return turn.reply(&caller, Answer::error(ResponseCode::SYSTEM_ERROR, remark));
        };
        let old = online.members.values().find(|m| !version::takes_offset_resets(m.version));
        if let Some(member) = old {
            return turn.reply(&caller, too_old(member.version));
        }
        self.relays.issued += 1;
        let (number, until) = (self.relays.issued, turn.now + STATUS_LIMIT);
        let named = request.client_address.as_deref().filter(|id| !id.trim().is_empty());
        let mut open = 0;
        for (conn, member) in online.members_of(named).take(named.map_or(usize::MAX, |_| 1)) {
            let client = member.client_id.clone();
            let opaque = turn.out.ask(conn, status_of(group, &request.topic), Bytes::new(), false);
            self.relays.wait(opaque, conn, until, Purpose::Survey { number, client });
            open += 1;
        }
        if open == 0 {
            let body = ConsumerStatusBody::default();
            return turn.reply(&caller, Answer::body(Bytes::from(body.to_json())));
        }
        let survey = Survey { caller, open, tables: BTreeMap::new() };
        self.relays.surveys.insert(number, survey);
    }

    /// A client has answered.
    pub(super) fn answered(&mut self, turn: &mut Turn<'_>, told: ClientAnswer) {
        let Some(waiting) = self.relays.waiting.remove(&told.opaque) else { return };
        let ClientAnswer { code, remark, body, .. } = told;
        match waiting.purpose {
            Purpose::Call { caller, .. } => {
                let remark = remark.map(Arc::from);
                let answer = Answer { code, remark, fields: ReplyFields::None, body };
                turn.reply(&caller, answer);
            }
            Purpose::Survey { number, client } => {
                let told = Some(&body).filter(|_| code == ResponseCode::SUCCESS);
                self.relays.gather(turn, number, &client, told);
            }
            Purpose::Reply(pushed) => match code {
                ResponseCode::SUCCESS => self.reply_taken(turn, *pushed),
                _ => Self::reply_refused(turn, &pushed),
            },
        }
    }

    /// Waits no longer for clients that have taken too long.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        for purpose in self.relays.drain(|waiting| waiting.until <= now) {
            let why = "RemotingTimeoutException, wait response on the channel timeout";
            self.unanswered(turn, purpose, ResponseCode::CONSUME_MSG_TIMEOUT, why);
        }
    }

    /// A client is gone, and will not answer.
    pub(super) fn hung_up(&mut self, turn: &mut Turn<'_>, conn: ConnId) {
        for purpose in self.relays.drain(|waiting| waiting.conn == conn) {
            let why = "RemotingSendRequestException, send request to the channel failed";
            self.unanswered(turn, purpose, ResponseCode::SYSTEM_ERROR, why);
        }
    }

    fn unanswered(&mut self, turn: &mut Turn<'_>, purpose: Purpose, code: ResponseCode, why: &str) {
        match purpose {
            Purpose::Call { caller, group, client } => {
                let remark = match code {
                    ResponseCode::CONSUME_MSG_TIMEOUT => {
                        format!("consumer <{group}> <{client}> Timeout: {why}")
                    }
                    _ => format!("invoke consumer <{group}> <{client}> Exception: {why}"),
                };
                turn.reply(&caller, Answer::error(code, remark));
            }
            Purpose::Survey { number, client } => self.relays.gather(turn, number, &client, None),
            Purpose::Reply(pushed) => Self::reply_refused(turn, &pushed),
        }
    }
}

/// The question for a client's offsets.
pub(super) fn status_of(group: &str, topic: &str) -> Request {
    Request::ConsumerStatus(ConsumerStatusRequest {
        topic: Arc::from(topic),
        group: Arc::from(group),
        ..Default::default()
    })
}

/// A queue of a broker, as tables name it.
pub(super) fn queue_of(node: &Node, topic: &str, queue: u32) -> MessageQueue {
    MessageQueue {
        broker_name: node.name.to_string(),
        queue_id: queue as i32,
        topic: topic.to_owned(),
    }
}
