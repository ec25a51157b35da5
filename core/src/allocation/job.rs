//! A share computed apart from the engine: its cost grows with the topic's queues and the group's
//! members, and the client's lock must not be held for so long.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::group::{GroupTask, OtherFilter};
use super::{Allocation, AllocationError, Queue, Strategy, average};
use crate::body::{Assignments, ConsumerList, Members, RequestMode};
use crate::contain::contained;
use crate::id::{BrokerId, RouteQueue, SubscriptionId, TopicKey};
use crate::name::QueueName;

/// Work that the engine wants done without it, and needs no clock or socket for:
/// [`run`](Self::run) it, on whatever thread, and say so by
/// [`Input::Computed`](crate::engine::Input::Computed).
///
/// ```no_run
/// # use rocketry_core::engine::{Command, Engine, Input};
/// # fn f(engine: &mut Engine, now: rocketry_core::time::Instant) {
/// if let Some(Command::Compute { job }) = engine.poll_command() {
///     engine.handle(now, Input::Computed { done: job.run() });
/// }
/// # }
/// ```
///
/// It is a consumer's share of one topic, or a look at what its group subscribes to. One that is
/// never run, or whose end comes late, costs no more than that the share stays as it is.
#[derive(Clone)]
pub struct Job(Box<Work>);

#[derive(Clone)]
enum Work {
    Share(Task),
    Compare(GroupTask),
}

/// What a [`Job`] came to, for [`Input::Computed`](crate::engine::Input::Computed).
#[derive(Clone, Debug)]
pub struct Computed(pub(crate) Outcome);

/// The same, by what it was.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A share.
    Share { ticket: Ticket, result: Result<Share, AllocationError> },
    /// What the group subscribes to otherwise than a member of it.
    Group { sub: SubscriptionId, others: Vec<OtherFilter> },
}

/// Whose job it is, and which of its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) sub: SubscriptionId,
    pub(crate) topic: TopicKey,
    pub(crate) generation: u64,
}

/// What is to be computed, and from what.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) ticket: Ticket,
    pub(crate) topic: Arc<str>,
    pub(crate) me: Arc<str>,
    /// The topic's queues, by the names of their brokers and by their numbers.
    pub(crate) queues: Arc<[RouteQueue]>,
    /// Those names, where the rule goes by them.
    pub(crate) brokers: Vec<(BrokerId, Arc<str>)>,
    pub(crate) rule: Rule,
    /// What this member has, in the order of [`RouteQueue`].
    pub(crate) held: Arc<[RouteQueue]>,
}

/// Who decides.
#[derive(Clone)]
pub(crate) enum Rule {
    /// A strategy, by the group's members; by their list where their count is not enough.
    Members { strategy: Strategy, members: Members, list: Bytes },
    /// The broker, which has said so in a body of `QUERY_ASSIGNMENT` (400).
    Broker(Bytes),
    /// The application, which has named the queues.
    Assigned(Arc<BTreeSet<QueueName>>),
    /// Nobody: each member has all.
    All,
}

/// A share, and what changes by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// All of it, in the order of [`RouteQueue`]: what was held where nothing changes.
    pub(crate) queues: Arc<[RouteQueue]>,
    pub(crate) gained: Vec<RouteQueue>,
    pub(crate) lost: Vec<RouteQueue>,
}

impl From<Task> for Job {
    fn from(task: Task) -> Self {
        Self(Box::new(Work::Share(task)))
    }
}

impl From<GroupTask> for Job {
    fn from(task: GroupTask) -> Self {
        Self(Box::new(Work::Compare(task)))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        match (&*self.0, &*other.0) {
            (Work::Share(one), Work::Share(other)) => one.ticket == other.ticket,
            (Work::Compare(one), Work::Compare(other)) => one == other,
            (Work::Share(_), Work::Compare(_)) | (Work::Compare(_), Work::Share(_)) => false,
        }
    }
}

impl Eq for Job {}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Job");
        match &*self.0 {
            Work::Share(task) => {
                shown.field("topic", &task.topic).field("queues", &task.queues.len())
            }
            Work::Compare(task) => shown.field("topics", &task.own.len()),
        };
        shown.finish_non_exhaustive()
    }
}

