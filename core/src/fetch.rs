//! The page that lists the nameservers, as an HTTP address server gives it
//! (`org.apache.rocketmq.common.namesrv.DefaultTopAddressing`): what may be asked for, what came of
//! it, and what the page says.

use std::io;
use std::time::Duration;

use crate::error::ConnectError;
use crate::name::{Endpoint, NameError};
use crate::time::Rounded;
pub use crate::url::Url;

/// Largest page that is read, in bytes.
pub const PAGE_MAX: usize = 64 << 10;
/// Nameservers that a page may list.
pub const SERVERS_MAX: usize = 64;

/// One request for the page. A later one has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchId(pub(crate) u64);

/// Why an address server gave no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no connection to it.
    #[error("not connected: {0}")]
    Connect(ConnectError),
    /// A read or a write failed.
    #[error("{detail}")]
    Io {
        /// The class of the error.
        kind: io::ErrorKind,
        /// The system's words.
        detail: Box<str>,
    },
    /// The server answered something else than 200.
    #[error("answered {status} {reason}")]
    Status {
        /// The status.
        status: u16,
        /// The server's words.
        reason: Box<str>,
    },
    /// The page is elsewhere: give that address instead, redirects are not followed.
    #[error("answered {status}: the page is at {to:?}, and redirects are not followed")]
    Moved {
        /// The status.
        status: u16,
        /// Where the page is, cut to 256 characters.
        to: Box<str>,
    },
    /// What came is not HTTP.
    #[error("the answer is not HTTP ({0})")]
    NotHttp(Box<str>),
    /// The answer ended before it was whole.
    #[error("the answer ended too early")]
    Short,
    /// The page, or what stands before it, is longer than is read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The page lists no nameserver.
    #[error("the page is empty")]
    Empty,
    /// The page lists something that is no address.
    #[error("the page lists {0}")]
    Address(#[from] NameError),
    /// The page lists more nameservers than anybody has.
    #[error("the page lists more than {0} nameservers")]
    TooMany(usize),
    /// No answer in time.
    #[error("no answer within {}", Rounded(*.0))]
    TimedOut(Duration),
}

/// Why there is no list, and where it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {error}")]
pub struct FetchFailure {
    /// The page.
    pub url: Url,
    /// What became of asking for it.
    pub error: FetchError,
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind(), detail: error.to_string().into() }
    }
}

/// Reads the page: its first line (`DefaultTopAddressing.clearNewLine`), addresses joined by `;`
/// or `,`, each once.
pub(crate) fn servers(page: &[u8]) -> Result<Vec<Endpoint>, FetchError> {
    let text = String::from_utf8_lossy(page);
    let line = text.trim().lines().next().unwrap_or_default();
    let mut servers = Vec::new();
    for part in line.split([';', ',']).map(str::trim).filter(|part| !part.is_empty()) {
        let server = Endpoint::parse(part)?;
        if !servers.contains(&server) {
            servers.push(server);
        }
        if servers.len() > SERVERS_MAX {
            return Err(FetchError::TooMany(SERVERS_MAX));
        }
    }
    if servers.is_empty() { Err(FetchError::Empty) } else { Ok(servers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_give_host_port_and_path_and_anything_else_is_none() {
        let read = |text: &str| {
            let url = Url::parse(text)?;
            Some(format!("{} {} {}", url.endpoint(), url.host(), url.path()))
        };
        let whole = read(" http://ns.example:8080/rocketmq/nsaddr ");
        assert_eq!(whole.as_deref(), Some("ns.example:8080 ns.example:8080 /rocketmq/nsaddr"));
        assert_eq!(read("http://ns").as_deref(), Some("ns:80 ns /"));
        assert_eq!(read("http://[::1]/a?b").as_deref(), Some("[::1]:80 [::1] /a?b"));
        assert_eq!(read("http://[::1]:81/").as_deref(), Some("[::1]:81 [::1]:81 /"));
        for wrong in [
            "ns:8080",
            "https://ns/a",
            "http://",
            "http://:80/",
            "http://ns:0/",
            "http://user@ns/",
            "http://ns/a b",
            "http://ns/a\r\nHost: other",
            "http://ns/#a",
            "http://ns?a",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let unit = Url::parse("http://ns/nsaddr").and_then(|url| url.of_unit("blue"));
        assert_eq!(
            unit.map(|url| url.to_string()).as_deref(),
            Some("http://ns/nsaddr-blue?nofix=1")
        );
    }

    #[test]
    fn a_page_is_its_first_line_and_one_wrong_address_spoils_it() {
        let read = |page: &str| {
            let servers = servers(page.as_bytes())?;
            Ok(servers.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(read("\n a:1; b:2,a:1 \r\nc:3"), Ok("a:1 b:2".to_owned()));
        assert_eq!(read(" \r\n"), Err(FetchError::Empty));
        assert!(matches!(read("a:1;<html>"), Err(FetchError::Address(_))));
        let many: Vec<_> = (1..=65).map(|port| format!("a:{port}")).collect();
        assert_eq!(read(&many.join(";")), Err(FetchError::TooMany(64)));
    }
}
