//! The consumers of one client: each a member of its group, with its share of the queues.
//!
//! | state of a consumer | leaves on | to |
//! |---|---|---|
//! | Joining | routes known and a broker has heard of it | Member |
//! | Member | `drain` or shutdown | Member that finishes: no pulls, nothing handed out |
//! | | `close` | Committing |
//! | Member that finishes | all is settled, or the deadline | Committing |
//! | Committing | every queue given up, in turns, and every offset answered | Unregistering |
//! | | three quarters of `shutdown_timeout` | Unregistering |
//! | Unregistering | every broker answered, or the deadline | gone, `Event::Left` |
//!
//! The files beside name the codes that they ask with, and `queue/` the states of one queue. What
//! consumers want of others they signal: `RouteWanted`, `GroupsChanged`, `Unregistered` and
//! `Farewell`.
//!

mod again;
mod assign;
mod assigned;
mod backoff;
mod batch;
mod broadcast;
mod check;
mod commit;
mod commit_call;
mod denied;
mod direct;
mod drain;
mod elders;
mod filter;
mod handouts;
mod heartbeat;
mod held;
mod join;
mod last_commit;
mod leave;
mod local;
mod lock_line;
mod locks;
mod next_offset;
mod offset;
mod options;
mod order;
mod others;
mod polled;
mod pull;
mod queue;
mod rebalance;
mod release;
mod reset;
mod resume;
mod running;
mod runs;
mod seek;
mod send_back;
mod settle;
mod share;
mod source;
mod start;
mod stats;
mod subscribe;
mod subscription;
mod suspend;
mod taking;
mod tally;
mod topics;
mod turns;
mod vet;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use assign::Assigned;
use backoff::PullBackoff;
pub use batch::{Batch, BatchId, DeliveryId, Handout, Settled};
use batch::{PulledRecords, QueueFlags};
pub use commit_call::Commit;
use commit_call::CommitCalls;
use direct::Direct;
use drain::Drain;
use elders::Elders;
pub use filter::{Filter, FilterError, Tags};
use handouts::Handouts;
use last_commit::{LastCommits, Unanswered};
use local::{Local, Orphan};
use locks::Locks;
use next_offset::{NextOffset, PullAnswer};
use options::Bounds;
pub use options::{Assignment, ConsumerOptions};
pub use order::ConsumeOrder;
use queue::Queue;
use rebalance::{Notices, Questions};
use reset::Predecessors;
use send_back::SendBacks;
pub use start::{Start, StartError};
pub use stats::{ConsumerStats, OffsetStats, QueueStats, TopicConsumption};
pub use subscribe::Subscribe;
pub use subscription::TopicSubscription;
pub use taking::{Polling, Taking};
use tally::Tallies;
use topics::{Edition, Topics};
use turns::Turns;
use vet::Wishes;

use crate::allocation::Strategy;
use crate::body::MessageModel;
use crate::config::Config;
use crate::effects::ConsumerTimer;
use crate::error::Failure;
use crate::frame::{Reply, RequestCode, ResponseCode};
use crate::id::{BrokerId, PeerId, QueueKey, Slots, SubscriptionId, TopicKey};
use crate::name::Group;
use crate::remoting::{Body, ConsumerAsk, Context};
use crate::route::Known;
use crate::time::{Instant, UnixMillis};
use crate::timer::TimerKey;

/// What the application makes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The message is done with; its offset may be committed.
    Done,
    /// The message is sent back to its broker (`CONSUMER_SEND_MSG_BACK`, 36), which delivers it
    /// again later, to any member of the group, or makes a dead letter of it when it came more than
    /// `max_reconsume_times` often. A broker that does not take it within 5 s has it sent to the
    /// group's retry topic by this client, as an ordinary message; where that fails as well it
    /// comes again to this consumer, after `retry_delay`. Until one of them has it, it is
    /// unsettled. In a group that broadcasts it comes again to this consumer, up to
    /// `max_reconsume_times`, and is dropped then.
    Retry {
        /// About how long it is to take: the nearest of brokers' 18 delay levels, 1 s to 2 h.
        /// `None` leaves that to the broker: 10 s at first, longer each time.
        after: Option<Duration>,
    },
    /// The message becomes a dead letter at once; a group that broadcasts drops it. Otherwise as
    /// [`Retry`](Self::Retry): it is asked for in the same way, and tried here again when nobody
    /// takes it.
    Reject,
    /// The message is to be delivered again, to this consumer, after so long.
    Here(Duration),
    /// The message is to be delivered again, to this consumer, behind its neighbours and after a
    /// pause that grows each time, from a tenth of `retry_delay`, at most 100 ms, to 30 s: what
    /// dropping a delivery means.
    Again,
}

