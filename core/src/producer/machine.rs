//! Sends: from the application's call over routes and connections to its end.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::request::Requests;
use super::room::Room;
use super::tries::try_limit;
use super::window::{Turn, Windows};
use super::{Groups, Lines, QueueSelection, Send, SendOptions, choose};
use crate::broker::health::Healths;
use crate::effects::{OpKind, SendOwner, TimerKind};
use crate::error::{Lack, SendError};
use crate::frame::{Kind, OutFrame, Payload};
use crate::id::{BrokerId, OpId, PeerId, Table};
use crate::message::Publish;
use crate::remoting::{Call, Context, Purpose};
use crate::route::{Known, RouteQueue, Wait, Waiter, Ways};

/// A route that was told so long ago is looked up again before it ends a send.
const STALE: Duration = Duration::from_secs(1);

/// All that is being sent, and who produces.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    /// What heartbeats say of them.
    pub(crate) groups: Groups,
    /// How brokers fare.
    pub(crate) healths: Healths,
    pub(super) sends: Table<OpId, Box<Send>>,
    /// Bytes of their messages, but of those that wait for room.
    pub(super) bytes: usize,
    /// Those that keep an order.
    pub(super) lines: Lines,
    /// Those whose reply is waited for.
    pub(super) requests: Requests,
    /// What each broker has not answered, and those that wait for it.
    pub(super) windows: Windows,
    /// Those that wait for room.
    pub(super) room: Room,
    /// A timer is set, since more may begin or go on than one turn does.
    pub(super) more: bool,
}

impl Producers {
    /// Sends one message, or one batch, which [was admitted](Self::admit) with that turn.
    pub(crate) fn send(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        publish: Arc<Publish>,
        options: SendOptions,
        (within, turn): (Duration, Turn),
    ) -> OpId {
        ctx.fx.counters.sends_begun += 1;
        let most = options.attempts.unwrap_or(ctx.fx.config.send_attempts);
        let limit = try_limit(&ctx.fx.config, &options, most, within);
        let limit = limit.filter(|limit| *limit < within);
        let op = ctx.fx.ops.insert(OpKind::Send);
        let timer = ctx.fx.after(limit.unwrap_or(within), TimerKind::Deadline(op));
        let (now, times) = (ctx.fx.now, (timer, ctx.fx.now + within, limit));
        let send = Send { turn, ..Send::new(publish, options, most, now, times) };
        self.sends.insert(op, Box::new(send));
        self.begin(ctx, ways, op, turn);
        op
    }

    /// Bytes of all messages that are being sent, but of those that wait for room.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// For whom messages are being sent, but for the application.
    pub(crate) fn owners(&self) -> impl Iterator<Item = SendOwner> {
        self.sends.iter().filter_map(|(_, send)| send.owner)
    }

    /// How many messages, or batches, are being sent.
    pub(crate) const fn len(&self) -> usize {
        self.sends.len()
    }

    /// The timers of deadlines.
    pub(crate) fn timers(&self) -> impl Iterator<Item = crate::timer::TimerKey> {
        self.sends.iter().map(|(_, send)| send.timer).chain(self.request_timers())
    }

    /// The brokers that messages were given to.
    pub(crate) fn used_brokers(&self) -> impl Iterator<Item = BrokerId> {
        self.sends.iter().filter_map(|(_, send)| send.at.map(|(broker, _)| broker))
    }

    /// Every send waits for something that will come.
    pub(crate) fn check(&self, ctx: &Context, known: Known<'_>) {
        self.check_windows(ctx);
        self.check_room(ctx);
        self.check_requests();
        assert!(self.sends.len() > 0 || self.lines.is_empty(), "a line without a send");
        for (op, send) in self.sends.iter() {
            let first = send.line.as_ref().and_then(|key| self.lines.first(key));
            let lives = first.is_some_and(|first| first != op && self.sends.get(first).is_some());
            let late = send.failed.is_some() && !send.earlier.is_empty();
            let waits = send.turn == Turn::Room || send.turn.waits().is_some();
            let called = send.call.is_some() || send.pause.is_some() || late || waits;
            let routes = known.routes.is_awaited(send.publish.topic());
            let in_line = send.behind && (lives || self.more);
            assert!(called || in_line || routes, "{op:?} waits for nothing");
        }
    }

