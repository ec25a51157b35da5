//! Batches.

use crate::cases::case::{CORE, Case, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "BATCH-01",
        "A batch of 10 messages is 10 messages to who consumes it, and its receipt has their \
         ids, separated by commas.",
        "Apache test/ and rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "message_publish::batch_01_batch_06_each_message_keeps_its_body_properties_and_id",
        "message_publish::batch_01_each_message_keeps_its_flag",
    ]),
    Case::must(
        "BATCH-02",
        "A batch that is sent to one queue lies there at consecutive offsets.",
        "rocketmq-e2e",
    )
    .on(LIVE),
    Case::must(
        "BATCH-03",
        "A batch with messages of different topics is refused in the client.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "message_publish::batch_03_batch_04_mixed_topics_delays_and_retry_topics_are_refused",
    ]),
    Case::must(
        "BATCH-04",
        "A batch with a delayed message, or for a retry topic, is refused in the client.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "message_publish::batch_03_batch_04_mixed_topics_delays_and_retry_topics_are_refused",
    ]),
    Case::must(
        "BATCH-05",
        "A batch of more than 4 MiB in all is refused in the client, or split by a function for \
         that.",
        "Java source",
    )
    .on(CORE)
    .held_by(&["message_publish::batch_05_what_is_larger_than_a_body_together_is_refused"]),
    Case::must("BATCH-06", "Each message of a batch keeps its properties.", "Apache test/")
        .on(LIVE)
        .held_by(&[
            "message_publish::batch_01_batch_06_each_message_keeps_its_body_properties_and_id",
            "message_publish::batch_01_each_message_keeps_its_flag",
        ]),
    Case::should(
        "BATCH-07",
        "A batch that a broker keeps as one record (flags INNER_BATCH and NEED_UNWRAP) comes out \
         as its messages, each at its own offset.",
        "Apache test/",
    )
    .on(LIVE)
    .since("5.0.0"),
    Case::should(
        "BATCH-08",
        "Messages that the client gathers into batches by itself, by time and by bytes, give \
         each caller the result of its own message.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
];
