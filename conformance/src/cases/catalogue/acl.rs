//! Access control.

use crate::cases::case::{CORE, Case, EMBEDDED, LIVE};

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
    .on(CORE),
    Case::must(
        "ACL-03",
        "With a good key, requests are served under ACL 1.0 (4.9).",
        "Java source",
    )
    .on(LIVE)
    .until("4.9.8")
    .with(&[("aclEnable", "true")]),
    Case::must(
        "ACL-04",
        "With a good key, requests are served under ACL 2.0 (5.3 and later).",
        "Java source",
    )
    .on(LIVE)
    .since("5.3.0")
    .with(&[("authenticationEnabled", "true")]),
    Case::must(
        "ACL-05",
        "A wrong secret ends in an error at once, is not retried as a busy broker is, and the \
         error's text shows no secret.",
        "Java source",
    )
    .on(LIVE)
    .with(&[("aclEnable", "true"), ("authenticationEnabled", "true")]),
    Case::must(
        "ACL-06",
        "A request without a key where one is needed ends in an error that says so \
         (NO_PERMISSION, 16, or AclException).",
        "Java source",
    )
    .on(LIVE)
    .with(&[("aclEnable", "true"), ("authenticationEnabled", "true")]),
    Case::must(
        "ACL-07",
        "A permission of a topic for PUB only, SUB only or DENY holds for each operation.",
        "Java source",
    )
    .on(LIVE)
    .with(&[
        ("aclEnable", "true"),
        ("authenticationEnabled", "true"),
        ("authorizationEnabled", "true"),
    ]),
    Case::must("ACL-08", "A consumer whose group is denied reports it.", "Java source")
        .on(LIVE)
        .with(&[
            ("aclEnable", "true"),
            ("authenticationEnabled", "true"),
            ("authorizationEnabled", "true"),
        ]),
    Case::must(
        "ACL-09",
        "Heartbeats, offsets and locks are signed as well: no request leaves unsigned.",
        "Java source",
    )
    .on(EMBEDDED),
    Case::should(
        "ACL-10",
        "A token of a security token service is sent as the field SecurityToken and is part of \
         what is signed.",
        "Java source",
    )
    .on(CORE),
    Case::should(
        "ACL-11",
        "Credentials that are changed at run time are used by the next request.",
        "librdkafka 0135",
    )
    .on(EMBEDDED),
    Case::must(
        "ACL-12",
        "Neither debugging output nor the log shows a secret or a signature.",
        "Rocketry's own",
    )
    .on(CORE),
];
