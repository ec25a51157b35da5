//! What a test does to the network and to the brokers.

use std::time::Duration;

use rocketry_core::error::CloseReason;

use super::app::ClientId;
use super::happening::Happening;
use super::link::{Door, Host, LinkId, Way};
use super::network::Split;
use super::world::World;

impl World {
    /// Lets `host` listen at an address: a second nameserver, a peer that speaks something else.
    pub fn host(&mut self, endpoint: &str, host: Host) {
        self.network.hosts.insert(endpoint.to_owned(), host);
    }

    /// What becomes of attempts to connect to an address from now on.
    pub fn door(&mut self, endpoint: &str, door: Door) {
        self.network.doors.insert(endpoint.to_owned(), door);
    }

    /// How bytes are split from now on.
    pub const fn split(&mut self, split: Split) {
        self.network.split = split;
    }

    /// The delay of each piece one way: at least `least`, and less than `spread` more.
    pub const fn latency(&mut self, least: Duration, spread: Duration) {
        self.network.latency = (least, spread);
    }

    /// Lets at most so many bytes a second through to or from an address, on each connection.
    pub fn slow(&mut self, endpoint: &str, way: Way, rate: u64) {
        self.network.rates.push((endpoint.to_owned(), way, rate));
    }

    /// Changes what is written to and by an address from now on; a server's bytes come as whole
    /// frames.
    pub fn tamper(&mut self, tamper: impl FnMut(&str, Way, &mut Vec<u8>) + 'static) {
        self.network.tamper = Some(Box::new(tamper));
    }

    /// Ends that.
    pub fn tamper_no_more(&mut self) {
        self.network.tamper = None;
    }

    /// The open connections to an address, oldest first.
    pub(super) fn links_to(&self, endpoint: &str) -> Vec<LinkId> {
        let links = self.network.links.iter();
        let open = links.filter(|(_, l)| l.open && !l.broken && !l.client_gone);
        open.filter(|(_, link)| link.endpoint == endpoint).map(|(id, _)| *id).collect()
    }

    /// How many connections to an address are open.
    pub fn open_links(&self, endpoint: &str) -> usize {
        self.links_to(endpoint).len()
    }

    /// Cuts every open connection to an address.
    pub fn cut_all(&mut self, endpoint: &str) {
        for id in self.links_to(endpoint) {
            self.cut(id);
        }
    }

    /// Cuts one of the open connections to an address; 0 is the oldest.
    pub fn cut_one(&mut self, endpoint: &str, number: usize) {
        if let Some(id) = self.links_to(endpoint).get(number).copied() {
            self.cut(id);
        }
    }

    /// Cuts every open connection to an address once so many further bytes have arrived that way.
    pub fn cut_after(&mut self, endpoint: &str, way: Way, bytes: u64) {
        for id in self.links_to(endpoint) {
            self.cut_link_after(id, way, bytes);
        }
    }

    pub(super) fn cut_link_after(&mut self, id: LinkId, way: Way, bytes: u64) {
        if let Some(link) = self.network.links.get_mut(&id) {
            link.flow(way).cut_in = Some(bytes);
        }
    }

    /// Lets nothing arrive that way on the open connections to an address.
    pub fn stall(&mut self, endpoint: &str, way: Way) {
        for id in self.links_to(endpoint) {
            self.stall_link(id, way);
        }
    }

    /// The same on one of them; 0 is the oldest.
    pub fn stall_one(&mut self, endpoint: &str, number: usize, way: Way) {
        if let Some(id) = self.links_to(endpoint).get(number).copied() {
            self.stall_link(id, way);
        }
    }

    pub(super) fn stall_link(&mut self, id: LinkId, way: Way) {
        if let Some(link) = self.network.links.get_mut(&id) {
            link.flow(way).stalled = true;
        }
    }

    /// Lets everything arrive again that was stalled.
    pub fn unstall_all(&mut self) {
        let links: Vec<LinkId> = self.network.links.keys().copied().collect();
        for id in links {
            self.unstall_link(id);
        }
    }

    pub(super) fn unstall_link(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get_mut(&id) else { return };
        let mut held = Vec::new();
        for way in [Way::Up, Way::Down] {
            let flow = link.flow(way);
            flow.stalled = false;
            // What is still on its way arrives after what was held.
            flow.last = flow.last.max(self.now);
            held.append(&mut flow.held);
        }
        // Held things go before anything that is due at this moment: their numbers are older.
        for what in held.into_iter().rev() {
            self.schedule_first(what);
        }
    }

    /// Ends a client without goodbye, as a killed process does: its connections end, and it makes
    /// no further ones.
    pub fn vanish(&mut self, client: ClientId) {
        self.clients[client.0].gone = true;
        self.unlock_files(client);
        let links = self.network.links.iter();
        let own: Vec<LinkId> =
            links.filter(|(_, l)| l.client == client).map(|(id, _)| *id).collect();
        for id in own {
            if let Some(link) = self.network.links.get_mut(&id) {
                link.client_gone = true;
            }
            let reason = CloseReason::Ended;
            let at = self.now + self.network.delay();
            self.schedule(at, Happening::Ended { link: id, way: Way::Up, reason });
        }
    }

    /// Takes a broker down: connections close, new ones are refused.
    pub fn take_down(&mut self, broker: usize) {
        let endpoint = self.cluster().endpoint(broker).unwrap_or_default().to_owned();
        self.trace.line(self.now, format_args!("{endpoint} goes down"));
        self.door(&endpoint, Door::Refuse);
        self.with_cluster(|cluster| cluster.take_down(broker));
    }

    /// Kills a broker: it forgets the offsets, and which half messages have ended, that it has not
    /// written to its disk.
    pub fn crash(&mut self, broker: usize) {
        self.with_cluster(|cluster| {
            cluster.lose_offsets(broker);
            cluster.lose_ends(broker);
        });
        self.take_down(broker);
    }

    /// Whether a client [vanished](Self::vanish).
    pub fn is_gone(&self, client: ClientId) -> bool {
        self.clients[client.0].gone
    }

    /// Brings it up again.
    pub fn bring_up(&mut self, broker: usize) {
        let endpoint = self.cluster().endpoint(broker).unwrap_or_default().to_owned();
        self.trace.line(self.now, format_args!("{endpoint} comes up"));
        self.door(&endpoint, Door::Open);
        self.with_cluster(|cluster| cluster.bring_up(broker));
    }

    /// Lets a server's end of every open connection to an address write these bytes.
    pub fn inject(&mut self, endpoint: &str, bytes: &[u8]) {
        for id in self.links_to(endpoint) {
            self.carry(id, Way::Down, bytes.to_vec());
        }
    }
}
