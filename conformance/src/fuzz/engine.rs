//! The whole client against a hostile network and hostile peers, under a clock of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketry_core::body::MessageModel;
use rocketry_core::config::Config;
use rocketry_core::consumer::{
    Commit, ConsumerOptions, Filter, Handout, Outcome, Polling, Start, Subscribe, Taking,
};
use rocketry_core::engine::{Command, Computed, Engine, Event, Session};
use rocketry_core::error::{CloseReason, ConnectError};
use rocketry_core::fetch::{FetchError, FetchId, Url};
use rocketry_core::frame::Limits;
use rocketry_core::frame::{Opaque, OutFrame, Outbound, Request, RequestCode};
use rocketry_core::id::{ConnectionId, OpId, SubscriptionId};
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
use rocketry_core::name::{Group, Topic};
use rocketry_core::offsets::{
    NoFiles, OffsetOwner, OffsetStore, Offsets, StoreFailure, StoredOffsets,
};
use rocketry_core::query::{Query, QueueName};
use rocketry_core::time::{Instant, UnixMillis};

use super::peer::Peer;
use super::streams;
use super::supply::Supply;

/// Steps of one input.
const STEPS: usize = 400;
/// Commands and events after one step: an engine that gives more has run away.
const OUT_MAX: usize = 10_000;

/// An engine, driven by the input: connections that come and go, bytes and answers of any kind,
/// and calls of an application. Nothing panics, every call ends once, everything stays bounded, and
/// after a timeout the next one lies in the future.
pub fn engine_session(data: &[u8]) {
    let mut supply = Supply::new(data);
    let Some(mut run) = Run::new(&mut supply) else { return };
    for _ in 0..STEPS {
        if supply.is_empty() {
            break;
        }
        run.step(&mut supply);
        run.settle_down();
    }
    run.end();
}

/// Where nothing is stored.
struct Nothing;

impl OffsetStore for Nothing {
    fn load(&self, _: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        Ok(StoredOffsets::default())
    }

    fn save(&self, _: &OffsetOwner, _: &Offsets) -> Result<(), StoreFailure> {
        Ok(())
    }
}

struct Run {
    session: Session,
    now: Instant,
    ids: UniqueIds,
    topic: Topic,
    group: Group,
    /// Asked for, and not there yet.
    dialled: Vec<ConnectionId>,
    /// Pages asked for.
    fetches: Vec<FetchId>,
    /// What was computed, and the engine has not heard.
    computed: Vec<Computed>,
    peers: BTreeMap<ConnectionId, Peer>,
    calls: BTreeMap<OpId, ()>,
    subs: Vec<SubscriptionId>,
    polled: BTreeSet<SubscriptionId>,
    handouts: Vec<Handout>,
    made: usize,
    stopped: bool,
}

/// Turns in which an engine does what is due at one moment, at most.
const TURNS: usize = 1000;

impl Run {
    fn new(supply: &mut Supply<'_>) -> Option<Self> {
        let mut config = Config::new("ns-a:9876;ns-b:9876").ok()?;
        (config.max_pending, config.max_waiting) = (64, 64);
        let now = Instant::from_nanos(1);
        let seed = u64::from(supply.short());
        // Some have an address server as well, and some have nothing else.
        if seed % 4 == 3 {
            config.address_server = Url::parse("http://pages/nsaddr");
        }
        if seed % 8 == 7 {
            config.name_servers.clear();
        }
        let engine = Engine::new(Arc::new(config), seed, now, UnixMillis(1_700_000_000_000));
        Some(Self {
            session: Session::new(engine, Limits { frame: 1 << 20, ..Limits::default() }).ok()?,
            now,
            ids: UniqueIds::new([127, 0, 0, 1], 1, 1),
            topic: Topic::new("topic").ok()?,
            group: Group::new("group").ok()?,
            dialled: Vec::new(),
            fetches: Vec::new(),
            computed: Vec::new(),
            peers: BTreeMap::new(),
            calls: BTreeMap::new(),
            subs: Vec::new(),
            polled: BTreeSet::new(),
            handouts: Vec::new(),
            made: 0,
            stopped: false,
        })
    }

