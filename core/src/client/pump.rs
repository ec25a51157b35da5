//! What an adapter's tasks and threads call: the other side of [`Shared`].

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::after_unlock::AfterUnlock;
use super::link::{Sink, WriteTurn, Writer, Written};
use super::shared::Shared;
use crate::dial::Dial;
use crate::engine::{Command, InFrame, Input};
use crate::error::{CloseReason, ConnectError};
use crate::fetch::{FetchError, FetchId, Url};
use crate::frame::FrameError;
use crate::id::ConnectionId;
use crate::name::Endpoint;
use crate::time::Instant;

/// What the pump is to do next.
#[derive(Debug)]
pub enum Step {
    /// Connect, then call [`Shared::connected`] or [`Shared::connect_failed`].
    Connect(ConnectionId, Endpoint),
    /// Get this page by HTTP while [`Shared::is_fetching`], then call [`Shared::fetched`].
    Fetch(FetchId, Url),
    /// Nothing until the waker is woken, or until then: call [`Shared::tick`].
    Wait(Instant),
    /// The client has stopped, and every connection with it.
    Done,
}

/// What a reader reuses from one read to the next.
#[derive(Default)]
pub struct Scratch(AfterUnlock);

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

impl Shared {
    /// The next thing for the pump to do.
    pub fn step(&self, waker: &Waker) -> Step {
        let mut core = self.lock();
        while let Some(command) = core.tasks.pop_front() {
            match command {
                // It may have been given up before anybody looked.
                Command::Connect { conn, endpoint } if core.links.has(conn) => {
                    return Step::Connect(conn, endpoint);
                }
                Command::Fetch { fetch, url } => return Step::Fetch(fetch, url),
                Command::Connect { .. }
                | Command::Transmit { .. }
                | Command::Compute { .. }
                | Command::Load { .. }
                | Command::Save { .. }
                | Command::Close { .. } => {}
            }
        }
        if core.gone || (core.stopped && core.links.is_empty()) {
            return Step::Done;
        }
        core.armed = core.engine.next_timeout().unwrap_or(Instant::FAR);
        let (armed, old) = (core.armed, core.pump.replace(waker.clone()));
        drop(core);
        drop(old);
        Step::Wait(armed)
    }

    /// The time that [`Step::Wait`] named has come. True if more is due than was done under one
    /// hold of the lock: let others run before the next step.
    pub fn tick(&self) -> bool {
        // Read one after the other: a thread that is stopped between them would see a jump.
        let (read, unix) = (self.clock().now(), self.clock().unix());
        let more = self.run(|core, now| {
            core.sync(read, unix);
            core.engine.handle(now, Input::Timeout);
            core.engine.next_timeout().is_some_and(|at| at <= now)
        });
        more == Some(true)
    }

    /// The monotonic clock of the adapter, for its timers.
    pub fn now(&self) -> Instant {
        self.clock().now()
    }

    /// How long a connection may take. The engine gives up by itself: this says how fast the
    /// addresses of a name have to follow each other.
    pub fn connect_timeout(&self) -> std::time::Duration {
        self.config().connect_timeout
    }

    /// Whether a page is still waited for.
    pub fn is_fetching(&self, fetch: FetchId) -> bool {
        let core = self.lock();
        !core.gone && core.engine.is_fetching(fetch)
    }

    /// A page is there, or could not be had.
    pub fn fetched(&self, fetch: FetchId, result: Result<Bytes, FetchError>) {
        self.run(|core, now| core.engine.handle(now, Input::Fetched { fetch, result }));
    }

    /// How far connecting has come: what is given up says which addresses were tried. False when
    /// the connection is no longer wanted.
    pub fn dialling(&self, conn: ConnectionId, dial: &Dial) -> bool {
        self.lock().links.dialling(conn, dial)
    }

    /// There is a socket, and TLS is yet to be agreed upon: what is given up from now on says so.
    /// False when the connection is no longer wanted.
    pub fn securing(&self, conn: ConnectionId) -> bool {
        let now = self.now();
        self.lock().links.securing(conn, now)
    }

