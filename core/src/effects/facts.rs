//! Notes as facts by name and as text: for logs of any form.

use std::fmt;
use std::sync::Arc;

use super::Note;
use super::group_words::Unasked;
use crate::error::lack::{CREATE_OR_SEND, is_unknown};
use crate::error::{
    Attempt, CloseReason, DENIED, Failure, FilterRefused, Lack, PeerKind, is_denied, one_line,
    unanswered,
};
use crate::frame::RequestCode;
use crate::name::QueueName;
use crate::name::{Endpoint, Group, Topic};
use crate::time::Rounded;

/// One fact of a note.
#[derive(Clone, Copy)]
pub enum Fact<'a> {
    /// A name, an address, a reason.
    Text(&'a dyn fmt::Display),
    /// A count, a code, an offset.
    Number(i64),
}

impl fmt::Debug for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fact<'_> {
    /// On one line, whatever peers have written into a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => one_line(f, text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// What a note is about: notes about one subject are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Connection(Endpoint),
    Oneway(Endpoint),
    NameServers,
    Heartbeat(Endpoint),
    Replies,
    Id(Group),
    Route(Topic),
    Address(Arc<str>),
    Row(Topic, Arc<str>),
    Share(Group, Topic),
    Unshared(Group, Topic),
    Assignment(Group),
    Subscription(Group, Topic),
    Offset(Group, QueueName),
    Pull(Group, QueueName),
    Filter(Group),
    Tags(Group),
    Ask(Group, RequestCode, Option<QueueName>),
    Back(Group, QueueName),
    Lock(Group, QueueName),
    Slow(Group),
    Held(Group),
    Dead(Group),
    Store(Group, &'static str),
    Check(Group),
    End(Endpoint),
    Delay(Group, Topic),
}

/// Notes about a consumer's group, which have functions of their own below.
macro_rules! about_a_group {
    () => {
        Note::Rebalanced { .. }
            | Note::NotShared { .. }
            | Note::AssignmentDeclined { .. }
            | Note::OtherSubscription { .. }
            | Note::FilterRefused { .. }
            | Note::ForeignTags { .. }
            | Note::OffsetMoved { .. }
            | Note::OffsetReset { .. }
            | Note::SendBackFailed { .. }
            | Note::NotLocked { .. }
            | Note::SlowConsumer { .. }
            | Note::HeldTooLong { .. }
            | Note::DeadLetter { .. }
            | Note::AskFailed { .. }
            | Note::PullAstray { .. }
            | Note::PullRefused { .. }
    };
}

/// Notes about a group whose offsets no broker keeps, which are in `store_facts.rs`.
macro_rules! about_a_store {
    () => {
        Note::Dropped { .. }
            | Note::OffsetsNotLoaded { .. }
            | Note::OffsetsNotSaved { .. }
            | Note::OffsetsDamaged { .. }
    };
}

