//! Access control.

use crate::cases::case::{CORE, Case, EMBEDDED, EMBEDDED_AND_LIVE, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must(
        "ACL-01",
        "The signature of a content by HMAC-SHA1 is the one that Java computes.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::auth::the_signature_is_javas",
        "rocketry_conformance::vectors::what_java_printed_holds_row_for_row",
    ]),
    Case::must(
        "ACL-02",
        "The signature covers the sorted extension fields and the body as in Java, for both \
         serialization types.",
        "Java source",
    )
    .on(CORE)
    .held_by(&[
        "signing::acl_02_every_request_is_signed_as_the_server_reads_it_in_both_forms",
        "signing::acl_02_a_search_by_unique_id_shows_a_version_at_which_no_broker_signs_its_mark",
        "signing::a_namespace_is_signed_too_and_answers_are_neither",
    ]),
    Case::must(
        "ACL-03",
        "With a good key, requests are served under ACL 1.0 (4.9).",
        "Java source",
    )
    .on(LIVE)
    .until("4.9.8"),
    Case::must(
        "ACL-04",
        "With a good key, requests are served under ACL 2.0 (5.3 and later).",
        "Java source",
    )
    .on(LIVE)
    .since("5.3.0"),
    Case::must(
        "ACL-05",
        "A wrong secret ends in an error at once, is not retried as a busy broker is, and the \
         error's text shows no secret.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ACL-06",
        "A request without a key where one is needed ends in an error that says so \
         (NO_PERMISSION, 16, or AclException).",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ACL-07",
        "A permission of a topic for PUB only, SUB only or DENY holds for each operation.",
        "Java source",
    )
    .on(EMBEDDED_AND_LIVE),
    Case::must("ACL-08", "A consumer whose group is denied reports it.", "Java source")
        .on(EMBEDDED_AND_LIVE),
    Case::must(
        "ACL-09",
        "Heartbeats, offsets and locks are signed as well: no request leaves unsigned.",
        "Java source",
    )
    .on(EMBEDDED)
    .held_by(&["pair::keys::acl_09_no_request_leaves_unsigned"]),
    Case::should(
        "ACL-10",
        "A token of a security token service is sent as the field SecurityToken and is part of \
         what is signed.",
        "Java source",
    )
    .on(CORE)
    .held_by(&["signing::acl_10_a_token_is_sent_and_signed"]),
    Case::should(
        "ACL-11",
        "Credentials that are changed at run time are used by the next request.",
        "librdkafka 0135",
    )
    .on(EMBEDDED)
    .held_by(&[
        "pair::keys::acl_11_a_key_that_is_replaced_is_used_by_the_next_request",
        "signing::acl_11_the_next_request_is_signed_by_the_credentials_of_then",
        "signing::a_provider_that_panics_leaves_the_last_credentials_in_use",
    ]),
    Case::must(
        "ACL-12",
        "Neither debugging output nor the log shows a secret or a signature.",
        "Rocketry's own",
    )
    .on(CORE)
    .held_by(&[
        "rocketry_core::config::credentials::acl_12_no_secret_shows",
        "rocketry_core::config::tests::a_key_is_read_whole_and_its_secret_shows_nowhere",
        "pair::keys::acl_05_a_wrong_secret_ends_a_send_at_once_and_shows_nowhere",
        "pair::keys::acl_12_nothing_that_a_client_says_shows_a_secret",
    ]),
    Case::must(
        "ACL-13",
        "Where a broker checks keys and enforces TLS, a key, its secret and an authority are all \
         that a client is told.",
        "Rocketry's own",
    )
    .on(EMBEDDED_AND_LIVE)
    .on_every_runtime(),
];
