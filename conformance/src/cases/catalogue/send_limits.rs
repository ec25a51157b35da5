//! Sending: what is refused, what waits, and what is said of it.

use crate::cases::case::{CORE_AND_LIVE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "SEND-19",
        "Properties of up to 32,767 bytes are stored, and longer ones are refused, by the client \
         or by the broker (MESSAGE_ILLEGAL, 13).",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "SEND-20",
        "Reserved property names and the separators \\u0001 and \\u0002 in names and values are \
         refused, and no text damages another property.",
        "Rocketry's own",
    )
    .on(CORE_AND_LIVE)
    .held_by(&["message_publish::send_20_no_name_and_no_value_can_forge_another_property"]),
    Case::must(
        "SEND-21",
        "A message with many keys, or with keys that hold spaces, is found by a query for each \
         of its keys.",
        "rocketmq-e2e",
    )
    .on(LIVE),
    Case::must(
        "SEND-22",
        "A tag may be Chinese text or hold a space, and one with || in it is treated as in Java: \
         no subscription could name it.",
        "rocketmq-e2e",
    )
    .on(LIVE),
    Case::must(
        "SEND-23",
        "A property of 10,000 Chinese characters is stored, and one of 20,000 is refused for its \
         size.",
        "Apache test/",
    )
    .on(LIVE),
    Case::should(
        "SEND-24",
        "A message that does not wait to be stored (waitStoreMsgOK is false) says so in its \
         properties, and the status it gets is right.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&["message_publish::send_24_a_message_that_does_not_wait_to_be_stored_says_so"]),
    Case::must(
        "SEND-25",
        "A send that is dropped or cancelled leaves nothing behind: its place is free, and its \
         reply is ignored.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::cancelling::send_25_a_send_that_has_left_is_detached_and_its_answer_ignored",
        "pair::cancelling::send_25_at_whatever_moment_a_send_is_cancelled_removed_means_not_stored",
    ]),
    Case::should(
        "SEND-26",
        "At the limits of count and bytes, a send waits or is refused, as is set.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::sending::send_26_one_send_more_than_may_be_pending_is_refused_and_nothing_is_lost",
        "pair::aiming::send_26_a_window_counted_in_bytes_refuses_what_does_not_fit_it",
        "pair::deadlines::send_26_a_window_full_of_sends_to_a_silent_broker_is_empty_at_the_\
         deadline",
        "pair::room::without_room_a_send_waits_by_default_first_in_first_out_and_newcomers_behind",
        "pair::room::what_waits_is_bounded_by_count_and_by_bytes",
    ]),
    Case::must(
        "SEND-27",
        "Beside one of two brokers that is frozen, no send after the first takes longer than a \
         single try may.",
        "apache/rocketmq issue 1921",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .alone()
    .held_by(&[
        "pair::frozen::send_27_beside_a_frozen_broker_no_send_fails_and_none_is_slow_after_the_\
         first",
        "pair::frozen::send_27_without_groups_a_broker_that_was_slow_is_asked_until_it_answers",
        "pair::frozen::send_27_the_late_answer_of_a_try_that_ran_out_ends_the_send_as_stored",
        "pair::frozen::send_27_a_late_refusal_says_that_the_first_try_stored_nothing",
        "pair::frozen::send_27_a_try_does_not_run_out_where_no_other_broker_could_take_the_message",
        "pair::frozen::send_27_a_broker_that_is_slow_now_and_then_is_asked_no_more_often_for_it",
        "pair::frozen::send_27_a_broker_that_may_yet_answer_gets_no_second_copy_while_another_one_\
         loses_its_own",
        "pair::frozen::send_27_a_second_try_that_fails_does_not_end_a_send_whose_first_one_may_be_\
         answered",
    ]),
    Case::must(
        "SEND-28",
        "When a topic's write queues are cut, or a broker answers with 501, the route is looked \
         up at once, and the send is stored within 3 s.",
        "apache/rocketmq issues 1465 and 3607",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::lookups::send_28_a_queue_that_is_led_elsewhere_or_cut_off_is_looked_up_at_once",
        "pair::lookups::send_28_a_broker_that_refuses_its_queues_before_its_nameserver_knows_fails_\
         no_send",
        "pair::lookups::send_28_a_send_whose_queue_was_cut_goes_to_one_that_is_there",
        "pair::lookups::send_28_a_topic_moved_to_another_broker_is_followed_at_once",
    ]),
    Case::must(
        "SEND-29",
        "A body over the broker's frame limit ends in one error that names the limit, and other \
         sends are not harmed.",
        "alibaba/rocketmq issue 128",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::oversize::send_29_a_body_over_the_brokers_frame_limit_is_one_error_that_names_it_\
         and_harms_no_neighbour",
        "pair::oversize::send_29_a_cut_in_the_middle_of_a_message_is_a_try_and_the_next_one_stores_\
         it",
    ]),
    Case::must(
        "SEND-30",
        "A send of which a try has left and that finds no queue any more says that the message \
         may be stored.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::lookups::send_30_a_try_that_left_and_then_no_queue_is_stored_unknown",
        "pair::promises::send_30_what_a_try_that_left_knows_is_kept_when_the_next_one_finds_no_\
         queue",
        "rocketry_core::producer::ending::send_30_no_end_says_less_than_an_earlier_try_knows",
    ]),
    Case::must(
        "SEND-31",
        "Of a burst of 65,000 sends to a live broker with the default settings each is stored.",
        "Rocketry's own",
    )
    .on(LIVE)
    .on_every_runtime(),
    Case::must(
        "SEND-32",
        "Messages of one key keep their order over tries that are refused or lost.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .alone()
    .held_by(&[
        "pair::keeping::send_32_the_order_of_a_key_is_kept_over_tries_that_are_refused_lost_or_\
         told_to_go",
        "pair::keeping::send_32_the_order_of_a_key_is_kept_while_its_broker_is_away",
        "pair::keeping::send_32_one_of_a_key_is_under_way_and_other_keys_do_not_wait_for_it",
        "pair::keeping::send_32_those_behind_one_that_ends_in_an_error_or_is_given_up_go_on_in_\
         their_order",
        "pair::keeping::send_32_a_long_line_that_can_not_be_sent_ends_without_a_word_left_over",
    ]),
    Case::must(
        "SEND-33",
        "Of 100,000 messages of 1 KiB, 256 in flight at a time, each that was answered lies in \
         the log once, under an id of its own.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
    Case::should(
        "SEND-34",
        "Sends for which a broker's window has no place wait in the order of their calls, go to \
         another broker that has room, and are known not to be stored when their deadline ends \
         them.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::window::those_that_wait_go_on_first_in_first_out_and_newcomers_behind_them",
        "pair::window::what_has_not_left_by_its_deadline_is_not_stored_and_what_has_is_no_more_\
         than_the_window",
        "pair::window::ordered_sends_that_wait_keep_their_order",
        "pair::window::what_waits_for_a_broker_that_has_fallen_silent_goes_to_the_other_one",
        "pair::window::a_cancelled_send_that_waits_leaves_its_place_to_the_next_one",
        "pair::window::bytes_without_an_answer_are_bounded_and_a_message_of_any_size_goes_alone",
        "pair::window::an_overloaded_broker_is_shared_with_another_client_and_both_store_all",
    ]),
    Case::should(
        "SEND-35",
        "The error of a message that may be stored tells its id, under which it can be sent again.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::promises::a_message_that_may_be_stored_can_be_sent_again_under_its_id",
        "weather::handles::a_message_sent_again_under_its_id_is_told_by_it",
    ]),
];
