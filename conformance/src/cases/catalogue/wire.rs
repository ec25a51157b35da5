//! The codec: frames, headers, bodies, stored messages, ids.

use crate::cases::case::{CORE, CORE_AND_LIVE, Case, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "WIRE-01",
        "The length of a frame leaves its own four bytes out, the second word holds the \
         serialization type in its top byte and the length of the header in the other three, and \
         what is left is the body.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::wire_01_a_length_leaves_itself_out_and_the_second_word_tells_form_and_\
         header",
    ]),
    Case::must(
        "WIRE-02",
        "Frames with JSON headers that Java wrote, requests, responses and oneway requests, are \
         read field for field, and what the client writes is read as equal by Java.",
        "Java source",
    )
    .on(CORE_AND_LIVE)
    .held_by(&[
        "frame_headers::wire_02_wire_03_frames_that_java_wrote_are_read_in_both_forms",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "WIRE-03",
        "Frames with binary headers (serialization type 1, ROCKETMQ) that Java wrote are read \
         field for field, and what the client writes in that form is read as equal by Java.",
        "Java source",
    )
    .on(CORE_AND_LIVE),
    Case::must(
        "WIRE-04",
        "A stream of frames that arrives one byte at a time gives the same frames as one that \
         arrives whole.",
        "Autobahn 9.5",
    )
    .on(CORE)
    .held_by(&[
        "frame_streams::wire_04_wire_05_three_frames_split_at_every_point_and_byte_by_byte_are_the_\
         same_frames",
    ]),
    Case::must(
        "WIRE-05",
        "A stream of three frames that is split in two at any byte gives the same frames as one \
         that arrives whole.",
        "Autobahn",
    )
    .on(CORE)
    .held_by(&[
        "frame_streams::wire_04_wire_05_three_frames_split_at_every_point_and_byte_by_byte_are_the_\
         same_frames",
    ]),
    Case::must(
        "WIRE-06",
        "A thousand frames that arrive in one read come out as 1,000 frames in their order, in \
         one pass.",
        "Autobahn",
    )
    .on(CORE)
    .held_by(&[
        "frame_streams::wire_06_thousands_of_frames_in_full_reads_come_out_in_order_and_soon_\
         without_a_new_buffer",
    ]),
    Case::must(
        "WIRE-07",
        "An empty body, an empty table of extension fields and an absent remark mean the same as \
         null, and no field is invented for them.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::wire_07_a_request_is_written_as_fastjson_writes_it",
        "frame_headers::wire_08_wire_11_wire_12_wire_13_json_headers_are_read_in_any_order_and_\
         with_any_extras",
        "frame_headers::binary_headers_are_read_and_their_truncations_named",
    ]),
    Case::must(
        "WIRE-08",
        "Bit 0 of a header's flag marks a response and bit 1 a oneway request, and its other \
         bits stay as they are.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::wire_08_wire_11_wire_12_wire_13_json_headers_are_read_in_any_order_and_\
         with_any_extras",
        "frame_headers::wire_02_wire_03_frames_that_java_wrote_are_read_in_both_forms",
    ]),
    Case::must(
        "WIRE-09",
        "When the opaque numbers of requests come to the end of their range, at most i32::MAX, \
         they begin anew, and none is given out that a request in flight still has.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::remoting::calls::wire_09_a_long_poll_keeps_its_place_while_the_sequence_\
         goes_round",
        "rocketry_core::remoting::calls::many_calls_in_flight_are_all_found_again",
        "rocketry_core::frame::opaque::every_kind_and_the_ends_of_the_sequence_come_back",
    ]),
    Case::must(
        "WIRE-10",
        "A server may answer a request with a binary header by a JSON one, or the reverse: each \
         frame is read by the serialization type that it names itself.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "frame_headers::wire_10_wire_15_each_frame_is_read_in_its_own_form_whatever_version_it_\
         names",
    ]),
    Case::must(
        "WIRE-11",
        "Keys of a header that nobody knows are ignored, and extension fields that nobody knows \
         are kept.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::wire_08_wire_11_wire_12_wire_13_json_headers_are_read_in_any_order_and_\
         with_any_extras",
        "frame_codes::unknown_codes_pass_through_untouched",
    ]),
    Case::must(
        "WIRE-12",
        "Extension fields that JSON gives as numbers or booleans are read as the texts \"1\" and \
         \"true\", and those that are null are left out.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::wire_08_wire_11_wire_12_wire_13_json_headers_are_read_in_any_order_and_\
         with_any_extras",
    ]),
    Case::must(
        "WIRE-13",
        "Text beyond ASCII, such as Chinese, emoji and JSON's surrogate escapes \
         (\\ud83d\\ude00), comes back as it was.",
        "rocketmq-e2e",
    )
    .on(CORE_AND_LIVE)
    .held_by(&[
        "frame_headers::wire_08_wire_11_wire_12_wire_13_json_headers_are_read_in_any_order_and_\
         with_any_extras",
        "frame_headers::every_request_of_the_table_comes_back_as_it_was_sent",
    ]),
    Case::must(
        "WIRE-14",
        "Brokers of 4.8.0, 4.9.7 and 5.5.0 serve requests that name the language RUST (12), or \
         the client names OTHER (7) to those that do not know it.",
        "Java class files",
    )
    .on(LIVE),
    Case::must(
        "WIRE-15",
        "The client reads the answers of a broker of any version, however high or low the \
         version field is.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::wire_10_wire_15_each_frame_is_read_in_its_own_form_whatever_version_it_\
         names",
    ]),
    Case::must(
        "WIRE-16",
        "The one-letter field names a to n of SEND_MESSAGE_V2 (310) mean what the long names of \
         SEND_MESSAGE (10) mean.",
        "Java source",
    )
    .on(CORE_AND_LIVE)
    .held_by(&["frame_codes::wire_16_one_letter_names_mean_what_the_long_ones_mean"]),
    Case::must(
        "WIRE-17",
        "All 17 fields of a message that Java stored with IPv4 hosts (format 4) are read right.",
        "Java source",
    )
    .on(CORE_AND_LIVE)
    .held_by(&[
        "message_records::wire_17_comp_08_records_that_java_stored_are_read_field_for_field",
    ]),
    Case::must(
        "WIRE-18",
        "The flags for IPv6 in a stored message make its born host and store host 16-byte \
         addresses, and its offset message id takes the longer form with a 20-byte address and \
         port.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "message_records::wire_18_wire_19_topics_of_every_length_and_hosts_of_both_kinds_come_back",
        "rocketry_core::message::ids::wire_21_offset_ids_are_those_that_java_prints",
    ]),
    Case::must(
        "WIRE-19",
        "A stored message with the second magic code, whose topic has a length of two bytes, is \
         read with topics of any length.",
        "Java source",
    )
    .on(CORE_AND_LIVE)
    .since("5.0.0")
    .held_by(&[
        "message_records::wire_18_wire_19_topics_of_every_length_and_hosts_of_both_kinds_come_back",
    ]),
    Case::must(
        "WIRE-20",
        "A text of properties gives the same table as in Java: \\u0001 between name and value, \
         \\u0002 between properties, with or without one at the end, and with empty values.",
        "Java source",
    )
    .on(CORE)
    .held_by(&["rocketry_core::message::properties::wire_20_java_and_we_read_the_same_properties"]),
    Case::must(
        "WIRE-21",
        "An offset message id is written as Java writes it, for IPv4 and for IPv6, and read back \
         into address and offset.",
        "Apache test/",
    )
    .on(CORE)
    .held_by(&["rocketry_core::message::ids::wire_21_offset_ids_are_those_that_java_prints"]),
    Case::must(
        "WIRE-22",
        "Unique message ids have 16 bytes in hexadecimal, grow with time, and do not repeat in \
         10 million ids, over threads, a fork, or the turn of a month.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::message::ids::wire_22_ten_million_ids_across_a_month_do_not_repeat",
        "rocketry_core::message::ids::threads_share_a_generator_without_duplicates",
        "rocketry_core::message::ids::a_unique_id_tells_where_and_when_it_was_made",
        "forking::life_06_calls_that_begin_in_a_forked_child_are_refused",
    ]),
    Case::must(
        "WIRE-23",
        "A Java broker unpacks every message of the body of a batch (SEND_BATCH_MESSAGE, 320).",
        "Apache test/",
    )
    .on(LIVE)
    .held_by(&[
        "rocketry_conformance::cases::batch::ten_messages_are_ten_to_who_consumes_them",
        "rocketry_conformance::cases::batch::each_message_keeps_what_it_has",
    ]),
    Case::must(
        "WIRE-24",
        "The same request is written as the same bytes each time, and its signed content has the \
         extension fields in sorted order, whatever order they were given in.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::auth::wire_24_the_order_of_fields_does_not_matter",
        "frame_headers::wire_07_a_request_is_written_as_fastjson_writes_it",
    ]),
    Case::must(
        "WIRE-25",
        "Each request code has the extension fields of Java's header class under Java's names, \
         and they come back in both header forms.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_codes::every_code_has_javas_fields",
        "frame_codes::every_field_of_every_code_comes_back_in_both_forms",
        "frame_codes::fields_that_must_be_there_are_missed_by_name_and_others_are_not",
    ]),
    Case::must(
        "WIRE-26",
        "JSON bodies, from heartbeats and routes to tables of offsets and locks, are read as \
         fastjson writes them and written as Java reads them.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "body_json::tables_of_offsets_are_read_and_written_as_java_does",
        "body_json::figures_are_read_and_written_as_java_does",
        "body_json::a_running_info_is_read_with_its_references_and_written_whole",
        "body_json::requests_with_bodies_are_read_and_written_as_java_does",
        "body_json::a_batch_of_acks_has_javas_bits",
        "body_json::clusters_topics_groups_and_connections_come_back",
        "rocketry_core::body::heartbeat::a_heartbeat_is_written_and_read_as_java_does",
        "rocketry_core::body::route::what_we_write_is_what_java_writes",
    ]),
    Case::must(
        "WIRE-27",
        "A response's fields are read by the kind of request that it answers and only for codes \
         that have them, and what a broker leaves out has Java's meaning.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "frame_headers::replies_are_read_by_the_kind_in_their_opaque_and_only_for_codes_that_have_\
         fields",
        "frame_codes::replies_come_back_for_their_kind_and_the_codes_that_have_fields",
        "frame_codes::what_brokers_leave_out_has_javas_meaning",
    ]),
];
