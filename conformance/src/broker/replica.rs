//! Slaves follow their masters: messages (`HAService`), topics and offsets (`SlaveSynchronize`).
//!
//! Java copies topics and offsets every 10 s; here all of it is copied at once.

use std::collections::BTreeSet;

use super::answer::Turn;
use super::node::{MASTER, Node};

impl Node {
    /// Takes over what is new at the master, and wakes the pulls that waited for it here.
    fn follow(&mut self, turn: &mut Turn<'_>, master: &Node, fresh: &BTreeSet<(Box<str>, i32)>) {
        for (name, queue) in fresh {
            let Some(from) = master.topics.find(name) else {
                self.topics.delete(name);
                continue;
            };
            let differs = |topic: &super::topic::Topic| topic.config(name) != from.config(name);
            if self.topics.find(name).is_none_or(differs) {
                self.topics.set(&from.config(name));
            }
            let log = self.topics.find_mut(name).and_then(|topic| topic.queue_mut(*queue));
            let (Some(log), Some(from)) = (log, from.queue(*queue)) else { continue };
            let mut tags = log.follow(from);
            tags.sort_unstable();
            tags.dedup();
            for tag in tags {
                self.wake(turn, name, *queue, tag);
            }
        }
    }

    /// Takes over everything: topics, also that some are gone, messages and offsets.
    fn catch_up(&mut self, turn: &mut Turn<'_>, master: &Node) {
        let gone: Vec<String> = self.topics.iter().map(|(name, _)| name.to_owned()).collect();
        for name in gone.iter().filter(|name| master.topics.find(name).is_none()) {
            self.topics.delete(name);
        }
        let all = master.topics.iter().flat_map(|(name, topic)| {
            let queues = topic.read_queues.max(topic.write_queues) as i32;
            // Also a topic without queues is there.
            (0..queues.max(1)).map(move |queue| (Box::from(name), queue))
        });
        self.follow(turn, master, &all.collect());
        self.offsets.clone_from(&master.offsets);
        self.position = master.position;
    }
}

/// The places of a slave and its master among `nodes`.
fn both(nodes: &mut [Node], slave: usize, master: usize) -> Option<(&mut Node, &mut Node)> {
    let [slave, master] = nodes.get_disjoint_mut([slave, master]).ok()?;
    Some((slave, master))
}

fn master_of(nodes: &[Node], slave: usize) -> Option<usize> {
    let name = &nodes.get(slave).filter(|node| node.id != MASTER)?.name;
    nodes.iter().position(|node| node.id == MASTER && node.name == *name)
}

/// Lets the slaves of a master take over what its last request left.
pub(super) fn spread(nodes: &mut [Node], turn: &mut Turn<'_>, master: usize, topics: &[Box<str>]) {
    let Some(node) = nodes.get_mut(master).filter(|node| node.followed) else { return };
    let mut fresh = std::mem::take(&mut node.fresh);
    fresh.extend(topics.iter().map(|name| (name.clone(), 0)));
    let committed = std::mem::take(&mut node.committed);
    if fresh.is_empty() && !committed {
        return;
    }
    for slave in 0..nodes.len() {
        if master_of(nodes, slave) != Some(master) {
            continue;
        }
        let Some((slave, master)) = both(nodes, slave, master) else { continue };
        if slave.down || slave.lags {
            continue;
        }
        slave.follow(turn, master, &fresh);
        if committed {
            slave.offsets.clone_from(&master.offsets);
        }
        slave.position = master.position;
    }
}

/// Lets a slave that lags or was away take over all it has missed, if its master is there.
pub(super) fn catch_up(nodes: &mut [Node], turn: &mut Turn<'_>, slave: usize) {
    let Some(master) = master_of(nodes, slave) else { return };
    if let Some((slave, master)) = both(nodes, slave, master)
        && !(master.down || slave.lags)
    {
        slave.catch_up(turn, master);
    }
}
