//! Groups whose members, queues and brokers change, and rules by which queues are shared.

use std::collections::BTreeSet;
use std::sync::Arc;

use rocketry_conformance::broker::{ClusterConfig, ListenerId, TopicConfig};
use rocketry_conformance::sim::{ClientId, Pace, Way, World};
use rocketry_core::allocation::{Allocate, AllocationError, Question, Strategy};
use rocketry_core::consumer::{Assignment, Filter, Subscribe};
use rocketry_core::engine::Note;
use rocketry_core::frame::request::NotifyIdsRequest;
use rocketry_core::frame::{Request, RequestCode, ResponseCode};
use rocketry_core::id::SubscriptionId;
use rocketry_core::query::QueueName;

use crate::setting::*;

const LISTS: RequestCode = RequestCode::GET_CONSUMER_LIST_BY_GROUP;

/// The queues that are a consumer's.
fn queues(world: &World, (client, sub): (ClientId, SubscriptionId)) -> BTreeSet<QueueName> {
    world.engine(client).queues(sub).into_iter().collect()
}

fn join(world: &mut World) -> (ClientId, SubscriptionId) {
    let client = world.client(config());
    (client, consume(world, client, Pace::AtOnce))
}

/// Whether they have so many queues together, and none twice.
fn have(world: &World, members: &[(ClientId, SubscriptionId)], count: usize) -> bool {
    let shares: Vec<_> = members.iter().map(|member| queues(world, *member)).collect();
    let all: BTreeSet<_> = shares.iter().flatten().collect();
    all.len() == count && shares.iter().map(BTreeSet::len).sum::<usize>() == count
}

/// Changes of their shares so far.
fn changes(world: &World, members: &[(ClientId, SubscriptionId)]) -> usize {
    members.iter().map(|(client, _)| world.changes(*client).len()).sum()
}

fn notify(world: &mut World) {
    let conns: Vec<_> = world.cluster().connections_to(ListenerId::Broker(0)).collect();
    for conn in conns {
        let request = Request::NotifyIds(NotifyIdsRequest { consumer_group: GROUP.into() });
        world.with_cluster(|cluster| cluster.ask_client(conn, request, Vec::new(), true));
    }
}

#[test]
fn reb_06_more_clients_than_queues_leave_some_idle_and_nothing_unread() {
    let mut world = world(1, 4);
    let members: Vec<_> = (0..6).map(|_| join(&mut world)).collect();
    let took = world.run_until(10 * SECOND, |world| have(world, &members, 4));
    assert!(took.is_some_and(|took| took < 3 * SECOND), "{took:?}");
    let mut shares: Vec<_> = members.iter().map(|member| queues(&world, *member).len()).collect();
    shares.sort_unstable();
    assert_eq!(shares, [0, 0, 1, 1, 1, 1]);
    store_many(&mut world, members[0].0, 40);
    world.run_until(5 * SECOND, |world| world.distinct() == 40).unwrap();
}

#[test]
fn reb_10_a_thousand_notices_in_a_second_lead_to_two_looks_and_disturb_no_pull() {
    let mut world = world(1, 8);
    let member = join(&mut world);
    world.run_for(10 * SECOND);
    let (before, changed) = (world.cluster().requests(LISTS), world.changes(member.0).len());
    for i in 0..1000 {
        world.later(ms(i), notify);
    }
    for i in 0..99 {
        world.later(ms(10 * i), move |world| {
            send(world, member.0, &i.to_string());
        });
    }
    world.run_for(ms(999));
    assert!(world.cluster().requests(LISTS) - before <= 1, "the first acts at once");
    world.run_for(2 * SECOND);
    assert_eq!(world.cluster().requests(LISTS) - before, 2);
    assert_eq!((world.distinct(), world.changes(member.0).len()), (99, changed));
    // A single one later leads to a look at once again.
    notify(&mut world);
    world.run_for(ms(20));
    assert_eq!(world.cluster().requests(LISTS) - before, 3);
}

