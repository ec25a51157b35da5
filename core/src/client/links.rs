//! The connections of a client, and what their links ask for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use super::after_unlock::{AfterUnlock, PendingWrite};
use super::link::{Action, Halves, Link, Open, Sink, Traffic, Writer};
use super::subscribed::Consumers;
use crate::dial::Dial;
use crate::engine::{Engine, Input};
use crate::error::{CloseReason, ConnectError, TlsError};
use crate::id::ConnectionId;
use crate::time::Instant;

/// [`Traffic`] of one connection.
pub(crate) struct On<'a> {
    engine: &'a Engine,
    conn: ConnectionId,
    /// [`Host::writes_alone`](super::host::Host::writes_alone).
    alone: u32,
    parked: Parked<'a>,
}

/// Who waits with a waker.
#[derive(Clone, Copy, Default)]
pub(super) struct Parked<'a> {
    /// For so many calls.
    pub(super) calls: usize,
    /// Some of these wait for messages.
    pub(super) consumers: Option<&'a Consumers>,
}

impl Parked<'_> {
    fn is_any(self) -> bool {
        let mut consumers = self.consumers.into_iter().flat_map(BTreeMap::values);
        self.calls > 0 || consumers.any(|consumer| consumer.waker.is_some())
    }
}

impl Traffic for On<'_> {
    fn frames(&self) -> usize {
        self.engine.frames_on(self.conn)
    }

    fn has_frames(&self) -> bool {
        self.engine.has_frames(self.conn)
    }

    fn sends(&self) -> u32 {
        self.engine.sends_on(self.conn)
    }

    fn is_crowded(&self) -> bool {
        self.sends() > self.alone
    }

    fn has_pulls(&self) -> bool {
        self.engine.has_pulls(self.conn)
    }

    fn has_oneway(&self) -> bool {
        self.engine.has_oneway(self.conn)
    }

    fn only_messages(&self) -> bool {
        self.engine.only_messages(self.conn)
    }

    fn others_wait(&self) -> bool {
        self.parked.is_any() || !self.only_messages()
    }
}

/// All connections that are being made, or stand.
#[derive(Default)]
pub(super) struct Links {
    all: BTreeMap<ConnectionId, Link>,
    /// [`Host::writes_alone`](super::host::Host::writes_alone).
    alone: u32,
    /// The one whose frames were deferred last.
    deferred: Option<ConnectionId>,
}

