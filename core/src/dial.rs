//! Which address of a name to connect to, and when to begin with the next one: pure, so that it is
//! the same on every runtime and a test can hold the clock.
//!
//! | an address | leaves on | to |
//! |---|---|---|
//! | waits | the one before it failed, or 250 ms after that one began | under way |
//! | under way | the system says no | failed |
//! | | any address is connected | given up, with all others |
//!
//! Families take turns, beginning with the resolver's first choice (RFC 8305, "happy eyeballs").
//! Where 250 ms would leave addresses untried by `connect_timeout`, they follow each other faster.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use crate::error::{AddressFailure, ConnectError};
use crate::time::Instant;

/// The longest wait for one address before the next one is tried as well.
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried; the rest of a longer list is left out.
const MOST: usize = 64;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialStep {
    /// Begin to connect to this address, then ask again.
    Begin(SocketAddr),
    /// Nothing until an attempt ends; at that time, ask again. [`Instant::FAR`]: all have begun.
    Wait(Instant),
    /// Every address has failed.
    Failed(ConnectError),
}

#[derive(Clone, Debug)]
struct Try {
    address: SocketAddr,
    begun: Option<Instant>,
    error: Option<ConnectError>,
}

/// The attempts to connect to one name.
#[derive(Clone, Debug)]
pub struct Dial {
    tries: Vec<Try>,
    stagger: Duration,
}

impl Dial {
    /// Begins with what the resolver said. `within`: how long all of it may take.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>, within: Duration) -> Self {
        let mut seen = Vec::new();
        for address in addresses {
            if seen.len() < MOST && !seen.contains(&address) {
                seen.push(address);
            }
        }
        let first = seen.first().is_some_and(SocketAddr::is_ipv4);
        let (own, other): (Vec<_>, Vec<_>) = seen.iter().partition(|a| a.is_ipv4() == first);
        let (mut own, mut other) = (own.into_iter(), other.into_iter());
        let mut tries = Vec::with_capacity(seen.len());
        while tries.len() < seen.len() {
            let pair = own.next().into_iter().chain(other.next());
            tries.extend(pair.map(|address| Try { address, begun: None, error: None }));
        }
        let stagger = STAGGER.min(within / (tries.len() as u32 + 1));
        Self { tries, stagger }
    }

    /// What to do now.
    pub fn next(&mut self, now: Instant) -> DialStep {
        let begun = self.tries.iter().take_while(|one| one.begun.is_some()).count();
        let due = match begun.checked_sub(1).map(|last| &self.tries[last]) {
            Some(Try { error: None, begun: Some(at), .. }) => *at + self.stagger,
            Some(_) | None => now,
        };
        if let Some(one) = self.tries.get_mut(begun) {
            if now < due {
                return DialStep::Wait(due);
            }
            one.begun = Some(now);
            return DialStep::Begin(one.address);
        }
        match self.tries.iter().all(|one| one.error.is_some()) {
            true => DialStep::Failed(self.given_up(now)),
            false => DialStep::Wait(Instant::FAR),
        }
    }

    /// The attempt on one address came to nothing.
    pub fn failed(&mut self, address: SocketAddr, error: io::Error) {
        if let Some(one) = self.tries.iter_mut().find(|one| one.address == address) {
            one.error = Some(error.into());
        }
    }

    /// Why there is no connection if all is given up now: each address that was begun, and what
    /// became of it. The only address of a name fails by itself.
    pub fn given_up(&self, now: Instant) -> ConnectError {
        let error = |one: &Try| match (&one.error, one.begun) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(at)) => Some(ConnectError::TimedOut(now.since(at))),
            (None, None) => None,
        };
        if let [only] = &*self.tries {
            return error(only).unwrap_or(ConnectError::Aborted);
        }
        let tried = self.tries.iter();
        let tried = tried.filter_map(|one| Some((one.address, error(one)?)));
        let failures = tried.map(|(address, error)| AddressFailure { address, error }).collect();
        ConnectError::of_addresses(failures)
    }
}

/// How far connecting has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled<S> {
    /// The first address that answered. Dropping the [`Dialling`] gives the others up.
    Connected(S),
    /// Nothing until an attempt ends, or until then; [`Instant::FAR`]: all have begun.
    Wait(Instant),
}

