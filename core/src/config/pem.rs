//! Certificates and keys as settings have them.

use std::fmt;

/// Certificates or a key: the path of a file of PEM, or the PEM itself. What it shows of itself
/// (`Debug`) is never the PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(String);

impl Pem {
    /// The text it was made of.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The PEM, if it is not in a file.
    pub fn inline(&self) -> Option<&[u8]> {
        self.0.contains("-----BEGIN").then_some(self.0.as_bytes())
    }

    /// The file, if it is in one.
    pub fn path(&self) -> Option<&str> {
        (!self.0.contains("-----BEGIN")).then_some(&*self.0)
    }
}

impl From<&str> for Pem {
    /// A text with `-----BEGIN` in it is PEM, any other one a path.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Pem {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "{path:?}"),
            None => write!(f, "{} bytes of PEM", self.0.len()),
        }
    }
}
