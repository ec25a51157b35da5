//! Requests about one queue.

use super::Request;
use super::request::{MaxOffsetRequest, MinOffsetRequest, SearchOffsetRequest};
use crate::name::QueueName;
use crate::time::UnixMillis;

impl QueueName {
    pub(crate) fn ask_min_offset(&self) -> Request {
        Request::MinOffset(MinOffsetRequest {
            topic: self.topic.wire().clone(),
            queue_id: self.queue as i32,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }

    /// The offset of the first message of that time or later.
    pub(crate) fn ask_offset_of(&self, time: UnixMillis) -> Request {
        Request::SearchOffset(SearchOffsetRequest {
            topic: self.topic.wire().clone(),
            queue_id: self.queue as i32,
            timestamp: time.0,
            boundary: None,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }

    pub(crate) fn ask_max_offset(&self) -> Request {
        Request::MaxOffset(MaxOffsetRequest {
            topic: self.topic.wire().clone(),
            queue_id: self.queue as i32,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }
}
