//! Consumers that hand messages out concurrently.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "PUSH-01",
        "With 16 workers, each of 10,000 messages is delivered at least once, and the offsets \
         have no gap.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "weather::handlers::push_01_sixteen_handlers_are_given_every_message_and_all_is_committed",
        "weather::handlers::push_01_sixteen_tasks_are_given_every_message_and_all_is_committed",
    ]),
    Case::must(
        "PUSH-02",
        "The offset that is committed is the lowest one that is not acknowledged, so that a \
         consumer that crashes loses no message.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&["pair::offsets::a_commit_reaches_the_lowest_unsettled_message_and_never_passes_it"]),
    Case::must(
        "PUSH-03",
        "When 1000 messages of a queue are held, its pulls stop, and they go on as soon as \
         there is room.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&["pair::flow::push_03_a_full_window_pauses_the_pulls_and_settling_resumes_them"]),
    Case::must(
        "PUSH-04",
        "When 100 MiB of a queue are held, its pulls stop, and they go on once there is room.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&["pair::flow::push_04_a_window_full_of_bytes_pauses_the_pulls"]),
    Case::must(
        "PUSH-05",
        "When the offsets held of a queue span 2000, its pulls stop, so that one slow message \
         cannot make memory grow.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&["pair::bounding::push_05_what_is_held_spans_so_many_offsets_and_no_more"]),
    Case::should(
        "PUSH-06",
        "A limit of messages or bytes for a topic is divided among the queues that a consumer \
         has of it.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::bounding::push_06_a_topics_messages_are_divided_among_the_queues_that_are_held_of_\
         it",
        "pair::bounding::push_06_a_topics_bytes_are_divided_as_well",
    ]),
    Case::must(
        "PUSH-07",
        "A message whose handler takes longer than the consume timeout (15 minutes) is sent back \
         to the broker and removed.",
        "Java source",
    )
    .on(EMBEDDED),
    Case::must(
        "PUSH-08",
        "Of a batch given to a handler that acknowledges only its first messages, the rest is \
         sent back.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "weather::handlers::push_08_of_a_batch_the_first_are_done_and_the_rest_comes_again",
    ]),
    Case::must(
        "PUSH-09",
        "When a listener panics, its message is retried and its worker lives on.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "weather::handlers::push_09_a_panic_is_a_retry_and_its_worker_lives_on",
        "weather::handlers::push_09_a_task_that_panics_is_a_retry_and_its_worker_lives_on",
    ]),
    Case::must(
        "PUSH-10",
        "A shutdown with a handler that never returns ends by its timeout, and that handler's \
         message is not acknowledged.",
        "Java source",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::draining::life_03_a_handler_that_never_ends_delays_a_shutdown_to_its_deadline_and_\
         what_is_settled_counts",
        "weather::draining::a_consumer_drains_while_its_handlers_are_busy",
        "weather::handlers::push_10_a_stop_with_a_handler_that_never_ends_is_over_in_time",
    ]),
    Case::must(
        "PUSH-11",
        "A consumer that is suspended is delivered nothing until it is resumed.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::suspending::push_11_nothing_is_handed_out_or_pulled_until_a_consumer_is_resumed",
        "pair::suspending::push_11_what_is_out_is_settled_and_committed_while_a_consumer_is_\
         suspended",
        "pair::suspending::push_11_a_consumer_that_is_suspended_before_it_is_a_member_pulls_\
         nothing_when_it_is_one",
        "weather::handlers::push_11_handlers_are_given_nothing_while_their_consumer_is_suspended",
    ]),
    Case::should(
        "PUSH-12",
        "A change of the number of workers at run time takes effect.",
        "Java source",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&["weather::handlers::push_12_more_and_fewer_workers_take_effect"]),
    Case::must(
        "PUSH-13",
        "Three groups that consume one topic each get all of its messages.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PUSH-14",
        "The messages of 100 topics in one consumer all flow.",
        "librdkafka 0042",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::should(
        "PUSH-15",
        "A topic that is subscribed to or left while the consumer runs takes effect within 1 s \
         in the client.",
        "librdkafka 0045",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::should(
        "PUSH-16",
        "A broker's requests CONSUME_MESSAGE_DIRECTLY (309) and GET_CONSUMER_RUNNING_INFO (307) \
         are answered as in Java.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "PUSH-17",
        "When a handler fails on one message for ever, the others flow, and that message comes \
         again after a pause that grows.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::flow::push_17_a_dropped_message_comes_again_after_a_pause_that_grows_and_behind_its_\
         neighbours",
        "pair::flow::push_17_a_handler_that_fails_on_one_message_for_ever_does_not_keep_others_\
         waiting",
        "pair::flow::push_17_without_a_delay_a_message_given_back_still_leaves_time_to_others",
        "pair::flow::push_17_messages_given_back_in_any_order_come_each_at_its_own_time",
        "pair::flow::push_17_a_thousand_messages_given_back_keep_one_timer_and_go_with_their_queue",
        "weather::handles::push_17_a_dropped_delivery_comes_again_after_a_tenth_of_the_delay",
    ]),
    Case::must(
        "PUSH-18",
        "A consumer whose start is refused for good, such as by NO_PERMISSION (16) to its \
         requests 14 or 38, tells so within a second, and again at most once a minute.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::telling::push_18_who_can_not_start_is_told_so_within_a_second_and_then_once_a_\
         minute",
        "pair::telling::push_18_commits_that_are_refused_for_good_are_told_of_once_a_minute",
        "pair::telling::push_18_a_list_of_members_that_lacks_us_for_good_is_told_of_once_a_minute",
        "pair::telling::push_18_pulls_that_are_refused_for_good_are_told_of_once_a_minute",
        "pair::telling::push_18_pulls_without_an_answer_are_told_of",
    ]),
    Case::should(
        "PUSH-19",
        "A message that is given back to be retried comes again after the set delay, and no \
         offset is committed past it meanwhile.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::flow::a_message_that_is_to_come_again_here_comes_after_its_pause_exactly",
        "pair::flow::nothing_is_committed_past_a_message_that_is_to_come_again",
        "weather::handles::a_delivery_given_back_comes_after_its_pause_as_another_attempt",
    ]),
    Case::must(
        "PUSH-20",
        "A topic that may not be read is told of within 3 s, and at most once in 5 s.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE),
];
