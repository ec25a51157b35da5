//! The clusters of Apache brokers that the suite makes: what the cases on them stand on.

use crate::cases::case::{Case, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "LIVE-01",
        "A topic that the suite makes shows in the route with its queues.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::must(
        "LIVE-02",
        "A broker that the suite kills and starts again keeps its port and topics, and nothing of \
         the cluster is left behind.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::must(
        "LIVE-03",
        "A broker that the suite freezes is silent, and goes on.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::must(
        "LIVE-04",
        "Members of a cluster are hurt and mended from another process, by name.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::must(
        "LIVE-05",
        "Apache's client for Java gets from the embedded broker what it gets from a live one of \
         that version: orderly, broadcasting, by polling, by expressions in SQL, with retry and \
         dead letters.",
        "Rocketry's own",
    )
    .on(LIVE),
];
