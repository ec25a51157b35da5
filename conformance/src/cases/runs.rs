//! The cases that run against a broker, each a function of a place.

use super::case::{Case, Level, Proof, Runtimes, Target};
use super::place::{Place, Setting};
use super::{admin, batch, clusters, conn, fault, ns, off, push, reb, send, volume};

use fault::{failover, moves, outages, restart};
use ns::several;
use send::{changes, many, one};

const BOTH: &[Target] = &[Target::Embedded, Target::Live];
const LIVE: &[Target] = &[Target::Live];

/// A `MUST` on one runtime, against the embedded broker and live ones.
const fn must(
    id: &'static str,
    requirement: &'static str,
    source: &'static str,
    run: fn(&Place),
) -> Case {
    Case {
        id,
        level: Level::Must,
        requirement,
        source,
        targets: BOTH,
        runtimes: Runtimes::One,
        since: None,
        until: None,
        settings: &[],
        alone: false,
        proof: Proof::Run(run),
    }
}

const fn should(case: Case) -> Case {
    Case { level: Level::Should, ..case }
}

/// Against live brokers only.
const fn live(case: Case) -> Case {
    Case { targets: LIVE, ..case }
}

/// A runtime can change the outcome.
const fn each(case: Case) -> Case {
    Case { runtimes: Runtimes::All, ..case }
}

/// Brokers are to have these settings.
const fn with(settings: &'static [Setting], case: Case) -> Case {
    Case { settings, ..case }
}

/// It hurts the cluster, and looks at all runtimes in one.
const fn alone(case: Case) -> Case {
    Case { alone: true, runtimes: Runtimes::All, ..case }
}

const NO_AUTO_CREATE: &[Setting] = &[("autoCreateTopicEnable", "false")];
const GRACE: &[Setting] = &[("enableShutdownGracefully", "true"), ("shutdownWaitTimeSeconds", "4")];
/// A master that is to have a copy on a slave, which is not there.
const SYNC_MASTER: &[Setting] =
    &[("brokerRole", "SYNC_MASTER"), ("inSyncReplicas", "2"), ("slaveTimeout", "1000")];

