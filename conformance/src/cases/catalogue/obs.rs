//! What an operator can see.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE};

pub(super) static CASES: &[Case] = &[
    Case::should(
        "OBS-01",
        "The counters balance: calls begun are those that succeeded, failed, were cancelled or \
         are in flight.",
        "nats.rs",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::observing::obs_01_calls_begun_are_calls_stored_failed_cancelled_and_in_flight",
        "pair::storms::fault_32_nothing_is_lost_in_storms_1_to_18",
    ]),
    Case::should(
        "OBS-02",
        "Records of the log show no part of a body and have the levels that the documentation \
         lists.",
        "Rocketry's own",
    )
    .on(CORE)
    .on_every_runtime()
    .held_by(&[
        "weather::appender::obs_02_records_carry_facts_and_no_bodies_and_an_appender_may_send_them",
        "pair::observing::notes_carry_their_facts_by_name",
    ]),
    Case::should(
        "OBS-03",
        "Each send and each delivery has a tracing span, and the context travels in the \
         message's properties so that the parent is linked.",
        "OpenTelemetry",
    )
    .on(EMBEDDED),
    Case::must(
        "OBS-04",
        "Every error of a call carries code, broker, topic and opaque number, where there are any.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "pair::observing::obs_04_errors_of_sends_carry_kind_code_peer_topic_opaque_and_what_to_do",
        "pair::observing::obs_04_a_nameserver_at_a_wrong_port_is_named_with_the_right_one",
        "pair::observing::obs_04_errors_of_questions_carry_the_same",
    ]),
    Case::should(
        "OBS-05",
        "Who watches the state of connections sees connected, reconnecting and about to go, in \
         that order.",
        "nats.rs",
    )
    .on(EMBEDDED)
    .behind_proxy(),
    Case::should(
        "OBS-06",
        "A consumer that is too slow raises an event at its threshold.",
        "nats.rs",
    )
    .on(EMBEDDED),
    Case::should(
        "OBS-07",
        "A subject that changes all the time gets at most five lines of the log a minute, the \
         last of which is true and tells how many were left out.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::observing::a_connection_that_flaps_gets_five_lines_a_minute_and_the_last_one_is_\
         true",
        "rocketry_core::effects::throttle::a_subject_that_flaps_gets_few_lines_a_minute_and_the_\
         last_one_with_a_count",
        "rocketry_core::effects::throttle::a_single_note_too_many_is_late_and_not_left_out",
    ]),
    Case::should(
        "OBS-08",
        "A snapshot tells of brokers, connections, topics and consumers, and reads as a page.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::observing::a_snapshot_tells_of_brokers_connections_topics_and_consumers_and_reads_\
         as_a_page",
    ]),
    Case::should(
        "OBS-09",
        "A broker's or a proxy's port that is given as a nameserver is named at once, with the \
         port to use.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::connecting::a_brokers_port_given_as_nameserver_is_named_at_once",
        "pair::observing::obs_04_a_nameserver_at_a_wrong_port_is_named_with_the_right_one",
        "weather::sieges::a_brokers_port_as_nameserver_costs_little",
    ]),
    Case::should(
        "OBS-10",
        "A consumer's topic that is not there is told of once, and once more when it is there.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::observing::a_consumer_of_a_topic_that_is_not_there_is_told_of_once_and_once_when_it_\
         is",
    ]),
];