    pub(crate) fn get(&self, op: OpId) -> Option<&Send> {
        self.sends.get(op).map(|send| &**send)
    }

    pub(super) fn send_of(&mut self, op: OpId) -> Option<&mut Send> {
        self.sends.get_mut(op).map(|send| &mut **send)
    }

    /// Has a send's topic looked up; it goes on when what it waits for has come.
    pub(super) fn want(&self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId, wait: Wait) {
        let Some(send) = self.sends.get(op) else { return };
        let waiter = Waiter { op, wait, deadline: send.deadline, creates: true };
        ways.want(ctx, send.publish.topic(), Some(waiter));
    }

    /// Gives the message to a queue, or has its topic looked up first.
    pub(crate) fn route_send(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.sends.get(op) else { return };
        let topic = send.publish.topic();
        if ways.routes.serve(topic).is_none() {
            return self.want(ctx, ways, op, Wait::Route);
        }
        let (main, broker, queue) = match self.aimed(ctx, ways, op) {
            Ok(aimed) => aimed,
            Err(lack) => return self.wait_for_queue(ctx, ways, op, lack),
        };
        let Some(publish) = self.fitting(ctx, ways, op, (main, broker)) else { return };
        let Some(send) = self.sends.get(op) else { return };
        let (keep, oneway) = (send.selection.is_fixed().then_some(queue as usize), send.oneway);
        let (wide, size) = (send.is_wide(), send.window_size());
        let (peers, fx) = ctx.peers();
        let peer = match wide {
            true => peers.wide(main),
            false => peers.lane(fx, main, keep),
        };
        if oneway && self.queue_oneway(ctx, ways, op, &publish, (peer, broker, queue)) {
            return;
        }
        if self.has_to_wait(ctx, op, main, broker) {
            return;
        }
        if self.is_too_late(ctx, op, broker) {
            return self.end_waiting(ctx, ways, op, broker);
        }
        let name = ways.brokers.name(broker).clone();
        let call = Call::new(peer, Purpose::Send(op));
        let opaque = ctx.remoting.calls.open(Kind::Send, call);
        let now = ctx.fx.now;
        let Some(send) = self.send_of(op) else { return };
        (send.at, send.call, send.tried) = (Some((broker, queue)), Some(opaque), now);
        let payload = Payload::Publish { publish, queue, broker: name, oneway };
        self.windows.open(main, size);
        let (peers, fx) = ctx.peers();
        peers.count_send(peer, 1);
        peers.send(fx, peer, OutFrame { opaque, payload });
    }

    /// The route has no queue for a send. What heals by itself is waited for until the deadline;
    /// what somebody has set so ends the send, once the route is known to be a fresh one.
    fn wait_for_queue(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId, lack: Lack) {
        let Some(send) = self.sends.get(op) else { return };
        let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
        if !lack.is_lasting() {
            self.want(ctx, ways, op, Wait::Change);
        } else if !ways.routes.is_fresh(ctx.fx.now, &topic, STALE) {
            self.want(ctx, ways, op, Wait::News);
        } else {
            let (stored, attempts, _) = self.detach(ctx, ways, op);
            let (lack, ids) = (Box::new(lack), Some(ids));
            let error = SendError::NotWritable { topic, lack, stored, ids, attempts };
            self.end_send(ctx, op, Err(error));
        }
    }

