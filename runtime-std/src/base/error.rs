//! Why there is no client.

use std::io;

use rocketry_core::config::ConfigError;
use rocketry_core::error::TlsSetupError;

/// Why there is no client: the same on every runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The settings can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no TLS as the settings want it.
    #[error("no TLS: {0}")]
    Tls(#[from] TlsSetupError),
    /// The system gave no thread.
    #[error("no thread: {0}")]
    NoThread(String),
    /// A client on tokio was asked for where no tokio runtime runs.
    #[error("no tokio runtime runs here: call this inside of one, or use `Handle::enter`")]
    NoRuntime,
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::NoThread(error.to_string())
    }
}
