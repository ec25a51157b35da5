//! Sending: where messages go, and tries.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "SEND-01",
        "A message that is sent is stored once, where its receipt says: SEND_OK, the message id, \
         the queue and the offset.",
        "Apache test/ and rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::sending::send_01_a_message_is_sent_and_consumed"]),
    Case::must(
        "SEND-02",
        "Of 10,000 sends in flight at once each ends, and no more of them are under way to a \
         broker than the window allows.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::window::a_broker_that_says_nothing_gets_no_more_than_its_window_however_long_calls_\
         go_on",
        "pair::window::what_has_not_left_by_its_deadline_is_not_stored_and_what_has_is_no_more_\
         than_the_window",
    ]),
    Case::must(
        "SEND-03",
        "A oneway message is stored, and no response is waited for.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::aiming::send_03_a_oneway_message_is_stored_and_nothing_answers",
        "pair::aiming::send_03_a_oneway_message_without_a_broker_ends_in_an_error_by_its_deadline",
        "pair::trying::send_03_oneway_messages_lost_with_their_connection_are_counted_each",
        "pair::trying::send_03_a_oneway_message_asks_for_no_answer_and_gets_none",
    ]),
    Case::must(
        "SEND-04",
        "A message sent to a chosen queue is stored in that queue.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::aiming::send_04_a_message_goes_to_the_queue_that_was_named"]),
    Case::must(
        "SEND-05",
        "A selector by hash gives a key the same queue each time, by Java's hash; a random one \
         finds all queues, and one of the application's has its way.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::aiming::send_05_a_key_has_its_queue_and_random_finds_them_all",
        "rocketry_core::message::java_hash::hashes_are_those_that_java_prints",
    ]),
    Case::must(
        "SEND-06",
        "A selector that panics or chooses a queue that is not there gives the caller an error, \
         and the producer lives on.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
    Case::must(
        "SEND-07",
        "A send to a queue whose number is the topic's count of write queues, or larger, ends in \
         the broker's refusal: INVALID_PARAMETER (29).",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::aiming::send_07_a_queue_that_is_not_there_is_refused_by_the_broker"]),
    Case::must(
        "SEND-08",
        "A send to queue -1 is stored in a queue that the broker picks.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&["pair::aiming::send_08_the_broker_picks_the_queue_of_minus_one"]),
    Case::must(
        "SEND-09",
        "Sends in turn spread over the queues so that no queue gets more than one message above \
         another.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::sending::send_09_a_thousand_messages_spread_over_eight_queues_evenly",
        "pair::sending::send_09_rounds_that_do_not_divide_differ_by_one",
        "pair::trying::send_09_clients_begin_their_rounds_at_different_queues",
    ]),
    Case::must(
        "SEND-10",
        "The second try of a send goes to another broker than the one that failed.",
        "Java source",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::aiming::send_10_a_second_try_goes_to_another_broker",
        "rocketry_core::producer::a_retry_goes_to_another_broker_and_else_to_another_queue",
    ]),
    Case::must(
        "SEND-11",
        "Refusals with the codes 17, 14, 1, 2, 16, 204, 205 and 1500 are tried again as often as \
         is set, and refusals with other codes are not.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::aiming::send_11_only_errors_that_another_queue_may_not_have_are_tried_again",
        "pair::refusing::a_missing_permission_may_be_one_brokers_alone_and_is_tried_once_more",
        "pair::refusing::an_illegal_message_is_not_sent_twice",
    ]),
    Case::must(
        "SEND-12",
        "One deadline covers the route, the connection and every try of a send, which ends no \
         later than 50 ms after it.",
        "Java source",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::deadlines::send_12_tries_that_are_refused_slowly_end_exactly_at_the_deadline",
        "pair::deadlines::send_12_an_answer_that_never_comes_ends_exactly_at_the_deadline",
        "pair::deadlines::send_12_a_broker_that_closes_on_every_try_ends_by_the_deadline",
        "pair::deadlines::send_12_the_route_and_the_connection_are_part_of_it",
        "pair::deadlines::send_12_many_at_once_with_deadlines_of_their_own_each_end_at_theirs",
    ]),
    Case::must(
        "SEND-13",
        "FLUSH_DISK_TIMEOUT (10), SLAVE_NOT_AVAILABLE (11) and FLUSH_SLAVE_TIMEOUT (12) are \
         statuses of a stored message and no errors, and another broker is tried only where that \
         is set.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("brokerRole", "SYNC_MASTER"), ("inSyncReplicas", "2"), ("slaveTimeout", "1000")])
    .held_by(&[
        "pair::aiming::send_13_a_status_is_told_and_another_broker_asked_only_on_demand",
        "pair::refusing::a_message_kept_but_not_flushed_is_stored_and_says_how_well",
    ]),
    Case::must(
        "SEND-14",
        "A broker that is busy (SYSTEM_BUSY, 2) is asked again after pauses that grow, and the \
         error keeps the broker's own words.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::refusing::send_14_a_busy_broker_is_asked_again_after_a_pause_on_another_queue",
        "pair::refusing::send_14_a_broker_that_stays_busy_rejects_the_message_and_has_not_stored_\
         it",
        "pair::trying::send_14_the_pauses_before_a_busy_broker_is_asked_again_grow_to_half_a_\
         second",
        "pair::promises::a_remark_with_line_ends_forges_no_line_of_a_log",
    ]),
    Case::should(
        "SEND-15",
        "With fault isolation, a broker that failed or was slow is avoided for the times of \
         Java's table.",
        "Java source",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "rocketry_core::broker::health::send_15_pauses_are_those_of_javas_table",
        "pair::aiming::send_15_a_broker_that_failed_is_left_alone_for_ten_seconds",
        "pair::aiming::send_15_a_probe_ends_the_isolation_of_a_broker_that_answers_it",
        "pair::suspecting::send_15_a_broker_that_let_a_send_run_out_of_time_is_left_alone_for_ten_\
         seconds",
        "pair::suspecting::send_15_a_send_cancelled_before_it_left_is_no_word_against_its_broker",
        "pair::trying::send_15_without_fault_isolation_a_broker_that_refused_a_send_keeps_its_\
         turns",
    ]),
    Case::must(
        "SEND-16",
        "An empty body is refused in the client, as in Java's (MESSAGE_ILLEGAL, 13), and nothing \
         is sent.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "SEND-17",
        "A body of 4 MiB is sent, and one of 4 MiB and a byte is refused in the client, and \
         nothing of it is sent.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "SEND-18",
        "A topic that is blank, has 128 characters or bad ones, or is one of the broker's own is \
         refused in the client.",
        "Apache test/ and CVE-2019-17572",
    )
    .on(CORE)
    .held_by(&[
        "message_publish::send_18_a_topic_that_brokers_refuse_is_refused_before_anything_is_sent",
    ]),
];
