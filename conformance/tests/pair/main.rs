//! Engine and embedded broker as a pair, under virtual time: what a client does, and what it does
//! when the network or the broker fails.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod setting;

mod aiming;
mod answers;
mod cancelling;
mod connecting;
mod consuming;
mod cutting;
mod deadlines;
mod faults;
mod flow;
mod idle;
mod offsets;
mod outages;
mod refusing;
mod repeatable;
mod sending;
mod sharing;
mod stopping;
mod storms;
mod topics;
mod undecodable;
