use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rocketry_core::config::Config;
use rocketry_core::engine::{Command, Engine, Event, Session};
use rocketry_core::error::CloseReason;
use rocketry_core::frame::Limits;
use rocketry_core::id::ConnectionId;
use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
use rocketry_core::name::{Endpoint, Group};
use rocketry_core::offsets::NoFiles;
use rocketry_core::time::{Instant, UnixMillis};

/// Sends `count` messages, and tells how many are stored.
fn send_all(name_servers: &str, topic: &str, count: u32) -> Result<u32, Box<dyn Error>> {
    let mut config = Config::new(name_servers)?;
    config.identity.process = std::process::id();
    config.identity.salt = RandomState::new().hash_one("salt");
    let (ids, limits) = (UniqueIds::of(&config), MessageLimits::of(&config));
    let (frames, seed) = (Limits::of(&config), RandomState::new().hash_one("seed"));
    let engine = Engine::new(Arc::new(config), seed, Instant::ZERO, unix());
    let (session, born) = (Session::new(engine, frames)?, std::time::Instant::now());
    let mut world = World { session, born, sockets: BTreeMap::new() };

    let (group, now) = (Group::new("shop")?, world.now());
    world.session.engine_mut().produce(now, &group);
    for number in 0..count {
        let message = Message::new(topic, format!("order {number}"));
        let publish = Publish::new(message, &group, ids.next(unix()), unix(), &limits)?;
        world.session.engine_mut().send(now, Arc::new(publish))?;
    }
    let (mut open, mut stored) = (count, 0);
    loop {
        if open == 0 {
            let now = world.now();
            world.session.engine_mut().shutdown(now);
        }
        while let Some(event) = world.next_event() {
            if let Event::Sent { result, .. } = event {
                open -= 1;
                match result {
                    Ok(_receipt) => stored += 1,
                    Err(error) => eprintln!("{error}"),
                }
            }
        }
        if world.session.engine().is_stopped() {
            return Ok(stored);
        }
        world.turn();
    }
}

fn unix() -> UnixMillis {
    UnixMillis(SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64))
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

struct World {
    session: Session,
    born: std::time::Instant,
    /// Each with whether the system takes no more of its bytes for now.
    sockets: BTreeMap<ConnectionId, (TcpStream, bool)>,
}

impl World {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.born.elapsed().as_nanos() as u64)
    }

    /// Steps 2 and 3: what is to be done goes before what there is to tell.
    fn next_event(&mut self) -> Option<Event> {
        while let Some(command) = self.session.engine_mut().poll_command() {
            match command {
                Command::Connect { conn, endpoint } => self.connect(conn, &endpoint),
                Command::Transmit { conn } => self.write(conn),
                Command::Close { conn, reason } => self.close(conn, reason),
                Command::Compute { job } => self.session.computed(self.now(), job.run()),
                // They come of consumers that broadcast, or have an `OffsetStore` of their own.
                Command::Load { job } => self.session.loaded(self.now(), job.run(&NoFiles)),
                Command::Save { job } => self.session.saved(self.now(), job.run(&NoFiles)),
                // It comes with the setting `address_server` alone.
                Command::Fetch { fetch, .. } => {
                    let unsupported = std::io::Error::from(ErrorKind::Unsupported);
                    self.session.fetched(self.now(), fetch, Err(unsupported.into()));
                }
            }
        }
        self.session.engine_mut().poll_event()
    }

    /// Steps 5 and 6. The standard library can't wait for several sockets: this naps, and tries
    /// them all. With `poll(2)`, wait for each to be readable, and to be writable if it is blocked.
    fn turn(&mut self) {
        let due = self.session.engine().next_timeout().unwrap_or(Instant::ZERO);
        std::thread::sleep(due.since(self.now()).min(Duration::from_millis(1)));
        let all: Vec<_> = self.sockets.iter().map(|(conn, socket)| (*conn, socket.1)).collect();
        for (conn, blocked) in all {
            if blocked {
                self.write(conn);
            }
            self.read(conn);
        }
        if due <= self.now() {
            self.session.timeout(self.now());
        }
    }

    /// The system connects as long as it likes here, and nothing else is done meanwhile.
    fn connect(&mut self, conn: ConnectionId, endpoint: &Endpoint) {
        let connected = TcpStream::connect((endpoint.host(), endpoint.port()));
        match connected.and_then(|stream| stream.set_nonblocking(true).map(|()| stream)) {
            Ok(stream) => {
                self.sockets.insert(conn, (stream, false));
                self.session.connected(self.now(), conn);
            }
            Err(error) => self.session.connect_failed(self.now(), conn, error.into()),
        }
    }

    fn write(&mut self, conn: ConnectionId) {
        while let Some((stream, blocked)) = self.sockets.get_mut(&conn) {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = self.session.to_write(conn, &mut slices);
            *blocked = false;
            if count == 0 {
                return;
            }
            match stream.write_vectored(&slices[..count]) {
                Ok(written) => self.session.wrote(conn, written),
                Err(error) if is_later(&error) => return *blocked = true,
                Err(error) => self.close(conn, error.into()),
            }
        }
    }

    fn read(&mut self, conn: ConnectionId) {
        while let Some((stream, _)) = self.sockets.get_mut(&conn) {
            let Some(space) = self.session.space(conn) else { return };
            match stream.read(space) {
                Ok(0) => self.close(conn, CloseReason::Ended),
                Ok(count) => self.session.received(self.now(), conn, count),
                Err(error) if is_later(&error) => return,
                Err(error) => self.close(conn, error.into()),
            }
        }
    }

    /// Dropping the socket closes it.
    fn close(&mut self, conn: ConnectionId, reason: CloseReason) {
        if self.sockets.remove(&conn).is_some() {
            self.session.closed(self.now(), conn, reason);
        }
    }
}
