//! Rebalance: who has which queues.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "REB-01",
        "By the average rule, 8 queues go to 3 members as 3, 3 and 2, in the order of the sorted \
         ids.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::allocation::reb_01_every_queue_has_one_owner_and_shares_differ_by_one_at_\
         most",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "REB-02",
        "By the circle rule, queues go to members by their index in turn.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rules::reb_02_the_circle_goes_by_index",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "REB-03",
        "By consistent hashing, queues go to the same members as in Java, for 1,000 random sets.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rules::reb_03_consistent_hashing_is_javas_rule_on_a_thousand_sets",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::should(
        "REB-04",
        "The rules by configuration, by machine room and by the nearest machine room give what \
         Java's give.",
        "Java source",
    )
    .on(CORE)
    .held_by(&["rules::reb_04_rooms_and_configuration_are_as_in_java"]),
    Case::must(
        "REB-05",
        "Every rule that is to share all queues gives each of them to exactly one member, \
         whatever queues and members there are.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "rules::reb_05_every_strategy_gives_each_queue_to_one_member",
        "rocketry_core::allocation::reb_01_every_queue_has_one_owner_and_shares_differ_by_one_at_\
         most",
    ]),
    Case::must(
        "REB-06",
        "When a group has more members than queues, those that are too many stay idle.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::membership::reb_06_more_clients_than_queues_leave_some_idle_and_nothing_unread",
    ]),
    Case::must(
        "REB-07",
        "When one of two members crashes, the other one has its queues within 1 s of the broker \
         closing the channel.",
        "Apache test/",
    )
    .on(EMBEDDED_AND_LIVE)
    .alone(),
    Case::must(
        "REB-08",
        "While a group grows from 2 to 4 members and shrinks to 2 again, none of 240 messages is \
         lost.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "REB-09",
        "A broker's NOTIFY_CONSUMER_IDS_CHANGED (40) leads to a rebalance at once, and several \
         of them to one.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::sharing::a_notice_leads_to_one_look_at_the_members_within_a_moment",
        "pair::sharing::pull_21_notices_that_change_nothing_lead_to_a_look_a_second",
    ]),
    Case::must(
        "REB-10",
        "A thousand notices of changed members within 1 s lead to two rebalances at most and do \
         not hold up pulls.",
        "apache/rocketmq-client-cpp issue 137",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::membership::reb_10_a_thousand_notices_in_a_second_lead_to_two_looks_and_disturb_no_\
         pull",
    ]),
    Case::must(
        "REB-11",
        "When brokers give different lists of members, queues do not go to and fro, and the \
         group comes to one allocation.",
        "apache/rocketmq issue 7870",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&["pair::membership::reb_11_lists_that_differ_by_broker_move_no_queue"]),
    Case::must(
        "REB-12",
        "A queue that moves to another member is committed before it is released, so that no \
         more than one batch comes twice.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::joining::reb_a_queue_that_moves_is_committed_at_once_as_far_as_it_was_settled",
        "pair::handover::reb_12_what_moves_is_committed_first_and_comes_no_second_time",
    ]),
    Case::should(
        "REB-13",
        "A queue whose pulls have been idle for 120 s is dropped and taken again.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::case_pull::reb_13_a_queue_whose_pull_is_lost_is_pulled_again_long_before_two_\
         minutes",
    ]),
    Case::must(
        "REB-14",
        "When a topic goes from 8 to 16 queues and then to 4, its consumers follow within the \
         time of a route refresh.",
        "librdkafka 0044",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::membership::reb_14_a_queue_count_that_changes_is_followed_with_the_next_route",
    ]),
    Case::must("REB-15", "Consumers follow when a broker is added or removed.", "Apache test/")
        .on(EMBEDDED_AND_LIVE)
        .alone()
        .held_by(&[
            "pair::reaching::a_broker_that_no_route_names_any_more_is_left_alone",
            "pair::outages::fault_23_one_of_two_brokers_down_stops_nothing_on_the_other",
            "pair::membership::reb_15_brokers_that_come_and_go_are_followed",
        ]),
    Case::must(
        "REB-16",
        "Java, Go and our consumers in one group sort ids alike and share the queues without \
         overlap.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::should(
        "REB-17",
        "The broker's own allocation (QUERY_ASSIGNMENT, 400) is used, or declined without harm.",
        "Java source",
    )
    .on(LIVE)
    .since("5.0.0")
    .held_by(&[
        "pair::membership::reb_17_a_broker_that_can_not_assign_queues_leaves_it_to_the_members",
    ]),
    Case::should(
        "REB-18",
        "One member's share of 100,000 queues among 10,000 ids takes less than 10 ms: it needs no \
         list of them.",
        "Rocketry, goals for large clusters",
    )
    .on(CORE)
    .held_by(&[
        "alloc::reb_18_a_share_of_100_000_queues_among_10_000_ids_takes_memory_for_its_own_ten_\
         alone",
    ]),
    Case::must(
        "REB-19",
        "When the notice of a change is lost, or overtakes an older list of members, the change \
         is found all the same.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::sharing::when_the_notice_is_lost_the_next_look_finds_the_change",
        "pair::sharing::a_notice_that_overtakes_an_older_list_of_members_is_not_forgotten",
    ]),
    Case::must(
        "REB-20",
        "Two members share the queues, and when one closes, the other has all of them within 2 s \
         and no message is missed.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime()
    .held_by(&[
        "pair::sharing::two_consumers_take_four_queues_each",
        "pair::sharing::when_one_leaves_the_other_has_all_queues_within_two_seconds_and_misses_\
         nothing",
    ]),
];