impl Links {
    pub(super) fn new(alone: u32) -> Self {
        Self { alone, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A connection is to be made.
    pub(super) fn begin(&mut self, conn: ConnectionId) {
        self.all.insert(conn, Link::Connecting { waker: None, dial: None, secures: None });
    }

    /// Whether a connection is still wanted.
    pub(super) fn has(&self, conn: ConnectionId) -> bool {
        self.all.contains_key(&conn)
    }

    /// How far connecting has come. False: it is not wanted any more.
    pub(super) fn dialling(&mut self, conn: ConnectionId, now_at: &Dial) -> bool {
        let Some(Link::Connecting { dial, .. }) = self.all.get_mut(&conn) else { return false };
        *dial = Some(now_at.clone());
        true
    }

    /// There is a socket, and TLS is yet to come. False: it is not wanted any more.
    pub(super) fn securing(&mut self, conn: ConnectionId, now: Instant) -> bool {
        let Some(Link::Connecting { secures, .. }) = self.all.get_mut(&conn) else { return false };
        secures.get_or_insert(now);
        true
    }

    /// Keeps the waker of who connects, in the place of the one that is left there. False: it is
    /// not wanted any more.
    pub(super) fn watch(&mut self, conn: ConnectionId, kept: &mut Option<Waker>) -> bool {
        let Some(Link::Connecting { waker, .. }) = self.all.get_mut(&conn) else { return false };
        std::mem::swap(waker, kept);
        true
    }

    /// There is a socket. Gives what was there before, which may hold a waker and is for dropping
    /// after the lock; `None`: nobody wants it any more.
    pub(super) fn connected(
        &mut self,
        conn: ConnectionId,
        sink: Arc<dyn Sink>,
        writer: Writer,
    ) -> Option<Link> {
        let Some(link @ Link::Connecting { .. }) = self.all.get_mut(&conn) else { return None };
        let open = Link::Open(Open { sink, halves: Halves::new(Box::new(writer)) });
        Some(std::mem::replace(link, open))
    }

    /// There is no socket. Gives what was there before, for dropping after the lock.
    pub(super) fn failed(&mut self, conn: ConnectionId) -> Option<Link> {
        self.all.remove(&conn)
    }

    /// A connection with a socket, and what is under way on it.
    pub(super) fn open<'a>(
        &'a mut self,
        conn: ConnectionId,
        engine: &'a Engine,
        parked: Parked<'a>,
    ) -> Option<(&'a mut Open, On<'a>)> {
        let Link::Open(open) = self.all.get_mut(&conn)? else { return None };
        Some((open, On { engine, conn, alone: self.alone, parked }))
    }

    /// Those that wake a reader who has offered its half to callers.
    pub(super) fn free_readers(&self) -> Vec<Waker> {
        let free = self.all.values().filter_map(|link| match link {
            Link::Open(open) => open.halves.wanted_back(),
            Link::Connecting { .. } => None,
        });
        free.cloned().collect()
    }

    /// Does what a link asks for, or leaves it for after the lock.
    pub(super) fn carry_out(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        conn: ConnectionId,
        action: Action<Box<Writer>>,
        after: &mut AfterUnlock,
    ) {
        match action {
            Action::Write(writer) => after.write = self.pending_write(engine, conn, writer, false),
            Action::YieldAndWrite(writer) => {
                after.write = self.pending_write(engine, conn, writer, true);
            }
            Action::Wake(waker) => after.wakers.push(waker),
            Action::Defer => self.deferred = Some(conn),
            Action::Close(reason) => self.close(engine, now, conn, reason, after),
            Action::Nothing => {}
        }
    }

    /// A write for the thread that holds the lock.
    pub(super) fn pending_write(
        &self,
        engine: &mut Engine,
        conn: ConnectionId,
        mut writer: Box<Writer>,
        yields: bool,
    ) -> Option<PendingWrite> {
        let Link::Open(open) = self.all.get(&conn)? else { return None };
        let sink = open.sink.clone();
        if !yields {
            writer.fill(|| engine.poll_frame(conn));
        }
        Some(PendingWrite { conn, sink, writer, yields })
    }

    /// Whether so much has been deferred by now that this thread writes it. False: there was
    /// nothing to look at.
    pub(super) fn look_at_deferred(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        after: &mut AfterUnlock,
    ) -> bool {
        let Some(conn) = self.deferred.take_if(|_| after.write.is_none()) else { return false };
        // Nothing here depends on who is parked.
        let open = self.open(conn, engine, Parked::default());
        let gathered = open.map(|(open, on)| open.halves.gathered(&on));
        self.carry_out(engine, now, conn, gathered.unwrap_or(Action::Nothing), after);
        true
    }

    /// A connection is gone: its writing task ends when it looks again.
    fn close(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        conn: ConnectionId,
        reason: CloseReason,
        after: &mut AfterUnlock,
    ) {
        let Some(Link::Open(mut open)) = self.all.remove(&conn) else { return };
        let writer = open.halves.idle_writer();
        let unsent = writer.map(|writer| writer.unsent()).unwrap_or_default();
        let begun = writer.and_then(|writer| writer.begun());
        after.wakers.extend(open.halves.gone());
        after.ended.push(open);
        engine.handle(now, Input::Closed { conn, reason, unsent, begun });
    }

    /// The engine wants a connection no more.
    pub(super) fn shut(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        conn: ConnectionId,
        after: &mut AfterUnlock,
    ) {
        match self.all.get_mut(&conn) {
            Some(Link::Open(open)) => after.shutdowns.push(open.sink.clone()),
            // A thread in the middle of connecting, or of looking a name up, can't be told: the
            // engine does not wait for it, and it finds its link gone.
            Some(Link::Connecting { waker, dial, secures }) => {
                after.wakers.extend(waker.take());
                let stalled = |at| ConnectError::Tls(TlsError::Stalled(now.since(at)));
                let dial = dial.take().map(|dial| dial.given_up(now));
                let error = secures.map(stalled).or(dial).unwrap_or(ConnectError::Aborted);
                self.all.remove(&conn);
                engine.handle(now, Input::ConnectFailed { conn, error });
            }
            None => {}
        }
    }

    /// Nobody moves bytes any more.
    pub(super) fn abandon(&mut self, after: &mut AfterUnlock) {
        for (_, link) in std::mem::take(&mut self.all) {
            match link {
                Link::Connecting { waker, .. } => after.wakers.extend(waker),
                Link::Open(mut open) => {
                    after.wakers.extend(open.halves.gone());
                    after.shutdowns.push(open.sink.clone());
                    after.ended.push(open);
                }
            }
        }
    }
}
