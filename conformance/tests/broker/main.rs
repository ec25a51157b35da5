//! The embedded broker as a peer sees it: raw frames in and out, under virtual time.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod admin;
mod asking;
mod batches;
mod faults;
mod groups;
mod outcomes;
mod presence;
mod pulling;
mod refusals;
mod routes;
mod sending;
mod slaves;
mod times;
mod versions;
mod world;
