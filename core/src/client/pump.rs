//! What an adapter's tasks and threads call: the other side of [`Shared`].

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::Sink;
use super::link::{Link, Open, Writer};
use super::shared::{After, Shared};
use crate::dial::Dial;
use crate::engine::{Arrived, Command, Input};
use crate::error::{CloseReason, ConnectError};
use crate::fetch::{FetchError, FetchId, Url};
use crate::frame::{FrameError, Limits};
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

/// What a writer is to do next.
pub(crate) enum Turn {
    /// Write this, then give it back.
    Write(Box<Writer>),
    /// Let those who are about to send go first, then ask again. Nobody waits for `oneway`
    /// messages: they have time.
    Yield { oneway: bool },
    /// Nothing until the waker is woken.
    Wait,
    /// The connection is gone.
    Gone,
}

/// Room that a reader reuses from one read to the next.
#[derive(Default)]
pub struct Room(After);

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

impl Shared {
    /// The next thing for the pump to do.
    pub fn step(&self, waker: &Waker) -> Step {
        let mut core = self.lock();
        while let Some(command) = core.tasks.pop_front() {
            match command {
                // It may have been given up before anybody looked.
                Command::Connect { conn, endpoint } if core.links.contains_key(&conn) => {
                    return Step::Connect(conn, endpoint);
                }
                Command::Fetch { fetch, url } => return Step::Fetch(fetch, url),
                Command::Connect { .. } | Command::Transmit { .. } | Command::Close { .. } => {}
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
        let unix = self.host().unix();
        let more = self.run(|core, now| {
            core.sync(now, unix);
            core.engine.handle(now, Input::Timeout);
            core.engine.next_timeout().is_some_and(|at| at <= now)
        });
        more == Some(true)
    }

    /// The monotonic clock of the adapter, for its timers.
    pub fn now(&self) -> Instant {
        self.host().now()
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
        let mut core = self.lock();
        let Some(Link::Connecting { dial: known, .. }) = core.links.get_mut(&conn) else {
            return false;
        };
        *known = Some(dial.clone());
        true
    }

    /// Whether a connection that is being made is no longer wanted.
    pub fn poll_aborted(&self, conn: ConnectionId, cx: &mut Context<'_>) -> Poll<()> {
        let mut core = self.lock();
        match core.links.get_mut(&conn) {
            Some(Link::Connecting { waker, .. }) => {
                let old = waker.replace(cx.waker().clone());
                drop(core);
                drop(old);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// There is a socket. False if nobody wants it any more: drop it.
    pub fn connected(&self, conn: ConnectionId, sink: Arc<dyn Sink>) -> bool {
        let done = self.run(|core, now| {
            let link = core.links.get_mut(&conn)?;
            let Link::Connecting { .. } = link else { return None };
            let limits = Limits::of(core.engine.config()).sent();
            let writer = Some(Box::new(Writer::new(limits)));
            *link = Link::Open(Open {
                sink,
                writer,
                waker: None,
                gathering: Default::default(),
                shelf: Default::default(),
                ended: None,
            });
            core.engine.handle(now, Input::Connected { conn });
            Some(())
        });
        let open = done.flatten().is_some();
        if !open {
            self.connect_failed(conn, ConnectError::Aborted);
        }
        open
    }

    /// There is no socket.
    pub fn connect_failed(&self, conn: ConnectionId, error: ConnectError) {
        self.run(|core, now| {
            core.links.remove(&conn);
            core.engine.handle(now, Input::ConnectFailed { conn, error });
        });
    }

    /// Frames were read, in order; `frames` is drained. True: callers would rather read by
    /// themselves, see [`lend`](Self::lend).
    pub fn arrived(&self, conn: ConnectionId, frames: &mut Vec<Arrived>, room: &mut Room) -> bool {
        let lend = self.run_into(&mut room.0, |core, now| {
            core.engine.handle_frames(now, conn, frames);
            core.may_lend(conn)
        });
        frames.clear();
        self.finish(&mut room.0);
        lend.unwrap_or(false)
    }

    /// What was read is no frame. The connection is closed; stop reading and call
    /// [`ended`](Self::ended).
    pub fn malformed(&self, conn: ConnectionId, error: FrameError) {
        self.run(|core, now| core.engine.handle(now, Input::Malformed { conn, error }));
    }

    /// The stream has ended: called once for each connection, by its reader.
    pub fn ended(&self, conn: ConnectionId, reason: CloseReason) {
        self.run(|core, now| {
            if let Some(Link::Open(open)) = core.links.get_mut(&conn) {
                open.ended = Some(reason);
                core.close_if_idle(conn, now);
            }
        });
    }

    /// The next thing for a connection's writer to do. `patient`: it has let others go first.
    pub(crate) fn turn(&self, conn: ConnectionId, waker: &Waker, patient: bool) -> Turn {
        let mut core = self.lock();
        let core = &mut *core;
        let Some(Link::Open(open)) = core.links.get_mut(&conn) else { return Turn::Gone };
        let waits = core.engine.has_frames(conn)
            || open.writer.as_ref().is_some_and(|writer| !writer.is_empty());
        if !waits || open.writer.is_none() {
            // Cloned under the lock, as the one exception: it is the adapter's own waker.
            if !open.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
                open.waker = Some(waker.clone());
            }
            return Turn::Wait;
        }
        let (oneway, frames) = (core.engine.has_oneway(conn), core.engine.frames_on(conn));
        let crowded = core.engine.sends_on(conn) > core.alone;
        if patient {
            open.gathering.end(frames);
        } else if oneway || (crowded && open.gathering.begin(frames)) {
            return Turn::Yield { oneway };
        }
        let Some(mut writer) = open.writer.take() else { return Turn::Wait };
        writer.fill(|| core.engine.poll_frame(conn));
        Turn::Write(writer)
    }

    /// Gives the right to write back; or, if `again`, takes what has come meanwhile and keeps it.
    pub(crate) fn give_back(
        &self,
        conn: ConnectionId,
        mut writer: Box<Writer>,
        again: bool,
        after: &mut After,
    ) -> Option<Box<Writer>> {
        let (mut woken, mut dead) = (None, None);
        let kept = self.run_into(after, |core, now| {
            let Some(Link::Open(open)) = core.links.get_mut(&conn) else {
                dead = Some(writer);
                return None;
            };
            let more = core.engine.has_frames(conn);
            if again && more && writer.is_empty() && open.ended.is_none() {
                writer.fill(|| core.engine.poll_frame(conn));
                return Some(writer);
            }
            let more = more || !writer.is_empty();
            open.writer = Some(writer);
            if more {
                woken = open.waker.take();
            }
            core.close_if_idle(conn, now);
            None
        });
        // What is left in it is dropped here, after the lock.
        drop(dead);
        after.wakers.extend(woken);
        kept.flatten()
    }

    /// As [`give_back`](Self::give_back), for tasks.
    pub(crate) fn wrote(&self, conn: ConnectionId, writer: Box<Writer>) {
        let mut after = After::default();
        drop(self.give_back(conn, writer, false, &mut after));
        self.finish(&mut after);
    }
}

impl super::shared::Core {
    /// Closes a connection whose reader has ended, once nobody writes on it.
    fn close_if_idle(&mut self, conn: ConnectionId, now: Instant) {
        let Some(Link::Open(open)) = self.links.get_mut(&conn) else { return };
        let (Some(reason), Some(writer)) = (open.ended.clone(), open.writer.as_ref()) else {
            return;
        };
        let (unsent, begun) = (writer.unsent(), writer.begun());
        if let Some(Link::Open(open)) = self.links.remove(&conn) {
            self.ended.push(open);
        }
        self.engine.handle(now, Input::Closed { conn, reason, unsent, begun });
    }
}
