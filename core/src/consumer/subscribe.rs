//! What a consumer asks for.

use crate::message::java_string_hash;
use crate::name::{Group, Topic};

/// Where a group begins in a queue for which no offset is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the oldest message (`CONSUME_FROM_FIRST_OFFSET`).
    First,
    /// After the newest message, as Java's default (`CONSUME_FROM_LAST_OFFSET`). A broker answers
    /// 0 for a queue so young that its first message is still in memory.
    #[default]
    Last,
}

/// The tags of an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<String>);

impl Tags {
    /// Whether `tag` is one of them.
    pub fn contains(&self, tag: &str) -> bool {
        self.0.iter().any(|own| own == tag)
    }

    /// Whether a broker that filters by hashes takes `tag` for one of them. It does so for a twin
    /// of the same hash, too.
    pub(crate) fn has_code(&self, tag: &str) -> bool {
        let code = java_string_hash(tag);
        self.0.iter().any(|own| java_string_hash(own) == code)
    }

    /// The tags, in the order of the expression.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The hashes by which a broker filters (Java's `String.hashCode`).
    pub(crate) fn codes(&self) -> Vec<i32> {
        self.iter().map(java_string_hash).collect()
    }
}

/// Which messages of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expression {
    /// All of them: `*`.
    #[default]
    All,
    /// Those with one of these tags: `TagA || TagB`.
    Tags(std::sync::Arc<Tags>),
}

impl Expression {
    /// Reads `*` or `TagA || TagB`, as `FilterAPI.buildSubscriptionData` does: an empty text is
    /// `*`, blanks around tags and empty tags are left out.
    pub fn parse(text: &str) -> Self {
        let tags: Vec<String> =
            text.split("||").map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
        match tags.as_slice() {
            [] => Self::All,
            [only] if only == "*" => Self::All,
            _ => Self::Tags(std::sync::Arc::new(Tags(tags))),
        }
    }

    /// The expression as a broker reads it.
    pub fn text(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::Tags(tags) => tags.0.join(" || "),
        }
    }

    pub(crate) fn tags(&self) -> Option<std::sync::Arc<Tags>> {
        match self {
            Self::All => None,
            Self::Tags(tags) => Some(tags.clone()),
        }
    }
}

/// A consumer to be: its group, its topics, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The group whose members share the queues.
    pub group: Group,
    /// The topics, each with its expression. At least one.
    pub topics: Vec<(Topic, Expression)>,
    /// Where the group begins in queues it has no offset for.
    pub start: Start,
}

impl Subscribe {
    /// All messages of `topic`, beginning after the newest.
    pub fn new(group: Group, topic: Topic) -> Self {
        Self { group, topics: vec![(topic, Expression::All)], start: Start::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_java_reads_them() {
        assert_eq!(Expression::parse(""), Expression::All);
        assert_eq!(Expression::parse(" * "), Expression::All);
        let Expression::Tags(tags) = Expression::parse("TagA||  标签 || ") else { panic!() };
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["TagA", "标签"]);
        assert_eq!(tags.codes(), [2_598_919, 857_175]);
        assert_eq!(Expression::Tags(tags).text(), "TagA || 标签");
    }
}
