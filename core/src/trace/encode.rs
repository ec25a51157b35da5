//! Writes trace records (`TraceDataEncoder.encoderFromContextBean`).

use super::{AccessChannel, FIELD_END, RECORD_END, TraceContext, TraceKind, TraceMessage};

pub(super) fn encode(context: &TraceContext, out: &mut String) {
    let each = matches!(context.kind, TraceKind::SubBefore | TraceKind::SubAfter);
    let count = if each { context.messages.len() } else { 1 };
    for message in context.messages.iter().take(count) {
        let mut line = Line { out, first: true };
        match context.kind {
            TraceKind::Pub => sent(&mut line, context, message),
            TraceKind::SubBefore => before(&mut line, context, message),
            TraceKind::SubAfter => after(&mut line, context, message),
            TraceKind::EndTransaction => ended(&mut line, context, message),
            TraceKind::Recall => recalled(&mut line, context, message),
        }
        out.push(RECORD_END);
    }
}

/// One record: fields with separators between them.
struct Line<'a> {
    out: &'a mut String,
    first: bool,
}

impl Line<'_> {
    fn text(&mut self, text: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(FIELD_END);
        }
        if text.contains([FIELD_END, RECORD_END]) {
            self.out.push_str(&text.replace([FIELD_END, RECORD_END], " "));
        } else {
            self.out.push_str(text);
        }
    }

    /// Java appends `null` for what is none.
    fn maybe(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or("null"));
    }

    fn int(&mut self, number: impl itoa::Integer) {
        self.text(itoa::Buffer::new().format(number));
    }

    fn flag(&mut self, flag: bool) {
        self.text(if flag { "true" } else { "false" });
    }

    /// What all kinds but [`TraceKind::SubAfter`] begin with.
    fn head(&mut self, context: &TraceContext) {
        self.text(context.kind.name());
        self.int(context.timestamp.0);
        self.text(&context.region);
        self.text(&context.group);
    }

    fn message(&mut self, message: &TraceMessage) {
        self.text(&message.topic);
        self.text(&message.message_id);
        self.maybe(message.tags.as_deref());
        self.maybe(message.keys.as_deref());
        self.text(&message.store_host);
    }
}

fn sent(line: &mut Line<'_>, context: &TraceContext, message: &TraceMessage) {
    line.head(context);
    line.message(message);
    line.int(message.body_length);
    line.int(context.cost_millis);
    line.int(message.kind as u8);
    line.maybe(message.offset_message_id.as_deref());
    line.flag(context.success);
}

fn before(line: &mut Line<'_>, context: &TraceContext, message: &TraceMessage) {
    line.head(context);
    line.text(&context.request_id);
    line.text(&message.message_id);
    line.int(message.retry_times);
    line.maybe(message.keys.as_deref());
}

fn after(line: &mut Line<'_>, context: &TraceContext, message: &TraceMessage) {
    line.text(context.kind.name());
    line.text(&context.request_id);
    line.text(&message.message_id);
    line.int(context.cost_millis);
    line.flag(context.success);
    line.maybe(message.keys.as_deref());
    line.int(context.outcome as u8);
    if context.channel == AccessChannel::Local {
        line.int(context.timestamp.0);
        line.text(&context.group);
    }
}

fn ended(line: &mut Line<'_>, context: &TraceContext, message: &TraceMessage) {
    line.head(context);
    line.message(message);
    line.int(message.kind as u8);
    line.maybe(message.transaction_id.as_deref());
    line.maybe(message.transaction_state.as_deref());
    line.flag(message.from_check);
}

fn recalled(line: &mut Line<'_>, context: &TraceContext, message: &TraceMessage) {
    line.head(context);
    line.text(&message.topic);
    line.text(&message.message_id);
    line.flag(context.success);
}