impl Job {
    /// Does it. Panics of rules of the application's own end here, as an error.
    pub fn run(self) -> Computed {
        Computed(match *self.0 {
            Work::Share(task) => {
                let result = contained(|| task.share());
                let result = result.unwrap_or(Err(AllocationError::Panicked));
                Outcome::Share { ticket: task.ticket, result }
            }
            Work::Compare(task) => Outcome::Group { sub: task.sub, others: task.compare() },
        })
    }

    /// Whether code of the application's is called, which may block.
    pub fn may_block(&self) -> bool {
        match &*self.0 {
            Work::Share(Task { rule: Rule::Members { strategy, .. }, .. }) => strategy.is_foreign(),
            Work::Share(_) | Work::Compare(_) => false,
        }
    }
}

impl Task {
    fn share(&self) -> Result<Share, AllocationError> {
        let mut wanted = match &self.rule {
            Rule::Members { strategy: Strategy::Average, members, .. } => {
                let place = members.place.unwrap_or(usize::MAX);
                self.queues[average(self.queues.len(), members.count, place)].to_vec()
            }
            Rule::Members { strategy: Strategy::Circle, members, .. } => {
                let from = members.place.unwrap_or(usize::MAX);
                self.queues.iter().skip(from).step_by(members.count.max(1)).copied().collect()
            }
            Rule::Members { strategy, list, .. } => self.by_ids(strategy, list)?,
            Rule::Broker(assigned) => self.assigned(assigned)?,
            Rule::Assigned(queues) => self.named(queues),
            Rule::All => self.queues.to_vec(),
        };
        wanted.sort_unstable();
        Ok(Share::after(&self.held, wanted))
    }

    fn by_ids(&self, strategy: &Strategy, list: &[u8]) -> Result<Vec<RouteQueue>, AllocationError> {
        let list = ConsumerList::parse(list).map_err(unreadable)?;
        let members = list.client_ids.into_iter().map(Arc::from).collect();
        let named = |at: &RouteQueue| Queue { broker: self.name(at.broker), id: at.queue };
        let queues: Vec<Queue> = self.queues.iter().map(named).collect();
        let allocation = Allocation::of_sorted(self.topic.clone(), queues, members);
        let share = allocation.share(strategy, &self.me)?;
        Ok(share.into_iter().map(|place| self.queues[place]).collect())
    }

    /// The queues of the route that the broker names; others are not there to be read.
    fn assigned(&self, body: &[u8]) -> Result<Vec<RouteQueue>, AllocationError> {
        let assigned = Assignments::parse(body).map_err(unreadable)?;
        if assigned.queues.iter().any(|one| one.mode == RequestMode::Pop) {
            return Err(AllocationError::Pop);
        }
        let mut own = Vec::with_capacity(assigned.queues.len());
        for one in assigned.queues {
            let named = |(_, name): &&(BrokerId, Arc<str>)| **name == *one.queue.broker_name;
            let broker = self.brokers.iter().find(named).map(|(broker, _)| *broker);
            let queue = u32::try_from(one.queue.queue_id).ok();
            own.extend(broker.zip(queue).map(|(broker, queue)| RouteQueue { broker, queue }));
        }
        own.sort_unstable();
        own.dedup();
        let mut there: Vec<RouteQueue> = self.queues.to_vec();
        there.sort_unstable();
        own.retain(|at| there.binary_search(at).is_ok());
        Ok(own)
    }

    /// The queues of the route that the application names.
    fn named(&self, queues: &BTreeSet<QueueName>) -> Vec<RouteQueue> {
        let names: BTreeSet<(&str, u32)> = queues
            .iter()
            .filter(|queue| *queue.topic.wire() == self.topic)
            .map(|queue| (&*queue.broker, queue.queue))
            .collect();
        let wanted = |at: &&RouteQueue| names.contains(&(&*self.name(at.broker), at.queue));
        self.queues.iter().filter(wanted).copied().collect()
    }

    fn name(&self, broker: BrokerId) -> Arc<str> {
        let found = self.brokers.binary_search_by_key(&broker, |(id, _)| *id);
        found.map_or_else(|_| "".into(), |at| self.brokers[at].1.clone())
    }
}

