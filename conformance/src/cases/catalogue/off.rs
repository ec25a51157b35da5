//! Offsets.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "OFF-01",
        "A group that starts at the last message gets only new ones, and its retry topic from \
         offset 0.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "OFF-02",
        "A group that starts at the first message gets all that are there.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::consuming::a_group_begins_at_the_first_message_or_after_the_last_as_it_asks",
    ]),
    Case::must(
        "OFF-03",
        "A group that starts at a time gets the messages from that second on.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::resetting::off_03_a_group_begins_at_a_time"]),
    Case::must(
        "OFF-04",
        "Where a group has an offset already, the setting of where to start is ignored.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::consuming::a_group_that_begins_at_the_end_keeps_that_place_through_an_early_restart",
    ]),
    Case::must(
        "OFF-05",
        "Offsets are committed every 5 s and at a shutdown, and the broker has them.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::offsets::a_refused_commit_is_sent_again_with_the_next_round",
        "pair::offsets::who_leaves_has_committed_all_that_it_settled_and_the_successor_begins_\
         there",
        "pair::offsets::who_leaves_waits_for_every_commit_to_be_answered",
        "pair::offsets::who_shuts_down_has_committed_all_that_it_settled_and_the_successor_begins_\
         there",
    ]),
    Case::must(
        "OFF-06",
        "Asked for a group's offset where there is none, a broker answers QUERY_NOT_FOUND (22), \
         or 0 for a small queue that has lost nothing.",
        "Apache test/",
    )
    .on(LIVE),
    Case::must(
        "OFF-07",
        "When a broker fails to tell a stored offset, the queue is not begun and the question is \
         repeated: no error is taken for -1 and led to the beginning.",
        "apache/rocketmq issue 1825",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::consuming::while_the_first_offset_is_unknown_nothing_is_consumed_and_none_is_\
         guessed",
        "pair::joining::off_a_negative_offset_is_no_place_to_begin",
    ]),
    Case::must(
        "OFF-08",
        "Commits of normal consuming never move an offset back.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::case_groups::off_08_no_commit_moves_an_offset_back_while_members_come_and_go",
        "pair::standing::an_older_offset_in_an_answer_without_messages_moves_nothing_back",
    ]),
    Case::must(
        "OFF-09",
        "An operator's reset of offsets by time (220) while a group consumes wins over commits \
         that are under way.",
        "apache/rocketmq issue 4742",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::resetting::off_09_a_reset_wins_over_what_is_held_and_over_a_commit_on_its_way",
        "pair::resetting::off_09_a_reset_to_the_end_passes_what_is_held_and_one_to_a_time_finds_it",
    ]),
    Case::must(
        "OFF-10",
        "After two resets of offsets within 10 s each queue has one loop of pulls.",
        "apache/rocketmq issue 2449",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::resetting::off_10_resets_one_after_the_other_leave_one_pull_for_each_queue"]),
    Case::must(
        "OFF-11",
        "A search for the offset of a time before, at, between and after the messages gives \
         Java's answers.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "OFF-12",
        "The first and the last offset and the time of the earliest message are right after \
         messages were deleted.",
        "Apache test/",
    )
    .on(LIVE),
    Case::must(
        "OFF-13",
        "After PULL_OFFSET_MOVED (21) the offset is corrected once, what was held of the queue \
         is dropped, and no loop follows.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::consuming::messages_that_expired_are_skipped_aloud_and_the_rest_is_delivered",
        "pair::astray::off_18_a_topic_made_anew_while_messages_are_held_is_committed_from_its_own_\
         beginning",
        "pair::astray::pull_21_a_ring_of_moved_offsets_costs_few_pulls_and_a_new_message_comes_\
         soon",
    ]),
    Case::must(
        "OFF-14",
        "A late acknowledgement of a message whose queue was given up is not committed.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::sharing::messages_that_are_to_come_again_go_with_a_queue_that_moves",
        "weather::handles::a_handle_gives_nothing_of_a_queue_that_has_moved_and_acks_of_it_are_\
         stale",
    ]),
    Case::must(
        "OFF-15",
        "When one of two brokers refuses a commit, the other one's is done all the same.",
        "librdkafka 0148",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::case_groups::off_15_a_broker_that_refuses_commits_keeps_the_others_from_none",
    ]),
    Case::should(
        "OFF-16",
        "A broker's question for the status of a consumer's offsets (221) is answered, and \
         offsets can be cloned to another group.",
        "Java source",
    )
    .on(LIVE)
    .held_by(&["pair::resetting::off_16_a_consumer_tells_how_far_it_has_come"]),
    Case::must(
        "OFF-17",
        "Offsets that are committed while a slave is alone are kept over a restart of the \
         consumers and told to the master once it is back.",
        "apache/rocketmq-client-go issue 850",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("slaveReadEnable", "true")])
    .alone()
    .held_by(&[
        "pair::offsets::off_17_while_a_slave_serves_alone_offsets_are_committed_there_and_kept_\
         over_a_restart",
        "pair::offsets::off_17_what_a_slave_has_kept_is_committed_again_once_the_master_is_back",
    ]),
    Case::must(
        "OFF-18",
        "When a topic is made anew while messages of its old life are held, no commit passes \
         what is unsettled.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::astray::off_18_a_topic_made_anew_while_messages_are_held_is_committed_from_its_own_\
         beginning",
    ]),
    Case::must(
        "OFF-19",
        "A commit that is refused is sent again with the next round, one of a queue is under way \
         at a time, and none is sent that has nothing new.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::offsets::a_refused_commit_is_sent_again_with_the_next_round",
        "pair::offsets::a_commit_that_has_nothing_new_is_not_sent",
        "pair::standing::a_refused_commit_keeps_what_the_broker_confirmed_before",
        "pair::standing::one_commit_of_a_queue_is_under_way_at_a_time",
        "pair::standing::who_has_committed_everything_leaves_without_committing_it_again",
    ]),
    Case::should(
        "OFF-20",
        "An older offset that the last owner of a queue commits late does not stay.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::offsets::an_older_offset_that_the_last_owner_of_a_queue_commits_late_does_not_stay",
    ]),
    Case::must(
        "OFF-21",
        "An offset that a broker had acknowledged and that died with it is committed again after \
         the client's next registration.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .with(&[("flushConsumerOffsetInterval", "60000")])
    .alone()
    .held_by(&[
        "pair::offsets::off_17_an_offset_that_died_with_a_broker_is_committed_again_after_the_next_\
         registration",
        "pair::offsets::off_17_who_leaves_right_after_a_registration_commits_again_what_may_have_\
         died",
    ]),
    Case::must(
        "OFF-22",
        "A consumer that leaves waits for its commits to be answered, but not for a broker that \
         is away.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::offsets::who_leaves_waits_for_every_commit_to_be_answered",
        "pair::standing::who_leaves_does_not_wait_for_a_master_that_is_away_and_commits_at_the_\
         others",
        "pair::standing::who_leaves_while_no_broker_is_there_at_all_has_left_at_once",
        "pair::stopping::a_consumer_leaves_a_broker_that_does_not_answer_by_shutdown_timeout_\
         exactly",
    ]),
    Case::must(
        "OFF-23",
        "Where brokers tell resets of offsets to the group's clients (220, \
         useServerSideResetOffset=false), a reset wins over what is held and over commits under \
         way.",
        "apache/rocketmq issue 4742",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "OFF-24",
        "Where brokers tell resets of offsets to the group's clients (220), two of them leave each \
         queue one loop of pulls.",
        "apache/rocketmq issue 2449",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "OFF-25",
        "Asked for a group's offset where there is none, in a queue that has lost its first \
         messages, a broker answers QUERY_NOT_FOUND (22).",
        "Java source",
    )
    .on(LIVE),
];
