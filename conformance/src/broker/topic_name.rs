//! Which names of topics a broker takes (`TopicValidator`).

use super::answer::{Answer, invalid};
use super::topic::{DEAD_LETTER_PREFIX, RETRY_PREFIX, SCHEDULE, TEMPLATE};

/// Characters of a topic, and of one that belongs to a group.
const LONGEST: usize = 127;
const LONGEST_OF_GROUP: usize = 255;

/// Refuses a name that no topic may have (`TopicValidator.validateTopic`).
pub(super) fn check(server: i32, name: &str) -> Result<(), Answer> {
    let refuse = |remark| Err(Answer::error(invalid(server), remark));
    if name.trim().is_empty() {
        return refuse("The specified topic is blank.");
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"%-_|".contains(&byte);
    if !name.bytes().all(legal) {
        return refuse(
            "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$",
        );
    }
    let of_group = name.starts_with(RETRY_PREFIX) || name.starts_with(DEAD_LETTER_PREFIX);
    if name.len() > if of_group { LONGEST_OF_GROUP } else { LONGEST } {
        return refuse("The specified topic is longer than topic max length.");
    }
    Ok(())
}

/// Whether this is one of the broker's own topics that clients may not send to
/// (`TopicValidator.isNotAllowedSendTopic`).
pub(super) fn is_forbidden(name: &str) -> bool {
    matches!(
        name,
        SCHEDULE
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
