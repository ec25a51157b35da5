//! What a consumer asks for.

use crate::message::{is_tag, java_string_hash, trimmed};
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

/// Why a text is no subscription, or a tag can't be subscribed to. Brokers take any text, and a
/// consumer with one of these would wait for messages that no producer sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// `*` beside tags would be a tag of that name.
    #[error("{given:?} has * among tags: write * alone for all messages, or tags as A || B")]
    Star {
        /// The text, cut to 128 characters.
        given: String,
    },
    /// `A|B` and `A, B` would be one tag.
    #[error(
        "{given:?} would be one tag with {separator:?} in it: tags are separated by || \
         (Expression::any_of takes such a tag as it is)"
    )]
    Separator {
        /// The text, cut to 128 characters.
        given: String,
        /// What stands where `||` was meant.
        separator: char,
    },
    /// `TAGS in ('A', 'B')` is a filter in SQL, which would be one tag.
    #[error("{given:?} is a filter in SQL, which is not built: write tags as A || B")]
    Sql {
        /// The text, cut to 128 characters.
        given: String,
    },
    /// A tag that is empty, holds `||`, or begins or ends with a blank.
    #[error(
        "tag {given:?} can't be subscribed to: a tag is not empty, has no || and no blank ends"
    )]
    Tag {
        /// The tag, cut to 128 characters.
        given: String,
    },
}

fn cut(text: &str) -> String {
    text.chars().take(128).collect()
}

/// Words of a filter in SQL (`SelectorParser`), between blanks.
const SQL: [&str; 14] = [
    "in", "and", "or", "not", "between", "is", "like", "contains", "=", "<>", "<", ">", "<=", ">=",
];

fn is_sql(tag: &str) -> bool {
    let words = || tag.split_ascii_whitespace();
    let known = |word: &str| SQL.iter().any(|sql| sql.eq_ignore_ascii_case(word));
    let compared = tag.contains(['=', '<', '>']) && tag.contains('\'');
    compared || tag.contains("('") || words().skip(1).any(known)
}

impl Expression {
    /// Reads `*` or `TagA || TagB`, as `FilterAPI.buildSubscriptionData` does: an empty text is
    /// `*`, blanks around tags and empty tags are left out.
    ///
    /// # Errors
    ///
    /// Texts that Java takes and that can't be meant: `*` among tags, one `|` or a comma between
    /// them, and filters in SQL. [`any_of`](Self::any_of) takes a tag that looks like one of them.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let tags: Vec<&str> = text.split("||").map(trimmed).filter(|t| !t.is_empty()).collect();
        let given = || cut(text);
        if matches!(tags.as_slice(), [] | ["*"]) {
            return Ok(Self::All);
        }
        if tags.contains(&"*") {
            return Err(ExpressionError::Star { given: given() });
        }
        if tags.iter().any(|tag| is_sql(tag)) {
            return Err(ExpressionError::Sql { given: given() });
        }
        let lone = tags.iter().find_map(|tag| tag.chars().find(|c| matches!(c, '|' | ',')));
        match lone {
            Some(separator) => Err(ExpressionError::Separator { given: given(), separator }),
            None => Self::any_of(tags),
        }
    }

    /// Messages with one of these tags, each taken as it is. Without any it is all messages.
    ///
    /// # Errors
    ///
    /// [`ExpressionError::Tag`] for what a broker could not read as one tag, and
    /// [`ExpressionError::Star`] for `*`.
    pub fn any_of<T>(tags: impl IntoIterator<Item = T>) -> Result<Self, ExpressionError>
    where
        T: AsRef<str>,
    {
        let mut own = Vec::new();
        for tag in tags {
            let tag = tag.as_ref();
            if !is_tag(tag) {
                return Err(ExpressionError::Tag { given: cut(tag) });
            }
            if tag == "*" {
                return Err(ExpressionError::Star { given: cut(tag) });
            }
            own.push(tag.to_owned());
        }
        if own.is_empty() {
            return Ok(Self::All);
        }
        Ok(Self::Tags(std::sync::Arc::new(Tags(own))))
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
        for all in ["", " * ", "||", " || *|| "] {
            assert_eq!(Expression::parse(all), Ok(Expression::All), "{all}");
        }
        let read = Expression::parse("TagA||  标签 || ");
        let Ok(Expression::Tags(tags)) = read else { panic!("{read:?}") };
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["TagA", "标签"]);
        assert_eq!(tags.codes(), [2_598_919, 857_175]);
        assert_eq!(Expression::Tags(tags).text(), "TagA || 标签");
        // Java trims what is up to U+0020, and nothing else.
        let odd = Expression::parse("\u{1}a b\u{3000}\t").map(|read| read.text());
        assert_eq!(odd.as_deref(), Ok("a b\u{3000}"));
    }

    #[test]
    fn expressions_that_cannot_be_meant_say_so() {
        let refused = |text: &str| Expression::parse(text).unwrap_err();
        for (text, separator) in [("A|B", '|'), ("A, B", ','), ("a,b || c", ','), ("A ||| B", '|')]
        {
            let given = text.to_owned();
            assert_eq!(refused(text), ExpressionError::Separator { given, separator });
        }
        for text in ["*||A", "A || *", "* || *"] {
            assert_eq!(refused(text), ExpressionError::Star { given: text.to_owned() });
        }
        for text in [
            "TAGS in ('A', 'B')",
            "TAGS is not null and TAGS in ('a')",
            "a = 1",
            "TAGS='a'",
            "price between 1 and 9",
            "(TAGS IN('A'))",
        ] {
            assert_eq!(refused(text), ExpressionError::Sql { given: text.to_owned() }, "{text}");
        }
        let long = "A|".repeat(100);
        assert_eq!(refused(&long).to_string().matches('A').count(), 64);
        for tag in ["in stock", "a=b", "x<y", "C++", "is", "a-b_c.d"] {
            assert!(Expression::parse(tag).is_ok(), "{tag}");
        }
    }

    #[test]
    fn tags_that_look_like_something_else_are_taken_as_they_are() {
        let named = ["A|B", "a, b", "a or b", "TAGS in ('A')"];
        let Ok(Expression::Tags(tags)) = Expression::any_of(named) else { panic!() };
        assert_eq!(tags.iter().collect::<Vec<_>>(), named);
        for tag in ["", " a", "a ", "a\n", "a||b", "||"] {
            let given = tag.to_owned();
            assert_eq!(Expression::any_of([tag]), Err(ExpressionError::Tag { given }), "{tag:?}");
        }
        assert_eq!(
            Expression::any_of(["a", "*"]),
            Err(ExpressionError::Star { given: "*".into() })
        );
        assert_eq!(Expression::any_of::<&str>([]), Ok(Expression::All));
    }
}
