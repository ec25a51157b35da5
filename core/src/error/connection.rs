//! Why a connection could not be had, and why one ended.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::tls::TlsError;
use crate::frame::FrameError;
use crate::time::Rounded;

/// Why a socket could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host's name has no address.
    #[error("the name has no address ({detail})")]
    Unresolved {
        /// What the resolver said.
        detail: Box<str>,
    },
    /// The operating system refused or gave up.
    #[error("{detail}")]
    Io {
        /// The class of the error.
        kind: io::ErrorKind,
        /// The system's words.
        detail: Box<str>,
    },
    /// No connection within `connect_timeout`.
    #[error("no connection within {}", Rounded(*.0))]
    TimedOut(Duration),
    /// Given up by our side before it was there.
    #[error("given up before it was connected")]
    Aborted,
    /// The name has several addresses, and each that was tried failed.
    #[error("{}", Each(.failures, *.more))]
    Addresses {
        /// The addresses in the order they were tried, at most 8.
        failures: Box<[AddressFailure]>,
        /// How many more were tried.
        more: usize,
    },
    /// There was a connection, and no TLS on it.
    #[error("{0}")]
    Tls(TlsError),
    /// The connection was there, and was lost before the request had left.
    #[error("lost before the request had left: {0}")]
    Lost(Box<CloseReason>),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        if let Some(error) = TlsError::of(&error) {
            return Self::Tls(error.clone());
        }
        Self::Io { kind: error.kind(), detail: error.to_string().into() }
    }
}

/// One address of a name, and why there is no connection to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFailure {
    /// What the resolver gave.
    pub address: SocketAddr,
    /// What became of it.
    pub error: ConnectError,
}

/// Addresses that an error names.
const NAMED: usize = 8;

struct Each<'a>(&'a [AddressFailure], usize);

impl fmt::Display for Each<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, AddressFailure { address, error }) in self.0.iter().enumerate() {
            write!(f, "{}{address}: {error}", if at == 0 { "" } else { ", then " })?;
        }
        if self.1 > 0 { write!(f, ", and {} more", self.1) } else { Ok(()) }
    }
}

impl ConnectError {
    /// What a failed lookup of the name comes to.
    pub fn unresolved(error: io::Error) -> Self {
        Self::Unresolved { detail: error.to_string().into() }
    }

    /// One error of all that was tried.
    pub(crate) fn of_addresses(mut failures: Vec<AddressFailure>) -> Self {
        if failures.is_empty() {
            return Self::Unresolved { detail: "no address".into() };
        }
        let more = failures.len().saturating_sub(NAMED);
        failures.truncate(NAMED);
        Self::Addresses { failures: failures.into(), more }
    }

    /// What became of TLS, where that is why; of a name with several addresses, on the last one.
    pub fn tls(&self) -> Option<&TlsError> {
        match self {
            Self::Tls(error) => Some(error),
            Self::Lost(reason) => reason.tls(),
            Self::Addresses { failures, .. } => failures.last().and_then(|one| one.error.tls()),
            Self::Unresolved { .. } | Self::Io { .. } | Self::TimedOut(_) | Self::Aborted => None,
        }
    }

    /// Whether every address refused: nothing listens there.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            Self::Io { kind, .. } => *kind == io::ErrorKind::ConnectionRefused,
            Self::Addresses { failures, .. } => failures.iter().all(|one| one.error.is_refused()),
            Self::Unresolved { .. } | Self::TimedOut(_) | Self::Aborted => false,
            Self::Tls(_) | Self::Lost(_) => false,
        }
    }

    /// Whether no host answered, not even with a refusal: no way to an address, as it seems.
    pub(super) fn is_unreachable(&self) -> bool {
        use io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut};
        match self {
            Self::Unresolved { .. } | Self::TimedOut(_) => true,
            Self::Io { kind, .. } => {
                matches!(kind, HostUnreachable | NetworkUnreachable | TimedOut)
            }
            Self::Addresses { failures, .. } => {
                failures.iter().any(|one| one.error.is_unreachable())
            }
            Self::Aborted | Self::Tls(_) | Self::Lost(_) => false,
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Ended,
    /// The peer closed it before it had sent anything.
    #[error("the peer closed the connection before it had answered anything")]
    Unanswered,
    /// TLS on it went wrong.
    #[error("{0}")]
    Tls(TlsError),
    /// A read or a write failed.
    #[error("{detail}")]
    Io {
        /// The class of the error.
        kind: io::ErrorKind,
        /// The system's words.
        detail: Box<str>,
    },
    /// The peer's bytes are not frames.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// We closed it: the client is stopping.
    #[error("the client is stopping")]
    Stopping,
    /// We closed it: it took longer than `connect_timeout`.
    #[error("the connection took too long")]
    Slow,
    /// We closed it: the broker said that it goes (`GO_AWAY`), and had answered everything.
    #[error("the broker asked for a new connection")]
    GoAway,
    /// We closed it: the address server no longer lists the nameserver.
    #[error("the address server no longer lists it")]
    Unlisted,
    /// We closed it: requests, or our answers to the peer's, went out or could not even be given to
    /// the system, and no answer came back for so long, as on a connection whose other end is gone
    /// without a word.
    #[error("nothing came back for {}", Rounded(*.0))]
    Silent(Duration),
    /// We closed it: nothing went either way for so long (`max_idle`), and nobody needs it.
    #[error("nobody used it for {}", Rounded(*.0))]
    Idle(Duration),
}

impl CloseReason {
    /// What became of TLS, where that is why.
    pub const fn tls(&self) -> Option<&TlsError> {
        match self {
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        if let Some(error) = TlsError::of(&error) {
            return Self::Tls(error.clone());
        }
        Self::Io { kind: error.kind(), detail: error.to_string().into() }
    }
}
