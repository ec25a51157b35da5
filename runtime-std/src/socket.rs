//! A blocking stream whose writes can be asked not to block.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rocketry_core::client::Sink;
use rocketry_core::config::SocketOptions;
use rocketry_core::driver::Blocking;
use rocketry_core::error::ConnectError;
use rocketry_core::name::Endpoint;
use socket2::SockRef;

use crate::dial;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(TcpStream);

impl Stream {
    /// Looks the name up and tries each of its addresses. `within` only frees the thread: the
    /// engine gives up by its own time.
    pub(crate) fn connect(
        endpoint: &Endpoint,
        options: &SocketOptions,
        within: Duration,
    ) -> Result<Self, ConnectError> {
        let addresses = (endpoint.host(), endpoint.port()).to_socket_addrs();
        let addresses = addresses
            .map_err(|error| ConnectError::Unresolved { detail: error.to_string().into() })?;
        let mut last = ConnectError::Unresolved { detail: "no address".into() };
        for address in addresses {
            match open(address, options, within) {
                Ok(stream) => return Ok(Self(stream)),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

fn open(address: SocketAddr, options: &SocketOptions, within: Duration) -> io::Result<TcpStream> {
    let stream = dial::socket(address, options)?;
    SockRef::from(&stream).connect_timeout(&address.into(), within)?;
    Ok(stream)
}

/// Flags of a write that takes what fits and does not block, nor raise a signal.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOW: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const NOW: i32 = libc::MSG_DONTWAIT;

impl Sink for Stream {
    #[cfg(unix)]
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = SockRef::from(&self.0);
        match slices {
            [only] => socket.send_with_flags(only, NOW),
            _ => socket.send_vectored_with_flags(slices, NOW),
        }
    }

    /// Without a flag for it, a write would block: it is left to the writing thread.
    #[cfg(not(unix))]
    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn shutdown(&self) {
        // Fails only where the peer was faster.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Blocking for Stream {
    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(space)
    }

    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(patience)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        io::Write::write_vectored(&mut &self.0, slices)
    }
}
