//! The pump against a resolver and a network of our own, under a clock of our own: which addresses
//! of a name are tried, when, and what is said of them.
#![cfg(feature = "driver")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rocketry_core::client::Client;
use rocketry_core::client::adapter::{Clock, Host, Shared, Sink, Work};
use rocketry_core::config::Config;
use rocketry_core::driver::{Runtime, Socket, Timer, pump};
use rocketry_core::error::SendError;
use rocketry_core::message::Message;
use rocketry_core::name::{Endpoint, Topic};
use rocketry_core::time::{Instant, UnixMillis};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What becomes of who dials an address, by its last byte: 1 swallows, 2 refuses, 3 answers.
#[derive(Default)]
struct State {
    now: Instant,
    lookups: VecDeque<Vec<SocketAddr>>,
    looked_up: usize,
    dialled: Vec<(u64, String)>,
    under_way: usize,
    alarms: Vec<Instant>,
    tasks: Vec<Task>,
}

#[derive(Clone, Default)]
struct Lab(Arc<Mutex<State>>);

impl Lab {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Polls every task until the clock has reached `until`.
    fn run(&self, until: Duration) {
        let mut tasks: Vec<Task> = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            self.state().alarms.clear();
            // Twice over all: what one task does may concern one polled before it.
            for _ in 0..4 {
                tasks.append(&mut self.state().tasks);
                tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
            }
            let mut state = self.state();
            let now = state.now;
            let next = state.alarms.iter().copied().filter(|at| *at > now).min();
            match next.filter(|at| at.since(Instant::ZERO) <= until) {
                Some(at) => state.now = at,
                None => break,
            }
        }
        self.state().tasks.append(&mut tasks);
    }
}

/// An attempt that has not ended.
struct UnderWay(Lab);

impl UnderWay {
    fn new(lab: &Lab) -> Self {
        lab.state().under_way += 1;
        Self(lab.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
    }
}

impl Clock for Lab {
    fn now(&self) -> Instant {
        self.state().now
    }

    fn unix(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }

    fn process(&self) -> u32 {
        1
    }
}

impl Host for Lab {
    fn may_block(&self) -> bool {
        false
    }

    fn spawn(&self, work: Work) -> io::Result<()> {
        match work {
            Work::Task(task) => self.state().tasks.push(task),
            Work::Blocking(run) => run(),
        }
        Ok(())
    }
}

impl Runtime for Lab {
    type Socket = Deaf;
    type Timer = Alarm;

    fn resolve(
        &self,
        _: Endpoint,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static {
        let mut state = self.state();
        state.looked_up += 1;
        let list = match state.lookups.len() {
            1 => state.lookups.front().cloned(),
            _ => state.lookups.pop_front(),
        };
        std::future::ready(Ok(list.unwrap_or_default()))
    }

    fn dial(&self, address: SocketAddr) -> impl Future<Output = io::Result<Deaf>> + Send + 'static {
        let (own, under_way) = (self.clone(), UnderWay::new(self));
        async move {
            let ms = own.state().now.as_nanos() / 1_000_000;
            own.state().dialled.push((ms, address.ip().to_string()));
            let _under_way = under_way;
            match address.ip().to_string().ends_with(".1") {
                true => std::future::pending().await,
                false if address.ip().to_string().ends_with(".2") => {
                    Err(io::ErrorKind::ConnectionRefused.into())
                }
                false => Ok(Deaf),
            }
        }
    }

    fn now(&self) -> Instant {
        self.state().now
    }

    fn timer(&self) -> Alarm {
        Alarm(self.clone())
    }
}

struct Alarm(Lab);

impl Timer for Alarm {
    fn poll_at(&mut self, _: &mut Context<'_>, at: Instant, now: Instant) -> Poll<()> {
        self.0.state().alarms.push(at);
        if at <= now { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A peer that takes everything and says nothing.
struct Deaf;

impl Sink for Deaf {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn shutdown(&self) {}
}

impl Socket for Deaf {
    fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn addresses(list: &[&str]) -> Vec<SocketAddr> {
    list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 9876)).collect()
}

/// Sends one message by way of a nameserver whose name gives these addresses, one list for each
/// lookup and the last one for ever; runs to `until`.
fn sending(lookups: &[&[&str]], until: Duration) -> (Lab, Option<SendError>) {
    let lab = Lab::default();
    lab.state().lookups = lookups.iter().map(|list| addresses(list)).collect();
    let mut config = Config::new("ns.example:9876").unwrap();
    config.send_timeout = Duration::from_secs(4);
    config.connect_timeout = Duration::from_secs(2);
    let shared = Shared::new(config, 1, lab.clone(), lab.clone());
    lab.state().tasks.push(Box::pin(pump(shared.clone(), lab.clone())));
    let client = Client::new(shared);
    let producer = client.producer("dialling").unwrap();
    let sent = producer.send(Message::new(Topic::new("topic").unwrap(), "x"));
    let result = Arc::new(Mutex::new(None));
    let kept = result.clone();
    let task = async move { *kept.lock().unwrap() = sent.await.err() };
    lab.state().tasks.push(Box::pin(task));
    lab.run(until);
    let error = result.lock().unwrap().take();
    (lab, error)
}

fn dialled(lab: &Lab) -> Vec<(u64, String)> {
    lab.state().dialled.clone()
}

#[test]
fn the_first_address_that_answers_wins_and_the_others_are_dropped() {
    let list = ["10.0.0.1", "10.0.1.1", "10.0.0.3", "10.0.1.3"];
    let (lab, error) = sending(&[&list], Duration::from_secs(1));
    let order = [(0, "10.0.0.1"), (250, "10.0.1.1"), (500, "10.0.0.3")];
    assert_eq!(dialled(&lab), order.map(|(ms, ip)| (ms, ip.to_owned())));
    assert_eq!((lab.state().under_way, error), (0, None));
}

#[test]
fn ns_11_a_name_is_looked_up_anew_after_a_failure() {
    let (lab, _) = sending(&[&["10.0.0.2", "10.0.1.2"], &["10.0.0.3"]], Duration::from_secs(1));
    let dialled = dialled(&lab);
    let order: Vec<_> = dialled.iter().map(|(_, ip)| ip.as_str()).collect();
    assert_eq!(order, ["10.0.0.2", "10.0.1.2", "10.0.0.3"]);
    // Both refused at once; the next try is after a pause.
    assert!(dialled[1].0 == 0 && (75..=250).contains(&dialled[2].0), "{dialled:?}");
    assert_eq!(lab.state().looked_up, 2);
}

#[test]
fn every_address_that_failed_is_named_even_when_the_engine_gave_up() {
    let list = ["10.0.0.1", "10.0.0.2", "10.0.1.1"];
    let (_, error) = sending(&[&list], Duration::from_secs(5));
    let text = error.unwrap().to_string();
    let expected = "nameserver ns.example:9876: not connected: \
                    10.0.0.1:9876: no connection within 2s, \
                    then 10.0.0.2:9876: connection refused, \
                    then 10.0.1.1:9876: no connection within 1.75s";
    assert!(text.contains(expected), "{text}");
}
