//! Which messages of a topic a consumer asks for (`FilterAPI`).

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::message::{is_tag, java_string_hash, trimmed};

/// The tags of a filter.
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

    /// The tags, in the order of the filter.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The hashes by which a broker filters (Java's `String.hashCode`).
    pub(crate) fn codes(&self) -> Vec<i32> {
        self.iter().map(java_string_hash).collect()
    }
}

/// Which messages of a topic.
///
/// ```
/// use rocketry_core::consumer::Filter;
///
/// let some = Filter::tags(["eu", "us"])?;
/// assert_eq!(some, "eu || us".parse()?);
/// assert_eq!(Filter::all(), "*".parse()?);
/// # Ok::<(), rocketry_core::consumer::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "MessageSelector", alias = "FilterExpression", alias = "subExpression")]
pub enum Filter {
    /// All of them: `*`.
    #[default]
    All,
    /// Those with one of these tags: `TagA || TagB`.
    Tags(Arc<Tags>),
    /// Those whose properties match an expression in SQL: `a > 5 AND b IS NOT NULL`.
    Sql(Arc<str>),
}

/// Bytes that an expression in SQL may take.
const SQL_SIZE: usize = 32 << 10;

/// Why a text is no filter, or a tag can't be subscribed to. Brokers take any text, and a
/// consumer with one of these would wait for messages that no producer sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// `*` beside tags would be a tag of that name.
    #[error("{given:?} has * among tags: write * alone for all messages, or tags as A || B")]
    Star {
        /// The text, cut to 128 characters.
        given: String,
    },
    /// `A|B` and `A, B` would be one tag.
    #[error(
        "{given:?} would be one tag with {separator:?} in it: tags are separated by || \
         (Filter::tags takes such a tag as it is)"
    )]
    Separator {
        /// The text, cut to 128 characters.
        given: String,
        /// What stands where `||` was meant.
        separator: char,
    },
    /// `TAGS in ('A', 'B')` is a filter in SQL, which would be one tag.
    #[error("{given:?} is a filter in SQL: give it as Filter::sql(..), or write tags as A || B")]
    Sql {
        /// The text, cut to 128 characters.
        given: String,
    },
    /// An expression in SQL that is empty, or nothing but blanks.
    #[error("a filter in SQL is not empty: Filter::all() is for all messages")]
    NoSql,
    /// An expression in SQL of more than 32 KiB.
    #[error("a filter in SQL has at most {SQL_SIZE} bytes, and not {size}")]
    SqlTooLong {
        /// Its size.
        size: usize,
    },
    /// A list without a tag would ask for nothing.
    #[error("a list of tags has at least one tag: Filter::all() is for all messages")]
    Empty,
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

impl Filter {
    /// All messages.
    pub const fn all() -> Self {
        Self::All
    }

