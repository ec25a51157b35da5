//! Certificates for tests of TLS, as PEM, valid until 2120. Their keys are public: nothing that
//! they prove is true.

use rocketry_core::error::TlsSetupError;
use rocketry_core::tls::{Authorities, Identity, TlsServer};

macro_rules! pem {
    ($file:literal) => {
        include_str!(concat!("../certificates/", $file))
    };
}

/// The authority that signed all but [`STRANGER`].
pub const CA: &str = pem!("ca.pem");
/// An authority that signed none of the brokers.
pub const OTHER_CA: &str = pem!("other-ca.pem");
/// A broker's, for `localhost`, `broker.test`, 127.0.0.1 and ::1.
pub const SERVER: &str = pem!("server.pem");
/// A broker's, for `other.test`.
pub const OTHER_NAME: &str = pem!("other-name.pem");
/// A broker's, which expired in 2002.
pub const EXPIRED: &str = pem!("expired.pem");
/// A broker's, not valid before 2110.
pub const FUTURE: &str = pem!("future.pem");
/// The key of each broker's certificate.
pub const SERVER_KEY: &str = pem!("server-key.pem");
/// A client's.
pub const CLIENT: &str = pem!("client.pem");
/// A client's that [`OTHER_CA`] signed.
pub const STRANGER: &str = pem!("stranger.pem");
/// The key of each client's certificate.
pub const CLIENT_KEY: &str = pem!("client-key.pem");

/// Each by the name of its file.
pub const FILES: &[(&str, &str)] = &[
    ("ca.pem", CA),
    ("other-ca.pem", OTHER_CA),
    ("server.pem", SERVER),
    ("other-name.pem", OTHER_NAME),
    ("expired.pem", EXPIRED),
    ("future.pem", FUTURE),
    ("server-key.pem", SERVER_KEY),
    ("client.pem", CLIENT),
    ("stranger.pem", STRANGER),
    ("client-key.pem", CLIENT_KEY),
];

/// A server that shows one of the broker's certificates here, and asks clients for one of [`CA`]'s
/// if `clients` is set.
///
/// # Errors
///
/// For a text that is no certificate of [`SERVER_KEY`].
pub fn server(certificate: &str, clients: bool) -> Result<TlsServer, TlsSetupError> {
    let identity = Identity { certificates: certificate.into(), key: SERVER_KEY.into() };
    TlsServer::new(&identity, clients.then(|| Authorities::Pem(CA.into())))
}