    /// Whether a connection that is being made is no longer wanted.
    pub fn poll_aborted(&self, conn: ConnectionId, cx: &mut Context<'_>) -> Poll<()> {
        // The one that is left here is dropped after the lock.
        let mut waker = Some(cx.waker().clone());
        let wanted = self.lock().links.watch(conn, &mut waker);
        if wanted { Poll::Pending } else { Poll::Ready(()) }
    }

    /// There is a socket. False if nobody wants it any more: drop it.
    pub fn connected(&self, conn: ConnectionId, sink: Arc<dyn Sink>) -> bool {
        let done = self.run(|core, now| {
            let writer = Writer::new(core.engine.config());
            let kept = core.links.connected(conn, sink, writer);
            if kept.is_some() {
                core.engine.handle(now, Input::Connected { conn });
            }
            kept
        });
        // With the waker of who connected, which is dropped here, after the lock.
        let open = done.flatten().is_some();
        if !open {
            self.connect_failed(conn, ConnectError::Aborted);
        }
        open
    }

    /// There is no socket.
    pub fn connect_failed(&self, conn: ConnectionId, error: ConnectError) {
        let kept = self.run(|core, now| {
            let kept = core.links.failed(conn);
            core.engine.handle(now, Input::ConnectFailed { conn, error });
            kept
        });
        drop(kept);
    }

    /// Frames were read, in order; `frames` is drained. True: callers would rather read by
    /// themselves, see [`lend`](Self::lend).
    pub fn arrived(
        &self,
        conn: ConnectionId,
        frames: &mut Vec<InFrame>,
        scratch: &mut Scratch,
    ) -> bool {
        let lend = self.run_into(&mut scratch.0, |core, now, _| {
            core.engine.handle_frames(now, conn, frames);
            core.open(conn).is_some_and(|(open, on)| open.halves.may_lend(&on))
        });
        frames.clear();
        self.finish(&mut scratch.0);
        lend.unwrap_or(false)
    }

    /// What was read is no frame. The connection is closed; stop reading and call
    /// [`ended`](Self::ended).
    pub fn malformed(&self, conn: ConnectionId, error: FrameError) {
        self.run(|core, now| core.engine.handle(now, Input::Malformed { conn, error }));
    }

    /// The stream has ended: called once for each connection, by its reader.
    pub fn ended(&self, conn: ConnectionId, reason: CloseReason) {
        let mut after = AfterUnlock::default();
        self.run_into(&mut after, |core, now, after| {
            if let Some((open, _)) = core.open(conn) {
                let action = open.halves.end(reason);
                core.carry_out(now, conn, action, after);
            }
        });
        self.finish(&mut after);
    }

    /// The next thing for a connection's writer to do. `yielded`: it has let others go first.
    pub(crate) fn turn(&self, conn: ConnectionId, waker: &Waker, yielded: bool) -> WriteTurn {
        // Dropped after the lock.
        let mut replaced = None;
        let mut core = self.lock();
        let Some((open, on)) = core.open(conn) else { return WriteTurn::Gone };
        let mut turn = open.halves.turn(waker, &mut replaced, yielded, &on);
        let idle = open.halves.idle_writer().is_some();
        match &mut turn {
            WriteTurn::Write(writer) => core.fill(conn, writer),
            // The writer takes all there is, which is nothing: the engine hears that too.
            WriteTurn::Wait if idle => drop(core.engine.poll_frame(conn)),
            WriteTurn::Wait | WriteTurn::Yield { .. } | WriteTurn::Gone => {}
        }
        self.tell(core);
        turn
    }

    /// As [`give_back`](Self::give_back), for tasks.
    pub(crate) fn wrote(&self, conn: ConnectionId, writer: Box<Writer>, wrote: Written) {
        let mut after = AfterUnlock::default();
        drop(self.give_back(conn, writer, wrote, &mut after));
        self.finish(&mut after);
    }
}