    /// Where the next try of a send goes: to which peer, as which queue of which broker.
    pub(super) fn aimed(
        &mut self,
        ctx: &mut Context,
        ways: &mut Ways<'_>,
        op: OpId,
    ) -> Result<(PeerId, BrokerId, i32), Lack> {
        let Some(send) = self.sends.get(op) else {
            return Err(Lack::Queues);
        };
        let (topic, last) = (send.publish.topic(), send.at);
        let (broker, queue) = match &send.selection {
            QueueSelection::Queue { broker, queue } => match ways.brokers.id(broker) {
                Some(id) => (id, *queue),
                None => return Err(Lack::Broker { broker: broker.clone() }),
            },
            QueueSelection::Hash(hash) => {
                let route = ways.routes.known(topic).ok_or(Lack::Queues)?;
                // Java's remainder keeps the sign, and its `abs` drops it.
                let at = i64::from(*hash).checked_rem(route.writable.len() as i64);
                let at = at.ok_or_else(|| route.lack())?.unsigned_abs();
                let chosen = route.writable[at as usize];
                (chosen.broker, chosen.queue as i32)
            }
            selection @ (QueueSelection::InTurn | QueueSelection::Random) => {
                let (route, mut turn) = ways.routes.turn(topic).ok_or(Lack::Queues)?;
                if *selection == QueueSelection::Random {
                    turn = ctx.fx.rng.next_u64() as u32;
                }
                let (peers, brokers, healths) = (&ctx.remoting.peers, ways.brokers, &self.healths);
                let (isolates, now) = (ctx.fx.config.fault_isolation, ctx.fx.now);
                let passed = Cell::new(None);
                let is_down = |broker| {
                    let master = brokers.master(broker);
                    let down = master.is_none_or(|p| peers.is_down(p));
                    if down {
                        passed.set(master);
                    }
                    let slow = master.is_some_and(|p| peers.is_slow(p));
                    down || slow || (isolates && healths.is_isolated(now, broker))
                };
                let last = last.map(|(broker, queue)| RouteQueue { broker, queue: queue as u32 });
                let has_it = |broker| send.has_left_for(broker);
                let home = send.publish.home().filter(|_| last.is_none());
                let home = home.and_then(|name| brokers.id(name)).filter(|id| !is_down(*id));
                let home = route.writable.iter().find(|queue| Some(queue.broker) == home).copied();
                let chosen = home.or_else(|| choose(&route, turn, last, &has_it, &is_down));
                let mut chosen = chosen.ok_or_else(|| route.lack())?;
                let is_shut =
                    |broker| is_down(broker) || self.is_full_at(ctx, brokers, send, broker);
                let is_open = |broker: &BrokerId| !has_it(*broker) && !is_shut(*broker);
                if self.is_full_at(ctx, brokers, send, chosen.broker)
                    && route.brokers.iter().any(is_open)
                {
                    let roomy = choose(&route, turn, last, &has_it, &is_shut);
                    chosen = roomy.filter(|queue| !is_shut(queue.broker)).unwrap_or(chosen);
                }
                if let Some(down) = passed.take() {
                    let (peers, fx) = ctx.peers();
                    peers.probe(fx, down);
                }
                (chosen.broker, chosen.queue as i32)
            }
        };
        let master = ways.brokers.master(broker).ok_or_else(|| ways.brokers.lack(broker))?;
        Ok((master, broker, queue))
    }

    /// Takes a send out of the table, with its deadline and the room it took.
    pub(super) fn remove(&mut self, ctx: &mut Context, op: OpId) -> Option<Box<Send>> {
        let send = self.sends.remove(op)?;
        ctx.fx.ops.remove(op);
        ctx.fx.timers.cancel(send.timer);
        self.free_room(&send);
        if let Some((peer, _)) = send.turn.waits() {
            self.leave_window(peer, send.at.is_some());
        }
        for request in send.requests() {
            self.close(ctx, request, send.window_size());
        }
        if let Some(key) = send.line.clone() {
            self.lines.leave(key, op, |op| self.sends.get(op).is_some());
        }
        Some(send)
    }
}
