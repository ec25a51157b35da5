//! A ring of hashes, as Java's `ConsistentHashRouter`.

use std::fmt::Write;
use std::sync::Arc;

use md5::{Digest, Md5};

use super::Queue;

/// Places on a ring of 32 bits, each of one member, sorted.
pub(super) struct Ring(Vec<(u32, usize)>);

impl Ring {
    /// Gives each of `members`, which are places in `ids`, its `virtual_nodes` places: the hashes
    /// of `id-0`, `id-1` and so on.
    pub(super) fn new(ids: &[Arc<str>], members: &[usize], virtual_nodes: u32) -> Self {
        let mut places = Vec::with_capacity(members.len().saturating_mul(virtual_nodes as usize));
        let mut text = String::new();
        for &member in members {
            text.clear();
            text.push_str(&ids[member]);
            text.push('-');
            let length = text.len();
            for node in 0..virtual_nodes {
                text.truncate(length);
                text.push_str(itoa::Buffer::new().format(node));
                places.push((hash(&text), member));
            }
        }
        // Of two members at one place the later counts, as in Java's map: it comes first here.
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        places.dedup_by_key(|place| place.0);
        Self(places)
    }

    /// Whose place is the first at or behind that of the queue; `None` on an empty ring.
    pub(super) fn owner(&self, topic: &str, queue: &Queue) -> Option<usize> {
        // `MessageQueue.toString`.
        let mut text = String::with_capacity(64 + topic.len() + queue.broker.len());
        let (broker, id) = (&queue.broker, queue.id);
        let _ = write!(text, "MessageQueue [topic={topic}, brokerName={broker}, queueId={id}]");
        let hash = hash(&text);
        let at = self.0.partition_point(|place| place.0 < hash);
        self.0.get(at).or(self.0.first()).map(|place| place.1)
    }
}

/// The first four bytes of the MD5, big endian (`ConsistentHashRouter.MD5Hash`).
fn hash(text: &str) -> u32 {
    let digest = Md5::digest(text.as_bytes());
    digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
