//! What diaries show of a group: whether each queue's messages came in their order, and whether two
//! handlers had one of its messages while each went by a lock.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::rig::diary::{Entry, Mark};

/// One handling of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cases) struct Handling {
    pub(in crate::cases) member: usize,
    pub(in crate::cases) queue: u32,
    pub(in crate::cases) offset: u64,
    pub(in crate::cases) number: u32,
    pub(in crate::cases) begun: u64,
    /// Until then the handler had it, and the lock of its queue lasted: the earlier of both. As
    /// `begun` where the lock had run out before.
    pub(in crate::cases) held: u64,
    /// It was given back, to come again.
    pub(in crate::cases) back: bool,
}

/// What came of all.
#[derive(Debug, Default)]
pub(in crate::cases) struct Verdict {
    /// How many places of each queue came, from its first one on.
    pub(in crate::cases) firsts: BTreeMap<u32, u64>,
    /// Different messages.
    pub(in crate::cases) distinct: usize,
    /// Messages that came for the first time, but not in their turn.
    pub(in crate::cases) disorders: Vec<String>,
    /// Messages that a handler was given while another one had one of their queue.
    pub(in crate::cases) overlaps: Vec<String>,
    /// When messages came again though nobody had given them back.
    pub(in crate::cases) again: Vec<u64>,
    /// Those that came again since they were given back.
    pub(in crate::cases) returned: usize,
    /// Handlers that were given a message in the moment in which its lock ran out: one that was
    /// stopped just then.
    pub(in crate::cases) late: usize,
}

/// When a lock was believed in that its broker had forgotten, and when a member was gone.
#[derive(Clone, Debug, Default)]
pub(in crate::cases) struct Ends {
    /// When the broker was killed.
    pub(in crate::cases) broker: Vec<u64>,
    /// When a member was.
    pub(in crate::cases) members: HashMap<usize, u64>,
}

impl Ends {
    /// The first of them after that, for a member.
    fn after(&self, member: usize, at: u64) -> u64 {
        let own = self.members.get(&member).copied();
        let all = self.broker.iter().copied().chain(own);
        all.filter(|end| *end >= at).min().unwrap_or(u64::MAX)
    }
}

/// The handlings of one member, in the order in which they began. Each queue has one at a time: the
/// others are told of.
pub(in crate::cases) fn handlings(member: usize, entries: &[Entry], ends: &Ends) -> Vec<Handling> {
    let mut all: Vec<Handling> = Vec::new();
    let mut open: BTreeMap<u32, usize> = BTreeMap::new();
    for entry in entries {
        let Entry { mark, queue, offset, number, left, at } = *entry;
        let until = at.saturating_add(left.as_nanos() as u64);
        if mark == Mark::Begun {
            let held = until.min(ends.after(member, at));
            let back = false;
            // One that is still open shows as an overlap with itself.
            open.insert(queue, all.len());
            all.push(Handling { member, queue, offset, number, begun: at, held, back });
        } else if let Some(one) = open.remove(&queue).and_then(|at| all.get_mut(at)) {
            let held = if left > Duration::ZERO { at } else { one.held.min(at) };
            one.held = held.min(ends.after(member, one.begun));
            one.back = mark == Mark::Back;
        }
    }
    all
}

/// What the handlings of all members come to; the messages of a key are those whose numbers have
/// the same rest.
pub(in crate::cases) fn judge(mut all: Vec<Handling>, keys: u32) -> Verdict {
    all.sort_unstable_by_key(|one| (one.queue, one.begun));
    let mut verdict = Verdict::default();
    for queue in all.chunk_by(|one, other| one.queue == other.queue) {
        in_order(queue, &mut verdict);
        one_at_a_time(queue, &mut verdict);
    }
    all.sort_unstable_by_key(|one| one.begun);
    by_key(&all, keys, &mut verdict);
    verdict
}

fn in_order(queue: &[Handling], verdict: &mut Verdict) {
    let (mut next, mut back) = (0, BTreeMap::<u64, bool>::new());
    for one in queue {
        let was_back = back.insert(one.offset, one.back);
        if one.offset < next {
            match was_back {
                Some(true) => verdict.returned += 1,
                Some(false) => verdict.again.push(one.begun),
                None => verdict.disorders.push(format!("{one:?} after {}", next - 1)),
            }
            continue;
        }
        if one.offset > next {
            verdict.disorders.push(format!("{one:?} before {next}"));
        }
        next = one.offset + 1;
    }
    let queue = queue.first().map_or(0, |one| one.queue);
    verdict.firsts.insert(queue, back.len() as u64);
}

fn one_at_a_time(queue: &[Handling], verdict: &mut Verdict) {
    let mut held: Vec<&Handling> = Vec::new();
    for one in queue {
        held.retain(|other| other.held > one.begun);
        if one.held <= one.begun {
            verdict.late += 1;
            continue;
        }
        if let Some(other) = held.first() {
            verdict.overlaps.push(format!("{one:?} while {other:?}"));
        }
        held.push(one);
    }
}

fn by_key(all: &[Handling], keys: u32, verdict: &mut Verdict) {
    let mut seen = std::collections::HashSet::new();
    let mut last = HashMap::<u32, u32>::new();
    for one in all.iter().filter(|one| seen.insert(one.number)) {
        let before = last.insert(one.number % keys, one.number);
        if before.is_some_and(|before| before > one.number) {
            verdict.disorders.push(format!("{one:?} of its key after {before:?}"));
        }
    }
    verdict.distinct = seen.len();
}

