//! Long polls: pulls held until a message arrives or their time is up
//! (`PullRequestHoldService`, but with exact timeouts instead of a 5 s scan).

use std::collections::{BTreeMap, BTreeSet};

use rocketry_core::frame::request::PullRequest;
use rocketry_core::time::Instant;

use super::ConnId;
use super::answer::Caller;
use super::subscription::Filter;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PollId(u64);

#[derive(Debug)]
pub(super) struct Held {
    pub(super) caller: Caller,
    pub(super) request: PullRequest,
    pub(super) filter: Filter,
    deadline: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Polls {
    held: BTreeMap<PollId, Held>,
    deadlines: BTreeSet<(Instant, PollId)>,
    issued: u64,
}

impl Polls {
    pub(super) fn hold(
        &mut self,
        caller: Caller,
        request: PullRequest,
        filter: Filter,
        deadline: Instant,
    ) -> PollId {
        self.issued += 1;
        let id = PollId(self.issued);
        self.deadlines.insert((deadline, id));
        self.held.insert(id, Held { caller, request, filter, deadline });
        id
    }

    pub(super) fn held(&self, id: PollId) -> Option<&Held> {
        self.held.get(&id)
    }

    pub(super) fn take(&mut self, id: PollId) -> Option<Held> {
        let held = self.held.remove(&id)?;
        self.deadlines.remove(&(held.deadline, id));
        Some(held)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// One poll whose time is up.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Held> {
        let &(at, id) = self.deadlines.first()?;
        if at > now { None } else { self.take(id) }
    }

    pub(super) fn drop_connection(&mut self, conn: ConnId) {
        let gone: Vec<PollId> =
            self.held.iter().filter(|(_, h)| h.caller.conn == conn).map(|(&id, _)| id).collect();
        for id in gone {
            self.take(id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}
