//! The producer groups that heartbeats name (`ProducerData`).
//!
//! A group whose last producer is gone stays for a while: where each message has a producer of its
//! own, brokers would else be told twice for each message.

use std::time::Duration;

use crate::broker::Brokers;
use crate::name::Group;
use crate::remoting::{BrokerAsk, Context};
use crate::time::Instant;

/// How long a group stays without a producer.
const LINGER: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Member {
    group: Group,
    /// What heartbeats say since it is there.
    revision: u64,
    /// How many produce in it.
    producers: usize,
    /// Since when none does.
    unused: Instant,
}

/// The groups of one client.
#[derive(Debug, Default)]
pub(crate) struct Groups(Vec<Member>);

impl Groups {
    /// One more produces in the group. True if brokers do not know of it: they do by the next
    /// revision of what heartbeats say.
    pub(crate) fn enter(&mut self, brokers: &mut Brokers, group: &Group) -> bool {
        if let Some(member) = self.0.iter_mut().find(|member| member.group == *group) {
            member.producers += 1;
            return false;
        }
        let (group, revision) = (group.clone(), brokers.changed());
        self.0.push(Member { group, revision, producers: 1, unused: Instant::ZERO });
        true
    }

    /// Since which revision of what heartbeats say the group is among it.
    pub(crate) fn revision(&self, group: &Group) -> u64 {
        let member = self.0.iter().find(|member| member.group == *group);
        member.map_or(0, |member| member.revision)
    }

    /// Whether the group is one of the client's.
    pub(crate) fn has(&self, group: &Group) -> bool {
        self.0.iter().any(|member| member.group == *group)
    }

    /// One less does.
    pub(crate) fn withdraw(&mut self, now: Instant, group: &Group) {
        if let Some(member) = self.0.iter_mut().find(|member| member.group == *group) {
            member.producers = member.producers.saturating_sub(1);
            member.unused = now;
        }
    }

    /// Takes those out that had no producer for [`LINGER`]: heartbeats name them no more. `told`:
    /// brokers hear of it at once. Nobody waits for their answers: one that does not hear of it
    /// forgets the group with our next connection.
    pub(crate) fn forget_unused(&mut self, ctx: &mut Context, brokers: &mut Brokers, told: bool) {
        for group in self.take_unused(ctx.fx.now) {
            brokers.changed();
            if told {
                Brokers::unregister_producers(ctx, &[group], BrokerAsk::Withdraw);
            }
        }
    }

    fn take_unused(&mut self, now: Instant) -> Vec<Group> {
        let unused =
            |member: &mut Member| member.producers == 0 && now.since(member.unused) >= LINGER;
        self.0.extract_if(.., unused).map(|member| member.group).collect()
    }

    /// Takes a group out that nobody produces in. True if it was there.
    pub(crate) fn forget(&mut self, group: &Group) -> bool {
        let before = self.0.len();
        self.0.retain(|member| member.group != *group || member.producers > 0);
        self.0.len() < before
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.0.iter().map(|member| &member.group)
    }
}
