//! Queues that a broker assigns, and whether a group pulls or pops.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::json_body;
use super::heartbeat::MessageModel;
use super::queue::MessageQueue;
use super::text::or_default;

/// The body of `QUERY_ASSIGNMENT` (400): `QueryAssignmentRequestBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentQuery {
    /// The client.
    pub client_id: String,
    /// Its group.
    pub consumer_group: String,
    /// Whether the group shares messages out.
    #[serde(default)]
    pub message_model: MessageModel,
    /// How queues are shared out, as "AVG" or "AVG_BY_CIRCLE".
    #[serde(default, deserialize_with = "or_default")]
    pub strategy_name: String,
    /// The topic.
    pub topic: String,
}

json_body!(AssignmentQuery, "query of an assignment");

/// The body of the reply to `QUERY_ASSIGNMENT` (400): `QueryAssignmentResponseBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignments {
    /// The queues of this client.
    #[serde(rename = "messageQueueAssignments", default, deserialize_with = "or_default")]
    pub queues: Vec<Assignment>,
}

json_body!(Assignments, "assignment");

/// One assigned queue (`MessageQueueAssignment`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// What comes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<BTreeMap<String, String>>,
    /// The queue; -1 in pop mode: any of the broker's.
    #[serde(rename = "messageQueue")]
    pub queue: MessageQueue,
    /// How to read it.
    #[serde(default)]
    pub mode: RequestMode,
}

/// How a group reads (`MessageRequestMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestMode {
    /// The client keeps offsets.
    #[default]
    Pull,
    /// The broker keeps receipts.
    Pop,
}

/// The body of `SET_MESSAGE_REQUEST_MODE` (401): `SetMessageRequestModeRequestBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestModeBody {
    /// The group.
    pub consumer_group: String,
    /// How it is to read.
    #[serde(default)]
    pub mode: RequestMode,
    /// How many clients share a queue that is popped; 0: all.
    #[serde(default)]
    pub pop_share_queue_num: i32,
    /// The topic.
    pub topic: String,
}

json_body!(RequestModeBody, "request mode");
