//! Settings from the environment, which the caller reads: the core does not.

use super::given::Given;
use super::{Config, ConfigError, NOT_BUILT, SETTINGS, Setting};
use crate::fetch::Url;

/// What the variables of settings begin with.
pub(super) const PREFIX: &str = "ROCKETRY_";
/// Java's variable for nameservers (`MixAll.NAMESRV_ADDR_ENV`).
const NAMESRV_ADDR: &str = "NAMESRV_ADDR";
/// Variables of the project's own tools.
const TOOLS: [&str; 3] = ["ROCKETRY_CACHE", "ROCKETRY_JARS", "ROCKETRY_STATE"];
/// What Kubernetes sets for a service that is called rocketry.
const LINKS: [&str; 2] = ["ROCKETRY_SERVICE_", "ROCKETRY_PORT"];

impl Config {
    /// The defaults with what the environment says instead, given as pairs of name and value; the
    /// adapters' `config_from_env` passes the environment of the process.
    ///
    /// `NAMESRV_ADDR` names the nameservers, as for Java; `ROCKETRY_NAME_SERVERS` goes before it.
    /// Every field has a variable: `ROCKETRY_` and its name in capitals. An empty value counts as
    /// not set, an optional setting is taken away by `none`, other names are left alone.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unknown`] for any other name with that prefix, [`ConfigError::Value`] for
    /// what can't be read, [`ConfigError::NotBuilt`] for what other clients can do, and what
    /// [`check`](Self::check) finds.
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        Self::default().with_vars(vars)
    }

    /// As [`from_vars`](Self::from_vars), with these settings in place of the defaults: those of a
    /// preset, or of a file.
    pub fn with_vars<N, V>(
        mut self,
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut own_servers = false;
        let mut java_servers = None;
        for (name, value) in vars {
            let (name, value) = (name.as_ref(), value.as_ref().trim());
            if value.is_empty() {
                continue;
            }
            if name == NAMESRV_ADDR {
                java_servers = Some(value.to_owned());
            } else if let Some(setting) = named(name)? {
                own_servers |= setting.name == SETTINGS[0].name;
                self.set(setting, name, &Given::Text(value.to_owned()))?;
            }
        }
        if let Some(value) = java_servers.filter(|_| !own_servers) {
            self.set(&SETTINGS[0], NAMESRV_ADDR, &Given::Text(value))?;
        }
        self.check()?;
        Ok(self)
    }

    /// Sets one field; `name` is what the user called it.
    pub(super) fn set(
        &mut self,
        setting: &Setting,
        name: &str,
        given: &Given,
    ) -> Result<(), ConfigError> {
        // A page is the list of nameservers too, wherever those are asked for.
        let page = setting.name == SETTINGS[0].name
            && matches!(given, Given::Text(text) if Url::is_meant(text));
        let setting = match SETTINGS.iter().find(|other| other.name == "address_server") {
            Some(other) if page => other,
            Some(_) | None => setting,
        };
        (setting.read)(self, given).map_err(|expected| ConfigError::Value {
            name: name.to_owned(),
            given: cut(&given.text()),
            expected,
        })
    }
}

/// The setting of a variable; `None` if it is none of ours.
fn named(variable: &str) -> Result<Option<&'static Setting>, ConfigError> {
    let Some(name) = variable.strip_prefix(PREFIX) else { return Ok(None) };
    if TOOLS.contains(&variable) || LINKS.iter().any(|link| variable.starts_with(link)) {
        return Ok(None);
    }
    let lower = name.to_ascii_lowercase();
    let same = SETTINGS.iter().find(|setting| setting.name == lower);
    match same.filter(|_| name == name.to_ascii_uppercase()) {
        Some(setting) => Ok(Some(setting)),
        None => Err(unknown(variable, &lower, Setting::variable)),
    }
}

/// Why there is no setting of that name. `as_given` tells how a setting is called where the name
/// came from.
pub(super) fn unknown(
    given: &str,
    name: &str,
    as_given: impl Fn(&Setting) -> String,
) -> ConfigError {
    if let Some(other) = NOT_BUILT.iter().find(|other| other.is(name)) {
        return ConfigError::NotBuilt { name: cut(given), why: other.why };
    }
    let elsewhere = |setting: &&Setting| [setting.java, setting.python].contains(&name);
    let alike = || SETTINGS.iter().min_by_key(|setting| distance(setting.name, name));
    let nearest = SETTINGS.iter().find(elsewhere).or_else(alike);
    ConfigError::Unknown { name: cut(given), nearest: nearest.map_or_else(String::new, as_given) }
}

fn cut(text: &str) -> String {
    text.chars().take(128).collect()
}

/// How many characters have to be put in, taken out or changed to make one of the other.
fn distance(known: &str, given: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (at, here) in given.chars().take(128).enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for column in 0..known.len() {
            let changed = diagonal + usize::from(known[column] != here);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[known.len()]
}
