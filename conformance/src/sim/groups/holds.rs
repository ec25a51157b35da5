//! What must hold of groups in a storm and in the calm after it.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketry_core::frame::RequestCode;
use rocketry_core::query::QueueName;

use super::{CALM, GROUPS, READS, RETRIES, Run, ms};
use crate::sim::fates::{Kind, Reads};
use crate::sim::world::World;

/// How long brokers keep locks that nobody gives back, and who is to have them next may wait.
const LOCKED: Duration = Duration::from_secs(65);
/// Two looks at the shares, each a quarter late (`rebalance_interval`).
const LOOKS: Duration = Duration::from_secs(50);

impl Run {
    /// Whether the offsets of all groups pass nothing that is not settled.
    pub(super) fn look(&mut self) {
        let commits = self.world.cluster().requests(RequestCode::UPDATE_CONSUMER_OFFSET);
        if std::mem::replace(&mut self.commits, commits) != commits {
            for reads in READS.into_iter().chain(RETRIES) {
                self.world.assert_kept(reads);
            }
        }
    }

    /// Everything is settled, and stored so, soon after the calm; how long it took.
    pub(super) fn assert_settled(&mut self) -> Duration {
        self.world.assert_all_ended();
        self.assert_ends("in the calm");
        self.world.now().since(self.calm)
    }

    /// Offsets come to their ends, and nothing waits for its time.
    pub(super) fn assert_ends(&mut self, when: &str) {
        // Brokers keep the locks of one that is gone for a minute.
        let locked = if self.scene.orderly { LOCKED } else { Duration::ZERO };
        let by = self.world.now() + CALM + locked;
        loop {
            self.live_for(ms(100));
            if behind(&self.world).is_empty() {
                self.world.read_logs();
                if !GROUPS.iter().any(|group| self.world.logs.is_waiting(group)) {
                    return;
                }
            }
            let now = self.world.now();
            assert!(now < by, "{when}: not at their ends are {:?}", behind(&self.world));
        }
    }

    /// Two looks at the shares after the last change, each queue has one owner.
    pub(super) fn assert_owned(&mut self) {
        let until = self.calm + LOOKS;
        self.live(until.max(self.world.now()));
        for (group, named) in GROUPS.iter().enumerate() {
            let mut owners: BTreeMap<QueueName, usize> = BTreeMap::new();
            for member in self.staying(group) {
                for queue in self.world.held(member.client, named) {
                    *owners.entry(queue).or_default() += 1;
                }
            }
            for reads in READS.iter().chain(&RETRIES).filter(|reads| reads.group == *named) {
                for (broker, name) in self.world.masters() {
                    let queues = self.world.cluster().queues(broker, reads.topic);
                    for queue in 0..queues.unwrap_or_default().0 {
                        let of = |(at, count): (&QueueName, &usize)| {
                            let here = at.topic.as_str() == reads.topic && *at.broker == *name;
                            (here && at.queue == queue).then_some(*count)
                        };
                        let count = owners.iter().find_map(of).unwrap_or(0);
                        let topic = reads.topic;
                        assert_eq!(count, 1, "owners of {topic} {name} {queue} in {named}");
                    }
                }
            }
        }
    }

    /// The dead letters of each group are those that were rejected or came too often, and no other;
    /// how many there are.
    pub(super) fn assert_dead_letters(&mut self) -> usize {
        let mut all = 0;
        for group in GROUPS {
            let dead = self.world.dead_letters(group);
            all += dead.len();
            for (id, body) in &dead {
                assert!(Kind::of(body).ends_dead(), "{group} has {id} as a dead letter: {body}");
            }
            for reads in READS.iter().filter(|reads| reads.group == group) {
                let masters = self.world.masters();
                let logs = &self.world.logs;
                for stored in masters.iter().flat_map(|(at, _)| logs.of(*at, reads.topic)) {
                    let (id, body) = (&stored.id, &stored.body);
                    let read = reads.tag.is_none() || stored.tag.as_deref() == reads.tag;
                    let due = read && Kind::of(body).ends_dead();
                    let passed = self.world.is_excused(group, id) || dead.contains_key(id);
                    assert!(!due || passed, "{group} has no dead letter {id}: {body}");
                }
            }
        }
        all
    }
}

/// The queues whose offsets are not at their ends, by group and topic.
pub(super) fn behind(world: &World) -> Vec<(&'static str, &'static str, String, u32, i64, i64)> {
    let mut behind = Vec::new();
    for Reads { group, topic, .. } in READS.into_iter().chain(RETRIES) {
        for (broker, name) in world.masters() {
            let cluster = world.cluster();
            for queue in 0..cluster.queues(broker, topic).unwrap_or_default().0 {
                let number = queue as i32;
                let end = cluster.max_offset(broker, topic, number).unwrap_or_default() as i64;
                let stored = cluster.committed(broker, group, topic, number).unwrap_or_default();
                if stored != end {
                    behind.push((group, topic, name.clone(), queue, stored, end));
                }
            }
        }
    }
    behind
}

/// Long enough for one round of commits.
pub(super) const ROUND: Duration = Duration::from_secs(6);
