//! What tests look at when members of a group come and go.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::collector::Collector;
use super::eventually;
use super::load::Outcome;

/// The queues that gave the consumer something just now.
fn queues_now(collector: &Collector) -> BTreeSet<u32> {
    let window = Duration::from_millis(150);
    let from = Instant::now().checked_sub(window).unwrap_or_else(Instant::now);
    collector.look(|seen| seen.queues_since(from))
}

/// Waits until each consumer reads `count` queues that no other one reads.
pub fn shared_evenly(collectors: &[&Collector], count: usize, within: Duration) {
    let mut queues = Vec::new();
    let even = eventually(within, || {
        queues = collectors.iter().map(|collector| queues_now(collector)).collect();
        let all: BTreeSet<u32> = queues.iter().flatten().copied().collect();
        all.len() == count * queues.len() && queues.iter().all(|own| own.len() == count)
    });
    assert!(even, "{queues:?} where {count} each were expected");
}

/// Waits until the consumer has had a message of each of eight queues since `from`.
pub fn time_to_all(collector: &Collector, from: Instant, within: Duration) -> Duration {
    let all = eventually(within, || collector.look(|seen| seen.queues_since(from).len() == 8));
    assert!(all, "{:?}", collector.look(|seen| seen.queues_since(from)));
    from.elapsed()
}

/// Every message that was answered SEND_OK was seen by one of them.
pub fn nothing_missing(sent: &Outcome, by: &[&Collector], also: &BTreeSet<String>) {
    let ids: Vec<_> = sent.sent.iter().map(|(r, _)| r.message_id.to_string()).collect();
    let missing = || {
        let seen = |id: &String| by.iter().any(|one| one.look(|seen| seen.ids.contains_key(id)));
        ids.iter().filter(|id| !also.contains(*id) && !seen(id)).count()
    };
    let none = eventually(Duration::from_secs(10), || missing() == 0);
    assert!(none, "{} of {} were missed", missing(), ids.len());
}
