//! What a consumer reads, as data that can be written down and read back.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Filter;
use crate::name::Topic;

/// One topic that a consumer reads, and which of its messages.
///
/// It is data for serde: the topic's name, and the filter as it is subscribed by. Where that text
/// would not read back, since a tag looks like something else, the filter is a list of tags; an
/// expression in SQL is `{"sql": "a > 5"}`.
///
/// ```
/// use rocketry_core::consumer::{Filter, TopicSubscription};
///
/// let json = r#"[{"topic":"orders","filter":"eu || us"},{"topic":"refunds","filter":"*"}]"#;
/// let read: Vec<TopicSubscription> = serde_json::from_str(json)?;
/// assert_eq!(read[0].filter, Filter::tags(["eu", "us"])?);
/// assert_eq!(serde_json::to_string(&read)?, json);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSubscription {
    /// The topic.
    #[serde(serialize_with = "topic_to", deserialize_with = "topic_from")]
    pub topic: Topic,
    /// Which of its messages: all, where nothing is said.
    #[serde(default)]
    pub filter: Filter,
}

fn topic_to<S: Serializer>(topic: &Topic, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(topic)
}

fn topic_from<'de, D: Deserializer<'de>>(from: D) -> Result<Topic, D::Error> {
    let name = String::deserialize(from)?;
    Topic::new(&name).map_err(D::Error::custom)
}

/// As text, as a list of tags where the text would not read back, or as an expression in SQL.
impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        match self {
            Self::Tags(tags) if Self::parse(&text).as_ref() != Ok(self) => {
                to.collect_seq(tags.iter())
            }
            Self::Sql(expression) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("sql", &**expression)?;
                map.end()
            }
            Self::All | Self::Tags(_) => to.serialize_str(&text),
        }
    }
}

/// From text, from a list of tags, or from an expression in SQL; what can't be meant is refused as
/// [`FilterError`](super::FilterError) says.
impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = Filter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a filter as \"*\" or \"A || B\", a list of tags, or {\"sql\": ..}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Filter, E> {
                Filter::parse(text).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Filter, A::Error> {
                let mut tags: Vec<String> = Vec::new();
                while let Some(tag) = list.next_element()? {
                    tags.push(tag);
                }
                Filter::tags(tags).map_err(A::Error::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filter, A::Error> {
                let Some((key, expression)) = map.next_entry::<String, String>()? else {
                    return Err(A::Error::missing_field("sql"));
                };
                if key != "sql" {
                    return Err(A::Error::unknown_field(&key, &["sql"]));
                }
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom("a filter in SQL has nothing beside it"));
                }
                Filter::sql(&expression).map_err(A::Error::custom)
            }
        }

        from.deserialize_any(Words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<TopicSubscription>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn push_15_subscriptions_read_back_as_they_were_written() {
        let topic = |name: &str| Topic::new(name).unwrap();
        let filters = [
            Filter::All,
            Filter::tags(["eu"]).unwrap(),
            Filter::tags(["eu", "标签", "us"]).unwrap(),
            // Texts of these would be refused, or be other tags.
            Filter::tags(["a,b", "x | y"]).unwrap(),
            Filter::tags(["a or b"]).unwrap(),
            Filter::sql("a > 5 AND b = 'x'").unwrap(),
        ];
        for filter in filters {
            let one = TopicSubscription { topic: topic("orders"), filter };
            let json = serde_json::to_string(&[&one]).unwrap();
            assert_eq!(read(&json), Ok(vec![one]), "{json}");
        }
        let said = read(r#"[{"topic":"orders"}]"#).unwrap();
        assert_eq!(said[0].filter, Filter::All);
    }

    #[test]
    fn what_is_no_subscription_is_refused_with_the_reason() {
        for (json, says) in [
            (r#"[{"filter":"*"}]"#, "missing field `topic`"),
            (r#"[{"topic":"a b"}]"#, "a topic has only letters"),
            (r#"[{"topic":"a","filter":{"sql":" "}}]"#, "a filter in SQL is not empty"),
            (r#"[{"topic":"a","filter":{}}]"#, "missing field `sql`"),
            (r#"[{"topic":"a","filter":{"mvel":"a"}}]"#, "unknown field `mvel`"),
            (r#"[{"topic":"a","filter":{"sql":"a","tags":"b"}}]"#, "has nothing beside it"),
            (r#"[{"topic":"a","filter":"A|B"}]"#, "tags are separated by ||"),
            (r#"[{"topic":"a","filter":["*"]}]"#, "* among tags"),
            (r#"[{"topic":"a","filter":[]}]"#, "at least one tag"),
            (r#"[{"topic":"a","filter":7}]"#, "a filter as"),
            (r#"[{"topic":"a","tags":"x"}]"#, "unknown field `tags`"),
        ] {
            let refused = read(json).unwrap_err();
            assert!(refused.contains(says), "{json}: {refused}");
        }
    }
}
