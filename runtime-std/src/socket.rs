//! A blocking stream whose writes can be asked not to block.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rocketry_core::client::adapter::Sink;
use rocketry_core::config::SocketOptions;
use rocketry_core::dial::{Dial, DialStep};
use rocketry_core::driver::Blocking;
use rocketry_core::error::ConnectError;
use rocketry_core::name::Endpoint;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::SockRef;

use crate::dial;
use crate::host::Clocks;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(TcpStream);

/// A thread that connects looks this often whether that is still wanted.
const LOOK: Duration = Duration::from_millis(250);

/// The addresses of a name.
pub(crate) fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, ConnectError> {
    let addresses = (endpoint.host(), endpoint.port()).to_socket_addrs();
    addresses.map(Vec::from_iter).map_err(ConnectError::unresolved)
}

impl Stream {
    /// Connects to the first of the addresses that answers, all on this thread. `wanted` is asked
    /// every now and then: the engine alone knows when to give up.
    pub(crate) fn connect(
        mut dial: Dial,
        options: &SocketOptions,
        clocks: Clocks,
        mut wanted: impl FnMut(&Dial) -> bool,
    ) -> Result<Self, ConnectError> {
        let mut attempts: Vec<(SocketAddr, TcpStream)> = Vec::new();
        loop {
            let now = clocks.now();
            match dial.next(now) {
                DialStep::Failed(error) => return Err(error),
                DialStep::Begin(address) => match dial::begin(address, options) {
                    Ok(stream) => attempts.push((address, stream)),
                    Err(error) => dial.failed(address, error),
                },
                DialStep::Wait(_) if !wanted(&dial) => return Err(dial.given_up(now)),
                DialStep::Wait(due) => {
                    for at in writable(&attempts, due.since(now).min(LOOK))?.into_iter().rev() {
                        let (address, stream) = attempts.remove(at);
                        match stream.take_error().and_then(|error| error.map_or(Ok(()), Err)) {
                            Ok(()) => {
                                stream.set_nonblocking(false)?;
                                return Ok(Self(stream));
                            }
                            Err(error) => dial.failed(address, error),
                        }
                    }
                }
            }
        }
    }
}

/// Waits until the system has decided on some of the attempts; gives their places, in order.
fn writable(attempts: &[(SocketAddr, TcpStream)], within: Duration) -> io::Result<Vec<usize>> {
    let polled = attempts.iter().map(|(_, stream)| PollFd::new(stream, PollFlags::OUT));
    let mut polled: Vec<PollFd<'_>> = polled.collect();
    // Rounded up: a wait that is over too early would be begun again at once.
    let within = within + Duration::from_micros(999);
    let within = Timespec { tv_sec: 0, tv_nsec: i64::from(within.subsec_nanos()) as _ };
    match poll(&mut polled, Some(&within)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready = polled.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty());
    Ok(ready.map(|(at, _)| at).collect())
}

impl From<Stream> for TcpStream {
    fn from(stream: Stream) -> Self {
        stream.0
    }
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Instant;

    use rocketry_core::config::Config;
    use socket2::{Domain, Socket, Type};

    use super::*;

    /// An address that swallows who connects: a listener whose queue is full.
    fn black_hole() -> io::Result<(SocketAddr, Socket, Vec<TcpStream>)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(0)?;
        let at = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok();
        Ok((at, socket, std::iter::from_fn(connect).take(64).collect()))
    }

    /// An address that swallows, one that refuses, and one that answers.
    type Ways = ((SocketAddr, Socket, Vec<TcpStream>), SocketAddr, TcpListener);

    fn ways() -> io::Result<Ways> {
        let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok((black_hole()?, closed, TcpListener::bind("127.0.0.1:0")?))
    }

    /// Connects as for a name that has these addresses; gives the address of our end.
    fn connect(addresses: Vec<SocketAddr>) -> Result<SocketAddr, ConnectError> {
        let dial = Dial::new(addresses, Duration::from_secs(3));
        let options = Config::default().socket();
        let stream = Stream::connect(dial, &options, Clocks::default(), |_| true)?;
        Ok(stream.0.local_addr()?)
    }

    #[test]
    fn a_connection_nobody_wants_any_more_is_given_up_and_says_what_was_tried()
    -> Result<(), Box<dyn std::error::Error>> {
        let (hole, closed, _open) = ways()?;
        let dial = Dial::new([hole.0, closed], Duration::from_secs(60));
        let (mut looks, begun) = (0, Instant::now());
        let given_up =
            Stream::connect(dial, &Config::default().socket(), Clocks::default(), |_| {
                looks += 1;
                looks < 4
            });
        let text = given_up.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(&format!("{}: no connection within", hole.0)), "{text}");
        assert!(text.contains(&format!("{closed}: Connection refused")), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        Ok(())
    }

    #[test]
    fn every_address_of_a_name_is_tried_and_the_first_that_answers_wins()
    -> Result<(), Box<dyn std::error::Error>> {
        let (hole, closed, open) = ways()?;
        let begun = Instant::now();
        let stream = connect(vec![hole.0, closed, open.local_addr()?])?;
        let took = begun.elapsed();
        assert_eq!(open.accept()?.1, stream);
        let stagger = Duration::from_millis(250);
        assert!(stagger <= took && took < Duration::from_secs(2), "{took:?}");
        Ok(())
    }

    #[test]
    fn every_address_that_refuses_is_reported() -> Result<(), Box<dyn std::error::Error>> {
        let closed = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.2:0")?];
        let closed = closed.map(|listener| listener.local_addr());
        let closed = [closed[0].as_ref(), closed[1].as_ref()].map(|at| at.copied().ok());
        let error = connect(closed.into_iter().flatten().collect()).err();
        let Some(ConnectError::Addresses { failures, more: 0 }) = error else {
            return Err(format!("{error:?}").into());
        };
        let kind = io::ErrorKind::ConnectionRefused;
        for (failure, address) in failures.iter().zip(closed.into_iter().flatten()) {
            assert_eq!(failure.address, address);
            assert!(matches!(failure.error, ConnectError::Io { kind: k, .. } if k == kind));
        }
        assert_eq!(failures.len(), 2);
        Ok(())
    }
}
