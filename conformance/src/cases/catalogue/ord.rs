//! Orderly consumers.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "ORD-01",
        "An orderly consumer handles 8 queues of 30 messages each in the order of every queue.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ORD-02",
        "An orderly consumer with 16 workers handles 1000 messages of one queue in their order \
         and never two of them at once.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
    Case::must(
        "ORD-03",
        "A queue is locked (LOCK_BATCH_MQ, 41) before the first orderly delivery of it.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::orderly::ord_03_a_queue_is_locked_before_it_is_read"]),
    Case::must(
        "ORD-04",
        "Locks of queues are renewed every 20 s and expire after 30 s in the client: nothing is \
         delivered after that.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::locks::ord_04_nothing_is_handed_out_once_the_lock_has_run_out",
        "pair::locks::a_process_that_sleeps_for_40_s_hands_nothing_out_under_its_old_locks",
    ]),
    Case::must(
        "ORD-05",
        "When another client has the lock, orderly delivery of the queue stops after one message \
         at most.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&["pair::locks::ord_05_a_queue_that_another_client_has_stops_within_one_message"]),
    Case::must(
        "ORD-06",
        "A shutdown unlocks its queues, so that another member takes them over within 1 s.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ORD-07",
        "When an orderly handler asks for a pause, the same message comes again after 1 s, and \
         the next one is not delivered before it.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ORD-08",
        "An orderly message that has reached its limit of attempts goes to the dead letters, and \
         then the next one is delivered.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ORD-09",
        "While a group grows from 2 to 4 orderly consumers and shrinks to 2 again, the order of \
         every queue is kept, and no two members have one queue at once.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ORD-10",
        "The queues of an orderly consumer that crashed are taken over within the broker's lock \
         time (60 s) and one rebalance.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .alone(),
    Case::must(
        "ORD-11",
        "An orderly consumer of a tag gets the messages of that tag in their order.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ORD-12",
        "The offset of an orderly consumer is not set back to the beginning by a restart of the \
         broker.",
        "apache/rocketmq issue 1825",
    )
    .on(EMBEDDED)
    .held_by(&["pair::locks::ord_12_after_a_restart_of_the_broker_the_queue_goes_on_where_it_was"]),
    Case::must(
        "ORD-13",
        "Broadcasting orderly consumers each get every queue in its order, without locks.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::should(
        "ORD-14",
        "An orderly handler that commits and rolls back by itself works as in Java.",
        "Java source",
    )
    .on(EMBEDDED),
    Case::must(
        "ORD-15",
        "Of many messages (a million of 10,000 keys in long runs) over 16 queues, with members \
         that join, leave, are killed and are stopped for 40 s, and a broker that is killed twice, \
         each queue's are handled first in their order, no two at once while their lock lasts, \
         and none is lost.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .alone(),
];
