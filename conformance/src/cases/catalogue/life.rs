//! The life of a client, from start to shutdown.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "LIFE-01",
        "A second start, a second shutdown and a use after the shutdown end in typed errors or \
         change nothing.",
        "Apache test/",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::starting::life_01_a_second_consumer_of_a_group_in_one_client_is_refused",
        "weather::ending::life_01_after_a_shutdown_every_call_is_refused_as_stopped",
    ]),
    Case::must(
        "LIFE-02",
        "A client that is dropped without a shutdown hangs nowhere, and its threads end.",
        "librdkafka 0020",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&["weather::leaks::life_02_clients_dropped_at_work_leave_nothing_behind"]),
    Case::must(
        "LIFE-03",
        "A shutdown under load ends what is in flight by its deadline and saves the offsets.",
        "librdkafka 0116",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::stopping::life_03_sends_under_way_finish_and_new_calls_are_refused",
        "pair::draining::life_03_a_shutdown_waits_for_what_is_being_handled_and_commits_it",
        "pair::draining::life_03_a_handler_that_never_ends_delays_a_shutdown_to_its_deadline_and_\
         what_is_settled_counts",
        "weather::ending::life_03_a_shutdown_ends_every_send_under_way",
        "weather::draining::life_03_a_shutdown_waits_for_busy_handlers_and_their_acks_count",
    ]),
    Case::must(
        "LIFE-04",
        "A shutdown while the broker is dead returns by its deadline.",
        "librdkafka 0037",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .alone()
    .held_by(&[
        "pair::stopping::life_04_a_dead_broker_delays_the_end_by_shutdown_timeout_at_most",
        "weather::ending::life_04_a_shutdown_ends_by_its_deadline_with_a_broker_that_is_silent",
    ]),
    Case::must(
        "LIFE-05",
        "A client that starts without a broker fails its calls or waits for one, as is set.",
        "librdkafka 0043",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::starting::life_05_a_client_starts_without_a_broker_and_sends_once_there_is_one",
    ]),
    Case::info(
        "LIFE-06",
        "A fork, a child process and a signal during a wait have the documented effect.",
        "librdkafka 0079",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "forking::life_06_calls_that_begin_in_a_forked_child_are_refused",
        "forking::life_06_what_was_begun_before_a_fork_ends_in_the_child_with_an_error_that_says_\
         so",
        "forking::the_parent_of_a_fork_goes_on",
        "weather::starting::life_06_a_process_that_was_stopped_goes_on",
        "weather::starting::life_06_a_child_process_inherits_no_socket",
    ]),
    Case::should(
        "LIFE-07",
        "A second producer of a group in one client joins the first one, which Java refuses.",
        "Apache test/",
    )
    .on(LIVE)
    .held_by(&["pair::faults::life_07_a_broker_knows_each_client_of_a_producer_group"]),
    Case::must(
        "LIFE-08",
        "A missing group, nameserver, listener or subscription is a typed error that names the \
         field.",
        "rocketmq-e2e",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::config::tests::a_list_of_nameservers_is_read_and_a_typo_is_named",
        "rocketry_core::name::topics_and_groups_are_checked_before_they_are_used",
        "pair::subscribing::life_08_a_consumer_without_a_topic_is_refused_unless_it_is_meant",
    ]),
    Case::should(
        "LIFE-09",
        "With a namespace, all names are wrapped on their way out and unwrapped on their way in.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "LIFE-10",
        "A panic in any code of the application's that the client calls is contained.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "weather::hooks::life_10_a_waker_that_panics_keeps_nobody_else_from_being_woken",
        "weather::hooks::life_10_a_body_that_panics_when_it_is_freed_harms_nobody",
        "weather::hooks::life_10_an_appender_that_panics_harms_nobody",
    ]),
    Case::should(
        "LIFE-11",
        "A consumer that drains hands out nothing more, lets what is handled be settled within \
         the given time, commits it and leaves; what it gives back goes to others.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::draining::a_consumer_that_drains_pulls_and_hands_out_nothing_and_commits_as_it_goes",
        "pair::draining::a_consumer_that_drains_gains_no_queue_of_a_member_that_leaves",
        "pair::draining::what_was_pulled_and_not_handed_out_is_not_waited_for",
        "pair::draining::what_is_given_back_while_a_consumer_drains_goes_to_others",
        "pair::draining::a_second_drain_may_only_shorten_the_time",
        "pair::draining::brokers_hear_heartbeats_of_a_client_that_ends_while_its_handlers_are_busy",
        "weather::draining::a_consumer_drains_while_its_handlers_are_busy",
        "weather::draining::acks_that_come_together_at_a_shutdown_all_count",
        "weather::draining::a_shutdown_does_not_wait_for_messages_that_nobody_was_given",
        "weather::draining::a_waiting_consumer_learns_that_its_client_ends",
        "weather::draining::a_handle_gives_nothing_that_it_has_at_hand_while_its_client_ends",
    ]),
    Case::must(
        "LIFE-12",
        "Code of the application's that waits for the client where the client calls it, in a \
         waker, a body's owner or a log appender, is told at once that it would wait for itself.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::driving::a_waker_that_waits_is_told_at_once",
        "weather::driving::a_body_that_waits_when_it_is_freed_is_told_at_once",
        "weather::driving::an_appender_that_waits_is_told_at_once_and_not_called_by_its_own_calls",
        "weather::driving::an_appender_that_waits_for_a_client_of_its_own_is_answered_or_told_at_\
         once",
        "weather::ending::waiting_on_the_only_thread_of_a_runtime_is_an_error_at_once",
        "weather::ending::waiting_on_a_thread_of_a_larger_runtime_is_allowed",
    ]),
    Case::must(
        "LIFE-13",
        "Wakers and owners of bodies may call the client while they are woken, dropped or freed.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::reentry::a_waker_may_send_while_it_is_woken_and_while_it_is_dropped",
        "weather::owners::a_cancelled_message_may_call_the_client_when_it_is_freed",
        "weather::owners::frames_of_ended_sends_may_call_the_client_when_they_are_freed",
        "weather::owners::bodies_of_requests_may_call_the_client_when_they_are_freed",
        "weather::owners::what_is_lost_with_a_connection_may_call_the_client_when_it_is_freed",
        "weather::owners::what_a_shutdown_ends_may_call_the_client_when_it_is_freed",
    ]),
    Case::must(
        "LIFE-14",
        "When a runtime ends before its client, every call ends in an error that says so.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "weather::ending::a_runtime_that_goes_first_ends_every_call",
        "weather::ending::a_runtime_that_goes_before_its_first_turn_ends_every_call",
        "runtimes::together::rt_06_a_runtime_dropped_under_its_client_leaves_the_client_of_another_\
         one_at_work",
    ]),
    Case::must(
        "LIFE-15",
        "A shutdown waits for handlers that are busy, and what they settle does not come again.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE),
];
