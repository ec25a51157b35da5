//! The script under virtual time: engine and broker without a runtime.

use std::time::Duration;

use rocketry_conformance::sim::{Answer, ClientId, World};
use rocketry_core::error::QueryError;
use rocketry_core::id::OpId;
use rocketry_core::query::Query;

use crate::script::{self, GROUP, Step, To, Trace, call, queue, script, topic};

struct Run {
    world: World,
    client: ClientId,
    trace: Trace,
}

/// Plays the script; `seed` feeds everything drawn.
pub(crate) fn play(seed: u64) -> Trace {
    let mut world = World::new(seed, script::cluster());
    world.with_cluster(|cluster| cluster.keep_requests());
    let client = world.client(script::config("ns:9876"));
    world.produce(client);
    let mut run = Run { world, client, trace: Trace::default() };
    script().into_iter().for_each(|step| run.step(step));
    let Run { mut world, mut trace, .. } = run;
    world.shutdown(client);
    world.run_until(Duration::from_secs(9), |world| world.stopped_at(client).is_some());
    let broker = |at: usize| world.cluster().endpoint(at).expect("a broker").to_owned();
    let addresses = [("ns:9876".to_owned(), "NS"), (broker(0), "A"), (broker(1), "B")];
    let seen = world.with_cluster(|cluster| cluster.take_requests());
    trace.seen(&seen);
    trace.plain(&addresses)
}

impl Run {
    fn step(&mut self, step: Step) {
        let client = self.client;
        match step {
            Step::Send(body, to) => self.send(to, body, Duration::from_secs(20)),
            Step::Hurry(to, within) => self.send(to, "hurry", within),
            Step::Oneway => {
                let message = To::Turn.message("oneway");
                let options = To::Turn.options().oneway();
                let op = self.world.send_with(client, message, options).expect("room");
                let handed = |world: &World| world.sent(client, op).handed.is_some();
                let handed = self.world.run_until(Duration::from_secs(20), handed);
                self.trace.outcomes.push(format!("handed {}", handed.is_some()));
            }
            Step::Batch(count, to) => {
                let messages: Vec<_> = (0..count).map(|n| to.message(&format!("{n}"))).collect();
                let op = self.world.send_batch(client, &messages, to.options()).expect("a batch");
                let result = self.world.end_of(client, op).1;
                self.trace.sent(to, &result);
            }
            Step::Fault(at, requests, fault) => {
                self.world.with_cluster(|cluster| cluster.push_faults_at(at, requests, [fault]));
            }
            Step::Queues(name) => match self.ask(Query::Queues(topic(name))) {
                Ok(Answer::Queues(queues)) => self.trace.answered(&Ok(queues)),
                other => self.trace.answered(&other),
            },
            Step::MinOffset(broker, number) => {
                let asked = self.ask(Query::MinOffset(queue(broker, number)));
                self.offset(asked);
            }
            Step::MaxOffset(broker, number) => {
                let asked = self.ask(Query::MaxOffset(queue(broker, number)));
                self.offset(asked);
            }
            Step::Call(broker, request) => {
                let address = broker.and_then(|at| self.world.cluster().endpoint(at));
                let asked = Query::Call(Box::new(call(address, request)));
                match self.ask(asked) {
                    Ok(Answer::Response(response)) => self.trace.responded(&Ok(*response)),
                    other => self.trace.answered(&other),
                }
            }
            Step::Pause(time) => self.world.run_for(time),
        }
    }

    fn send(&mut self, to: To, body: &str, within: Duration) {
        let (client, message) = (self.client, to.message(body));
        let options = to.options().timeout(within);
        let op = self.world.send_with(client, message, options).expect("room");
        let result = self.world.end_of(client, op).1;
        self.trace.sent(to, &result);
    }

    fn offset(&mut self, result: Result<Answer, QueryError>) {
        match result {
            Ok(Answer::Offset(offset)) => self.trace.answered(&Ok(offset)),
            other => self.trace.answered(&other),
        }
    }

    fn ask(&mut self, query: Query) -> Result<Answer, QueryError> {
        let client = self.client;
        let op: OpId = self.world.query(client, query).expect("room");
        let ended = |world: &World| world.answer(client, op).is_some();
        self.world.run_until(Duration::from_secs(30), ended).expect("it ends");
        self.world.answer(client, op).expect("it ended").result.clone()
    }
}

#[test]
fn the_group_is_that_of_the_simulation() {
    assert_eq!(GROUP, "producers");
    assert!(play(1).requests.contains_key("Nameserver"));
}
