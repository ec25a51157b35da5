//! The files that TLS is set up from, and the authorities of the system.

use std::fs;

use rocketry_core::client::adapter::Clock as _;
use rocketry_core::config::{Config, Pem};
use rocketry_core::error::TlsSetupError;
use rocketry_core::tls::{Authorities, Identity, Tls};

use super::Clocks;

/// What a client's connections are encrypted by, if they are to be. Files are read once.
pub(super) fn of(config: &Config, clocks: Clocks) -> Result<Option<Tls>, TlsSetupError> {
    if !config.encrypts() {
        return Ok(None);
    }
    let authorities = match &config.tls_ca {
        Some(pem) => Authorities::Pem(read("tls_ca", pem)?),
        None if config.tls_danger_any_certificate => Authorities::Der(Vec::new()),
        None => system()?,
    };
    let identity = match (&config.tls_cert, &config.tls_key) {
        (Some(certificate), Some(key)) => {
            let certificates = read("tls_cert", certificate)?;
            Some(Identity { certificates, key: read("tls_key", key)? })
        }
        _ => None,
    };
    Tls::new(config, authorities, identity, move || clocks.unix()).map(Some)
}

fn read(setting: &'static str, pem: &Pem) -> Result<Vec<u8>, TlsSetupError> {
    let Some(path) = pem.path() else { return Ok(pem.inline().unwrap_or_default().to_vec()) };
    fs::read(path).map_err(|error| TlsSetupError::File {
        setting,
        path: path.into(),
        kind: error.kind(),
        detail: error.to_string().into(),
    })
}

fn system() -> Result<Authorities, TlsSetupError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map(ToString::to_string);
        let detail = why.unwrap_or_else(|| "none was found".to_owned()).into();
        return Err(TlsSetupError::NoAuthorities { detail });
    }
    Ok(Authorities::Der(found.certs.iter().map(|one| one.to_vec()).collect()))
}
