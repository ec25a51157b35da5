//! Hostile input: messages, bodies and answers.

use crate::cases::case::{CORE, CORE_AND_EMBEDDED, Case, EMBEDDED, EVERYWHERE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "BAD-14",
        "After a message whose stored size is 0, negative, too large or too small, reading goes \
         on behind it or what is left is reported.",
        "Rocketry's own",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "message_records::bad_14_a_size_that_cannot_be_true_ends_the_list_as_one_item",
        "rocketry_core::message::batch::bad_14_an_element_that_lies_is_named_and_ends_the_batch",
        "pair::undecodable::a_record_whose_own_size_lies_hides_the_rest_of_one_answer_at_most_and_\
         says_so",
    ]),
    Case::must(
        "BAD-15",
        "A message whose body length is negative or goes past its end is handed out as \
         undecodable.",
        "rocketmq-client-go",
    )
    .on(CORE)
    .held_by(&[
        "message_records::bad_15_bad_16_bad_17_comp_05_a_spoilt_record_is_undecodable_and_hides_no_\
         neighbour",
        "pair::undecodable::a_record_whose_lengths_lie_is_reported_and_its_neighbours_delivered",
    ]),
    Case::must(
        "BAD-16",
        "A message with an unknown magic code is passed over and reported.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "message_records::bad_15_bad_16_bad_17_comp_05_a_spoilt_record_is_undecodable_and_hides_no_\
         neighbour",
        "pair::undecodable::a_record_of_unknown_kind_is_reported_and_its_neighbours_delivered",
    ]),
    Case::must(
        "BAD-17",
        "A body of which one bit is flipped, so that its checksum is wrong, is reported as the \
         application has set it, and never handed out as good.",
        "Java, Go and Rust clients, which check no body",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "message_records::bad_15_bad_16_bad_17_comp_05_a_spoilt_record_is_undecodable_and_hides_no_\
         neighbour",
        "pair::undecodable::a_body_that_does_not_match_its_checksum_is_reported_and_its_neighbours_\
         delivered",
        "weather::unreadable::an_unreadable_message_is_settled_by_the_application_alone",
        "weather::unreadable::a_consumer_that_is_told_so_settles_unreadable_messages_by_itself",
        "weather::unreadable::a_consumer_that_is_told_so_stops_at_the_first_unreadable_message",
        "weather::unreadable::a_rejected_unreadable_message_becomes_a_dead_letter",
        "weather::unreadable::a_consumer_may_make_dead_letters_of_unreadable_messages",
    ]),
    Case::must(
        "BAD-18",
        "When message 5 of 32 cannot be decoded, the other 31 are delivered, it is reported with \
         its raw bytes, and the offset accounts for all 32, where Java delivers 4.",
        "Java source, MessageDecoder.decodes",
    )
    .on(EVERYWHERE)
    .behind_proxy()
    .held_by(&[
        "message_rules::bad_18_one_undecodable_message_of_thirty_two_hides_no_other",
        "message_records::bad_18_damage_within_a_record_leaves_all_others_as_they_were",
        "pair::undecodable::a_record_of_unknown_kind_is_reported_and_its_neighbours_delivered",
    ]),
    Case::must(
        "BAD-19",
        "A zlib body of 4 MiB that opens to 4 GiB stops at the limit, and the process grows by \
         less than 64 MiB.",
        "Java, Go and Rust clients, which bound no decompression",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy(),
    Case::must(
        "BAD-20",
        "A Zstandard body that opens beyond the limit stops there, and one that asks for a huge \
         window is refused before memory is taken.",
        "Java, Go and Rust clients, which bound no decompression",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::message::compression::zstd::bad_20_a_body_opens_up_to_the_limit_and_no_\
         further",
        "rocketry_core::message::compression::zstd::bad_20_a_huge_window_is_refused_before_it_is_\
         allocated",
    ]),
    Case::must(
        "BAD-21",
        "An LZ4 frame with a false size, one that is cut and one with trailing bytes are \
         damaged, and none opens beyond the limit.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::message::compression::lz4::bad_21_a_body_opens_up_to_the_limit_and_no_\
         further",
        "rocketry_core::message::compression::lz4::bad_21_a_false_size_a_cut_and_trailing_bytes_\
         are_damage",
    ]),
    Case::must(
        "BAD-22",
        "A response with an opaque number that nobody waits for is counted and dropped.",
        "Java source",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::observing::bad_22_an_answer_that_nobody_waits_for_is_counted_and_dropped",
        "pair::answers::an_answer_that_nobody_asked_for_is_ignored",
    ]),
    Case::must(
        "BAD-23",
        "A request that is marked as a response, and a response that is marked as oneway, are \
         dropped.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&["pair::observing::bad_23_flags_that_make_no_sense_are_dropped"]),
    Case::must(
        "BAD-24",
        "A nextBeginOffset that is lower than the offset asked for, i64::MAX or missing is \
         bounded and reported, and leads into no loop.",
        "apache/rocketmq issue 2181",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy(),
    Case::must(
        "BAD-25",
        "Of a route with 0 queues, with a million, with a broker twice, with the port 70000 or \
         with an empty address, what cannot be is refused, without a panic.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "body_json::bad_25_a_route_keeps_what_can_be_used",
        "rocketry_core::body::route::as_many_brokers_are_read_as_a_client_can_be_connected_to_and_\
         more_are_told",
    ]),
    Case::must(
        "BAD-26",
        "A list of a million members, or one with duplicates, takes bounded memory, and a member \
         that is not in its list takes no queue and asks again.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "body_json::bad_26_a_million_members_are_read_and_two_million_refused",
        "rocketry_core::body::members::a_place_is_the_one_in_the_sorted_list_of_distinct_ids",
        "pair::joining::a_member_that_is_missing_in_its_groups_list_asks_again_each_second_and_is_\
         no_member",
        "weather::sieges::a_million_members_take_little_memory_and_sends_go_on",
    ]),
    Case::must(
        "BAD-27",
        "When a broker sends the requests 220, 307 and 309 with rubbish in them, the client \
         answers with an error and lives on.",
        "Rocketry's own",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy(),
    Case::must(
        "BAD-28",
        "A text of properties without separators, or of 32 KiB of \\u0001, is read without a \
         panic and in linear time.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&["message_rules::bad_28_properties_without_meaning_are_read_in_one_pass"]),
    Case::must(
        "BAD-29",
        "A receipt that names no real place says that the message is stored, and one without an \
         id is a success with what is known.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::promises::an_answer_that_names_no_real_place_is_unreadable_and_says_that_the_\
         message_is_stored",
        "pair::promises::a_stored_message_whose_answer_tells_no_id_is_a_success_with_what_is_known",
    ]),
    Case::must(
        "BAD-30",
        "A message that cannot be read is held and settled as any other, by the application, or \
         by the client where that is set.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::unreadable::an_unreadable_message_is_settled_by_the_application_alone",
        "weather::unreadable::a_consumer_that_is_told_so_settles_unreadable_messages_by_itself",
    ]),
    Case::must(
        "BAD-31",
        "Under each attack of a hostile peer, from a million members to bodies of 32 MiB, the \
         process grows by less than 64 MiB beyond one frame and its opened body.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "weather::sieges::small_bodies_between_many_frames_hold_no_more_than_is_counted",
        "weather::sieges::bodies_of_32_mebibytes_are_held_once",
        "weather::sieges::a_body_that_opens_to_32_mebibytes_is_held_once",
        "weather::sieges::a_frame_of_crumbs_takes_little_more_than_itself",
        "weather::sieges::a_route_of_sixty_thousand_brokers_takes_little_memory",
        "weather::sieges::a_million_members_take_little_memory_and_sends_go_on",
        "weather::sieges::a_brokers_port_as_nameserver_costs_little",
        "weather::sieges::a_broker_that_goes_for_ever_is_not_stormed",
        "weather::sieges::a_broker_that_holds_no_pull_is_not_asked_without_end",
        "weather::sieges::answers_that_come_a_byte_at_a_time_cost_little",
        "weather::sieges::rows_that_cannot_be_true_cost_little",
        "weather::sieges::offsets_that_lead_in_a_circle_are_not_run_after",
    ]),
    Case::must(
        "BAD-32",
        "A broker's remark with line ends and control characters forges no line of a log.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::promises::a_remark_with_line_ends_forges_no_line_of_a_log",
        "rocketry_core::error::line::what_a_terminal_or_a_log_would_obey_is_shown_instead",
    ]),
    Case::must(
        "BAD-33",
        "A decoder takes memory in proportion to the bytes that have arrived: at most twice as \
         much for frames and records.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "alloc::hostile_headers_take_no_more_than_twice_their_bytes",
        "alloc::a_read_buffer_takes_no_more_than_twice_what_has_arrived",
        "alloc::a_kept_body_holds_less_than_twice_its_length_whatever_came_before_it",
        "alloc::mutated_frames_take_no_more_than_twice_their_bytes",
        "alloc::mutated_records_take_no_more_than_twice_their_bytes",
        "alloc::json_bodies_take_memory_by_the_number_of_their_values",
        "alloc::memory_falls_after_a_large_frame",
    ]),
];
