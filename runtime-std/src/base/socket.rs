//! Sockets with a client's options on them, before they are connected.

use std::io;
use std::net::{SocketAddr, TcpStream};

use rocketry_core::config::SocketOptions;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// A socket for `address` with everything set that `options` ask for, bound to the local address if
/// there is one, and not connected. The sizes of buffers go before the connect, since TCP agrees on
/// its window there.
///
/// # Errors
///
/// What the system says; also when the local address is not of the same family.
pub fn socket(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if options.nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(after) = options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(after))?;
    }
    if let Some(size) = options.send_buffer {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(size) = options.receive_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    if let Some(local) = options.local_address {
        if local.is_ipv4() != address.is_ipv4() {
            let why = format!("local_address {local} can't reach {}", address.ip());
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
        }
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    Ok(socket.into())
}

/// As [`socket`], set not to block, with its connection begun: once it can be written to, it is
/// connected or has an error to take.
///
/// # Errors
///
/// As [`socket`], and where connecting fails at once.
pub fn begin_connect(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let stream = socket(address, options)?;
    stream.set_nonblocking(true)?;
    match SockRef::from(&stream).connect(&address.into()) {
        Err(error) if !is_begun(&error) => Err(error),
        _ => Ok(stream),
    }
}

/// Unix says that it is under way, Windows that it would block.
fn is_begun(error: &io::Error) -> bool {
    #[cfg(unix)]
    let under_way = error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    let under_way = false;
    under_way || error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
    use std::time::Duration;

    use rocketry_core::config::Config;

    use super::*;

    fn options(change: impl FnOnce(&mut Config)) -> SocketOptions {
        let mut config = Config::default();
        change(&mut config);
        config.socket()
    }

    fn listener() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    #[test]
    fn conn_11_a_socket_has_the_options_of_its_client() -> io::Result<()> {
        let (_listener, address) = listener()?;
        let plain = socket(address, &options(|_| {}))?;
        assert!(plain.nodelay()? && !SockRef::from(&plain).keepalive()?);
        let stream = socket(
            address,
            &options(|config| {
                config.tcp_nodelay = false;
                config.tcp_keepalive = Some(Duration::from_secs(77));
                config.send_buffer = Some(20_000);
                config.receive_buffer = Some(30_000);
            }),
        );
        let stream = stream?;
        let socket = SockRef::from(&stream);
        assert!(!stream.nodelay()? && socket.keepalive()?);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_keepalive_time()?, Duration::from_secs(77));
        // Linux sets twice what was asked for, and reports that.
        let sizes = (socket.send_buffer_size()?, socket.recv_buffer_size()?);
        assert!(matches!(sizes, (20_000 | 40_000, 30_000 | 60_000)), "{sizes:?}");
        Ok(())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn conn_11_a_connection_leaves_from_the_local_address() -> io::Result<()> {
        let (listener, address) = listener()?;
        let local = Ipv4Addr::new(127, 0, 0, 3);
        let options = options(|config| config.local_address = Some(local.into()));
        let stream = begin_connect(address, &options)?;
        assert_eq!(stream.local_addr()?.ip(), IpAddr::from(local));
        assert_eq!(listener.accept()?.1.ip(), IpAddr::from(local));
        let other = socket(SocketAddr::from((Ipv6Addr::LOCALHOST, 1)), &options);
        let other = other.map_err(|error| error.to_string()).err();
        assert_eq!(other.as_deref(), Some("local_address 127.0.0.3 can't reach ::1"));
        Ok(())
    }
}
