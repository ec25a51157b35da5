//! Answers as a test wants them: what a broker with damaged numbers says, or one that lies.

use std::fmt;

use bytes::Bytes;
use rocketry_core::frame::{ReplyFields, RequestCode, ResponseCode};

use super::ListenerId;
use super::answer::{Answer, Caller};
use super::cluster::Cluster;

/// An answer that is about to leave; a test changes in it what it wants.
#[derive(Debug)]
pub struct Draft {
    /// Who answers.
    pub at: ListenerId,
    /// What was asked.
    pub request: RequestCode,
    /// From which offset on a pull asks.
    pub from: Option<i64>,
    /// How it ends.
    pub code: ResponseCode,
    /// What it tells.
    pub fields: ReplyFields,
    /// The rest of it.
    pub body: Bytes,
}

/// What a test does to answers.
type Edit = dyn FnMut(&mut Draft) + Send;

/// The test's pen, if it has taken one.
#[derive(Default)]
pub(super) struct Pen(Option<Box<Edit>>);

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pen").field(&self.0.is_some()).finish()
    }
}

impl Pen {
    /// The answer as the test wants it.
    pub(super) fn edited(&mut self, to: &Caller, answer: Answer) -> Answer {
        let Some(edit) = &mut self.0 else { return answer };
        let Answer { code, remark, fields, body } = answer;
        let (at, request, from) = (to.listener, to.code, to.from);
        let mut draft = Draft { at, request, from, code, fields, body };
        edit(&mut draft);
        Answer { code: draft.code, remark, fields: draft.fields, body: draft.body }
    }
}

impl Cluster {
    /// Has every answer from now on shown to `edit` before it leaves, which may change it: a
    /// number beyond its queue, messages of another place. What the broker has stored stays.
    pub fn edit_answers(&mut self, edit: impl FnMut(&mut Draft) + Send + 'static) {
        self.pen = Pen(Some(Box::new(edit)));
    }

    /// Ends that.
    pub fn edit_no_more(&mut self) {
        self.pen = Pen::default();
    }
}