    fn step(&mut self, supply: &mut Supply<'_>) {
        match supply.byte() % 20 {
            0 | 1 => self.dialled(supply, true),
            2 => self.dialled(supply, false),
            3..=7 => self.answer(supply),
            8 => {
                let bytes = supply.long_chunk();
                self.receive(supply, bytes);
            }
            9 => self.notice(supply),
            10 => self.pass(Duration::from_millis(u64::from(supply.short()))),
            11 => self.await_timer(),
            12 | 13 => self.send(supply),
            14 => self.subscribe(supply),
            15 => self.take(supply),
            16 => self.settle(supply),
            17 => self.close(supply),
            18 => self.ask(supply),
            _ if !self.computed.is_empty() => {
                let done = self.computed.remove(usize::from(supply.byte()) % self.computed.len());
                self.session.computed(self.now, done);
            }
            _ if !self.fetches.is_empty() => self.fetched(supply),
            _ => self.leave(supply),
        }
    }

    /// The address server answers one of the requests, with anything.
    fn fetched(&mut self, supply: &mut Supply<'_>) {
        let fetch = self.fetches.remove(usize::from(supply.byte()) % self.fetches.len());
        let result = match supply.byte() % 4 {
            0 => Err(FetchError::Short),
            1 => Ok(Bytes::copy_from_slice(supply.chunk())),
            _ => Ok(format!("ns-a:9876;ns-{}:9876", supply.byte() % 8).into()),
        };
        self.session.fetched(self.now, fetch, result);
    }

    /// One of the attempts to connect succeeds, or fails.
    fn dialled(&mut self, supply: &mut Supply<'_>, good: bool) {
        if self.dialled.is_empty() {
            return;
        }
        let conn = self.dialled.remove(usize::from(supply.byte()) % self.dialled.len());
        if good {
            self.peers.insert(conn, Peer::new());
            self.session.connected(self.now, conn);
        } else {
            let error = ConnectError::Unresolved { detail: supply.text().into() };
            self.session.connect_failed(self.now, conn, error);
        }
    }

    fn some_peer(&self, supply: &mut Supply<'_>) -> Option<ConnectionId> {
        let at = usize::from(supply.byte()) % self.peers.len().max(1);
        self.peers.keys().nth(at).copied()
    }

    fn receive(&mut self, supply: &mut Supply<'_>, bytes: &[u8]) {
        let Some(conn) = self.some_peer(supply) else { return };
        let (first, second) = bytes.split_at(usize::from(supply.byte()).min(bytes.len()));
        self.session.receive(self.now, conn, first);
        self.session.receive(self.now, conn, second);
    }

    fn answer(&mut self, supply: &mut Supply<'_>) {
        let Some(conn) = self.some_peer(supply) else { return };
        let client_id = self.session.engine().client_id().clone();
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let bytes = peer.answer(&client_id, supply);
        self.session.receive(self.now, conn, &bytes);
    }

    /// A request from the broker.
    fn notice(&mut self, supply: &mut Supply<'_>) {
        let group =
            if supply.byte() & 1 == 0 { "group-0".into() } else { supply.text().into_owned() };
        let fields = vec![("consumerGroup".into(), group.into())];
        let code = match supply.byte() {
            0..=127 => RequestCode::NOTIFY_CONSUMER_IDS_CHANGED,
            _ => RequestCode(i32::from(supply.short())),
        };
        let request = Request::Unknown { code, fields };
        let mut outbound = Outbound::new();
        let _ = outbound.push(&OutFrame::request(Opaque::from_raw(supply.int()), request));
        self.receive(supply, &streams::written(&outbound));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let due =
            |this: &Self| this.session.engine().next_timeout().is_some_and(|at| at <= this.now);
        self.session.timeout(self.now);
        self.drain();
        // What is more than one turn handles is due at once.
        for _ in 0..TURNS {
            if !due(self) {
                break;
            }
            self.session.timeout(self.now);
            self.drain();
        }
        let next = self.session.engine().poll_timeout();
        let over = next.as_ref().is_none_or(|(at, _)| *at > self.now);
        assert!(over, "a timer that is never over: {next:?}");
    }

    fn await_timer(&mut self) {
        if let Some(at) = self.session.engine().next_timeout() {
            self.pass(at.since(self.now));
        }
    }

    fn send(&mut self, supply: &mut Supply<'_>) {
        let message = Message::new(self.topic.clone(), vec![supply.byte(); 3]);
        let id = self.ids.next(UnixMillis(1));
        let limits = MessageLimits::default();
        let publish = Publish::new(message, &self.group, id, UnixMillis(1), &limits);
        let Ok(publish) = publish else { return };
        if let Ok(op) = self.session.engine_mut().send(self.now, Arc::new(publish)) {
            assert!(self.calls.insert(op, ()).is_none(), "{op:?} was given out twice");
        }
    }