/// In the order of their groups.
pub(super) const RUNS: &[Case] = &[
    live(must(
        "NS-01",
        "The queues and the master's address of a known topic are those that the cluster made.",
        "Apache test/",
        ns::the_queues_are_those_that_the_cluster_made,
    )),
    with(
        NO_AUTO_CREATE,
        must(
            "NS-02",
            "A topic that nobody creates fails at once with code 17, and the error names the \
             topic, the nameserver and the broker's setting.",
            "Java DefaultMQProducerImpl, RouteInfoManager",
            ns::a_topic_that_nobody_creates_fails_at_once_and_says_who_does_not_know_it,
        ),
    ),
    must(
        "NS-03",
        "A message to an unknown topic creates it with four queues, by the route of TBW102.",
        "Java DefaultMQProducerImpl, TopicConfigManager",
        ns::an_unknown_topic_is_created_with_four_queues,
    ),
    live(must(
        "NS-05",
        "A route is read in the JSON dialect of the nameserver's version, with integer keys before \
         4.9.4.",
        "fastjson, pyrocketmq",
        ns::a_route_is_read_in_the_dialect_of_its_version,
    )),
    with(
        several::SELDOM_TOLD,
        alone(live(must(
            "NS-17",
            "A nameserver that was just started and knows nothing is not believed alone: the other \
             one is asked.",
            "apache/rocketmq issue 5322, rocketmq-client-go issue 173",
            several::a_nameserver_that_was_just_started_is_not_believed_alone,
        ))),
    ),
    with(
        several::SELDOM_TOLD,
        alone(live(must(
            "NS-18",
            "A topic that one nameserver forgets is sent to and consumed on, by the other one's \
             route.",
            "apache/rocketmq issue 2090",
            several::a_topic_that_one_nameserver_forgets_is_sent_to_and_consumed_on,
        ))),
    ),
    with(
        several::SELDOM_TOLD,
        alone(live(must(
            "NS-19",
            "A nameserver that takes connections and stays silent costs a first send a third of \
             its deadline.",
            "apache/rocketmq issues 7056 and 9290",
            several::a_silent_nameserver_costs_a_first_send_a_third_of_its_deadline,
        ))),
    ),
    must(
        "NS-100",
        "A broker's port that is given as nameserver fails a send at once, with a hint at it.",
        "new",
        ns::a_brokers_port_as_nameserver_fails_at_once_with_a_hint,
    ),
    live(each(must(
        "CONN-08",
        "A client that has shut down is gone from the broker's list of producers at once.",
        "Java ClientManageProcessor",
        conn::a_client_that_has_shut_down_is_gone_from_the_broker_at_once,
    ))),
    should(live(must(
        "CONN-13",
        "Two clients of one id are both listed by the broker.",
        "Apache test/",
        conn::two_clients_of_one_id_are_both_listed,
    ))),
    should(live(must(
        "CONN-14",
        "Sends go to the port two below the broker's only where the VIP channel is on.",
        "Java MixAll.brokerVIPChannel",
        conn::sends_go_to_the_port_two_below_only_when_told_to,
    ))),
    alone(live(must(
        "CONN-15",
        "A consumer alone finds its broker at another port within 3 s of the registration.",
        "rocketmq-client-go issue 657",
        moves::a_consumer_alone_finds_its_broker_at_another_port,
    ))),
    with(
        GRACE,
        alone(live(Case {
            since: Some("5.3.2"),
            ..must(
                "CONN-16",
                "A broker that leaves with grace (GO_AWAY, code 1500) gets under 20 connects, and \
                 all else goes on elsewhere.",
                "new",
                moves::a_broker_that_leaves_with_grace_is_not_stormed_and_all_goes_on_elsewhere,
            )
        })),
    ),
    must(
        "SEND-01",
        "A message is stored once, at the queue and offset that its receipt tells.",
        "Apache test/, rocketmq-e2e",
        one::a_message_is_stored_once_where_the_receipt_says,
    ),
    each(must(
        "SEND-02",
        "Ten thousand sends in flight all end, and each is stored once.",
        "Apache test/",
        many::ten_thousand_in_flight_all_end,
    )),
    must(
        "SEND-03",
        "A oneway message is stored, and no answer is awaited.",
        "Apache test/",
        many::oneway_messages_are_stored,
    ),
    must(
        "SEND-04",
        "A message that is sent to a chosen queue is stored in that queue.",
        "Apache test/",
        one::a_message_goes_to_the_queue_that_was_named,
    ),
    must(
        "SEND-05",
        "A key always has the same queue, Java's, and random choice finds them all.",
        "Apache test/",
        one::a_key_has_its_queue_and_random_finds_them_all,
    ),
    each(must(
        "SEND-06",
        "A selector that panics or names no queue of the topic fails its own send alone.",
        "Apache test/",
        many::a_selector_that_panics_or_errs_harms_nobody,
    )),
    must(
        "SEND-07",
        "A queue number that the topic does not have is refused by the broker, and that is told.",
        "Java AbstractSendMessageProcessor",
        one::a_queue_that_is_not_there_is_refused_by_the_broker,
    ),
    must(
        "SEND-08",
        "The broker picks the queue of a message for queue -1.",
        "Java SendMessageProcessor",
        one::the_broker_picks_the_queue_of_minus_one,
    ),
    with(
        SYNC_MASTER,
        alone(live(must(
            "SEND-13",
            "A slave that is not there is a status of the receipt, and only for a message that \
             waits for its copy.",
            "Java SendMessageProcessor",
            outages::only_a_message_that_waits_hears_of_a_slave_that_is_not_there,
        ))),
    ),
    must(
        "SEND-16",
        "An empty body is refused before it leaves, alone and in a batch.",
        "Apache test/",
        one::an_empty_body_is_refused_before_it_leaves,
    ),
    must(
        "SEND-17",
        "A body of 4 MiB is sent, and one byte more is refused with nothing sent.",
        "rocketmq-e2e",
        one::a_body_of_four_mebibytes_goes_and_one_byte_more_is_refused,
    ),
    must(
        "SEND-19",
        "Properties of up to 32767 bytes with what brokers add are kept, and longer ones refused.",
        "Java SendMessageProcessor",
        one::properties_up_to_their_limit_are_kept_and_longer_ones_refused,
    ),
    must(
        "SEND-20",
        "Separators and reserved names in properties are refused, and any other text harms no \
         neighbour.",
        "new",
        one::odd_text_in_a_property_harms_no_neighbour,
    ),
    must(
        "SEND-22",
        "A tag may be any text that a subscription can name.",
        "rocketmq-e2e",
        one::a_tag_may_be_any_text,
    ),
    must(
        "SEND-23",
        "A long Chinese property is kept, or refused by its size in bytes.",
        "Apache test/",
        one::a_long_chinese_property_is_kept_or_refused_by_its_size,
    ),
    should(must(
        "SEND-24",
        "A message that does not wait for flush and copy is stored as well, and is not mixed with \
         others in a batch.",
        "Java MessageConst.PROPERTY_WAIT_STORE_MSG_OK",
        one::a_message_that_does_not_wait_is_stored_as_well,
    )),
    each(must(
        "SEND-25",
        "A send that is dropped or cancelled frees its place, and the producer goes on.",
        "new",
        many::a_dropped_send_frees_its_place,
    )),
    each(should(must(
        "SEND-26",
        "A send for which there is no room waits or is refused, as the settings say.",
        "Java DefaultMQProducerImpl",
        many::a_full_window_waits_or_refuses,
    ))),
    alone(live(must(
        "SEND-27",
        "Beside a frozen broker no send takes more than 1.5 s after the first ones, and the broker \
         is used again once it goes on.",
        "apache/rocketmq issue 1921",
        moves::beside_a_frozen_broker_no_send_is_slow_after_the_first,
    ))),
    must(
        "SEND-28",
        "Write queues that are cut fail no send: within a second all go to those that are left.",
        "apache/rocketmq issues 1465 and 3607",
        changes::write_queues_that_are_cut_fail_no_send,
    ),
    live(must(
        "SEND-29",
        "A body over the broker's limit for frames is one error that names the limit, and its \
         neighbours are sent.",
        "ons client issue 128",
        changes::a_body_over_the_brokers_limit_harms_no_neighbour,
    )),
    alone(live(must(
        "SEND-32",
        "Ordered sends over a restart of the broker are stored in order.",
        "new",
        changes::ordered_sends_over_a_restart_are_stored_in_order,
    ))),
    must(
        "BATCH-01",
        "A batch of ten messages is ten messages to who consumes them, under the ids of its \
         receipt.",
        "Apache test/, rocketmq-e2e",
        batch::ten_messages_are_ten_to_who_consumes_them,
    ),
    must(
        "BATCH-02",
        "A batch lies in one queue, at offsets one behind the other.",
        "rocketmq-e2e",
        batch::a_batch_lies_in_one_queue_one_behind_the_other,
    ),
    must(
        "BATCH-06",
        "Each message of a batch keeps its body, tag, keys and properties.",
        "Apache test/",
        batch::each_message_keeps_what_it_has,
    ),
    must(
        "COMP-01",
        "A body over 4096 bytes is compressed with zlib and comes back as it was.",
        "Java DefaultMQProducerImpl",
        batch::a_body_over_4096_bytes_is_compressed_and_comes_back_as_it_was,
    ),
    should(must(
        "COMP-07",
        "A body of 3 MiB that does not shrink grows by less than a thousandth.",
        "new",
        batch::a_body_that_does_not_shrink_grows_by_less_than_a_thousandth,
    )),
    should(must(
        "COMP-09",
        "A batch is not compressed, as in Java.",
        "Java DefaultMQProducerImpl",
        batch::a_batch_is_not_compressed_as_in_java,
    )),
    must(
        "PULL-100",
        "A queue is read from its begin to its end by plain pulls, each from where the last one \
         told.",
        "Java PullMessageProcessor",
        admin::a_queue_is_read_by_plain_pulls,
    ),
    live(must(
        "PUSH-18",
        "A group that may not consume is told of within 3 s, and at most once in 5 s.",
        "new",
        push::a_group_that_may_not_consume_is_told_of_at_once_and_not_often,
    )),
    must(
        "PUSH-100",
        "A topic that may not be read is told of within 3 s, and at most once in 5 s.",
        "new",
        push::a_topic_that_may_not_be_read_is_told_of_at_once_and_not_often,
    ),
    should(live(must(
        "FILT-100",
        "Members of one group with other tags are told of, and none gets what it did not ask for.",
        "new",
        push::members_with_other_tags_are_told_of_and_lose_nothing_of_their_own,
    ))),
    must(
        "OFF-04",
        "A member of a group that has an offset begins there, whatever its setting says.",
        "Java RebalancePushImpl",
        volume::a_successor_begins_where_the_last_one_settled,
    ),
    with(
        off::SLAVE_READS,
        alone(live(must(
            "OFF-17",
            "What a group commits to a slave while the master is away is kept over the master's \
             return, and a send waits for the master.",
            "rocketmq-client-go issue 850, apache/rocketmq issue 9879",
            off::a_slave_alone_keeps_offsets_and_a_send_waits_for_the_master,
        ))),
    ),
    live(must(
        "OFF-18",
        "The offset of a topic that was made anew never passes what is not settled.",
        "new",
        off::a_topic_made_anew_is_never_committed_past_what_is_unsettled,
    )),
    with(
        off::SELDOM_FLUSHED,
        alone(live(must(
            "OFF-100",
            "Offsets that a killed broker had acknowledged and not written are committed again.",
            "new",
            off::offsets_that_died_with_a_killed_broker_are_committed_again,
        ))),
    ),
    each(must(
        "REB-07",
        "When a member is killed the other one reads all queues within 25 s, and nothing is \
         missing.",
        "Apache test/",
        reb::the_other_gets_all_when_one_is_killed,
    )),
    each(must(
        "REB-100",
        "Two members share the queues evenly; when one closes, the other reads all within 2 s.",
        "Apache test/",
        reb::two_share_and_the_other_gets_all_when_one_closes,
    )),
    alone(Case {
        targets: BOTH,
        ..must(
            "FAULT-02",
            "A broker that was killed and comes back on its port is sent to within 3 s, and \
             nothing that was answered is missing.",
            "openchaos, rocketmq-client-go issue 1071",
            restart::a_killed_broker_is_used_again_and_nothing_answered_is_missing,
        )
    }),
    alone(live(must(
        "FAULT-04",
        "A broker that is silent for 20 s ends each send by its deadline, is used again, and loses \
         nothing.",
        "openchaos",
        outages::a_broker_that_is_silent_for_twenty_seconds_is_used_again_and_loses_nothing,
    ))),
    alone(live(must(
        "FAULT-21",
        "Without a nameserver sends go on by the known routes, and new topics wait for it.",
        "openchaos",
        outages::without_a_nameserver_sends_go_on_and_new_topics_wait_for_it,
    ))),
    alone(live(must(
        "FAULT-23",
        "When one of two masters is killed sends go on to the other, come back with it, and \
         nothing that was answered is missing.",
        "Apache test/",
        failover::sends_go_on_to_the_other_broker_and_nothing_answered_is_missing,
    ))),
    each(must(
        "LIFE-03",
        "A shutdown under load ends every send, and loses nothing that was answered.",
        "librdkafka 0116",
        outages::a_shutdown_under_load_ends_every_send_and_loses_nothing,
    )),
    alone(live(must(
        "LIFE-04",
        "A shutdown ends by its deadline while the broker is silent or dead.",
        "librdkafka 0037",
        outages::a_shutdown_ends_by_its_deadline_while_the_broker_is_silent_or_dead,
    ))),
    should(must(
        "LIFE-07",
        "Producers of one group send side by side, in one client and in several.",
        "Apache test/",
        admin::producers_of_one_group_send_side_by_side,
    )),
    each(must(
        "LIFE-100",
        "A shutdown waits for handlers that are busy, and what they settle does not come again.",
        "new",
        off::a_shutdown_waits_for_busy_handlers_and_nothing_of_theirs_comes_again,
    )),
    should(must(
        "ADM-01",
        "A topic is created, changed and deleted, as its route shows.",
        "Apache test/",
        admin::a_topic_is_created_changed_and_deleted,
    )),
    should(must(
        "ADM-05",
        "Clusters and a broker's settings are read.",
        "Java DefaultMQAdminExt",
        admin::clusters_and_a_brokers_settings_are_read,
    )),
    each(must(
        "SCALE-100",
        "Of 100000 messages of 1 KiB each lies in the log once and comes once (5000 on the \
         embedded broker).",
        "new",
        volume::many_messages_lie_in_the_log_and_come_once_each,
    )),
    live(must(
        "LIVE-100",
        "A topic that the suite makes shows in the route with its queues.",
        "new",
        clusters::a_new_topic_shows_in_the_route_with_its_queues,
    )),
    alone(live(must(
        "LIVE-101",
        "A broker that the suite kills and starts again keeps its port and topics, and nothing of \
         the cluster is left behind.",
        "new",
        clusters::a_killed_broker_leaves_the_route_and_returns_with_its_topics,
    ))),
    alone(live(must(
        "LIVE-102",
        "A broker that the suite freezes is silent, and goes on.",
        "new",
        clusters::a_frozen_broker_is_silent_and_goes_on,
    ))),
    alone(live(must(
        "LIVE-103",
        "Members of a cluster are hurt and mended from another process, by name.",
        "new",
        failover::members_are_hurt_and_mended_from_outside_by_name,
    ))),
];
