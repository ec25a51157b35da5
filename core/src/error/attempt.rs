//! The tries of an operation, and whom they asked.

use std::fmt;

use super::Failure;
use super::hint::hint;
use crate::frame::Opaque;
use crate::name::Endpoint;

/// One try of an operation: whom we asked and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The peer's address.
    pub endpoint: Endpoint,
    /// What the peer is for.
    pub peer: PeerKind,
    /// The number of the request, as brokers' logs show it; `None` where there was no request.
    pub opaque: Option<Opaque>,
    /// How it failed.
    pub failure: Failure,
}

/// What a peer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// The peer tells routes.
    NameServer,
    /// The peer keeps messages.
    Broker,
    /// The peer tells nameservers.
    AddressServer,
}

impl Attempt {
    /// The same failure of the same peer; each request has a number of its own.
    fn is_like(&self, other: &Self) -> bool {
        (&self.endpoint, self.peer, &self.failure) == (&other.endpoint, other.peer, &other.failure)
    }
}

impl PeerKind {
    /// `nameserver` or `broker`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameServer => "nameserver",
            Self::Broker => "broker",
            Self::AddressServer => "address server",
        }
    }
}

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}{}", self.peer, self.endpoint, self.failure, hint(self))
    }
}

/// The tries of one operation, oldest first; at most the first and the last few are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts(Vec<Attempt>);

/// Tries kept by one operation.
const KEPT: usize = 8;

impl Attempts {
    pub(crate) fn push(&mut self, attempt: Attempt) {
        // A peer that stays away fails the same way many times: once is enough to read.
        if self.0.last().is_some_and(|last| last.is_like(&attempt)) {
            return;
        }
        if self.0.len() == KEPT {
            self.0.remove(1);
        }
        self.0.push(attempt);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|attempt| self.push(attempt.clone()));
    }

    /// Whether a connection was lost in the middle of a request.
    pub(crate) fn has_cut(&self) -> bool {
        self.0.iter().any(|attempt| matches!(attempt.failure, Failure::Cut(_)))
    }

    /// The tries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.0.iter()
    }

    /// The last try.
    pub fn last(&self) -> Option<&Attempt> {
        self.0.last()
    }

    /// Whether nothing was tried.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, attempt) in self.0.iter().enumerate() {
            write!(f, "{}{attempt}", if i == 0 { "; tried " } else { ", then " })?;
        }
        Ok(())
    }
}