/// A [`Dial`] with what an adapter has under way for it, an `A` for each attempt: what loops that
/// poll and loops that block have in common.
#[derive(Debug)]
pub struct Dialling<A> {
    dial: Dial,
    under_way: Vec<(SocketAddr, A)>,
}

impl<A> Dialling<A> {
    /// Nothing is under way yet.
    pub const fn new(dial: Dial) -> Self {
        Self { dial, under_way: Vec::new() }
    }

    /// What has been tried so far.
    pub const fn dial(&self) -> &Dial {
        &self.dial
    }

    /// The attempts that have not ended.
    pub fn under_way(&self) -> impl Iterator<Item = &A> {
        self.under_way.iter().map(|(_, attempt)| attempt)
    }

    /// Begins with the addresses that are due, and looks how each attempt fares. Call it again when
    /// an attempt may have got on, and at the time that it names; one that fails lets the next
    /// address begin within the same call.
    ///
    /// `begin` starts to connect, without waiting for it, and gives the attempt: a socket that is
    /// not connected yet, say. `look` tells of one whether it is `Pending`, connected, which gives
    /// what the caller wants of it, or has failed.
    ///
    /// # Errors
    ///
    /// When every address has failed, with what became of each.
    pub fn step<S>(
        &mut self,
        now: Instant,
        mut begin: impl FnMut(SocketAddr) -> io::Result<A>,
        mut look: impl FnMut(&mut A) -> Poll<io::Result<S>>,
    ) -> Result<Dialled<S>, ConnectError> {
        loop {
            let due = match self.dial.next(now) {
                DialStep::Failed(error) => return Err(error),
                DialStep::Begin(address) => {
                    match begin(address) {
                        Ok(attempt) => self.under_way.push((address, attempt)),
                        Err(error) => self.dial.failed(address, error),
                    }
                    continue;
                }
                DialStep::Wait(due) => due,
            };
            let (mut at, mut failed) = (0, false);
            while let Some((address, attempt)) = self.under_way.get_mut(at) {
                match look(attempt) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(socket)) => return Ok(Dialled::Connected(socket)),
                    Poll::Ready(Err(error)) => {
                        self.dial.failed(*address, error);
                        drop(self.under_way.remove(at));
                        failed = true;
                    }
                }
            }
            if !failed {
                return Ok(Dialled::Wait(due));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(3);

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn refused() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    /// The order in which addresses begin when each of them swallows everything.
    fn schedule(dial: &mut Dial, until: u64) -> Vec<(u64, String)> {
        let (mut now, mut begun) = (Instant::ZERO, Vec::new());
        while now <= at(until) {
            match dial.next(now) {
                DialStep::Begin(address) => {
                    begun.push((now.as_nanos() / 1_000_000, address.to_string()));
                }
                DialStep::Wait(Instant::FAR) => break,
                DialStep::Wait(due) => now = due,
                DialStep::Failed(error) => panic!("{error}"),
            }
        }
        begun
    }

    #[test]
    fn families_take_turns_a_quarter_of_a_second_apart() {
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1", "[::1]:1"];
        let mut dial = Dial::new(addresses(&list), TIMEOUT);
        let begun = schedule(&mut dial, 3000);
        let order = ["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"];
        let expected = order.iter().zip((0..).step_by(250));
        assert_eq!(begun, expected.map(|(one, ms)| (ms, (*one).to_owned())).collect::<Vec<_>>());
    }

    #[test]
    fn an_address_that_fails_makes_way_at_once_and_an_older_one_changes_nothing() {
        let list = addresses(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]);
        let mut dial = Dial::new(list.clone(), TIMEOUT);
        assert_eq!(dial.next(at(0)), DialStep::Begin(list[0]));
        assert_eq!(dial.next(at(0)), DialStep::Wait(at(250)));
        assert_eq!(dial.next(at(250)), DialStep::Begin(list[1]));
        dial.failed(list[0], refused());
        assert_eq!(dial.next(at(260)), DialStep::Wait(at(500)));
        dial.failed(list[1], refused());
        assert_eq!(dial.next(at(270)), DialStep::Begin(list[2]));
        assert_eq!(dial.next(at(270)), DialStep::Wait(Instant::FAR));
        dial.failed(list[2], refused());
        let DialStep::Failed(ConnectError::Addresses { failures, more: 0 }) = dial.next(at(280))
        else {
            panic!("all have failed");
        };
        assert_eq!(failures.iter().map(|one| one.address).collect::<Vec<_>>(), list);
    }

