//! Requests of the application, and their replies.

use std::sync::Arc;

use rocketry_conformance::broker::{Fault, Requests};
use rocketry_conformance::sim::{ClientId, Pace, World};
use rocketry_core::consumer::Handout;
use rocketry_core::engine::{Cancelled, Engine, Note};
use rocketry_core::error::{ErrorKind, Refused, RequestError, SendError, Stored};
use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::id::{OpId, SubscriptionId};
use rocketry_core::message::{MessageLimits, Publish, UniqueId};
use rocketry_core::name::Group;
use rocketry_core::producer::SendOptions;
use rocketry_core::time::{Instant, UnixMillis};

use crate::setting::*;

/// Who asks, and who reads and answers, in a world of so many brokers.
struct Pair {
    world: World,
    asker: ClientId,
    reader: ClientId,
    sub: SubscriptionId,
}

fn pair_of(count: usize, set: impl FnOnce(&mut rocketry_core::config::Config)) -> Pair {
    let mut world = brokers(1, count, 2);
    let mut own = config();
    own.identity.salt = 1;
    set(&mut own);
    let (asker, reader) = (world.client(own), world.client(config()));
    let sub = consume(&mut world, reader, Pace::Manual);
    world.run_for(5 * SECOND);
    Pair { world, asker, reader, sub }
}

impl Pair {
    fn ask(&mut self, body: &str) -> OpId {
        self.world.request(self.asker, message(body.to_owned()), 3 * SECOND).unwrap()
    }

    /// The messages that came to the reader, each with its body.
    fn came(&mut self) -> Vec<(Handout, u32, String)> {
        let runs = self.world.take(self.reader, self.sub);
        let mut all = Vec::new();
        for run in runs {
            for index in run.next..run.end {
                let record = run.batch.records().record(index as usize).unwrap();
                let body = String::from_utf8(record.body().unwrap().to_vec()).unwrap();
                all.push((run.clone(), index, body));
            }
        }
        all
    }

    /// Answers each message that came by what `of` makes of it. Gives the replies.
    fn answer_all(&mut self, of: impl Fn(&str) -> String) -> Vec<OpId> {
        let came = self.came();
        let answer = |(run, index, body): (Handout, u32, String)| {
            self.world.answer_message(self.reader, &run, index, of(&body)).unwrap()
        };
        came.into_iter().map(answer).collect()
    }

    fn end(&mut self, op: OpId) -> Result<String, RequestError> {
        let (_, result) = self.world.end_of_request(self.asker, op);
        result.map(|reply| String::from_utf8(reply.body().to_vec()).unwrap())
    }

    fn counters(&self) -> rocketry_core::engine::Counters {
        self.world.engine(self.asker).snapshot(self.world.now()).counters
    }
}

#[test]
fn rpc_01_a_request_gets_its_reply() {
    let mut pair = pair_of(1, |_| {});
    let op = pair.ask("1 + 1");
    pair.world.run_for(SECOND);
    assert!(pair.world.reply_to(pair.asker, op).is_none());
    let replies = pair.answer_all(|body| format!("{body} = 2"));
    assert_eq!(pair.end(op), Ok("1 + 1 = 2".to_owned()));
    let (_, receipt) = pair.world.end_of(pair.reader, replies[0]);
    assert_eq!(receipt.unwrap().topic.as_str(), "DefaultCluster_REPLY_TOPIC");
    let counters = pair.counters();
    assert_eq!((counters.rpc_begun, counters.rpc_replied, counters.rpc_late), (1, 1, 0));
    assert_eq!((counters.sends_stored, counters.rpc_in_flight()), (1, 0));
}

#[test]
fn rpc_02_a_thousand_at_once_get_each_its_own() {
    let mut pair = pair_of(3, |_| {});
    let ops: Vec<OpId> = (0..1000).map(|n| pair.ask(&n.to_string())).collect();
    for _ in 0..20 {
        pair.world.run_for(ms(50));
        pair.answer_all(|body| format!("re: {body}"));
    }
    for (n, op) in ops.into_iter().enumerate() {
        assert_eq!(pair.end(op), Ok(format!("re: {n}")));
    }
}

#[test]
fn each_broker_of_the_topic_knows_who_asks_before_the_request_leaves() {
    let mut pair = pair_of(3, |_| {});
    let op = pair.ask("first");
    pair.world.run_for(ms(500));
    let group = "producers";
    for broker in 0..3 {
        assert_eq!(pair.world.cluster().producers(broker, group).len(), 1, "{broker}");
    }
    pair.answer_all(|_| "second".to_owned());
    assert_eq!(pair.end(op), Ok("second".to_owned()));
}

