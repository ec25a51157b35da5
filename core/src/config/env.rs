//! Settings from the environment, which the caller reads: the core does not.

use super::value::{Hidden, Kind, PemText, Value};
use super::{
    Config, ConfigError, NOT_BUILT, NotBuilt, PER_CONSUMER, Pem, PerConsumer, SETTINGS, Setting,
};
use crate::url::Url;

/// What the variables of settings begin with.
pub(super) const PREFIX: &str = "ROCKETRY_";
/// Java's variable for nameservers (`MixAll.NAMESRV_ADDR_ENV`).
const NAMESRV_ADDR: &str = "NAMESRV_ADDR";
/// Variables of the project's own tools.
const TOOLS: [&str; 4] = ["ROCKETRY_CACHE", "ROCKETRY_CLUSTER", "ROCKETRY_JARS", "ROCKETRY_STATE"];
/// What Kubernetes sets for a service that is called rocketry.
const LINKS: [&str; 2] = ["ROCKETRY_SERVICE_", "ROCKETRY_PORT"];

impl Config {
    /// The defaults with what the environment says instead, given as pairs of name and value; the
    /// adapters' `config_from_env` passes the environment of the process.
    ///
    /// `NAMESRV_ADDR` names the nameservers, as for Java; `ROCKETRY_NAME_SERVERS` goes before it.
    /// Every field has a variable: `ROCKETRY_` and its name in capitals. An empty value counts as
    /// not set, an optional setting is taken away by `none`. A name with that prefix that is no
    /// setting and like none is left alone, with a log record of level `info`: it may be the
    /// application's own.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unknown`] for a near miss: a slip in a setting's name, or its name in Java
    /// or pyrocketmq; [`ConfigError::Value`] for what can't be read, [`ConfigError::NotBuilt`] for
    /// what other clients can do, [`ConfigError::PerConsumer`] for what is said to each consumer
    /// here, and what [`check`](Self::check) finds.
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
                self.set(setting, name, &Value::Text(value.to_owned()))?;
            }
        }
        if let Some(value) = java_servers.filter(|_| !own_servers) {
            self.set(&SETTINGS[0], NAMESRV_ADDR, &Value::Text(value))?;
        }
        self.check()?;
        Ok(self)
    }

    /// Sets one field; `name` is what the user called it.
    pub(super) fn set(
        &mut self,
        setting: &Setting,
        name: &str,
        given: &Value,
    ) -> Result<(), ConfigError> {
        // A page is the list of nameservers too, wherever those are asked for.
        let servers = setting.name == SETTINGS[0].name;
        if let Some(scheme) = schemed(given).filter(|_| servers) {
            return Err(ConfigError::Scheme { given: cut(&given.text()), scheme });
        }
        let page = servers && matches!(given, Value::Text(text) if Url::is_meant(text));
        let setting = match SETTINGS.iter().find(|other| other.name == "address_server") {
            Some(other) if page => other,
            Some(_) | None => setting,
        };
        (setting.read)(self, given).map_err(|expected| {
            let hidden = [Hidden::UNIT, <PemText as Kind<Pem>>::UNIT].contains(&setting.unit);
            let given = if hidden { "hidden".to_owned() } else { cut(&given.text()) };
            let java = setting.name == "max_reconsume_times" && given == "-1";
            let hint = if java { ", 16 for what -1 is in Java" } else { "" };
            ConfigError::Value { name: name.to_owned(), given, expected: expected + hint }
        })
    }
}

/// The scheme that stands before addresses of nameservers: there is a page only where there is a
/// path.
fn schemed(given: &Value) -> Option<&'static str> {
    let parts: Vec<&str> = match given {
        Value::Text(text) => super::parts(text).collect(),
        Value::List(list) => list.iter().flat_map(|one| super::parts(one)).collect(),
        Value::Nothing | Value::Flag(_) | Value::Number(_) => return None,
    };
    let (scheme, rest) = ["http://", "https://"].into_iter().find_map(|scheme| {
        parts.iter().find_map(|part| Some((scheme, part.strip_prefix(scheme)?)))
    })?;
    let path = rest.split_once(['/', '?']).is_some_and(|(_, path)| !path.is_empty());
    let page = path && parts.len() == 1 && matches!(given, Value::Text(_));
    (!page).then_some(scheme)
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
        None if is_near(&lower) => Err(unknown(variable, &lower, Setting::variable)),
        None => {
            log::info!("{} is no setting of rocketry's: it is left alone", cut(variable));
            Ok(None)
        }
    }
}

/// Whether somebody who wrote this meant a setting: by its name here or elsewhere, or with a slip.
fn is_near(name: &str) -> bool {
    let slips = (name.chars().count() / 4).clamp(1, 3);
    meant(name).is_some()
        || said_to_consumers(name).is_some()
        || elsewhere(name).is_some()
        || SETTINGS.iter().any(|setting| distance(setting.name, name) <= slips)
}

/// The setting that is not built, by any of its names.
fn meant(name: &str) -> Option<&'static NotBuilt> {
    NOT_BUILT.iter().find(|other| other.names().any(|known| is_same(known, name)))
}

/// What is said to each consumer, where other clients have a setting.
fn said_to_consumers(name: &str) -> Option<&'static PerConsumer> {
    PER_CONSUMER.iter().find(|other| is_same(other.java, name))
}

/// The setting that other clients call so.
fn elsewhere(name: &str) -> Option<&'static Setting> {
    let known = |setting: &&Setting| {
        [setting.java, setting.python].iter().any(|known| is_same(known, name))
    };
    SETTINGS.iter().find(known)
}

/// Whether two names differ only in how their words are set apart: `accessKey`, `ACCESS_KEY`.
fn is_same(known: &str, given: &str) -> bool {
    let plain = |name: &str| -> Vec<char> {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    !known.is_empty() && plain(known) == plain(given)
}

/// Why there is no setting of that name. `as_given` tells how a setting is called where the name
/// came from.
pub(super) fn unknown(
    given: &str,
    name: &str,
    as_given: impl Fn(&Setting) -> String,
) -> ConfigError {
    if let Some(other) = meant(name) {
        return ConfigError::NotBuilt { name: cut(given), why: other.why };
    }
    if let Some(other) = said_to_consumers(name) {
        return ConfigError::PerConsumer { name: cut(given), how: other.how };
    }
    let alike = || SETTINGS.iter().min_by_key(|setting| distance(setting.name, name));
    let nearest = elsewhere(name).or_else(alike);
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
