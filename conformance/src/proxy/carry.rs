//! The connections of a proxy: what passes, what is held back, what is cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::Direction;

const BUFFER: usize = 16 << 10;
/// What is slowed down passes in so many parts a second.
const PARTS: u32 = 20;

/// How much may pass in a direction, and when.
#[derive(Clone, Copy, Debug)]
struct Pace {
    bytes_a_second: u32,
    /// When the next part may.
    next: Instant,
}

/// Both sockets of one connection.
#[derive(Debug)]
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    /// Ends both halves in order (FIN); a thread that reads or writes sees it.
    fn close(&self) {
        // Fails only where a peer was faster.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// Ends both with a reset, as soon as the threads that carry let go of them.
    fn reset(&self) {
        for socket in [&self.client, &self.server] {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
            // Only reading: a shutdown for writing would send FIN first.
            let _ = socket.shutdown(Shutdown::Read);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that may still pass before the cut.
    budget: [Option<u64>; 2],
    held: [bool; 2],
    paces: [Option<Pace>; 2],
    shut: bool,
    ended: bool,
    cuts: u64,
    taken: u64,
    pairs: Vec<Arc<Pair>>,
    threads: Vec<JoinHandle<()>>,
}

/// All that passes a proxy.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    state: Mutex<State>,
    changed: Condvar,
}

const fn place(direction: Direction) -> usize {
    match direction {
        Direction::Up => 0,
        Direction::Down => 1,
    }
}

impl Traffic {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cut_after(&self, direction: Direction, bytes: u64) {
        self.state().budget[place(direction)] = Some(bytes);
    }

    pub(super) fn no_cut(&self) {
        self.state().budget = [None; 2];
    }

    pub(super) fn cuts(&self) -> u64 {
        self.state().cuts
    }

    pub(super) fn taken(&self) -> u64 {
        self.state().taken
    }

    pub(super) fn hold(&self, direction: Direction, held: bool) {
        self.state().held[place(direction)] = held;
        self.changed.notify_all();
    }

    pub(super) fn slow(&self, direction: Direction, bytes_a_second: Option<u32>) {
        let pace = |rate: u32| Pace { bytes_a_second: rate.max(1), next: Instant::now() };
        self.state().paces[place(direction)] = bytes_a_second.map(pace);
        self.changed.notify_all();
    }

    /// How many bytes may be read at once.
    fn part(&self, direction: Direction) -> usize {
        let part = |pace: Pace| (pace.bytes_a_second / PARTS).max(1) as usize;
        self.state().paces[place(direction)].map_or(BUFFER, part).min(BUFFER)
    }

    pub(super) fn shut(&self, shut: bool) {
        self.state().shut = shut;
    }

    pub(super) fn is_shut(&self) -> bool {
        self.state().shut
    }

    pub(super) fn reset_all(&self) {
        let pairs = std::mem::take(&mut self.state().pairs);
        pairs.iter().for_each(|pair| pair.reset());
        // Those held back must see it too.
        self.changed.notify_all();
    }

    /// Ends everything and waits for the threads.
    pub(super) fn end(&self) {
        let (pairs, threads) = {
            let mut state = self.state();
            state.ended = true;
            (std::mem::take(&mut state.pairs), std::mem::take(&mut state.threads))
        };
        pairs.iter().for_each(|pair| pair.close());
        self.changed.notify_all();
        for thread in threads {
            // A thread that panicked has told so.
            drop(thread.join());
        }
    }

    /// Carries one connection on two threads of its own.
    pub(super) fn carry(self: &Arc<Self>, client: TcpStream, server: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let pair = Arc::new(Pair { client, server });
        let mut state = self.state();
        state.taken += 1;
        state.pairs.push(pair.clone());
        state.threads.retain(|thread| !thread.is_finished());
        for direction in [Direction::Up, Direction::Down] {
            let (traffic, pair) = (self.clone(), pair.clone());
            let run = move || traffic.pass(&pair, direction);
            let thread = thread::Builder::new().name("proxy-carry".to_owned()).spawn(run)?;
            state.threads.push(thread);
        }
        Ok(())
    }

    fn pass(&self, pair: &Arc<Pair>, direction: Direction) {
        let (mut from, mut to) = match direction {
            Direction::Up => (&pair.client, &pair.server),
            Direction::Down => (&pair.server, &pair.client),
        };
        let mut buffer = vec![0; BUFFER];
        loop {
            let part = self.part(direction);
            let count = match from.read(&mut buffer[..part]) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let Some((count, cut)) = self.admit(pair, direction, count) else { return };
            if to.write_all(&buffer[..count]).is_err() || cut {
                break;
            }
        }
        self.let_go(pair);
    }

    /// How many of `count` bytes may pass, and whether the connection ends after them. `None` once
    /// it is not carried any more; waits while its direction is held back.
    fn admit(&self, pair: &Arc<Pair>, direction: Direction, count: usize) -> Option<(usize, bool)> {
        let at = place(direction);
        let mut state = self.state();
        loop {
            if state.ended || !state.pairs.iter().any(|own| Arc::ptr_eq(own, pair)) {
                return None;
            }
            let now = Instant::now();
            let early = state.paces[at]
                .map_or(Duration::ZERO, |pace| pace.next.saturating_duration_since(now));
            state = if state.held[at] {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if early > Duration::ZERO {
                let waited = self.changed.wait_timeout(state, early);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                break;
            };
        }
        if let Some(pace) = &mut state.paces[at] {
            let takes = Duration::from_secs(1) * count as u32 / pace.bytes_a_second;
            pace.next = Instant::now() + takes;
        }
        let Some(left) = state.budget[at] else { return Some((count, false)) };
        let passed = usize::try_from(left).map_or(count, |left| left.min(count));
        if (passed as u64) < left {
            state.budget[at] = Some(left - passed as u64);
            return Some((passed, false));
        }
        state.budget[at] = None;
        state.cuts += 1;
        Some((passed, true))
    }

    /// The connection has ended on one side: it ends on the other, unless it was reset.
    fn let_go(&self, pair: &Arc<Pair>) {
        let mut state = self.state();
        let carried = state.pairs.len();
        state.pairs.retain(|own| !Arc::ptr_eq(own, pair));
        let was_carried = state.pairs.len() < carried;
        drop(state);
        if was_carried {
            pair.close();
        }
        self.changed.notify_all();
    }
}
