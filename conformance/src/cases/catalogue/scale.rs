//! Large clusters.

use crate::cases::case::{CORE, CORE_AND_LIVE, Case, EMBEDDED, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::should(
        "SCALE-01",
        "With 177 brokers, the first message is sent within a second of the client's start.",
        "apache/rocketmq issue 9900",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::should(
        "SCALE-02",
        "One consumer of 100,000 queues on 1,000 brokers starts within 2 s and takes less than \
         64 MiB.",
        "Rocketry, goals for large clusters",
    )
    .on(EMBEDDED),
    Case::should(
        "SCALE-03",
        "When 10,000 consumers join within 60 s of simulated time, the group comes to one \
         allocation, and a join costs each member a constant number of messages.",
        "Rocketry, goals for large clusters",
    )
    .on(EMBEDDED),
    Case::should(
        "SCALE-04",
        "A route of 219 KB of JSON is parsed within 3 ms.",
        "Rocketry, goals for large clusters",
    )
    .on(CORE),
    Case::info(
        "SCALE-05",
        "With 70,001 topics registered, the route is still served, or the error is clear.",
        "apache/rocketmq issue 7326",
    )
    .on(LIVE),
    Case::should(
        "SCALE-06",
        "The heartbeats of one client in a minute take at most a tenth of the bytes in their \
         second version that they take in their first.",
        "RocketMQ improvement proposal 64",
    )
    .on(CORE_AND_LIVE)
    .since("5.1.0"),
];