    /// Reads `*` or `TagA || TagB`, as `FilterAPI.buildSubscriptionData` does: an empty text is
    /// `*`, blanks around tags and empty tags are left out.
    ///
    /// # Errors
    ///
    /// Texts that Java takes and that can't be meant: `*` among tags, one `|` or a comma between
    /// them, and filters in SQL. [`tags`](Self::tags) takes a tag that looks like one of them.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let tags: Vec<&str> = text.split("||").map(trimmed).filter(|t| !t.is_empty()).collect();
        let given = || cut(text);
        if matches!(tags.as_slice(), [] | ["*"]) {
            return Ok(Self::All);
        }
        if tags.contains(&"*") {
            return Err(FilterError::Star { given: given() });
        }
        if tags.iter().any(|tag| is_sql(tag)) {
            return Err(FilterError::Sql { given: given() });
        }
        let lone = tags.iter().find_map(|tag| tag.chars().find(|c| matches!(c, '|' | ',')));
        match lone {
            Some(separator) => Err(FilterError::Separator { given: given(), separator }),
            None => Self::tags(tags),
        }
    }

    /// Messages with one of these tags, each taken as it is.
    ///
    /// # Errors
    ///
    /// [`FilterError::Tag`] for what a broker could not read as one tag, and
    /// [`FilterError::Star`] for `*`; [`FilterError::Empty`] for a list that came out empty:
    /// [`all`](Self::all) is for all messages.
    #[doc(alias = "byTag")]
    pub fn tags<T>(tags: impl IntoIterator<Item = T>) -> Result<Self, FilterError>
    where
        T: AsRef<str>,
    {
        let mut own = Vec::new();
        for tag in tags {
            let tag = tag.as_ref();
            if !is_tag(tag) {
                return Err(FilterError::Tag { given: cut(tag) });
            }
            if tag == "*" {
                return Err(FilterError::Star { given: cut(tag) });
            }
            own.push(tag.to_owned());
        }
        if own.is_empty() {
            return Err(FilterError::Empty);
        }
        Ok(Self::Tags(Arc::new(Tags(own))))
    }

    /// Messages whose properties match an expression in SQL, such as `a > 5 AND b IS NOT NULL`.
    /// Brokers read it, and filter by it where `enablePropertyFilter=true`: a consumer joins once
    /// one has taken it, and ends with [`FilterRefused`](crate::error::FilterRefused) where one
    /// says that it can't.
    ///
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`, `BETWEEN`, `IN ('a', 'b')`, `IS NULL`, `AND`, `OR`, `NOT`
    /// and parentheses are known, and from 5.1.3 on `CONTAINS`, `STARTSWITH` and `ENDSWITH`.
    /// Properties are texts, and compared as numbers with what is a number; a quote in a text is
    /// written twice; a property that a message lacks makes what is said of it unknown, which is
    /// not true.
    ///
    /// ```
    /// use rocketry_core::consumer::Filter;
    ///
    /// let some = Filter::sql("amount > 100 AND region IN ('eu', 'us')")?;
    /// assert_eq!(some.text(), "amount > 100 AND region IN ('eu', 'us')");
    /// # Ok::<(), rocketry_core::consumer::FilterError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FilterError::NoSql`] for an expression of blanks, and [`FilterError::SqlTooLong`] for more
    /// than 32 KiB. Whether it can be read is for a broker to say.
    #[doc(alias = "bySql", alias = "SQL92")]
    pub fn sql(expression: &str) -> Result<Self, FilterError> {
        if trimmed(expression).is_empty() {
            return Err(FilterError::NoSql);
        }
        let size = expression.len();
        if size > SQL_SIZE {
            return Err(FilterError::SqlTooLong { size });
        }
        Ok(Self::Sql(expression.into()))
    }

    /// The filter as a broker reads it.
    pub fn text(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::Tags(tags) => tags.0.join(" || "),
            Self::Sql(expression) => String::from(&**expression),
        }
    }

    /// The language of [`text`](Self::text), as brokers name it: `TAG` or `SQL92`.
    #[doc(alias = "ExpressionType")]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::All | Self::Tags(_) => "TAG",
            Self::Sql(_) => "SQL92",
        }
    }

    /// Whether only a broker can say that it is one.
    pub(crate) const fn is_judged(&self) -> bool {
        matches!(self, Self::Sql(_))
    }

    /// The tags that this client looks at: a broker knows them by their hashes.
    pub(crate) fn wanted(&self) -> Option<Arc<Tags>> {
        match self {
            Self::All | Self::Sql(_) => None,
            Self::Tags(tags) => Some(tags.clone()),
        }
    }
}

