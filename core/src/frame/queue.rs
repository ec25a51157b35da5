//! Requests about one queue.

use super::Request;
use super::request::{MaxOffsetRequest, MinOffsetRequest};
use crate::name::QueueName;

impl QueueName {
    pub(crate) fn ask_min_offset(&self) -> Request {
        Request::MinOffset(MinOffsetRequest {
            topic: self.topic.shared(),
            queue_id: self.queue as i32,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }

    pub(crate) fn ask_max_offset(&self) -> Request {
        Request::MaxOffset(MaxOffsetRequest {
            topic: self.topic.shared(),
            queue_id: self.queue as i32,
            broker: Some(self.broker.clone()),
            ..Default::default()
        })
    }
}
