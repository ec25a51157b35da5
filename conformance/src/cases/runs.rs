//! The cases that run against a broker, each a function of a place.

use super::case::{Case, EMBEDDED_AND_LIVE, LIVE, Proof, Runtimes, Target};
use super::place::{Place, Setting};
use super::{admin, batch, clusters, conn, fault, ns, off, push, reb, send, volume};

use fault::{failover, moves, outages, restart};
use ns::several;
use send::{changes, many, one};

/// What runs a case of the catalogue, and what it needs.
pub(super) struct Run {
    pub(super) id: &'static str,
    run: fn(&Place),
    targets: &'static [Target],
    runtimes: Runtimes,
    settings: &'static [Setting],
    alone: bool,
}

impl Run {
    /// The case with this function, against what that can be run.
    pub(super) const fn of(&self, case: Case) -> Case {
        let Self { run, targets, runtimes, settings, alone, .. } = *self;
        Case { targets, runtimes, settings, alone, proof: Proof::Run(run), ..case }
    }
}

/// On one runtime, against the embedded broker and live ones.
const fn run(id: &'static str, run: fn(&Place)) -> Run {
    Run {
        id,
        run,
        targets: EMBEDDED_AND_LIVE,
        runtimes: Runtimes::One,
        settings: &[],
        alone: false,
    }
}

/// Against live brokers only.
const fn live(run: Run) -> Run {
    Run { targets: LIVE, ..run }
}

/// A runtime can change the outcome.
const fn each(run: Run) -> Run {
    Run { runtimes: Runtimes::All, ..run }
}

/// Brokers are to have these settings.
const fn with(settings: &'static [Setting], run: Run) -> Run {
    Run { settings, ..run }
}

/// It hurts the cluster, and looks at all runtimes in one.
const fn alone(run: Run) -> Run {
    Run { alone: true, runtimes: Runtimes::All, ..run }
}

const NO_AUTO_CREATE: &[Setting] = &[("autoCreateTopicEnable", "false")];
const GRACE: &[Setting] = &[("enableShutdownGracefully", "true"), ("shutdownWaitTimeSeconds", "4")];
/// A master that is to have a copy on a slave, which is not there.
const SYNC_MASTER: &[Setting] =
    &[("brokerRole", "SYNC_MASTER"), ("inSyncReplicas", "2"), ("slaveTimeout", "1000")];

