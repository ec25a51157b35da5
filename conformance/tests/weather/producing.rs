//! What a producer can do, on the embedded broker.

use crate::rig::{On, producing};
use crate::{TOPIC, on_both, served};

on_both!(
    send_02_ten_thousand_in_flight_all_end,
    send_03_oneway_messages_are_stored,
    send_06_a_selector_that_panics_or_errs_harms_nobody,
    send_26_a_full_window_waits_where_it_is_told_to,
    comp_01_a_large_body_comes_back_as_it_was,
    batch_01_batch_02_batch_06_a_batch_lies_in_one_queue_each_message_whole,
    adm_05_a_topic_is_created_found_and_deleted,
    adm_06_a_queue_is_read_by_plain_pulls,
);

fn send_02_ten_thousand_in_flight_all_end(on: On) {
    let served = served();
    producing::send_02_ten_thousand_in_flight_all_end(on, &served.namesrv(), TOPIC);
}

fn send_03_oneway_messages_are_stored(on: On) {
    let served = served();
    producing::send_03_oneway_messages_are_stored(on, &served.namesrv(), TOPIC);
}

fn send_06_a_selector_that_panics_or_errs_harms_nobody(on: On) {
    let served = served();
    producing::send_06_a_selector_that_panics_or_errs_harms_nobody(on, &served.namesrv(), TOPIC);
}

fn send_26_a_full_window_waits_where_it_is_told_to(on: On) {
    let served = served();
    producing::send_26_a_full_window_waits_where_it_is_told_to(on, &served.namesrv(), TOPIC);
}

fn comp_01_a_large_body_comes_back_as_it_was(on: On) {
    let served = served();
    producing::comp_01_a_large_body_comes_back_as_it_was(on, &served.namesrv(), TOPIC);
}

fn batch_01_batch_02_batch_06_a_batch_lies_in_one_queue_each_message_whole(on: On) {
    let served = served();
    producing::batch_01_batch_02_batch_06_a_batch_lies_in_one_queue_each_message_whole(
        on,
        &served.namesrv(),
        TOPIC,
    );
}

fn adm_05_a_topic_is_created_found_and_deleted(on: On) {
    let served = served();
    producing::adm_05_a_topic_is_created_found_and_deleted(on, &served.namesrv(), TOPIC);
}

fn adm_06_a_queue_is_read_by_plain_pulls(on: On) {
    let served = served();
    producing::adm_06_a_queue_is_read_by_plain_pulls(on, &served.namesrv(), TOPIC);
}