#[test]
fn a_broker_that_is_down_keeps_no_request_waiting_for_long() {
    let mut pair = pair_of(2, |config| config.connect_timeout = 5 * SECOND);
    pair.world.with_cluster(|cluster| {
        let mute = std::iter::repeat_n(Fault::Mute, 99);
        cluster.push_faults(RequestCode::HEART_BEAT, mute);
    });
    let op = pair.ask("x");
    pair.world.run_for(ms(700));
    assert_eq!(pair.came().len(), 0, "brokers are waited for");
    pair.world.run_for(ms(300));
    assert_eq!(pair.came().len(), 1, "a quarter of its time at most");
    // The broker knows nobody to push the reply to, and says so.
    assert!(matches!(pair.end(op), Err(RequestError::NoReply { .. })));
}

#[test]
fn rpc_03_without_a_reply_it_ends_at_the_deadline_and_says_that_it_is_stored() {
    let mut pair = pair_of(1, |_| {});
    let op = pair.ask("anybody?");
    let (took, result) = pair.world.end_of_request(pair.asker, op);
    let error = result.unwrap_err();
    assert_eq!((took, error.stored()), (3 * SECOND, Stored::Yes));
    assert!(matches!(error, RequestError::NoReply { .. }), "{error}");
    assert!(error.is_retriable());
}

#[test]
fn a_request_that_is_not_stored_says_why_at_its_deadline() {
    let mut pair = pair_of(1, |_| {});
    pair.world.with_cluster(|cluster| {
        cluster.push_faults(Requests::Sends, std::iter::repeat_n(Fault::Mute, 9))
    });
    let op = pair.ask("x");
    let (took, result) = pair.world.end_of_request(pair.asker, op);
    let error = result.unwrap_err();
    assert_eq!((took, error.stored()), (3 * SECOND, Stored::Unknown));
    assert!(matches!(&error, RequestError::Send(of) if !of.attempts().unwrap().is_empty()));
    let refused = ResponseCode::MESSAGE_ILLEGAL;
    pair.world.with_cluster(|cluster| cluster.clear_faults());
    pair.world.with_cluster(|cluster| {
        cluster.push_faults(Requests::Sends, std::iter::repeat_n(Fault::Refuse(refused), 9))
    });
    let op = pair.ask("x");
    let (took, result) = pair.world.end_of_request(pair.asker, op);
    assert!(took < SECOND, "{took:?}");
    let RequestError::Send(error) = result.unwrap_err() else { panic!("it was refused") };
    assert!(matches!(*error, SendError::Rejected { code, .. } if code == refused));
}

#[test]
fn a_reply_counts_whose_request_may_be_stored() {
    let mut pair = pair_of(1, |_| {});
    // It is stored by both tries, and nobody says so: the connection ends instead.
    pair.world.with_cluster(|cluster| {
        cluster.push_faults(Requests::Sends, [Fault::Close, Fault::Close]);
    });
    let op = pair.ask("x");
    pair.world.run_for(2 * SECOND);
    assert!(pair.world.reply_to(pair.asker, op).is_none());
    let replies = pair.answer_all(|_| "y".to_owned());
    assert_eq!(replies.len(), 2);
    assert_eq!(pair.end(op), Ok("y".to_owned()));
}

#[test]
fn a_connection_that_is_lost_is_made_again_for_the_reply() {
    let mut pair = pair_of(2, |_| {});
    let op = pair.ask("x");
    pair.world.run_for(ms(200));
    for broker in 0..2 {
        pair.world.with_cluster(|cluster| cluster.disconnect(broker));
    }
    pair.world.run_for(SECOND);
    pair.answer_all(|_| "y".to_owned());
    assert_eq!(pair.end(op), Ok("y".to_owned()));
}

#[test]
fn rpc_04_a_late_reply_is_dropped_counted_and_told() {
    let mut pair = pair_of(1, |_| {});
    let op = pair.ask("slow");
    assert!(pair.end(op).is_err());
    let replies = pair.answer_all(|_| "too late".to_owned());
    // The requester took it: whoever answered need not try again.
    pair.world.end_of(pair.reader, replies[0]).1.unwrap();
    assert_eq!(pair.counters().rpc_late, 1);
    let dropped = |note: &&Note| matches!(note, Note::ReplyDropped { .. });
    assert_eq!(pair.world.notes(pair.asker).filter(dropped).count(), 1);
}

