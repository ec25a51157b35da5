//! What must hold of any bytes: one function per decoder, for fuzzers and for ordinary tests.
//!
//! Each function takes any bytes, returns when all is well and panics when a promise is broken.
//! `conformance/fuzz` runs them under libFuzzer; the test `fuzz` runs them over the committed
//! corpus and over mutations of [`Target::seeds`], which keep lengths plausible.

mod asked;
mod bodies;
mod engine;
mod headers;
mod messages;
mod mutate;
mod names;
mod peer;
mod publish;
mod seeds;
mod sql;
mod streams;
mod supply;
mod tls;
mod tls_peer;

pub use asked::{broker_asks, recall_handle};
pub use bodies::{json_bodies, offset_file, route_body, tolerant_json};
pub use engine::engine_session;
pub use headers::{binary_header, json_header};
pub use messages::{batch_body, compressed_body, properties, record_list};
pub use mutate::mutate;
pub use names::{ids, names, trace};
pub use publish::publish;
pub use sql::sql;
pub use streams::{inbound_stream, outbound_partial};
pub use tls::tls_filter;

/// One function to fuzz.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the function, of its cargo-fuzz target and of its corpus.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Valid inputs, made from what Java wrote and from what we write.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($name:ident,)*) => {
        /// All of them.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $name, seeds: seeds::$name },)*];
    };
}

targets! {
    inbound_stream,
    json_header,
    binary_header,
    record_list,
    batch_body,
    properties,
    route_body,
    tolerant_json,
    json_bodies,
    offset_file,
    compressed_body,
    trace,
    ids,
    names,
    outbound_partial,
    publish,
    sql,
    recall_handle,
    broker_asks,
    engine_session,
    tls_filter,
}
