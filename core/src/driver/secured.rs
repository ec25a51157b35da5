//! A socket with TLS on it: the same socket to whoever reads and writes.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use super::poll::Socket;
use super::threads::Blocking;
use crate::client::adapter::{Shared, Sink};
use crate::error::ConnectError;
use crate::id::ConnectionId;
use crate::name::Endpoint;
use crate::tls::{Filter, Handshake, Tls};

/// A thread in a handshake looks this often whether the connection is still wanted.
const LOOK: Duration = Duration::from_millis(250);
/// A handshake's bytes fit into any buffer of the system's: where they don't, this is waited.
const FULL: Duration = Duration::from_millis(10);

/// A socket, and the TLS on it.
#[derive(Debug)]
pub struct Secured<S> {
    socket: S,
    filter: Filter,
}

impl<S: Sink> Secured<S> {
    fn new(tls: &Tls, endpoint: &Endpoint, socket: S) -> Result<Self, ConnectError> {
        let filter = tls.filter(endpoint).map_err(ConnectError::Tls)?;
        Ok(Self { socket, filter })
    }

    fn give(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(&[IoSlice::new(bytes)])
    }
}

impl<S: Sink> Sink for Secured<S> {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.filter.write(slices, |bytes| self.give(bytes))
    }

    fn shutdown(&self) {
        self.filter.close(|bytes| self.give(bytes));
        self.socket.shutdown();
    }

    fn is_encrypted(&self) -> bool {
        true
    }
}

impl<S: Socket> Secured<S> {
    /// Reads of the socket: what is not there yet would block, and wakes.
    fn ask(&self, cx: &mut Context<'_>, space: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.poll_read(cx, space) {
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(read) => return read,
            }
        }
    }

    /// Goes through the handshake.
    pub(super) async fn open(
        tls: &Tls,
        endpoint: &Endpoint,
        socket: S,
    ) -> Result<Self, ConnectError> {
        let secured = Self::new(tls, endpoint, socket)?;
        poll_fn(|cx| {
            loop {
                let give = |bytes: &[u8]| secured.give(bytes);
                match secured.filter.handshake(|space| secured.ask(cx, space), give) {
                    Ok(Handshake::Done) => return Poll::Ready(Ok(())),
                    Ok(Handshake::Read) => return Poll::Pending,
                    Ok(Handshake::Write) => ready!(secured.socket.poll_writable(cx))?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        })
        .await?;
        Ok(secured)
    }
}

impl<S: Socket> Socket for Secured<S> {
    fn poll_read(&self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let give = |bytes: &[u8]| self.give(bytes);
        match self.filter.read(space, |space| self.ask(cx, space), give) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_writable(cx)
    }
}

impl<S: Blocking> Secured<S> {
    /// Goes through the handshake in this thread, while the connection is wanted.
    ///
    /// # Errors
    ///
    /// When there will be no TLS, and [`ConnectError::Aborted`] when nobody wants it any more.
    pub fn open_here(
        shared: &Shared,
        conn: ConnectionId,
        (tls, endpoint): (&Tls, &Endpoint),
        socket: S,
    ) -> Result<Self, ConnectError> {
        let secured = Self::new(tls, endpoint, socket)?;
        secured.set_patience(Some(LOOK))?;
        while shared.securing(conn) {
            let give = |bytes: &[u8]| secured.socket.write_now(&[IoSlice::new(bytes)]);
            match secured.filter.handshake(|space| secured.socket.read(space), give) {
                Ok(Handshake::Done) => {
                    secured.set_patience(None)?;
                    return Ok(secured);
                }
                Ok(Handshake::Read) => {}
                Ok(Handshake::Write) => thread::park_timeout(FULL),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ConnectError::Aborted)
    }
}

impl<S: Blocking> Blocking for Secured<S> {
    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        let give = |bytes: &[u8]| self.give(bytes);
        self.filter.read(space, |space| self.socket.read(space), give)
    }

    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.socket.set_patience(patience)
    }

    /// Waits without the lock of the filter, which the reader needs meanwhile.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.write_now(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.wait_writable()?;
                }
                wrote => return wrote,
            }
        }
    }

    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.filter.write(slices, |bytes| self.socket.write_now(&[IoSlice::new(bytes)]))
    }

    fn wait_writable(&self) -> io::Result<()> {
        self.socket.wait_writable()
    }
}
