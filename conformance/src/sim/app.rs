//! The application of each client: what it asks for, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rocketry_core::config::Config;
use rocketry_core::consumer::{DeliveryId, Filter, Handout, Outcome, Settled, Subscribe};
use rocketry_core::engine::{Cancelled, Event, Note};
use rocketry_core::error::{QueryError, Refused, SendError, Stale};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::message::{Item, Message, MessageLimits, Publish, UniqueId, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::producer::{SendOptions, SendReceipt};
use rocketry_core::query::{self, Query, QueueName};
use rocketry_core::time::Instant;

use super::answer::Answer;
use super::world::{Happening, World};

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
    ids: UniqueIds,
    group: Group,
    pub(super) sends: BTreeMap<OpId, Sent>,
    pub(super) answers: BTreeMap<OpId, Ended<Result<Answer, QueryError>>>,
    pub(super) paces: BTreeMap<SubscriptionId, Pace>,
    /// Oneway messages that were queued for a connection and lost with it.
    pub(super) oneway_lost: usize,
    pub(super) notes: Vec<(Instant, Note)>,
    /// When which consumer left, and how many messages it had not settled.
    pub(super) left: Vec<(Instant, SubscriptionId, usize)>,
    /// Queues that changed hands.
    pub(super) changes: Vec<Change>,
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
            paces: BTreeMap::new(),
            oneway_lost: 0,
            notes: Vec::new(),
            left: Vec::new(),
            changes: Vec::new(),
            stopped: None,
        }
    }
}

/// What an application does.
impl World {
    /// Sends a message, to end by `within`.
    ///
    /// # Panics
    /// When the message itself is not valid.
    pub fn send_within(
        &mut self,
        client: ClientId,
        message: Message,
        within: Duration,
    ) -> Result<OpId, Refused> {
        let options = SendOptions::default().timeout(within);
        self.send_with(client, message, options)
    }

    /// Sends a message with options of its own.
    ///
    /// # Panics
    /// When the message itself is not valid.
    pub fn send_with(
        &mut self,
        client: ClientId,
        message: Message,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        let born = self.unix();
        let app = &self.clients[client.0].app;
        let id = app.ids.next(born);
        // The length of a body is the length of its frame: tests count on it.
        let mut limits = MessageLimits::of(self.engine(client).config());
        limits.compress_over = usize::MAX;
        let publish = Publish::new(message, &app.group, id, born, &limits);
        let publish = publish.unwrap_or_else(|error| panic!("{error}"));
        self.send_publish(client, publish, options)
    }

    /// Sends a batch.
    pub fn send_batch(
        &mut self,
        client: ClientId,
        messages: &[Message],
        options: SendOptions,
    ) -> Result<OpId, SendError> {
        let born = self.unix();
        let app = &self.clients[client.0].app;
        let limits = MessageLimits::of(self.engine(client).config());
        let ids = || app.ids.next(born);
        let publish = Publish::batch(messages, &app.group, ids, born, &limits)?;
        Ok(self.send_publish(client, publish, options)?)
    }

    fn send_publish(
        &mut self,
        client: ClientId,
        publish: Publish,
        options: SendOptions,
    ) -> Result<OpId, Refused> {
        let (asked, id) = (self.now, publish.unique_id());
        let within = options.timeout.unwrap_or(self.engine(client).config().send_timeout);
        let op = self.tell(client, |session, now| {
            session.engine_mut().send_with(now, Arc::new(publish), options)
        })?;
        let deadline = asked + within;
        let sent = Sent { id, asked, deadline, ended: None, handed: None, cancelled: None };
        let twin = self.clients[client.0].app.sends.insert(op, sent);
        assert!(twin.is_none(), "{op:?} was given out twice");
        self.pump();
        Ok(op)
    }

    /// Sends a message, to end by the client's own `send_timeout`.
    pub fn try_send(&mut self, client: ClientId, message: Message) -> Result<OpId, Refused> {
        let within = self.engine(client).config().send_timeout;
        self.send_within(client, message, within)
    }

