//! Messages that wait for their time, by delay level: `HookUtils.handleScheduleMessage` and
//! `ScheduleMessageService`, but to the millisecond instead of by a scan each 100 ms.

use std::collections::VecDeque;

use bytes::Bytes;
use rocketry_core::frame::version;
use rocketry_core::message::{OffsetMessageId, RecordList, properties, sys_flag};
use rocketry_core::time::Instant;

use super::answer::{Answer, Turn};
use super::node::Node;
use super::store::{Editable, Incoming};
use super::topic::{READ, SCHEDULE, WRITE};

/// Queues of the topic in which messages wait, unless there are more levels
/// (`TopicConfigManager.SCHEDULE_TOPIC_QUEUE_NUM`).
const QUEUES: usize = 18;
/// Of several kinds of delay a message asks for, the level counts (`checkIfTimerMessage`).
const TIMERS: [&str; 3] =
    [properties::TIMER_DELIVER_MS, properties::TIMER_DELAY_SEC, properties::TIMER_DELAY_MS];

/// When the messages of each level are due.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// By level, the times and offsets of what waits in that level's queue, the oldest first.
    levels: Vec<VecDeque<(Instant, u64)>>,
}

impl Delays {
    fn push(&mut self, place: usize, due: Instant, offset: u64) {
        if self.levels.len() <= place {
            self.levels.resize_with(place + 1, VecDeque::new);
        }
        if let Some(level) = self.levels.get_mut(place) {
            level.push_back((due, offset));
        }
    }

    /// When the next message is due, and its level's place.
    fn next(&self) -> Option<(Instant, usize)> {
        let fronts = self.levels.iter().enumerate();
        fronts.filter_map(|(place, level)| Some((level.front()?.0, place))).min()
    }

    /// Takes out a message that is due: its level's place and its offset.
    fn take(&mut self, now: Instant) -> Option<(usize, u64)> {
        let (_, place) = self.next().filter(|&(due, _)| due <= now)?;
        let (_, offset) = self.levels.get_mut(place)?.pop_front()?;
        Some((place, offset))
    }
}

impl Node {
    /// Stores a message: in its queue, or first where it waits for its time. Returns its id, and
    /// its offset where it lies now.
    pub(super) fn put(
        &mut self,
        turn: &Turn<'_>,
        message: &Incoming<'_>,
    ) -> Result<(OffsetMessageId, i64), Answer> {
        let levels = &turn.config.delay_levels;
        let level = usize::try_from(message.delay).unwrap_or(0).min(levels.len());
        let half =
            !matches!(message.sys_flag & sys_flag::TRANSACTION, 0 | sys_flag::TRANSACTION_COMMIT);
        let Some(place) = level.checked_sub(1).filter(|_| !half) else {
            return self.append(turn, message);
        };
        let wait = levels.get(place).copied().unwrap_or_default();
        let mut properties = Editable::read(message.properties);
        properties.set(properties::DELAY, level.to_string());
        properties.set(properties::REAL_TOPIC, message.topic);
        properties.set(properties::REAL_QUEUE, message.queue.to_string());
        if version::pops(self.version) {
            TIMERS.iter().for_each(|name| properties.remove(name));
        }
        self.topics.ensure(SCHEDULE, QUEUES.max(levels.len()) as u32, READ | WRITE);
        let (queue, wire) = (place as i32, properties.wire());
        let waiting = Incoming { topic: SCHEDULE, queue, properties: wire.as_bytes(), ..*message };
        let (id, offset) = self.append(turn, &waiting)?;
        self.delays.push(place, turn.now + wait, offset as u64);
        Ok((id, offset))
    }

    /// When the next message comes into its queue. A broker that is down does it when it is back;
    /// with a slave nothing waits, it follows what its master does.
    pub(super) fn next_delivery(&self) -> Option<Instant> {
        self.delays.next().filter(|_| !self.down).map(|(due, _)| due)
    }

    /// Puts what is due into its queue, and wakes the pulls that waited for it.
    pub(super) fn deliver(&mut self, turn: &mut Turn<'_>) {
        while self.next_delivery().is_some_and(|due| due <= turn.now) {
            let Some((place, offset)) = self.delays.take(turn.now) else { return };
            let log = self.topics.find(SCHEDULE).and_then(|topic| topic.queue(place as i32));
            if let Some(record) = log.and_then(|log| log.record_at(offset)) {
                let record = Bytes::copy_from_slice(record);
                self.come(turn, record);
            }
        }
    }

    /// A message's time has come. It keeps all properties that it waited with, the level among them
    /// (`messageTimeUp` clears that one too late). One whose topic is gone is gone as well.
    fn come(&mut self, turn: &mut Turn<'_>, record: Bytes) {
        let list = RecordList::cut(record);
        let Some(record) = list.record(0) else { return };
        let kept = record.properties();
        let queue = kept.get(properties::REAL_QUEUE).and_then(|queue| queue.parse().ok());
        let (Some(topic), Some(queue)) = (kept.get(properties::REAL_TOPIC), queue) else { return };
        let body = record.raw_body();
        let message = Incoming::again(&record, &body, kept.as_bytes(), (topic, queue));
        if self.append(turn, &message).is_ok() {
            self.wake(turn, topic, queue, message.tag);
        }
    }
}
