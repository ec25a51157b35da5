//! Other protocols, known by their first bytes, so that a wrong port is named as such.

use std::fmt;

/// A protocol that is not RocketMQ's remoting protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// HTTP/1: a console, an exporter, a proxy's web port.
    Http1,
    /// HTTP/2: a proxy's gRPC port.
    Http2,
    /// TLS, on a connection that is meant to be plain.
    Tls,
    /// SSH.
    Ssh,
}

impl Foreign {
    /// Recognises the first bytes of a connection, at least four of them.
    ///
    /// None of these can start a frame: read as its length they are above 300 MiB.
    pub(super) fn recognise(bytes: &[u8]) -> Option<Self> {
        let first: [u8; 4] = *bytes.first_chunk()?;
        match &first {
            // A handshake or an alert record of SSL 3 to TLS 1.3.
            [0x15 | 0x16, 0x03, 0..=4, _] => Some(Self::Tls),
            b"SSH-" => Some(Self::Ssh),
            b"PRI " => Some(Self::Http2),
            b"HTTP" | b"GET " | b"POST" | b"PUT " | b"HEAD" | b"DELE" | b"OPTI" | b"PATC"
            | b"CONN" | b"TRAC" => Some(Self::Http1),
            _ => None,
        }
    }

    /// Recognises a SETTINGS frame of HTTP/2 on stream 0, with which its servers begin.
    ///
    /// Its first bytes do look like a frame's, but of one whose header is empty, which no
    /// RocketMQ peer sends: so ask only about those.
    pub(super) fn recognise_settings(bytes: &[u8]) -> Option<Self> {
        match bytes.first_chunk()? {
            [0, 0, size, 4, 0, 0, 0, 0] if size % 6 == 0 => Some(Self::Http2),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP",
            Self::Http2 => "HTTP/2 (as gRPC does)",
            Self::Tls => "TLS",
            Self::Ssh => "SSH",
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer speaks {}, not RocketMQ's remoting protocol", self.name())
    }
}
