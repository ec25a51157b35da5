//! Which member of a group reads which queue.
//!
//! Every member computes its share alone, from the same sorted queues and ids, so all clients of a
//! group, of any language, must use the same rule. Java: the `AllocateMessageQueue*` classes in
//! `client/consumer/rebalance`. A [`Job`] does so for the engine, without its
//! lock.

mod group;
mod job;
mod own;
#[cfg(feature = "consistent-hash")]
mod ring;
mod rooms;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::SharingRule;
pub(crate) use group::{GroupTask, OtherFilter, OwnFilter};
pub use job::{Computed, Job};
pub(crate) use job::{Outcome, Rule, Share, Task, Ticket};
pub use own::{Allocate, Question};
pub use rooms::{MachineRooms, PrefixRooms};

/// The share of the member at `index` of `members` in `queues` queues: Java's
/// `AllocateMessageQueueAveragely`, runs of neighbours, the first members one longer.
pub fn average(queues: usize, members: usize, index: usize) -> std::ops::Range<usize> {
    if members == 0 || index >= members {
        return 0..0;
    }
    let (base, extra) = (queues / members, queues % members);
    let start = index * base + index.min(extra);
    start..(start + base + usize::from(index < extra))
}

/// One queue of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue {
    /// The broker's name; queues of one broker best share it.
    pub broker: Arc<str>,
    /// Its number there, from 0.
    pub id: u32,
}

/// A rule by which queues are shared. All members of a group must use the same one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Strategy {
    /// Runs of neighbours, the first members one longer: Java's default.
    Average,
    /// One after the other in turn.
    Circle,
    /// By a ring of hashes: a member that comes or goes moves few queues. Shares are uneven.
    #[cfg(feature = "consistent-hash")]
    ConsistentHash {
        /// Places on the ring for each member; 10 in Java.
        virtual_nodes: u32,
    },
    /// These queues, whoever else there is: each member is told its own.
    Config(Vec<Queue>),
    /// Runs of neighbours among the queues of brokers called `room@name` in one of these rooms. The
    /// queues of all other brokers are nobody's.
    MachineRoom(BTreeSet<Arc<str>>),
    /// By another rule among the members in the queue's machine room; the queues of a room without
    /// a member are shared by all.
    Nearby {
        /// Who and what is where.
        rooms: Arc<dyn MachineRooms>,
        /// The rule for each room.
        within: Box<Self>,
    },
    /// By a rule of the application's own.
    Custom(Arc<dyn Allocate>),
}

/// A rule of the application's, or what tells rooms apart, is the same as itself alone.
impl PartialEq for Strategy {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Average, Self::Average) | (Self::Circle, Self::Circle) => true,
            #[cfg(feature = "consistent-hash")]
            (
                Self::ConsistentHash { virtual_nodes: one },
                Self::ConsistentHash { virtual_nodes: other },
            ) => one == other,
            (Self::Config(one), Self::Config(other)) => one == other,
            (Self::MachineRoom(one), Self::MachineRoom(other)) => one == other,
            (
                Self::Nearby { rooms: one, within: inner },
                Self::Nearby { rooms: other, within: outer },
            ) => std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other)) && inner == outer,
            (Self::Custom(one), Self::Custom(other)) => {
                std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
            }
            _ => false,
        }
    }
}

impl Eq for Strategy {}

impl From<SharingRule> for Strategy {
    /// What settings say. Without the feature `consistent-hash` its rule is refused before.
    fn from(rule: SharingRule) -> Self {
        match rule {
            SharingRule::Average => Self::Average,
            SharingRule::Circle => Self::Circle,
            #[cfg(feature = "consistent-hash")]
            SharingRule::ConsistentHash { virtual_nodes } => Self::ConsistentHash { virtual_nodes },
            #[cfg(not(feature = "consistent-hash"))]
            SharingRule::ConsistentHash { .. } => Self::Average,
        }
    }
}

