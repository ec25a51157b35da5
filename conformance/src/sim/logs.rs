//! What brokers have stored, read as it comes: topics, retry topics, dead letters, and messages
//! that wait for their time.

use std::collections::BTreeMap;

use rocketry_core::message::{Record, properties};

use super::world::World;

/// The topic in which messages wait for their time.
const SCHEDULE: &str = "SCHEDULE_TOPIC_XXXX";
const RETRY: &str = "%RETRY%";
const DEAD: &str = "%DLQ%";

/// One message of a broker's log, as far as it matters here.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its unique id.
    pub(super) id: String,
    pub(super) body: String,
    pub(super) tag: Option<String>,
    /// How often it had come.
    pub(super) times: i32,
}

impl Stored {
    fn of(record: &Record<'_>) -> Self {
        Self {
            id: record.unique_id().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(&record.raw_body()).into_owned(),
            tag: record.tags().map(str::to_owned),
            times: record.reconsume_times(),
        }
    }
}

/// A broker, a topic, the number of a queue.
type Place = (usize, String, u32);

/// The messages of all masters, by queue, in the order of their offsets.
#[derive(Debug, Default)]
pub(super) struct Logs {
    queues: BTreeMap<Place, Vec<Stored>>,
    /// What brokers have taken back, by group and unique id: how often it had come at most.
    back: BTreeMap<String, BTreeMap<String, i32>>,
    /// The same for what has come to a retry topic or the dead letters.
    came: BTreeMap<String, BTreeMap<String, i32>>,
}

fn raise(of: &mut BTreeMap<String, BTreeMap<String, i32>>, group: &str, stored: &Stored) {
    let most = of.entry(group.to_owned()).or_default().entry(stored.id.clone()).or_default();
    *most = stored.times.max(*most);
}

impl Logs {
    fn add(&mut self, place: &Place, record: &Record<'_>) {
        let stored = Stored::of(record);
        let waits =
            if place.1 == SCHEDULE { record.property(properties::REAL_TOPIC) } else { None };
        let topic = waits.unwrap_or(&place.1);
        if let Some(group) = topic.strip_prefix(RETRY).or(topic.strip_prefix(DEAD)) {
            raise(&mut self.back, group, &stored);
            if waits.is_none() {
                raise(&mut self.came, group, &stored);
            }
        }
        self.queues.entry(place.clone()).or_default().push(stored);
    }

    fn len(&self, place: &Place) -> u64 {
        self.queues.get(place).map_or(0, |queue| queue.len() as u64)
    }

    /// The message at a place. For queues that lose nothing.
    pub(super) fn at(&self, broker: usize, topic: &str, queue: u32, at: i64) -> Option<&Stored> {
        let queue = self.queues.get(&(broker, topic.to_owned(), queue))?;
        queue.get(usize::try_from(at).ok()?)
    }

    /// All messages of a topic at a broker.
    pub(super) fn of(&self, broker: usize, topic: &str) -> impl Iterator<Item = &Stored> {
        let queues = (broker, topic.to_owned(), 0)..=(broker, topic.to_owned(), u32::MAX);
        self.queues.range(queues).flat_map(|(_, stored)| stored)
    }

    /// Whether a message was sent back by a group, and a broker has it.
    pub(super) fn is_back(&self, group: &str, stored: &Stored) -> bool {
        let back = self.back.get(group).and_then(|back| back.get(&stored.id));
        back.is_some_and(|times| *times > stored.times)
    }

    /// Whether messages that a group sent back wait for their time.
    pub(super) fn is_waiting(&self, group: &str) -> bool {
        let Some(back) = self.back.get(group) else { return false };
        let came = self.came.get(group);
        back.iter().any(|(id, times)| came.and_then(|came| came.get(id)) != Some(times))
    }
}

impl World {
    /// The brokers that are masters, and their names.
    pub(super) fn masters(&self) -> Vec<(usize, String)> {
        let brokers = self.cluster().config().brokers.iter().enumerate();
        brokers.filter(|(_, b)| b.id == 0).map(|(index, b)| (index, b.name.clone())).collect()
    }

    /// Reads what is new: of the topics that there were at first, and of the groups that judge.
    pub(super) fn read_logs(&mut self) {
        let mut topics: Vec<String> =
            self.cluster().config().topics.iter().map(|topic| topic.name.clone()).collect();
        for group in self.fates.groups() {
            topics.extend([format!("{RETRY}{group}"), format!("{DEAD}{group}")]);
        }
        topics.push(SCHEDULE.to_owned());
        for (broker, _) in self.masters() {
            for topic in &topics {
                let (read, write) = self.cluster().queues(broker, topic).unwrap_or_default();
                for queue in 0..read.max(write) {
                    self.read_log((broker, topic.clone(), queue));
                }
            }
        }
    }

    fn read_log(&mut self, place: Place) {
        let (broker, topic, queue) = (place.0, &place.1, place.2 as i32);
        let (known, cluster) = (self.logs.len(&place), self.broker.cluster());
        if cluster.max_offset(broker, topic, queue).is_none_or(|end| end == known) {
            return;
        }
        let new = cluster.messages_from(broker, topic, queue, known);
        new.items().filter_map(|item| item.record()).for_each(|one| self.logs.add(&place, &one));
    }

    /// The dead letters of a group by unique id: their bodies.
    pub fn dead_letters(&mut self, group: &str) -> BTreeMap<String, String> {
        self.read_logs();
        let dead = format!("{DEAD}{group}");
        let masters = self.masters();
        let all = masters.iter().flat_map(|(broker, _)| self.logs.of(*broker, &dead));
        all.map(|stored| (stored.id.clone(), stored.body.clone())).collect()
    }
}
