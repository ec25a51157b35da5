//! The embedded broker as a peer sees it: raw frames in and out, under virtual time.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod admin;
mod asking;
mod batches;
mod delays;
mod faults;
mod groups;
mod outcomes;
mod presence;
mod progress;
mod pulling;
mod refusals;
mod relays;
mod resets;
mod retries;
mod routes;
mod sending;
mod slaves;
mod times;
mod versions;
mod world;