#[test]
fn reb_11_lists_that_differ_by_broker_move_no_queue() {
    let mut world = brokers(1, 2, 4);
    let members = [join(&mut world), join(&mut world)];
    let took = world.run_until(10 * SECOND, |world| have(world, &members, 8));
    assert!(took.is_some_and(|took| took < 3 * SECOND), "{took:?}");
    world.run_for(2 * SECOND);
    let second = world.engine(members[1].0).client_id().to_string();
    let ghost = second.replace('@', "#");
    let address = world.cluster().endpoint(1).unwrap().to_owned();
    world.tamper(move |at, way, bytes| {
        if at == address && way == Way::Down {
            reword(bytes, &second, &ghost);
        }
    });
    let before = changes(&world, &members);
    for i in 0..20 {
        world.later(ms(3_000 * i), notify);
    }
    world.run_for(60 * SECOND);
    assert_eq!(changes(&world, &members), before, "queues went back and forth");
    // While the first broker is away its queues are read by nobody; all is well once it is back.
    world.with_cluster(|cluster| cluster.crash(0));
    world.run_for(10 * SECOND);
    world.tamper_no_more();
    world.with_cluster(|cluster| cluster.bring_up(0));
    world.run_for(5 * SECOND);
    let took = world.run_until(60 * SECOND, |world| have(world, &members, 8));
    assert!(took.is_some(), "{:?}", members.map(|member| queues(&world, member).len()));
}

#[test]
fn reb_14_a_queue_count_that_changes_is_followed_with_the_next_route() {
    let mut world = world(1, 8);
    let members = [join(&mut world), join(&mut world)];
    world.run_until(10 * SECOND, |world| have(world, &members, 8)).unwrap();
    for count in [16, 4, 16] {
        world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, count)));
        let all = count as usize;
        let took = world.run_until(60 * SECOND, |world| have(world, &members, all));
        assert!(took.is_some_and(|took| took < 40 * SECOND), "{count}: {took:?}");
    }
    store_many(&mut world, members[0].0, 64);
    world.run_until(5 * SECOND, |world| world.distinct() == 64).unwrap();
}

#[test]
fn reb_15_brokers_that_come_and_go_are_followed() {
    let mut world = World::new(1, ClusterConfig::default().brokers(2));
    let own = TopicConfig::new(TOPIC, 4);
    world.with_cluster(|cluster| cluster.create_topic_on(0, &own));
    let members = [join(&mut world), join(&mut world)];
    world.run_until(10 * SECOND, |world| have(world, &members, 4)).unwrap();
    world.with_cluster(|cluster| cluster.create_topic_on(1, &own));
    let took = world.run_until(60 * SECOND, |world| have(world, &members, 8));
    assert!(took.is_some_and(|took| took < 40 * SECOND), "{took:?}");
    store_many(&mut world, members[0].0, 80);
    world.run_until(5 * SECOND, |world| world.distinct() == 80).unwrap();
    world.with_cluster(|cluster| cluster.delete_topic_on(1, TOPIC));
    let took = world.run_until(60 * SECOND, |world| have(world, &members, 4));
    assert!(took.is_some_and(|took| took < 40 * SECOND), "{took:?}");
}

#[test]
fn a_hundred_topics_are_one_question_for_the_members() {
    let names: Vec<String> = (0..100).map(|at| format!("topic_{at}")).collect();
    let config = names.iter().fold(ClusterConfig::default(), |config, name| config.topic(name, 4));
    let mut world = World::new(1, config);
    let member = |world: &mut World| {
        let client = world.client(crate::setting::config());
        let mut subscribe = from_first(GROUP);
        subscribe.topics = names.iter().map(|name| (topic(name), Filter::All)).collect();
        (client, world.subscribe(client, subscribe, Pace::AtOnce).unwrap())
    };
    let members = [member(&mut world), member(&mut world)];
    let took = world.run_until(20 * SECOND, |world| have(world, &members, 400));
    assert!(took.is_some_and(|took| took < 5 * SECOND), "{took:?}");
    assert!(members.iter().all(|member| queues(&world, *member).len() == 200));
    world.run_for(5 * SECOND);
    let before = world.cluster().requests(LISTS);
    world.run_for(60 * SECOND);
    let looks = world.cluster().requests(LISTS) - before;
    assert!(looks <= 8, "{looks} for two members in a minute");
    assert!(world.most_at_once() <= 300, "{} requests at once", world.most_at_once());
}

