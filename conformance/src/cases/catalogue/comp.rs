//! Compressed bodies.

use crate::cases::case::{CORE, Case, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "COMP-01",
        "A body of up to 4096 bytes is sent as it is, and one of 4097 is compressed with zlib \
         and has the flag 0x1, as Java's consumers expect it.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&[
        "message_publish::comp_01_a_body_of_4096_bytes_is_sent_as_it_is_and_a_longer_one_\
         compressed",
    ]),
    Case::must(
        "COMP-02",
        "A body that Java compressed with zlib is opened to what it was.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&[
        "message_records::wire_17_comp_08_records_that_java_stored_are_read_field_for_field",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "COMP-03",
        "A body that Java packed in an LZ4 frame is opened to what it was, and Java opens one of \
         ours.",
        "rocketmq-rust, whose LZ4 is not Java's",
    )
    .on(LIVE)
    .since("5.0.0"),
    Case::must(
        "COMP-04",
        "A body that Java compressed with Zstandard is opened to what it was, and Java opens one \
         of ours.",
        "Java source",
    )
    .on(LIVE)
    .since("5.0.0"),
    Case::must(
        "COMP-05",
        "The compression types 0 and 3 are zlib, 1 is LZ4 and 2 is Zstandard; a message with any \
         other is handed out as undecodable and is not lost.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "message_rules::comp_05_every_compression_type_is_known_or_undecodable",
        "message_records::bad_15_bad_16_bad_17_comp_05_a_spoilt_record_is_undecodable_and_hides_no_\
         neighbour",
    ]),
    Case::should("COMP-06", "A zlib body of any level from 0 to 9 is opened.", "Java source")
        .on(CORE)
        .held_by(&["rocketry_core::message::compression::zlib::comp_06_every_level_opens"]),
    Case::should(
        "COMP-07",
        "A body of 3 MiB that cannot be compressed is sent, and it grows by less than 0.1 %.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["message_publish::comp_07_a_body_that_does_not_shrink_is_sent_as_it_is"]),
    Case::must(
        "COMP-08",
        "A client that was built without a codec hands a body of that codec out as it came, with \
         its flag, and loses nothing.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "message_records::wire_17_comp_08_records_that_java_stored_are_read_field_for_field",
        "message_rules::comp_05_every_compression_type_is_known_or_undecodable",
    ]),
    Case::should("COMP-09", "The body of a batch is not compressed, as in Java.", "Java source")
        .on(LIVE)
    .held_by(&[
        "message_publish::comp_09_a_batch_is_sent_as_it_is_however_long_and_however_much_it_would_\
         shrink",
    ]),
    Case::should(
        "COMP-10",
        "Bodies that Go and Python clients compressed are opened to what they were.",
        "apache/rocketmq-clients issue 667",
    )
    .on(CORE)
    .held_by(&["message_rules::comp_10_what_python_and_go_compressed_opens"]),
];
