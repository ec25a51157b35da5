//! The cases that run against a broker, each a function of a place.

use super::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE, Proof, Runtimes, Target};
use super::place::{OLD_IS_DELETED, Place, Setting};
use super::{
    admin, backlog, batch, bcast, clusters, conn, delay, expressions, fault, filt, groups, keys,
    loss, models, much, ns, off, offsets, ord, order, packed, polling, pull, push, reb, retry, rpc,
    send, shops, slaves, spaces, sql, stored, tls, txn, txn_java, volume,
};

use fault::{acting, comeback, failover, kill, moves, outages, restart, roles, slow, storm};
use groups::{asked, handlers, members, mixed, topics};
use ns::{perms, several};
use send::{changes, many, one};

/// What runs a case of the catalogue, and what it needs.
pub(super) struct Run {
    pub(super) id: &'static str,
    run: fn(&Place),
    targets: &'static [Target],
    runtimes: Runtimes,
    settings: &'static [Setting],
    alone: bool,
    long: bool,
}

impl Run {
    /// The case with this function, against what that can be run.
    pub(super) const fn of(&self, case: Case) -> Case {
        let Self { run, targets, runtimes, settings, alone, long, .. } = *self;
        Case { targets, runtimes, settings, alone, long, proof: Proof::Run(run), ..case }
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
        long: false,
    }
}

/// Against live brokers only.
const fn live(run: Run) -> Run {
    Run { targets: LIVE, ..run }
}

