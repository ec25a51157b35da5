//! Answers to pulls that can't be true: messages of another place, offsets beyond all others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rocketry_core::frame::reply::PullReply;
use rocketry_core::frame::{ReplyFields, RequestCode, ResponseCode};
use rocketry_core::message::RecordList;

use super::Gust;
use crate::broker::{Draft, ListenerId};
use crate::sim::world::World;

/// What becomes of the next answers to pulls.
#[derive(Debug, Default)]
struct Plan {
    /// The kinds of damage that wait for an answer they can befall.
    wanted: VecDeque<Gust>,
    /// The first messages of each queue, and the last offset of them.
    first: BTreeMap<(ListenerId, i32), (i64, Bytes)>,
    struck: BTreeMap<Gust, u64>,
}

/// The plan, shared with the one who edits answers.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Damage(Arc<Mutex<Plan>>);

/// How far beyond its queue's end a damaged offset lies.
const BEYOND: i64 = 5_000_000_000;

impl Damage {
    fn plan<T>(&self, act: impl FnOnce(&mut Plan) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Plan {
    fn edit(&mut self, draft: &mut Draft) {
        let (Some(from), ReplyFields::Pull(fields)) = (draft.from, &mut draft.fields) else {
            return;
        };
        let found = draft.code == ResponseCode::SUCCESS;
        let place = found.then(|| place(&draft.body)).flatten();
        if let Some((queue, last)) = place {
            self.first.entry((draft.at, queue)).or_insert_with(|| (last, draft.body.clone()));
        }
        let Some(gust) = self.wanted.front().copied() else { return };
        let done = match gust {
            Gust::Older => place.is_some_and(|(queue, _)| {
                let first = self.first.get(&(draft.at, queue));
                let Some((last, body)) = first.filter(|(last, _)| *last < from) else {
                    return false;
                };
                (draft.body, fields.next_begin_offset) = (body.clone(), last + 1);
                true
            }),
            Gust::Beyond => {
                damage(from, found, fields, &mut draft.code, &mut draft.body);
                true
            }
            _ => true,
        };
        if done {
            self.wanted.pop_front();
            *self.struck.entry(gust).or_default() += 1;
        }
    }
}

/// Lets an answer lead where nothing is, in one of the ways that there are.
fn damage(
    from: i64,
    found: bool,
    fields: &mut PullReply,
    code: &mut ResponseCode,
    body: &mut Bytes,
) {
    let next = if from % 2 == 0 { BEYOND + fields.max_offset } else { i64::MAX };
    fields.next_begin_offset = next;
    let empty = match from % 5 {
        0 => return,
        1 if found => return,
        1 | 2 => ResponseCode::PULL_NOT_FOUND,
        3 => ResponseCode::PULL_RETRY_IMMEDIATELY,
        _ => ResponseCode::PULL_OFFSET_MOVED,
    };
    (*code, *body) = (empty, Bytes::new());
}

/// The queue of some messages, and the last offset of them.
fn place(body: &Bytes) -> Option<(i32, i64)> {
    let records = RecordList::cut(body.clone());
    let last = records.items().filter_map(|item| item.record()).next_back()?;
    Some((last.queue_id(), last.queue_offset()))
}

impl World {
    /// Has answers pass by the plan from now on.
    pub(super) fn begin_damage(&mut self) {
        let damage = self.damage.clone();
        self.with_cluster(|cluster| {
            cluster.edit_answers(move |draft| {
                if draft.request == RequestCode::PULL_MESSAGE {
                    damage.plan(|plan| plan.edit(draft));
                }
            });
        });
    }

    /// Lets one of the next answers be damaged. How many were is known in the calm.
    pub(super) fn plan_damage(&self, gust: Gust) {
        self.damage.plan(|plan| plan.wanted.push_back(gust));
    }

    /// Ends that, and counts what was done.
    pub(super) fn end_damage(&mut self) {
        self.with_cluster(crate::broker::Cluster::edit_no_more);
        let struck = self.damage.plan(|plan| {
            plan.wanted.clear();
            std::mem::take(&mut plan.struck)
        });
        for (gust, count) in struck {
            *self.struck.entry(gust).or_default() += count;
        }
    }
}