impl Strategy {
    /// Whether its numbers can work: each member has places, and no more than memory allows.
    pub(crate) fn can_work(&self) -> bool {
        match self {
            #[cfg(feature = "consistent-hash")]
            Self::ConsistentHash { virtual_nodes } => (1..=1000).contains(virtual_nodes),
            Self::Nearby { within, .. } => within.can_work(),
            Self::Average
            | Self::Circle
            | Self::Config(_)
            | Self::MachineRoom(_)
            | Self::Custom(_) => true,
        }
    }

    /// Java's name of the rule; a proxy's question for assignments carries it.
    pub fn name(&self) -> String {
        match self {
            Self::Average => "AVG".to_owned(),
            Self::Circle => "AVG_BY_CIRCLE".to_owned(),
            #[cfg(feature = "consistent-hash")]
            Self::ConsistentHash { .. } => "CONSISTENT_HASH".to_owned(),
            Self::Config(_) => "CONFIG".to_owned(),
            Self::MachineRoom(_) => "MACHINE_ROOM".to_owned(),
            Self::Nearby { within, .. } => format!("MACHINE_ROOM_NEARBY-{}", within.name()),
            Self::Custom(own) => own.name().to_owned(),
        }
    }

    /// Whether the count of members and one's place among them is all that it goes by.
    pub(crate) const fn goes_by_place(&self) -> bool {
        matches!(self, Self::Average | Self::Circle)
    }

    /// Whether code of the application's decides, which may take its time.
    pub(crate) fn is_foreign(&self) -> bool {
        match self {
            Self::Custom(_) | Self::Nearby { .. } => true,
            Self::Average | Self::Circle | Self::Config(_) | Self::MachineRoom(_) => false,
            #[cfg(feature = "consistent-hash")]
            Self::ConsistentHash { .. } => false,
        }
    }
}

/// Why queues can't be shared. Nothing must change hands then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocationError {
    /// The machine room of this broker or member is not known.
    #[error("the machine room of {name} is not known")]
    Room {
        /// The broker's name or the member's id.
        name: Arc<str>,
    },
    /// A rule by rooms within a rule by rooms, to more than eight levels.
    #[error("machine rooms lie within machine rooms, more than eight deep")]
    Depth,
    /// A rule of the application's own can't tell.
    #[error("{rule}: {reason}")]
    Own {
        /// Its name.
        rule: Arc<str>,
        /// Why, in its words.
        reason: Arc<str>,
    },
    /// A rule of the application's own has not returned for so long; its share counts when it does.
    #[error("the rule has not returned for {}", crate::time::Rounded(*.0))]
    Late(Duration),
    /// A rule of the application's own panicked.
    #[error("the rule panicked")]
    Panicked,
    /// A rule of the application's own gave a place beyond the last queue.
    #[error("the rule gave place {place} of {queues} queues")]
    Place {
        /// The place.
        place: usize,
        /// The queues there are.
        queues: usize,
    },
    /// The list of members, or of assigned queues, can't be read.
    #[error("unreadable list: {reason}")]
    List {
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// The broker would have this group pop its messages, which is not built.
    #[error("the broker has the group pop messages")]
    Pop,
}

/// The queues of a topic and the members of a group, sorted once for any number of questions.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// Part of the text that consistent hashing hashes.
    topic: Arc<str>,
    queues: Vec<Queue>,
    members: Vec<Arc<str>>,
}

impl Allocation {
    /// Sorts queues and client ids, and leaves out what comes twice.
    pub fn new(topic: Arc<str>, mut queues: Vec<Queue>, mut members: Vec<Arc<str>>) -> Self {
        queues.sort_unstable();
        queues.dedup();
        members.sort_unstable();
        members.dedup();
        Self { topic, queues, members }
    }

    /// The same of queues that are sorted, and come once.
    pub(crate) fn of_sorted(
        topic: Arc<str>,
        queues: Vec<Queue>,
        mut members: Vec<Arc<str>>,
    ) -> Self {
        members.sort_unstable();
        members.dedup();
        Self { topic, queues, members }
    }

    /// The topic.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The queues, by broker and number. Shares are places in this list.
    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// The client ids, sorted.
    pub fn members(&self) -> &[Arc<str>] {
        &self.members
    }