/// Against the embedded broker only.
const fn embedded(run: Run) -> Run {
    Run { targets: EMBEDDED, ..run }
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

/// It takes minutes on a live broker.
const fn long(run: Run) -> Run {
    Run { long: true, ..run }
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
    run("NS-12", perms::permissions_say_who_may_write_and_read),
    with(
        off::SLAVE_READS,
        long(alone(live(run("NS-14", perms::a_slave_alone_is_read_from_and_not_written_to)))),
    ),
    run("OBS-09", ns::a_brokers_port_as_nameserver_fails_at_once_with_a_hint),
    run("CONN-04", asked::a_broker_shows_what_heartbeats_told),
    run("CONN-06", asked::beats_without_subscriptions_keep_a_group_alive),
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
    live(run("COMP-02", packed::zlib_goes_both_ways)),
    live(run("COMP-03", packed::lz4_goes_both_ways)),
    live(run("COMP-04", packed::zstandard_goes_both_ways)),
    run("PULL-01", admin::a_queue_is_read_by_plain_pulls),
    run("PULL-02", pull::an_empty_queue_is_answered_at_once),
    each(run("PULL-03", pull::a_message_is_there_within_a_tenth_of_a_second_of_its_send)),
    run("PULL-04", pull::a_pull_that_finds_nothing_is_answered_after_its_time),
    run("PULL-05", pull::outside_its_queue_a_pull_is_told_where_to_go_on),
    run("PULL-06", pull::where_nothing_matches_a_pull_is_led_on),
    run("PULL-07", pull::a_pull_from_memory_brings_32_messages_and_256_kibibytes_at_most),
    with(
        slaves::SUGGESTED,
        alone(run("PULL-08", slaves::a_suggested_slave_is_read_from_and_left_again)),
    ),
    run("PULL-09", pull::a_pull_may_bring_an_offset_to_commit),
    run("PULL-11", polling::an_assigned_queue_is_polled_from_where_it_was_sought),
    run("PULL-12", polling::two_that_subscribe_share_the_queues),
    run("PULL-13", polling::a_paused_queue_gives_nothing_and_loses_nothing),
    run("PULL-14", polling::begin_end_and_a_time_are_sought),
    run("PULL-15", polling::what_was_not_committed_comes_again),
    each(run("PULL-17", polling::a_poll_keeps_its_time)),
    live(each(run("PUSH-01", handlers::sixteen_handlers_are_given_ten_thousand_messages))),
    run("PUSH-02", handlers::what_is_committed_is_the_lowest_offset_that_is_not_settled),
    run("PUSH-08", handlers::of_a_batch_the_first_are_done_and_the_rest_comes_again),
    run("PUSH-09", handlers::a_message_whose_handler_panics_comes_again),
    run("PUSH-11", handlers::a_suspended_consumer_is_given_nothing_until_it_is_resumed),
    run("PUSH-13", handlers::three_groups_get_all_of_a_topic_each),
    run("PUSH-14", topics::a_hundred_topics_all_flow),
    run("PUSH-15", topics::a_topic_is_subscribed_to_and_left_while_the_consumer_runs),
    run("PUSH-16", asked::a_consumer_tells_what_it_does_and_handles_a_message_directly),
    live(run("PUSH-18", push::a_group_that_may_not_consume_is_told_of_at_once_and_not_often)),
    run("PUSH-20", push::a_topic_that_may_not_be_read_is_told_of_at_once_and_not_often),
    run("BCAST-01", bcast::each_member_gets_all),
    run("BCAST-02", bcast::one_that_starts_later_begins_where_it_says),
    run("BCAST-03", bcast::one_that_crashes_goes_on_from_its_file),
    run("BCAST-04", bcast::what_can_not_be_handled_is_dropped_and_told),
    live(run("BCAST-05", bcast::java_goes_on_from_our_file_and_we_from_javas)),
    run("ORD-01", ord::eight_queues_are_handled_each_in_its_order),
    each(run("ORD-02", ord::sixteen_workers_handle_one_queue_one_by_one)),
    run("ORD-03", ord::a_queue_is_locked_before_its_first_delivery),
    run("ORD-06", ord::who_leaves_unlocks_and_another_takes_over_within_a_second),
    run("ORD-07", ord::a_message_that_is_to_come_again_holds_up_the_next_one),
    run("ORD-08", ord::a_message_that_came_too_often_is_dead_and_the_next_one_comes),
    run("ORD-09", ord::order_is_kept_while_a_group_grows_and_shrinks),
    long(run("ORD-10", ord::the_queues_of_one_that_is_killed_are_taken_over_in_time)),
    run("ORD-11", ord::the_messages_of_a_tag_come_in_their_order),
    run("ORD-13", bcast::orderly_members_each_get_every_queue_in_its_order),
    run("ORD-14", ord::a_run_is_committed_or_rolled_back_as_a_whole),
    Run {
        alone: true,
        ..run(
            "ORD-15",
            order::first_deliveries_come_in_order_whatever_becomes_of_members_and_broker,
        )
    },
    run("FILT-01", filt::a_star_and_nothing_bring_all),
    run("FILT-02", filt::tags_joined_by_two_bars_bring_each_of_them),
    run("FILT-03", filt::a_filter_that_nothing_matches_brings_none_and_moves_on),
    run("FILT-04", filt::tags_that_differ_in_case_are_different),
    run("FILT-05", filt::tags_of_one_hash_are_told_apart),
    run("FILT-06", filt::a_message_without_a_tag_is_not_for_who_wants_one),
    live(run("FILT-07", push::members_with_other_tags_are_told_of_and_lose_nothing_of_their_own)),
    run("FILT-08", filt::a_long_tag_is_a_tag),
    with(sql::FILTERS, run("FILT-09", sql::a_comparison_brings_what_matches)),
    with(sql::FILTERS, run("FILT-10", sql::each_word_of_the_language_means_what_it_does)),
    with(sql::FILTERS, run("FILT-11", sql::a_property_that_nothing_has_brings_nothing)),
    with(sql::FILTERS, each(run("FILT-12", sql::an_expression_that_cannot_be_read_is_an_error))),
    with(sql::FILTERS_NOT, run("FILT-13", sql::brokers_that_filter_by_no_properties_are_told_of)),
    with(sql::FILTERS, run("FILT-14", sql::an_orderly_consumer_gets_what_matches_in_its_order)),
    with(sql::FILTERS, run("FILT-15", sql::parentheses_without_end_are_an_error)),
    with(sql::FILTERS, run("FILT-16", sql::texts_and_numbers_mean_what_they_do_in_java)),
    run("FILT-17", filt::a_changed_subscription_is_what_its_broker_goes_by),
    with(
        sql::FILTERS,
        run("FILT-19", expressions::expressions_bring_what_they_do_on_the_embedded_broker),
    ),
    long(with(
        OLD_IS_DELETED,
        run("OFF-01", offsets::a_group_at_the_end_gets_new_messages_and_all_of_its_retries),
    )),
    run("OFF-03", offsets::a_group_begins_at_a_time),
    run("OFF-04", volume::a_successor_begins_where_the_last_one_settled),
    run("OFF-05", offsets::offsets_are_committed_every_five_seconds_and_at_the_end),
    run("OFF-06", offsets::where_a_group_has_no_offset_a_young_queue_says_0),
    run("OFF-09", offsets::a_reset_wins_over_what_is_under_way),
    run("OFF-10", offsets::two_resets_leave_one_loop_of_pulls),
    run("OFF-11", offsets::a_time_finds_its_offset),
    long(with(
        OLD_IS_DELETED,
        run("OFF-12", offsets::ends_and_times_are_right_after_messages_were_deleted),
    )),
    run("OFF-16", asked::a_consumer_tells_its_offsets),
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
    with(offsets::RESET_BY_CLIENTS, run("OFF-23", offsets::a_reset_wins_over_what_is_under_way)),
    with(offsets::RESET_BY_CLIENTS, run("OFF-24", offsets::two_resets_leave_one_loop_of_pulls)),
    long(with(
        OLD_IS_DELETED,
        run("OFF-25", offsets::where_a_group_has_no_offset_an_old_queue_says_so),
    )),
    run("REB-06", members::members_beyond_the_number_of_queues_stay_idle),
    each(run("REB-07", reb::the_other_gets_all_when_one_is_killed)),
    run("REB-08", members::a_group_grows_and_shrinks_and_loses_none_of_240),
    run("REB-12", members::a_queue_that_moves_is_committed_first),
    run("REB-14", topics::queues_that_come_and_go_are_followed),
    alone(live(run("REB-15", comeback::a_broker_that_is_added_or_leaves_is_followed))),
    long(live(run("REB-16", mixed::java_go_and_we_share_by_one_rule))),
    run(
        "REB-17",
        members::a_broker_that_assigns_queues_is_gone_by_and_one_that_can_not_is_no_trouble,
    ),
    each(run("REB-20", reb::two_share_and_the_other_gets_all_when_one_closes)),
    with(retry::QUICK, run("RETRY-01", retry::a_message_comes_again_later_each_time)),
    run("RETRY-02", retry::a_pause_is_asked_for_and_a_rejected_message_is_dead_at_once),
    run("RETRY-03", retry::a_message_that_came_too_often_is_a_dead_letter),
    run("RETRY-05", retry::a_retry_shows_its_topic_its_ids_and_its_count),
    run("RETRY-08", retry::dead_letters_are_consumed_by_their_topics_name),
    with(retry::QUICK, run("RETRY-09", spaces::retry_topics_are_wrapped_once)),
    run("RETRY-11", retry::messages_that_always_fail_keep_no_other_waiting),
    run("RETRY-12", ord::of_a_batch_that_fails_all_comes_again_before_anything_else),
    with(
        retry::NO_GROUPS,
        run("RETRY-13", retry::a_group_that_is_missing_is_told_of_in_clear_words),
    ),
    run("RETRY-14", retry::a_retry_topic_has_as_many_queues_as_its_group_says),
    run("RETRY-15", stored::checksums_are_right_wherever_a_message_goes),
    run("TXN-01", txn::what_is_committed_is_delivered),
    long(run("TXN-02", txn::what_is_rolled_back_is_never_delivered)),
    run("TXN-03", txn::what_is_unknown_is_delivered_when_a_check_commits_it),
    run("TXN-04", txn::what_is_unknown_is_never_delivered_when_a_check_rolls_it_back),
    run("TXN-05", txn::a_half_message_is_delivered_to_nobody),
    run("TXN-07", txn::another_producer_of_the_group_is_asked_about_a_dead_ones),
    long(run("TXN-09", txn::slow_local_work_and_checks_are_safe_together)),
    long(with(&[("transactionCheckMax", "2")], run("TXN-10", txn::what_nobody_ends_is_laid_aside))),
    long(run("TXN-11", txn::the_immunity_time_delays_the_first_check)),
    run("TXN-12", txn::a_delay_level_is_left_out),
    long(each(run("TXN-15", txn::of_1000_at_once_each_ends_as_it_should))),
    long(with(&[("rejectTransactionMessage", "true")], run("TXN-16", txn::a_broker_may_take_none))),
    run("TXN-17", txn::a_broker_does_each_end_that_it_is_told),
    long(live(run("TXN-18", txn_java::java_and_we_answer_for_each_others_dead))),
    long(with(
        shops::CHECKED,
        alone(run("TXN-19", shops::of_thousands_each_ends_once_though_shops_and_broker_are_killed)),
    )),
    long(run("DELAY-01", delay::the_first_levels_come_when_they_are_due)),
    run("DELAY-02", delay::level_0_is_at_once_and_there_is_none_above_18),
    run("DELAY-03", delay::the_broker_takes_level_19_as_18),
    run("DELAY-05", delay::a_time_in_each_form_comes_within_a_second),
    run("DELAY-06", delay::a_time_that_is_past_is_at_once),
    run("DELAY-07", delay::what_is_too_far_off_is_refused),
    long(with(delay::NO_TIMERS, run("DELAY-08", delay::a_broker_without_timers_says_so))),
    with(delay::RECALLS, run("DELAY-09", delay::what_is_taken_back_does_not_come)),
    long(with(delay::RECALLS, run("DELAY-10", delay::what_is_taken_back_in_vain_is_told))),
    long(alone(Run {
        targets: EMBEDDED_AND_LIVE,
        ..run("DELAY-11", restart::delayed_messages_come_after_a_restart)
    })),
    run("RPC-01", rpc::a_request_gets_its_reply),
    each(run("RPC-02", rpc::a_thousand_at_once_get_each_its_own)),
    each(run("RPC-03", rpc::one_that_nobody_answers_ends_at_its_deadline)),
    run("RPC-05", rpc::whoever_answers_one_that_is_gone_hears_so),
    run("RPC-06", rpc::one_that_is_awaited_ends_once),
    live(run("RPC-07", rpc::java_answers_us_and_we_answer_java)),
    each(run("RPC-08", rpc::one_that_is_cancelled_frees_its_place)),
    with(
        kill::FLUSHED,
        alone(run("FAULT-01", kill::a_broker_that_is_killed_loses_nothing_that_it_has_answered)),
    ),
    alone(Run {
        targets: EMBEDDED_AND_LIVE,
        ..run("FAULT-02", restart::a_killed_broker_is_used_again_and_nothing_answered_is_missing)
    }),
    alone(live(run(
        "FAULT-04",
        outages::a_broker_that_is_silent_for_twenty_seconds_is_used_again_and_loses_nothing,
    ))),
    embedded(run("FAULT-12", slow::sends_to_a_broker_that_reads_slowly_are_held_back)),
    long(alone(live(run(
        "FAULT-21",
        outages::without_a_nameserver_sends_go_on_and_new_topics_wait_for_it,
    )))),
    long(alone(live(run("FAULT-22", comeback::all_clients_come_back_with_their_brokers)))),
    long(alone(live(run(
        "FAULT-23",
        failover::sends_go_on_to_the_other_broker_and_nothing_answered_is_missing,
    )))),
    with(
        off::SLAVE_READS,
        long(alone(live(run("FAULT-24", perms::a_slave_alone_is_read_from_and_not_written_to)))),
    ),
    with(
        roles::ROLES,
        long(alone(live(run(
            "FAULT-25",
            roles::writes_go_to_the_master_that_a_controller_has_made,
        )))),
    ),
    long(embedded(each(run("FAULT-32", storm::a_script_of_all_faults_breaks_no_promise)))),
    with(
        acting::ACTING,
        long(alone(run(
            "FAULT-35",
            acting::a_consumer_reads_commits_and_locks_at_an_acting_master,
        ))),
    ),
    run("LIMIT-03", backlog::the_longest_group_has_its_retries),
    run("LIMIT-04", backlog::a_topic_with_1024_queues_works),
    run("LIMIT-07", backlog::a_slow_consumer_holds_what_it_may_and_no_more),
    long(embedded(run("LIMIT-10", much::a_day_of_work_keeps_memory_flat_and_loses_nothing))),
    embedded(run(
        "LIMIT-11",
        much::a_producer_of_100_000_messages_a_second_leaves_no_queue_unbounded,
    )),
    each(run("BAD-18", stored::of_32_messages_one_can_not_be_opened_and_31_are_delivered)),
    each(run("LIFE-03", outages::a_shutdown_under_load_ends_every_send_and_loses_nothing)),
    alone(live(run(
        "LIFE-04",
        outages::a_shutdown_ends_by_its_deadline_while_the_broker_is_silent_or_dead,
    ))),
    run("LIFE-07", admin::producers_of_one_group_send_side_by_side),
    run("LIFE-09", spaces::names_are_wrapped_on_their_way_out_and_unwrapped_on_their_way_in),
    each(run("LIFE-15", off::a_shutdown_waits_for_busy_handlers_and_nothing_of_theirs_comes_again)),
    with(keys::CHECKED, live(run("ACL-03", keys::with_a_good_key_everything_is_served))),
    long(with(keys::CHECKED, live(run("ACL-04", keys::with_a_good_key_everything_is_served)))),
    with(keys::CHECKED, run("ACL-05", keys::a_wrong_secret_ends_a_send_at_once)),
    with(keys::CHECKED, run("ACL-06", keys::a_client_without_a_key_is_told_that_one_is_needed)),
    long(with(keys::CHECKED, run("ACL-07", keys::what_an_account_may_do_holds_for_each_operation))),
    long(with(keys::CHECKED, run("ACL-08", keys::a_consumer_whose_group_is_denied_reports_it))),
    long(with(
        tls::WITH_KEYS,
        each(run(
            "ACL-13",
            tls::works::three_settings_are_enough_where_keys_are_checked_and_tls_is_enforced,
        )),
    )),
    run("ADM-01", admin::a_topic_is_created_changed_and_deleted),
    run("ADM-05", admin::clusters_and_a_brokers_settings_are_read),
    Run { alone: true, ..run("PUSH-21", loss::members_come_and_go_and_nothing_is_missed) },
    each(run("SEND-33", volume::many_messages_lie_in_the_log_and_come_once_each)),
    live(run("LIVE-01", clusters::a_new_topic_shows_in_the_route_with_its_queues)),
    long(alone(live(run(
        "LIVE-02",
        clusters::a_killed_broker_leaves_the_route_and_returns_with_its_topics,
    )))),
    long(alone(live(run("LIVE-03", clusters::a_frozen_broker_is_silent_and_goes_on)))),
    long(alone(live(run("LIVE-04", failover::members_are_hurt_and_mended_from_outside_by_name)))),
    with(
        sql::FILTERS,
        long(live(run("LIVE-05", models::java_finds_the_embedded_broker_as_it_finds_this_one))),
    ),
    long(with(
        tls::PERMISSIVE,
        each(run(
            "TLS-01",
            tls::works::a_client_with_tls_and_one_without_work_with_a_permissive_broker,
        )),
    )),
    long(with(
        tls::ENFORCING,
        each(run(
            "TLS-02",
            tls::refusals::a_client_without_tls_hears_what_an_enforcing_broker_wants,
        )),
    )),
    long(with(
        tls::DISABLED,
        each(run("TLS-03", tls::refusals::a_client_with_tls_hears_that_a_broker_has_none)),
    )),
    with(
        tls::ENFORCING,
        each(run(
            "TLS-04",
            tls::refusals::an_unknown_authority_is_refused_and_a_known_one_accepted,
        )),
    ),
    long(with(
        tls::OTHER_NAME,
        each(run("TLS-05", tls::refusals::another_name_is_refused_unless_it_is_asked_for)),
    )),
    long(with(
        tls::ASKING,
        each(run("TLS-06", tls::refusals::a_client_certificate_is_wanted_and_a_strangers_is_not)),
    )),
    embedded(each(run("TLS-07", tls::refusals::a_certificate_out_of_its_time_is_refused))),
    long(with(tls::ENFORCING, each(run("TLS-08", tls::works::the_largest_bodies_arrive_whole)))),
    long(with(
        tls::BY_FILE,
        each(live(run(
            "TLS-10",
            tls::works::what_a_broker_sends_from_its_files_arrives_whole_or_is_seen_to_be_broken,
        ))),
    )),
    embedded(each(run(
        "TLS-11",
        tls::refusals::a_handshake_that_stalls_ends_by_the_connect_timeout,
    ))),
    long(with(tls::ENFORCING, each(run("TLS-12", tls::works::every_runtime_says_the_same)))),
];
