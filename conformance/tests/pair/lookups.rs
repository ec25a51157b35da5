//! Look-ups of routes: nameservers that do not know, that forget and that are silent, and routes
//! that are of no use for a while.

use std::time::Duration;

use rocketry_conformance::broker::{ClusterConfig, Fault, ListenerId, TopicConfig};
use rocketry_conformance::sim::{Answer, ClientId, Host, Pace, World};
use rocketry_core::config::Config;
use rocketry_core::error::{ErrorKind, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::OpId;
use rocketry_core::message::Message;
use rocketry_core::producer::{QueueSelection, SendOptions};
use rocketry_core::query::{Query, QueueName};

use crate::setting::*;

const NS2: &str = "ns2:9876";
const FIRST: ListenerId = ListenerId::Nameserver;
const SECOND_NS: ListenerId = ListenerId::SecondNameserver;

fn with_two(seed: u64, cluster: ClusterConfig) -> World {
    let mut world = World::new(seed, cluster);
    world.host(NS2, Host::Cluster(SECOND_NS));
    world
}

fn two() -> Config {
    Config::new("ns:9876;ns2:9876").unwrap()
}

fn routes_asked(world: &World) -> u64 {
    world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC)
}

fn sent(world: &mut World, client: ClientId) -> (Duration, OpId) {
    let op = send(world, client, "x");
    let (took, result) = world.end_of(client, op);
    result.unwrap();
    (took, op)
}

#[test]
fn ns_17_a_topic_that_one_of_two_nameservers_knows_is_there() {
    for ignorant in [FIRST, SECOND_NS] {
        for template in [true, false] {
            for seed in 0..6 {
                let cluster = ClusterConfig { auto_create_topics: template, ..Default::default() };
                let mut world = with_two(seed, cluster.brokers(2));
                // On one broker alone: TBW102's route would name the other one too.
                world.with_cluster(|cluster| {
                    cluster.create_topic_on(1, &TopicConfig::new(TOPIC, 4));
                    cluster.set_known(ignorant, TOPIC, false);
                });
                let client = world.client(two());
                for _ in 0..4 {
                    let (took, op) = sent(&mut world, client);
                    assert!(took < ms(50), "{took:?}");
                    let ended = world.sent(client, op).ended.clone().unwrap();
                    assert_eq!(&*ended.result.unwrap().broker, "broker-b");
                }
                let consumer = world.client(two());
                consume(&mut world, consumer, Pace::AtOnce);
                world.run_until(5 * SECOND, |world| world.delivered().len() == 4).unwrap();
            }
        }
    }
}

#[test]
fn ns_17_a_topic_is_missing_when_every_nameserver_that_answers_says_so() {
    let cluster = ClusterConfig { auto_create_topics: false, ..Default::default() };
    let mut world = with_two(1, cluster);
    let client = world.client(two());
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::NoTopic { .. }) && took < ms(50), "{took:?} {error}");
    let asked: Vec<_> = error.attempts().unwrap().iter().map(|one| one.endpoint.clone()).collect();
    assert!([NS, NS2].iter().all(|ns| asked.iter().any(|own| own.as_str() == *ns)), "{error}");
    // One is gone: the other one's word is enough.
    for gone in [NS, NS2] {
        world.door(gone, rocketry_conformance::sim::Door::Refuse);
        world.cut_all(gone);
        let op = send(&mut world, client, "x");
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::NoTopic { .. }) && took < SECOND, "{took:?} {error}");
        world.door(gone, rocketry_conformance::sim::Door::Open);
        world.run_for(5 * SECOND);
    }
    // One is silent: it does not answer, and does not take the whole time.
    for silent in [FIRST, SECOND_NS] {
        world.with_cluster(|cluster| {
            let lost = vec![Fault::Lose; 40];
            cluster.push_faults_at(silent, RequestCode::GET_ROUTEINFO_BY_TOPIC, lost);
        });
        let op = send(&mut world, client, "x");
        let (took, result) = world.end_of(client, op);
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::NoTopic { .. }), "{error}");
        assert!(took < ms(2_500), "{took:?}");
        world.with_cluster(|cluster| cluster.clear_faults());
        world.run_for(5 * SECOND);
    }
}

