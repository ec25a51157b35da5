//! Faults: cuts, stalls, and brokers that come back.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

/// What cuts a connection at every byte of a frame.
const CUTS: &[&str] = &[
    "weather::cuts::fault_05_fault_06_fault_07_a_cut_inside_a_frame_of_the_broker_loses_\
         nothing",
    "pair::cutting::fault_16_an_answer_cut_at_any_byte_is_sent_again_and_the_next_send_works",
    "pair::cutting::fault_16_a_nameservers_answer_cut_at_any_byte_costs_little",
    "pair::cutting::fault_09_fault_16_a_request_cut_at_any_byte_is_sent_again_and_the_next_\
         send_works",
];

pub(super) static CASES: &[Case] = &[
    Case::must(
        "FAULT-01",
        "When a broker is killed (kill -9) with sends in flight, each send is repeated or ends \
         in an error by its deadline, and nothing that a broker with synchronous flushing \
         acknowledged is lost.",
        "openchaos",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .with(&[("flushDiskType", "SYNC_FLUSH")])
    .alone(),
    Case::must(
        "FAULT-02",
        "A broker that is started again on the same port has traffic within 3 s.",
        "apache/rocketmq-client-go issue 1071",
    )
    .on(LIVE)
    .on_every_runtime()
    .alone()
    .held_by(&["weather::restart::a_broker_that_drops_every_connection_is_used_again"]),
    Case::must(
        "FAULT-03",
        "A broker that is started again at another address is found by its route.",
        "apache/rocketmq-client-go issue 657",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .alone()
    .held_by(&[
        "weather::starting::fault_03_a_broker_that_comes_back_elsewhere_is_found_by_its_route",
        "pair::moving::conn_15_a_consumer_alone_follows_its_broker_to_another_address",
        "pair::moving::conn_15_an_address_told_for_one_topic_moves_the_consumers_of_all_others",
        "pair::moving::conn_15_two_brokers_that_change_places_are_found_although_both_are_known",
    ]),
    Case::must(
        "FAULT-04",
        "While a broker is stopped for 60 s (SIGSTOP), calls time out by their deadlines; when \
         it goes on (SIGCONT), it is used again and its late replies are ignored.",
        "openchaos, suspended process",
    )
    .on(LIVE)
    .on_every_runtime()
    .alone(),
    Case::must(
        "FAULT-05",
        "When a connection is cut inside the four bytes of a frame's length, calls under way are \
         repeated or fail, and the client connects anew.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(CUTS),
    Case::must(
        "FAULT-06",
        "When a connection is cut inside a frame's header, calls under way are repeated or fail, \
         and the client connects anew.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(CUTS),
    Case::must(
        "FAULT-07",
        "When a connection is cut inside a frame's body, calls under way are repeated or fail, \
         the client connects anew, and no part of a body is delivered.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(CUTS),
    Case::must(
        "FAULT-08",
        "When a connection ends in a reset (RST) instead of a close (FIN), calls under way are \
         repeated or fail, and the client connects anew.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&["weather::cuts::fault_08_a_reset_and_a_closed_port_lose_nothing"]),
    Case::must(
        "FAULT-09",
        "When a connection is closed (FIN) while a request is half written, calls under way are \
         repeated or fail, and the client connects anew.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::cutting::fault_09_fault_16_a_request_cut_at_any_byte_is_sent_again_and_the_next_\
         send_works",
        "weather::cuts::fault_05_fault_06_fault_07_a_cut_inside_a_frame_of_the_broker_loses_\
         nothing",
    ]),
    Case::must(
        "FAULT-10",
        "A connection whose peer is gone without a word is found by heartbeats or timeouts \
         within two periods.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::cutting::fault_10_a_connection_that_stays_dead_without_a_word_is_replaced",
        "pair::silence::a_connection_whose_other_end_is_gone_is_closed_after_twice_the_timeout_to_\
         the_nanosecond",
    ]),
    Case::must(
        "FAULT-11",
        "When a connection stalls in one direction, either of them, deadlines are kept and other \
         brokers are not affected.",
        "TigerBeetle, asymmetric partition",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::cutting::fault_11_a_stalled_connection_ends_a_send_at_its_deadline_whichever_way_is_\
         stalled",
        "weather::cuts::fault_11_a_broker_that_stalls_ends_calls_by_their_deadline_and_goes_on",
        "pair::frozen::send_27_beside_a_frozen_broker_no_send_fails_and_none_is_slow_after_the_\
         first",
        "weather::connections::conn_05_a_broker_that_stalls_delays_no_heartbeat_of_the_other",
    ]),
    Case::must(
        "FAULT-12",
        "Sends to a broker that reads 1 KB/s are held back, and the client's memory stays bounded.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime(),
    Case::must(
        "FAULT-13",
        "When a broker writes slowly, large pulls do not starve long polls.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::faults::fault_13_large_pulls_from_a_broker_that_writes_slowly_do_not_starve_long_\
         polls",
    ]),
    Case::must(
        "FAULT-14",
        "With a latency of 500 ms, give or take 400 ms, every answer is given to the call that \
         it belongs to, and order is kept.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&["pair::faults::fault_14_answers_belong_to_their_sends_whatever_the_delays"]),
    Case::must(
        "FAULT-15",
        "A connection that carries one byte at a time carries sends and deliveries as any other.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::sending::fault_15_a_frame_may_be_split_at_any_byte",
        "weather::sieges::answers_that_come_a_byte_at_a_time_cost_little",
    ]),
    Case::must(
        "FAULT-16",
        "When a connection ends after n bytes, for every n up to 2,000, nothing hangs and \
         nothing is lost.",
        "toxiproxy",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::cutting::fault_16_a_connection_that_ends_after_up_to_2000_bytes_loses_nothing",
        "pair::cutting::fault_16_an_answer_cut_at_any_byte_is_sent_again_and_the_next_send_works",
        "pair::cutting::fault_16_a_nameservers_answer_cut_at_any_byte_costs_little",
    ]),
];
