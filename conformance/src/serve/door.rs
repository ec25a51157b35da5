//! One listening socket and the thread that accepts on it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::shared::Shared;
use crate::broker::ListenerId;

#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    shut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Door {
    pub(super) fn open(
        shared: &Arc<Shared>,
        id: ListenerId,
        socket: TcpListener,
    ) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let shut = Arc::new(AtomicBool::new(false));
        let (shared, closing) = (Arc::clone(shared), Arc::clone(&shut));
        let thread = std::thread::Builder::new()
            .name("broker-accept".to_owned())
            .spawn(move || accept(&shared, id, &socket, &closing))?;
        Ok(Self { address, shut, thread })
    }

    /// Closes the socket; connections that came in stay.
    pub(super) fn close(self) {
        self.shut.store(true, Ordering::SeqCst);
        let mut to = self.address;
        if to.ip().is_unspecified() {
            match to {
                SocketAddr::V4(_) => to.set_ip(Ipv4Addr::LOCALHOST.into()),
                SocketAddr::V6(_) => to.set_ip(Ipv6Addr::LOCALHOST.into()),
            }
        }
        // Accept has no timeout: a connection of our own ends it.
        if TcpStream::connect_timeout(&to, Duration::from_secs(1)).is_ok() {
            drop(self.thread.join());
        }
    }
}

fn accept(shared: &Arc<Shared>, id: ListenerId, socket: &TcpListener, shut: &AtomicBool) {
    loop {
        let accepted = socket.accept();
        if shut.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok((stream, from)) => {
                if let Err(error) = shared.admit(id, stream, from) {
                    log::warn!("a connection from {from} is refused: {error}");
                }
            }
            // Out of file descriptors, say: what helps is that others close.
            Err(error) => {
                log::warn!("accept failed: {error}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