/// How far a consumer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Joining,
    Member,
    Committing,
    Unregistering { waiting: usize },
}

/// What a consumer tells of at once, and again once a minute for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// Messages with tags that it does not ask for.
    Tags,
    /// No word on its filters.
    Check,
    /// No list of the group's members.
    Members,
    /// No share, by its rule.
    Share,
    /// No offset to begin at, from that broker.
    Offset(BrokerId),
    /// No answer to a pull, of that broker.
    Pull(BrokerId),
    /// Pulls that the broker refuses.
    Refused(BrokerId),
    /// Offsets that the broker does not take.
    Commit(BrokerId),
    /// Queues of the broker that are another member's, or not ours any more.
    Lock(BrokerId),
    /// No answer to a question for locks, of that broker.
    Unlockable(BrokerId),
    /// Messages that neither the broker takes back nor any other.
    Back(BrokerId),
    /// Messages that the application has for long.
    Slow,
    /// Offsets that can't be loaded.
    Load,
    /// Offsets that can't be saved.
    Save,
}

/// How often it tells of it.
const TELL: Duration = Duration::from_secs(60);

/// One consumer.
#[derive(Debug)]
struct Consumer {
    id: SubscriptionId,
    group: Group,
    topics: Topics,
    /// What it reads once a broker has taken its filters.
    wishes: Wishes,
    options: ConsumerOptions,
    bounds: Bounds,
    /// The rule by which queues are shared.
    strategy: Strategy,
    /// When it joined.
    edition: Edition,
    /// When it was made.
    started: UnixMillis,
    phase: Phase,
    /// No pull begins and nothing is handed out.
    suspended: bool,
    /// When whoever takes its messages is to look again.
    reminder: Option<(Instant, TimerKey)>,
    /// The consumer finishes: see `drain.rs`.
    drain: Option<Drain>,
    /// Messages that the application held when it began to leave.
    left_unsettled: usize,
    queues: Slots<QueueKey, Queue>,
    places: share::Places,
    handouts: Handouts,
    /// What is sent back.
    backs: SendBacks,
    locks: Locks,
    elders: Elders,
    /// When it looks next at what the application has.
    look_timer: Option<(Instant, TimerKey)>,
    /// Commits without an answer.
    commits: Unanswered,
    /// Its offsets, where no broker keeps them.
    local: Option<Local>,
    predecessors: Predecessors,
    lasts: LastCommits,
    direct: Direct,
    tallies: Tallies,
    /// Messages settled after their queue had been given up.
    stale: Arc<AtomicU64>,
    /// What became of its commits.
    stored: OffsetStats,
    /// The questions for the members that are on their way.
    questions: Questions,
    /// The broker is not asked to compute shares any more.
    declined: bool,
    /// When it last looked at its share.
    looked: Option<Instant>,
    /// When it looks at its share next.
    rebalance_timer: Option<(Instant, TimerKey)>,
    /// What brokers said of changes among the members.
    notices: Notices,
    /// Since when the lists of members lack this one.
    absent: Option<Instant>,
    /// The members named our id more than once when last asked for.
    doubled: bool,
    /// Members and subscriptions when the group's were last compared with ours.
    compared: Option<(u64, i64)>,
    /// When the group last had other members.
    shared: Option<Instant>,
    /// The queues that it reads, where the application names them.
    assigned: Option<Assigned>,
    /// What the last poll gave, where messages are polled: it is settled by the next one.
    polled: Vec<Handout>,
    commit_calls: CommitCalls,
    /// Brokers that do not know `LITE_PULL_MESSAGE` (361), as of this connection to them.
    plain: BTreeSet<PeerId>,
    told: BTreeMap<Trouble, Instant>,
}

