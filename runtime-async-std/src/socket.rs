//! An `async-io` stream that readers and writers share.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::task::{Context, Poll, ready};

use async_io::Async;
use rocketry_core::client::adapter::Sink;
use rocketry_core::config::SocketOptions;
use rocketry_core::driver::Socket;
use rocketry_core::name::Endpoint;
use rocketry_std::base;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Async<TcpStream>);

/// The addresses of a name, looked up on the blocking pool.
pub(crate) async fn resolve(endpoint: Endpoint) -> io::Result<Vec<SocketAddr>> {
    blocking::unblock(move || base::resolve(&endpoint)).await
}

impl Stream {
    /// Connects to one address.
    pub(crate) async fn dial(address: SocketAddr, options: SocketOptions) -> io::Result<Self> {
        let stream = Async::new(base::begin_connect(address, &options)?)?;
        stream.writable().await?;
        match stream.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(Self(stream)),
        }
    }
}

impl Sink for Stream {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_ref().write_vectored(slices)
    }

    fn shutdown(&self) {
        // Fails only where the peer was faster.
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
    }
}

impl Socket for Stream {
    fn poll_read(&self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().read(space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_readable(cx))?;
                }
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{self, Tried};

    fn dial(address: SocketAddr, options: SocketOptions) -> io::Result<Async<TcpStream>> {
        Ok(async_io::block_on(Stream::dial(address, options))?.0)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn conn_11_a_connection_has_its_clients_options() -> Tried {
        trial::a_connection_has_its_clients_options(dial, |stream| stream.get_ref().nodelay())
    }

    #[test]
    fn a_port_that_nothing_listens_on_refuses() -> Tried {
        trial::a_port_that_nothing_listens_on_refuses(dial)
    }
}
