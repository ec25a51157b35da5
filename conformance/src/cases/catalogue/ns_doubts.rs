//! Nameservers that do not know, and routes that say odd things.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::info(
        "NS-16",
        "The mapped queues of a static topic work, or are refused with an error that says so.",
        "Apache test/",
    )
    .on(LIVE)
    .since("5.0.0"),
    Case::must(
        "NS-17",
        "When one of two nameservers does not know a topic, or knows TBW102 alone, the other one \
         is asked, and nothing is sent to a broker that has not the topic.",
        "apache/rocketmq-client-go issue 173 and apache/rocketmq issue 5322",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("autoCreateTopicEnable", "false"), ("registerNameServerPeriod", "60000")])
    .alone()
    .held_by(&[
        "pair::lookups::ns_17_a_topic_that_one_of_two_nameservers_knows_is_there",
        "pair::lookups::ns_17_a_topic_is_missing_when_every_nameserver_that_answers_says_so",
    ]),
    Case::must(
        "NS-18",
        "When the nameserver in use forgets a topic and another one knows where it is, the other \
         one's route is in use within 3 s.",
        "apache/rocketmq issue 2090",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("autoCreateTopicEnable", "false"), ("registerNameServerPeriod", "60000")])
    .alone()
    .held_by(&[
        "pair::lookups::ns_18_a_topic_that_the_nameserver_in_use_forgets_is_asked_of_the_other_one",
        "pair::lookups::ns_18_one_nameserver_alone_that_forgets_a_topic_does_not_take_it_away",
        "pair::lookups::ns_18_a_topic_denied_twice_a_refresh_apart_and_served_by_nobody_is_given_\
         up",
    ]),
    Case::must(
        "NS-19",
        "When a nameserver takes connections and stays silent, at the start or later, another \
         one is asked within a third of the call's deadline.",
        "apache/rocketmq issues 7056 and 9290",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .with(&[("registerNameServerPeriod", "60000")])
    .alone()
    .held_by(&[
        "pair::lookups::ns_19_a_silent_nameserver_costs_a_third_of_the_deadline_at_most",
        "pair::lookups::ns_19_a_late_answer_of_the_first_nameserver_counts",
        "pair::lookups::ns_19_a_nameserver_that_failed_is_asked_again_while_the_other_one_is_\
         silent",
        "pair::lookups::ns_19_look_ups_that_only_fail_or_are_not_answered_ask_at_a_pace",
    ]),
    Case::must(
        "NS-20",
        "When a broker has no master for 3 s, a send that has 10 s is stored all the same, and \
         the next one works within 2 s of the change.",
        "apache/rocketmq issue 9879",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("slaveReadEnable", "true")])
    .alone()
    .held_by(&[
        "pair::lookups::ns_20_a_lasting_lack_is_believed_of_a_route_that_was_told_and_not_of_one_\
         that_is_asked_for",
        "pair::lookups::ns_20_what_heals_by_itself_is_waited_for_by_sends_of_every_aim",
        "pair::lookups::ns_20_questions_wait_for_a_master_too",
        "pair::lookups::ns_20_a_route_without_any_queue_is_waited_for_by_sends_and_consumers",
        "pair::lookups::ns_20_a_fallback_route_without_a_master_is_waited_for",
        "pair::lookups::ns_20_at_the_deadline_the_error_says_what_was_missing_and_is_retriable",
    ]),
    Case::must(
        "NS-21",
        "A broker's address that cannot be read is named in a line of the log and in the error, \
         and an IPv6 address without brackets is connected to.",
        "apache/rocketmq issues 6631 and 8549",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::odd_routes::ns_21_an_address_that_cant_be_read_is_named_in_a_log_line_and_in_the_\
         error",
        "pair::odd_routes::ns_21_rewrite_addresses_may_name_an_address_that_cant_be_read",
        "pair::odd_routes::ns_21_ipv6_without_brackets_connects",
        "pair::odd_routes::ns_21_each_thing_that_a_route_may_lack_has_words_of_its_own",
        "rocketry_core::name::ns_21_an_ipv6_address_that_a_broker_registered_without_brackets_is_\
         read",
    ]),
    Case::should(
        "NS-22",
        "A route's orderTopicConf gives a hash the queue that Java gives it, and a malformed one \
         does no harm.",
        "apache/rocketmq issue 10838",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::odd_routes::ns_22_hashes_go_where_the_order_conf_says",
        "rocketry_core::route::compile::ns_22_the_order_conf_gives_the_queues_and_their_order",
        "rocketry_core::route::compile::ns_22_a_malformed_order_conf_does_no_harm",
    ]),
    Case::must(
        "NS-23",
        "One impossible row in a route is refused and told of, and the other rows are used.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::odd_routes::ns_23_one_impossible_row_is_refused_and_told_and_the_others_are_used",
        "rocketry_core::body::route::ns_23_a_row_that_says_what_cant_be_is_refused_and_the_others_\
         stay",
    ]),
    Case::must(
        "NS-24",
        "A consumer may be there before its topic: it asks for the topic about once a second, \
         and begins within 5 s of its creation.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::topics::a_consumer_may_be_there_before_its_topic",
        "pair::topics::a_consumer_finds_its_topic_soon_although_a_send_was_about_to_create_it",
        "pair::joining::a_consumer_finds_one_of_its_topics_soon_that_is_created_while_it_reads_the_\
         other",
    ]),
];
