//! Bytes to frames, decoded before the lock is taken.

use std::sync::Arc;

use crate::client::{Room, Shared};
use crate::engine::Arrived;
use crate::frame::{Inbound, Limits};
use crate::id::ConnectionId;

/// Frames given to the engine under one hold of the lock.
const FRAMES: usize = 32;

/// The reading half of one connection.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    conn: ConnectionId,
    inbound: Inbound,
    arrived: Vec<Arrived>,
    room: Room,
}

impl Reader {
    /// A reader that has read nothing.
    pub fn new(shared: Arc<Shared>, conn: ConnectionId) -> Self {
        let (inbound, room) = (Inbound::new(Limits::default()), Room::default());
        Self { shared, conn, inbound, arrived: Vec::with_capacity(FRAMES), room }
    }

    /// Room for the next read; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbound.space()
    }

    /// `count` bytes of [`space`](Self::space) were read. False: they were no frames; stop reading.
    pub fn filled(&mut self, count: usize) -> bool {
        self.inbound.filled(count);
        loop {
            let error = loop {
                if self.arrived.len() == FRAMES {
                    break None;
                }
                match self.inbound.next_frame() {
                    Ok(Some(frame)) => self.arrived.push(frame.into()),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            let more = self.arrived.len() == FRAMES;
            if !self.arrived.is_empty() {
                self.shared.arrived(self.conn, &mut self.arrived, &mut self.room);
            }
            if let Some(error) = error {
                self.shared.malformed(self.conn, error);
                return false;
            }
            if !more {
                return true;
            }
        }
    }
}
