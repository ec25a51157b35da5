//! TLS: the filter alone, byte by byte, and clients before peers that are none, or no good ones.

mod filter;
mod peers;
mod setup;
