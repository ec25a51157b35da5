//! Delayed and timed messages.

use crate::cases::case::{CORE_AND_LIVE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "DELAY-01",
        "Messages with the delay levels 1 to 4 are delivered after 1, 5, 10 and 30 s, give or \
         take a second.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "DELAY-02",
        "A message with the delay level 0 is delivered at once, and a negative level is refused.",
        "rocketmq-e2e",
    )
    .on(CORE_AND_LIVE),
    Case::must("DELAY-03", "The delay level 19 is treated as 18 by the broker.", "Java source")
        .on(LIVE),
    Case::must("DELAY-04", "All 18 delay levels are exact under a scaled clock.", "TigerBeetle")
        .on(EMBEDDED)
        .held_by(&["pair::times::delay_04_each_level_is_exact"]),
    Case::must(
        "DELAY-05",
        "A message for a time, or with a delay in seconds or milliseconds, is delivered then, \
         give or take a second.",
        "Java source",
    )
    .on(LIVE)
    .since("5.0.0"),
    Case::must("DELAY-06", "A message for a time in the past is delivered at once.", "Java source")
        .on(LIVE)
        .since("5.0.0"),
    Case::must(
        "DELAY-07",
        "A message for a time more than 3 days away is refused with MESSAGE_ILLEGAL (13).",
        "Java source",
    )
    .on(LIVE)
    .since("5.0.0"),
    Case::should(
        "DELAY-08",
        "Where the broker's timer wheel is off, the text of its SYSTEM_ERROR (1) is in the error.",
        "Java source",
    )
    .on(LIVE)
    .since("5.0.0")
    .with(&[("timerWheelEnable", "false")]),
    Case::should(
        "DELAY-09",
        "A timed message that is recalled (RECALL_MESSAGE, 370) by its handle is not delivered.",
        "Apache test/",
    )
    .on(LIVE)
    .since("5.3.0")
    .with(&[("recallMessageEnable", "true")]),
    Case::should(
        "DELAY-10",
        "A recall after delivery and one by a foreign handle end in an error that says so, and a \
         second recall does no harm.",
        "Apache test/",
    )
    .on(LIVE)
    .since("5.3.0")
    .with(&[("recallMessageEnable", "true")]),
    Case::must(
        "DELAY-11",
        "Delayed messages are delivered over a restart of the broker.",
        "Apache test/",
    )
    .on(LIVE)
    .alone(),
    Case::info(
        "DELAY-12",
        "When the clocks of broker and client are an hour apart, delays go by the broker's clock.",
        "TigerBeetle",
    )
    .on(EMBEDDED)
    .held_by(&["pair::times::delay_12_delays_go_by_the_brokers_clock"]),
];
