//! What a group subscribes to, as its broker says, beside what one member does.

use std::sync::Arc;

use bytes::Bytes;

use crate::body::ConsumerConnections;
use crate::id::SubscriptionId;

/// A look at the answer to `GET_CONSUMER_CONNECTION_LIST` (203).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupTask {
    pub(crate) sub: SubscriptionId,
    /// The member's own topics, each with its expression.
    pub(crate) own: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) body: Bytes,
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
        let other = |(topic, own): &(Arc<str>, Arc<str>)| {
            let other = &group.subscriptions.get(&**topic)?.expression;
            let differs = words(other) != words(own);
            let (topic, own) = (topic.clone(), own.clone());
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
        let group = ConsumerConnections {
            subscriptions: [
                said("same", "us||eu"),
                said("all", ""),
                said("other", "ch"),
                said("%RETRY%group", "*"),
            ]
            .into(),
            ..ConsumerConnections::default()
        };
        let own = [("same", "eu || us"), ("all", "*"), ("other", "eu"), ("unheard", "x")];
        let task = |body: Vec<u8>| GroupTask {
            sub: Slots::<SubscriptionId, ()>::default().insert(()),
            own: own.map(|(topic, filter)| (topic.into(), filter.into())).into(),
            body: body.into(),
        };
        let expected = OtherFilter { topic: "other".into(), own: "eu".into(), other: "ch".into() };
        assert_eq!(task(group.to_json()).compare(), [expected]);
        assert_eq!(task(b"[".to_vec()).compare(), []);
    }
}
