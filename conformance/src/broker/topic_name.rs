//! Which names of topics a broker takes (`TopicValidator`).

use rocketry_core::frame::ResponseCode;

use super::answer::Answer;
use super::topic::{RETRY_PREFIX, TEMPLATE};

const DEAD_LETTER_PREFIX: &str = "%DLQ%";
/// Characters of a topic, and of one that belongs to a group.
const LONGEST: usize = 127;
const LONGEST_OF_GROUP: usize = 255;

/// Refuses a name that no topic may have, with 29 (`TopicValidator.validateTopic`).
pub(super) fn check(name: &str) -> Result<(), Answer> {
    let refuse = |remark: String| Err(Answer::error(ResponseCode::INVALID_PARAMETER, remark));
    if name.trim().is_empty() {
        return refuse("The specified topic is blank.".to_owned());
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"%-_|".contains(&byte);
    if !name.bytes().all(legal) {
        return refuse(format!(
            "The specified topic: {name}, contains illegal characters, allowing only \
             ^[%|a-zA-Z0-9_-]+$"
        ));
    }
    if name.starts_with(RETRY_PREFIX) || name.starts_with(DEAD_LETTER_PREFIX) {
        if name.len() > LONGEST_OF_GROUP {
            return refuse(format!(
                "The specified topic is DLQ or Retry topic: {name}, and it's longer than topic \
                 max length: {LONGEST_OF_GROUP}"
            ));
        }
    } else if name.len() > LONGEST {
        return refuse(format!(
            "The specified topic: {name}, is longer than topic max length: {LONGEST}"
        ));
    }
    Ok(())
}

/// Whether this is one of the broker's own topics that clients may not send to
/// (`TopicValidator.isNotAllowedSendTopic`).
pub(super) fn is_forbidden(name: &str) -> bool {
    matches!(
        name,
        "SCHEDULE_TOPIC_XXXX"
            | "RMQ_SYS_TRANS_HALF_TOPIC"
            | "RMQ_SYS_TRANS_OP_HALF_TOPIC"
            | "TRANS_CHECK_MAX_TIME_TOPIC"
            | "SELF_TEST_TOPIC"
            | "OFFSET_MOVED_EVENT"
    )
}

/// Whether this is one of the broker's own topics, which clients may not make, change or delete
/// (`TopicValidator.isSystemTopic`).
pub(super) fn is_system(name: &str) -> bool {
    let own =
        matches!(name, TEMPLATE | "BenchmarkTest" | "RMQ_SYS_TRACE_TOPIC" | "CHECKPOINT_TOPIC");
    own || is_forbidden(name) || name.starts_with("rmq_sys_")
}