#[test]
fn ns_17_with_await_topic_a_send_waits_for_a_topic_until_its_deadline() {
    let cluster = ClusterConfig { auto_create_topics: false, ..Default::default() };
    let mut world = World::new(1, cluster);
    let mut config = config();
    config.await_topic = true;
    let client = world.client(config);
    let op = send(&mut world, client, "x");
    world.run_for(2 * SECOND);
    assert!(world.sent(client, op).ended.is_none());
    // Once at first, then 200 ms later, and up to a second apart.
    assert!((2..8).contains(&(routes_asked(&world) / 2)), "{}", routes_asked(&world));
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, 4)));
    let (took, result) = world.end_of(client, op);
    result.unwrap();
    assert!(took < 3 * SECOND, "{took:?}");
    let op = world.try_send(client, Message::new(topic("typo"), "x")).unwrap();
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::NoTopic { .. }), "{error}");
    assert_eq!(took, 3 * SECOND);
}

#[test]
fn ns_18_a_topic_that_the_nameserver_in_use_forgets_is_asked_of_the_other_one() {
    for seed in 0..8 {
        let mut world = with_two(seed, ClusterConfig::default().topic(TOPIC, 4));
        let client = world.client(two());
        store(&mut world, client, "x");
        let used = if world.open_links(NS) > 0 { FIRST } else { SECOND_NS };
        world.with_cluster(|cluster| {
            cluster.set_known(used, TOPIC, false);
            // Only the other one hears that the broker moves.
            cluster.set_endpoint(0, "127.0.0.1:20911");
        });
        world.host("127.0.0.1:20911", Host::Cluster(ListenerId::Broker(0)));
        world.door(BROKER, rocketry_conformance::sim::Door::Refuse);
        world.cut_all(BROKER);
        let (took, _) = sent(&mut world, client);
        assert!(took < 3 * SECOND, "{took:?}");
        // It stays with the one that knows.
        let asked = world.cluster().requests_at(used, RequestCode::GET_ROUTEINFO_BY_TOPIC);
        world.run_for(100 * SECOND);
        let again = world.cluster().requests_at(used, RequestCode::GET_ROUTEINFO_BY_TOPIC);
        assert_eq!(again, asked);
    }
}

#[test]
fn ns_18_one_nameserver_alone_that_forgets_a_topic_does_not_take_it_away() {
    let (mut world, client) = pair(1, 4);
    store(&mut world, client, "x");
    world.with_cluster(|cluster| cluster.set_known(FIRST, TOPIC, false));
    for _ in 0..20 {
        world.run_for(15 * SECOND);
        let (took, _) = sent(&mut world, client);
        assert!(took < ms(50), "{took:?}");
    }
}

#[test]
fn ns_18_a_topic_denied_twice_a_refresh_apart_and_served_by_nobody_is_given_up() {
    let cluster = ClusterConfig { auto_create_topics: false, ..Default::default() };
    let mut world = World::new(1, cluster.topic(TOPIC, 4));
    let client = world.client(config());
    store(&mut world, client, "x");
    world.take_down(0);
    let known = |world: &World| {
        let topics = world.engine(client).snapshot(world.now()).topics;
        topics.iter().any(|topic| topic.writable > 0)
    };
    world.run_for(25 * SECOND);
    assert!(known(&world), "one denial is not enough");
    let failed = |world: &mut World| {
        let op = send(world, client, "y");
        world.end_of(client, op).1.unwrap_err()
    };
    let error = failed(&mut world);
    assert!(error.is_retriable() && !error.to_string().contains("create the topic"), "{error}");
    world.run_for(80 * SECOND);
    assert!(!known(&world), "two are");
    // It may be that its only broker is down: nobody is told to create the topic.
    let error = failed(&mut world);
    assert!(error.is_retriable() && !error.to_string().contains("create the topic"), "{error}");
    let op = send(&mut world, client, "z");
    world.run_for(SECOND);
    world.bring_up(0);
    let (took, result) = world.end_of(client, op);
    result.unwrap();
    assert!(took < 3 * SECOND, "{took:?}");
}

#[test]
fn ns_19_a_silent_nameserver_costs_a_third_of_the_deadline_at_most() {
    for deadline in [ms(600), 3 * SECOND, 20 * SECOND] {
        let mut worst = Duration::ZERO;
        for seed in 0..8 {
            let cluster = ClusterConfig::default().topic(TOPIC, 4).topic("second", 4);
            let mut world = with_two(seed, cluster);
            world.with_cluster(|cluster| {
                let lost = vec![Fault::Lose; 100];
                cluster.push_faults_at(FIRST, RequestCode::GET_ROUTEINFO_BY_TOPIC, lost);
            });
            let client = world.client(two());
            let op = world.send_within(client, message("x"), deadline).unwrap();
            let (took, result) = world.end_of(client, op);
            result.unwrap();
            worst = worst.max(took);
            // In mid-life nobody waits for it any more.
            world.run_for(100 * SECOND);
            world.cut_all(BROKER);
            let op = world.try_send(client, Message::new(topic("second"), "x")).unwrap();
            let (took, result) = world.end_of(client, op);
            result.unwrap();
            // The broker's connection was cut, too: a pause before the next one.
            assert!(took < ms(200), "{took:?}");
        }
        let least = (deadline / 3).min(SECOND);
        assert!(worst >= least && worst < least + ms(50), "{worst:?} of {deadline:?}");
    }
}

