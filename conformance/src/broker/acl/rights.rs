//! Which rights a request needs (`DefaultAuthorizationContextBuilder`, `PlainAccessValidator`).

use bytes::Bytes;
use rocketry_core::body::{Heartbeat, LockBody};
use rocketry_core::frame::Request;

const RETRY: &str = "%RETRY%";

/// What a right is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Topic(String),
    Group(String),
    /// Administration.
    Cluster,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Publish,
    Subscribe,
    Either,
}

impl Resource {
    /// The topic, or the group whose retry topic it is.
    fn of_topic(name: &str) -> Self {
        match name.strip_prefix(RETRY) {
            Some(group) => Self::Group(group.to_owned()),
            None => Self::Topic(name.to_owned()),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Topic(name) | Self::Group(name) => name,
            Self::Cluster => "DefaultCluster",
        }
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Topic(_) => "Topic",
            Self::Group(_) => "Group",
            Self::Cluster => "Cluster",
        }
    }
}

/// The rights that a request needs. A body that can't be read needs none: its handler refuses it.
pub(super) fn rights(request: &Request, body: &Bytes) -> Vec<(Resource, Right)> {
    let topic = |name: &str, right| (Resource::of_topic(name), right);
    let group = |name: &str| (Resource::Group(name.to_owned()), Right::Subscribe);
    let read = |name: &str| topic(name, Right::Subscribe);
    let sent = |name: &str| match Resource::of_topic(name) {
        // What a consumer sends to be retried.
        retry @ Resource::Group(_) => (retry, Right::Subscribe),
        resource => (resource, Right::Publish),
    };
    match request {
        Request::Send(send) | Request::SendBatch(send) => vec![sent(&send.topic)],
        Request::SendV1(send) => vec![sent(&send.topic)],
        Request::EndTransaction(end) => end.topic.iter().map(|topic| sent(topic)).collect(),
        Request::Recall(recall) => vec![sent(&recall.topic)],
        Request::Pull(pull) | Request::LitePull(pull) => {
            vec![read(&pull.topic), group(&pull.consumer_group)]
        }
        Request::SendBack(back) => vec![group(&back.group)],
        Request::ConsumerList(ask) => vec![group(&ask.consumer_group)],
        Request::Unregister(leave) => leave.consumer_group.iter().map(|of| group(of)).collect(),
        Request::QueryOffset(ask) => vec![read(&ask.topic), group(&ask.consumer_group)],
        Request::UpdateOffset(ask) => vec![read(&ask.topic), group(&ask.consumer_group)],
        Request::QueryMessage(ask) => vec![read(&ask.topic)],
        Request::MaxOffset(ask) => vec![topic(&ask.topic, Right::Either)],
        Request::MinOffset(ask) => vec![topic(&ask.topic, Right::Either)],
        Request::SearchOffset(ask) => vec![topic(&ask.topic, Right::Either)],
        Request::Heartbeat(_) => heard(body),
        Request::Lock(_) | Request::Unlock(_) => LockBody::parse(body).map_or(Vec::new(), |lock| {
            let topics = lock.queues.iter().map(|queue| read(&queue.topic));
            std::iter::once(group(&lock.consumer_group)).chain(topics).collect()
        }),
        Request::CreateTopic(_)
        | Request::CreateTopics(_)
        | Request::DeleteTopic(_)
        | Request::CreateGroup(_)
        | Request::CreateGroups(_)
        | Request::DeleteGroup(_) => vec![(Resource::Cluster, Right::Either)],
        _ => Vec::new(),
    }
}

/// All consumers of a heartbeat: who lacks a right on one of them is not heard at all.
fn heard(body: &Bytes) -> Vec<(Resource, Right)> {
    let Ok(heartbeat) = Heartbeat::parse(body) else { return Vec::new() };
    let of_group = |name: &str| (Resource::Group(name.to_owned()), Right::Subscribe);
    let consumers = heartbeat.consumers.iter().flat_map(|consumer| {
        let topics = consumer.subscriptions.iter().map(|one| Resource::of_topic(&one.topic));
        let topics = topics.map(|resource| (resource, Right::Subscribe));
        std::iter::once(of_group(&consumer.group)).chain(topics)
    });
    consumers.collect()
}