    /// Gives a send up.
    pub fn cancel(&mut self, client: ClientId, op: OpId) -> Cancelled {
        let found = self.tell(client, |session, now| session.engine_mut().cancel(now, op));
        if let Some(sent) = self.clients[client.0].app.sends.get_mut(&op) {
            sent.cancelled = Some(found);
        }
        self.pump();
        found
    }

    /// Asks a question.
    pub fn query(&mut self, client: ClientId, query: Query) -> Result<OpId, Refused> {
        let op = self.tell(client, |session, now| session.engine_mut().query(now, query))?;
        self.pump();
        Ok(op)
    }

    /// Names the client's producer group in its heartbeats.
    pub fn produce(&mut self, client: ClientId) {
        let group = self.clients[client.0].app.group.clone();
        self.tell(client, |session, now| session.engine_mut().produce(now, &group));
        self.pump();
    }

    /// One of those that named the group is done with it.
    pub fn withdraw(&mut self, client: ClientId) {
        let group = self.clients[client.0].app.group.clone();
        self.tell(client, |session, now| session.engine_mut().withdraw(now, &group));
        self.pump();
    }

    /// Joins a group.
    pub fn subscribe(
        &mut self,
        client: ClientId,
        subscribe: Subscribe,
        pace: Pace,
    ) -> Result<SubscriptionId, Refused> {
        let sub =
            self.tell(client, |session, now| session.engine_mut().subscribe(now, subscribe))?;
        self.clients[client.0].app.paces.insert(sub, pace);
        self.pump();
        Ok(sub)
    }

    /// Leaves a group.
    pub fn leave(&mut self, client: ClientId, sub: SubscriptionId) -> Result<(), Stale> {
        let left = self.tell(client, |session, now| session.engine_mut().leave(now, sub));
        self.pump();
        left
    }

