//! TLS as a filter of bytes between a connection's socket and its frames, by rustls.
//!
//! [`Tls`] is what all connections of a client have in common, [`Filter`] what one of them has: it
//! turns the writer's bytes into records, and records into the reader's bytes, and the socket's
//! own calls are lent to it, so that it is the same on every runtime. It has a lock of its own,
//! which is held while bytes are encrypted and given to the system, and never while anybody waits;
//! it is taken under no other lock, nor any under it.
//!
//! The handshake comes before the engine hears that there is a connection. So TLS, its clock and
//! its random numbers, stands outside of the engine, of traces, and of what is the same each time.

mod filter;
#[cfg(feature = "tls-ring")]
#[cfg(test)]
mod used_up;
mod verify;

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::config::Config;
use crate::error::{TlsError, TlsSetupError};
use crate::name::Endpoint;
use crate::time::UnixMillis;
pub use filter::{Filter, Handshake};
use verify::{AnyCertificate, AnyName};

/// A certificate with those that lead to an authority, and its key, each as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate first.
    pub certificates: Vec<u8>,
    /// The key of the first certificate, not encrypted.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// The authorities that are trusted.
#[derive(Clone, Debug)]
pub enum Authorities {
    /// Certificates as PEM, one after the other.
    Pem(Vec<u8>),
    /// Certificates as DER, as systems give them. Those that can't be read are passed over.
    Der(Vec<Vec<u8>>),
}

/// What clients do TLS by.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// What servers do TLS by: for brokers that tests are made against.
#[derive(Clone)]
pub struct TlsServer(Arc<ServerConfig>);

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsServer")
    }
}

impl Tls {
    /// What `config` asks for, with what its settings name: the files are the caller's to read.
    /// `now` says by which time certificates are valid.
    ///
    /// # Errors
    ///
    /// When something given can't be read, or does not go together.
    pub fn new(
        config: &Config,
        authorities: Authorities,
        identity: Option<Identity>,
        now: impl Fn() -> UnixMillis + Send + Sync + 'static,
    ) -> Result<Self, TlsSetupError> {
        let provider = provider()?;
        let builder =
            ClientConfig::builder_with_details(provider.clone(), Arc::new(Time(Box::new(now))))
                .with_safe_default_protocol_versions()
                .map_err(refused)?
                .dangerous();
        let builder = if config.tls_danger_any_certificate {
            builder.with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            let roots = Arc::new(store("tls_ca", authorities)?);
            let strict = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            let strict = strict.map_err(refused)?;
            match config.tls_danger_any_name {
                true => builder.with_custom_certificate_verifier(Arc::new(AnyName(strict))),
                false => builder.with_custom_certificate_verifier(strict),
            }
        };
        let tls = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates("tls_cert", &identity.certificates)?;
                let own = builder.with_client_auth_cert(chain, key("tls_key", &identity.key)?);
                own.map_err(refused)?
            }
        };
        let name = config.tls_server_name.as_deref().map(server_name).transpose()?;
        Ok(Self { config: Arc::new(tls), server_name: name })
    }

    /// A filter for a new connection, with our part of the handshake to be written.
    ///
    /// # Errors
    ///
    /// When the peer's name is none that a certificate could have.
    pub fn filter(&self, endpoint: &Endpoint) -> Result<Filter, TlsError> {
        let none =
            |detail: &dyn fmt::Display| TlsError::Protocol { detail: detail.to_string().into() };
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(endpoint.host()).map_err(|error| none(&error))?,
        };
        let connection = ClientConnection::new(self.config.clone(), name);
        Ok(Filter::new(connection.map_err(|error| none(&error))?.into()))
    }
}

impl TlsServer {
    /// A server that shows `identity`, and asks clients for certificates of `authorities` if there
    /// are any.
    ///
    /// # Errors
    ///
    /// As [`Tls::new`].
    pub fn new(
        identity: &Identity,
        authorities: Option<Authorities>,
    ) -> Result<Self, TlsSetupError> {
        let provider = provider()?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let roots = Arc::new(store("authorities", authorities)?);
                let clients = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(clients.map_err(refused)?)
            }
        };
        let chain = certificates("certificates", &identity.certificates)?;
        let config = builder.with_single_cert(chain, key("key", &identity.key)?);
        Ok(Self(Arc::new(config.map_err(refused)?)))
    }

    /// A filter for a connection that has come in.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers, say.
    pub fn filter(&self) -> Result<Filter, TlsError> {
        let connection = ServerConnection::new(self.0.clone());
        let connection =
            connection.map_err(|error| TlsError::Protocol { detail: error.to_string().into() })?;
        Ok(Filter::new(connection.into()))
    }
}

/// By which certificates are valid.
struct Time(Box<dyn Fn() -> UnixMillis + Send + Sync>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0().0).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_millis(millis)))
    }
}

/// The cryptography: aws-lc where it is switched on, else ring, else the process's default.
#[allow(clippy::missing_const_for_fn, reason = "it depends on the features")]
fn provider() -> Result<Arc<CryptoProvider>, TlsSetupError> {
    #[cfg(feature = "tls-aws-lc")]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "tls-ring", not(feature = "tls-aws-lc")))]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc")))]
    CryptoProvider::get_default().cloned().ok_or(TlsSetupError::NoProvider)
}

fn refused(error: impl fmt::Display) -> TlsSetupError {
    TlsSetupError::Refused { detail: error.to_string().into() }
}

fn server_name(text: &str) -> Result<ServerName<'static>, TlsSetupError> {
    let name = ServerName::try_from(text.to_owned());
    name.map_err(|_| TlsSetupError::Name(text.chars().take(256).collect::<String>().into()))
}

fn bad(setting: &'static str, detail: impl Into<Box<str>>) -> TlsSetupError {
    TlsSetupError::Pem { setting, detail: detail.into() }
}

/// The certificates of a PEM text; at least one.
fn certificates(
    setting: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    // What the parser says may have a whole line of it, or a key.
    let all =
        all.map_err(|_| bad(setting, "this is no PEM: each line has to be one of its own"))?;
    if all.is_empty() { Err(bad(setting, "there is no certificate in it")) } else { Ok(all) }
}

fn key(setting: &'static str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    let has = |text: &[u8]| memchr::memmem::find(pem, text).is_some();
    if ENCRYPTED.into_iter().any(has) {
        return Err(TlsSetupError::EncryptedKey);
    }
    // What the parser says of a key may have a part of it.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| bad(setting, "there is no private key in it (PKCS#8, PKCS#1 or SEC1, as PEM)"))
}

fn store(setting: &'static str, authorities: Authorities) -> Result<RootCertStore, TlsSetupError> {
    let mut store = RootCertStore::empty();
    match authorities {
        Authorities::Pem(pem) => {
            for certificate in certificates(setting, &pem)? {
                let added = store.add(certificate);
                added.map_err(|error| bad(setting, error.to_string()))?;
            }
        }
        Authorities::Der(all) => {
            store.add_parsable_certificates(all.into_iter().map(CertificateDer::from));
            if store.is_empty() {
                let detail = "none could be read".into();
                return Err(TlsSetupError::NoAuthorities { detail });
            }
        }
    }
    Ok(store)
}