impl Note {
    /// Whether it tells of trouble: a warning. The others are information.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::RouteFailed { topic, attempt, known } => {
                !has_no_dead_letter(topic, attempt, *known)
            }
            Self::Reconnected { .. }
            | Self::Rebalanced { .. }
            | Self::AssignmentDeclined { .. }
            | Self::RouteChanged { .. }
            | Self::OffsetReset { .. }
            | Self::NameServers { .. }
            | Self::Closed { reason: CloseReason::Idle(_), .. } => false,
            Self::ConnectFailed { .. }
            | Self::Closed { .. }
            | Self::FetchFailed { .. }
            | Self::OnewayLost { .. }
            | Self::ReplyDropped { .. }
            | Self::SharedId { .. }
            | Self::HeartbeatRefused { .. }
            | Self::UnreadableAddress { .. }
            | Self::RowRefused { .. }
            | Self::NotShared { .. }
            | Self::OtherSubscription { .. }
            | Self::FilterRefused { .. }
            | Self::ForeignTags { .. }
            | Self::OffsetMoved { .. }
            | Self::AskFailed { .. }
            | Self::PullAstray { .. }
            | Self::PullRefused { .. }
            | Self::SendBackFailed { .. }
            | Self::NotLocked { .. }
            | Self::SlowConsumer { .. }
            | Self::HeldTooLong { .. }
            | Self::DeadLetter { .. }
            | Self::CheckIgnored { .. }
            | Self::EndRefused { .. }
            | Self::DelayDropped { .. }
            | about_a_store!() => true,
            Self::Repeated { last, .. } => last.is_trouble(),
        }
    }

    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::ConnectFailed { endpoint, .. }
            | Self::Reconnected { endpoint, .. }
            | Self::Closed { endpoint, .. } => Subject::Connection(endpoint.clone()),
            Self::OnewayLost { endpoint, .. } => Subject::Oneway(endpoint.clone()),
            Self::NameServers { .. } | Self::FetchFailed { .. } => Subject::NameServers,
            Self::ReplyDropped { .. } => Subject::Replies,
            Self::SharedId { group, .. } => Subject::Id(group.clone()),
            Self::HeartbeatRefused { endpoint, .. } => Subject::Heartbeat(endpoint.clone()),
            Self::RouteChanged { topic, .. } | Self::RouteFailed { topic, .. } => {
                Subject::Route(topic.clone())
            }
            Self::UnreadableAddress { broker, .. } => Subject::Address(broker.clone()),
            Self::RowRefused { topic, broker, .. } => Subject::Row(topic.clone(), broker.clone()),
            Self::Rebalanced { group, topic, .. } => Subject::Share(group.clone(), topic.clone()),
            Self::NotShared { group, topic, .. } => Subject::Unshared(group.clone(), topic.clone()),
            Self::AssignmentDeclined { group, .. } => Subject::Assignment(group.clone()),
            Self::OtherSubscription { group, topic, .. } => {
                Subject::Subscription(group.clone(), topic.clone())
            }
            Self::FilterRefused { group, .. } => Subject::Filter(group.clone()),
            Self::ForeignTags { group, .. } => Subject::Tags(group.clone()),
            Self::AskFailed { group, ask, queue, .. } => {
                Subject::Ask(group.clone(), *ask, queue.clone())
            }
            Self::OffsetMoved { group, queue, .. } | Self::OffsetReset { group, queue, .. } => {
                Subject::Offset(group.clone(), queue.clone())
            }
            Self::PullRefused { group, queue, .. } | Self::PullAstray { group, queue, .. } => {
                Subject::Pull(group.clone(), queue.clone())
            }
            Self::SendBackFailed { group, queue, .. } => {
                Subject::Back(group.clone(), queue.clone())
            }
            Self::NotLocked { group, queue, .. } => Subject::Lock(group.clone(), queue.clone()),
            Self::SlowConsumer { group, .. } => Subject::Slow(group.clone()),
            Self::HeldTooLong { group, .. } => Subject::Held(group.clone()),
            Self::DeadLetter { group, .. } => Subject::Dead(group.clone()),
            Self::CheckIgnored { group, .. } => Subject::Check(group.clone()),
            Self::EndRefused { endpoint, .. } => Subject::End(endpoint.clone()),
            Self::DelayDropped { group, topic } => Subject::Delay(group.clone(), topic.clone()),
            about_a_store!() => self.subject_of_store(),
            Self::Repeated { last, .. } => last.subject(),
        }
    }

    /// Tells each fact by its name. The names are those of the table at [`Note`].
    pub fn facts(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        use Fact::{Number, Text};
        match self {
            Self::ConnectFailed { peer, endpoint, error } => {
                of_connection(peer, endpoint, tell);
                tell("reason", Text(error));
            }
            Self::Reconnected { peer, endpoint } => of_connection(peer, endpoint, tell),
            Self::Closed { peer, endpoint, reason } => {
                of_connection(peer, endpoint, tell);
                tell("reason", Text(reason));
            }
            Self::OnewayLost { endpoint, count } => {
                all(tell, &[("endpoint", Text(endpoint)), ("count", Number(*count as i64))]);
            }
            Self::NameServers { servers } => tell("servers", Text(&Joined(servers, ";"))),
            Self::FetchFailed { url, error } => {
                all(tell, &[("url", Text(url)), ("reason", Text(error))]);
            }
            Self::ReplyDropped { correlation, from } => {
                all(tell, &[("correlation", Text(correlation)), ("from", Text(from))]);
            }
            Self::SharedId { group, client_id } => {
                all(tell, &[("group", Text(group)), ("id", Text(client_id))]);
            }
            Self::EndRefused { endpoint, code, reason } => {
                all(tell, &[("endpoint", Text(endpoint)), ("code", Number(code.0.into()))]);
                if let Some(reason) = reason {
                    tell("reason", Text(reason));
                }
            }
            Self::HeartbeatRefused { endpoint, groups, code, reason } => {
                let groups = ("groups", Text(&Joined(groups, " ")));
                let code = ("code", Number(code.0.into()));
                all(tell, &[("endpoint", Text(endpoint)), code, groups]);
                if let Some(reason) = reason {
                    tell("reason", Text(reason));
                }
            }
            Self::RouteChanged { topic, writable, readable } => {
                let (writable, readable) = (Number(*writable as i64), Number(*readable as i64));
                let topic = ("topic", Text(topic));
                all(tell, &[topic, ("writable", writable), ("readable", readable)]);
            }
            Self::RouteFailed { topic, attempt, .. } => {
                tell("topic", Text(topic));
                of_attempt(attempt, tell);
            }
            Self::UnreadableAddress { broker, address } => {
                all(tell, &[("broker", Text(broker)), ("address", Text(&address.escape_debug()))]);
            }
            Self::RowRefused { topic, broker, reason } => of_row(topic, broker, reason, tell),
            about_a_group!() => self.facts_of_group(tell),
            about_a_store!() => self.facts_of_store(tell),
            Self::CheckIgnored { group, endpoint } => {
                all(tell, &[("group", Text(group)), ("endpoint", Text(endpoint))]);
            }
            Self::DelayDropped { group, topic } => {
                all(tell, &[("group", Text(group)), ("topic", Text(topic))]);
            }
            Self::Repeated { last, suppressed } => {
                last.facts(tell);
                tell("suppressed", Number(*suppressed as i64));
            }
        }
    }

    /// The same of notes about a consumer's group.
    fn facts_of_group(&self, tell: Tell<'_>) {
        use Fact::{Number, Text};
        match self {
            Self::Rebalanced { group, topic, share, members } => {
                all(tell, &[("group", Text(group)), ("topic", Text(topic))]);
                tell("share", Number(*share as i64));
                tell("members", Number(*members as i64));
            }
            Self::NotShared { group, topic, error } => {
                all(tell, &[("group", Text(group)), ("topic", Text(topic))]);
                tell("reason", Text(error));
            }
            Self::AssignmentDeclined { group, reason } => {
                all(tell, &[("group", Text(group)), ("reason", Text(reason))]);
            }
            Self::OtherSubscription { group, topic, own, other } => {
                all(tell, &[("group", Text(group)), ("topic", Text(topic))]);
                all(tell, &[("own", Text(own)), ("other", Text(other))]);
            }
            Self::FilterRefused { group, refused } => of_filter(group, refused, tell),
            Self::ForeignTags { group, topic } => {
                all(tell, &[("group", Text(group)), ("topic", Text(topic))]);
            }
            Self::OffsetMoved { group, queue, from, to }
            | Self::OffsetReset { group, queue, from, to } => {
                of_queue(group, queue, tell);
                all(tell, &[("from", Number(*from)), ("to", Number(*to))]);
            }
            Self::AskFailed { group, ask, queue, failure } => {
                of_ask(group, ask, queue.as_ref(), failure, tell);
            }
            Self::PullAstray { group, queue, asked, next, min, max } => {
                of_queue(group, queue, tell);
                all(tell, &[("asked", Number(*asked)), ("next", Number(*next))]);
                all(tell, &[("min", Number(*min)), ("max", Number(*max))]);
            }
            Self::PullRefused { group, queue, code, remark } => {
                of_queue(group, queue, tell);
                tell("code", Number(i64::from(code.0)));
                tell("reason", Text(&remark.as_deref().unwrap_or_default()));
            }
            Self::SendBackFailed { group, queue, failure, error } => {
                of_queue(group, queue, tell);
                tell("reason", Text(&Unasked(failure.as_deref())));
                if let Some(error) = error {
                    tell("send", Text(error));
                }
            }
            Self::NotLocked { group, queue, lost } => {
                of_queue(group, queue, tell);
                tell("lost", Text(lost));
            }
            Self::HeldTooLong { group, queue, count } => {
                of_queue(group, queue, tell);
                tell("count", Number(*count as i64));
            }
            Self::DeadLetter { group, queue, offset, attempts } => {
                of_queue(group, queue, tell);
                tell("attempts", Number(i64::from(*attempts)));
                offset.iter().for_each(|offset| tell("offset", Number(*offset)));
            }
            Self::SlowConsumer { group, queue, offset, held } => {
                of_queue(group, queue, tell);
                tell("held", Text(&Rounded(*held)));
                offset.iter().for_each(|offset| tell("offset", Number(*offset)));
            }
            _ => {}
        }
    }
}

