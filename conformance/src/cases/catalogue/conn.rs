//! Connections and heartbeats.

use crate::cases::case::{Case, EMBEDDED, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "CONN-01",
        "A client connects when it has something to say: a hundred first calls at once make one \
         connection to each address.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_01_a_hundred_first_calls_make_one_connection_to_each_address_and_\
         none_before",
        "weather::connections::conn_01_a_hundred_first_calls_share_one_connection",
    ]),
    Case::must(
        "CONN-02",
        "A broker whose address swallows connects ends a call by its deadline, in an error that \
         says what to look at, and stops no call that another broker can take.",
        "librdkafka 0131",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_02_with_every_preset_a_broker_that_swallows_connects_stops_no_\
         send_beside_a_good_one",
        "pair::connections::conn_02_beside_a_good_broker_one_that_swallows_connects_holds_up_a_\
         single_send",
        "pair::connections::conn_02_without_another_broker_the_error_says_at_the_deadline_what_to_\
         look_at",
        "weather::connections::conn_02_a_broker_that_swallows_connects_stops_no_send_beside_a_good_\
         one",
    ]),
    Case::must(
        "CONN-03",
        "When a broker refuses the connection, another broker is tried, and without one the \
         error is typed.",
        "librdkafka 0043",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_03_a_refused_connect_sends_to_the_other_broker_at_once_and_is_\
         typed_without_one",
        "weather::connections::conn_03_a_refused_connect_sends_to_the_other_broker_and_is_typed_\
         without_one",
    ]),
    Case::must(
        "CONN-04",
        "What a heartbeat tells, groups, subscriptions, message model and where to consume from, \
         is what the broker shows of the client (GET_CONSUMER_CONNECTION_LIST, 203).",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "CONN-05",
        "Heartbeats go to all brokers at once: 177 brokers have theirs within a second, and one \
         that stalls delays no other.",
        "apache/rocketmq issues 9900 and 9368",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_05_of_177_brokers_one_that_stalls_delays_neither_heartbeats_nor_\
         sends_of_the_others",
        "weather::connections::conn_05_a_broker_that_stalls_delays_no_heartbeat_of_the_other",
    ]),
    Case::should(
        "CONN-06",
        "With the second version of heartbeats, the second beat leaves the subscriptions out, \
         and they are told again when the broker asks for them.",
        "RocketMQ improvement proposal 64",
    )
    .on(LIVE)
    .since("5.1.0"),
    Case::must(
        "CONN-07",
        "After a broker has closed a connection that was idle for 120 s, the next call connects \
         anew and succeeds.",
        "librdkafka 0123",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_07_a_call_just_when_the_broker_closes_an_idle_connection_succeeds_\
         and_is_stored_once",
        "weather::connections::conn_07_a_call_after_the_broker_closed_an_idle_connection_succeeds",
    ]),
    Case::must(
        "CONN-08",
        "A client that shuts down takes its groups back (UNREGISTER_CLIENT, 35), and the broker \
         does not list it any more from then on.",
        "Java source",
    )
    .on(LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_08_a_shutdown_takes_the_client_from_every_broker_at_once",
        "weather::connections::conn_08_a_shutdown_takes_the_client_from_the_broker_at_once",
    ]),
    Case::should(
        "CONN-09",
        "When a broker answers GO_AWAY (1500), the client lets the connection finish what is \
         under way, connects anew, sends its heartbeat there first and repeats what was refused.",
        "apache/rocketmq issue 8599",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::must(
        "CONN-10",
        "Pauses between attempts to connect grow twofold with a part that is drawn, to 30 s at \
         most, and begin anew after a success.",
        "librdkafka 0143",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::backoff::conn_10_while_a_send_waits_pauses_double_up_to_a_second_each_drawn_within_\
         a_quarter",
        "pair::backoff::conn_10_a_wanted_broker_that_no_queue_waits_for_is_tried_twice_a_minute_at_\
         last",
        "pair::backoff::conn_10_a_broker_that_takes_connections_and_closes_them_is_not_tried_more_\
         often",
        "pair::joining::conn_10_a_consumer_that_has_found_no_broker_yet_tries_each_second",
        "pair::reaching::conn_10_a_consumer_whose_broker_swallows_connects_begins_anew_at_once_\
         after_each_timeout",
        "weather::connections::conn_10_a_send_that_waits_leaves_soon_after_the_port_is_back",
    ]),
    Case::should(
        "CONN-11",
        "Sockets have the local address, the keepalive, the nodelay and the buffer sizes of the \
         client's settings.",
        "nats.rs",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "rocketry_std::base::socket::conn_11_a_socket_has_the_options_of_its_client",
        "rocketry_std::base::socket::conn_11_a_connection_leaves_from_the_local_address",
        "rocketry_tokio::socket::conn_11_a_connection_has_its_clients_options",
        "rocketry_async_std::socket::conn_11_a_connection_has_its_clients_options",
    ]),
    Case::must(
        "CONN-12",
        "A broker's request of a code that the client does not know is answered with 3 \
         (REQUEST_CODE_NOT_SUPPORTED), and the connection is kept.",
        "Java source",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::connections::conn_12_a_request_of_an_unknown_code_is_answered_3_and_the_connection_\
         kept",
        "pair::answers::a_request_nobody_knows_is_answered_3_and_the_connection_kept",
        "weather::connections::conn_12_a_request_of_an_unknown_code_is_answered_3_and_the_\
         connection_kept",
    ]),
    Case::should(
        "CONN-13",
        "Two clients with one client id are warned of it, and no queue of theirs stays unread.",
        "Apache test/",
    )
    .on(LIVE)
    .held_by(&[
        "pair::connections::conn_13_two_clients_of_one_id_are_told_so_once_each",
        "pair::sharing::conn_13_two_clients_of_one_id_leave_no_queue_unread",
    ]),
    Case::should(
        "CONN-14",
        "Sends go to the port two below the broker's only where the VIP channel is on.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&[
        "pair::connections::conn_14_sends_alone_go_to_the_port_two_below_and_only_when_asked_to",
    ]),
];
