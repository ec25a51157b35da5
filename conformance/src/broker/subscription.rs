//! What a consumer group wants of a topic: by tag code, or by an expression in SQL.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::body::SubscriptionData;
use rocketry_core::message::{RecordList, java_string_hash};

use super::sql::Sql;

/// Which messages pass (`ExpressionMessageFilter`). Of tags the broker compares hash codes only;
/// the client compares the tags themselves.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// Every message.
    All,
    /// Messages whose tag has one of these codes.
    Codes(Vec<i32>),
    /// Messages whose properties match.
    Sql(Arc<Sql>),
}

impl Filter {
    /// Reads a TAG expression: `*`, nothing, or tags joined by `||`
    /// (`FilterAPI.buildSubscriptionData`).
    /// `None`: separators and nothing else.
    pub(super) fn parse(expression: &str) -> Option<Self> {
        if matches!(expression, "" | "*") {
            return Some(Self::All);
        }
        if expression.split("||").all(str::is_empty) {
            return None;
        }
        let tags = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty());
        Some(Self::Codes(tags.map(java_string_hash).collect()))
    }

    /// Reads an expression in SQL, for a broker of that version.
    pub(super) fn sql(expression: &str, version: i32) -> Option<Self> {
        let sql = Sql::parse(expression, version >= SEARCHES)?;
        Some(Self::Sql(Arc::new(sql)))
    }

    /// Whether it looks at more than tags.
    pub(super) const fn reads(&self) -> bool {
        matches!(self, Self::Sql(_))
    }

    /// Whether a message passes, with a tag of this code.
    pub(super) fn matches(&self, code: i32, record: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Codes(codes) => codes.contains(&code),
            Self::Sql(sql) => {
                let list = RecordList::cut(Bytes::copy_from_slice(record));
                list.record(0).is_some_and(|record| sql.matches(record.properties()))
            }
        }
    }
}

/// One topic of a group's heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subscription {
    /// As it came.
    pub(super) data: SubscriptionData,
    /// `None`: an expression that can't be read (`ConsumerFilterManager.register`).
    pub(super) filter: Option<Filter>,
}

impl Subscription {
    /// As a broker of that version takes it.
    pub(super) fn new(data: &SubscriptionData, version: i32) -> Self {
        let filter = match data.expression.trim() {
            _ if data.class_filter => Some(Filter::All),
            _ if data.expression_type == SQL => Filter::sql(&data.expression, version),
            "*" => Some(Filter::All),
            _ => Some(Filter::Codes(data.codes.iter().copied().collect())),
        };
        Self { data: data.clone(), filter }
    }
}

/// The first version (5.1.3) whose expressions know `CONTAINS`, `STARTSWITH` and `ENDSWITH`.
const SEARCHES: i32 = 439;
/// The type of an expression that is a list of tags.
pub(super) const TAG: &str = "TAG";
/// The only type of expression besides tags.
pub(super) const SQL: &str = "SQL92";

/// Whether an expression of this type is a list of tags (`ExpressionType.isTagType`).
pub(super) fn is_tag_type(expression_type: &str) -> bool {
    matches!(expression_type, "" | TAG)
}