impl Consumer {
    fn new(id: SubscriptionId, subscribe: Subscribe, config: &Config, edition: Edition) -> Self {
        let Subscribe { group, topics, options } = subscribe;
        let polling = options.taking.polling();
        let queues = polling.and_then(|polling| polling.queues.clone());
        let (assigned, topics) = match queues {
            Some(queues) => {
                let assigned = Assigned::new(queues, topics);
                let topics = assigned.topics().into_iter().collect();
                (Some(assigned), topics)
            }
            None => (None, topics),
        };
        let (wished, topics): (Vec<_>, Vec<_>) =
            topics.into_iter().partition(|(_, filter)| filter.is_judged());
        let (model, own) = (options.model, options.offset_store.clone());
        let local = Local::of(id, config, &group, (model, own));
        let retry = polling.is_none() && model == MessageModel::Clustering;
        Self {
            id,
            topics: Topics::new(&group, topics, edition, retry),
            wishes: Wishes::new(wished),
            group,
            bounds: options.over(config),
            strategy: options.strategy_over(config),
            options,
            edition,
            started: UnixMillis(edition.version),
            phase: Phase::Joining,
            suspended: false,
            reminder: None,
            drain: None,
            left_unsettled: 0,
            queues: Slots::default(),
            places: share::Places::default(),
            handouts: Handouts::default(),
            backs: SendBacks::default(),
            locks: Locks::default(),
            elders: Elders::default(),
            look_timer: None,
            commits: Unanswered::default(),
            local,
            predecessors: Predecessors::default(),
            lasts: LastCommits::default(),
            direct: Direct::default(),
            tallies: Tallies::default(),
            stale: Arc::default(),
            stored: OffsetStats::default(),
            questions: Questions::default(),
            declined: false,
            looked: None,
            rebalance_timer: None,
            notices: Notices::default(),
            absent: None,
            doubled: false,
            compared: None,
            shared: None,
            assigned,
            polled: Vec::new(),
            commit_calls: CommitCalls::default(),
            plain: BTreeSet::new(),
            told: BTreeMap::new(),
        }
    }

    /// Whether another member may have had, a while ago, what is ours now.
    fn is_shared(&self, now: Instant) -> bool {
        self.shared.is_some_and(|at| now.since(at) < queue::OVERLAP)
    }

    /// The first revision of our heartbeats that tells of a topic as it is read now.
    fn revision(&self, topic: TopicKey) -> u64 {
        self.topics.get(topic).map_or(self.edition.revision, |of| of.edition.revision)
    }

    const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Committing | Phase::Unregistering { .. })
    }

    /// Whether it is time to tell of a trouble that there is now.
    fn tells(&mut self, now: Instant, trouble: Trouble) -> bool {
        let due = self.told.get(&trouble).is_none_or(|last| now.since(*last) >= TELL);
        if due {
            self.told.insert(trouble, now);
        }
        due
    }

    /// The batch of a delivery, while its queue is ours.
    fn batch(&self, id: BatchId) -> Option<&Arc<Batch>> {
        if id.is_direct() {
            return self.direct.batch(id);
        }
        self.queues.get(id.queue)?.window.batch(id.number)
    }
}

/// All consumers of one client.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    slots: Slots<SubscriptionId, Consumer>,
    turns: Turns,
    /// Brokers that nobody reads from are let go of when a timer fires.
    unread: bool,
    /// What is left of those that have gone.
    orphans: BTreeMap<SubscriptionId, Orphan>,
}

impl Consumers {
    fn get(&self, id: SubscriptionId) -> Option<&Consumer> {
        self.slots.get(id)
    }

    fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Consumer> {
        self.slots.get_mut(id)
    }

    fn of_group(&self, group: &Group) -> Option<SubscriptionId> {
        self.slots.iter().find(|(_, c)| c.group == *group).map(|(id, _)| id)
    }

