//! The bytes of one connection, encrypted if its client began so and the broker has it.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(feature = "tls")]
use std::sync::OnceLock;
#[cfg(feature = "tls")]
use std::time::Duration;

#[cfg(feature = "tls")]
use rocketry_core::tls::{Filter, Handshake, TlsServer};

/// Whether connections are encrypted, as Java's `tls.server.mode`.
#[cfg(feature = "tls")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// A client that begins with TLS is cut off.
    Disabled,
    /// Each client as it begins.
    #[default]
    Permissive,
    /// A client that begins without is cut off.
    Enforcing,
}

/// TLS of a cluster's nameserver and brokers.
#[cfg(feature = "tls")]
#[derive(Clone, Debug)]
pub struct ServeTls {
    /// Who may come.
    pub mode: TlsMode,
    /// What it is done by.
    pub server: TlsServer,
}

/// There is none in this build.
#[cfg(not(feature = "tls"))]
pub(super) type ServeTls = std::convert::Infallible;

/// With this byte the first record of TLS begins, and no frame.
#[cfg(feature = "tls")]
const HELLO: u8 = 0x16;
/// A thread waits so long for a system that takes no more, without the filter's lock.
#[cfg(feature = "tls")]
const FULL: Duration = Duration::from_millis(1);

/// A socket, and the TLS on it if there is any.
pub(super) struct Wire {
    socket: TcpStream,
    #[cfg(feature = "tls")]
    filter: OnceLock<Filter>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.socket).finish()
    }
}

impl Wire {
    pub(super) const fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            #[cfg(feature = "tls")]
            filter: OnceLock::new(),
        }
    }

    /// Waits for the client's first byte, and goes through the handshake if that is one of TLS.
    /// False: the client is cut off, and what it has sent by now is done all the same, as brokers
    /// do (`NettyRemotingServer.TlsModeHandler` closes, and hands the bytes on).
    #[cfg(feature = "tls")]
    pub(super) fn begin(&self, tls: Option<&ServeTls>) -> io::Result<bool> {
        let Some(tls) = tls else { return Ok(true) };
        let mut first = [0];
        // Nothing at all is for the reader to see.
        let hello = self.socket.peek(&mut first)? > 0 && first[0] == HELLO;
        match (tls.mode, hello) {
            (TlsMode::Permissive | TlsMode::Disabled, false) => Ok(true),
            (TlsMode::Disabled, true) => Err(io::Error::other("it speaks TLS, which is off")),
            (TlsMode::Enforcing, false) => {
                log::warn!("a connection is closed: it does not speak TLS");
                self.socket.shutdown(Shutdown::Write).map(|()| false)
            }
            (TlsMode::Permissive | TlsMode::Enforcing, true) => {
                self.shake(&tls.server).map(|()| true)
            }
        }
    }

    #[cfg(not(feature = "tls"))]
    pub(super) const fn begin(&self, _: Option<&ServeTls>) -> io::Result<bool> {
        Ok(true)
    }

    #[cfg(feature = "tls")]
    fn shake(&self, server: &TlsServer) -> io::Result<()> {
        let filter = server.filter()?;
        let (read, write) = (
            |space: &mut [u8]| (&self.socket).read(space),
            |bytes: &[u8]| (&self.socket).write(bytes),
        );
        loop {
            match filter.handshake(read, write) {
                Ok(Handshake::Done) => break,
                Ok(Handshake::Read) => {}
                Ok(Handshake::Write) => std::thread::sleep(FULL),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Nobody has set it: a connection has one reader.
        let _ = self.filter.set(filter);
        Ok(())
    }

    pub(super) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(filter) = self.filter.get() {
            let write = |bytes: &[u8]| (&self.socket).write(bytes);
            return filter.read(space, |space| (&self.socket).read(space), write);
        }
        (&self.socket).read(space)
    }

    /// Writes what the system takes within the patience of the socket.
    pub(super) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(filter) = self.filter.get() {
            let wrote = filter.write(slices, |bytes| match (&self.socket).write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                wrote => wrote,
            });
            if wrote.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                // The reader has its turn with the filter.
                std::thread::sleep(FULL);
            }
            return wrote;
        }
        (&self.socket).write_vectored(slices)
    }

    /// Ends both directions.
    pub(super) fn shutdown(&self) {
        #[cfg(feature = "tls")]
        if let Some(filter) = self.filter.get() {
            filter.close(|bytes| (&self.socket).write(bytes));
        }
        // Fails only when the peer was faster.
        drop(self.socket.shutdown(Shutdown::Both));
    }
}
