//! What became of the messages of groups whose consumers judge each by itself, and whether the
//! offsets that brokers have of these groups pass any that is not settled.

use std::collections::{BTreeMap, BTreeSet};

use rocketry_core::query::QueueName;

use super::world::World;

/// What a message says of itself, in the first word of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is handled.
    Good,
    /// It can't be handled the first two times: it is sent back, dropped, or tried here again.
    Flaky,
    /// It is rejected.
    Dead,
    /// It is sent back time and again.
    Hopeless,
    /// It is damaged on its way to consumers.
    Unreadable,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Good, Self::Flaky, Self::Dead, Self::Hopeless, Self::Unreadable];

    /// The first word of such a message.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Flaky => "flaky",
            Self::Dead => "dead",
            Self::Hopeless => "hopeless",
            Self::Unreadable => "unreadable",
        }
    }

    /// What a message says. Any other is a good one.
    pub fn of(body: &str) -> Self {
        let said = |kind: &Self| body.starts_with(kind.word());
        Self::ALL.into_iter().find(said).unwrap_or(Self::Good)
    }

    /// Whether it ends as a dead letter.
    pub const fn ends_dead(self) -> bool {
        matches!(self, Self::Dead | Self::Hopeless)
    }
}

/// Which messages of a topic a group reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// Only those with this tag.
    pub tag: Option<&'a str>,
}

/// A queue: its topic, its broker's name, its number.
type Queue = (String, String, u32);

/// A queue by its names.
pub(super) fn place_of(queue: &QueueName) -> Queue {
    (queue.topic.to_string(), queue.broker.to_string(), queue.queue)
}

/// What became of the messages of one queue in one group.
#[derive(Debug, Default)]
struct Place {
    /// Handled.
    done: BTreeSet<i64>,
    /// Handled or to be sent back, by one whose queue it was.
    judged: BTreeSet<i64>,
    /// The stored offset has been looked at up to this one.
    checked: i64,
    /// It was reset to its first message, and that is not stored yet.
    reset: bool,
    /// All before these was handled when its last owner gave it up, and judged when the last one
    /// did that had finished.
    given_up: (i64, i64),
}

impl Place {
    /// The first offset, from `start` on, that does not fulfil it.
    fn up_to(start: i64, fulfils: impl Fn(i64) -> bool) -> i64 {
        (start..).find(|offset| !fulfils(*offset)).unwrap_or(start)
    }

    /// Its owner gives it up, who may have waited for what it had sent back.
    fn give_up(&mut self, waited: bool) {
        let handled = |at: i64| self.done.contains(&at) && self.judged.contains(&at);
        let judged = |at: i64| self.judged.contains(&at);
        let (first, second) = self.given_up;
        let start = |known: i64| known.max(self.checked);
        self.given_up.0 = Self::up_to(start(first), handled);
        if waited {
            self.given_up.1 = Self::up_to(start(second), judged);
        }
    }
}

/// Messages that were handed out again from the same place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// After they had been judged.
    pub judged: usize,
    /// After they, and all before them, had been handled by one who then gave the queue up: it was
    /// read before that was stored.
    pub handled: usize,
    /// The same with messages that were to be sent back, by one who finished and waited for that.
    pub sent_back: usize,
}

/// The messages of one group.
#[derive(Debug, Default)]
struct Fate {
    queues: BTreeMap<Queue, Place>,
    /// How often each was handed out, by unique id or place.
    handed: BTreeMap<String, u32>,
    /// Those that a reset passed.
    excused: BTreeSet<String>,
    repeated: Repeated,
}

/// The messages of every group.
#[derive(Debug, Default)]
pub(super) struct Fates(BTreeMap<String, Fate>);

impl Fates {
    fn of(&mut self, group: &str) -> &mut Fate {
        if !self.0.contains_key(group) {
            self.0.insert(group.to_owned(), Fate::default());
        }
        self.0.entry(group.to_owned()).or_default()
    }

