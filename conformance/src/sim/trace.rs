//! A run as text: every command, event and frame on a line of its own.

use std::fmt;
use std::io::IoSlice;

use rocketry_core::frame::{Content, Frame, Inbound, Limits, OutFrame, Outbound};
use rocketry_core::time::Instant;

/// What happened, one line each. Two runs with one seed have equal traces.
#[derive(Debug, Default)]
pub struct Trace {
    text: String,
    lines: u64,
}

/// Bytes of text kept; the older half goes when there are more.
const KEPT: usize = 8 << 20;

impl Trace {
    pub(super) fn line(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        let micros = now.as_nanos() / 1000;
        // Writing to a String can't fail.
        let _ = fmt::write(
            &mut self.text,
            format_args!("{:>6}.{:06} {what}\n", micros / 1_000_000, micros % 1_000_000),
        );
        self.lines += 1;
        if self.text.len() > KEPT {
            let half = self.text.len() / 2;
            let end = self.text[half..].find('\n').map_or(half, |at| half + at + 1);
            self.text.drain(..end);
        }
    }

    /// The lines, oldest first; of a long run the last few megabytes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines there ever were.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// How many of the kept lines contain `part`.
    pub fn count(&self, part: &str) -> usize {
        self.text.lines().filter(|line| line.contains(part)).count()
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}

/// Reads along with one direction of a connection.
#[derive(Debug)]
pub(super) struct Tap {
    inbound: Inbound,
}

impl Tap {
    pub(super) fn new() -> Self {
        Self { inbound: Inbound::new(Limits::default()) }
    }

    /// The frames that are whole now, each in one line. What is no frame is not shown.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let space = self.inbound.space();
            let count = space.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            space[..count].copy_from_slice(now);
            self.inbound.filled(count);
            bytes = later;
            while let Ok(Some(frame)) = self.inbound.next_frame() {
                lines.push(describe(&frame));
            }
        }
        lines
    }
}

fn describe(frame: &Frame) -> String {
    let (opaque, body) = (frame.opaque.raw(), frame.body.len());
    match &frame.content {
        Content::Request { request: Ok(request), oneway, .. } => {
            format!("{} #{opaque} oneway={oneway} {request:?} body={body}", request.code())
        }
        Content::Request { request: Err(error), code, .. } => format!("{code} #{opaque} {error}"),
        Content::Reply(reply) => {
            let fields = &reply.fields;
            let remark = reply.remark.as_deref().unwrap_or_default();
            format!("answer #{opaque} {} {remark:?} {fields:?} body={body}", reply.code)
        }
    }
}

/// The bytes of one frame, for a test to inject or to compare with.
pub fn bytes_of(frame: &OutFrame) -> Vec<u8> {
    let mut out = Outbound::with_limits(Limits::default());
    let _ = out.push(frame);
    let mut bytes = Vec::new();
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); 4];
        let count = out.slices(&mut slices);
        let taken = slices[..count].iter().map(|slice| slice.len()).sum();
        slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
        out.advance(taken);
    }
    bytes
}
