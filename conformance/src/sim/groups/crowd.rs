//! What members of groups, and administrators, do while a storm lasts.

use std::time::Duration;

use rocketry_core::consumer::{Filter, Start, Subscribe};
use rocketry_core::id::SubscriptionId;
use rocketry_core::name::Group;

use super::{GROUPS, OTHER, Run, SECOND, TAG, TIMES, TOPIC, config, ms, name, rule};
use crate::broker::TopicConfig;
use crate::sim::app::{ClientId, Pace};
use crate::sim::world::World;

/// One consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) client: ClientId,
    pub(super) sub: SubscriptionId,
    /// Which of the groups.
    pub(super) group: usize,
    /// It has not begun to leave.
    pub(super) stays: bool,
}

/// What is done a while after something else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// A consumer is resumed.
    Resume(Member),
    /// One reads the other topic again.
    Return(Member),
    /// The one of the last group is followed by another.
    Follow,
}

/// The most members of each group.
const MOST: [usize; 3] = [4, 3, 1];

impl Run {
    /// Those who are there from the start.
    pub(super) fn begin(&mut self) {
        let shared = self.join(0, None);
        self.join(1, Some(shared.client));
        self.join(0, None);
        self.join(1, None);
        self.join(2, None);
    }

    /// Whether the members of a group handle messages in their order.
    pub(super) const fn is_orderly(&self, group: usize) -> bool {
        self.scene.orderly && group == 0
    }

    fn pace(&self, group: usize) -> Pace {
        if self.is_orderly(group) {
            return Pace::InOrder(self.scene.pace / 4);
        }
        let slow = if group == 2 { SECOND } else { Duration::ZERO };
        Pace::Judging(self.scene.pace + slow)
    }

    /// One more member, with a client of its own or with one that is there.
    pub(super) fn join(&mut self, group: usize, client: Option<ClientId>) -> Member {
        let client = client.unwrap_or_else(|| self.world.client(config(&self.scene)));
        let named = Group::new(GROUPS[group]).unwrap_or_else(|error| panic!("{error}"));
        let mut subscribe = Subscribe::new(named, name(TOPIC));
        if group == 1 {
            let tag = Filter::tags([TAG]).unwrap_or_else(|error| panic!("{error}"));
            subscribe.topics = vec![(name(TOPIC), tag), (name(OTHER), Filter::All)];
        }
        let strategy = if group == 1 { self.own.clone() } else { rule::numbered(self.scene.rule) };
        subscribe.options = subscribe.options.start_at(Start::First).strategy(strategy);
        if self.is_orderly(group) {
            let options = subscribe.options.orderly().max_reconsume_times(TIMES);
            subscribe.options = options.retry_delay(ms(50));
        }
        let pace = self.pace(group);
        let sub = self.world.subscribe(client, subscribe, pace);
        let sub = sub.unwrap_or_else(|error| panic!("{error}"));
        let member = Member { client, sub, group, stays: true };
        self.members.push(member);
        member
    }

    /// The members of a group that stay, as far as is known.
    pub(super) fn staying(&self, group: usize) -> Vec<Member> {
        let members = self.members.iter().filter(|member| member.group == group && member.stays);
        members.copied().collect()
    }

    fn some(&mut self, group: usize) -> Option<Member> {
        let staying = self.staying(group);
        let drawn = self.rng.below(staying.len().max(1) as u64) as usize;
        staying.get(drawn).copied()
    }

    /// Somebody does something.
    pub(super) fn act(&mut self) {
        let group = self.rng.below(3) as usize;
        let Some(member) = self.some(group) else { return };
        let many = self.staying(group).len();
        self.done += 1;
        if self.is_orderly(group) && self.rng.below(6) == 0 {
            return self.freeze(member);
        }
        match self.rng.below(12) {
            0..=2 if many < MOST[group] => {
                self.join(group, None);
            }
            3 | 4 if many > 1 || group == 2 => self.go(member),
            5 if many > 1 || group == 2 => self.vanish(member),
            6 | 7 => {
                let _ = self.world.suspend(member.client, member.sub);
                self.in_a_while(Deed::Resume(member));
            }
            8 | 9 if group == 1 => {
                let _ = self.world.unsubscribe_from(member.client, member.sub, &name(OTHER));
                self.in_a_while(Deed::Return(member));
            }
            10 if self.scene.resets => self.reset(),
            11 if self.world.elapsed() > self.scene.length / 2 => {
                let more = TopicConfig::new(OTHER, 4);
                self.world.with_cluster(|cluster| cluster.create_topic(&more));
            }
            _ => self.done -= 1,
        }
    }

    fn in_a_while(&mut self, deed: Deed) {
        let at = self.world.now() + ms(200 + self.rng.below(3000));
        self.deeds.push((at, deed));
    }

    fn leaves(&mut self, gone: impl Fn(&Member) -> bool) {
        self.members.iter_mut().filter(|member| gone(member)).for_each(|member| {
            member.stays = false;
        });
        if self.staying(2).is_empty() {
            self.in_a_while(Deed::Follow);
        }
    }

    /// Leaves at once, or finishes.
    fn go(&mut self, member: Member) {
        let left = if self.rng.below(2) == 0 {
            self.world.leave(member.client, member.sub)
        } else {
            let within = ms(self.rng.below(6000));
            self.world.drain(member.client, member.sub, within)
        };
        assert!(left.is_ok(), "{member:?} could not leave");
        self.leaves(|other| other.client == member.client && other.sub == member.sub);
    }

    /// A process dies, unless another group would be left alone.
    fn vanish(&mut self, member: Member) {
        let others = |other: &&Member| other.client == member.client && other.sub != member.sub;
        if self.members.iter().filter(others).any(|other| other.stays) {
            return;
        }
        self.world.vanish(member.client);
        self.leaves(|other| other.client == member.client);
    }

    /// A process stands still, longer than its locks last or not, and not beyond the storm.
    fn freeze(&mut self, member: Member) {
        let left = self.calm.since(self.world.now());
        let time = ms(self.rng.below(70_000)).min(left);
        self.world.freeze(member.client, time);
    }

    /// An administrator moves offsets: to the first messages, or beyond the last.
    fn reset(&mut self) {
        let group = GROUPS[self.rng.below(3) as usize];
        self.world.forget_order(group);
        if self.rng.below(3) == 0 {
            self.world.reset_to_last(group, TOPIC);
        } else {
            for broker in 0..self.scene.brokers {
                let first = |world: &mut World| {
                    world.with_cluster(|c| c.reset_offset(broker, (group, TOPIC), 0, true))
                };
                // Who is not connected can't be told.
                let _ = first(&mut self.world);
            }
        }
    }

    /// Does what was to be done later.
    pub(super) fn carry_out(&mut self, deed: Deed) {
        match deed {
            Deed::Resume(member) => {
                let _ = self.world.resume(member.client, member.sub);
            }
            Deed::Return(Member { client, sub, .. }) => {
                let _ = self.world.subscribe_to(client, sub, name(OTHER), Filter::All);
            }
            Deed::Follow if self.staying(2).is_empty() => {
                self.join(2, None);
            }
            Deed::Follow => {}
        }
    }

    /// In the calm everybody consumes who stays.
    pub(super) fn settle_down(&mut self) {
        for (_, deed) in std::mem::take(&mut self.deeds) {
            self.carry_out(deed);
        }
    }
}