    /// The groups that there are.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn place(&mut self, group: &str, queue: Queue) -> &mut Place {
        self.of(group).queues.entry(queue).or_default()
    }

    /// A message is handed out. How often it was before.
    pub(super) fn hand(
        &mut self,
        group: &str,
        queue: Queue,
        offset: Option<i64>,
        id: Option<&str>,
    ) -> u32 {
        let name = match id {
            Some(id) => id.to_owned(),
            None => format!("{queue:?} {offset:?}"),
        };
        let fate = self.of(group);
        if let Some(offset) = offset {
            let place = fate.queues.entry(queue).or_default();
            fate.repeated.judged += usize::from(place.judged.contains(&offset));
            fate.repeated.handled += usize::from(offset < place.given_up.0);
            fate.repeated.sent_back += usize::from(offset < place.given_up.1);
        }
        let times = fate.handed.entry(name).or_default();
        *times += 1;
        *times - 1
    }

    /// A consumer is done with a message, or wants it sent back; the queue is still its own, or was
    /// given up meanwhile, so that the message comes to another one as well.
    pub(super) fn judge(
        &mut self,
        group: &str,
        queue: Queue,
        offset: Option<i64>,
        (done, held): (bool, bool),
    ) {
        let Some(offset) = offset else { return };
        let place = self.place(group, queue);
        if held {
            place.judged.insert(offset);
        }
        if done {
            place.done.insert(offset);
        }
    }

    /// A member gives a queue up, who may have waited for what it had sent back.
    pub(super) fn give_up(&mut self, group: &str, queue: Queue, waited: bool) {
        if self.0.contains_key(group) {
            self.place(group, queue).give_up(waited);
        }
    }

    /// A group begins anew in a topic: nothing counts that was done before.
    pub(super) fn begin_anew(&mut self, group: &str, topic: &str) {
        let queues = self.of(group).queues.iter_mut();
        for (_, place) in queues.filter(|((of, ..), _)| of == topic) {
            *place = Place { reset: true, ..Place::default() };
        }
    }
}

impl World {
    /// The messages that a group was handed again.
    pub fn repeated(&self, group: &str) -> Repeated {
        self.fates.0.get(group).map_or_else(Repeated::default, |fate| fate.repeated)
    }

    /// The queues of a group in a topic whose reset to the first message is not stored yet.
    pub fn resets_left(&self, group: &str, topic: &str) -> usize {
        let Some(fate) = self.fates.0.get(group) else { return 0 };
        fate.queues.iter().filter(|((of, ..), place)| of == topic && place.reset).count()
    }

    /// Has a group begin anew in a topic, as an administrator's reset to its first message does:
    /// what was done before counts no more. False if nobody could be told.
    pub fn reset_to_first(&mut self, group: &str, topic: &str) -> bool {
        self.fates.begin_anew(group, topic);
        self.forget_order(group);
        let mut all = true;
        for (broker, _) in self.masters() {
            let told = self.with_cluster(|c| c.reset_offset(broker, (group, topic), 0, true));
            all &= told.is_ok();
        }
        all
    }

    /// Has a group go on at the ends of a topic's queues: what is there now is passed.
    pub fn reset_to_last(&mut self, group: &str, topic: &str) {
        for (broker, _) in self.masters() {
            self.read_logs();
            let passed: Vec<String> =
                self.logs.of(broker, topic).map(|stored| stored.id.clone()).collect();
            self.fates.of(group).excused.extend(passed);
            // Nobody is there to be told: then nothing moves.
            let _ = self.with_cluster(|c| c.reset_offset(broker, (group, topic), -1, true));
        }
    }

    /// Whether a reset had a group pass this message.
    pub fn is_excused(&self, group: &str, id: &str) -> bool {
        self.fates.0.get(group).is_some_and(|fate| fate.excused.contains(id))
    }

    /// Panics if the offsets that brokers have of a group pass a message that is neither handled
    /// nor, as far as the brokers' logs show, sent back: none is lost.
    pub fn assert_kept(&mut self, reads: Reads<'_>) {
        let Reads { group, topic, tag } = reads;
        for (broker, name) in self.masters() {
            let (read, _) = self.cluster().queues(broker, topic).unwrap_or_default();
            let mut holes = Vec::new();
            for queue in 0..read {
                let stored = self.cluster().committed(broker, group, topic, queue as i32);
                let Some(stored) = stored else { continue };
                let place = self.fates.place(group, (topic.to_owned(), name.clone(), queue));
                if place.reset && stored > 0 {
                    continue;
                }
                place.reset = false;
                let open = (place.checked..stored).filter(|offset| !place.done.contains(offset));
                holes.extend(open.map(|offset| (queue, offset)));
                place.checked = place.checked.max(stored);
            }
            if !holes.is_empty() {
                self.read_logs();
            }
            for (queue, offset) in holes {
                let Some(stored) = self.logs.at(broker, topic, queue, offset) else {
                    panic!("{group} is at {offset} of {topic} at {name}, queue {queue}: no message")
                };
                let filtered = tag.is_some_and(|tag| stored.tag.as_deref() != Some(tag));
                assert!(
                    filtered
                        || self.logs.is_back(group, stored)
                        || self.is_excused(group, &stored.id),
                    "{group} has passed {offset} of {topic} at {name}, queue {queue}: {}, which is \
                     neither handled nor sent back",
                    stored.id
                );
            }
        }
    }
}