#[test]
fn ns_19_a_late_answer_of_the_first_nameserver_counts() {
    let mut world = with_two(1, ClusterConfig::default().topic(TOPIC, 4));
    world.with_cluster(|cluster| {
        for (at, late) in [(FIRST, 1_200), (SECOND_NS, 1_200)] {
            let late = [Fault::Late(ms(late))];
            cluster.push_faults_at(at, RequestCode::GET_ROUTEINFO_BY_TOPIC, late);
        }
    });
    let client = world.client(two());
    let (took, _) = sent(&mut world, client);
    assert!(took < ms(1_250), "{took:?}");
    assert_eq!(routes_asked(&world), 2);
    world.run_for(10 * SECOND);
    let compiled = world.engine(client).snapshot(world.now()).counters.routes_compiled;
    assert_eq!(compiled, 1, "the second answer changes nothing");
}

#[test]
fn ns_19_a_nameserver_that_failed_is_asked_again_while_the_other_one_is_silent() {
    for (bad, silent) in [(FIRST, SECOND_NS), (SECOND_NS, FIRST)] {
        for seed in 0..8 {
            let mut world = with_two(seed, ClusterConfig::default().topic(TOPIC, 4));
            let code = RequestCode::GET_ROUTEINFO_BY_TOPIC;
            world.with_cluster(|cluster| {
                cluster.push_faults_at(bad, code, [Fault::LoseAndClose]);
                cluster.push_faults_at(silent, code, vec![Fault::Lose; 100]);
            });
            let client = world.client(two());
            let (took, _) = sent(&mut world, client);
            // The first silence, and one more where the silent one was asked first.
            assert!(took <= 2 * SECOND + ms(50), "{took:?}");
        }
    }
}

#[test]
fn ns_19_look_ups_that_only_fail_or_are_not_answered_ask_at_a_pace() {
    let mut world = with_two(3, ClusterConfig::default().topic(TOPIC, 4));
    let code = RequestCode::GET_ROUTEINFO_BY_TOPIC;
    world.with_cluster(|cluster| {
        let refused = Fault::Refuse(ResponseCode::SYSTEM_ERROR);
        cluster.push_faults_at(FIRST, code, vec![refused; 10_000]);
        cluster.push_faults_at(SECOND_NS, code, vec![Fault::Lose; 10_000]);
    });
    let client = world.client(two());
    // Somebody who has little time comes every 50 ms.
    for _ in 0..200 {
        world.send_within(client, message("x"), ms(100)).unwrap();
        world.run_for(ms(50));
    }
    let asked = routes_asked(&world);
    assert!((10..110).contains(&asked), "{asked} in 10 s");
}

#[test]
fn ns_20_a_lasting_lack_is_believed_of_a_route_that_was_told_and_not_of_one_that_is_asked_for() {
    let mut world = world(1, 4);
    world.with_cluster(|cluster| cluster.set_broker_perm(0, 4));
    let client = world.client(config());
    let op = send(&mut world, client, "refused");
    let error = world.end_of(client, op).1.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotWritable, "{error}");
    world.run_for(10 * SECOND);
    world.with_cluster(|cluster| {
        cluster.set_broker_perm(0, 6);
        let late = [Fault::Late(ms(300))];
        cluster.push_faults(RequestCode::GET_ROUTEINFO_BY_TOPIC, late);
    });
    // The second one comes while the first one's look-up is under way.
    let first = send(&mut world, client, "first");
    world.run_for(ms(5));
    let second = send(&mut world, client, "second");
    for op in [first, second] {
        world.end_of(client, op).1.unwrap();
    }
}

/// A master that is away and a slave that is there, so that the route has no master.
fn headless(seed: u64) -> (World, ClientId) {
    let cluster = ClusterConfig { hide_down_brokers: true, ..Default::default() };
    let mut world = World::new(seed, cluster.slaves().topic(TOPIC, 4));
    let client = world.client(config());
    (world, client)
}

