//! What an operator is told.

use std::sync::Arc;
use std::time::Duration;

use crate::allocation::AllocationError;
use crate::error::{
    Attempt, CloseReason, ConnectError, Failure, FilterRefused, PeerKind, SendError,
};
use crate::fetch::{FetchError, Url};
use crate::frame::{RequestCode, ResponseCode};
use crate::name::QueueName;
use crate::name::{Endpoint, Group, Topic};
use crate::offsets::OffsetStoreError;

/// One change of state that an operator would want to know of.
///
/// The handles write each as one [`log`](https://docs.rs/log) record of the target `rocketry`, with
/// its facts as key-values. Nothing is logged at other levels, and no record holds a message.
///
/// | note | level | keys, besides `client` |
/// |---|---|---|
/// | `ConnectFailed`, `Closed` | warn | `peer` (`broker` or `nameserver`), `endpoint`, `reason` |
/// | `Closed` for being idle | info | the same |
/// | `Reconnected` | info | `peer`, `endpoint` |
/// | `OnewayLost` | warn | `endpoint`, `count` |
/// | `ReplyDropped` | warn | `correlation`, `from` |
/// | `SharedId` | warn | `group`, `id` |
/// | `NameServers` | info | `servers` |
/// | `FetchFailed` | warn | `url`, `reason` |
/// | `HeartbeatRefused` | warn | `endpoint`, `code`, `groups`; `reason` if any |
/// | `RouteChanged` | info | `topic`, `writable`, `readable` |
/// | `RowRefused` | warn | `topic`, `broker`, `reason` |
/// | `UnreadableAddress` | warn | `broker`, `address` |
/// | `RouteFailed` | warn | `topic`, `peer`, `endpoint`, `reason`; `opaque` and `code` if any |
/// | `RouteFailed` of dead letters that there are none of | info | the same |
/// | `Rebalanced` | info | `group`, `topic`, `share`, `members` |
/// | `NotShared` | warn | `group`, `topic`, `reason` |
/// | `AssignmentDeclined` | info | `group`, `reason` |
/// | `OtherSubscription` | warn | `group`, `topic`, `own`, `other` |
/// | `FilterRefused` | warn | `group`, `topic`, `filter`, `code`; `reason` if any |
/// | `ForeignTags` | warn | `group`, `topic` |
/// | `OffsetMoved` | warn | `group`, `topic`, `broker`, `queue`, `from`, `to` |
/// | `OffsetReset` | info | `group`, `topic`, `broker`, `queue`, `from`, `to` |
/// | `AskFailed` | warn | `group`, `request`, `reason`; `topic`, `broker`, `queue`, `code` if any |
/// | `PullAstray` | warn | `group`, `topic`, `broker`, `queue`, `asked`, `next`, `min`, `max` |
/// | `PullRefused` | warn | `group`, `topic`, `broker`, `queue`, `code`, `reason` |
/// | `SendBackFailed` | warn | `group`, `topic`, `broker`, `queue`, `reason`; `send` if any |
/// | `NotLocked` | warn | `group`, `topic`, `broker`, `queue`, `lost` (`true` or `false`) |
/// | `SlowConsumer` | warn | `group`, `topic`, `broker`, `queue`, `held`; `offset` if any |
/// | `HeldTooLong` | warn | `group`, `topic`, `broker`, `queue`, `count` |
/// | `DeadLetter` | warn | `group`, `topic`, `broker`, `queue`, `attempts`; `offset` if any |
/// | `Dropped` | warn | `group`, `topic`, `broker`, `queue`, `attempts`; `offset` if any |
/// | `OffsetsNotLoaded`, `OffsetsNotSaved` | warn | `group`, `reason` |
/// | `OffsetsDamaged` | warn | `group`, `reason` |
/// | `CheckIgnored` | warn | `group`, `endpoint` |
/// | `EndRefused` | warn | `endpoint`, `code`; `reason` if any |
/// | `DelayDropped` | warn | `group`, `topic` |
/// | `Repeated` | as its note | as its note, and `suppressed` |
///
/// A logger that sends its records through a client never sees those of its own calls: what its
/// thread gives rise to while it writes one of these records is not logged.
///
/// At most five are told in a minute about one connection, topic, share or queue; the last of those
/// left out comes at the end of the minute, as `Repeated`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A connection could not be made; tries that follow are not reported until one succeeds.
    ConnectFailed {
        /// What the peer is for.
        peer: PeerKind,
        /// Its address.
        endpoint: Endpoint,
        /// What went wrong.
        error: ConnectError,
    },
    /// A connection is back.
    Reconnected {
        /// What the peer is for.
        peer: PeerKind,
        /// Its address.
        endpoint: Endpoint,
    },
    /// A connection is gone.
    Closed {
        /// What the peer is for.
        peer: PeerKind,
        /// Its address.
        endpoint: Endpoint,
        /// What ended it.
        reason: CloseReason,
    },
    /// A connection was lost before oneway messages left that waited for its writer.
    OnewayLost {
        /// The peer.
        endpoint: Endpoint,
        /// How many.
        count: usize,
    },
    /// A reply came that no request waits for: it is late, came twice, or is to a request of
    /// another client of this id. It is dropped.
    ReplyDropped {
        /// The correlation id that it has; empty: it has none.
        correlation: Arc<str>,
        /// Who answered, as the broker saw it.
        from: Arc<str>,
    },
    /// A broker did not take our heartbeat: it does not know our groups.
    HeartbeatRefused {
        /// Its address.
        endpoint: Endpoint,
        /// The consumers' groups that it was told of: none of them gets anything from it.
        groups: Arc<[Group]>,
        /// Its code.
        code: ResponseCode,
        /// Its words.
        reason: Option<Arc<str>>,
    },
    /// A topic's queues are known, or are others than before.
    RouteChanged {
        /// The topic.
        topic: Topic,
        /// Queues that take messages.
        writable: usize,
        /// Queues that give messages.
        readable: usize,
    },
    /// A row of a topic's route says what can't be: it is left out, and the others serve.
    RowRefused {
        /// The topic.
        topic: Topic,
        /// The broker group that it is about.
        broker: Arc<str>,
        /// What it says that can't be.
        reason: Arc<str>,
    },
    /// The address that a nameserver tells of a broker can't be read: the broker is as good as not
    /// there. `rewrite_addresses` may name another one for it.
    UnreadableAddress {
        /// The broker group's name.
        broker: Arc<str>,
        /// The address as it was told.
        address: Arc<str>,
    },
    /// No nameserver told a topic's queues, or they do not know it; not told again before one does.
    RouteFailed {
        /// The topic.
        topic: Topic,
        /// The last try.
        attempt: Box<Attempt>,
        /// Queues are known from before, and serve on.
        known: bool,
    },
    /// The address server tells other nameservers than before.
    NameServers {
        /// All it tells.
        servers: Vec<Endpoint>,
    },
    /// The address server could not be asked, or its list is none: the last one stays. Failures
    /// that follow are not reported until one request succeeds.
    FetchFailed {
        /// The page.
        url: Url,
        /// What went wrong.
        error: FetchError,
    },
    /// A consumer's share of queues changed.
    Rebalanced {
        /// Its group.
        group: Group,
        /// The topic.
        topic: Topic,
        /// Queues it has now.
        share: usize,
        /// Members of the group; 0 where the broker computes the shares, or each has all.
        members: usize,
    },
    /// A consumer's share of a topic could not be computed: it keeps what it has, and tries again
    /// after a pause that grows. Told once a minute.
    NotShared {
        /// Its group.
        group: Group,
        /// The topic.
        topic: Topic,
        /// Why.
        error: AllocationError,
    },
    /// A consumer that asked for it gets no shares from brokers: it computes them itself.
    AssignmentDeclined {
        /// Its group.
        group: Group,
        /// Why.
        reason: Arc<str>,
    },
    /// Brokers know another subscription of the group to a topic than this consumer's: they keep
    /// one for all members, so some of them miss messages that they ask for.
    OtherSubscription {
        /// The group.
        group: Group,
        /// The topic.
        topic: Topic,
        /// What this consumer asks for.
        own: Arc<str>,
        /// What the broker says that the group asks for.
        other: Arc<str>,
    },
    /// A broker can't filter as a consumer asked for: the consumer leaves its group, or has never
    /// joined it. Told once for each consumer.
    FilterRefused {
        /// The group.
        group: Group,
        /// What was refused, and why.
        refused: Arc<FilterRefused>,
    },
    /// The broker lists this client's id more than once among a group's members: another client has
    /// the same id, or the broker has not missed yet a connection of ours that is gone. Said once
    /// until the id is there once again.
    SharedId {
        /// The group.
        group: Group,
        /// The id.
        client_id: Arc<str>,
    },
    /// The broker sends messages with tags that this consumer does not ask for, not even by their
    /// hashes: another member of its group asks for others, and brokers keep one list for a group.
    /// Such messages are passed over here, and may be passed over by every member. Told once a
    /// minute.
    ForeignTags {
        /// The group.
        group: Group,
        /// A topic of which such messages came.
        topic: Topic,
    },
    /// The broker says that the offset asked for is not in the queue: some messages are gone.
    OffsetMoved {
        /// The consumer's group.
        group: Group,
        /// The queue.
        queue: QueueName,
        /// The offset asked for.
        from: i64,
        /// The offset the broker gives instead.
        to: i64,
    },
    /// An administrator has a group go on elsewhere in a queue.
    OffsetReset {
        /// The consumer's group.
        group: Group,
        /// The queue.
        queue: QueueName,
        /// The offset of the pull that would have been next.
        from: i64,
        /// The offset to go on at.
        to: i64,
    },
    /// A broker refused what a consumer needs of it, or did not answer: where to begin in a queue,
    /// the group's members, a pull, or to keep an offset. It is asked again each second, offsets
    /// are given again with the next round. Told at once, and then once a minute for each broker.
    AskFailed {
        /// The consumer's group.
        group: Group,
        /// What was asked.
        ask: RequestCode,
        /// The queue it was about, if it was about one.
        queue: Option<QueueName>,
        /// What came of it.
        failure: Box<Failure>,
    },
    /// The answer to a pull can't be true: it has no messages from the offset asked for on, or goes
    /// on outside of the queue. Nothing but what came from there on is passed; where nothing did,
    /// the same offset is asked for again, after a pause that grows to a second.
    PullAstray {
        /// The consumer's group.
        group: Group,
        /// The queue.
        queue: QueueName,
        /// The offset asked for.
        asked: i64,
        /// Where the broker says that it goes on.
        next: i64,
        /// The queue's first offset, in the same answer.
        min: i64,
        /// The queue's end, in the same answer.
        max: i64,
    },
    /// A broker refuses pulls: told at once, then once a minute for each broker while it does.
    PullRefused {
        /// The consumer's group.
        group: Group,
        /// The queue.
        queue: QueueName,
        /// The broker's code.
        code: ResponseCode,
        /// The broker's words.
        remark: Option<Arc<str>>,
    },
    /// A message that was to be sent back could not be, nor be sent to the group's retry topic: it
    /// is delivered again here, after `retry_delay`. Told at once, and then once a minute for each
    /// broker.
    SendBackFailed {
        /// The consumer's group.
        group: Group,
        /// The queue that it is in.
        queue: QueueName,
        /// Why its broker did not take it back; `None`: it has no master, or the message has no
        /// place that could be named to one.
        failure: Option<Box<Failure>>,
        /// Why it was not sent to the retry topic; `None`: it can't be read, so it can't be sent.
        error: Option<Box<SendError>>,
    },
    /// A queue of a consumer that handles messages in their order is not locked for it. Told at
    /// once where it was, and else after 10 s; then once a minute for each broker.
    NotLocked {
        /// The consumer's group.
        group: Group,
        /// The queue.
        queue: QueueName,
        /// It was locked: the broker says that it is another member's by now, or has not confirmed
        /// the lock for 30 s. What was being handled of it may come to another member as well.
        lost: bool,
    },
    /// The application has had a message for longer than `slow_after` and has not settled it, which
    /// keeps the group's offset where it is. Told once a minute for each consumer.
    SlowConsumer {
        /// The consumer's group.
        group: Group,
        /// The queue.
        queue: QueueName,
        /// The message's place there, where it can be read.
        offset: Option<i64>,
        /// For how long, at least.
        held: Duration,
    },
    /// The application had messages for longer than `consume_timeout`: they were taken from it, and
    /// are sent back, or come again here where the group broadcasts.
    HeldTooLong {
        /// The consumer's group.
        group: Group,
        /// Their queue.
        queue: QueueName,
        /// How many.
        count: usize,
    },
    /// A message was sent back once too often (`max_reconsume_times`), and is a dead letter now, in
    /// the topic `%DLQ%` and the group's name.
    DeadLetter {
        /// The consumer's group.
        group: Group,
        /// The queue that it came from last.
        queue: QueueName,
        /// Its place there, where it can be read.
        offset: Option<i64>,
        /// How often it was tried.
        attempts: u32,
    },
    /// A message of a group that broadcasts was rejected, or came again as often as it may
    /// (`max_reconsume_times`): it is passed over, and is nowhere else.
    Dropped {
        /// The consumer's group.
        group: Group,
        /// The queue that it is in.
        queue: QueueName,
        /// Its place there, where it can be read.
        offset: Option<i64>,
        /// How often it was tried.
        attempts: u32,
    },
    /// A consumer's offsets could not be loaded from its file or store: it begins nowhere until
    /// they are, and they are asked for again after pauses from 1 s to 30 s. Told at once, and then
    /// once a minute.
    OffsetsNotLoaded {
        /// Its group.
        group: Group,
        /// Why.
        error: OffsetStoreError,
    },
    /// A consumer's offsets could not be saved: consuming goes on, and they are given again after
    /// pauses from 1 s to 30 s. Told at once, and then once a minute.
    OffsetsNotSaved {
        /// Its group.
        group: Group,
        /// Why.
        error: OffsetStoreError,
    },
    /// Something of what is stored of a consumer's offsets could not be read. What could be was
    /// read: the backup of a file, or nothing, where the group begins as if it were new.
    OffsetsDamaged {
        /// Its group.
        group: Group,
        /// What could not be.
        damage: Arc<str>,
    },
    /// A broker asked how a half message of a group ended that has no transaction producer here:
    /// nothing was answered, and the broker asks one of the group's clients again.
    CheckIgnored {
        /// The group.
        group: Group,
        /// The broker.
        endpoint: Endpoint,
    },
    /// A broker refused the end of a transaction that nobody waits for: the answer to its own
    /// check, or the end of a half message that no local work was done for. It asks again.
    EndRefused {
        /// The broker.
        endpoint: Endpoint,
        /// Its code.
        code: ResponseCode,
        /// Its words.
        reason: Option<Arc<str>>,
    },
    /// A half message had a delay level, which brokers know none of: it was sent without.
    DelayDropped {
        /// The producer's group.
        group: Group,
        /// The topic.
        topic: Topic,
    },
    /// The last of many notes about one thing: those before it in the last minute were left out.
    Repeated {
        /// The last one.
        last: Box<Note>,
        /// How many were left out.
        suppressed: u64,
    },
}
