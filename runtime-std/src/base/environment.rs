//! The settings in the environment of this process.

use std::ffi::OsString;

use rocketry_core::config::{Config, ConfigError};

/// The settings that the environment of this process names: `NAMESRV_ADDR`, as for Java, and
/// `ROCKETRY_<FIELD>` for each field of [`Config`]; the defaults for the rest.
///
/// # Errors
///
/// As [`Config::from_vars`]: no nameserver, a name that is not known, a value that can't be read or
/// is out of range.
pub fn config_from_env() -> Result<Config, ConfigError> {
    Config::from_vars(vars())
}

/// The environment of this process, as [`Config::with_vars`] takes it. What is not Unicode comes
/// with the replacement character, which no setting takes.
pub fn vars() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}
