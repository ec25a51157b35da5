//! What a producer can do, on a live broker.

use crate::rig::{On, producing};
use crate::{live_on_both, new_topic, shared};

live_on_both!(
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
    producing::send_02_ten_thousand_in_flight_all_end(on, &shared().0, &new_topic(8));
}

fn send_03_oneway_messages_are_stored(on: On) {
    producing::send_03_oneway_messages_are_stored(on, &shared().0, &new_topic(8));
}

fn send_06_a_selector_that_panics_or_errs_harms_nobody(on: On) {
    producing::send_06_a_selector_that_panics_or_errs_harms_nobody(on, &shared().0, &new_topic(8));
}

fn send_26_a_full_window_waits_where_it_is_told_to(on: On) {
    producing::send_26_a_full_window_waits_where_it_is_told_to(on, &shared().0, &new_topic(8));
}

fn comp_01_a_large_body_comes_back_as_it_was(on: On) {
    producing::comp_01_a_large_body_comes_back_as_it_was(on, &shared().0, &new_topic(8));
}

fn batch_01_batch_02_batch_06_a_batch_lies_in_one_queue_each_message_whole(on: On) {
    producing::batch_01_batch_02_batch_06_a_batch_lies_in_one_queue_each_message_whole(
        on,
        &shared().0,
        &new_topic(8),
    );
}

fn adm_05_a_topic_is_created_found_and_deleted(on: On) {
    producing::adm_05_a_topic_is_created_found_and_deleted(on, &shared().0, &new_topic(8));
}

fn adm_06_a_queue_is_read_by_plain_pulls(on: On) {
    producing::adm_06_a_queue_is_read_by_plain_pulls(on, &shared().0, &new_topic(8));
}
