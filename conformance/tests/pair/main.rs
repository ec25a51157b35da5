//! Engine and embedded broker as a pair, under virtual time: what a client does, and what it does
//! when the network or the broker fails.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod setting;

mod address;
mod aiming;
mod answers;
mod asking;
mod astray;
mod backoff;
mod cancelling;
mod connecting;
mod connections;
mod consuming;
mod cutting;
mod deadlines;
mod draining;
mod elsewhere;
mod faults;
mod flow;
mod forgetting;
mod frozen;
mod idle;
mod joining;
mod keeping;
mod lanes;
mod leaving;
mod lookups;
mod moving;
mod nameservers;
mod observing;
mod odd_routes;
mod offsets;
mod outages;
mod oversize;
mod places;
mod promises;
mod reaching;
mod refusing;
mod repeatable;
mod resetting;
mod room;
mod sending;
mod sharing;
mod silence;
mod standing;
mod stopping;
mod storms;
mod suspecting;
mod telling;
mod topics;
mod trying;
mod turns;
mod undecodable;
mod unread;
mod window;
