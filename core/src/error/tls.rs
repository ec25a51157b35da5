//! What can go wrong with TLS: with what it is set up from, and with a peer.

use std::io;
use std::time::Duration;

use crate::time::Rounded;

/// Why a client can't have TLS as its settings want it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// A file can't be read.
    #[error("{setting}: can't read {path}: {detail}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: Box<str>,
        /// The class of the error.
        kind: io::ErrorKind,
        /// The system's words.
        detail: Box<str>,
    },
    /// What was given is not PEM, or holds nothing of what is wanted.
    #[error("{setting}: {detail}")]
    Pem {
        /// The setting that gives it.
        setting: &'static str,
        /// What is wrong with it.
        detail: Box<str>,
    },
    /// The key is encrypted, and there is nobody to ask for its password.
    #[error("tls_key: the key is encrypted; openssl pkey -in KEY -out PLAIN writes a plain one")]
    EncryptedKey,
    /// The system has no authorities.
    #[error("this system has no certificates of authorities ({detail}): name one with tls_ca")]
    NoAuthorities {
        /// What the system said.
        detail: Box<str>,
    },
    /// `tls_server_name` is neither a name of DNS nor an IP address.
    #[error("tls_server_name: {0:?} is neither a host's name nor an IP address")]
    Name(Box<str>),
    /// This build has no cryptography: neither `tls-ring` nor `tls-aws-lc` is switched on, and the
    /// process has no default of its own.
    #[error("this build has no cryptography for TLS")]
    NoProvider,
    /// Certificate and key don't go together, say.
    #[error("{detail}")]
    Refused {
        /// The words of the TLS library.
        detail: Box<str>,
    },
}

/// What became of TLS with a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Nobody that is trusted has signed the peer's certificate.
    #[error("the peer's certificate is of an authority that is not trusted here")]
    UnknownIssuer,
    /// The peer's certificate is another one's.
    #[error("the peer's certificate is not valid for {expected}{}", Names(.presented))]
    WrongName {
        /// The name that was asked for.
        expected: Box<str>,
        /// The names in the certificate, as far as they are known.
        presented: Box<[String]>,
    },
    /// The peer's certificate has expired, by this host's clock.
    #[error("the peer's certificate has expired by this host's clock")]
    Expired,
    /// The peer's certificate is not valid yet, by this host's clock.
    #[error("the peer's certificate is not valid yet by this host's clock")]
    NotYetValid,
    /// The peer's certificate is not accepted for another reason.
    #[error("the peer's certificate is not accepted: {detail}")]
    Certificate {
        /// The words of the TLS library.
        detail: Box<str>,
    },
    /// The peer does not accept our certificate, or wants one and was given none.
    #[error("the peer does not accept this client's certificate, or lack of one: {alert}")]
    ClientCertificate {
        /// What the peer said.
        alert: Box<str>,
    },
    /// The peer does not go on, and says why.
    #[error("the peer ended TLS: {alert}")]
    Alert {
        /// What the peer said.
        alert: Box<str>,
    },
    /// What came is not TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The peer closed the connection during the handshake, without a word.
    #[error("the peer closed the connection during the TLS handshake")]
    HungUp,
    /// The peer took the connection, and did not end the handshake.
    #[error("connected, but no end of the TLS handshake within {}", Rounded(*.0))]
    Stalled(Duration),
    /// The stream ended without the peer's word for it (`close_notify`): somebody may have cut it.
    #[error("the TLS stream was cut off: it ended without close_notify")]
    Truncated,
    /// What came breaks the rules of TLS.
    #[error("{detail}")]
    Protocol {
        /// The words of the TLS library.
        detail: Box<str>,
    },
}

struct Names<'a>(&'a [String]);

impl std::fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Names that the text has.
        const SAID: usize = 4;
        for (at, name) in self.0.iter().take(SAID).enumerate() {
            write!(f, "{}{name:.128}", if at == 0 { ", but for " } else { ", " })?;
        }
        if self.0.len() > SAID { write!(f, ", ...") } else { Ok(()) }
    }
}

impl From<TlsError> for io::Error {
    /// As an error of a stream: [`TlsError::of`] has it back.
    fn from(error: TlsError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl TlsError {
    /// Whether a certificate is not accepted, the peer's here or this client's there, which stays
    /// so until somebody changes one.
    pub const fn is_of_certificate(&self) -> bool {
        match self {
            Self::UnknownIssuer
            | Self::WrongName { .. }
            | Self::Expired
            | Self::NotYetValid
            | Self::Certificate { .. }
            | Self::ClientCertificate { .. } => true,
            Self::Alert { .. }
            | Self::NotTls
            | Self::HungUp
            | Self::Stalled(_)
            | Self::Truncated
            | Self::Protocol { .. } => false,
        }
    }

    /// What of TLS a stream's error tells.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}