pub(super) type Tell<'t> = &'t mut dyn FnMut(&'static str, Fact<'_>);

pub(super) fn all(tell: Tell<'_>, facts: &[(&'static str, Fact<'_>)]) {
    facts.iter().for_each(|(name, fact)| tell(name, *fact));
}

fn of_filter(group: &Group, refused: &FilterRefused, tell: Tell<'_>) {
    all(tell, &[("group", Fact::Text(group)), ("topic", Fact::Text(&refused.topic))]);
    tell("filter", Fact::Text(&refused.filter));
    tell("code", Fact::Number(refused.code.0.into()));
    if let Some(remark) = &refused.remark {
        tell("reason", Fact::Text(remark));
    }
}

fn of_row(topic: &Topic, broker: &str, reason: &str, tell: Tell<'_>) {
    all(tell, &[("topic", Fact::Text(topic)), ("broker", Fact::Text(&broker.escape_debug()))]);
    tell("reason", Fact::Text(&reason));
}

fn of_connection(peer: &PeerKind, endpoint: &Endpoint, tell: Tell<'_>) {
    all(tell, &[("peer", Fact::Text(peer)), ("endpoint", Fact::Text(endpoint))]);
}

/// The facts of a request that failed.
fn of_attempt(attempt: &Attempt, tell: Tell<'_>) {
    use Fact::{Number, Text};
    tell("peer", Text(&attempt.peer));
    tell("endpoint", Text(&attempt.endpoint));
    if let Some(opaque) = attempt.opaque {
        tell("opaque", Number(i64::from(opaque.raw())));
    }
    if let Some(code) = attempt.code() {
        tell("code", Number(i64::from(code.0)));
    }
    tell("reason", Text(&attempt.failure));
}

