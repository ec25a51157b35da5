//! Reads trace records (`TraceDataEncoder.decoderFromTraceDataString`), also those that clients
//! before 4.4 wrote without an offset id, an outcome, or a time after consuming.

use super::{
    AccessChannel, ConsumeOutcome, FIELD_END, RECORD_END, TraceContext, TraceKind, TraceMessage,
    TraceMessageKind,
};
use crate::time::UnixMillis;

/// Why a text is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A record ends before a field that every record of its kind has.
    #[error("trace record {record} has no field {field}")]
    Missing {
        /// Which record, from 0.
        record: usize,
        /// Which field, from 0: the kind itself is 0.
        field: usize,
    },
    /// A field is not the number it should be.
    #[error("field {field} of trace record {record} is not the number it should be")]
    Number {
        /// Which record, from 0.
        record: usize,
        /// Which field, from 0.
        field: usize,
    },
}

pub(super) fn parse(text: &str) -> Result<Vec<TraceContext>, TraceError> {
    let mut contexts = Vec::new();
    for (record, line) in text.split(RECORD_END).enumerate() {
        let fields: Vec<&str> = line.split(FIELD_END).take(MOST).collect();
        let kind = TraceKind::ALL.into_iter().find(|kind| kind.name() == fields[0]);
        if let Some(kind) = kind {
            contexts.push(Line { record, fields }.read(kind)?);
        }
    }
    Ok(contexts)
}

/// More fields than any kind has.
const MOST: usize = 32;

struct Line<'a> {
    record: usize,
    fields: Vec<&'a str>,
}

impl Line<'_> {
    fn field(&self, field: usize) -> Result<&str, TraceError> {
        let record = self.record;
        self.fields.get(field).copied().ok_or(TraceError::Missing { record, field })
    }

    fn text(&self, field: usize) -> Result<String, TraceError> {
        self.field(field).map(str::to_owned)
    }

    /// Java writes `null` for none.
    fn maybe(&self, field: usize) -> Result<Option<String>, TraceError> {
        let text = self.field(field)?;
        Ok(Some(text.to_owned()).filter(|_| text != "null"))
    }

    fn int<T: std::str::FromStr>(&self, field: usize) -> Result<T, TraceError> {
        let record = self.record;
        self.field(field)?.parse().map_err(|_| TraceError::Number { record, field })
    }

    fn flag(&self, field: usize) -> Result<bool, TraceError> {
        self.field(field).map(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The value whose ordinal this field is.
    fn one_of<T: Copy>(&self, field: usize, all: &[T]) -> Result<T, TraceError> {
        let record = self.record;
        let ordinal: usize = self.int(field)?;
        all.get(ordinal).copied().ok_or(TraceError::Number { record, field })
    }

    fn read(&self, kind: TraceKind) -> Result<TraceContext, TraceError> {
        let mut context = TraceContext::new(kind);
        let mut message = TraceMessage::default();
        if kind == TraceKind::SubAfter {
            self.after(&mut context, &mut message)?;
        } else {
            context.timestamp = UnixMillis(self.int(1)?);
            context.region = self.text(2)?;
            context.group = self.text(3)?;
            match kind {
                TraceKind::SubBefore => self.before(&mut context, &mut message)?,
                TraceKind::Recall => {
                    message.topic = self.text(4)?;
                    message.message_id = self.text(5)?;
                    context.success = self.flag(6)?;
                }
                _ => self.sent_or_ended(&mut context, &mut message)?,
            }
        }
        context.messages.push(message);
        Ok(context)
    }

    fn before(
        &self,
        context: &mut TraceContext,
        message: &mut TraceMessage,
    ) -> Result<(), TraceError> {
        context.request_id = self.text(4)?;
        message.message_id = self.text(5)?;
        message.retry_times = self.int(6)?;
        message.keys = self.maybe(7)?;
        Ok(())
    }

    fn after(
        &self,
        context: &mut TraceContext,
        message: &mut TraceMessage,
    ) -> Result<(), TraceError> {
        context.request_id = self.text(1)?;
        message.message_id = self.text(2)?;
        context.cost_millis = self.int(3)?;
        context.success = self.flag(4)?;
        message.keys = self.maybe(5)?;
        context.channel = AccessChannel::Cloud;
        if self.fields.len() > 6 {
            context.outcome = self.one_of(6, &ConsumeOutcome::ALL)?;
        }
        if self.fields.len() > 8 {
            context.timestamp = UnixMillis(self.int(7)?);
            context.group = self.text(8)?;
            context.channel = AccessChannel::Local;
        }
        Ok(())
    }

    fn sent_or_ended(
        &self,
        context: &mut TraceContext,
        message: &mut TraceMessage,
    ) -> Result<(), TraceError> {
        message.topic = self.text(4)?;
        message.message_id = self.text(5)?;
        message.tags = self.maybe(6)?;
        message.keys = self.maybe(7)?;
        message.store_host = self.text(8)?;
        if context.kind == TraceKind::EndTransaction {
            message.kind = self.one_of(9, &TraceMessageKind::ALL)?;
            message.transaction_id = self.maybe(10)?;
            message.transaction_state = self.maybe(11)?;
            message.from_check = self.flag(12)?;
            return Ok(());
        }
        message.body_length = self.int(9)?;
        context.cost_millis = self.int(10)?;
        message.kind = self.one_of(11, &TraceMessageKind::ALL)?;
        if self.fields.len() > 13 {
            message.offset_message_id = self.maybe(12)?;
            context.success = self.flag(13)?;
        } else {
            context.success = self.flag(12)?;
        }
        Ok(())
    }
}
