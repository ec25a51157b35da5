//! Who and what stands in which machine room.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use super::{Allocation, AllocationError};

/// Tells machine rooms apart (`MachineRoomResolver`). All members of a group must tell the same.
pub trait MachineRooms: Debug + Send + Sync {
    /// The room of a broker, by its name; `None` or no text when it is not known.
    fn of_broker<'a>(&'a self, broker: &'a str) -> Option<&'a str>;
    /// The room of a member, by its client id; `None` or no text when it is not known.
    fn of_member<'a>(&'a self, client_id: &'a str) -> Option<&'a str>;
}

/// Rooms by what stands before the first separator in a broker's name and in a client id:
/// `hangzhou-broker-a`, `hangzhou-10.0.0.1@4711`.
#[derive(Clone, Copy, Debug)]
pub struct PrefixRooms(pub char);

impl MachineRooms for PrefixRooms {
    fn of_broker<'a>(&'a self, broker: &'a str) -> Option<&'a str> {
        broker.split_once(self.0).map(|(room, _)| room)
    }

    fn of_member<'a>(&'a self, client_id: &'a str) -> Option<&'a str> {
        client_id.split_once(self.0).map(|(room, _)| room)
    }
}

/// Whether a broker called `room@name` is in one of these rooms.
pub(super) fn in_one_of(rooms: &BTreeSet<Arc<str>>, broker: &str) -> bool {
    // Java splits at every '@', and passes over empty parts at the end.
    let mut parts = broker.trim_end_matches('@').split('@');
    let (room, name, more) = (parts.next(), parts.next(), parts.next());
    room.is_some_and(|room| rooms.contains(room)) && name.is_some() && more.is_none()
}

/// Queues and members by room, as places in an allocation's lists.
pub(super) struct Sites<'a> {
    queues: BTreeMap<&'a str, Vec<usize>>,
    members: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Sites<'a> {
    pub(super) fn of(
        allocation: &'a Allocation,
        rooms: &'a dyn MachineRooms,
        queues: &[usize],
        members: &[usize],
    ) -> Result<Self, AllocationError> {
        let mut sites = Self { queues: BTreeMap::new(), members: BTreeMap::new() };
        let known = |room: Option<&'a str>, name: &Arc<str>| {
            let room = room.filter(|room| !room.is_empty());
            room.ok_or_else(|| AllocationError::Room { name: name.clone() })
        };
        for &queue in queues {
            let broker = &allocation.queues[queue].broker;
            let room = known(rooms.of_broker(broker), broker)?;
            sites.queues.entry(room).or_default().push(queue);
        }
        for &member in members {
            let id = &allocation.members[member];
            let room = known(rooms.of_member(id), id)?;
            sites.members.entry(room).or_default().push(member);
        }
        Ok(sites)
    }

    /// The queues that `me` has a part in, each with the members who share them: those of its own
    /// room, and those of each room where nobody is.
    pub(super) fn parts<'s>(
        &'s self,
        me: usize,
        all: &'s [usize],
    ) -> impl Iterator<Item = (&'s [usize], &'s [usize])> {
        self.queues.iter().filter_map(move |(room, queues)| match self.members.get(room) {
            None => Some((&queues[..], all)),
            Some(members) if members.contains(&me) => Some((&queues[..], &members[..])),
            Some(_) => None,
        })
    }
}
