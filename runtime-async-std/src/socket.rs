//! An `async-io` stream that readers and writers share.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::task::{Context, Poll, ready};

use async_io::Async;
use rocketry_core::client::Sink;
use rocketry_core::config::SocketOptions;
use rocketry_core::driver::Socket;
use rocketry_core::error::ConnectError;
use rocketry_core::name::Endpoint;
use rocketry_std::dial;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(Async<TcpStream>);

impl Stream {
    /// Looks the name up on the blocking pool and tries each of its addresses.
    pub(crate) async fn connect(
        endpoint: Endpoint,
        options: SocketOptions,
    ) -> Result<Self, ConnectError> {
        let addresses = blocking::unblock(move || {
            (endpoint.host(), endpoint.port()).to_socket_addrs().map(Vec::from_iter)
        });
        let addresses = addresses
            .await
            .map_err(|error| ConnectError::Unresolved { detail: error.to_string().into() })?;
        let mut last = ConnectError::Unresolved { detail: "no address".into() };
        for address in addresses {
            match open(address, &options).await {
                Ok(stream) => return Ok(Self(stream)),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

async fn open(address: SocketAddr, options: &SocketOptions) -> io::Result<Async<TcpStream>> {
    let stream = Async::new(dial::begin(address, options)?)?;
    stream.writable().await?;
    match stream.get_ref().take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
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
        let endpoint = Endpoint::parse(&listener.local_addr()?.to_string())?;
        let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 3));
        let mut config = Config::default();
        config.tcp_nodelay = false;
        config.local_address = Some(local);
        let stream = async_io::block_on(Stream::connect(endpoint, config.socket()))?;
        assert_eq!(listener.accept()?.1.ip(), local);
        assert!(!stream.0.get_ref().nodelay()?);
        Ok(())
    }

    #[test]
    fn a_port_that_nothing_listens_on_refuses() -> Result<(), Box<dyn std::error::Error>> {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let endpoint = Endpoint::parse(&free.to_string())?;
        let connect = Stream::connect(endpoint, Config::default().socket());
        let error = async_io::block_on(connect).err();
        let refused = io::ErrorKind::ConnectionRefused;
        assert!(matches!(error, Some(ConnectError::Io { kind, .. }) if kind == refused));
        Ok(())
    }
}
