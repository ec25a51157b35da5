//! Certificates and keys as settings have them.

use std::fmt;

const BEGIN: &str = "-----BEGIN";
/// No key is shorter, as base64.
const NAKED: usize = 64;

/// Certificates or a key: the path of a file of PEM, or the PEM itself. What it shows of itself
/// (`Debug`) is never the PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(String);

impl Pem {
    /// What may be written to a file of settings: no private key, nor what may be one.
    pub(super) fn told(&self) -> Option<&str> {
        let open = self.is_path() || (self.0.contains(BEGIN) && !self.0.contains("PRIVATE KEY"));
        open.then_some(&*self.0)
    }

    /// The PEM, if it is not in a file.
    pub fn inline(&self) -> Option<&[u8]> {
        (!self.is_path()).then_some(self.0.as_bytes())
    }

    /// The file, if it is in one.
    pub fn path(&self) -> Option<&str> {
        self.is_path().then_some(&*self.0)
    }

    /// PEM without its first line, or the base64 of it alone, is no path either: it may be a key,
    /// and paths are shown.
    fn is_path(&self) -> bool {
        let of_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        // So begins the base64 of every certificate and every key.
        let naked =
            self.0.len() >= NAKED && self.0.starts_with('M') && self.0.bytes().all(of_base64);
        !naked && !self.0.contains(BEGIN) && !self.0.contains(['\n', '\r'])
    }
}

impl From<&str> for Pem {
    /// A text with `-----BEGIN` or several lines in it is PEM, any other one a path.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, SETTINGS};

    const SECRET: &str = "MC4CAQAwBQYDK2VwBCIEIFsecretsecretsecretsecretsecretsecretsecret";

    /// A key as it should be given, and as it is given by mistake.
    fn keys() -> [String; 4] {
        let whole = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----");
        let (one_line, naked) = (whole.replace('\n', " "), format!("{SECRET}\n{SECRET}\n"));
        [whole, one_line, naked, SECRET.to_owned()]
    }

    #[test]
    fn no_private_key_shows_however_it_was_given() {
        for key in keys() {
            let key = Some(Pem::from(key));
            let config = Config { tls_key: key.clone(), tls_cert: key, ..Config::default() };
            let file = serde_json::to_string(&config).unwrap();
            let settings: Vec<_> = SETTINGS.iter().map(|one| one.show(&config)).collect();
            let shown = format!("{config:?} {file} {settings:?}");
            assert!(!shown.contains("secretsecret"), "{shown}");
            assert!(config.tls_key.is_some_and(|key| key.path().is_none()));
        }
        let lines = format!(r#"{{"tls_key": ["-----BEGIN PRIVATE KEY-----", "{SECRET}"]}}"#);
        let error = serde_json::from_str::<Config>(&lines).unwrap_err().to_string();
        assert!(error.contains("tls_key") && !error.contains("secretsecret"), "{error}");
    }

    #[test]
    fn a_certificate_and_a_path_are_written_to_files() {
        let long = format!("/etc/{}/ca.pem", "Certificates/".repeat(12));
        for text in ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END", "ca.pem", &long] {
            let config = Config { tls_ca: Some(text.into()), ..Config::default() };
            let file = serde_json::to_string(&config).unwrap();
            let read: Config = serde_json::from_str(&file).unwrap();
            assert_eq!(read.tls_ca, config.tls_ca, "{file}");
        }
        assert_eq!(Pem::from(&*long).path(), Some(&*long));
    }
}