/// In the order of their groups.
pub(super) const RUNS: &[Run] = &[
    live(run("NS-01", ns::the_queues_are_those_that_the_cluster_made)),
    with(
        NO_AUTO_CREATE,
        run("NS-02", ns::a_topic_that_nobody_creates_fails_at_once_and_says_who_does_not_know_it),
    ),
    run("NS-03", ns::an_unknown_topic_is_created_with_four_queues),
    live(run("NS-05", ns::a_route_is_read_in_the_dialect_of_its_version)),
    with(
        several::SELDOM_TOLD,
        alone(live(run(
            "NS-17",
            several::a_nameserver_that_was_just_started_is_not_believed_alone,
        ))),
    ),
    with(
        several::SELDOM_TOLD,
        alone(live(run(
            "NS-18",
            several::a_topic_that_one_nameserver_forgets_is_sent_to_and_consumed_on,
        ))),
    ),
    with(
        several::SELDOM_TOLD,
        alone(live(run(
            "NS-19",
            several::a_silent_nameserver_costs_a_first_send_a_third_of_its_deadline,
        ))),
    ),
    run("OBS-09", ns::a_brokers_port_as_nameserver_fails_at_once_with_a_hint),
    live(each(run("CONN-08", conn::a_client_that_has_shut_down_is_gone_from_the_broker_at_once))),
    live(run("CONN-13", conn::two_clients_of_one_id_are_both_listed)),
    live(run("CONN-14", conn::sends_go_to_the_port_two_below_only_when_told_to)),
    alone(live(run("CONN-15", moves::a_consumer_alone_finds_its_broker_at_another_port))),
    with(
        GRACE,
        alone(live(run(
            "CONN-16",
            moves::a_broker_that_leaves_with_grace_is_not_stormed_and_all_goes_on_elsewhere,
        ))),
    ),
    run("SEND-01", one::a_message_is_stored_once_where_the_receipt_says),
    each(run("SEND-02", many::ten_thousand_in_flight_all_end)),
    run("SEND-03", many::oneway_messages_are_stored),
    run("SEND-04", one::a_message_goes_to_the_queue_that_was_named),
    run("SEND-05", one::a_key_has_its_queue_and_random_finds_them_all),
    each(run("SEND-06", many::a_selector_that_panics_or_errs_harms_nobody)),
    run("SEND-07", one::a_queue_that_is_not_there_is_refused_by_the_broker),
    run("SEND-08", one::the_broker_picks_the_queue_of_minus_one),
    with(
        SYNC_MASTER,
        alone(live(run(
            "SEND-13",
            outages::only_a_message_that_waits_hears_of_a_slave_that_is_not_there,
        ))),
    ),
    run("SEND-16", one::an_empty_body_is_refused_before_it_leaves),
    run("SEND-17", one::a_body_of_four_mebibytes_goes_and_one_byte_more_is_refused),
    run("SEND-19", one::properties_up_to_their_limit_are_kept_and_longer_ones_refused),
    run("SEND-20", one::odd_text_in_a_property_harms_no_neighbour),
    run("SEND-22", one::a_tag_may_be_any_text),
    run("SEND-23", one::a_long_chinese_property_is_kept_or_refused_by_its_size),
    run("SEND-24", one::a_message_that_does_not_wait_is_stored_as_well),
    each(run("SEND-25", many::a_dropped_send_frees_its_place)),
    each(run("SEND-26", many::a_full_window_waits_or_refuses)),
    alone(live(run("SEND-27", moves::beside_a_frozen_broker_no_send_is_slow_after_the_first))),
    run("SEND-28", changes::write_queues_that_are_cut_fail_no_send),
    live(run("SEND-29", changes::a_body_over_the_brokers_limit_harms_no_neighbour)),
    alone(live(run("SEND-32", changes::ordered_sends_over_a_restart_are_stored_in_order))),
    run("BATCH-01", batch::ten_messages_are_ten_to_who_consumes_them),
    run("BATCH-02", batch::a_batch_lies_in_one_queue_one_behind_the_other),
    run("BATCH-06", batch::each_message_keeps_what_it_has),
    run("COMP-01", batch::a_body_over_4096_bytes_is_compressed_and_comes_back_as_it_was),
    run("COMP-07", batch::a_body_that_does_not_shrink_grows_by_less_than_a_thousandth),
    run("COMP-09", batch::a_batch_is_not_compressed_as_in_java),
    run("PULL-01", admin::a_queue_is_read_by_plain_pulls),
    live(run("PUSH-18", push::a_group_that_may_not_consume_is_told_of_at_once_and_not_often)),
    run("PUSH-20", push::a_topic_that_may_not_be_read_is_told_of_at_once_and_not_often),
    live(run("FILT-07", push::members_with_other_tags_are_told_of_and_lose_nothing_of_their_own)),
    run("OFF-04", volume::a_successor_begins_where_the_last_one_settled),
    with(
        off::SLAVE_READS,
        alone(live(run(
            "OFF-17",
            off::a_slave_alone_keeps_offsets_and_a_send_waits_for_the_master,
        ))),
    ),
    live(run("OFF-18", off::a_topic_made_anew_is_never_committed_past_what_is_unsettled)),
    with(
        off::SELDOM_FLUSHED,
        alone(live(run("OFF-21", off::offsets_that_died_with_a_killed_broker_are_committed_again))),
    ),
    each(run("REB-07", reb::the_other_gets_all_when_one_is_killed)),
    each(run("REB-20", reb::two_share_and_the_other_gets_all_when_one_closes)),
    alone(Run {
        targets: EMBEDDED_AND_LIVE,
        ..run("FAULT-02", restart::a_killed_broker_is_used_again_and_nothing_answered_is_missing)
    }),
    alone(live(run(
        "FAULT-04",
        outages::a_broker_that_is_silent_for_twenty_seconds_is_used_again_and_loses_nothing,
    ))),
    alone(live(run(
        "FAULT-21",
        outages::without_a_nameserver_sends_go_on_and_new_topics_wait_for_it,
    ))),
    alone(live(run(
        "FAULT-23",
        failover::sends_go_on_to_the_other_broker_and_nothing_answered_is_missing,
    ))),
    each(run("LIFE-03", outages::a_shutdown_under_load_ends_every_send_and_loses_nothing)),
    alone(live(run(
        "LIFE-04",
        outages::a_shutdown_ends_by_its_deadline_while_the_broker_is_silent_or_dead,
    ))),
    run("LIFE-07", admin::producers_of_one_group_send_side_by_side),
    each(run("LIFE-15", off::a_shutdown_waits_for_busy_handlers_and_nothing_of_theirs_comes_again)),
    run("ADM-01", admin::a_topic_is_created_changed_and_deleted),
    run("ADM-05", admin::clusters_and_a_brokers_settings_are_read),
    each(run("SEND-33", volume::many_messages_lie_in_the_log_and_come_once_each)),
    live(run("LIVE-01", clusters::a_new_topic_shows_in_the_route_with_its_queues)),
    alone(live(run(
        "LIVE-02",
        clusters::a_killed_broker_leaves_the_route_and_returns_with_its_topics,
    ))),
    alone(live(run("LIVE-03", clusters::a_frozen_broker_is_silent_and_goes_on))),
    alone(live(run("LIVE-04", failover::members_are_hurt_and_mended_from_outside_by_name))),
];
