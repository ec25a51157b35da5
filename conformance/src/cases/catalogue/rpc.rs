//! Requests and replies between clients.

use crate::cases::case::{Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must("RPC-01", "A request gets the reply that belongs to it.", "Java source")
        .on(EMBEDDED_AND_LIVE),
    Case::must(
        "RPC-02",
        "The replies to 1,000 requests at once are matched by their correlation ids.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
    Case::must(
        "RPC-03",
        "A request that nobody answers ends in a timeout by its deadline.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
    Case::must("RPC-04", "A reply that comes too late is dropped and counted.", "Java source")
        .on(EMBEDDED)
        .held_by(&["pair::replies::rpc_04_a_late_reply_is_dropped_counted_and_told"]),
    Case::should(
        "RPC-05",
        "When a reply (PUSH_REPLY_MESSAGE_TO_CLIENT, 326) cannot be pushed because the asker has \
         moved, the responder gets an error.",
        "Java source",
    )
    .on(LIVE),
    Case::must("RPC-06", "The callback of an asynchronous request is called once.", "Java source")
        .on(EMBEDDED_AND_LIVE),
    Case::should(
        "RPC-07",
        "Requests and replies work with Java's and Go's clients in both directions.",
        "Rocketry's own",
    )
    .on(LIVE),
    Case::must("RPC-08", "A request that is cancelled frees its place.", "Rocketry's own")
        .on(EMBEDDED)
        .on_every_runtime(),
];