    /// The places of the queues that `member` reads, ascending; none if it is not a member: who is
    /// not in the broker's list keeps nothing and asks again.
    ///
    /// Takes time with the share under the first two rules, with queues and members under others.
    pub fn share(&self, strategy: &Strategy, member: &str) -> Result<Vec<usize>, AllocationError> {
        let Ok(index) = self.members.binary_search_by(|id| (**id).cmp(member)) else {
            return Ok(Vec::new());
        };
        let queues: Vec<usize> = match strategy {
            // The two that need no list of all places.
            Strategy::Average => {
                return Ok(average(self.queues.len(), self.members.len(), index).collect());
            }
            Strategy::Circle => {
                return Ok((index..self.queues.len()).step_by(self.members.len()).collect());
            }
            _ => (0..self.queues.len()).collect(),
        };
        let members: Vec<usize> = (0..self.members.len()).collect();
        let mut share = self.part(strategy, &queues, &members, index, 0)?;
        share.sort_unstable();
        Ok(share)
    }

    /// The share of `me` when only these queues and members exist, all given by place, ascending.
    fn part(
        &self,
        strategy: &Strategy,
        queues: &[usize],
        members: &[usize],
        me: usize,
        depth: u32,
    ) -> Result<Vec<usize>, AllocationError> {
        let Ok(index) = members.binary_search(&me) else { return Ok(Vec::new()) };
        match strategy {
            Strategy::Average => Ok(queues[average(queues.len(), members.len(), index)].to_vec()),
            Strategy::Circle => {
                Ok(queues.iter().copied().skip(index).step_by(members.len()).collect())
            }
            #[cfg(feature = "consistent-hash")]
            Strategy::ConsistentHash { virtual_nodes } => {
                let ring = ring::Ring::new(&self.members, members, *virtual_nodes);
                let own = |queue: &usize| ring.owner(&self.topic, &self.queues[*queue]) == Some(me);
                Ok(queues.iter().copied().filter(own).collect())
            }
            Strategy::Config(own) => {
                let own: BTreeSet<&Queue> = own.iter().collect();
                let is_own = |queue: &usize| own.contains(&self.queues[*queue]);
                Ok(queues.iter().copied().filter(is_own).collect())
            }
            Strategy::MachineRoom(rooms) => {
                let is_in = |queue: &usize| rooms::in_one_of(rooms, &self.queues[*queue].broker);
                let within: Vec<usize> = queues.iter().copied().filter(is_in).collect();
                Ok(self.machine_room(&within, members.len(), index))
            }
            Strategy::Custom(own) => self.own(&**own, queues, members, me),
            Strategy::Nearby { rooms, within } => {
                if depth == 8 {
                    return Err(AllocationError::Depth);
                }
                let sites = rooms::Sites::of(self, &**rooms, queues, members)?;
                let mut share = Vec::new();
                for (queues, members) in sites.parts(me, members) {
                    share.extend(self.part(within, queues, members, me, depth + 1)?);
                }
                Ok(share)
            }
        }
    }

    /// As `AllocateMessageQueueByMachineRoom`: equal runs, then what is left over one by one.
    fn machine_room(&self, queues: &[usize], members: usize, index: usize) -> Vec<usize> {
        let base = queues.len() / members;
        let left = queues.get(index + base * members).copied();
        queues[index * base..(index + 1) * base].iter().copied().chain(left).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reb_01_every_queue_has_one_owner_and_shares_differ_by_one_at_most() {
        for queues in 0..40 {
            for members in 1..12 {
                let shares: Vec<_> = (0..members).map(|i| average(queues, members, i)).collect();
                let all: Vec<usize> = shares.iter().cloned().flatten().collect();
                assert_eq!(all, (0..queues).collect::<Vec<_>>());
                let (least, most) = (shares.iter().map(|s| s.len()).min(), shares[0].len());
                assert!(most - least.unwrap() <= 1);
            }
        }
        assert_eq!([0, 1, 2].map(|i| average(8, 3, i).len()), [3, 3, 2]);
        assert_eq!(average(8, 2, 2), 0..0);
        assert_eq!(average(8, 0, 0), 0..0);
    }
}