#[test]
fn reb_17_a_broker_that_can_not_assign_queues_leaves_it_to_the_members() {
    let mut world = world(1, 8);
    let refuse = RequestCode::QUERY_ASSIGNMENT;
    let unknown = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
    world.with_cluster(|cluster| cluster.push_error(refuse, [unknown; 2]));
    let members: Vec<_> = (0..2)
        .map(|_| {
            let client = world.client(config());
            let mut subscribe = from_first(GROUP);
            subscribe.options = subscribe.options.assignment(Assignment::Broker);
            (client, world.subscribe(client, subscribe, Pace::AtOnce).unwrap())
        })
        .collect();
    world.run_until(10 * SECOND, |world| have(world, &members, 8)).unwrap();
    for (client, _) in members {
        let declined = |note: &&Note| matches!(note, Note::AssignmentDeclined { .. });
        assert_eq!(world.notes(client).filter(declined).count(), 1);
    }
    assert_eq!(world.cluster().requests(refuse), 2, "it is asked once");
}

/// A rule that does as it is told.
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

fn join_by(world: &mut World, strategy: Strategy) -> (ClientId, SubscriptionId) {
    let client = world.client(config());
    let mut subscribe = from_first(GROUP);
    subscribe.options = subscribe.options.strategy(strategy);
    (client, world.subscribe(client, subscribe, Pace::AtOnce).unwrap())
}

fn own(rule: fn(&Question<'_>) -> Result<Vec<usize>, String>) -> Strategy {
    Strategy::Custom(Arc::new(Own(rule)))
}

#[test]
fn every_rule_shares_all_queues_out() {
    /// The last member has all.
    fn last(question: &Question<'_>) -> Result<Vec<usize>, String> {
        let last = question.members.last().is_some_and(|id| **id == *question.me);
        Ok((0..if last { question.queues.len() } else { 0 }).collect())
    }
    let rules = [Strategy::Circle, Strategy::ConsistentHash { virtual_nodes: 10 }, own(last)];
    for rule in rules {
        let mut world = brokers(1, 2, 8);
        let members: Vec<_> = (0..3).map(|_| join_by(&mut world, rule.clone())).collect();
        let took = world.run_until(10 * SECOND, |world| have(world, &members, 16));
        assert!(took.is_some_and(|took| took < 3 * SECOND), "{rule:?}: {took:?}");
        store_many(&mut world, members[0].0, 64);
        world.run_until(5 * SECOND, |world| world.distinct() == 64).unwrap();
    }
}

#[test]
fn an_own_rule_that_fails_moves_nothing_and_is_asked_again_after_pauses_that_grow() {
    /// Fails or panics as soon as there are two.
    fn fails(question: &Question<'_>) -> Result<Vec<usize>, String> {
        match question.members.len() {
            1 => Ok((0..question.queues.len()).collect()),
            2 => Err("there are two".to_owned()),
            _ => panic!("there are three"),
        }
    }
    let mut world = world(1, 8);
    let first = join_by(&mut world, own(fails));
    world.run_until(5 * SECOND, |world| have(world, &[first], 8)).unwrap();
    for others in 1..=2 {
        join_by(&mut world, own(fails));
        let before = world.cluster().requests(LISTS);
        store_many(&mut world, first.0, 16);
        world.run_for(30 * SECOND);
        // 1, 2, 4, 8 and 16 s apart, for each of them.
        let asked = world.cluster().requests(LISTS) - before;
        assert!(asked < 9 * (others + 1), "{asked}");
        assert!(have(&world, &[first], 8));
        assert_eq!(world.distinct(), 16 * others as usize, "its pulls go on");
    }
    let failed = |note: &&Note| matches!(note, Note::NotShared { .. });
    let told = world.notes(first.0).filter(failed).count();
    assert!((1..=2).contains(&told), "{told} in a minute");
}

#[test]
fn a_rule_that_takes_its_time_stops_no_pull_and_what_it_says_of_an_old_route_is_dropped() {
    let mut world = world(1, 8);
    let first = join(&mut world);
    world.run_until(5 * SECOND, |world| have(world, &[first], 8)).unwrap();
    world.compute_takes(40 * SECOND);
    let second = join(&mut world);
    world.run_for(5 * SECOND);
    // By now it is computed what one of two members of eight queues has.
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, 4)));
    store_many(&mut world, first.0, 40);
    world.run_for(25 * SECOND);
    assert_eq!(world.distinct(), 40, "pulls go on");
    assert!(have(&world, &[first], 8));
    let late = |note: &&Note| match note {
        Note::NotShared { error: AllocationError::Late(took), .. } => *took > 10 * SECOND,
        _ => false,
    };
    assert_eq!(world.notes(first.0).filter(late).count(), 1, "it says what it waits for");
    world.compute_takes(ms(1));
    let took = world.run_until(60 * SECOND, |world| have(world, &[first, second], 4));
    assert!(took.is_some_and(|took| took < 20 * SECOND), "{took:?}");
    let of_first = world.changes(first.0).iter().map(|change| change.lost.len()).sum::<usize>();
    assert_eq!(of_first, 6, "from eight to two at once");
}