    /// The groups of all.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.slots.iter().map(|(_, consumer)| &consumer.group)
    }

    pub(crate) fn ids(&self) -> Vec<SubscriptionId> {
        self.slots.ids()
    }

    fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Consumer)> {
        self.slots.iter()
    }

    /// The brokers that their queues are on.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = BrokerId> {
        let queues = self.iter().flat_map(|(_, consumer)| consumer.queues.iter());
        queues.map(|(_, queue)| queue.at.broker)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The answer to a request of a consumer.
    pub(crate) fn answered(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        peer: PeerId,
        (sub, ask): (SubscriptionId, ConsumerAsk),
        reply: Reply,
        body: Body,
    ) {
        let consumer = self.slots.get_mut(sub);
        match ask {
            ConsumerAsk::Members { question } => {
                self.members_answered(ctx, known, (sub, question), reply, body);
            }
            ConsumerAsk::Assigned { question } => {
                let Some(consumer) = consumer else { return };
                consumer.assignment_answered(ctx, known, question, reply, body);
            }
            ConsumerAsk::Group => {
                let Some(consumer) = consumer else { return };
                consumer.group_answered(ctx, &reply, body);
            }
            ConsumerAsk::Offset { queue, of } => {
                let Some(consumer) = consumer else { return };
                consumer.offset_answered(ctx, known, peer, (queue, of), reply);
            }
            ConsumerAsk::Pull { queue } => {
                let Some(consumer) = consumer else { return };
                consumer.pull_answered(ctx, known, peer, queue, reply, body);
            }
            ConsumerAsk::Commit { queue, broker, offset, .. } => {
                let stored = reply.code == ResponseCode::SUCCESS;
                count_commit(ctx, stored);
                let Some(consumer) = consumer else { return };
                consumer.commit_answered(ctx, known, (queue, broker, offset), reply);
            }
            ConsumerAsk::Check { wish } => self.filter_judged(ctx, (sub, wish), reply),
            ConsumerAsk::Locks { broker } => {
                let Some(consumer) = consumer else { return };
                consumer.locks_answered(ctx, known, broker, reply, body);
            }
            ConsumerAsk::SendBack { message, broker } => {
                let Some(consumer) = consumer else { return };
                consumer.back_answered(ctx, known, (message, broker), reply);
            }
        }
    }

    /// A request of a consumer came to nothing.
    pub(crate) fn failed(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        (sub, ask): (SubscriptionId, ConsumerAsk),
        failure: &Failure,
    ) {
        if matches!(ask, ConsumerAsk::Commit { .. }) {
            count_commit(ctx, false);
        }
        let Some(consumer) = self.get_mut(sub) else { return };
        match ask {
            ConsumerAsk::Members { question } => {
                consumer.members_failed(ctx, question, failure.clone());
            }
            ConsumerAsk::Assigned { question } => {
                consumer.assignment_failed(ctx, question, failure.clone());
            }
            ConsumerAsk::Group => {}
            ConsumerAsk::Offset { queue, of } => {
                let ask = consumer.offset_code(queue, of);
                consumer.queue_failed(ctx, known, queue, ask, failure);
            }
            ConsumerAsk::Pull { queue } => {
                consumer.queue_failed(ctx, known, queue, RequestCode::PULL_MESSAGE, failure);
            }
            ConsumerAsk::Commit { queue, broker, .. } => {
                consumer.commit_failed(ctx, known, (queue, broker), failure.clone());
            }
            ConsumerAsk::Check { wish } => consumer.not_judged(ctx, wish, failure.clone()),
            ConsumerAsk::Locks { broker } => {
                consumer.locks_failed(ctx, known, broker, failure.clone());
            }
            ConsumerAsk::SendBack { message, broker } => {
                consumer.back_failed(ctx, known, (message, broker), failure.clone());
            }
        }
    }

    /// A timer's time has come.
    pub(crate) fn timer_fired(
        &mut self,
        ctx: &mut Context,
        known: Known<'_>,
        timer: ConsumerTimer,
    ) {
        match timer {
            ConsumerTimer::Rebalance(sub) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.rebalance_due(ctx, known);
            }
            ConsumerTimer::Queue(sub, queue) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.pause_over(ctx, known, queue);
            }
            ConsumerTimer::Again(sub) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.deliver_again(ctx);
            }
            ConsumerTimer::Remind(sub) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.remind_due(ctx);
            }
            ConsumerTimer::Locks(sub, broker) => self.locks_due(ctx, known, (sub, broker)),
            ConsumerTimer::Look(sub) => self.look_due(ctx, known, sub),
            ConsumerTimer::Drain(sub) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.drain_over(ctx);
            }
            ConsumerTimer::CommitAgain(sub) => self.commit_again(ctx, known, sub),
            ConsumerTimer::Leave(sub) => self.leave_overdue(ctx, known, sub),
            ConsumerTimer::Load(sub) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.load_due(ctx);
            }
            ConsumerTimer::Save(sub) => {
                let Some(consumer) = self.get_mut(sub) else { return };
                consumer.save_due(ctx);
            }
            ConsumerTimer::Unread => self.forget_unread(ctx, known),
            ConsumerTimer::Turn => self.turn_due(ctx, known),
            ConsumerTimer::Commit => self.commit_due(ctx, known),
        }
    }
}

/// A commit was answered, or came to nothing: counted even where its consumer has gone.
const fn count_commit(ctx: &mut Context, stored: bool) {
    let counters = &mut ctx.fx.counters;
    *(if stored { &mut counters.commits } else { &mut counters.commits_failed }) += 1;
}
