//! What a cluster wants of its clients before it serves them: a key, and TLS.

use std::ffi::OsString;
use std::{env, fmt};

use rocketry::{Config, ConfigError};

/// A key and its secret, and what is said of TLS, as variables of the environment have them.
#[derive(Clone, Default)]
pub struct Access {
    vars: Vec<(String, String)>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.vars.iter().map(|(name, _)| name)).finish()
    }
}

/// The variables of a key.
const KEY: [&str; 3] = ["ROCKETRY_ACCESS_KEY", "ROCKETRY_SECRET_KEY", "ROCKETRY_SECURITY_TOKEN"];
/// What those of TLS begin with.
const TLS: &str = "ROCKETRY_TLS";

impl Access {
    /// What is said of it by variables with the names that a client's settings have; of one that is
    /// named twice the last counts. Others are passed over.
    ///
    /// # Errors
    ///
    /// For what a client refuses as well: a key without its secret, say.
    pub fn of(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let said = |(name, value): &(String, String)| {
            (KEY.contains(&&**name) || name.starts_with(TLS)) && !value.trim().is_empty()
        };
        let access = Self { vars: vars.into_iter().filter(said).collect() };
        Config::new("127.0.0.1:9876")?.with_vars(access.vars())?;
        Ok(access)
    }

    /// As the environment of this process has it.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub fn of_environment() -> Result<Self, ConfigError> {
        Self::of_environment_and([])
    }

    /// The same, where these variables have another word.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub fn of_environment_and(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = |text: OsString| text.into_string().ok();
        let own = env::vars_os().filter_map(|(name, value)| text(name).zip(text(value)));
        Self::of(own.chain(vars))
    }

    /// Whether nothing is wanted.
    pub const fn is_open(&self) -> bool {
        self.vars.is_empty()
    }

    /// Whether requests are signed.
    pub fn has_key(&self) -> bool {
        self.vars.iter().any(|(name, _)| name == KEY[0])
    }

    /// These settings, with what a cluster wants.
    pub fn give(&self, config: Config) -> Config {
        config.with_vars(self.vars()).expect("settings that were looked at")
    }

    /// The same for another process.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars.iter().map(|(name, value)| (&**name, &**value))
    }
}
