//! What a group subscribes to, as its broker says, beside what one member does.

use std::sync::Arc;

use bytes::Bytes;

use crate::body::ConsumerConnections;
use crate::id::SubscriptionId;

/// A look at the answer to `GET_CONSUMER_CONNECTION_LIST` (203).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupTask {
    pub(crate) sub: SubscriptionId,
    /// The member's own topics.
    pub(crate) own: Vec<OwnFilter>,
    pub(crate) body: Bytes,
}

/// One topic of a member's, with its expression and the type of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnFilter {
    pub(crate) topic: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) text: Arc<str>,
}

/// A topic that the group asks for otherwise than a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherFilter {
    pub(crate) topic: Arc<str>,
    /// The member's expression.
    pub(crate) own: Arc<str>,
    /// The group's.
    pub(crate) other: Arc<str>,
}

impl GroupTask {
    /// The topics of which the broker keeps another expression; none where it can't be read. Only
    /// topics of both are compared: the others are on their way, or are retry topics.
    pub(super) fn compare(&self) -> Vec<OtherFilter> {
        let Ok(group) = ConsumerConnections::parse(&self.body) else { return Vec::new() };
        let other = |OwnFilter { topic, kind, text }: &OwnFilter| {
            let said = group.subscriptions.get(&**topic)?;
            let other = &said.expression;
            let tags = |kind: &str| matches!(kind, "" | "TAG");
            let differs = match (tags(kind), tags(&said.expression_type)) {
                (true, true) => words(other) != words(text),
                (false, false) => **text != **other,
                _ => true,
            };
            let (topic, own) = (topic.clone(), text.clone());
            differs.then(|| OtherFilter { topic, own, other: other.as_str().into() })
        };
        self.own.iter().filter_map(other).collect()
    }
}

/// The tags of an expression, in order; none for all messages.
fn words(expression: &str) -> Vec<&str> {
    let tags = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty());
    let mut tags: Vec<&str> = tags.collect();
    tags.sort_unstable();
    tags.dedup();
    if tags == ["*"] { Vec::new() } else { tags }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::SubscriptionData;
    use crate::id::Slots;

    #[test]
    fn filt_07_only_what_the_group_asks_for_otherwise_is_told() {
        let said = |topic: &str, expression: &str| {
            let data = SubscriptionData {
                class_filter: false,
                codes: Default::default(),
                expression_type: "TAG".to_owned(),
                expression: expression.to_owned(),
                version: 1,
                tags: Default::default(),
                topic: topic.to_owned(),
            };
            (topic.to_owned(), data)
        };
        let sql = |topic: &str, expression: &str| {
            let (topic, mut data) = said(topic, expression);
            data.expression_type = "SQL92".to_owned();
            (topic, data)
        };
        let group = ConsumerConnections {
            subscriptions: [
                said("same", "us||eu"),
                said("all", ""),
                said("other", "ch"),
                sql("same_sql", "a > 5"),
                sql("typed", "eu"),
                said("%RETRY%group", "*"),
            ]
            .into(),
            ..ConsumerConnections::default()
        };
        let own = [
            ("same", "TAG", "eu || us"),
            ("all", "TAG", "*"),
            ("other", "TAG", "eu"),
            ("unheard", "TAG", "x"),
            ("same_sql", "SQL92", "a > 5"),
            ("typed", "TAG", "eu"),
        ];
        let own = own.map(|(topic, kind, text)| OwnFilter {
            topic: topic.into(),
            kind,
            text: text.into(),
        });
        let task = |body: Vec<u8>| GroupTask {
            sub: Slots::<SubscriptionId, ()>::default().insert(()),
            own: own.clone().into(),
            body: body.into(),
        };
        let told = |topic: &str, own: &str, other: &str| OtherFilter {
            topic: topic.into(),
            own: own.into(),
            other: other.into(),
        };
        let expected = [told("other", "eu", "ch"), told("typed", "eu", "eu")];
        assert_eq!(task(group.to_json()).compare(), expected);
        assert_eq!(task(b"[".to_vec()).compare(), []);
    }
}