fn unreadable(error: crate::body::BodyError) -> AllocationError {
    AllocationError::List { reason: error.to_string().into() }
}

impl Share {
    /// What `wanted`, which is sorted, changes for who holds `held`.
    fn after(held: &Arc<[RouteQueue]>, wanted: Vec<RouteQueue>) -> Self {
        let (mut gained, mut lost) = (Vec::new(), Vec::new());
        if **held == *wanted {
            return Self { queues: held.clone(), gained, lost };
        }
        let mut old = held.iter().copied().peekable();
        for &new in &wanted {
            while let Some(gone) = old.next_if(|old| *old < new) {
                lost.push(gone);
            }
            if old.next_if_eq(&new).is_none() {
                gained.push(new);
            }
        }
        lost.extend(old);
        Self { queues: wanted.into(), gained, lost }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::allocation::{Allocate, PrefixRooms, Question};
    use crate::body::{Assignment, MessageQueue};
    use crate::id::Slots;
    use crate::rng::Rng;

    /// Brokers whose order by name is not that of their numbers.
    const BROKERS: [(u32, &str); 3] = [(7, "hz-a"), (2, "hz-b"), (5, "sh-a")];

    fn queues(count: u32) -> Arc<[RouteQueue]> {
        let of = |(broker, _): (u32, _)| {
            (0..count).map(move |queue| RouteQueue { broker: BrokerId(broker), queue })
        };
        BROKERS.into_iter().flat_map(of).collect()
    }

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("hz-10.0.0.{at}@1#{at}")).collect()
    }

    fn task(queues: Arc<[RouteQueue]>, held: &[RouteQueue], rule: Rule) -> Task {
        let mut brokers: Vec<(BrokerId, Arc<str>)> =
            BROKERS.map(|(id, name)| (BrokerId(id), name.into())).into();
        brokers.sort_unstable();
        let ticket = Ticket {
            sub: Slots::<SubscriptionId, ()>::default().insert(()),
            topic: Slots::<TopicKey, ()>::default().insert(()),
            generation: 1,
        };
        let me = Arc::from(&*ids(4)[2]);
        let mut held = held.to_vec();
        held.sort_unstable();
        Task { ticket, topic: "orders".into(), me, queues, brokers, rule, held: held.into() }
    }

    fn by(strategy: Strategy, members: Vec<String>) -> Rule {
        let me = &ids(4)[2];
        let list = ConsumerList { client_ids: members }.to_json();
        Rule::Members { strategy, members: Members::parse(&list, me).unwrap(), list: list.into() }
    }

    fn run(task: Task) -> Result<Share, AllocationError> {
        result(Job::from(task))
    }

    fn result(job: Job) -> Result<Share, AllocationError> {
        match job.run() {
            Computed(Outcome::Share { result, .. }) => result,
            Computed(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_changes_is_the_difference_of_the_lists() {
        let (mut rng, all) = (Rng::new(3), queues(9));
        for _ in 0..500 {
            let mut some = || -> BTreeSet<RouteQueue> {
                all.iter().copied().filter(|_| rng.below(3) == 0).collect()
            };
            let (old, new) = (some(), some());
            let held: Arc<[RouteQueue]> = old.iter().copied().collect();
            let share = Share::after(&held, new.iter().copied().collect());
            assert!(share.queues.iter().copied().eq(new.iter().copied()));
            assert!(share.gained.iter().eq(new.difference(&old)), "{share:?}");
            assert!(share.lost.iter().eq(old.difference(&new)), "{share:?}");
        }
        let held: Arc<[RouteQueue]> = all.clone();
        assert!(Arc::ptr_eq(&Share::after(&held, held.to_vec()).queues, &held));
    }

    #[test]
    fn every_rule_gives_what_the_allocation_of_the_same_lists_does() {
        let nearby = Strategy::Nearby {
            rooms: Arc::new(PrefixRooms('-')),
            within: Box::new(Strategy::Circle),
        };
        let own = crate::allocation::Queue { broker: "hz-b".into(), id: 1 };
        let rules = [Strategy::Average, Strategy::Circle, Strategy::Config(vec![own]), nearby];
        #[cfg(feature = "consistent-hash")]
        let rules = rules.into_iter().chain([Strategy::ConsistentHash { virtual_nodes: 10 }]);
        for strategy in rules {
            for (count, members) in [(0, 4), (1, 7), (5, 4), (40, 3)] {
                // Told in another order, and one of them twice.
                let mut told = ids(members);
                told.reverse();
                told.push(told[0].clone());
                let queues = queues(count);
                let share = run(task(queues.clone(), &[], by(strategy.clone(), told))).unwrap();
                let named = |at: &RouteQueue| {
                    let broker = BROKERS.iter().find(|(id, _)| *id == at.broker.0).unwrap().1;
                    Queue { broker: broker.into(), id: at.queue }
                };
                let members = ids(members).into_iter().map(Arc::from).collect();
                let all = queues.iter().map(named).collect();
                let allocation = Allocation::new("orders".into(), all, members);
                let places = allocation.share(&strategy, &ids(4)[2]).unwrap();
                let mut expected: Vec<RouteQueue> =
                    places.into_iter().map(|place| queues[place]).collect();
                expected.sort_unstable();
                assert_eq!(*share.queues, *expected, "{strategy:?}");
                assert_eq!(share.gained, expected, "{strategy:?}");
            }
        }
    }

    #[derive(Debug)]
    struct Own(fn(&Question<'_>) -> Result<Vec<usize>, String>);

    impl Allocate for Own {
        fn name(&self) -> &'static str {
            "OWN"
        }

        fn allocate(&self, question: &Question<'_>) -> Result<Vec<usize>, String> {
            (self.0)(question)
        }
    }

    #[test]
    fn a_rule_of_the_applications_own_is_asked_and_contained() {
        let ask = |own| {
            let rule = by(Strategy::Custom(Arc::new(Own(own))), ids(4));
            let job = Job::from(task(queues(2), &queues(2), rule));
            assert!(job.may_block());
            result(job)
        };
        let share = ask(|question| {
            assert_eq!((question.topic, question.queues.len()), ("orders", 6));
            assert_eq!((question.me, question.members.len()), (&*ids(4)[2], 4));
            assert_eq!(question.queues[5].broker, "sh-a".into());
            Ok(vec![5, 0, 5])
        });
        let share = share.unwrap();
        let own = [
            RouteQueue { broker: BrokerId(5), queue: 1 },
            RouteQueue { broker: BrokerId(7), queue: 0 },
        ];
        assert_eq!((&*share.queues, share.lost.len()), (&own[..], 4));
        let place = AllocationError::Place { place: 6, queues: 6 };
        assert_eq!(ask(|_| Ok(vec![1, 6])), Err(place));
        assert_eq!(ask(|_| panic!("its own fault")), Err(AllocationError::Panicked));
        let refused = AllocationError::Own { rule: "OWN".into(), reason: "no map".into() };
        assert_eq!(ask(|_| Err("no map".to_owned())), Err(refused));
    }

    #[test]
    fn reb_17_a_brokers_word_is_taken_as_far_as_the_route_knows_the_queues() {
        let assigned = |broker: &str, queue_id, mode| Assignment {
            attachments: None,
            queue: MessageQueue {
                broker_name: broker.to_owned(),
                queue_id,
                topic: "orders".to_owned(),
            },
            mode,
        };
        let share = |queues_told: Vec<Assignment>| {
            let body = Assignments { queues: queues_told }.to_json();
            run(task(queues(2), &[], Rule::Broker(body.into())))
        };
        let pull = RequestMode::Pull;
        let told = vec![
            assigned("sh-a", 1, pull),
            assigned("hz-a", 0, pull),
            assigned("nobody", 0, pull),
            assigned("hz-a", 2, pull),
            assigned("hz-a", -1, pull),
        ];
        let of = |broker, queue| RouteQueue { broker: BrokerId(broker), queue };
        assert_eq!(*share(told).unwrap().queues, [of(5, 1), of(7, 0)]);
        let pop = vec![assigned("hz-a", -1, RequestMode::Pop)];
        assert_eq!(share(pop), Err(AllocationError::Pop));
        let unreadable = run(task(queues(1), &[], Rule::Broker(Bytes::from_static(b"x"))));
        assert!(matches!(unreadable, Err(AllocationError::List { .. })), "{unreadable:?}");
    }
}
