//! Limits and much of everything.

use crate::cases::case::{
    CORE_AND_EMBEDDED, CORE_AND_LIVE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE,
};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "LIMIT-01",
        "A frame at the limit (32 MiB by default, where Java's brokers take 16 MiB) is read, and \
         one over it is refused.",
        "Java source",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "frame_streams::bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_\
         ever",
        "frame_headers::a_frame_over_the_limits_is_left_out_whole",
        "weather::sieges::bodies_of_32_mebibytes_are_held_once",
    ]),
    Case::must(
        "LIMIT-02",
        "Names of topics with 127 characters and of groups with 120 are taken, and those with \
         128 and 121 are refused.",
        "Java source",
    )
    .on(CORE_AND_LIVE)
    .held_by(&["rocketry_core::name::topics_and_groups_are_checked_before_they_are_used"]),
    Case::should(
        "LIMIT-03",
        "Retry topics with names of up to 255 characters work.",
        "Java source",
    )
    .on(LIVE),
    Case::should(
        "LIMIT-04",
        "A topic with 1,024 queues works.",
        "Rocketry, goals for large clusters",
    )
    .on(LIVE),
    Case::should(
        "LIMIT-05",
        "A consumer of 10,000 topics asks for each once, reads all within two minutes and takes \
         less than 100 MiB of memory.",
        "librdkafka 0042",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::many_topics::limit_05_each_of_two_thousand_topics_is_asked_for_once_and_looks_are_\
         at_many_of_them",
        "weather::topics::limit_05_a_consumer_of_ten_thousand_topics_takes_less_than_100_mib",
    ]),
    Case::must(
        "LIMIT-06",
        "With 65,536 requests in flight on one connection, memory is bounded and every response \
         finds its call.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::window::a_burst_of_65_000_sends_is_stored_by_a_broker_that_has_the_time_and_the_\
         next_one_is_quick",
        "rocketry_core::remoting::calls::many_calls_in_flight_are_all_found_again",
    ]),
    Case::must(
        "LIMIT-07",
        "With a backlog of a million messages and a slow listener, the process's memory is \
         bounded by the thresholds.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
    Case::should(
        "LIMIT-08",
        "A hundred consumers in one process share connections.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::case_groups::limit_08_a_hundred_consumers_of_one_client_share_its_connections",
    ]),
    Case::must(
        "LIMIT-09",
        "After 10,000 clients that were started and stopped, no task, thread or file descriptor \
         is left.",
        "apache/rocketmq-client-go issue 614",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::leaks::limit_09_a_hundred_clients_leave_nothing_behind",
        "weather::leaks::limit_09_ten_thousand_clients_leave_nothing_behind",
    ]),
    Case::should(
        "LIMIT-10",
        "Over 24 hours of work, scaled down, memory stays flat and no message is lost.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::should(
        "LIMIT-11",
        "A producer of 100,000 messages a second for 10 s leaves no queue unbounded.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::must(
        "LIMIT-12",
        "With listeners that take 1 us and others that take 1 s, no queue waits for another.",
        "librdkafka 0093",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::handlers::limit_12_slow_handlers_keep_neither_their_neighbours_nor_another_\
         consumer",
    ]),
    Case::should(
        "LIMIT-13",
        "Addresses, brokers, topics and producer groups that nothing names any more are \
         forgotten, and those in use are kept.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::forgetting::a_nameserver_that_names_another_address_or_broker_each_time_leaves_no_\
         more_than_a_few",
        "pair::forgetting::a_topic_that_was_used_once_is_not_asked_for_for_ever",
        "pair::forgetting::a_topic_that_is_used_now_and_then_is_kept",
        "pair::forgetting::three_hundred_topics_each_used_once_are_forgotten_with_their_brokers",
        "pair::forgetting::a_producer_group_is_gone_from_brokers_with_its_last_producer",
        "pair::forgetting::a_broker_that_has_another_name_now_is_known_on_when_the_old_name_is_\
         forgotten",
    ]),
    Case::should(
        "LIMIT-14",
        "An idle client costs a few steps a minute, with or without peers.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::idle::an_idle_hour_of_a_producer_takes_few_steps",
        "pair::idle::an_idle_hour_of_a_consumer_takes_few_steps",
        "pair::idle::an_hour_without_any_peer_takes_few_steps",
        "pair::idle::an_hour_before_any_peer_is_there_takes_few_steps",
    ]),
    Case::should(
        "LIMIT-15",
        "What a thousand queues or 2,000 deadlines have to do at one moment is done in turns of \
         at most 300, and all of it at that moment.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::turns::a_thousand_queues_are_begun_pulled_and_committed_in_turns_and_none_waits_for_\
         time",
        "pair::turns::two_thousand_deadlines_of_one_moment_are_told_in_turns",
    ]),
];
