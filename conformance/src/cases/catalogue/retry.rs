//! Retries and dead letters.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "RETRY-01",
        "A message that is to be consumed later comes again after about 10 s, 30 s and 1 minute \
         (delay level 3 and each attempt one more).",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::send_back::retry_01_a_message_comes_again_after_ten_seconds_and_longer_each_time",
    ]),
    Case::must(
        "RETRY-02",
        "A message that is sent back with a delay level of its own comes again after that delay, \
         and with -1 it goes straight to the dead letters.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&["pair::send_back::retry_02_a_pause_is_asked_for_by_its_level_and_a_rejected_me\
         ssage_is_a_dead_letter_at_once"]),
    Case::must(
        "RETRY-03",
        "After 16 attempts by default, or as many as are set, a message goes to the dead \
         letters, and with 0 at once.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::send_back::retry_03_a_message_that_came_as_often_as_it_may_is_a_dead_letter",
    ]),
    Case::must(
        "RETRY-04",
        "A consumer subscribes to its group's retry topic (%RETRY%) by itself, in clustering \
         mode only.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::send_back::retry_04_a_retry_topic_that_is_not_there_is_no_trouble_and_i\
         s_not_asked_for_all_the_time",
        "pair::send_back::retry_04_the_retry_topic_is_read_from_its_first_message_on_a\
         nd_is_no_topic_of_the_users",
    ]),
    Case::must(
        "RETRY-05",
        "A message that comes from the retry topic shows the application its original topic.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::send_back::retry_01_a_message_comes_again_after_ten_seconds_and_longer_each_time",
    ]),
    Case::must(
        "RETRY-06",
        "A message that comes again has the right count of attempts (reconsumeTimes) and \
         original message id.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::send_back::retry_01_a_message_comes_again_after_ten_seconds_and_longer_each_time",
    ]),
    Case::must(
        "RETRY-07",
        "When a message cannot be sent back, it is sent to the retry topic, or else retried in \
         the client after 5 s.",
        "Java source",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .held_by(&[
        "pair::send_back::retry_07_a_broker_that_takes_a_message_back_and_does_not_say\
         _so_may_have_it_come_twice",
        "pair::send_back::retry_07_a_message_that_is_not_taken_back_is_sent_to_the_retry_topic",
        "pair::send_back::retry_07_a_message_that_nobody_takes_comes_again_here_after_\
         the_delay_and_is_told_of",
        "pair::send_back::retry_07_a_rejected_message_that_is_not_taken_back_is_a_dead\
         _letter_all_the_same",
        "pair::send_back::retry_07_nothing_is_committed_past_a_message_before_its_brok\
         er_has_taken_it_back",
    ]),
    Case::must(
        "RETRY-08",
        "A group's dead letters can be consumed under the topic's name, with the message whole.",
        "rocketmq-e2e",
    )
    .on(LIVE),
    Case::should(
        "RETRY-09",
        "With a namespace, the names of retry topics are wrapped once.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "RETRY-10",
        "A message that failed and whose queue moved to another member is retried once for each \
         failure.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&["pair::send_back::retry_10_a_message_whose_queue_moved_while_it_was_leaving_is\
         _the_next_owners_alone"]),
    Case::must(
        "RETRY-11",
        "A message that can never be handled does not keep the others from flowing.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .held_by(&[
        "pair::flow::push_17_a_handler_that_fails_on_one_message_for_ever_does_not_keep_others_\
         waiting",
        "pair::send_back::retry_11_messages_that_always_fail_keep_no_other_one_waiting",
    ]),
    Case::must(
        "RETRY-12",
        "Retries of an orderly consumer keep the order: the next message is not delivered before \
         the one that failed.",
        "rocketmq-e2e",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "RETRY-13",
        "Where a group is missing and brokers create none, the refusal \
         (SUBSCRIPTION_GROUP_NOT_EXIST, 26) is told in clear words.",
        "Java source",
    )
    .on(LIVE)
    .with(&[("autoCreateSubscriptionGroup", "false")]),
    Case::should(
        "RETRY-14",
        "The number of queues that a group's configuration gives its retry topic is honoured.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "RETRY-15",
        "The checksums that brokers store with plain, batched, delayed and compressed messages, \
         with those that are sent back and with dead letters are those of their bodies.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE),
];
