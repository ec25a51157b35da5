//! The application of each client: what it asks for, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rocketry_core::config::Config;
use rocketry_core::engine::{Cancelled, Event, Leftover, Note};
use rocketry_core::error::{CommitError, QueryError, RequestError, SendError, TransactionError};
use rocketry_core::id::{CheckId, OpId, SubscriptionId};
use rocketry_core::message::{UniqueId, UniqueIds};
use rocketry_core::name::Group;
use rocketry_core::producer::{PushedReply, ReplyMessage, SendReceipt};
use rocketry_core::query::{self, QueueName};
use rocketry_core::time::Instant;
use rocketry_core::transaction::{CheckedHalf, TransactionReceipt};

use super::answer::Answer;
use super::fates::place_of;
use super::world::World;

/// A client of the world, by the order in which they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(super) usize);

impl std::fmt::Debug for ClientId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client-{}", self.0)
    }
}

/// How fast a consumer's application is done with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The test takes and settles them.
    Manual,
    /// It is done with each at once.
    AtOnce,
    /// It is done with each batch after a time drawn up to this.
    Within(Duration),
    /// It judges each message after a time drawn up to this, by what the message says: see
    /// [`Kind`](super::Kind).
    Judging(Duration),
    /// The same, for consumers that handle messages in their order: one of each queue at a time.
    InOrder(Duration),
}

/// When and how something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended<T> {
    /// When.
    pub at: Instant,
    /// What it ended with.
    pub result: T,
}

/// One send.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message's id.
    pub id: UniqueId,
    /// When it was asked for.
    pub asked: Instant,
    /// By when it must end.
    pub deadline: Instant,
    /// What became of it; stays `None` if it was cancelled in time.
    pub ended: Option<Ended<Result<SendReceipt, SendError>>>,
    /// When a oneway message was given to its writer.
    pub handed: Option<Instant>,
    /// What cancelling it found.
    pub cancelled: Option<Cancelled>,
}

/// One message or undecodable record that a consumer was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// When.
    pub at: Instant,
    /// To whom.
    pub client: ClientId,
    /// To which of its consumers.
    pub sub: SubscriptionId,
    /// From which queue.
    pub queue: QueueName,
    /// Its place there.
    pub offset: Option<i64>,
    /// The id its sender gave it.
    pub id: Option<String>,
    /// Its body, or why it can't be read.
    pub body: Result<String, String>,
}

/// Queues of a consumer that changed hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// Of which consumer.
    pub sub: SubscriptionId,
    /// Queues it has now.
    pub gained: Vec<QueueName>,
    /// Queues it has no more.
    pub lost: Vec<QueueName>,
}

/// What one client asked for and got.
#[derive(Debug)]
pub(super) struct App {
    pub(super) ids: UniqueIds,
    pub(super) group: Group,
    pub(super) sends: BTreeMap<OpId, Sent>,
    pub(super) answers: BTreeMap<OpId, Ended<Result<Answer, QueryError>>>,
    pub(super) replies: BTreeMap<OpId, Ended<Result<ReplyMessage, RequestError>>>,
    pub(super) ends: BTreeMap<OpId, Ended<Result<TransactionReceipt, TransactionError>>>,
    /// Half messages that it was asked about, and when.
    pub(super) checks: Vec<(Instant, CheckId, Arc<CheckedHalf>)>,
    pub(super) commits: BTreeMap<OpId, Ended<Result<(), CommitError>>>,
    pub(super) paces: BTreeMap<SubscriptionId, Pace>,
    /// The groups of its consumers.
    pub(super) groups: BTreeMap<SubscriptionId, Group>,
    /// Those that finish.
    pub(super) finishing: BTreeSet<SubscriptionId>,
    /// Oneway messages that were queued for a connection and lost with it.
    pub(super) oneway_lost: usize,
    pub(super) notes: Vec<(Instant, Note)>,
    /// When which consumer left, and how many messages it had not settled.
    pub(super) left: Vec<(Instant, SubscriptionId, Leftover)>,
    /// Queues that changed hands.
    pub(super) changes: Vec<Change>,
    /// The queues of topics, as consumers were told of them.
    pub(super) topics: Vec<(Instant, Vec<QueueName>)>,
    pub(super) stopped: Option<Instant>,
}

