//! Offsets that an administrator has moved (222): by the group's own clients, whom the broker tells
//! (220, `Broker2Client.resetOffset`), or by the broker itself
//! (`AdminBrokerProcessor.resetOffsetInner`, the default from 5.2 on).

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::body::{QueueTable, ResetOffsetBody};
use rocketry_core::frame::request::ResetOffsetRequest;
use rocketry_core::frame::{Request, ResponseCode, version};

use super::answer::{Answer, Caller, Turn};
use super::node::{MASTER, Node};
use super::queue::Boundary;
use super::relay::{queue_of, too_old};

/// The first version (5.2.0) that keeps a reset itself.
const SERVER_SIDE_RESET: i32 = version::V5_3_0 - 20;

fn refuse(code: ResponseCode, remark: String) -> Answer {
    Answer::error(code, remark)
}

/// The table of a reset as it is told to clients and administrators.
fn body_of(offsets: QueueTable<i64>) -> Bytes {
    Bytes::from(ResetOffsetBody { offsets }.to_json())
}

impl Node {
    /// Answers a reset with the offsets it came to.
    pub(super) fn reset_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        caller: &Caller,
        request: &ResetOffsetRequest,
    ) -> Answer {
        let here = turn.config.server_side_reset.unwrap_or(self.version >= SERVER_SIDE_RESET);
        let table = match here {
            true => self.reset_here(turn, caller, request),
            false => {
                let (group, topic) = (&*request.group, &*request.topic);
                self.reset_at_clients(turn, (group, topic), request.timestamp, request.force)
            }
        };
        table.map_or_else(|refused| refused, |table| Answer::body(body_of(table)))
    }

    /// Works out a group's offsets at a time, -1 being the end of each queue, and has all of its
    /// clients go there. Without `force`, none moves forward. Nothing is stored here: the clients
    /// will.
    pub(super) fn reset_at_clients(
        &self,
        turn: &mut Turn<'_>,
        (group, topic): (&str, &str),
        timestamp: i64,
        force: bool,
    ) -> Result<QueueTable<i64>, Answer> {
        let Some(found) = self.topics.find(topic) else {
            let remark = format!(
                "[reset-offset] reset offset failed, no topic in this broker. topic={topic}"
            );
            return Err(refuse(ResponseCode::TOPIC_NOT_EXIST, remark));
        };
        let mut table = Vec::new();
        for queue in 0..found.write_queues {
            let number = queue as i32;
            let Some(stored) = self.offsets.committed(group, topic, number) else {
                let remark = format!("THe consumer group <{group}> not exist");
                return Err(refuse(ResponseCode::SYSTEM_ERROR, remark));
            };
            let wanted = match timestamp {
                -1 => found.queue(number).map_or(0, |log| log.max() as i64),
                time => self.offset_at(self.version, (topic, number), time, Boundary::Lower),
            };
            let offset = if force { wanted } else { wanted.min(stored) };
            table.push((queue_of(self, topic, queue), offset));
        }
        let table: QueueTable<i64> = table.into_iter().collect();
        let Some(online) = self.groups.online(group) else {
            let remark = format!(
                "Consumer not online, so can not reset offset, Group: {group} Topic: {topic} \
                 Timestamp: {timestamp}"
            );
            return Err(refuse(ResponseCode::CONSUMER_NOT_ONLINE, remark));
        };
        for (&conn, member) in &online.members {
            if !version::takes_offset_resets(member.version) {
                return Err(too_old(member.version));
            }
            let order = Request::ResetOffset(ResetOffsetRequest {
                topic: Arc::from(topic),
                group: Arc::from(group),
                queue_id: -1,
                timestamp,
                ..Default::default()
            });
            turn.out.ask(conn, order, body_of(table.clone()), true);
        }
        Ok(table)
    }

    /// Moves a group's offsets here: the next pull of each queue is told. Any time before 1970 is
    /// the end of each queue.
    fn reset_here(
        &mut self,
        turn: &Turn<'_>,
        caller: &Caller,
        request: &ResetOffsetRequest,
    ) -> Result<QueueTable<i64>, Answer> {
        let (group, topic) = (&*request.group, &*request.topic);
        if self.id != MASTER {
            let remark = "Can not reset offset in slave broker".to_owned();
            return Err(refuse(ResponseCode::SYSTEM_ERROR, remark));
        }
        let Some(found) = self.topics.find(topic) else {
            let remark = format!("Topic {topic} does not exist");
            return Err(refuse(ResponseCode::TOPIC_NOT_EXIST, remark));
        };
        if !self.groups.knows(group) {
            let remark = format!("Group {group} does not exist");
            return Err(refuse(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
        }
        let ends = |queue: i32| {
            let log = found.queue(queue);
            log.map_or((0, 0), |log| (log.min() as i64, log.max() as i64))
        };
        let at_time = |queue: i32| match request.timestamp {
            ..0 => ends(queue).1,
            time => self.offset_at(caller.server, (topic, queue), time, Boundary::Lower),
        };
        let asked = request.offset.filter(|&offset| offset != -1);
        let moved: Vec<(i32, i64)> = match (request.queue_id, asked) {
            (..0, _) => {
                (0..found.read_queues as i32).map(|queue| (queue, at_time(queue))).collect()
            }
            (queue, None) => vec![(queue, at_time(queue))],
            (queue, Some(offset)) => {
                let (min, max) = ends(queue);
                if offset < min || offset > max + 1 {
                    let remark =
                        format!("Target offset {offset} not in consume queue range [{min}-{max}]");
                    return Err(refuse(ResponseCode::SYSTEM_ERROR, remark));
                }
                vec![(queue, offset)]
            }
        };
        if moved.is_empty() {
            return Err(refuse(ResponseCode::SYSTEM_ERROR, "No queues to reset.".to_owned()));
        }
        for &(queue, offset) in &moved {
            self.assign_reset(turn.now, (group, topic, queue), offset);
        }
        let named = moved.iter().map(|&(queue, to)| (queue_of(self, topic, queue as u32), to));
        Ok(named.collect())
    }
}