    fn subscribe(&mut self, supply: &mut Supply<'_>) {
        let drawn = supply.byte();
        let Ok(group) = Group::new(format!("group-{}", drawn % 4)) else { return };
        let expression = Filter::parse(&supply.text()).unwrap_or_default();
        let topics = vec![(self.topic.clone(), expression)];
        let start = if supply.byte() & 1 == 0 { Start::First } else { Start::Last };
        let mut options = ConsumerOptions::default().start_at(start);
        let polled = drawn >= 128;
        if polled {
            let queues =
                (drawn & 64 != 0).then(|| (0..drawn % 16).map(|at| self.queue(at)).collect());
            options.taking =
                Taking::Polled(Polling { auto_commit: drawn & 32 == 0, queues, watches: true });
        } else if supply.byte() & 3 == 0 {
            options.model = MessageModel::Broadcasting;
        }
        let subscribe = Subscribe { group, topics, options };
        if let Ok(sub) = self.session.engine_mut().subscribe(self.now, subscribe) {
            self.subs.push(sub);
            if polled {
                self.polled.insert(sub);
            }
        }
    }

    fn queue(&self, at: u8) -> QueueName {
        let broker = format!("b-{}", at % 4).into();
        QueueName { topic: self.topic.clone(), broker, queue: u32::from(at / 4) }
    }

    /// Polls, or asks something else of one that is polled.
    fn poll(&mut self, sub: SubscriptionId, supply: &mut Supply<'_>) {
        let (drawn, now) = (supply.byte(), self.now);
        let queue = self.queue(drawn / 8);
        let engine = self.session.engine_mut();
        match drawn % 8 {
            0 => _ = engine.seek(now, sub, &queue, i64::from(drawn)),
            1 => _ = engine.hold(now, sub, &[queue]),
            2 => _ = engine.release(now, sub, &[queue]),
            3 => _ = engine.assign(now, sub, [queue].into()),
            4 | 5 => {
                let what = match drawn / 8 % 3 {
                    0 => Commit::Queue(queue),
                    1 => Commit::Offsets([(queue, i64::from(drawn) - 16)].into()),
                    _ => Commit::Polled,
                };
                if let Ok(op) = engine.commit(now, sub, what) {
                    assert!(self.calls.insert(op, ()).is_none(), "{op:?} was given out twice");
                }
            }
            _ => {
                for handout in engine.poll_messages(now, sub) {
                    assert!(handout.next < handout.end);
                    assert!(handout.end as usize <= handout.batch.records().len());
                }
            }
        }
    }

    fn some_sub(&self, supply: &mut Supply<'_>) -> Option<SubscriptionId> {
        self.subs.get(usize::from(supply.byte()) % self.subs.len().max(1)).copied()
    }

    fn take(&mut self, supply: &mut Supply<'_>) {
        let Some(sub) = self.some_sub(supply) else { return };
        if self.polled.contains(&sub) {
            return self.poll(sub, supply);
        }
        if let Some(handout) = self.session.engine_mut().poll_batch(self.now, sub) {
            assert!(handout.next < handout.end);
            assert!(handout.end as usize <= handout.batch.records().len());
            self.handouts.push(handout);
        }
    }

    fn settle(&mut self, supply: &mut Supply<'_>) {
        if self.handouts.is_empty() {
            return;
        }
        let handout = self.handouts.swap_remove(usize::from(supply.byte()) % self.handouts.len());
        let outcome = match supply.byte() % 8 {
            0 => Outcome::Again,
            1 => Outcome::Here(Duration::from_millis(u64::from(supply.byte()))),
            2 => Outcome::Retry { after: None },
            3 => Outcome::Reject,
            _ => Outcome::Done,
        };
        for index in handout.next..handout.end {
            let _ = handout.batch.wanted(index);
            let id = rocketry_core::consumer::DeliveryId { batch: handout.batch.id(), index };
            // Stale when the queue was given up meanwhile.
            let _ = self.session.engine_mut().settle(self.now, id, outcome);
        }
    }

    fn close(&mut self, supply: &mut Supply<'_>) {
        if let Some(conn) = self.some_peer(supply) {
            self.peers.remove(&conn);
            self.session.closed(self.now, conn, CloseReason::Ended);
        }
    }

