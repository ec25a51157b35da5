//! Access keys, and where they come from when they change while a client runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Config, Secret};
use crate::contain::contained;

/// An access key with its secret, and the token of a temporary one (`SessionCredentials`).
///
/// The secret and the token show in no output: `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key: Box<str>,
    secret_key: Secret,
    security_token: Option<Secret>,
}

impl Credentials {
    /// A key and its secret.
    pub fn new(access_key: impl Into<Box<str>>, secret_key: impl Into<Secret>) -> Self {
        let (access_key, secret_key) = (access_key.into(), secret_key.into());
        Self { access_key, secret_key, security_token: None }
    }

    /// Adds the token that goes with a temporary key.
    #[must_use]
    pub fn security_token(self, token: impl Into<Secret>) -> Self {
        Self { security_token: Some(token.into()), ..self }
    }

    /// The key's name, which is sent.
    pub const fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The token, which is sent.
    pub fn token(&self) -> Option<&str> {
        self.security_token.as_ref().map(Secret::reveal)
    }

    /// What is never sent.
    #[cfg_attr(not(feature = "acl"), expect(dead_code, reason = "nothing is signed"))]
    pub(crate) const fn secret(&self) -> &str {
        self.secret_key.reveal()
    }
}

/// Shows the key's name, and neither secret nor token.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .field("has_security_token", &self.security_token.is_some())
            .finish_non_exhaustive()
    }
}

/// Where a client has its credentials from, for [`Config::credentials`]: asked for each request, so
/// that a key that has been replaced is used by the next one.
///
/// It is asked by whoever encodes the request, in any thread, never under the client's lock: an
/// `Arc` that is there already has to be given, without waiting for anything. As long as it is the
/// same one, or one that is equal, nothing is computed anew. Where it panics, the last credentials
/// that it gave go on being used, and the log says so; without any, requests leave unsigned and
/// brokers deny them.
#[derive(Clone)]
pub struct CredentialsProvider(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<Credentials>),
    Asked(Arc<dyn Fn() -> Arc<Credentials> + Send + Sync>),
}

impl CredentialsProvider {
    /// Asks `current`.
    pub fn new(current: impl Fn() -> Arc<Credentials> + Send + Sync + 'static) -> Self {
        Self(Source::Asked(Arc::new(current)))
    }

    /// Always the same ones.
    pub fn fixed(credentials: Credentials) -> Self {
        Self(Source::Fixed(Arc::new(credentials)))
    }

    /// The credentials of now; `None` where the one who knows panicked.
    #[cfg_attr(not(any(feature = "acl", test)), expect(dead_code, reason = "nothing is signed"))]
    pub(crate) fn current(&self) -> Option<Arc<Credentials>> {
        match &self.0 {
            Source::Fixed(credentials) => Some(credentials.clone()),
            Source::Asked(current) => contained(|| current()),
        }
    }
}

impl fmt::Debug for CredentialsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsProvider")
    }
}

/// Two are equal that give the same fixed credentials, or are clones of each other.
impl PartialEq for CredentialsProvider {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::Fixed(one), Source::Fixed(other)) => one == other,
            (Source::Asked(one), Source::Asked(other)) => Arc::ptr_eq(one, other),
            (Source::Fixed(_) | Source::Asked(_), _) => false,
        }
    }
}

impl Eq for CredentialsProvider {}

/// Credentials that are replaced while clients run: give [`provider`](Self::provider) to the
/// settings of one client or of several, and [`replace`](Self::replace) them at any time.
#[derive(Clone, Debug)]
pub struct RotatingCredentials(Arc<Mutex<Arc<Credentials>>>);

impl RotatingCredentials {
    /// Begins with these.
    pub fn new(credentials: Credentials) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(credentials))))
    }

    /// Uses these from the next request on. Requests that have been encoded keep their signature.
    pub fn replace(&self, credentials: Credentials) {
        let new = Arc::new(credentials);
        let old =
            std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), new);
        drop(old);
    }

    /// What [`Config::credentials`] takes.
    pub fn provider(&self) -> CredentialsProvider {
        let own = self.0.clone();
        CredentialsProvider::new(move || own.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Config {
    /// Whether requests are signed.
    pub(crate) const fn signs(&self) -> bool {
        cfg!(feature = "acl") && (self.credentials.is_some() || self.access_key.is_some())
    }

    /// Whose requests these are: the provider if there is one, else what the settings say.
    #[cfg_attr(not(any(feature = "acl", test)), expect(dead_code, reason = "nothing is signed"))]
    pub(crate) fn provider(&self) -> Option<CredentialsProvider> {
        if let Some(provider) = &self.credentials {
            return Some(provider.clone());
        }
        let (key, secret) = (self.access_key.as_deref()?, self.secret_key.clone()?);
        let credentials = Credentials::new(key, secret);
        Some(CredentialsProvider::fixed(match self.security_token.clone() {
            Some(token) => credentials.security_token(token),
            None => credentials,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acl_12_no_secret_shows() {
        let credentials = Credentials::new("key", "hidden1").security_token("hidden2");
        let config = Config {
            access_key: Some("key".to_owned()),
            secret_key: Some("hidden3".into()),
            security_token: Some("hidden4".into()),
            credentials: Some(CredentialsProvider::fixed(credentials.clone())),
            ..Config::default()
        };
        let rotating = RotatingCredentials::new(credentials.clone());
        let file = serde_json::to_string(&config).unwrap();
        let shown = format!("{credentials:?} {credentials:#?} {config:?} {rotating:?} {file}");
        assert!(shown.contains("key") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn a_provider_gives_what_is_there_now_and_goes_before_the_settings() {
        let rotating = RotatingCredentials::new(Credentials::new("one", "1"));
        let mut config = Config::default();
        assert!(config.provider().is_none());
        config.access_key = Some("fixed".to_owned());
        assert!(config.provider().is_none(), "no secret, no signature");
        config.secret_key = Some("secret".into());
        let name = |config: &Config| {
            let current = config.provider()?.current()?;
            Some(current.access_key().to_owned())
        };
        assert_eq!(name(&config).as_deref(), Some("fixed"));
        config.credentials = Some(rotating.provider());
        assert_eq!(name(&config).as_deref(), Some("one"));
        rotating.replace(Credentials::new("two", "2"));
        assert_eq!(name(&config).as_deref(), Some("two"));
        assert_eq!(config, config.clone());
        assert!(CredentialsProvider::new(|| panic!("as it should")).current().is_none());
    }
}