    #[test]
    fn giving_up_names_those_that_never_answered_and_those_that_refused() {
        let list = addresses(&["10.0.0.1:1", "[::1]:1", "10.0.0.2:1"]);
        let mut dial = Dial::new(list.clone(), TIMEOUT);
        schedule(&mut dial, 500);
        dial.failed(list[1], refused());
        let text = dial.given_up(at(3000)).to_string();
        assert_eq!(
            text,
            "10.0.0.1:1: no connection within 3s, then [::1]:1: connection refused, \
             then 10.0.0.2:1: no connection within 2.5s"
        );
    }

    #[test]
    fn a_long_list_is_tried_to_its_end_within_the_timeout() {
        let list: Vec<_> = (0..200).map(|n| SocketAddr::from(([10, 0, 0, n], 1))).collect();
        let mut dial = Dial::new(list, TIMEOUT);
        let begun = schedule(&mut dial, 3000);
        assert_eq!(begun.len(), MOST);
        assert!(begun.last().is_some_and(|(ms, _)| *ms < 3000));
        let error = dial.given_up(at(3000));
        let ConnectError::Addresses { failures, more } = &error else { panic!("{error}") };
        assert_eq!(failures.len() + more, MOST);
        assert!(error.to_string().ends_with(&format!(", and {more} more")), "{error}");
    }

    /// What becomes of an attempt, by the address's port: 1 swallows, 2 refuses, 3 answers, and 4
    /// can't even be begun.
    fn step(dialling: &mut Dialling<SocketAddr>, ms: u64) -> Result<Dialled<u16>, ConnectError> {
        let begin =
            |address: SocketAddr| if address.port() == 4 { Err(refused()) } else { Ok(address) };
        dialling.step(at(ms), begin, |address| match address.port() {
            1 => Poll::Pending,
            2 => Poll::Ready(Err(refused())),
            port => Poll::Ready(Ok(port)),
        })
    }

    #[test]
    fn the_first_that_answers_wins_after_a_black_hole_has_had_its_time_and_those_that_refuse_none()
    {
        let list = ["10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:4", "10.0.0.4:3", "10.0.0.5:3"];
        let mut dialling = Dialling::new(Dial::new(addresses(&list), TIMEOUT));
        assert_eq!(step(&mut dialling, 0), Ok(Dialled::Wait(at(250))));
        assert_eq!(step(&mut dialling, 249), Ok(Dialled::Wait(at(250))));
        assert_eq!(step(&mut dialling, 250), Ok(Dialled::Connected(3)));
        assert_eq!(dialling.under_way().map(SocketAddr::port).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn addresses_that_all_refuse_fail_at_once_and_one_that_swallows_until_it_is_given_up() {
        let list = ["10.0.0.1:2", "10.0.0.2:4"];
        let mut dialling = Dialling::new(Dial::new(addresses(&list), TIMEOUT));
        let Err(ConnectError::Addresses { failures, more: 0 }) = step(&mut dialling, 0) else {
            panic!("all refuse");
        };
        assert_eq!(failures.iter().map(|one| one.address).collect::<Vec<_>>(), addresses(&list));
        let list = ["10.0.0.1:2", "10.0.0.2:1"];
        let mut dialling = Dialling::new(Dial::new(addresses(&list), TIMEOUT));
        assert_eq!(step(&mut dialling, 0), Ok(Dialled::Wait(Instant::FAR)));
        assert_eq!(step(&mut dialling, 9000), Ok(Dialled::Wait(Instant::FAR)));
        let text = dialling.dial().given_up(at(9000)).to_string();
        assert!(text.ends_with("10.0.0.2:1: no connection within 9s"), "{text}");
    }

    #[test]
    fn a_name_without_addresses_or_with_one_fails_in_the_words_of_its_kind() {
        let none = Dial::new([], TIMEOUT).next(at(0));
        assert!(matches!(none, DialStep::Failed(ConnectError::Unresolved { .. })), "{none:?}");
        let list = addresses(&["10.0.0.1:1"]);
        let mut dial = Dial::new(list.clone(), TIMEOUT);
        assert_eq!(dial.next(at(0)), DialStep::Begin(list[0]));
        dial.failed(list[0], refused());
        let error = dial.next(at(1));
        assert!(matches!(error, DialStep::Failed(ConnectError::Io { .. })), "{error:?}");
    }
}