    fn ask(&mut self, supply: &mut Supply<'_>) {
        let broker = format!("b-{}", supply.byte() % 4).into();
        let queue =
            QueueName { topic: self.topic.clone(), broker, queue: u32::from(supply.byte()) };
        let query = match supply.byte() % 4 {
            0 => Query::Queues(self.topic.clone()),
            1 => Query::MinOffset(queue),
            2 => Query::MaxOffset(queue),
            _ => {
                let Some((&op, ())) = self.calls.iter().next() else { return };
                self.session.engine_mut().cancel(self.now, op);
                self.calls.remove(&op);
                return;
            }
        };
        if let Ok(op) = self.session.engine_mut().query(self.now, query) {
            assert!(self.calls.insert(op, ()).is_none(), "{op:?} was given out twice");
        }
    }

    fn leave(&mut self, supply: &mut Supply<'_>) {
        match (supply.byte() % 8, self.some_sub(supply)) {
            (0, _) => self.session.engine_mut().shutdown(self.now),
            (4..=5, Some(sub)) => {
                let topic = Topic::new("other").unwrap_or_else(|_| self.topic.clone());
                let filter = Filter::parse(&supply.text()).unwrap_or_default();
                let _ = self.session.engine_mut().subscribe_to(self.now, sub, topic, filter);
            }
            (6, Some(sub)) => {
                let topic = self.topic.clone();
                let _ = self.session.engine_mut().unsubscribe_from(self.now, sub, &topic);
            }
            (1..=3, Some(sub)) => {
                let within = Duration::from_secs(1);
                let _ = self.session.engine_mut().drain(self.now, sub, within);
            }
            (_, Some(sub)) => {
                let _ = self.session.engine_mut().leave(self.now, sub);
            }
            (_, None) => {}
        }
    }

    /// Does what the engine wants done, hears what it tells, and holds it to its promises.
    fn settle_down(&mut self) {
        self.drain();
        let conns: Vec<ConnectionId> = self.peers.keys().copied().collect();
        for conn in conns {
            let bytes = self.session.transmit(conn, 1 << 20);
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.read(&bytes);
            }
        }
        self.drain();
        self.session.engine().check();
        let stats = self.session.engine().stats();
        assert!(stats.operations <= 64 && stats.sockets <= 64, "{stats:?}");
        assert!(stats.requests <= 4096 && stats.timers <= 8192, "{stats:?}");
        assert_eq!(stats.sockets, self.peers.len() + self.dialled.len(), "{stats:?}");
    }

    fn drain(&mut self) {
        let mut out = 0;
        while let Some(command) = self.session.engine_mut().poll_command() {
            match command {
                Command::Connect { conn, .. } => {
                    self.made += 1;
                    self.dialled.push(conn);
                }
                Command::Fetch { fetch, .. } => self.fetches.push(fetch),
                Command::Transmit { .. } => {}
                // Half of them late, the others at once.
                Command::Compute { job } if out % 2 == 0 => self.computed.push(job.run()),
                Command::Compute { job } => self.session.computed(self.now, job.run()),
                // Half of the disks are broken.
                Command::Load { job } if out % 2 == 0 => {
                    self.session.loaded(self.now, job.run(&Nothing));
                }
                Command::Load { job } => self.session.loaded(self.now, job.run(&NoFiles)),
                Command::Save { job } if out % 2 == 0 => {
                    self.session.saved(self.now, job.run(&Nothing));
                }
                Command::Save { job } => self.session.saved(self.now, job.run(&NoFiles)),
                Command::Close { conn, reason } => {
                    if self.peers.remove(&conn).is_some() {
                        self.session.closed(self.now, conn, reason);
                    } else if let Some(at) = self.dialled.iter().position(|d| *d == conn) {
                        self.dialled.remove(at);
                        self.session.connect_failed(self.now, conn, ConnectError::Aborted);
                    }
                }
            }
            out += 1;
            assert!(out < OUT_MAX, "commands without end");
        }
        while let Some(event) = self.session.engine_mut().poll_event() {
            match event {
                Event::Sent { op, .. }
                | Event::Replied { op, .. }
                | Event::Answered { op, .. }
                | Event::Committed { op, .. } => {
                    assert!(self.calls.remove(&op).is_some(), "{op:?} ended twice");
                }
                Event::Stopped => {
                    assert!(!self.stopped, "stopped twice");
                    self.stopped = true;
                }
                _ => {}
            }
            out += 1;
            assert!(out < OUT_MAX, "events without end");
        }
    }

    /// Without answers, every call ends by its deadline and a shutdown by its own.
    fn end(&mut self) {
        self.session.engine_mut().shutdown(self.now);
        for _ in 0..200 {
            self.settle_down();
            if self.stopped {
                break;
            }
            self.pass(Duration::from_millis(200));
        }
        assert!(self.stopped, "a shutdown without end");
        assert_eq!(self.calls.len(), 0, "calls that never ended");
    }
}