impl App {
    pub(super) fn new(config: &Config) -> Self {
        let salt = config.identity.salt as u32;
        #[expect(clippy::expect_used, reason = "the name is a good one")]
        let group = Group::new("producers").expect("a group's name");
        Self {
            ids: UniqueIds::new(config.identity.address, 0, salt),
            group,
            sends: BTreeMap::new(),
            answers: BTreeMap::new(),
            replies: BTreeMap::new(),
            ends: BTreeMap::new(),
            checks: Vec::new(),
            commits: BTreeMap::new(),
            paces: BTreeMap::new(),
            groups: BTreeMap::new(),
            finishing: BTreeSet::new(),
            oneway_lost: 0,
            notes: Vec::new(),
            left: Vec::new(),
            changes: Vec::new(),
            topics: Vec::new(),
            stopped: None,
        }
    }

    /// A send has ended.
    fn sent(&mut self, op: OpId, id: UniqueId, ended: Ended<Result<SendReceipt, SendError>>) {
        let sent = self.sends.get_mut(&op);
        let sent = sent.unwrap_or_else(|| panic!("{op:?} was never asked for"));
        assert_eq!(sent.id, id, "{op:?} has another message");
        assert!(sent.ended.is_none(), "{op:?} ended twice");
        assert!(sent.cancelled.is_none(), "{op:?} ended after it was cancelled");
        assert!(ended.at <= sent.deadline, "{op:?} ended late");
        sent.ended = Some(ended);
    }
}

/// A reply as its requester takes it.
fn opened(result: Result<Box<PushedReply>, RequestError>) -> Result<ReplyMessage, RequestError> {
    let reply = result?;
    let correlation = reply.correlation().into();
    reply.open().map_err(|reason| RequestError::Unreadable { correlation, reason })
}

impl World {
    /// Takes an engine's events. True if there was any.
    pub(super) fn listen(&mut self, client: ClientId) -> bool {
        let mut busy = false;
        while let Some(event) = self.clients[client.0].session.engine_mut().poll_event() {
            // What is given back is no part of what a client does.
            if let Event::Spent { .. } = event {
                continue;
            }
            busy = true;
            if let Event::Answered { op, answer } = event {
                self.answered(client, op, answer);
                continue;
            }
            self.trace.line(self.now, format_args!("{client:?} {event:?}"));
            let (now, app) = (self.now, &mut self.clients[client.0].app);
            match event {
                Event::Sent { op, publish, result } => {
                    app.sent(op, publish.unique_id(), Ended { at: now, result });
                }
                Event::Replied { op, result } => {
                    app.replies.insert(op, Ended { at: now, result: opened(result) });
                }
                Event::Handed { op, publish } => {
                    let sent = app.sends.get_mut(&op);
                    let sent = sent.unwrap_or_else(|| panic!("{op:?} was never asked for"));
                    assert_eq!(sent.id, publish.unique_id(), "{op:?} has another message");
                    assert!(sent.ended.is_none() && sent.handed.is_none(), "{op:?} ended twice");
                    sent.handed = Some(now);
                }
                Event::OnewayLost { messages } => {
                    for publish in messages {
                        let handed = |send: &&Sent| send.id == publish.unique_id();
                        let send = app.sends.values().find(handed);
                        let handed = send.is_some_and(|send| send.handed.is_some());
                        assert!(handed, "{} was lost before it was queued", publish.unique_id());
                        app.oneway_lost += 1;
                    }
                }
                Event::QueuesChanged { sub, gained, lost } => {
                    if let Some(group) = app.groups.get(&sub) {
                        for queue in &lost {
                            let waited = app.finishing.contains(&sub);
                            self.fates.give_up(group.as_str(), place_of(queue), waited);
                        }
                    }
                    app.changes.push(Change { at: now, sub, gained, lost });
                }
                Event::Committed { op, result } => {
                    let twin = app.commits.insert(op, Ended { at: now, result });
                    assert!(twin.is_none(), "{op:?} was committed twice");
                }
                Event::TopicQueues { queues, .. } => app.topics.push((now, queues)),
                // The note says the same of a filter.
                Event::RuleSpent { .. }
                | Event::StoreSpent { .. }
                | Event::FilterRefused { .. } => {}
                Event::Deliverable { sub } => self.deliverable(client, sub),
                Event::Left { sub, leftover } => app.left.push((now, sub, leftover)),
                Event::Note(note) => app.notes.push((now, note)),
                Event::Stopped => {
                    assert!(app.stopped.is_none(), "{client:?} stopped twice");
                    app.stopped = Some(now);
                }
                other => app.transacted(now, other),
            }
        }
        busy
    }

    fn answered(&mut self, client: ClientId, op: OpId, answer: query::Answer) {
        let (at, result) = (self.now, Answer::of(answer));
        self.trace
            .line(at, format_args!("{client:?} Answered {{ op: {op:?}, result: {result:?} }}"));
        let twin = self.clients[client.0].app.answers.insert(op, Ended { at, result });
        assert!(twin.is_none(), "{op:?} was answered twice");
    }
}
