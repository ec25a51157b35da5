//! A tokio stream that readers and writers share.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll, ready};

use rocketry_core::client::adapter::Sink;
use rocketry_core::config::SocketOptions;
use rocketry_core::driver::Socket;
use rocketry_core::name::Endpoint;
use rocketry_std::base;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) TcpStream);

/// The addresses of a name.
pub(crate) async fn resolve(endpoint: Endpoint) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((endpoint.host(), endpoint.port())).await?.collect())
}

impl Stream {
    /// Connects to one address.
    pub(crate) async fn dial(address: SocketAddr, options: SocketOptions) -> io::Result<Self> {
        let socket = base::socket(address, &options)?;
        socket.set_nonblocking(true)?;
        TcpSocket::from_std_stream(socket).connect(address).await.map(Self)
    }

    /// One read. A short one has emptied the socket, so the next one would only be told to wait:
    /// saying so at once saves that system call. (Readiness is edge-triggered; what comes in
    /// between sets it again.)
    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        let mut read = None;
        let result = self.0.try_io(Interest::READABLE, || {
            let count = (&*SockRef::from(&self.0)).read(space)?;
            read = Some(count);
            if 0 < count && count < space.len() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        match (read, result) {
            (Some(count), _) => Ok(count),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Ok(0),
        }
    }
}

impl Sink for Stream {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [only] => self.0.try_write(only),
            _ => self.0.try_write_vectored(slices),
        }
    }

    fn shutdown(&self) {
        // Fails only where the peer was faster.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

impl Socket for Stream {
    fn poll_read(&self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.read(space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{self, Tried};

    fn dial(address: SocketAddr, options: SocketOptions) -> io::Result<TcpStream> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let stream = runtime.block_on(Stream::dial(address, options))?;
        Ok(stream.0)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn conn_11_a_connection_has_its_clients_options() -> Tried {
        trial::a_connection_has_its_clients_options(dial, TcpStream::nodelay)
    }

    #[test]
    fn a_port_that_nothing_listens_on_refuses() -> Tried {
        trial::a_port_that_nothing_listens_on_refuses(dial)
    }
}
