//! An `async-io` stream that readers and writers share.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::task::{Context, Poll, ready};

use async_io::Async;
use rocketry_core::client::adapter::Sink;
use rocketry_core::config::SocketOptions;
use rocketry_core::driver::Socket;
use rocketry_core::name::Endpoint;
use rocketry_std::dial;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Async<TcpStream>);

/// The addresses of a name, looked up on the blocking pool.
pub(crate) async fn resolve(endpoint: Endpoint) -> io::Result<Vec<SocketAddr>> {
    blocking::unblock(move || {
        (endpoint.host(), endpoint.port()).to_socket_addrs().map(Vec::from_iter)
    })
    .await
}

impl Stream {
    /// Connects to one address.
    pub(crate) async fn dial(address: SocketAddr, options: SocketOptions) -> io::Result<Self> {
        let stream = Async::new(dial::begin(address, &options)?)?;
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
    use std::net::{IpAddr, Ipv4Addr, TcpListener};

    use rocketry_core::config::Config;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn conn_11_a_connection_has_its_clients_options() -> Result<(), Box<dyn std::error::Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 3));
        let mut config = Config::default();
        config.tcp_nodelay = false;
        config.local_address = Some(local);
        let stream = async_io::block_on(Stream::dial(address, config.socket()))?;
        assert_eq!(listener.accept()?.1.ip(), local);
        assert!(!stream.0.get_ref().nodelay()?);
        Ok(())
    }

    #[test]
    fn a_port_that_nothing_listens_on_refuses() -> Result<(), Box<dyn std::error::Error>> {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let dial = Stream::dial(free, Config::default().socket());
        let kind = async_io::block_on(dial).err().map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::ConnectionRefused));
        Ok(())
    }
}
