//! Transactions.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "TXN-01",
        "A transactional message that is committed is delivered.",
        "Apache test/ and rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-02",
        "A transactional message that is rolled back is never delivered.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-03",
        "A transaction of unknown state that a check commits is delivered after the check.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-04",
        "A transaction of unknown state that a check rolls back is never delivered.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-05",
        "A half message is delivered to nobody before its transaction ends.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-06",
        "When END_TRANSACTION (37) is lost, a check settles the transaction.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy(),
    Case::must(
        "TXN-07",
        "When a producer dies after its half message, another producer of the group is checked.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-08",
        "A transaction listener that panics leaves the state unknown.",
        "Java source",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::must(
        "TXN-09",
        "When the local work takes longer than 6 s, a check may come while it runs, and both are \
         safe.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::info(
        "TXN-10",
        "After 15 checks a half message goes to TRANS_CHECK_MAX_TIME_TOPIC, as in Java.",
        "Java source",
    )
    .on(LIVE),
    Case::should(
        "TXN-11",
        "The property for the immunity time delays the first check of a transaction.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "TXN-12",
        "A delay level on a transactional message is ignored, as in Java.",
        "Java source",
    )
    .on(LIVE),
    Case::must("TXN-13", "A transactional batch is refused in the client.", "Java source").on(CORE),
    Case::must(
        "TXN-14",
        "A check for a group that the client does not have is ignored with a warning.",
        "Java source",
    )
    .on(EMBEDDED),
    Case::must("TXN-15", "Of 1,000 transactions at once each ends as it should.", "Rocketry's own")
        .on(EMBEDDED_AND_LIVE)
        .on_every_runtime(),
    Case::should(
        "TXN-16",
        "A broker that takes no transactions (rejectTransactionMessage=true) refuses them with \
         NO_PERMISSION (16).",
        "Java source",
    )
    .on(LIVE)
    .with(&[("rejectTransactionMessage", "true")]),
];
