//! Faults on demand and counts of requests, after librdkafka's mock cluster.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};

use super::ListenerId;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing out of the ordinary: it passes.
    Pass,
    /// It is not done, and answered with this code. A send is done all the same when the code
    /// means so: 10, 11 and 12.
    Refuse(ResponseCode),
    /// It is not done and not answered, as if it had got lost.
    Lose,
    /// It is done and not answered.
    Mute,
    /// It is done, and answered so much later than otherwise.
    Late(Duration),
    /// It is done and answered twice, the second time so much after the first.
    Twice(Duration),
    /// It is done and answered; then the connection closes.
    AnswerAndClose,
    /// It is done; then the connection closes without an answer.
    Close,
    /// It is not done; the connection closes.
    LoseAndClose,
}

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requests {
    /// All of them.
    Any,
    /// Messages to store, under any of their codes: 10, 310 and 320.
    Sends,
    /// Those of one code.
    Of(RequestCode),
}

impl From<RequestCode> for Requests {
    fn from(code: RequestCode) -> Self {
        Self::Of(code)
    }
}

impl Requests {
    fn contain(self, code: RequestCode) -> bool {
        match self {
            Self::Any => true,
            Self::Sends => is_send(code),
            Self::Of(one) => one == code,
        }
    }
}

/// Whether requests of this code bring messages to store.
pub(super) const fn is_send(code: RequestCode) -> bool {
    matches!(
        code,
        RequestCode::SEND_MESSAGE | RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE
    )
}

/// Whether this code means that a send was stored.
pub(super) const fn is_stored(code: ResponseCode) -> bool {
    matches!(
        code,
        ResponseCode::FLUSH_DISK_TIMEOUT
            | ResponseCode::SLAVE_NOT_AVAILABLE
            | ResponseCode::FLUSH_SLAVE_TIMEOUT
    )
}

/// What Java's brokers say with a code, where they say the same each time.
pub(super) const fn words(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::SYSTEM_BUSY => "[REJECTREQUEST]system busy, start flow control for a while",
        ResponseCode::GO_AWAY => "please go away",
        ResponseCode::SERVICE_NOT_AVAILABLE => {
            "service not available now. It may be caused by one of the following reasons: the \
             broker's disk is full [CL:  0.99 CQ:  0.99 INDEX:  0.99], messages are put to the \
             slave, message store has been shut down, etc."
        }
        // As brokers say it of topics that nobody may write to: a key is denied in other words.
        ResponseCode::NO_PERMISSION => "asked for by the test: it is forbidden",
        _ => "asked for by the test",
    }
}

/// Faults that wait for the requests they are for.
#[derive(Debug)]
struct Rule {
    /// Only what comes to this one.
    at: Option<ListenerId>,
    requests: Requests,
    faults: VecDeque<Fault>,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
    delays: Vec<(Requests, Duration)>,
    seen: BTreeMap<(i32, ListenerId), u64>,
}

impl Faults {
    pub(super) fn push(
        &mut self,
        at: Option<ListenerId>,
        requests: Requests,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        let same = |rule: &&mut Rule| rule.at == at && rule.requests == requests;
        match self.rules.iter_mut().find(same) {
            Some(rule) => rule.faults.extend(faults),
            None => {
                let faults = faults.into_iter().collect();
                self.rules.push(Rule { at, requests, faults });
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.delays.clear();
    }

    /// Faults that still wait for a request.
    pub(super) fn waiting(&self) -> usize {
        self.rules.iter().map(|rule| rule.faults.len()).sum()
    }

    pub(super) fn delay(&mut self, requests: Requests, by: Duration) {
        self.delays.retain(|(known, _)| *known != requests);
        if !by.is_zero() {
            self.delays.push((requests, by));
        }
    }

    pub(super) fn delay_of(&self, code: RequestCode) -> Duration {
        let mine = self.delays.iter().filter(|(requests, _)| requests.contain(code));
        mine.map(|(_, by)| *by).max().unwrap_or_default()
    }

    pub(super) fn count(&mut self, at: ListenerId, code: RequestCode) {
        *self.seen.entry((code.0, at)).or_default() += 1;
    }

    pub(super) fn seen(&self, code: RequestCode) -> u64 {
        self.seen.iter().filter(|((seen, _), _)| *seen == code.0).map(|(_, count)| count).sum()
    }

    pub(super) fn seen_at(&self, at: ListenerId, code: RequestCode) -> u64 {
        self.seen.get(&(code.0, at)).copied().unwrap_or_default()
    }

    pub(super) fn all_seen(&self) -> impl Iterator<Item = (ListenerId, RequestCode, u64)> {
        self.seen.iter().map(|(&(code, at), &count)| (at, RequestCode(code), count))
    }

    /// The fault that is next for a request of this code; the rule made first goes first.
    pub(super) fn next(&mut self, at: ListenerId, code: RequestCode) -> Fault {
        if self.rules.is_empty() {
            return Fault::Pass;
        }
        let here = |rule: &Rule| rule.at.is_none_or(|one| one == at) && rule.requests.contain(code);
        let rule = self.rules.iter_mut().find(|rule| here(rule));
        let fault = rule.and_then(|rule| rule.faults.pop_front());
        self.rules.retain(|rule| !rule.faults.is_empty());
        fault.unwrap_or(Fault::Pass)
    }
}
