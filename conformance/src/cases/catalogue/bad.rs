//! Hostile input: frames and headers.

use crate::cases::case::{CORE, CORE_AND_EMBEDDED, Case};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "BAD-01",
        "A frame with a length of 0 to 3 is refused as too small, and the connection is closed.",
        "rocketmq-client-go",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "frame_streams::bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_\
         ever",
        "pair::answers::bytes_that_are_no_frame_close_the_connection_and_the_next_send_works",
    ]),
    Case::must(
        "BAD-02",
        "A frame with a negative length is an error and no panic.",
        "rocketmq-client-go",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "frame_streams::bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_\
         ever",
        "pair::answers::bytes_that_are_no_frame_close_the_connection_and_the_next_send_works",
    ]),
    Case::must(
        "BAD-03",
        "A frame with a length of 2 GiB less one byte is refused, with less than 64 KiB \
         allocated for it.",
        "Autobahn 9",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "frame_streams::bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_\
         ever",
        "frame_streams::bad_03_a_length_alone_allocates_little",
        "alloc::a_read_buffer_takes_no_more_than_twice_what_has_arrived",
    ]),
    Case::should(
        "BAD-04",
        "A peer that speaks HTTP/1, HTTP/2 (PRI), TLS or SSH is named as such in the error.",
        "apache/rocketmq issue 8086",
    )
    .on(CORE_AND_EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "frame_streams::bad_04_peers_that_speak_another_protocol_are_named",
        "pair::connecting::a_nameserver_that_speaks_http_is_named_at_once",
        "pair::connecting::a_broker_that_speaks_http_is_named",
        "weather::address::a_peer_that_speaks_http_is_named_as_such",
    ]),
    Case::must(
        "BAD-05",
        "A GiB of random bytes makes the decoders panic nowhere and take bounded memory.",
        "fuzzing",
    )
    .on(CORE),
    Case::must(
        "BAD-06",
        "A header that is longer than its frame is an error, and the connection is closed.",
        "apache/rocketmq issue 10832",
    )
    .on(CORE)
    .held_by(&[
        "frame_streams::bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_\
         ever",
    ]),
    Case::must(
        "BAD-07",
        "A serialization type from 2 to 255 is an error, and the connection is closed.",
        "apache/rocketmq issue 10832",
    )
    .on(CORE)
    .held_by(&[
        "frame_streams::bad_01_bad_02_bad_06_bad_07_broken_length_words_are_named_at_once_and_for_\
         ever",
    ]),
    Case::must(
        "BAD-08",
        "JSON nested 127 deep is read, and nested 129 or a million deep it is an error and \
         overflows no stack.",
        "serde_json",
    )
    .on(CORE)
    .held_by(&[
        "body_json::bad_08_depth_127_is_read_129_and_a_million_are_refused",
        "frame_headers::nesting_is_passed_over_up_to_128_levels_and_refused_beyond",
    ]),
    Case::must(
        "BAD-09",
        "Each oddity of JSON, NaN, a key twice, 1e400, a lone surrogate, a byte order mark and \
         NUL, has one defined outcome.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "body_json::bad_09_each_oddity_of_json_has_one_outcome",
        "frame_headers::json_that_is_not_a_header_is_refused_with_its_place",
    ]),
    Case::must(
        "BAD-10",
        "A header with 100,000 extension fields is refused at the limit.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "frame_codes::bad_10_a_hundred_thousand_fields_are_refused_at_the_limit",
        "frame_headers::more_than_1024_extension_fields_are_refused_when_they_are_read",
    ]),
    Case::must(
        "BAD-11",
        "A key length of -1 or a value length of -1 in a binary header is an error.",
        "rocketmq-client-go and Java source",
    )
    .on(CORE)
    .held_by(&["frame_codes::bad_11_binary_lengths_below_zero_are_errors"]),
    Case::must(
        "BAD-12",
        "Lengths in a binary header that go past its end, and a length of all extension fields \
         beyond the header, are errors.",
        "Java source",
    )
    .on(CORE)
    .held_by(&["frame_codes::bad_12_binary_lengths_past_the_end_are_errors"]),
    Case::must(
        "BAD-13",
        "Bytes that are not UTF-8 in a remark, a field, a topic or a property are replaced or an \
         error, and what stands beside them is read right.",
        "rocketmq-rust, fuzz targets",
    )
    .on(CORE)
    .held_by(&[
        "frame_codes::bad_13_bytes_that_are_not_text_are_replaced_and_their_neighbours_kept",
        "rocketry_core::message::properties::bad_13_text_that_is_not_utf8_hides_no_other_property",
        "message_records::no_mutation_of_a_pull_body_does_harm",
    ]),
];
