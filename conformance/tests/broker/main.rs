//! The embedded broker as a peer sees it: raw frames in and out, under virtual time.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod faults;
mod groups;
mod pulling;
mod routes;
mod sending;
mod world;