struct Joined<'a, T>(&'a [T], &'static str);

impl<T: fmt::Display> fmt::Display for Joined<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.iter().enumerate() {
            write!(f, "{}{one}", if at == 0 { "" } else { self.1 })?;
        }
        Ok(())
    }
}

fn of_ask(
    group: &Group,
    ask: &RequestCode,
    queue: Option<&QueueName>,
    failure: &Failure,
    tell: Tell<'_>,
) {
    match queue {
        Some(queue) => of_queue(group, queue, tell),
        None => tell("group", Fact::Text(group)),
    }
    tell("request", Fact::Text(ask));
    if let Failure::Refused { code, .. } = failure {
        tell("code", Fact::Number(code.0.into()));
    }
    tell("reason", Fact::Text(failure));
}

pub(super) fn of_queue(group: &Group, queue: &QueueName, tell: Tell<'_>) {
    tell("group", Fact::Text(group));
    tell("topic", Fact::Text(&queue.topic));
    tell("broker", Fact::Text(&queue.broker));
    tell("queue", Fact::Number(i64::from(queue.queue)));
}

impl fmt::Display for Note {
    /// On one line, whatever peers have written into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &Words(self))
    }
}

struct Words<'a>(&'a Note);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.words(f)
    }
}

/// Whether a topic is not there since no message of its group has become a dead letter.
fn has_no_dead_letter(topic: &Topic, attempt: &Attempt, known: bool) -> bool {
    topic.is_of_dead_letters() && !known && is_unknown(Some(attempt))
}

