//! Filters that a broker refuses.

use std::fmt;
use std::sync::Arc;

use super::{ErrorKind, Remark};
use crate::frame::ResponseCode;
use crate::name::Topic;

/// A broker can't filter by an expression: it can't read it, or filters by no properties at all.
/// Asking again would end the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRefused {
    /// The topic.
    pub topic: Topic,
    /// The expression, cut to 128 characters.
    pub filter: Arc<str>,
    /// The broker's code: 23 for an expression that it can't read, 1 or 3 where it does not filter
    /// by properties.
    pub code: ResponseCode,
    /// The broker's words.
    pub remark: Option<Arc<str>>,
}

impl FilterRefused {
    /// What it comes to.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    /// Whether the broker can't read the expression; else it filters by no properties.
    ///
    /// ```
    /// # use rocketry_core::error::FilterRefused;
    /// # fn f(refused: &FilterRefused) {
    /// if !refused.is_unreadable() {
    ///     eprintln!("set enablePropertyFilter=true in the brokers' properties");
    /// }
    /// # }
    /// ```
    pub fn is_unreadable(&self) -> bool {
        self.code == ResponseCode::SUBSCRIPTION_PARSE_FAILED
    }
}

impl fmt::Display for FilterRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, filter, code, remark } = self;
        write!(f, "filter of topic {topic} refused: {filter:?}: {code}{}", Remark(remark))?;
        f.write_str(match self.is_unreadable() {
            true => " (the broker can't read the expression)",
            false => " (brokers filter by properties where enablePropertyFilter=true)",
        })
    }
}

impl std::error::Error for FilterRefused {}