/// As text that reads back, unless a tag looks like something else, or it is SQL.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Filter {
    type Error = FilterError;
    fn try_from(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for Filter {
    type Error = FilterError;
    fn try_from(text: &String) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;
    fn try_from(text: String) -> Result<Self, FilterError> {
        Self::parse(&text)
    }
}

/// What [`Filter::tags`] gave, as it is: who takes a filter takes its error, too.
impl TryFrom<Result<Self, FilterError>> for Filter {
    type Error = FilterError;
    fn try_from(made: Result<Self, FilterError>) -> Result<Self, FilterError> {
        made
    }
}

impl From<Infallible> for FilterError {
    /// A filter that is one already can't be refused.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_java_reads_them() {
        for all in ["", " * ", "||", " || *|| "] {
            assert_eq!(Filter::parse(all), Ok(Filter::All), "{all}");
        }
        let read = Filter::parse("TagA||  标签 || ");
        let Ok(Filter::Tags(tags)) = read else { panic!("{read:?}") };
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["TagA", "标签"]);
        assert_eq!(tags.codes(), [2_598_919, 857_175]);
        assert_eq!(Filter::Tags(tags).text(), "TagA || 标签");
        // Java trims what is up to U+0020, and nothing else.
        let odd = Filter::parse("\u{1}a b\u{3000}\t").map(|read| read.text());
        assert_eq!(odd.as_deref(), Ok("a b\u{3000}"));
    }

    #[test]
    fn filters_that_cannot_be_meant_say_so() {
        let refused = |text: &str| Filter::parse(text).unwrap_err();
        for (text, separator) in [("A|B", '|'), ("A, B", ','), ("a,b || c", ','), ("A ||| B", '|')]
        {
            let given = text.to_owned();
            assert_eq!(refused(text), FilterError::Separator { given, separator });
        }
        for text in ["*||A", "A || *", "* || *"] {
            assert_eq!(refused(text), FilterError::Star { given: text.to_owned() });
        }
        for text in [
            "TAGS in ('A', 'B')",
            "TAGS is not null and TAGS in ('a')",
            "a = 1",
            "TAGS='a'",
            "price between 1 and 9",
            "(TAGS IN('A'))",
        ] {
            assert_eq!(refused(text), FilterError::Sql { given: text.to_owned() }, "{text}");
        }
        let long = "A|".repeat(100);
        assert_eq!(refused(&long).to_string().matches('A').count(), 64);
        for tag in ["in stock", "a=b", "x<y", "C++", "is", "a-b_c.d"] {
            assert!(Filter::parse(tag).is_ok(), "{tag}");
        }
    }

    #[test]
    fn tags_that_look_like_something_else_are_taken_as_they_are() {
        let named = ["A|B", "a, b", "a or b", "TAGS in ('A')"];
        let Ok(Filter::Tags(tags)) = Filter::tags(named) else { panic!() };
        assert_eq!(tags.iter().collect::<Vec<_>>(), named);
        for tag in ["", " a", "a ", "a\n", "a||b", "||"] {
            let given = tag.to_owned();
            assert_eq!(Filter::tags([tag]), Err(FilterError::Tag { given }), "{tag:?}");
        }
        assert_eq!(Filter::tags(["a", "*"]), Err(FilterError::Star { given: "*".into() }));
        assert_eq!(Filter::tags::<&str>([]), Err(FilterError::Empty));
    }

    #[test]
    fn an_expression_in_sql_is_taken_as_it_is_unless_it_is_none_or_endless() {
        let (given, size) = ("a > 5 AND b = 'x||y' ", SQL_SIZE);
        let filter = Filter::sql(given).unwrap();
        assert_eq!((filter.text().as_str(), filter.kind()), (given, "SQL92"));
        assert_eq!((filter.wanted(), filter.is_judged()), (None, true));
        assert_eq!(Filter::sql(" \n"), Err(FilterError::NoSql));
        assert!(Filter::sql(&"(".repeat(size)).is_ok(), "a broker says what it is");
        let size = size + 1;
        assert_eq!(Filter::sql(&"(".repeat(size)), Err(FilterError::SqlTooLong { size }));
    }

    #[test]
    fn whatever_is_a_filter_or_may_be_one_is_taken_as_one() {
        let made: Result<Filter, _> = Filter::tags(["eu", "us"]).try_into();
        assert_eq!(made, "eu || us".try_into());
        assert_eq!(made.unwrap().to_string().parse(), Filter::parse("eu||us"));
        assert_eq!(Filter::try_from(String::from("*")), Ok(Filter::all()));
        let refused: Result<Filter, _> = Filter::tags(["a b "]).try_into();
        assert_eq!(refused, Err(FilterError::Tag { given: "a b ".into() }));
    }
}
