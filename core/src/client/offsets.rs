//! Questions for offsets, by whoever asks them.

use std::sync::Arc;

use bytes::Bytes;

use super::pending::{Pending, ask};
use super::question::Question;
use super::shared::Shared;
use crate::error::{Failure, QueryError};
use crate::frame::request::{QueryOffsetRequest, SearchOffsetRequest};
use crate::frame::{ReplyFields, Request, ResponseCode};
use crate::name::{Group, Namespace, QueueName};
use crate::query::{Call, Response, Target};
use crate::time::UnixMillis;

/// The offset of a queue's first message stored at that time or later (29).
pub(super) fn search(
    shared: &Arc<Shared>,
    queue: &QueueName,
    time: UnixMillis,
) -> Pending<Result<i64, QueryError>> {
    let queue = &Namespace::of(shared.config()).queue(queue);
    let request = Request::SearchOffset(SearchOffsetRequest {
        topic: queue.topic.wire().clone(),
        queue_id: queue.queue as i32,
        timestamp: time.0,
        broker: Some(queue.broker.clone()),
        ..Default::default()
    });
    let answer = call(shared, queue, request);
    answer.and_then(shared, |answer| {
        Pending::ready(answer.checked().and_then(|answer| offset(&answer)))
    })
}

/// The offset that a group has stored of a queue (14). Brokers answer 0 where there is none and the
/// queue's first message is still in memory; from 5.0 on they are told not to.
pub(super) fn committed(
    shared: &Arc<Shared>,
    group: &Group,
    queue: &QueueName,
) -> Pending<Result<Option<i64>, QueryError>> {
    let queue = &Namespace::of(shared.config()).queue(queue);
    let request = Request::QueryOffset(QueryOffsetRequest {
        consumer_group: group.wire().clone(),
        topic: queue.topic.wire().clone(),
        queue_id: queue.queue as i32,
        broker: Some(queue.broker.clone()),
        zero_if_absent: Some(false),
        ..Default::default()
    });
    let answer = call(shared, queue, request);
    answer.and_then(shared, |answer| {
        Pending::ready(match answer.code {
            ResponseCode::QUERY_NOT_FOUND => Ok(None),
            _ => answer.checked().and_then(|answer| offset(&answer).map(Some)),
        })
    })
}

fn call(
    shared: &Arc<Shared>,
    queue: &QueueName,
    request: Request,
) -> Pending<Result<Response, QueryError>> {
    let (target, body) = (Target::Queue(queue.clone()), Bytes::new());
    ask(shared, Question::call(Call { target, request, body }))
}

fn offset(response: &Response) -> Result<i64, QueryError> {
    match &response.fields {
        Ok(ReplyFields::Offset(fields)) => Ok(fields.offset),
        Ok(_) => Err(response.failed(Failure::Body("no offset".into()))),
        Err(error) => Err(response.failed(Failure::Unreadable(error.clone()))),
    }
}
