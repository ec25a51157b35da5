//! Which member of a group reads which queue.
//!
//! Every member computes the shares alone, from the same sorted queues and ids, so all clients of
//! a group, of any language, must use the same rule.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_has_one_owner_and_shares_differ_by_one_at_most() {
        for queues in 0..40 {
            for members in 1..12 {
                let shares: Vec<_> = (0..members).map(|i| average(queues, members, i)).collect();
                let all: Vec<usize> = shares.iter().cloned().flatten().collect();
                assert_eq!(all, (0..queues).collect::<Vec<_>>());
                let (least, most) = (shares.iter().map(|s| s.len()).min(), shares[0].len());
                assert!(most - least.unwrap() <= 1);
            }
        }
        assert_eq!(average(8, 2, 2), 0..0);
        assert_eq!(average(8, 0, 0), 0..0);
    }
}
