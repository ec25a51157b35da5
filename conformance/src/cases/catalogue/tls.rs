//! TLS.

use crate::cases::case::{Case, EMBEDDED, LIVE};

pub(super) static CASES: &[Case] = &[
    Case::must("TLS-01", "A client with TLS works with a broker that permits it.", "Apache test/")
        .on(LIVE)
        .on_every_runtime()
        .with(&[("tls.server.mode", "permissive")]),
    Case::must(
        "TLS-02",
        "A client without TLS gets a clear error from a broker that enforces it, and does not \
         hang.",
        "Apache test/",
    )
    .on(LIVE)
    .on_every_runtime()
    .with(&[("tls.server.mode", "enforcing")]),
    Case::must(
        "TLS-03",
        "A client with TLS gets a clear error from a broker without it.",
        "Apache test/",
    )
    .on(LIVE)
    .on_every_runtime()
    .with(&[("tls.server.mode", "disabled")]),
    Case::must(
        "TLS-04",
        "A certificate of an unknown authority is refused, and one of an authority that is set \
         is accepted.",
        "librdkafka 0097",
    )
    .on(LIVE)
    .on_every_runtime()
    .with(&[("tls.server.mode", "enforcing")]),
    Case::must(
        "TLS-05",
        "A certificate for another name is refused unless the client is told to accept it.",
        "librdkafka 0097",
    )
    .on(LIVE)
    .on_every_runtime()
    .with(&[("tls.server.mode", "enforcing")]),
    Case::must(
        "TLS-06",
        "A broker that asks for a client certificate accepts a good one and refuses others.",
        "Java source",
    )
    .on(LIVE)
    .on_every_runtime()
    .with(&[("tls.server.mode", "enforcing")]),
    Case::must(
        "TLS-07",
        "A certificate that has expired or is not valid yet, also after a jump of the clock, is \
         refused with a typed error.",
        "Rocketry's own",
    )
    .on(EMBEDDED)
    .on_every_runtime(),
    Case::must("TLS-08", "Bodies of 4 MiB in TLS records of one byte arrive whole.", "Autobahn")
        .on(EMBEDDED)
        .on_every_runtime(),
    Case::must(
        "TLS-09",
        "A TLS stream that ends without close_notify is seen as cut off, and as an error.",
        "rustls",
    )
    .on(EMBEDDED)
    .on_every_runtime()
    .held_by(&[
        "tls::filter::a_stream_that_ends_without_a_word_was_cut_off",
        "tls::peers::a_stream_that_is_cut_off_says_so_on_every_runtime",
    ]),
    Case::must(
        "TLS-10",
        "With transferMsgByHeap=false, the bad frames of a broker with TLS are detected and \
         nothing is lost.",
        "apache/rocketmq issue 3292",
    )
    .on(LIVE)
    .on_every_runtime()
    .with(&[("tls.server.mode", "enforcing"), ("transferMsgByHeap", "false")]),
    Case::must(
        "TLS-11",
        "A TLS handshake that stalls ends by the connect timeout.",
        "librdkafka 0131",
    )
    .on(EMBEDDED)
    .behind_proxy()
    .on_every_runtime(),
    Case::must("TLS-12", "TLS gives the same results on every runtime.", "Rocketry's own")
        .on(EMBEDDED)
        .on_every_runtime(),
];
