//! What arrives at either end of a connection: bytes, or its end.

use std::io;

use rocketry_core::error::CloseReason;
use rocketry_core::frame::FrameError;

use super::happening::Happening;
use super::link::{End, LinkId, Way};
use super::world::World;

impl World {
    /// Bytes reach their end, unless the direction is stalled or the connection cut.
    pub(super) fn arrived(&mut self, id: LinkId, way: Way, mut bytes: Vec<u8>) {
        let Some(link) = self.network.links.get_mut(&id).filter(|link| !link.broken) else {
            return;
        };
        let flow = link.flow(way);
        if flow.stalled {
            return flow.held.push(Happening::Arrived { link: id, way, bytes });
        }
        flow.outstanding -= bytes.len();
        let mut cut = false;
        if let Some(left) = &mut flow.cut_in {
            cut = *left <= bytes.len() as u64;
            bytes.truncate(*left as usize);
            *left -= bytes.len() as u64;
        }
        match way {
            Way::Up => self.reach_server(id, &bytes),
            Way::Down => self.reach_client(id, &bytes),
        }
        if cut {
            self.cut(id);
        }
    }

    fn reach_server(&mut self, id: LinkId, bytes: &[u8]) {
        let Some(link) = self.network.links.get_mut(&id).filter(|l| !l.server_gone) else { return };
        match &mut link.end {
            End::None => {}
            End::Cluster(conn) => {
                let conn = *conn;
                match self.broker.bytes_in(self.now, conn, bytes) {
                    // As an application asked for: it has closed the connection.
                    Ok(()) | Err(FrameError::TooLarge { .. }) => {}
                    Err(error) => panic!("the engine sent what is no frame: {error}"),
                }
            }
            End::Parrot(answer) => {
                let answer = std::mem::take(answer);
                self.carry(id, Way::Down, answer);
            }
        }
    }

    fn reach_client(&mut self, id: LinkId, bytes: &[u8]) {
        let Some(link) = self.network.links.get(&id).filter(|l| !l.client_gone) else { return };
        let (client, conn) = (link.client, link.conn);
        self.tell(client, |session, now| session.receive(now, conn, bytes));
    }

    /// The end of a direction reaches its end.
    pub(super) fn ended(&mut self, id: LinkId, way: Way, reason: CloseReason) {
        let Some(link) = self.network.links.get_mut(&id) else { return };
        if link.flow(way).stalled {
            link.flow(way).held.push(Happening::Ended { link: id, way, reason });
            return;
        }
        match way {
            Way::Up if !link.server_gone => {
                link.server_gone = true;
                if let End::Cluster(conn) = link.end {
                    self.broker.close(self.now, conn);
                }
            }
            Way::Down if !link.client_gone => {
                link.client_gone = true;
                let (client, conn) = (link.client, link.conn);
                self.trace.line(self.now, format_args!("{client:?} closed {conn:?}: {reason}"));
                self.tell(client, |session, now| session.closed(now, conn, reason));
            }
            Way::Up | Way::Down => {}
        }
        self.sweep(id);
    }

    /// Cuts a connection: what is on its way is lost, and both ends hear of it.
    pub(super) fn cut(&mut self, id: LinkId) {
        let now = self.now;
        let delays = [self.network.delay(), self.network.delay()];
        let Some(link) = self.network.links.get_mut(&id).filter(|l| l.open && !l.broken) else {
            return;
        };
        link.broken = true;
        self.trace.line(now, format_args!("cut {:?} {:?}", link.client, link.conn));
        for (way, delay) in [Way::Up, Way::Down].into_iter().zip(delays) {
            let flow = link.flow(way);
            (flow.stalled, flow.cut_in) = (false, None);
            flow.held.clear();
            let reason = CloseReason::from(io::Error::from(io::ErrorKind::ConnectionReset));
            self.sequence += 1;
            let ended = Happening::Ended { link: id, way, reason };
            self.agenda.insert((now + delay, self.sequence), ended);
        }
    }
}
