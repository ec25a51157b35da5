//! The engine in an event loop of your own: no adapter, no runtime, one thread, `poll(2)`.
//!
//! `cargo run --release --example custom_loop -- 10000`, with `NAMESRV_ADDR` set for a cluster of
//! yours.
//!
//! The engine decides everything and does nothing: it says which sockets to open, what to write
//! and when to be called next, and is told what came of it. [`Sockets`] is the part that does it;
//! it knows nothing of messages. [`Work`] is the application.

mod common;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::{Outcome, PAUSE, Run, on_ctrl_c};
use rocketry::proto::consumer::{ConsumerOptions, Filter, Settled, Subscribe};
use rocketry::proto::engine::{Command, Engine, Event, Session};
use rocketry::proto::error::{CloseReason, ConnectError};
use rocketry::proto::frame::Limits;
use rocketry::proto::id::{ConnectionId, OpId, SubscriptionId};
use rocketry::proto::message::{Item, MessageLimits, Publish, UniqueIds};
use rocketry::proto::name::Endpoint;
use rocketry::proto::offsets::NoFiles;
use rocketry::proto::time::{Instant, UnixMillis};
use rocketry::{Config, Start};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};

/// Sends under way at once.
const IN_FLIGHT: usize = 256;
/// The longest wait: Ctrl-C is seen by then.
const TURN: Duration = Duration::from_millis(100);
/// Reads of one socket before the others get their turn.
const READS: usize = 16;

fn main() -> ExitCode {
    common::main(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    on_ctrl_c(|| ())?;
    let clock = Clock(std::time::Instant::now());
    let mut config = Config::new(run.namesrv())?;
    // Who we are; the adapters fill this in. Brokers tell clients apart by it.
    config.identity.process = std::process::id();
    config.identity.salt = RandomState::new().hash_one("identity");
    let (ids, limits) = (UniqueIds::of(&config), MessageLimits::of(&config));
    let frames = Limits::of(&config);
    let seed = RandomState::new().hash_one("seed");
    let engine = Engine::new(Arc::new(config), seed, clock.now(), clock.unix());
    let session = Session::new(engine, frames)?;

    let mut sockets = Sockets { session, clock, open: BTreeMap::new() };
    let mut work = Work {
        run,
        ids,
        limits,
        next: 0,
        sending: HashMap::new(),
        again: VecDeque::new(),
        consumer: None,
        heard: clock.now(),
    };
    let engine = sockets.session.engine_mut();
    engine.produce(clock.now(), run.group());
    while !work.advance(&mut sockets.session, clock)? {
        sockets.turn()?;
    }
    // In good order: offsets are committed, brokers are told, connections are closed.
    sockets.session.engine_mut().shutdown(clock.now());
    while sockets.session.engine().next_timeout().is_some() {
        sockets.turn()?;
    }
    Ok(())
}

/// Time as the engine wants to be told it.
#[derive(Clone, Copy, Debug)]
struct Clock(std::time::Instant);

impl Clock {
    fn now(self) -> Instant {
        Instant::from_nanos(self.0.elapsed().as_nanos() as u64)
    }

    fn unix(self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        UnixMillis(since.map_or(0, |since| since.as_millis() as i64))
    }
}

/// What this program wants: to send everything, then to consume it.
struct Work<'a> {
    run: &'a Run,
    ids: UniqueIds,
    limits: MessageLimits,
    /// The next message to send.
    next: usize,
    /// Which message a send under way is.
    sending: HashMap<OpId, usize>,
    /// What a busy broker refused, and when to send it again.
    again: VecDeque<(Instant, usize, Arc<Publish>)>,
    consumer: Option<SubscriptionId>,
    /// When the last message came.
    heard: Instant,
}

