//! Nameservers and routes: asking, and what is used.

use crate::cases::case::{CORE_AND_LIVE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "NS-01",
        "The queues and brokers that the client takes from a known topic's route \
         (GET_ROUTEINFO_BY_TOPIC, 105) are those that an operator sees.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::nameservers::ns_01_a_known_topics_queues_and_brokers_are_those_of_the_cluster",
    ]),
    Case::must(
        "NS-02",
        "A topic that the nameserver does not know (TOPIC_NOT_EXIST, 17) ends a send in a typed \
         error, and no storm of route requests follows.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("autoCreateTopicEnable", "false")])
    .held_by(&[
        "pair::nameservers::ns_02_ns_04_a_topic_that_nobody_creates_is_a_typed_error_at_once_and_\
         no_storm",
        "pair::topics::topics_that_do_not_exist_are_not_asked_for_again",
    ]),
    Case::must(
        "NS-03",
        "For a topic that is unknown where brokers create topics, the route of TBW102 is used, \
         with at most as many queues as the client's default (4) and the broker's own (8).",
        "Java source",
    )
    .on(LIVE)
    .held_by(&[
        "pair::nameservers::ns_03_an_unknown_topic_gets_four_queues_of_tbw102_or_fewer_where_it_\
         has_fewer",
        "pair::reaching::ns_03_a_question_about_an_unknown_topic_does_not_ask_for_the_one_that_\
         creates",
    ]),
    Case::must(
        "NS-04",
        "Where brokers create no topics, the error of a send to an unknown topic names the topic \
         and the nameserver.",
        "Java source",
    )
    .on(LIVE)
    .with(&[("autoCreateTopicEnable", "false")])
    .held_by(&[
        "pair::nameservers::ns_02_ns_04_a_topic_that_nobody_creates_is_a_typed_error_at_once_and_\
         no_storm",
    ]),
    Case::must(
        "NS-05",
        "A route with bare integers as keys, as fastjson writes it ({0:\"a\"}), is read, and one \
         with hostile nesting is refused.",
        "pyrocketmq",
    )
    .on(CORE_AND_LIVE)
    .held_by(&[
        "rocketry_core::body::route::ns_05_both_forms_that_java_writes_are_read_alike",
        "rocketry_core::body::route::ns_05_depth_size_and_numbers_of_a_hostile_route_are_bounded",
        "pair::nameservers::ns_05_keys_without_quotes_are_read",
    ]),
    Case::must(
        "NS-06",
        "When the first of several nameservers is dead, the next one is used within the connect \
         timeout.",
        "Apache test/",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::nameservers::ns_06_a_dead_first_nameserver_costs_no_more_than_connect_timeout",
        "pair::reaching::ns_06_a_bad_nameserver_beside_a_good_one_ends_no_call_and_alarms_nobody_\
         about_topics",
    ]),
    Case::must(
        "NS-07",
        "When all nameservers die after the start, producing goes on with the route that is known.",
        "librdkafka 0095",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::nameservers::ns_07_ten_minutes_without_any_nameserver_stop_nobody_who_has_a_route",
    ]),
    Case::must(
        "NS-08",
        "A nameserver that is back is asked for routes again, without a restart of the client.",
        "librdkafka 0152",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::nameservers::ns_08_a_nameserver_that_is_back_is_asked_again_without_a_restart",
    ]),
    Case::should(
        "NS-09",
        "Nameservers that disagree do not make routes flap: the client keeps to one of them \
         until it fails.",
        "apache/rocketmq-operator issue 227",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::nameservers::ns_09_nameservers_that_disagree_do_not_make_routes_flap",
        "rocketry_core::nameserver::one_nameserver_is_kept_until_it_fails",
    ]),
    Case::should(
        "NS-10",
        "The list of nameservers that an HTTP address server gives is fetched again every two \
         minutes, and a bad reply keeps the old list.",
        "Java source",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::address::ns_10_the_list_is_fetched_at_the_start_and_every_two_minutes",
        "pair::address::ns_10_a_bad_or_empty_reply_keeps_the_old_list",
        "pair::address::ns_10_a_changed_list_is_adopted_and_the_current_server_stays_while_it_is_\
         listed",
        "pair::address::ns_10_a_call_waits_for_the_first_list_to_its_deadline_and_names_the_page",
        "pair::address::ns_10_calls_go_on_as_soon_as_the_first_list_is_there",
        "pair::address::ns_10_given_nameservers_serve_until_the_list_is_there",
        "pair::address::ns_10_a_client_that_never_got_a_list_shuts_down_at_once_and_asks_no_more",
        "runtimes::pages::ns_10_a_page_is_read_however_it_is_sent_on_every_runtime",
        "runtimes::pages::ns_10_a_page_that_is_bad_at_first_is_asked_for_again_on_every_runtime",
        "runtimes::pages::ns_10_without_a_page_a_call_ends_by_its_deadline_and_says_why_on_every_\
         runtime",
        "runtimes::pages::ns_10_a_silent_server_ends_with_the_client_on_every_runtime",
    ]),
    Case::should(
        "NS-11",
        "A name with many addresses has them tried in turn, and it is looked up anew after a \
         failure, so that a changed address is found.",
        "apache/rocketmq-client-go issue 657",
    )
    .on(EMBEDDED)
    .held_by(&[
        "dialling::ns_11_a_name_is_looked_up_anew_after_a_failure",
        "dialling::the_first_address_that_answers_wins_and_the_others_are_dropped",
    ]),
    Case::must(
        "NS-12",
        "Producers pass by queues that may not be written to and consumers by queues that may \
         not be read, as the permission of each says: 2 for writing, 4 for reading, 6 for both.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::should(
        "NS-13",
        "A topic with an order configuration on the nameserver (ORDER_TOPIC_CONFIG) has exactly \
         the queues that it names.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "NS-14",
        "A broker of which only a slave is there is not published to, and is read from.",
        "Apache test/, container",
    )
    .on(EMBEDDED_AND_LIVE)
    .alone()
    .held_by(&[
        "pair::asking::a_hash_goes_past_a_broker_without_a_master",
        "pair::offsets::off_17_while_a_slave_serves_alone_offsets_are_committed_there_and_kept_\
         over_a_restart",
    ]),
    Case::should(
        "NS-15",
        "A client has one route request of a topic in flight at most and makes one at most in 30 \
         s, at times that drift apart from other clients'.",
        "apache/rocketmq issue 2728",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::nameservers::ns_15_a_topic_is_asked_for_at_most_once_in_thirty_seconds_and_clients_\
         drift_apart",
        "pair::nameservers::ns_15_whoever_wants_a_route_shares_the_one_request_in_flight",
    ]),
];
