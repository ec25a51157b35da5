//! Brokers that move, leave, flood or stop reading, and connections beyond the first.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "CONN-15",
        "A client that only consumes is delivered to again within 3 s of the route that names \
         its broker's new address.",
        "apache/rocketmq-client-go issue 657",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .alone()
    .held_by(&[
        "pair::moving::conn_15_a_consumer_alone_follows_its_broker_to_another_address",
        "pair::moving::conn_15_an_address_told_for_one_topic_moves_the_consumers_of_all_others",
        "pair::moving::conn_15_two_brokers_that_change_places_are_found_although_both_are_known",
    ]),
    Case::must(
        "CONN-16",
        "A broker that answers GO_AWAY for 30 s, as one does that is asked to stop, is connected \
         to fewer than 20 times, and everything else goes on elsewhere.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .since("5.3.2")
    .on_every_runtime()
    .with(&[("enableShutdownGracefully", "true"), ("shutdownWaitTimeSeconds", "4")])
    .alone()
    .held_by(&[
        "pair::leaving::conn_16_a_broker_that_only_says_go_away_for_30_s_is_connected_to_fewer_\
         than_20_times",
        "pair::leaving::conn_16_one_question_to_a_broker_that_goes_asks_a_few_times_and_ends_by_\
         its_deadline",
        "pair::leaving::conn_16_sends_leave_a_broker_that_goes_for_the_other_one_and_come_back_to_\
         it",
        "pair::leaving::conn_16_a_nameserver_that_goes_is_asked_a_few_times_and_stops_no_send",
        "pair::leaving::conn_16_sends_do_not_wait_behind_the_slow_answer_of_a_connection_that_goes",
        "pair::leaving::conn_16_a_connection_that_goes_closes_when_its_last_call_is_cancelled",
        "pair::leaving::conn_16_what_waited_on_a_connection_that_goes_is_taken_by_the_other_broker",
    ]),
    Case::must(
        "CONN-17",
        "Heartbeats that are refused or late on a connection that stands do not stop pulls.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::moving::conn_17_heartbeats_refused_on_a_connection_that_stands_stop_no_pull",
        "pair::moving::conn_17_a_new_producer_group_or_consumer_pauses_nobody",
        "pair::moving::conn_17_two_heartbeats_under_way_do_not_confirm_each_other",
        "pair::moving::conn_17_a_broker_that_says_it_does_not_know_us_hears_of_us_before_the_next_\
         pull",
    ]),
    Case::must(
        "CONN-18",
        "A peer that floods the client with requests and reads no answer costs less than 32 MiB, \
         and its connection is closed in the end.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::unread::a_peer_that_asks_without_end_and_reads_no_answer_has_few_kept_for_it_and_is_\
         given_up",
        "pair::unread::what_a_peer_asks_is_no_sign_that_it_answers",
    ]),
    Case::must(
        "CONN-19",
        "A broker that stops reading is given up within two periods, and the memory of calls \
         that have ended is free before that.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::silence::a_connection_whose_other_end_is_gone_is_closed_after_twice_the_timeout_to_\
         the_nanosecond",
        "pair::unread::frames_of_ended_sends_do_not_stay_in_the_queue_of_a_peer_that_does_not_read",
        "pair::unread::a_peer_whose_socket_takes_nothing_is_given_up_though_no_request_ever_left_\
         for_it",
        "weather::connections::a_broker_that_stops_reading_is_given_up_and_few_frames_are_kept_for_\
         it_meanwhile",
        "weather::owners::what_is_lost_with_a_connection_may_call_the_client_when_it_is_freed",
    ]),
    Case::should(
        "CONN-20",
        "A connection that nobody uses for the set time is closed without a warning and made \
         again when it is needed, at no cost of an attempt, and one that is needed stays.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::silence::a_connection_nobody_uses_is_closed_after_max_idle_without_a_warning_and_\
         made_again",
        "pair::silence::a_nameservers_connection_that_nobody_uses_is_closed_too_and_none_stays_\
         open_without_max_idle",
        "pair::silence::a_send_just_when_its_idle_connection_closes_is_stored_once_and_costs_no_\
         attempt",
        "pair::silence::a_consumers_connection_stays_while_it_consumes_and_no_longer",
        "pair::oversize::a_wanted_connection_stays_although_nothing_goes_over_it_for_longer_than_\
         max_idle",
        "weather::connections::a_connection_that_nobody_uses_is_closed_and_made_again",
    ]),
    Case::should(
        "CONN-21",
        "With several connections to one broker, sends spread evenly over them, all else takes \
         the first one, and a lost connection stops no send that another one can carry.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::lanes::sends_spread_evenly_over_the_connections_and_all_else_takes_the_first",
        "pair::lanes::sends_to_a_chosen_queue_keep_to_one_connection_while_it_is_there",
        "pair::lanes::connections_that_are_down_stop_no_send_that_another_one_can_carry",
        "pair::lanes::a_broker_that_restarts_costs_a_send_one_attempt_however_many_connections_it_\
         had",
        "pair::lanes::a_connection_that_goes_silent_takes_no_more_than_one_send_that_comes_alone",
        "weather::connections::sends_spread_over_several_connections_that_may_all_be_lost",
    ]),
    Case::should(
        "CONN-22",
        "The addresses of a name are tried a quarter of a second apart, the first that answers \
         wins, and the error of a failure tells what became of each.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "rocketry_core::dial::families_take_turns_a_quarter_of_a_second_apart",
        "rocketry_core::dial::an_address_that_fails_makes_way_at_once_and_an_older_one_changes_\
         nothing",
        "rocketry_core::dial::giving_up_names_those_that_never_answered_and_those_that_refused",
        "rocketry_core::dial::a_long_list_is_tried_to_its_end_within_the_timeout",
        "rocketry_core::dial::the_first_that_answers_wins_after_a_black_hole_has_had_its_time_and_\
         those_that_refuse_none",
        "rocketry_core::dial::addresses_that_all_refuse_fail_at_once_and_one_that_swallows_until_\
         it_is_given_up",
        "dialling::the_first_address_that_answers_wins_and_the_others_are_dropped",
        "dialling::every_address_that_failed_is_named_even_when_the_engine_gave_up",
        "rocketry_std::socket::every_address_of_a_name_is_tried_and_the_first_that_answers_wins",
        "rocketry_std::socket::every_address_that_refuses_is_reported",
        "rocketry_tokio::every_address_of_a_name_is_tried_and_the_first_that_answers_wins",
        "rocketry_tokio::every_address_that_refuses_is_reported",
        "rocketry_async_std::every_address_of_a_name_is_tried_and_the_first_that_answers_wins",
        "rocketry_async_std::every_address_that_refuses_is_reported",
    ]),
];