#[test]
fn ns_20_what_heals_by_itself_is_waited_for_by_sends_of_every_aim() {
    let aims = [
        SendOptions::default(),
        SendOptions::hash("k"),
        SendOptions::to(&QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 1 }),
        SendOptions::default().oneway(),
    ];
    for warm in [true, false] {
        let (mut world, client) = headless(1);
        if warm {
            store(&mut world, client, "x");
        }
        world.take_down(0);
        world.run_for(5 * SECOND);
        let mut options = aims.to_vec();
        let mut random = SendOptions::default();
        random = random.selection(QueueSelection::Random);
        options.push(random);
        let ops: Vec<OpId> = options
            .into_iter()
            .map(|options| {
                world.send_with(client, message("y"), options.timeout(10 * SECOND)).unwrap()
            })
            .collect();
        let asked = routes_asked(&world);
        world.run_for(3 * SECOND);
        let asked = routes_asked(&world) - asked;
        assert!((3..=8).contains(&asked), "{asked} look-ups in 3 s");
        world.bring_up(0);
        let back = world.run_until(2 * SECOND, |world| {
            ops.iter().all(|op| {
                let sent = world.sent(client, *op);
                sent.ended.is_some() || sent.handed.is_some()
            })
        });
        assert!(back.is_some());
        for op in ops {
            if let Some(ended) = &world.sent(client, op).ended {
                assert!(ended.result.is_ok(), "{:?}", ended.result);
            }
        }
        let (took, _) = sent(&mut world, client);
        assert!(took < ms(50), "{took:?}");
    }
}

#[test]
fn ns_20_questions_wait_for_a_master_too() {
    let (mut world, client) = headless(2);
    world.take_down(0);
    let queue = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 0 };
    let queries = [Query::Writable(topic(TOPIC)), Query::MaxOffset(queue)];
    let ops: Vec<OpId> =
        queries.into_iter().map(|query| world.query(client, query).unwrap()).collect();
    world.run_for(2 * SECOND);
    world.bring_up(0);
    world.run_for(ms(990));
    for op in ops {
        match world.answer(client, op).unwrap().result.clone().unwrap() {
            Answer::Writable(queues) => assert_eq!(queues.len(), 4),
            Answer::Offset(offset) => assert_eq!(offset, 0),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn ns_20_a_route_without_any_queue_is_waited_for_by_sends_and_consumers() {
    for body in [&b"{}"[..], br#"{"queueDatas":[],"brokerDatas":[]}"#] {
        let (mut world, client) = pair(3, 4);
        let early = world.client(config());
        store(&mut world, early, "first");
        world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(body)));
        let op = world.send_within(client, message("x"), 10 * SECOND).unwrap();
        let consumer = world.client(config());
        consume(&mut world, consumer, Pace::AtOnce);
        world.run_for(5 * SECOND);
        world.with_cluster(|cluster| cluster.set_route(TOPIC, None));
        let took = world.run_until(3 * SECOND, |world| {
            world.delivered().len() == 2 && world.sent(client, op).ended.is_some()
        });
        assert!(took.is_some(), "{} delivered", world.delivered().len());
    }
}

#[test]
fn ns_20_a_fallback_route_without_a_master_is_waited_for() {
    let (mut world, client) = pair(4, 1);
    world.with_cluster(|cluster| cluster.set_route("TBW102", Some(b"{}")));
    let fresh = Message::new(topic("fresh"), "x");
    let op = world.send_within(client, fresh, 10 * SECOND).unwrap();
    world.run_for(3 * SECOND);
    assert!(world.sent(client, op).ended.is_none());
    world.with_cluster(|cluster| cluster.set_route("TBW102", None));
    let (took, result) = world.end_of(client, op);
    result.unwrap();
    assert!(took < 5 * SECOND, "{took:?}");
}

#[test]
fn ns_20_at_the_deadline_the_error_says_what_was_missing_and_is_retriable() {
    let (mut world, client) = headless(5);
    world.take_down(0);
    let op = send(&mut world, client, "x");
    let (took, result) = world.end_of(client, op);
    let error = result.unwrap_err();
    assert!(matches!(error, SendError::NotWritable { .. }), "{error}");
    assert_eq!((took, error.kind()), (3 * SECOND, ErrorKind::NotWritable));
    assert!(error.is_retriable() && error.stored() == Stored::No, "{error}");
    assert!(error.to_string().contains("no master"), "{error}");
    world.with_cluster(|cluster| cluster.set_route(TOPIC, Some(b"{}")));
    let client = world.client(config());
    let op = send(&mut world, client, "x");
    let error = world.end_of(client, op).1.unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("no queue"), "{error}");
}