    /// Has a consumer read a topic too, or other messages of it.
    pub fn subscribe_to(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        topic: Topic,
        filter: Filter,
    ) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| {
            session.engine_mut().subscribe_to(now, sub, topic, filter)
        });
        self.pump();
        done
    }

    /// Has a consumer read a topic no more.
    pub fn unsubscribe_from(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        topic: &Topic,
    ) -> Result<bool, Stale> {
        let done = self
            .tell(client, |session, now| session.engine_mut().unsubscribe_from(now, sub, topic));
        self.pump();
        done
    }

    /// Queues of a client's consumers that changed hands, in order.
    pub fn changes(&self, client: ClientId) -> &[Change] {
        &self.clients[client.0].app.changes
    }

    /// Has a consumer finish within that time, and leave.
    pub fn drain(
        &mut self,
        client: ClientId,
        sub: SubscriptionId,
        within: Duration,
    ) -> Result<(), Stale> {
        let drained =
            self.tell(client, |session, now| session.engine_mut().drain(now, sub, within));
        self.pump();
        drained
    }

    /// Suspends a consumer.
    pub fn suspend(&mut self, client: ClientId, sub: SubscriptionId) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| session.engine_mut().suspend(now, sub));
        self.pump();
        done
    }

    /// Resumes one that was suspended.
    pub fn resume(&mut self, client: ClientId, sub: SubscriptionId) -> Result<(), Stale> {
        let done = self.tell(client, |session, now| session.engine_mut().resume(now, sub));
        self.pump();
        done
    }

    /// Shuts a client down.
    pub fn shutdown(&mut self, client: ClientId) {
        self.tell(client, |session, now| session.engine_mut().shutdown(now));
        self.pump();
    }

    /// Takes all that a consumer may have now.
    pub fn take(&mut self, client: ClientId, sub: SubscriptionId) -> Vec<Handout> {
        std::iter::from_fn(|| self.take_one(client, sub)).collect()
    }

    /// Takes the next run of messages, if there is one.
    pub fn take_one(&mut self, client: ClientId, sub: SubscriptionId) -> Option<Handout> {
        let handout =
            self.tell(client, |session, now| session.engine_mut().poll_batch(now, sub))?;
        self.record(client, sub, &handout);
        Some(handout)
    }

    /// Says what became of one message.
    pub fn settle(
        &mut self,
        client: ClientId,
        id: DeliveryId,
        outcome: Outcome,
    ) -> Result<(), Stale> {
        let settled =
            self.tell(client, |session, now| session.engine_mut().settle(now, id, outcome));
        self.pump();
        settled
    }

    /// Is done with a whole run of messages, as the handles are: bits first, then the engine.
    pub fn settle_all(&mut self, client: ClientId, handout: &Handout) {
        self.be_done(client, handout);
        self.pump();
    }

    pub(super) fn be_done(&mut self, client: ClientId, handout: &Handout) {
        let batch = &handout.batch;
        let settled = self.settled.entry(batch.queue().clone()).or_default();
        let offsets = (handout.next..handout.end).filter_map(|index| batch.offset(index));
        settled.extend(offsets);
        for index in handout.next..handout.end {
            if batch.settle(index) == Settled::Last {
                // Stale when the queue was given up meanwhile.
                let _ = self
                    .tell(client, |session, now| session.engine_mut().batch_ended(now, batch.id()));
            }
        }
    }

    fn record(&mut self, client: ClientId, sub: SubscriptionId, handout: &Handout) {
        let batch = &handout.batch;
        for index in (handout.next..handout.end).filter(|index| batch.wanted(*index)) {
            let item = batch.records().item(index as usize);
            let (offset, queue) = (batch.offset(index), batch.queue().clone());
            let (id, body) = match item {
                Item::Record(record) => {
                    let text = |body: bytes::Bytes| String::from_utf8_lossy(&body).into_owned();
                    let body = record.body().map(text).map_err(|error| error.to_string());
                    (record.unique_id().map(str::to_owned), body)
                }
                Item::Undecodable(bad) => (None, Err(bad.reason.to_string())),
            };
            let at = self.now;
            self.distinct.extend(id.clone());
            self.delivered.push(Delivered { at, client, sub, queue, offset, id, body });
        }
    }

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
                    let sent = app.sends.get_mut(&op);
                    let sent = sent.unwrap_or_else(|| panic!("{op:?} was never asked for"));
                    assert_eq!(sent.id, publish.unique_id(), "{op:?} has another message");
                    assert!(sent.ended.is_none(), "{op:?} ended twice");
                    assert!(sent.cancelled.is_none(), "{op:?} ended after it was cancelled");
                    assert!(now <= sent.deadline, "{op:?} ended late");
                    sent.ended = Some(Ended { at: now, result });
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
                    app.changes.push(Change { at: now, sub, gained, lost });
                }
                Event::RuleSpent { .. } => {}
                Event::Deliverable { sub } => self.deliverable(client, sub),
                Event::Left { sub, unsettled } => app.left.push((now, sub, unsettled)),
                Event::Note(note) => app.notes.push((now, note)),
                Event::Stopped => {
                    assert!(app.stopped.is_none(), "{client:?} stopped twice");
                    app.stopped = Some(now);
                }
                other => panic!("the application does not know {other:?}"),
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

    fn deliverable(&mut self, client: ClientId, sub: SubscriptionId) {
        let pace = self.clients[client.0].app.paces.get(&sub).copied();
        match pace.unwrap_or(Pace::Manual) {
            Pace::Manual => {}
            Pace::AtOnce => {
                for handout in self.take(client, sub) {
                    self.be_done(client, &handout);
                }
            }
            Pace::Within(time) => {
                for handout in self.take(client, sub) {
                    let after = Duration::from_nanos(self.rng.below(time.as_nanos() as u64));
                    let settle = Happening::Settle { client, handout };
                    self.schedule(self.now + after, settle);
                }
            }
        }
    }
}
