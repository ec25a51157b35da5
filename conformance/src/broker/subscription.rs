//! What a consumer group wants of a topic, as far as the broker filters: by tag code.

use rocketry_core::body::SubscriptionData;
use rocketry_core::message::java_string_hash;

/// Which messages pass (`ExpressionMessageFilter.isMatchedByConsumeQueue`). The broker compares
/// hash codes only; the client compares the tags themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Every message.
    All,
    /// Messages whose tag has one of these codes.
    Codes(Vec<i32>),
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

    pub(super) fn matches(&self, code: i32) -> bool {
        match self {
            Self::All => true,
            Self::Codes(codes) => codes.contains(&code),
        }
    }
}

/// One topic of a group's heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    /// As it came.
    pub(super) data: SubscriptionData,
    pub(super) filter: Filter,
}

impl Subscription {
    pub(super) fn new(data: &SubscriptionData) -> Self {
        let filter = match data.expression.trim() {
            "*" => Filter::All,
            _ if data.class_filter => Filter::All,
            _ => Filter::Codes(data.codes.iter().copied().collect()),
        };
        Self { data: data.clone(), filter }
    }
}

/// Whether an expression of this type is a list of tags (`ExpressionType.isTagType`).
pub(super) fn is_tag_type(expression_type: &str) -> bool {
    matches!(expression_type, "" | "TAG")
}