#[test]
fn send_30_a_try_that_left_and_then_no_queue_is_stored_unknown() {
    let (mut world, client) = headless(6);
    store(&mut world, client, "x");
    // The message is stored, its answer lost with the connection, and the master gone for good.
    world.with_cluster(|cluster| cluster.push_faults(RequestCode::SEND_MESSAGE_V2, [Fault::Close]));
    let op = send(&mut world, client, "maybe");
    world.run_for(ms(3));
    world.take_down(0);
    let error = world.end_of(client, op).1.unwrap_err();
    assert_eq!(error.stored(), Stored::Unknown, "{error}");
    assert!(!error.attempts().unwrap().is_empty(), "{error}");
    assert!(error.to_string().contains("may have been stored"), "{error}");
}

#[test]
fn send_28_a_queue_that_is_led_elsewhere_or_cut_off_is_looked_up_at_once() {
    for code in [ResponseCode(501), ResponseCode::TOPIC_NOT_EXIST] {
        let (mut world, client) = pair(7, 4);
        store(&mut world, client, "x");
        world.run_for(5 * SECOND);
        let asked = routes_asked(&world);
        world.with_cluster(|cluster| cluster.push_error(RequestCode::SEND_MESSAGE_V2, [code]));
        let (took, _) = sent(&mut world, client);
        assert!(took < ms(300), "{took:?} with {code}");
        assert_eq!(routes_asked(&world), asked + 1, "{code}");
    }
}

/// As 5.3.3 does for some milliseconds when it gets fewer queues.
#[test]
fn send_28_a_broker_that_refuses_its_queues_before_its_nameserver_knows_fails_no_send() {
    let (mut world, client) = pair(10, 8);
    store(&mut world, client, "x");
    world.run_for(5 * SECOND);
    let code = ResponseCode(501);
    let refuse = |world: &mut World, count: usize| {
        world.with_cluster(|cluster| {
            cluster.push_error(RequestCode::SEND_MESSAGE_V2, vec![code; count]);
        });
    };
    refuse(&mut world, 3);
    let asked = routes_asked(&world);
    let (took, _) = sent(&mut world, client);
    assert!(took < 3 * SECOND, "{took:?}");
    assert_eq!(routes_asked(&world), asked + 3);
    // For good, it ends all the same.
    refuse(&mut world, 100);
    let op = send(&mut world, client, "y");
    let (took, result) = world.end_of(client, op);
    let error = result.expect_err("there is no queue");
    assert!(matches!(error, SendError::Rejected { stored: Stored::No, .. }), "{error}");
    assert!(took < 3 * SECOND, "{took:?}");
}

#[test]
fn send_28_a_send_whose_queue_was_cut_goes_to_one_that_is_there() {
    let (mut world, client) = pair(8, 8);
    store(&mut world, client, "x");
    world.run_for(5 * SECOND);
    world.with_cluster(|cluster| cluster.create_topic(&TopicConfig::new(TOPIC, 8).queues(4, 4)));
    for _ in 0..16 {
        let (took, _) = sent(&mut world, client);
        assert!(took < 3 * SECOND, "{took:?}");
    }
    assert!(routes_asked(&world) <= 3, "{}", routes_asked(&world));
    let hashed = world.send_with(client, message("h"), SendOptions::hash("k")).unwrap();
    world.end_of(client, hashed).1.unwrap();
}

#[test]
fn send_28_a_topic_moved_to_another_broker_is_followed_at_once() {
    let cluster = ClusterConfig { auto_create_topics: false, ..Default::default() };
    let mut world = World::new(9, cluster.brokers(2));
    world.with_cluster(|cluster| cluster.create_topic_on(0, &TopicConfig::new(TOPIC, 4)));
    let client = world.client(config());
    store(&mut world, client, "x");
    world.run_for(5 * SECOND);
    world.with_cluster(|cluster| {
        cluster.delete_topic_on(0, TOPIC);
        cluster.create_topic_on(1, &TopicConfig::new(TOPIC, 4));
    });
    let (took, op) = sent(&mut world, client);
    assert!(took < ms(300), "{took:?}");
    let receipt = world.sent(client, op).ended.clone().unwrap().result.unwrap();
    assert_eq!(&*receipt.broker, "broker-b");
}

#[test]
fn an_application_that_goes_on_sending_to_a_queue_that_is_not_there_asks_for_few_routes() {
    let (mut world, client) = pair(8, 4);
    store(&mut world, client, "x");
    let before = world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC);
    let gone = QueueName { topic: topic(TOPIC), broker: "broker-a".into(), queue: 40 };
    for _ in 0..500 {
        let options = SendOptions::to(&gone);
        world.send_with(client, message("y"), options).unwrap();
        world.run_for(ms(10));
    }
    let asked = world.cluster().requests(RequestCode::GET_ROUTEINFO_BY_TOPIC) - before;
    assert!((1..=30).contains(&asked), "{asked} in 5 s");
}
