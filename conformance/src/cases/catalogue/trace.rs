//! Message traces.

use crate::cases::case::{CORE, CORE_AND_LIVE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "TRACE-01",
        "The trace of a sent message has the bytes that Java writes, with \\u0001 between fields \
         and \\u0002 at the end of a record.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rules::trace_01_what_is_absent_is_written_as_java_writes_it",
        "rules::trace_01_a_separator_in_a_text_forges_no_record",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "TRACE-02",
        "The traces before and after consuming share their request id.",
        "Java source",
    )
    .on(CORE_AND_LIVE)
    .held_by(&[
        "rules::trace_02_the_records_around_consuming_share_their_request_id",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::should(
        "TRACE-03",
        "The trace of a transaction's end has the bytes that Java writes.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rules::trace_03_every_kind_is_read_as_it_was_written",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "TRACE-04",
        "Traces are sent to RMQ_SYS_TRACE_TOPIC, or to a topic that is set, and are not traced \
         themselves.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "TRACE-05",
        "When the broker of the traces is down, sends are not affected, and the queue of traces \
         is bounded.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime(),
    Case::must("TRACE-06", "A client with traces off sends no frame for them.", "Rocketry's own")
        .on(EMBEDDED),
    Case::should("TRACE-07", "The trace of a recall is as in Java.", "Apache test/")
        .on(LIVE)
        .since("5.3.0")
        .with(&[("recallMessageEnable", "true")]),
    Case::should("TRACE-08", "A shutdown sends the traces that are left.", "Java source")
        .on(EMBEDDED_AND_LIVE)
        .on_every_runtime(),
];
