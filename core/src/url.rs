//! Addresses of pages.

use std::fmt;
use std::sync::Arc;

use crate::name::Endpoint;

/// What a URL begins with.
const SCHEME: &str = "http://";

/// Where a page is: `http://host:port/path`, port 80 if none is given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    text: Arc<str>,
    /// Where the path begins in `text`.
    path: usize,
    endpoint: Endpoint,
}

impl Url {
    /// Reads a URL. `None` for anything that is no `http` one, or has a user, a fragment, or
    /// characters outside visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = text.strip_prefix(SCHEME)?;
        let clean = |byte: u8| byte.is_ascii_graphic() && !b"@#\\\"<>".contains(&byte);
        let length = rest.find(['/', '?']).unwrap_or(rest.len());
        let host = &rest[..length];
        if !rest.bytes().all(clean) || rest[length..].starts_with('?') {
            return None;
        }
        let ported = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let endpoint = if ported { Endpoint::parse(host) } else { Endpoint::parse(&at_80(host)) };
        let endpoint = endpoint.ok()?;
        Some(Self { text: Arc::from(text), path: SCHEME.len() + length, endpoint })
    }

    /// Whether a text is meant as a URL, of whatever scheme.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.trim_start().starts_with(SCHEME) || text.trim_start().starts_with("https://")
    }

    /// The page of a unit, as Java asks for it (`-unit?nofix=1`).
    pub(crate) fn of_unit(&self, unit: &str) -> Option<Self> {
        Self::parse(&format!("{self}-{unit}?nofix=1"))
    }

    /// Whom to connect to.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The host as it stands in the text, with its port if that is given.
    pub fn host(&self) -> &str {
        &self.text[SCHEME.len()..self.path]
    }

    /// Path and query; `/` if there is none.
    pub fn path(&self) -> &str {
        match &self.text[self.path..] {
            "" => "/",
            path => path,
        }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn at_80(host: &str) -> String {
    format!("{host}:80")
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
