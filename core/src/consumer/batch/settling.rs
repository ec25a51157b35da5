//! Messages of a batch being settled, one by one or in runs, by whichever threads have them.

use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Batch, Settled};

/// Words of bits. Pulls ask for 32 messages: one word is mostly enough, and stands here.
#[derive(Debug)]
pub(in crate::consumer) enum Bits {
    One(AtomicU64),
    Many(Box<[AtomicU64]>),
}

impl Bits {
    /// So many words.
    pub(super) fn new(words: usize, word: impl Fn(usize) -> u64) -> Self {
        match words {
            1 => Self::One(AtomicU64::new(word(0))),
            _ => Self::Many((0..words).map(|at| AtomicU64::new(word(at))).collect()),
        }
    }
}

impl Default for Bits {
    fn default() -> Self {
        Self::Many(Box::default())
    }
}

impl Deref for Bits {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Many(words) => words,
        }
    }
}

impl Batch {
    /// Where the bit of the message at `index` is; none behind the last message.
    fn word(&self, index: u32) -> Option<&AtomicU64> {
        let word = self.settled.get(index as usize / 64);
        word.filter(|_| (index as usize) < self.records.len())
    }

    /// Settles the message at `index`.
    pub fn settle(&self, index: u32) -> Settled {
        let Some(word) = self.word(index) else { return Settled::Before };
        let bit = 1 << (index % 64);
        // In one order with the mark: a consumer that begins to drain sees the bit, or is told.
        let before = word.fetch_or(bit, Ordering::SeqCst);
        if before & bit != 0 {
            return Settled::Before;
        }
        self.were_settled(1, before | bit)
    }

    /// Settles all messages of `run`, many at once. True: the engine is to be told, as of
    /// [`Settled::Last`].
    pub(in crate::consumer) fn settle_run(&self, run: Range<u32>) -> bool {
        let end = run.end.min(self.records.len() as u32);
        let mut last = false;
        let mut next = run.start;
        while next < end {
            let many = (64 - next % 64).min(end - next);
            let bits = (u64::MAX >> (64 - many)) << (next % 64);
            let Some(word) = self.word(next) else { break };
            let before = word.fetch_or(bits, Ordering::SeqCst);
            let fresh = bits & !before;
            if fresh != 0 {
                last |= self.were_settled(fresh.count_ones(), before | bits) == Settled::Last;
            }
            next += many;
        }
        last
    }

