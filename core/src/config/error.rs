//! Why settings were refused.

use std::convert::Infallible;

use crate::name::NameError;

/// Why settings were refused.
///
/// The value given is part of the text only where it was meant for a setting that has no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No nameserver was given.
    #[error(
        "name_servers is empty: give at least one nameserver as host:port, or an address_server"
    )]
    NoNameServer,
    /// An address could not be read.
    #[error("name_servers: {0}")]
    Address(#[from] NameError),
    /// A nameserver's address has the scheme of a page before it.
    #[error(
        "name_servers is {given:?}: leave {scheme} out of a nameserver's address; the page of an \
         address server has a path, such as http://host:8080/rocketmq/nsaddr"
    )]
    Scheme {
        /// The text, cut to 128 characters.
        given: String,
        /// What is to be left out.
        scheme: &'static str,
    },
    /// A field is outside its range.
    #[error("{field} {problem}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A value could not be read.
    #[error("{name} is {given:?}: give {expected}")]
    Value {
        /// The variable or the field, as it was named.
        name: String,
        /// The value, cut to 128 characters.
        given: String,
        /// What to give instead.
        expected: String,
    },
    /// There is no such setting.
    #[error("{name} is no setting: the nearest is {nearest}")]
    Unknown {
        /// The name, cut to 128 characters.
        name: String,
        /// The known name that is most like it.
        nearest: String,
    },
    /// Other clients have this setting, this one does not yet.
    #[error("{name} is not built: {why}")]
    NotBuilt {
        /// The name, as it was given.
        name: String,
        /// What holds instead.
        why: &'static str,
    },
    /// Other clients have this setting; here it is said to each consumer, in code.
    #[error("{name} is said to each consumer, not to the client: {how}")]
    PerConsumer {
        /// The name, as it was given.
        name: String,
        /// The method that it is said by.
        how: &'static str,
    },
}

impl From<Infallible> for ConfigError {
    /// Settings that are made already can't be refused.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
