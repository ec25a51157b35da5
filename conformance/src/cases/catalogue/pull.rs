//! Pulls and lite consumers.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "PULL-01",
        "A pull of up to 32 messages from offset 0 finds them (FOUND), and the next offset is as \
         many further on.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PULL-02",
        "A pull from an empty queue that may not be held is answered at once with PULL_NOT_FOUND \
         (19).",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["broker::pulling::pulls_outside_the_queue_are_told_where_to_go_on"]),
    Case::must(
        "PULL-03",
        "A pull that a broker holds is answered within 100 ms of a send to its queue.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::consuming::a_new_message_is_delivered_at_once_to_a_consumer_that_waits",
        "broker::pulling::a_held_pull_is_answered_when_a_message_arrives",
    ]),
    Case::must(
        "PULL-04",
        "A pull that a broker holds and that finds nothing is answered at its suspend time (15 \
         s), and the client waits for it longer than that (30 s).",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::astray::pull_21_a_long_poll_that_ends_is_followed_by_the_next_at_once",
        "pair::telling::push_18_pulls_without_an_answer_are_told_of",
        "broker::pulling::a_held_pull_ends_at_its_time_without_a_message",
    ]),
    Case::must(
        "PULL-05",
        "A pull beyond the end of its queue, before its beginning or at -1 goes on at the offset \
         that the broker gives it (PULL_OFFSET_MOVED, 21).",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::consuming::messages_that_expired_are_skipped_aloud_and_the_rest_is_delivered",
        "pair::consuming::a_topic_made_anew_is_consumed_from_where_the_broker_says_and_the_jump_is_\
         told",
        "pair::astray::pull_20_a_stored_offset_beyond_the_queue_is_corrected_and_never_committed",
        "pair::astray::pull_20_a_stored_offset_beyond_the_queue_is_not_repeated_after_a_\
         registration",
        "pair::joining::off_a_negative_offset_is_no_place_to_begin",
        "broker::pulling::pulls_outside_the_queue_are_told_where_to_go_on",
    ]),
    Case::must(
        "PULL-06",
        "When no message matches the tags, the answer is PULL_RETRY_IMMEDIATELY (20) and the \
         next offset has moved on.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "rocketry_core::consumer::next_offset::answers_without_messages_lead_on_within_their_\
         limits_and_else_nowhere",
        "broker::pulling::messages_of_other_tags_are_left_out",
    ]),
    Case::info(
        "PULL-07",
        "A pull brings at most 32 messages and 256 KiB from memory, and at most 8 messages and \
         64 KiB from disk.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "PULL-08",
        "When an answer suggests the slave (suggestWhichBrokerId), the next pull goes there, and \
         back to the master when it is told so.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("slaveReadEnable", "true")]),
    Case::must(
        "PULL-09",
        "An offset that a pull carries with the flag for committing moves the broker's offset of \
         the group.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "PULL-10",
        "The system flag of a pull has the right bits for commit, suspend, subscription, class \
         filter and lite pull.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "pair::case_pull::pull_10_a_pull_asks_to_be_held_and_for_nothing_else",
        "pair::polling::wire_a_broker_that_does_not_know_lite_pulls_gets_plain_ones_until_it_is_\
         another",
    ]),
    Case::must(
        "PULL-11",
        "A lite consumer that is assigned a queue and seeks an offset polls the messages from \
         exactly there.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PULL-12",
        "Two lite consumers that subscribe in one group split the queues between them.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PULL-13",
        "A lite consumer gets nothing of a queue that it paused, and loses nothing of it \
         afterwards.",
        "librdkafka 0026",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PULL-14",
        "A lite consumer that seeks the beginning, the end or a time goes on from there.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PULL-15",
        "A lite consumer that ends without a commit gets the same messages again after its \
         restart.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "PULL-16",
        "A batch of a queue that a lite consumer loses by a rebalance in the middle of a poll is \
         dropped and not committed.",
        "apache/rocketmq issue 2732",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::polling::pull_16_a_batch_in_hand_of_a_queue_that_goes_to_another_member_is_not_\
         committed",
    ]),
    Case::must(
        "PULL-17",
        "A poll of a lite consumer with no time returns at once, and one with a timeout returns \
         by it.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::must(
        "PULL-18",
        "When a consumer that is read as a stream is dropped before a message is acknowledged, \
         the message is delivered again.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&["weather::gathering::pull_18_a_message_of_a_stream_that_is_dropped_comes_again"]),
    Case::must(
        "PULL-19",
        "When pulls are answered with older messages, once or for ever, nothing is skipped, the \
         pull is repeated after a pause, and it is told of.",
        "alibaba/rocketmq issue 360",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::astray::pull_19_older_messages_once_skip_nothing_and_are_told_of",
        "pair::astray::pull_19_older_messages_for_ever_skip_nothing_and_are_asked_past_once_a_\
         second",
        "pair::astray::pull_19_of_an_answer_that_begins_too_early_the_new_messages_are_delivered_\
         and_no_others",
        "pair::astray::pull_19_messages_out_of_order_are_all_waited_for",
        "pair::astray::pull_19_a_message_whose_place_is_damaged_is_not_taken_for_an_older_one",
    ]),
    Case::must(
        "PULL-20",
        "A next offset beyond the end of the queue, up to i64::MAX, is neither pulled from nor \
         committed.",
        "Rocketry's own, after BAD-24",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::astray::pull_20_no_damaged_number_is_pulled_from_or_committed_and_nothing_is_missed",
        "pair::astray::pull_20_a_damaged_number_is_told_of_with_the_queue_and_the_offset_asked_for",
        "pair::astray::pull_20_messages_stored_while_a_broker_answers_are_no_damage",
        "pair::astray::pull_20_a_stored_offset_beyond_the_queue_is_corrected_and_never_committed",
        "pair::astray::pull_20_a_stored_offset_beyond_the_queue_is_not_repeated_after_a_\
         registration",
        "pair::astray::pull_20_an_end_beyond_the_queue_is_not_committed_before_a_pull_has_shown_it",
    ]),
    Case::must(
        "PULL-21",
        "A broker that does not hold pulls, or moves offsets in a ring, gets fewer than 20 pulls \
         a second of a queue, and a new message is delivered within 1.5 s.",
        "apache/rocketmq issue 8485 and alibaba/rocketmq issue 164",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::astray::pull_21_a_ring_of_moved_offsets_costs_few_pulls_and_a_new_message_comes_\
         soon",
        "pair::astray::pull_21_a_broker_that_does_not_hold_pulls_is_asked_once_a_second_and_a_\
         message_comes_soon",
        "pair::astray::pull_21_a_busy_broker_is_asked_at_a_pause_that_grows",
    ]),
    Case::must(
        "PULL-22",
        "A message whose body checksum is 0, because its broker computes none, is delivered.",
        "mxsm/rocketmq-rust issue 10758",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::undecodable::pull_22_messages_whose_checksum_the_broker_did_not_compute_are_\
         delivered",
        "message_records::pull_22_a_body_whose_checksum_was_not_computed_is_read",
        "message_rules::pull_22_a_batch_whose_checksum_was_not_computed_comes_out_as_its_messages",
    ]),
    Case::should(
        "PULL-23",
        "The messages of a pull whose answer has an offset delta, as static topics have it, are \
         counted in the offsets of the answer.",
        "Java source",
    )
    .on(EMBEDDED)
    .since("5.0.0")
    .held_by(&["pair::astray::a_queue_whose_offsets_are_mapped_is_counted_in_those_of_the_answer"]),
];
