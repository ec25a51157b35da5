//! Faults: answers, nameservers, whole clusters, and the machine.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "FAULT-17",
        "When the response to a send is lost after the message was stored, the message may be \
         stored twice, is never lost, and has the same unique id each time.",
        "librdkafka 0144",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::faults::fault_17_an_answer_lost_after_the_message_was_stored_loses_nothing_and_\
         keeps_its_id",
    ]),
    Case::must(
        "FAULT-18",
        "Of a response that comes twice the second one is ignored.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::faults::fault_18_an_answer_that_comes_twice_is_one",
        "pair::answers::fault_18_every_answer_may_come_twice",
    ]),
    Case::must(
        "FAULT-19",
        "Responses that come in another order than the requests are each given to the call that \
         they belong to.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&["pair::faults::fault_19_answers_in_any_order_belong_to_their_sends"]),
    Case::must(
        "FAULT-20",
        "When any one byte of what a broker sends is changed, the call fails or the checksum \
         detects it, and no wrong body is ever delivered.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::case_pull::fault_20_whichever_byte_of_an_answer_is_changed_no_wrong_body_is_\
         delivered",
    ]),
    Case::must(
        "FAULT-21",
        "When the nameservers are down for 10 minutes, sends go on with the routes that are known.",
        "openchaos",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::faults::fault_21_ten_minutes_without_any_nameserver_stop_no_send",
        "pair::nameservers::ns_07_ten_minutes_without_any_nameserver_stop_nobody_who_has_a_route",
    ]),
    Case::must(
        "FAULT-22",
        "When all brokers go down and come up again, all clients come back, at times that are \
         spread.",
        "librdkafka 0095",
    )
    .on(EMBEDDED_AND_LIVE)
    .behind_proxy()
    .on_every_runtime()
    .alone()
    .held_by(&[
        "pair::outages::fault_22_a_broker_that_was_down_is_consumed_from_again_within_three_\
         seconds",
    ]),
    Case::must(
        "FAULT-23",
        "When a broker is added or removed under load, nothing is lost.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .alone()
    .held_by(&["pair::outages::fault_23_one_of_two_brokers_down_stops_nothing_on_the_other"]),
    Case::must(
        "FAULT-24",
        "When a master fails and its slave, or an acting master, takes over, reads go on and \
         writes end in an error.",
        "Apache test/",
    )
    .on(LIVE)
    .on_every_runtime()
    .since("5.0.0")
    .with(&[("enableSlaveActingMaster", "true"), ("slaveReadEnable", "true")])
    .alone(),
    Case::should(
        "FAULT-25",
        "When a controller switches the roles of brokers, writes go to the new master.",
        "Apache test/",
    )
    .on(LIVE)
    .on_every_runtime()
    .since("5.0.0")
    .with(&[("enableControllerMode", "true")])
    .alone(),
    Case::must(
        "FAULT-26",
        "A broker that is up for 1 s and down for 1 s, for 60 s, makes neither tasks nor memory \
         grow.",
        "librdkafka",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::faults::fault_26_a_broker_that_comes_and_goes_every_second_leaves_nothing_behind",
    ]),
    Case::must(
        "FAULT-27",
        "When the client's clock jumps by an hour in either direction, timers go by the \
         monotonic clock and message ids stay unique.",
        "TigerBeetle",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::clocks::fault_27_an_hour_in_either_direction_moves_no_timer_and_loses_nothing",
        "pair::clocks::fault_27_orderly_consumers_go_on_after_an_hour_in_either_direction",
        "rocketry_core::client::wall::a_wall_clock_that_is_set_is_told_with_the_next_timer_step",
        "rocketry_core::message::ids::a_clock_that_goes_back_or_lies_repeats_nothing",
    ]),
    Case::must(
        "FAULT-28",
        "A process that was paused for 40 s sees that its locks are lost before it delivers, and \
         joins its groups again.",
        "TigerBeetle, paused process",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "pair::locks::a_process_that_sleeps_for_40_s_hands_nothing_out_under_its_old_locks",
        "pair::worlds_locks::ord_04_in_every_order_of_things_one_who_sleeps_hands_nothing_out_\
         when_it_wakes",
    ]),
    Case::must(
        "FAULT-29",
        "When the disk for local offsets is full or may not be written, that is reported and \
         consuming goes on.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&["pair::broadcasting::a_disk_that_is_full_is_told_and_consuming_goes_on"]),
    Case::should(
        "FAULT-30",
        "When no file descriptor is left (EMFILE), calls that need one end in an error, and they \
         succeed once there are descriptors again.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&["weather::starting::fault_30_sends_go_on_once_there_are_descriptors_again"]),
    Case::must(
        "FAULT-31",
        "When a consumer is cut off from one broker only, the queues of the others go on, and \
         those of that broker are not taken by a member that cannot know.",
        "openchaos, bridge partition",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime()
    .held_by(&[
        "pair::case_groups::fault_31_who_is_cut_off_from_one_broker_keeps_its_queues_and_reads_\
         the_others",
    ]),
    Case::must(
        "FAULT-32",
        "Under a script of all the faults of this group, drawn from a seed, for 60 s, five \
         checkers hold: what is answered is in the log, what is in the log is delivered, queues \
         keep their order and their one holder, commits pass nothing unsettled, and the accounts \
         balance.",
        "TigerBeetle",
    )
    .on(EMBEDDED)
    .behind_proxy(),
    Case::must(
        "FAULT-33",
        "A broker that answers garbage ends every send by its deadline, is connected to about \
         once a second, and is used again once it answers well.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::faults::a_broker_that_answers_garbage_ends_every_send_by_its_deadline_and_is_used_\
         again",
        "pair::backoff::a_broker_that_answers_heartbeats_and_garbles_all_else_is_connected_to_once_\
         a_second",
        "pair::answers::bytes_that_are_no_frame_close_the_connection_and_the_next_send_works",
    ]),
    Case::must(
        "FAULT-34",
        "In storms of faults of networks, brokers, nameservers and routes drawn from a seed, \
         what is answered is in the log, what is said of a message is true, and no commit passes \
         what is unsettled; after 60 s of calm everything is delivered.",
        "TigerBeetle",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::storms::fault_32_nothing_is_lost_in_storms_1_to_18",
        "pair::storms::fault_32_nothing_is_lost_in_storms_19_to_36",
        "pair::storms::fault_32_nothing_is_lost_in_storms_37_to_54",
        "pair::storms::fault_32_nothing_is_lost_where_routes_change_too",
        "twins::pull_19_older_messages_that_move_a_queue_on_are_found",
        "twins::pull_20_an_offset_beyond_the_end_is_found",
        "twins::off_18_what_is_committed_past_an_open_message_is_found",
        "twins::conn_15_an_address_that_nobody_connects_to_is_found",
        "twins::ns_17_one_nameserver_that_is_believed_is_found",
    ]),
    Case::must(
        "FAULT-35",
        "While a slave stands in for its master (an acting master), a consumer reads, commits and \
         locks there; it commits and locks at the master when that is back.",
        "Java source, RocketMQ improvement proposal 32",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .since("5.0.0")
    .alone(),
];