#[test]
fn a_consumer_leaves_while_its_share_is_computed() {
    let mut world = world(1, 8);
    world.compute_takes(30 * SECOND);
    let (client, sub) = join(&mut world);
    world.run_for(SECOND);
    assert_eq!(world.engine(client).queues(sub), []);
    world.leave(client, sub).unwrap();
    world.run_until(SECOND, |world| world.left_at(client, sub).is_some()).unwrap();
    world.run_for(60 * SECOND);
    let other = consume(&mut world, client, Pace::AtOnce);
    world.compute_takes(ms(1));
    world.run_for(40 * SECOND);
    assert!(have(&world, &[(client, other)], 8));
    // The same group is one consumer's in one client.
    let twice = world.subscribe(client, Subscribe::new(group(), topic(TOPIC)), Pace::AtOnce);
    assert_eq!(twice, Err(rocketry_core::error::Refused::DuplicateGroup(group())));
}

fn group() -> rocketry_core::name::Group {
    rocketry_core::name::Group::new(GROUP).unwrap()
}

/// A broker makes the group's retry topic when it first hears of the group: that is after its route
/// was looked up.
#[test]
fn reb_14_the_retry_topic_of_a_broker_that_a_topic_grows_to_is_read_at_once() {
    for seed in 0..4 {
        let cluster = ClusterConfig::default().brokers(2);
        let mut world = World::new(seed, cluster);
        let on = |broker: usize, world: &mut World| {
            let topic = TopicConfig::new(TOPIC, 2);
            world.with_cluster(|cluster| cluster.create_topic_on(broker, &topic));
        };
        on(0, &mut world);
        let client = world.client(config());
        consume(&mut world, client, Pace::Manual);
        let retries = format!("%RETRY%{GROUP}");
        let held = |world: &World, topic: &str, broker: &str| {
            let queues = world.held(client, GROUP);
            queues.iter().any(|at| at.topic.as_str() == topic && &*at.broker == broker)
        };
        world.run_until(10 * SECOND, |world| held(world, &retries, "broker-a")).unwrap();
        on(1, &mut world);
        world.run_until(60 * SECOND, |world| held(world, TOPIC, "broker-b")).unwrap();
        world.run_until(5 * SECOND, |world| held(world, &retries, "broker-b")).unwrap();
    }
}
