//! What an operator can do.

use crate::cases::case::{CORE, Case, EMBEDDED, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::should(
        "ADM-01",
        "A topic that is created, changed or deleted is seen so by the brokers and in the route.",
        "Apache test/",
    )
    .on(LIVE),
    Case::must(
        "ADM-02",
        "A query by message id, by key or by unique key finds the message, and a bad id is an \
         error.",
        "Apache test/",
    )
    .on(LIVE),
    Case::must(
        "ADM-03",
        "A query for one of two keys with the same hash finds only that key's messages.",
        "Apache test/",
    )
    .on(LIVE),
    Case::should("ADM-04", "The progress of a group and its lag are told right.", "Apache test/")
        .on(LIVE),
    Case::should(
        "ADM-05",
        "The information about a cluster and a broker's configuration are read.",
        "Java source",
    )
    .on(LIVE),
    Case::must(
        "ADM-06",
        "Requests that change a broker's configuration are not there unless they are asked for: \
         they are not compiled.",
        "CVE-2023-33246",
    )
    .on(CORE)
    .held_by(&["frame_codes::adm_06_no_request_that_changes_a_configuration_is_built"]),
    Case::must(
        "ADM-07",
        "A request that changes something and may have been carried out is not sent again by \
         itself, and one that is given up says whether it had left.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::promises::a_request_that_may_have_been_done_is_not_sent_again_unless_it_only_reads",
        "pair::promises::an_order_given_up_says_whether_it_had_left",
        "weather::handles::an_order_to_several_brokers_given_up_says_that_requests_have_left",
        "weather::handles::a_call_given_up_says_whether_anything_left",
    ]),
];
