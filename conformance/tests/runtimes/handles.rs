//! The script on a runtime, through the handles users hold.

use rocketry::{Client, Producer};
use rocketry_conformance::serve::Served;

use crate::place::{Place, pause};
use crate::script::{self, GROUP, Step, To, Trace, call, queue, script, topic};

struct Run<'a> {
    place: Place,
    served: &'a Served,
    client: &'a Client,
    producer: Producer,
    trace: Trace,
}

/// Plays the script.
pub(crate) fn play(place: Place) -> Trace {
    let served = Served::start(script::cluster()).expect("a served cluster");
    served.with(|cluster| cluster.keep_requests());
    let config = script::config(&served.namesrv());
    let mut trace = place.run(config, async |client| {
        let producer = client.producer(GROUP).expect("a producer");
        let trace = Trace::default();
        let mut run = Run { place, served: &served, client, producer, trace };
        for step in script() {
            run.step(step).await;
        }
        place.end(client.shutdown()).await.expect("an end");
        run.trace
    });
    let broker = |at: usize| served.broker(at).expect("a broker").to_string();
    let addresses = [(served.namesrv(), "NS"), (broker(0), "A"), (broker(1), "B")];
    trace.seen(&served.with(|cluster| cluster.take_requests()));
    trace.plain(&addresses)
}

impl Run<'_> {
    async fn step(&mut self, step: Step) {
        let (place, client) = (self.place, self.client);
        match step {
            Step::Send(body, to) => {
                let sent = self.producer.send_with(to.message(body), to.options());
                self.trace.sent(to, &place.end(sent).await);
            }
            Step::Hurry(to, within) => {
                let options = to.options().timeout(within);
                let sent = self.producer.send_with(to.message("hurry"), options);
                self.trace.sent(to, &place.end(sent).await);
            }
            Step::Oneway => {
                let sent = self.producer.send_oneway(To::Turn.message("oneway"));
                let handed = place.end(sent).await.is_ok();
                self.trace.outcomes.push(format!("handed {handed}"));
            }
            Step::Batch(count, to) => {
                let messages: Vec<_> = (0..count).map(|n| to.message(&format!("{n}"))).collect();
                let sent = self.producer.send_batch_with(&messages, to.options());
                self.trace.sent(to, &place.end(sent).await);
            }
            Step::Fault(at, requests, fault) => {
                self.served.with(|cluster| cluster.push_faults_at(at, requests, [fault]));
            }
            Step::Queues(name) => {
                self.trace.answered(&place.end(client.queues(&topic(name))).await);
            }
            Step::MinOffset(broker, number) => {
                let asked = client.min_offset(&queue(broker, number));
                self.trace.answered(&place.end(asked).await);
            }
            Step::MaxOffset(broker, number) => {
                let asked = client.max_offset(&queue(broker, number));
                self.trace.answered(&place.end(asked).await);
            }
            Step::Call(broker, request) => {
                let address = broker.and_then(|at| self.served.broker(at));
                let address = address.map(|address| address.to_string());
                let call = call(address.as_deref(), request);
                let asked = client.admin().call(call.target, call.request, call.body);
                self.trace.responded(&place.end(asked).await);
            }
            Step::Pause(time) => pause(time).await,
        }
    }
}
