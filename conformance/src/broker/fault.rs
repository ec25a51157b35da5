//! Faults on demand and counts of requests, after librdkafka's mock cluster.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};

#[derive(Debug, Default)]
pub(super) struct Faults {
    errors: BTreeMap<i32, VecDeque<ResponseCode>>,
    delays: BTreeMap<i32, Duration>,
    seen: BTreeMap<i32, u64>,
}

impl Faults {
    pub(super) fn push(
        &mut self,
        code: RequestCode,
        errors: impl IntoIterator<Item = ResponseCode>,
    ) {
        self.errors.entry(code.0).or_default().extend(errors);
    }

    pub(super) fn delay(&mut self, code: RequestCode, by: Duration) {
        match by.is_zero() {
            true => self.delays.remove(&code.0),
            false => self.delays.insert(code.0, by),
        };
    }

    pub(super) fn delay_of(&self, code: RequestCode) -> Duration {
        self.delays.get(&code.0).copied().unwrap_or_default()
    }

    pub(super) fn count(&mut self, code: RequestCode) {
        *self.seen.entry(code.0).or_default() += 1;
    }

    pub(super) fn seen(&self, code: RequestCode) -> u64 {
        self.seen.get(&code.0).copied().unwrap_or_default()
    }

    /// The error this request is to be answered with; a pushed SUCCESS lets one request pass.
    pub(super) fn next(&mut self, code: RequestCode) -> Option<ResponseCode> {
        if self.errors.is_empty() {
            return None;
        }
        let queue = self.errors.get_mut(&code.0)?;
        let error = queue.pop_front();
        if queue.is_empty() {
            self.errors.remove(&code.0);
        }
        error.filter(|&error| error != ResponseCode::SUCCESS)
    }
}