/// Whose queues stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cases) enum Whose {
    /// Those of all members.
    All,
    /// Those of one that goes on later, if nobody else has them by then.
    Stopped(usize),
    /// Those of one that is gone, whatever it still ended.
    Gone(usize),
}

/// How long it took until each of these queues was handled again after that moment; `all` in the
/// order of their beginnings. Those of which nothing came are left out.
pub(in crate::cases) fn gaps(all: &[Handling], whose: Whose, at: u64) -> BTreeMap<u32, Duration> {
    let (mut owners, mut gaps) = (BTreeMap::new(), BTreeMap::new());
    for one in all {
        let is_of = |member| owners.get(&one.queue) == Some(&member);
        let counts = match whose {
            Whose::All => true,
            Whose::Stopped(member) => is_of(member),
            Whose::Gone(member) => is_of(member) && one.member != member,
        };
        if one.begun < at {
            owners.insert(one.queue, one.member);
        } else if counts {
            gaps.entry(one.queue).or_insert(Duration::from_nanos(one.begun - at));
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A message of queue 0 that a member handles from one second to another.
    fn one(member: usize, offset: u64, (begun, held): (u64, u64)) -> Handling {
        let (begun, held) = (begun * SECOND, held * SECOND);
        Handling { member, queue: 0, offset, number: offset as u32, begun, held, back: false }
    }

    fn entry(mark: Mark, offset: u64, at: u64, left: u64) -> Entry {
        let (at, left) = (at * SECOND, Duration::from_secs(left));
        Entry { mark, queue: 0, offset, number: offset as u32, left, at }
    }

    #[test]
    fn a_queue_in_order_with_a_takeover_is_fine_and_what_comes_again_is_counted() {
        let mut given_back = one(1, 2, (6, 7));
        given_back.back = true;
        let all = [
            one(0, 0, (1, 2)),
            one(0, 1, (2, 3)),
            one(1, 1, (4, 5)),
            given_back,
            one(1, 2, (8, 9)),
            one(1, 3, (9, 10)),
        ];
        let verdict = judge(all.to_vec(), 10);
        assert_eq!((&verdict.disorders[..], &verdict.overlaps[..]), (&[][..], &[][..]));
        assert_eq!((verdict.again.len(), verdict.returned, verdict.distinct), (1, 1, 4));
        assert_eq!(verdict.firsts, [(0, 4)].into());
        let gaps = |whose| gaps(&all, whose, 3 * SECOND);
        let second = BTreeMap::from([(0, Duration::from_secs(1))]);
        assert_eq!((gaps(Whose::Gone(0)), gaps(Whose::All)), (second.clone(), second.clone()));
        assert_eq!((gaps(Whose::Gone(1)), gaps(Whose::Stopped(0))), (BTreeMap::new(), second));
    }

    #[test]
    fn a_message_that_comes_before_its_turn_and_one_behind_it_are_found() {
        let passed = judge(vec![one(0, 0, (1, 2)), one(0, 2, (3, 4)), one(1, 1, (5, 6))], 100);
        assert_eq!(passed.disorders.len(), 2, "{passed:?}");
        let lost = judge(vec![one(0, 0, (1, 2)), one(0, 2, (3, 4))], 100);
        assert_eq!((lost.disorders.len(), lost.firsts[&0]), (1, 2));
        let mut other = one(0, 1, (3, 4));
        other.number = 10;
        let of_20 = Handling { number: 20, ..one(0, 0, (1, 2)) };
        let of_key = |first: Handling| judge(vec![first, other], 10).disorders.len();
        assert_eq!((of_key(one(0, 0, (1, 2))), of_key(of_20)), (0, 1));
    }

    #[test]
    fn two_holders_are_found_and_one_whose_lock_ran_out_is_none() {
        let two = judge(vec![one(0, 0, (1, 9)), one(1, 0, (5, 6))], 10);
        assert_eq!(two.overlaps.len(), 1);
        let within = judge(vec![one(0, 0, (1, 9)), one(0, 1, (5, 6))], 10);
        assert_eq!(within.overlaps.len(), 1, "also in one member");
        let late = judge(vec![one(1, 0, (1, 9)), one(0, 0, (5, 5))], 10);
        assert_eq!((late.overlaps.len(), late.late), (0, 1));
    }

    #[test]
    fn a_handler_holds_its_queue_until_it_ends_or_its_lock_does() {
        let begun = entry(Mark::Begun, 0, 10, 25);
        let held = |end: Option<Entry>, ends: &Ends| {
            let entries: Vec<Entry> = [begun].into_iter().chain(end).collect();
            handlings(0, &entries, ends)[0].held / SECOND
        };
        let none = Ends::default();
        assert_eq!(held(Some(entry(Mark::Done, 0, 11, 24)), &none), 11);
        assert_eq!(held(Some(entry(Mark::Done, 0, 70, 5)), &none), 70, "it was renewed");
        assert_eq!(held(Some(entry(Mark::Back, 0, 70, 0)), &none), 35, "it slept");
        assert_eq!(held(None, &none), 35);
        let killed = Ends { members: [(0, 12 * SECOND)].into(), broker: Vec::new() };
        assert_eq!(held(None, &killed), 12);
        let forgot = Ends { broker: vec![5 * SECOND, 20 * SECOND], ..Ends::default() };
        assert_eq!(held(Some(entry(Mark::Done, 0, 70, 5)), &forgot), 20);
        assert!(handlings(0, &[begun, entry(Mark::Back, 0, 11, 1)], &none)[0].back);
    }
}
