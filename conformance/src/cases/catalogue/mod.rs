//! Every case there is, in groups. A row that nothing holds yet is listed as such.
//!
//! The rows of a group are in the order of their numbers. An id stays with its sentence for ever; a
//! new case gets the next free number of its group.

mod acl;
mod adm;
mod bad;
mod bad_messages;
mod batch;
mod bcast;
mod comp;
mod conn;
mod conn_moves;
mod delay;
mod fault;
mod fault_answers;
mod filt;
mod life;
mod limit;
mod live;
mod ns;
mod ns_doubts;
mod obs;
mod off;
mod ord;
mod pull;
mod push;
mod reb;
mod retry;
mod rpc;
mod rt;
mod scale;
mod send;
mod send_limits;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod txn;
mod wire;

use super::case::Case;

/// What belongs together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Such as `SEND`: what stands before the number of an id.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    parts: &'static [&'static [Case]],
}

impl Group {
    /// Its cases, in the order of their numbers.
    pub fn cases(&self) -> impl Iterator<Item = &'static Case> {
        self.parts.iter().copied().flatten()
    }
}

static GROUPS: &[Group] = &[
    Group {
        name: "WIRE",
        about: "The codec: frames, headers, bodies, stored messages, ids.",
        parts: &[wire::CASES],
    },
    Group { name: "NS", about: "Nameservers and routes.", parts: &[ns::CASES, ns_doubts::CASES] },
    Group {
        name: "CONN",
        about: "Connections and heartbeats.",
        parts: &[conn::CASES, conn_moves::CASES],
    },
    Group { name: "SEND", about: "Sending.", parts: &[send::CASES, send_limits::CASES] },
    Group { name: "BATCH", about: "Batches.", parts: &[batch::CASES] },
    Group { name: "COMP", about: "Compressed bodies.", parts: &[comp::CASES] },
    Group { name: "PULL", about: "Pulls and lite consumers.", parts: &[pull::CASES] },
    Group {
        name: "PUSH",
        about: "Consumers that hand messages out concurrently.",
        parts: &[push::CASES],
    },
    Group { name: "ORD", about: "Orderly consumers.", parts: &[ord::CASES] },
    Group { name: "BCAST", about: "Broadcasting consumers.", parts: &[bcast::CASES] },
    Group { name: "FILT", about: "Filters by tags and by SQL.", parts: &[filt::CASES] },
    Group { name: "OFF", about: "Offsets.", parts: &[off::CASES] },
    Group { name: "REB", about: "Rebalance: who has which queues.", parts: &[reb::CASES] },
    Group { name: "RETRY", about: "Retries and dead letters.", parts: &[retry::CASES] },
    Group { name: "TXN", about: "Transactions.", parts: &[txn::CASES] },
    Group { name: "DELAY", about: "Delayed and timed messages.", parts: &[delay::CASES] },
    Group { name: "RPC", about: "Requests and replies between clients.", parts: &[rpc::CASES] },
    Group { name: "TRACE", about: "Message traces.", parts: &[trace::CASES] },
    Group { name: "ACL", about: "Access control.", parts: &[acl::CASES] },
    Group { name: "TLS", about: "TLS.", parts: &[tls::CASES] },
    Group {
        name: "FAULT",
        about: "Faults of networks, brokers and machines.",
        parts: &[fault::CASES, fault_answers::CASES],
    },
    Group { name: "LIMIT", about: "Limits and much of everything.", parts: &[limit::CASES] },
    Group { name: "BAD", about: "Hostile input.", parts: &[bad::CASES, bad_messages::CASES] },
    Group {
        name: "LIFE",
        about: "The life of a client, from start to shutdown.",
        parts: &[life::CASES],
    },
    Group { name: "OBS", about: "What an operator can see.", parts: &[obs::CASES] },
    Group { name: "ADM", about: "What an operator can do.", parts: &[adm::CASES] },
    Group {
        name: "LIVE",
        about: "The clusters that the suite makes for the others.",
        parts: &[live::CASES],
    },
    Group { name: "RT", about: "Runtimes.", parts: &[rt::CASES] },
    Group { name: "SCALE", about: "Large clusters.", parts: &[scale::CASES] },
];

/// All groups, from the bytes up.
pub fn groups() -> impl Iterator<Item = &'static Group> {
    GROUPS.iter()
}

/// All cases, group by group.
pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    groups().flat_map(Group::cases)
}
