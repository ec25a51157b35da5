//! A TCP proxy on loopback that hurts connections on purpose: cut after so many bytes, stalled,
//! slowed down, reset, refused.
//!
//! ```no_run
//! # use rocketry_conformance::proxy::{Direction, Proxy};
//! # fn main() -> std::io::Result<()> {
//! let proxy = Proxy::start("127.0.0.1:10911".parse().expect("an address"))?;
//! proxy.cut_after(Direction::Up, 6); // the next frame ends inside its second length
//! # Ok(()) }
//! ```
//!
//! With [`Cluster::set_endpoint`](crate::broker::Cluster::set_endpoint) clients of the embedded
//! broker come by the proxy's address. Plain threads: one that accepts, two for each connection.

mod carry;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use carry::Traffic;

/// One way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server behind the proxy.
    Up,
    /// From the server to the client.
    Down,
}

/// How long connecting to the server behind may take.
const REACH: Duration = Duration::from_secs(5);

/// A proxy in front of one server. Dropping it closes its connections and ends its threads.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    to: SocketAddr,
    traffic: Arc<Traffic>,
    door: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// A proxy to `to` on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When there is no port or no thread.
    pub fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let proxy = Self { address, to, traffic: Arc::default(), door: Mutex::new(None) };
        proxy.open(listener)?;
        Ok(proxy)
    }

    fn open(&self, listener: TcpListener) -> io::Result<()> {
        let (traffic, to) = (self.traffic.clone(), self.to);
        let run = move || accept(&traffic, &listener, to);
        let thread = thread::Builder::new().name("proxy-accept".to_owned()).spawn(run)?;
        *self.door.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets `bytes` more bytes pass in one direction, over whichever connections carry them, and
    /// then closes the one that carried the last. One cut waits per direction; a second call
    /// replaces it.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.traffic.cut_after(direction, bytes);
    }

    /// Takes back the cuts that wait.
    pub fn no_cut(&self) {
        self.traffic.no_cut();
    }

    /// Cuts made so far.
    pub fn cuts(&self) -> u64 {
        self.traffic.cuts()
    }

    /// Connections taken so far.
    pub fn taken(&self) -> u64 {
        self.traffic.taken()
    }

    /// Holds back what comes in one direction; connections stay open.
    pub fn stall(&self, direction: Direction) {
        self.traffic.hold(direction, true);
    }

    /// Lets it pass again, what was held back first.
    pub fn go_on(&self, direction: Direction) {
        self.traffic.hold(direction, false);
    }

    /// Lets no more than so many bytes a second pass in one direction, over all connections
    /// together; `None` ends that. What has come from the other side waits in the system's buffers,
    /// until they are full.
    pub fn slow(&self, direction: Direction, bytes_a_second: Option<u32>) {
        self.traffic.slow(direction, bytes_a_second);
    }

    /// Ends every connection with a reset (RST). New ones are still taken.
    pub fn reset(&self) {
        self.traffic.reset_all();
    }

    /// Closes the port: who connects is refused. Connections that are there stay.
    pub fn refuse(&self) {
        let thread = self.door.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        self.traffic.shut(true);
        // Accept has no timeout: a connection of our own ends it.
        if TcpStream::connect_timeout(&self.address, REACH).is_ok() {
            drop(thread.join());
        }
        self.traffic.shut(false);
    }

    /// Opens the same port again after [`refuse`](Self::refuse).
    ///
    /// # Errors
    ///
    /// When somebody else has taken the port.
    pub fn admit(&self) -> io::Result<()> {
        if self.door.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        self.open(TcpListener::bind(self.address)?)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.traffic.end();
    }
}

fn accept(traffic: &Arc<Traffic>, listener: &TcpListener, to: SocketAddr) {
    loop {
        let accepted = listener.accept();
        if traffic.is_shut() {
            return;
        }
        // A server that is down shows as a connection that ends at once.
        let carried = accepted.and_then(|(client, _)| {
            let server = TcpStream::connect_timeout(&to, REACH)?;
            traffic.carry(client, server)
        });
        if let Err(error) = carried {
            log::debug!("the proxy to {to} lost a connection: {error}");
        }
    }
}
