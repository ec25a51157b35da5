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
    .behind_proxy()
    .held_by(&[
        "pair::transactions::\
         txn_06_an_end_that_is_lost_is_not_repeated_and_the_check_is_told_the_same",
        "pair::transactions::an_end_whose_connection_is_lost_is_sent_again_only_if_it_never_left",
        "pair::transactions::a_copy_of_what_is_committed_already_is_rolled_back",
    ]),
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
    .on_every_runtime()
    .held_by(&["weather::transactions::txn_08_a_checker_that_panics_says_unknown"]),
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
    Case::must("TXN-13", "A transactional batch is refused in the client.", "Java source")
        .on(CORE)
        .held_by(&["pair::transactions::\
            txn_13_only_a_half_message_begins_a_transaction_and_one_id_is_undecided_once"]),
    Case::must(
        "TXN-14",
        "A check for a group that the client does not have is ignored with a warning.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&["pair::transactions::\
        txn_14_a_check_of_a_group_without_a_transaction_producer_is_told_of_and_not_answered"]),
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
    Case::info(
        "TXN-17",
        "A broker does each end that it is told: a second commit, and one after a rollback, put \
         the message into its topic again.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "TXN-18",
        "Apache's client for Java reads what is committed here and nothing else; it is asked about \
         the half messages of a client of ours that was killed, and ours about those of one in \
         Java; and all that is so at the embedded broker.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::must(
        "TXN-19",
        "Of 10,000 transactions of processes that are killed, at a broker that is killed, each \
         commit is in the log once, no rollback ever, and none stays undecided.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE),
];
