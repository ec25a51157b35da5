//! Sends that were taken while there was no room for them: first in, first out, bounded, and under
//! their deadlines from the call.

use std::collections::VecDeque;

use super::window::Turn;
use super::{Producers, Send};
use crate::config::Config;
use crate::error::{Refused, SendError};
use crate::id::OpId;
use crate::remoting::Context;
use crate::route::Ways;

/// Ended sends among those that wait are let go of when they are the most, and so many at least.
const DEAD: usize = 32;

/// Those that wait for room.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Oldest first; those that have ended meanwhile too.
    queue: VecDeque<OpId>,
    /// How many of them wait.
    waiting: usize,
    /// Bytes of their messages.
    bytes: usize,
}

impl Room {
    /// One that waited does so no more.
    fn leave(&mut self, size: usize) {
        self.waiting -= 1;
        self.bytes -= size;
        if self.waiting == 0 {
            self.queue = VecDeque::new();
        }
    }
}

impl Producers {
    /// Sends that wait for room.
    pub(crate) const fn without_room(&self) -> usize {
        self.room.waiting
    }

    /// Whether there is room for a message of `size` bytes while `calls` of the application are
    /// under way; one that is larger than all there is may go alone.
    fn has_room(&self, config: &Config, calls: usize, size: usize) -> Result<(), Refused> {
        let (most, bytes) = (config.max_pending, config.max_pending_bytes);
        if calls >= most {
            Err(Refused::Full(most))
        } else if self.bytes > 0 && self.bytes + size > bytes {
            Err(Refused::FullOfBytes(bytes))
        } else {
            Ok(())
        }
    }

    /// Makes room for a message, or has it wait behind those that do.
    pub(crate) fn admit(
        &mut self,
        config: &Config,
        calls: usize,
        size: usize,
    ) -> Result<Turn, Refused> {
        let room = self.has_room(config, calls, size);
        if self.room.waiting == 0 && (room.is_ok() || !config.wait_for_room) {
            room?;
            self.bytes += size;
            return Ok(Turn::Free);
        }
        let (most, bytes) = (config.max_waiting, config.max_waiting_bytes);
        if self.room.waiting >= most {
            return Err(Refused::FullOfWaiting(most));
        }
        if self.room.bytes + size > bytes {
            return Err(Refused::FullOfWaitingBytes(bytes));
        }
        self.room.waiting += 1;
        self.room.bytes += size;
        Ok(Turn::Room)
    }

    /// A send that was taken begins, or waits for room.
    pub(super) fn begin(&mut self, ctx: &mut Context, ways: &mut Ways<'_>, op: OpId, turn: Turn) {
        if turn == Turn::Room {
            if let Some(send) = self.send_of(op) {
                send.queued = true;
            }
            self.room.queue.push_back(op);
        } else if self.is_first(op) {
            self.route_send(ctx, ways, op);
            self.begin_next(ctx, ways);
        }
    }

    /// The oldest send that waits begins, if there is room for it. False if there is none.
    pub(super) fn admit_next(&mut self, ctx: &mut Context, ways: &mut Ways<'_>) -> bool {
        while self.room.waiting > 0 {
            let Some(op) = self.room.queue.front().copied() else { return false };
            let Some(send) = self.get(op).filter(|send| send.turn == Turn::Room) else {
                self.room.queue.pop_front();
                continue;
            };
            let (size, overdue) = (send.publish.wire_size(), send.deadline <= ctx.fx.now);
            let calls = ctx.fx.ops.len() - self.room.waiting;
            if overdue {
                self.end_without_room(ctx, ways, op);
                return true;
            }
            if self.has_room(&ctx.fx.config, calls, size).is_err() {
                return false;
            }
            self.room.queue.pop_front();
            self.room.leave(size);
            self.bytes += size;
            if let Some(send) = self.send_of(op) {
                send.turn = Turn::Free;
            }
            if self.is_first(op) {
                self.route_send(ctx, ways, op);
            }
            return true;
        }
        false
    }

    /// Gives back what a send took of the room that ends, or that it waited for.
    pub(super) fn free_room(&mut self, send: &Send) {
        let size = send.publish.wire_size();
        if send.turn != Turn::Room {
            self.bytes -= size;
            return;
        }
        self.room.leave(size);
        let Self { room, sends, .. } = self;
        if room.queue.len() > 2 * room.waiting + DEAD {
            room.queue.retain(|op| sends.get(*op).is_some_and(|send| send.turn == Turn::Room));
        }
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
        let waits = |send: &&Send| send.turn == Turn::Room;
        let sizes = self.sends.iter().map(|(_, send)| &**send).filter(waits);
        let sizes: Vec<usize> = sizes.map(|send| send.publish.wire_size()).collect();
        let counted = (self.room.waiting, self.room.bytes);
        assert_eq!(counted, (sizes.len(), sizes.iter().sum()), "sends that wait for room");
        let all: usize = self.sends.iter().map(|(_, send)| send.publish.wire_size()).sum();
        assert_eq!(self.bytes + self.room.bytes, all, "bytes of sends");
        let oldest = self.room.queue.iter().find_map(|op| self.get(*op).filter(waits));
        let calls = ctx.fx.ops.len() - self.room.waiting;
        let size = oldest.map(|send| send.publish.wire_size());
        let full = size.is_none_or(|size| self.has_room(&ctx.fx.config, calls, size).is_err());
        assert!(full, "a send waits for room that is there");
    }
}
