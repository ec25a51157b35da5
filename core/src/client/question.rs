//! Questions by the type of their answer.

use std::marker::PhantomData;
use std::time::Duration;

use crate::name::{QueueName, Topic};
use crate::query::{Call, Query, QueueChoice, Response};

/// A question that is answered with an `A`.
pub(super) struct Question<A> {
    pub(super) query: Query,
    /// A deadline that is sooner than `request_timeout`.
    pub(super) within: Option<Duration>,
    answer: PhantomData<A>,
}

impl<A> Question<A> {
    const fn of(query: Query) -> Self {
        Self { query, within: None, answer: PhantomData }
    }
}

impl Question<Vec<QueueName>> {
    /// See [`Query::Queues`].
    pub(super) fn queues(topic: &Topic) -> Self {
        Self::of(Query::Queues(topic.clone()))
    }
}

impl Question<Vec<QueueChoice>> {
    /// See [`Query::Writable`].
    pub(super) fn writable(topic: &Topic) -> Self {
        Self::of(Query::Writable(topic.clone()))
    }

    /// With such a deadline.
    pub(super) fn within(self, within: Duration) -> Self {
        Self { within: Some(within), ..self }
    }
}

impl Question<i64> {
    /// See [`Query::MinOffset`].
    pub(super) fn min_offset(queue: &QueueName) -> Self {
        Self::of(Query::MinOffset(queue.clone()))
    }

    /// See [`Query::MaxOffset`].
    pub(super) fn max_offset(queue: &QueueName) -> Self {
        Self::of(Query::MaxOffset(queue.clone()))
    }
}

impl Question<Response> {
    /// See [`Query::Call`].
    pub(super) fn call(call: Call) -> Self {
        Self::of(Query::Call(Box::new(call)))
    }
}
