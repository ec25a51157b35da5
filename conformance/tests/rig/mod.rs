//! A client on any of the four runtimes, and load for it: what the socket tests and the live tests
//! share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod collector;
pub mod load;
pub mod member;
pub mod operating;
pub mod packing;
pub mod producing;
pub mod sending;
pub mod share;
pub mod volume;

use std::time::{Duration, Instant};

use rocketry::{Client, Config};

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Tokio,
    Smol,
    AsyncStd,
    Threads,
}

impl On {
    pub const ALL: [Self; 4] = [Self::Tokio, Self::Smol, Self::AsyncStd, Self::Threads];

    pub fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|on| format!("{on:?}") == name);
        found.unwrap_or_else(|| panic!("no runtime is called {name}"))
    }

    /// The one that a test was started for in a process of its own.
    pub fn of_this_process() -> Option<Self> {
        std::env::var("RIG_ON").ok().map(|name| Self::named(&name))
    }
}

/// A client and what it runs on. Its callers are tasks on tokio, and else threads that wait: smol
/// and async-std move a client's bytes on threads of their own.
pub struct Rig {
    pub client: Client,
    /// On tokio only. Dropped after the client.
    pub tokio: Option<tokio::runtime::Runtime>,
}

/// A tokio runtime of two threads.
pub fn tokio_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

impl Rig {
    pub fn start(on: On, namesrv: &str) -> Self {
        Self::with(on, Config::new(namesrv).expect("settings that work"))
    }

    pub fn with(on: On, config: Config) -> Self {
        match on {
            On::Threads => {
                let client = rocketry::blocking::connect(config).expect("a client");
                Self { client, tokio: None }
            }
            On::Smol => {
                let client = rocketry::smol::connect(config).expect("a client");
                Self { client, tokio: None }
            }
            On::AsyncStd => {
                let client = rocketry::async_std::connect(config).expect("a client");
                Self { client, tokio: None }
            }
            On::Tokio => {
                let tokio = tokio_runtime();
                let entered = tokio.enter();
                let client = rocketry::tokio::connect(config).expect("a client");
                drop(entered);
                Self { client, tokio: Some(tokio) }
            }
        }
    }

    pub fn handle(&self) -> Option<tokio::runtime::Handle> {
        self.tokio.as_ref().map(|tokio| tokio.handle().clone())
    }
}

/// Waits until something holds, looking every few milliseconds; false if it never did.
pub fn eventually(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Makes a test for each runtime of a function that takes one.
#[macro_export]
macro_rules! on_all {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[test]
            fn on_tokio() {
                super::$name($crate::rig::On::Tokio);
            }

            #[test]
            fn on_smol() {
                super::$name($crate::rig::On::Smol);
            }

            #[test]
            fn on_async_std() {
                super::$name($crate::rig::On::AsyncStd);
            }

            #[test]
            fn on_threads() {
                super::$name($crate::rig::On::Threads);
            }
        }
    )* };
}

/// The cases that hold on the embedded broker and on live ones alike, each as a function of a
/// runtime, a nameserver and a topic of its own with eight queues. `$run` makes tests of them.
#[macro_export]
macro_rules! producer_cases {
    ($run:ident) => {
        $run! {
            producing::send_02_ten_thousand_in_flight_all_end,
            producing::send_03_oneway_messages_are_stored,
            producing::send_06_a_selector_that_panics_or_errs_harms_nobody,
            producing::send_25_a_dropped_send_frees_its_place,
            producing::send_26_a_full_window_waits_where_it_is_told_to,
            producing::send_26_a_full_window_refuses_where_it_is_not_told_to_wait,
            sending::send_01_a_message_is_stored_once_where_the_receipt_says,
            sending::send_04_a_message_goes_to_the_queue_that_was_named,
            sending::send_05_a_key_has_its_queue_and_random_finds_them_all,
            sending::send_07_a_queue_that_is_not_there_is_refused_by_the_broker,
            sending::send_08_the_broker_picks_the_queue_of_minus_one,
            sending::send_16_an_empty_body_is_refused_before_it_leaves,
            sending::send_17_a_body_of_four_mebibytes_goes_and_one_byte_more_is_refused,
            sending::send_19_properties_up_to_their_limit_are_kept_and_longer_ones_refused,
            sending::send_20_odd_text_in_a_property_harms_no_neighbour,
            sending::send_22_a_tag_may_be_any_text,
            sending::send_23_a_long_chinese_property_is_kept_or_refused_by_its_size,
            sending::send_24_a_message_that_does_not_wait_is_stored_as_well,
            packing::batch_01_ten_messages_are_ten_to_who_consumes_them,
            packing::batch_02_a_batch_lies_in_one_queue_one_behind_the_other,
            packing::batch_06_each_message_keeps_what_it_has,
            packing::comp_01_a_body_over_4096_bytes_is_compressed_and_comes_back_as_it_was,
            packing::comp_07_a_body_that_does_not_shrink_grows_by_less_than_a_thousandth,
            packing::comp_09_a_batch_is_not_compressed_as_in_java,
            operating::adm_01_a_topic_is_created_changed_and_deleted,
            operating::adm_05_clusters_and_a_brokers_settings_are_read,
            operating::a_queue_is_read_by_plain_pulls,
            operating::life_07_producers_of_one_group_send_side_by_side,
        }
    };
}