    /// So many messages of one word are settled that were not before; at least one. `word` is what
    /// that has made of it: whoever fills a word is one alone, so the last of a batch is, too.
    fn were_settled(&self, count: u32, word: u64) -> Settled {
        if self.is_revoked() {
            self.flags.stale.fetch_add(count.into(), Ordering::Relaxed);
        }
        if word == u64::MAX && self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            return Settled::Last;
        }
        if self.is_draining() || self.is_watched() { Settled::Last } else { Settled::Now }
    }

    /// Whether the message at `index` is settled.
    pub fn is_settled(&self, index: u32) -> bool {
        self.word(index).is_none_or(|word| word.load(Ordering::SeqCst) & (1 << (index % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::consumer::batch::{BatchId, PulledRecords};
    use crate::id::{QueueKey, Slots, SubscriptionId};
    use crate::message::{RecordList, StoredRecord};
    use crate::name::{QueueName, Topic};
    use crate::time::{Instant, UnixMillis};

    /// So many messages of which no more can be read than their places.
    fn batch(count: i64) -> Batch {
        let record = |offset: i64| {
            let mut record = vec![0; 28];
            record[..4].copy_from_slice(&28_u32.to_be_bytes());
            record[20..].copy_from_slice(&offset.to_be_bytes());
            record
        };
        let body: Vec<u8> = (0..count).flat_map(record).collect();
        of(RecordList::cut(body.into()), 0..count, 0)
    }

    fn of(records: RecordList, places: Range<i64>, delta: i64) -> Batch {
        let answer = PulledRecords { places, delta, records, at: Instant::ZERO };
        let id = BatchId {
            sub: Slots::<SubscriptionId, ()>::default().insert(()),
            queue: Slots::<QueueKey, ()>::default().insert(()),
            number: 0,
        };
        let topic = Topic::new("t").unwrap();
        Batch::new(
            id,
            QueueName { topic, broker: "b".into(), queue: 0 },
            answer,
            None,
            Arc::default(),
        )
    }

    fn records(offsets: &[i64]) -> RecordList {
        let host = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut body = Vec::new();
        for offset in offsets {
            let record = StoredRecord {
                topic: "t",
                queue_id: 0,
                flag: 0,
                queue_offset: *offset,
                commit_log_offset: 0,
                sys_flag: 0,
                born_timestamp: UnixMillis(0),
                born_host: host,
                store_timestamp: UnixMillis(0),
                store_host: host,
                reconsume_times: 0,
                prepared_transaction_offset: 0,
                body: b"",
                properties: b"",
            };
            record.encode_into(&mut body);
        }
        RecordList::cut(body.into())
    }

    #[test]
    fn a_batch_knows_the_order_of_its_offsets_whether_or_not_its_list_does() {
        let some = [3, 4, 5, 6, 7, 9, 2, 6, -1, i64::MAX];
        for from in 0..some.len() {
            for end in from..=some.len() {
                for (places, delta) in [(0..100, 0), (4..7, 0), (0..100, 3), (5..9, 2), (3..4, 0)] {
                    let batch = of(records(&some[from..end]), places.clone(), delta);
                    let read = (batch.older..batch.records.len() as u32).map(|i| batch.offset(i));
                    let offsets: Vec<i64> = read.flatten().collect();
                    let case = (from, end, places, delta);
                    assert_eq!(batch.last(), offsets.iter().max().copied(), "{case:?}");
                    assert_eq!(batch.in_order, offsets.is_sorted_by(|a, b| a < b), "{case:?}");
                }
            }
        }
    }

    #[test]
    fn a_run_is_settled_at_once_as_its_messages_are_one_by_one() {
        for (from, end) in [(0, 1), (3, 64), (63, 65), (64, 128), (10, 200), (0, 201), (200, 900)] {
            let (run, each) = (batch(201), batch(201));
            for batch in [&run, &each] {
                batch.settle(70);
            }
            let last = run.settle_run(from..end);
            let told: Vec<Settled> = (from..end).map(|index| each.settle(index)).collect();
            assert_eq!(last, told.contains(&Settled::Last), "{from}..{end}");
            assert_eq!(run.open(), each.open(), "{from}..{end}");
            let settled = |batch: &Batch| (0..201).map(|i| batch.is_settled(i)).collect::<Vec<_>>();
            assert_eq!(settled(&run), settled(&each), "{from}..{end}");
        }
        assert!(batch(201).settle_run(0..201) && !batch(201).settle_run(5..5));
    }

    #[test]
    fn just_one_message_of_a_batch_is_the_last_whichever_order_they_are_settled_in() {
        for count in [1, 5, 63, 64, 65, 127, 128, 129, 201] {
            let batch = batch(count);
            let order: Vec<u32> = (0..count).map(|step| (step * 11 % count) as u32).collect();
            for (settled, index) in order.iter().enumerate() {
                assert_eq!(batch.open(), order.len() - settled, "of {count}");
                let last = settled + 1 == order.len();
                let told = if last { Settled::Last } else { Settled::Now };
                assert_eq!(batch.settle(*index), told, "{index} of {count}");
                assert_eq!(batch.settle(*index), Settled::Before, "{index} of {count}");
            }
            assert_eq!((batch.open(), batch.low()), (0, None), "of {count}");
            assert_eq!(batch.settle(count as u32), Settled::Before, "behind the last of {count}");
        }
    }

    #[test]
    fn just_one_of_many_threads_settles_the_last_message() {
        for _ in 0..50 {
            let batch = batch(130);
            let settle = |from: u32| {
                let told = (from..130).step_by(4).map(|index| batch.settle(index));
                told.filter(|told| *told == Settled::Last).count()
            };
            let lasts: usize = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..4).map(|from| scope.spawn(move || settle(from))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!((lasts, batch.open()), (1, 0));
        }
    }

    #[test]
    fn a_run_of_a_queue_that_was_given_up_counts_as_stale() {
        let batch = batch(100);
        batch.settle(50);
        batch.flags.revoked.store(true, Ordering::SeqCst);
        batch.settle_run(0..100);
        assert_eq!(batch.flags.stale.load(Ordering::SeqCst), 99);
    }
}