#[test]
fn a_second_reply_is_dropped_as_well() {
    let mut pair = pair_of(1, |_| {});
    let op = pair.ask("x");
    pair.world.run_for(SECOND);
    let (run, index, _) = pair.came().pop().unwrap();
    for body in ["one", "two"] {
        pair.world.answer_message(pair.reader, &run, index, body).unwrap();
    }
    assert_eq!(pair.end(op), Ok("one".to_owned()));
    pair.world.run_for(SECOND);
    assert_eq!(pair.counters().rpc_late, 1);
}

#[test]
fn rpc_05_whoever_answers_one_that_is_gone_hears_so() {
    let mut pair = pair_of(1, |_| {});
    pair.ask("x");
    pair.world.run_for(SECOND);
    let asker = pair.asker;
    pair.world.shutdown(asker);
    pair.world.run_for(20 * SECOND);
    let replies = pair.answer_all(|_| "y".to_owned());
    let error = pair.world.end_of(pair.reader, replies[0]).1.unwrap_err();
    assert_eq!(error.code(), Some(ResponseCode::SYSTEM_ERROR));
    assert!(error.to_string().contains("not found"), "{error}");
}

#[test]
fn rpc_08_one_that_is_cancelled_frees_its_place() {
    let mut pair = pair_of(1, |config| config.max_pending = 2);
    let first = pair.ask("1");
    let second = pair.ask("2");
    let third = pair.world.request(pair.asker, message("3"), SECOND);
    assert_eq!(third, Err(Refused::Full(2)));
    pair.world.run_for(SECOND);
    let asker = pair.asker;
    assert_eq!(pair.world.cancel(asker, first), Cancelled::Detached);
    assert_eq!(pair.world.cancel(asker, first), Cancelled::Ended);
    let third = pair.ask("3");
    pair.world.run_for(ms(500));
    pair.answer_all(|body| format!("re: {body}"));
    assert_eq!(pair.end(second), Ok("re: 2".to_owned()));
    assert_eq!(pair.end(third), Ok("re: 3".to_owned()));
    pair.world.run_for(SECOND);
    let counters = pair.counters();
    assert_eq!((counters.rpc_cancelled, counters.rpc_late), (1, 1));
}

#[test]
fn one_that_is_cancelled_before_it_leaves_is_never_sent() {
    let mut pair = pair_of(1, |_| {});
    let op = pair.ask("x");
    let asker = pair.asker;
    assert_eq!(pair.world.cancel(asker, op), Cancelled::Removed);
    pair.world.run_for(5 * SECOND);
    assert_eq!((pair.came().len(), pair.counters().sends_begun), (0, 0));
}

#[test]
fn a_client_that_ends_waits_for_its_replies_until_its_time_is_over() {
    let mut pair = pair_of(1, |_| {});
    let op = pair.ask("x");
    pair.world.run_for(SECOND);
    let asker = pair.asker;
    pair.world.shutdown(asker);
    pair.world.run_for(ms(500));
    pair.answer_all(|_| "y".to_owned());
    assert_eq!(pair.end(op), Ok("y".to_owned()));
}

#[test]
fn a_message_that_asks_nothing_can_not_be_answered() {
    let mut pair = pair_of(1, |_| {});
    let asker = pair.asker;
    store(&mut pair.world, asker, "hello");
    pair.world.run_for(SECOND);
    let (run, index, _) = pair.came().pop().unwrap();
    let error = pair.world.answer_message(pair.reader, &run, index, "y").unwrap_err();
    assert_eq!(error.lacks, "REPLY_TO_CLIENT");
}

#[test]
fn a_second_request_with_a_correlation_id_that_waits_already_is_refused() {
    let mut engine = Engine::new(Arc::new(config()), 1, Instant::ZERO, UnixMillis(0));
    let group = Group::new("askers").unwrap();
    let asker = engine.client_id().clone();
    let publish = |number: u32| {
        let message = message("?").asking("one", &asker, SECOND);
        let id = UniqueId::parse(&format!("{number:032}")).unwrap();
        let publish = Publish::new(message, &group, id, UnixMillis(0), &MessageLimits::default());
        Arc::new(publish.unwrap())
    };
    let ask = |engine: &mut Engine, number| {
        engine.request(Instant::ZERO, publish(number), "one".into(), SendOptions::default())
    };
    let first = ask(&mut engine, 1).unwrap();
    let second = ask(&mut engine, 2).unwrap_err();
    engine.check();
    assert_eq!(second, Refused::DuplicateRequest("one".into()));
    assert_eq!(second.kind(), ErrorKind::Invalid);
    // Once the first one has ended, the id is free.
    engine.cancel(Instant::ZERO, first);
    ask(&mut engine, 3).unwrap();
    engine.check();
}