impl Work<'_> {
    /// Looks at what happened and asks for more. True once there is nothing left to do.
    fn advance(&mut self, session: &mut Session, clock: Clock) -> Result<bool, common::Failure> {
        while let Some(event) = session.engine_mut().poll_event() {
            match event {
                Event::Sent { op, publish, result } => {
                    let Some(index) = self.sending.remove(&op) else { continue };
                    match result {
                        Ok(_) => self.run.sent(index),
                        Err(error) if self.run.may_repeat(&error) => {
                            self.again.push_back((clock.now() + PAUSE, index, publish));
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                Event::Deliverable { sub } => self.consume(session, clock.now(), sub)?,
                // `Note` is for a log; the others answer what this program does not ask.
                _ => {}
            }
        }
        while self.again.front().is_some_and(|(at, ..)| *at <= clock.now()) {
            let Some((_, index, publish)) = self.again.pop_front() else { break };
            let op = session.engine_mut().send(clock.now(), publish)?;
            self.sending.insert(op, index);
        }
        let refused = self.again.len();
        while self.next < self.run.count() && self.sending.len() + refused < IN_FLIGHT {
            self.send(session, clock)?;
        }
        if self.consumer.is_none() && self.sending.len() + refused == 0 {
            self.consumer = Some(session.engine_mut().subscribe(
                clock.now(),
                Subscribe {
                    group: self.run.group().clone(),
                    topics: vec![(self.run.topic().clone(), Filter::parse(self.run.tag())?)],
                    options: ConsumerOptions::default().start_at(Start::First),
                },
            )?);
            self.heard = clock.now();
        }
        let silent =
            self.consumer.is_some() && clock.now().since(self.heard) >= self.run.patience();
        Ok(silent || common::is_stopped())
    }

    fn send(&mut self, session: &mut Session, clock: Clock) -> Outcome {
        let (message, unix) = (self.run.message(self.next), clock.unix());
        let (group, id) = (self.run.group(), self.ids.next(unix));
        let publish = Publish::new(message, group, id, unix, &self.limits)?;
        let op = session.engine_mut().send(clock.now(), Arc::new(publish))?;
        self.sending.insert(op, self.next);
        self.next += 1;
        Ok(())
    }

    /// Takes what the consumer has. Settling a message is a bit in its batch; the engine hears of
    /// the last one, and commits by itself.
    fn consume(&mut self, session: &mut Session, now: Instant, sub: SubscriptionId) -> Outcome {
        while let Some(handout) = session.engine_mut().poll_batch(now, sub) {
            self.heard = now;
            for index in handout.next..handout.end {
                if handout.batch.wanted(index) {
                    match handout.batch.records().item(index as usize) {
                        Item::Record(record) => self.run.received(&record.body()?),
                        Item::Undecodable(broken) => return Err(broken.reason.into()),
                    }
                }
                if handout.batch.settle(index) == Settled::Last {
                    session.engine_mut().batch_ended(now, handout.batch.id())?;
                }
            }
        }
        Ok(())
    }
}

/// A socket that the engine asked for.
enum Link {
    /// Until it is writable. The addresses to try after this one are kept.
    Connecting { socket: Socket, others: Vec<SocketAddr> },
    /// `blocked`: the system takes no more bytes for now.
    Open { stream: TcpStream, blocked: bool },
}

/// The engine's hands: does what it commands, and tells it what happened.
struct Sockets {
    session: Session,
    clock: Clock,
    open: BTreeMap<ConnectionId, Link>,
}

impl Sockets {
    /// One turn of the loop: obey, wait for the world, tell what happened.
    fn turn(&mut self) -> io::Result<()> {
        while let Some(command) = self.session.engine_mut().poll_command() {
            match command {
                Command::Connect { conn, endpoint } => self.connect(conn, &endpoint),
                Command::Transmit { conn } => self.write(conn),
                Command::Close { conn, reason } => self.close(conn, reason),
                Command::Compute { job } => self.session.computed(self.clock.now(), job.run()),
                // They come of consumers that broadcast, or keep their offsets elsewhere. A loop
                // with such has a store for them, and a thread that may wait for it.
                Command::Load { job } => self.session.loaded(self.clock.now(), job.run(&NoFiles)),
                Command::Save { job } => self.session.saved(self.clock.now(), job.run(&NoFiles)),
                // This loop speaks no HTTP: its nameservers are given as addresses. Calls end by
                // their deadlines and say why.
                Command::Fetch { fetch, .. } => {
                    let error = io::Error::from(io::ErrorKind::Unsupported).into();
                    self.session.fetched(self.clock.now(), fetch, Err(error));
                }
            }
        }
        for (conn, happened) in self.wait()? {
            let connecting = matches!(self.open.get(&conn), Some(Link::Connecting { .. }));
            if connecting {
                self.connected(conn);
                continue;
            }
            if happened.intersects(PollFlags::OUT) {
                self.write(conn);
            }
            if happened.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                self.read(conn);
            }
        }
        let now = self.clock.now();
        if self.session.engine().next_timeout().is_some_and(|at| at <= now) {
            self.session.timeout(now);
        }
        Ok(())
    }

    /// Waits until a socket is ready or the engine wants to be called.
    fn wait(&self) -> io::Result<Vec<(ConnectionId, PollFlags)>> {
        let due = self.session.engine().next_timeout();
        let within = due.map_or(TURN, |at| at.since(self.clock.now()).min(TURN));
        let (tv_sec, tv_nsec) = (within.as_secs() as i64, i64::from(within.subsec_nanos()));
        let within = Timespec { tv_sec, tv_nsec };
        let mut polled: Vec<PollFd<'_>> = Vec::with_capacity(self.open.len());
        for link in self.open.values() {
            polled.push(match link {
                Link::Connecting { socket, .. } => PollFd::new(socket, PollFlags::OUT),
                Link::Open { stream, blocked: true } => {
                    PollFd::new(stream, PollFlags::IN | PollFlags::OUT)
                }
                Link::Open { stream, blocked: false } => PollFd::new(stream, PollFlags::IN),
            });
        }
        match poll(&mut polled, Some(&within)) {
            Ok(_) => {}
            Err(error) if error == rustix::io::Errno::INTR => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let ready = self.open.keys().zip(&polled).map(|(conn, fd)| (*conn, fd.revents()));
        Ok(ready.filter(|(_, happened)| !happened.is_empty()).collect())
    }

    /// Looks the name up and begins to connect. The lookup blocks, as the standard library's does:
    /// a loop that must not block asks a thread.
    fn connect(&mut self, conn: ConnectionId, endpoint: &Endpoint) {
        match (endpoint.host(), endpoint.port()).to_socket_addrs() {
            Ok(addresses) => {
                let unknown = ConnectError::Unresolved { detail: "no address".into() };
                self.connect_one_of(conn, addresses.rev().collect(), unknown);
            }
            Err(error) => {
                let error = ConnectError::Unresolved { detail: error.to_string().into() };
                self.session.connect_failed(self.clock.now(), conn, error);
            }
        }
    }

    /// Tries the last of the addresses, and those before it if that fails.
    fn connect_one_of(
        &mut self,
        conn: ConnectionId,
        mut others: Vec<SocketAddr>,
        mut error: ConnectError,
    ) {
        while let Some(address) = others.pop() {
            match begin(address) {
                Ok(socket) => {
                    self.open.insert(conn, Link::Connecting { socket, others });
                    return;
                }
                Err(failed) => error = failed.into(),
            }
        }
        self.session.connect_failed(self.clock.now(), conn, error);
    }

    /// The system has decided on a connection. When it takes too long, the engine says `Close`.
    fn connected(&mut self, conn: ConnectionId) {
        let Some(Link::Connecting { socket, others }) = self.open.remove(&conn) else { return };
        match socket.take_error().and_then(|error| error.map_or(Ok(()), Err)) {
            Ok(()) => {
                let stream = TcpStream::from(socket);
                self.open.insert(conn, Link::Open { stream, blocked: false });
                self.session.connected(self.clock.now(), conn);
            }
            Err(error) => self.connect_one_of(conn, others, error.into()),
        }
    }

    fn write(&mut self, conn: ConnectionId) {
        let Some(Link::Open { stream, blocked }) = self.open.get_mut(&conn) else { return };
        *blocked = false;
        let error = loop {
            let mut slices = [IoSlice::new(&[]); 64];
            let count = self.session.to_write(conn, &mut slices);
            if count == 0 {
                return;
            }
            match stream.write_vectored(&slices[..count]) {
                Ok(written) => self.session.wrote(conn, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    *blocked = true;
                    return;
                }
                Err(error) => break error,
            }
        };
        self.close(conn, error.into());
    }

    fn read(&mut self, conn: ConnectionId) {
        for _ in 0..READS {
            let Some(Link::Open { stream, .. }) = self.open.get_mut(&conn) else { return };
            let Some(space) = self.session.space(conn) else { return };
            match stream.read(space) {
                Ok(0) => return self.close(conn, CloseReason::Ended),
                Ok(count) => self.session.received(self.clock.now(), conn, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.close(conn, error.into()),
            }
        }
    }

    /// Dropping the socket closes it. Each `Connect` ends in one answer, whoever ended it.
    fn close(&mut self, conn: ConnectionId, reason: CloseReason) {
        let now = self.clock.now();
        match self.open.remove(&conn) {
            Some(Link::Connecting { .. }) => {
                self.session.connect_failed(now, conn, ConnectError::Aborted);
            }
            Some(Link::Open { .. }) => self.session.closed(now, conn, reason),
            None => {}
        }
    }
}

/// Begins to connect without waiting. The standard library can only wait; `socket2` need not.
fn begin(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error)
            if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(error)
        }
        _ => Ok(socket),
    }
}
