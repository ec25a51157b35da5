//! Sends that were taken while there was no room for them: first in, first out, bounded, and under
//! their deadlines from the call.

use super::window::Turn;
use super::{Producers, Send};
use crate::config::Config;
use crate::error::{Refused, SendError};
use crate::fifo::Fifo;
use crate::id::{OpId, Table};
use crate::remoting::Context;
use crate::route::Ways;

/// Those that wait for room.
#[derive(Debug, Default)]
pub(super) struct Room {
    queue: Fifo<OpId>,
    /// Bytes of their messages.
    bytes: usize,
}

impl Room {
    /// The last one that waited gives back what a burst took.
    fn give_back(&mut self) {
        if self.queue.waiting() == 0 {
            self.queue = Fifo::new();
        }
    }
}

impl Producers {
    /// Sends that wait for room.
    pub(crate) fn without_room(&self) -> usize {
        self.room.queue.waiting()
    }

    /// The sends and bytes there is room for: none while others wait for it.
    pub(crate) fn room(&self, config: &Config) -> (usize, usize) {
        if self.without_room() > 0 {
            return (0, 0);
        }
        let sends = config.max_pending.saturating_sub(self.sends.len());
        let bytes = config.max_pending_bytes.saturating_sub(self.bytes);
        (sends, if self.bytes == 0 { usize::MAX } else { bytes })
    }

    /// Bytes of their messages.
    pub(crate) const fn bytes_without_room(&self) -> usize {
        self.room.bytes
    }

    /// Whether there is room for a message of `size` bytes; one that is larger than all there is
    /// may go alone.
    fn has_room(&self, config: &Config, size: usize) -> Result<(), Refused> {
        let (most, bytes) = (config.max_pending, config.max_pending_bytes);
        if self.sends.len() - self.without_room() >= most {
            Err(Refused::Full(most))
        } else if self.bytes > 0 && self.bytes + size > bytes {
            Err(Refused::FullOfBytes(bytes))
        } else {
            Ok(())
        }
    }

    /// Makes room for a message, or has it wait behind those that do.
    pub(crate) fn admit(&mut self, config: &Config, size: usize) -> Result<Turn, Refused> {
        let room = self.has_room(config, size);
        if self.without_room() == 0 && (room.is_ok() || !config.wait_for_room) {
            room?;
            self.bytes += size;
            return Ok(Turn::Free);
        }
        let (most, bytes) = (config.max_waiting, config.max_waiting_bytes);
        if self.without_room() >= most {
            return Err(Refused::FullOfWaiting(most));
        }
        if self.room.bytes + size > bytes {
            return Err(Refused::FullOfWaitingBytes(bytes));
        }
        Ok(Turn::Room)
    }

    /// A send that was taken begins, or waits for room.
    pub(super) fn begin(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId, turn: Turn) {
        if turn == Turn::Room {
            let Some(send) = self.send_of(op) else { return };
            send.queued = true;
            self.room.bytes += send.publish.wire_size();
            self.room.queue.push(op);
        } else if self.is_first(op) {
            self.route_send(ctx, ways, op);
            self.begin_next(ctx, ways);
        }
    }

    /// The oldest send that waits begins, if there is room for it. False if there is none, or if
    /// its deadline has come: its timer, which is behind others, ends it.
    pub(super) fn admit_next(&mut self, ctx: &mut Context, ways: &mut Ways<'_>) -> bool {
        let Self { room, sends, .. } = self;
        let Some(op) = room.queue.front(|op| waits(sends, *op)).copied() else { return false };
        let Some(send) = self.get(op) else { return false };
        let (size, overdue) = (send.publish.wire_size(), send.deadline <= ctx.fx.now);
        if overdue || self.has_room(&ctx.fx.config, size).is_err() {
            return false;
        }
        self.room.queue.pop();
        self.room.bytes -= size;
        self.room.give_back();
        self.bytes += size;
        if let Some(send) = self.send_of(op) {
            send.turn = Turn::Free;
        }
        if self.is_first(op) {
            self.route_send(ctx, ways, op);
        }
        true
    }

    /// Gives back what a send took of the room that ends, or that it waited for.
    pub(super) fn free_room(&mut self, send: &Send) {
        let size = send.publish.wire_size();
        if send.turn != Turn::Room {
            self.bytes -= size;
            return;
        }
        let Self { room, sends, .. } = self;
        room.bytes -= size;
        room.queue.end(|op| waits(sends, *op), drop);
        room.give_back();
    }

    /// The deadline of a send has come that waits for room.
    pub(super) fn end_without_room(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId) {
        let Some(send) = self.get(op) else { return };
        let (topic, ids) = (send.publish.topic().clone(), send.publish.ids());
        self.detach(ctx, ways, op);
        self.end_send(ctx, op, Err(SendError::NoRoom { topic, ids }));
    }

    /// Those that wait for room are counted, and have none.
    pub(super) fn check_room(&self, ctx: &Context) {
        let waiting = |send: &&Send| send.turn == Turn::Room;
        let sizes = self.sends.iter().map(|(_, send)| &**send).filter(waiting);
        let sizes: Vec<usize> = sizes.map(|send| send.publish.wire_size()).collect();
        let counted = (self.without_room(), self.room.bytes);
        assert_eq!(counted, (sizes.len(), sizes.iter().sum()), "sends that wait for room");
        let all: usize = self.sends.iter().map(|(_, send)| send.publish.wire_size()).sum();
        assert_eq!(self.bytes + self.room.bytes, all, "bytes of sends");
        let oldest = self.room.queue.iter().find_map(|op| self.get(*op).filter(waiting));
        let living = oldest.filter(|send| send.deadline > ctx.fx.now);
        let size = living.map(|send| send.publish.wire_size());
        let full = size.is_none_or(|size| self.has_room(&ctx.fx.config, size).is_err());
        assert!(full || self.more, "a send waits for room that is there");
    }
}

/// Whether a send waits for room still.
fn waits(sends: &Table<OpId, Box<Send>>, op: OpId) -> bool {
    sends.get(op).is_some_and(|send| send.turn == Turn::Room)
}
