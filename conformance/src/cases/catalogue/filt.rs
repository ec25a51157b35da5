//! Filters by tags and by SQL.

use crate::cases::case::{CORE_AND_EMBEDDED, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "FILT-01",
        "The expression *, an empty one and none at all subscribe to all messages of a topic.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "rocketry_core::consumer::filter::filters_are_read_as_java_reads_them",
        "pair::consuming::without_faults_every_message_is_delivered_once_and_in_the_order_of_its_\
         queue",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "FILT-02",
        "An expression of one tag, or of several joined by || with or without spaces, brings the \
         messages of each of them.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "rocketry_core::consumer::filter::filters_are_read_as_java_reads_them",
        "pair::consuming::only_messages_with_the_right_tag_are_delivered_even_if_tags_share_a_hash",
    ]),
    Case::must(
        "FILT-03",
        "A subscription that no message matches brings none, and its offset moves on.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-04",
        "Tags that differ in case, such as BB and bb, are different tags.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-05",
        "Tags with the same hash code, such as Aa and BB, are told apart by the client.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::consuming::only_messages_with_the_right_tag_are_delivered_even_if_tags_share_a_hash",
        "pair::consuming::a_tag_that_shares_a_hash_with_one_of_ours_is_no_sign_of_another_\
         subscription",
    ]),
    Case::must(
        "FILT-06",
        "A message without a tag is not delivered to a consumer of the tag A.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::info(
        "FILT-07",
        "Members of one group that subscribe to different tags, such as three with a tag each, \
         are warned: a group is not meant for that.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&[
        "pair::consuming::members_of_a_group_with_different_tags_are_told_so_once_a_minute",
    ]),
    Case::must(
        "FILT-08",
        "A message with a long tag is delivered to a consumer of that tag.",
        "rocketmq-e2e",
    )
    .on(LIVE),
    Case::must(
        "FILT-09",
        "A SQL expression such as a > 5 brings the messages whose properties match it.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-10",
        "SQL expressions with BETWEEN, IN, IS NULL, AND, OR and NOT bring the messages that match.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-11",
        "A SQL expression over a property that no message has brings none.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-12",
        "A SQL expression that cannot be parsed is refused by the broker \
         (SUBSCRIPTION_PARSE_FAILED, 23), and the consumer reports it.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-13",
        "Where brokers filter by no properties (enablePropertyFilter=false), a consumer with a \
         SQL expression gets an error at its start that says so.",
        "Java source",
    )
    .on(LIVE)
    .with(&[("enablePropertyFilter", "false")]),
    Case::should(
        "FILT-14",
        "An orderly consumer with a SQL expression gets the messages that match in their order.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-15",
        "A SQL expression of 10,000 nested parentheses is an error and overflows no stack.",
        "Rocketry's own",
    )
    .on(CORE_AND_EMBEDDED),
    Case::should(
        "FILT-16",
        "SQL texts with quotes in them and numbers with exponents mean what they mean in Java.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "FILT-17",
        "After a change of a subscription the broker uses the newer version, and a client that \
         is told SUBSCRIPTION_NOT_LATEST (25) tells its subscription before it pulls again.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::standing::after_word_that_a_broker_does_not_know_the_group_nothing_is_pulled_before_\
         a_heartbeats_answer",
        "pair::moving::conn_17_a_broker_that_says_it_does_not_know_us_hears_of_us_before_the_next_\
         pull",
        "broker::pulling::the_heartbeat_says_what_a_group_may_pull",
        "pair::subscribing::filt_17_a_changed_filter_counts_at_once_for_what_is_pulled_from_then_\
         on",
    ]),
    Case::should(
        "FILT-18",
        "A filter of the application's runs in the client after the filter by tags: what it \
         refuses is settled, and a message at which it panics is handed out.",
        "Java source",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::filters::filt_18_what_the_filter_refuses_is_settled_and_not_handed_out",
        "weather::filters::filt_18_handlers_are_given_what_the_filter_takes",
        "weather::filters::filt_18_a_message_at_which_the_filter_panics_is_handed_out",
    ]),
    Case::must(
        "FILT-19",
        "Random expressions in SQL, 10,000 where it may take long, are read, refused and matched \
         by a live broker as by the embedded one.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE),
];
