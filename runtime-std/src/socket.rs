//! A blocking stream whose writes can be asked not to block.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, TcpStream};
use std::task::Poll;
use std::time::Duration;

use rocketry_core::client::adapter::{Clock as _, Sink};
use rocketry_core::config::SocketOptions;
use rocketry_core::dial::{Dial, Dialled, Dialling};
use rocketry_core::driver::Blocking;
use rocketry_core::error::ConnectError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::SockRef;

use crate::base::{Clocks, begin_connect};

/// A connected stream.
#[derive(Debug)]
pub(crate) struct Stream(TcpStream);

/// A thread that connects looks this often whether that is still wanted.
const LOOK: Duration = Duration::from_millis(250);

impl Stream {
    /// Connects to the first of the addresses that answers, all on this thread. `wanted` is asked
    /// every now and then: the engine alone knows when to give up.
    pub(crate) fn connect(
        dial: Dial,
        options: &SocketOptions,
        clocks: Clocks,
        mut wanted: impl FnMut(&Dial) -> bool,
    ) -> Result<Self, ConnectError> {
        let mut dialling = Dialling::new(dial);
        loop {
            let now = clocks.now();
            let begin = |address| begin_connect(address, options).map(Some);
            match dialling.step(now, begin, connected)? {
                Dialled::Connected(stream) => return Ok(Self(stream)),
                Dialled::Wait(_) if !wanted(dialling.dial()) => {
                    return Err(dialling.dial().given_up(now));
                }
                Dialled::Wait(due) => {
                    // Rounded up: a wait that is over too early would be begun again at once.
                    let within = due.since(now).min(LOOK) + Duration::from_micros(999);
                    is_decided(dialling.under_way().flatten(), within)?;
                }
            }
        }
    }
}

/// Whether an attempt has come to its end, and how.
fn connected(attempt: &mut Option<TcpStream>) -> Poll<io::Result<TcpStream>> {
    if !is_decided(&*attempt, Duration::ZERO)? {
        return Poll::Pending;
    }
    let Some(stream) = attempt.take() else { return Poll::Pending };
    Poll::Ready(match stream.take_error()? {
        Some(error) => Err(error),
        None => stream.set_nonblocking(false).map(|()| stream),
    })
}

/// Waits until the system has decided on some of the streams, for less than a second.
fn is_decided<'a>(
    streams: impl IntoIterator<Item = &'a TcpStream>,
    within: Duration,
) -> io::Result<bool> {
    let polled = streams.into_iter().map(|stream| PollFd::new(stream, PollFlags::OUT));
    let mut polled: Vec<PollFd<'_>> = polled.collect();
    let within = Timespec { tv_sec: 0, tv_nsec: i64::from(within.subsec_nanos()) as _ };
    match poll(&mut polled, Some(&within)) {
        Ok(decided) => Ok(decided > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
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

    #[cfg(not(unix))]
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_when_ready(slices)
    }

    fn wait_writable(&self) -> io::Result<()> {
        is_decided([&self.0], LOOK).map(drop)
    }
}

#[cfg(any(test, not(unix)))]
impl Stream {
    /// Writes where the system has room for more, which it says beforehand: a write of its own that
    /// does not wait it may lack.
    fn write_when_ready(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !is_decided([&self.0], Duration::ZERO)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.write(slices)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use rocketry_core::config::Config;

    use super::*;
    use crate::base::trial::{self, Tried, ways};

    /// Connects as for a name that has these addresses; gives the address of our end.
    fn connect(addresses: Vec<SocketAddr>) -> Result<SocketAddr, ConnectError> {
        let dial = Dial::new(addresses, Duration::from_secs(3));
        let options = Config::default().socket();
        let stream = Stream::connect(dial, &options, Clocks::default(), |_| true)?;
        Ok(stream.0.local_addr()?)
    }

    #[test]
    fn a_connection_nobody_wants_any_more_is_given_up_and_says_what_was_tried() -> Tried {
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
    fn a_write_without_a_flag_for_it_waits_for_room_before_it_begins() -> Tried {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let stream = Stream(TcpStream::connect(listener.local_addr()?)?);
        let (mut peer, _) = listener.accept()?;
        let (hello, full) = ([7; 1000], [7; 1 << 16]);
        assert_eq!(stream.write_when_ready(&[IoSlice::new(&hello)])?, hello.len());
        // The system is full: it would block, and says so.
        while stream.try_write(&[IoSlice::new(&full)]).is_ok() {}
        let refused = stream.write_when_ready(&[IoSlice::new(&hello)]).map_err(|e| e.kind());
        assert_eq!(refused, Err(io::ErrorKind::WouldBlock));
        let reader = std::thread::spawn(move || io::copy(&mut peer, &mut io::sink()));
        while !is_decided([&stream.0], LOOK)? {}
        assert_eq!(stream.write_when_ready(&[IoSlice::new(&hello)])?, hello.len());
        drop(stream);
        assert!(reader.join().is_ok());
        Ok(())
    }

    #[test]
    fn every_address_of_a_name_is_tried_and_the_first_that_answers_wins() -> Tried {
        trial::the_first_address_that_answers_wins(connect)
    }

    #[test]
    fn every_address_that_refuses_is_reported() -> Tried {
        trial::every_refusal_is_reported(connect)
    }
}