fn without_news(
    topic: &Topic,
    attempt: &Attempt,
    known: bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    if has_no_dead_letter(topic, attempt, known) {
        return write!(f, "topic {topic} is not there yet: its group has no dead letter");
    }
    write!(f, "no news of the queues of topic {topic}: {attempt}")?;
    // A topic that was there may have its only broker down.
    f.write_str(match known {
        true => "; those known serve on",
        false if is_unknown(Some(attempt)) => CREATE_OR_SEND,
        false => "",
    })
}

impl Note {
    /// The sentence of a record.
    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed { peer, endpoint, error } => {
                let (endpoint, failure) = (endpoint.clone(), Failure::Connect(error.clone()));
                write!(f, "{}", Attempt { endpoint, peer: *peer, failure, opaque: None })
            }
            Self::Reconnected { peer, endpoint } => {
                write!(f, "connected to {peer} {endpoint} again")
            }
            Self::Closed { peer, endpoint, reason } => {
                write!(f, "connection to {peer} {endpoint} is gone: {reason}")?;
                match reason {
                    CloseReason::Unanswered => f.write_str(unanswered(endpoint.port(), *peer)),
                    _ => Ok(()),
                }
            }
            Self::OnewayLost { endpoint, count } => {
                write!(f, "{count} oneway messages to {endpoint} were lost with the connection")
            }
            Self::NameServers { servers } => write!(f, "nameservers are {}", Joined(servers, ";")),
            Self::FetchFailed { url, error } => write!(f, "no nameservers from {url}: {error}"),
            Self::ReplyDropped { correlation, from } => {
                write!(f, "reply {correlation} of {from} is dropped: no request waits for it")
            }
            Self::SharedId { group, client_id } => write!(
                f,
                "group {group} has {client_id} more than once: give each client of this host an \
                 instance_name of its own (unless a connection of ours was just lost)"
            ),
            Self::HeartbeatRefused { endpoint, groups, code, reason } => {
                write!(f, "broker {endpoint} refused a heartbeat")?;
                if !groups.is_empty() {
                    write!(f, ", without which it serves no consumer of {}", Joined(groups, ", "))?;
                }
                write!(f, ": {code}")?;
                reason.iter().try_for_each(|reason| write!(f, ": {reason}"))?;
                f.write_str(if is_denied(*code, reason.as_deref()) { DENIED } else { "" })
            }
            Self::RouteChanged { topic, writable, readable } => {
                write!(f, "topic {topic} has {writable} queues to write and {readable} to read")
            }
            Self::RouteFailed { topic, attempt, known } => without_news(topic, attempt, *known, f),
            Self::RowRefused { topic, broker, reason } => {
                let (broker, reason) = (broker.clone(), reason.clone());
                write!(f, "topic {topic}: {}; that row is left out", Lack::Row { broker, reason })
            }
            Self::UnreadableAddress { broker, address } => {
                write!(f, "{}", Lack::Address { broker: broker.clone(), address: address.clone() })
            }
            about_a_group!() => self.words_of_group(f),
            about_a_store!() => self.words_of_store(f),
            Self::CheckIgnored { group, endpoint } => write!(
                f,
                "broker {endpoint} asks how a transaction of group {group} ended, which has no \
                 transaction producer here: give plain producers another group"
            ),
            Self::EndRefused { endpoint, code, reason } => {
                write!(f, "broker {endpoint} refused the end of a transaction: {code}")?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
            }
            Self::DelayDropped { group, topic } => write!(
                f,
                "a half message of group {group} for topic {topic} was sent without its delay \
                 level: brokers don't delay transactions"
            ),
            Self::Repeated { last, suppressed } => {
                write!(f, "{last} ({suppressed} lines about it left out in the last minute)")
            }
        }
    }
}
