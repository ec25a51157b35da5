//! A run as text: every command, event and frame on a line of its own.

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{IoSlice, Write};
use std::path::Path;
use std::sync::OnceLock;

use rocketry_core::frame::{Content, Frame, Inbound, Limits, OutFrame, Outbound};
use rocketry_core::time::Instant;

/// What happened, one line each. Two runs with one seed have equal traces.
#[derive(Debug, Default)]
pub struct Trace {
    text: String,
    lines: u64,
    /// Of every line there ever was, and of their digits and marks alone.
    digests: [Fnv; 2],
}

/// FNV-1a of 64 bits: no secret depends on it, and it is the same everywhere.
#[derive(Clone, Copy, Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: impl Iterator<Item = u8>) {
        self.0 =
            bytes.fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    }
}

thread_local! {
    /// Worlds of this test that were dropped.
    static WORLDS: Cell<u32> = const { Cell::new(0) };
}

/// The file that records are kept in.
fn records() -> Option<&'static OsString> {
    static FILE: OnceLock<Option<OsString>> = OnceLock::new();
    FILE.get_or_init(|| std::env::var_os("TRACES")).as_ref()
}

/// Bytes of text kept; the older half goes when there are more.
const KEPT: usize = 8 << 20;

impl Trace {
    pub(super) fn line(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        let (micros, start) = (now.as_nanos() / 1000, self.text.len());
        // Writing to a String can't fail.
        let _ = fmt::write(
            &mut self.text,
            format_args!("{:>6}.{:06} {what}\n", micros / 1_000_000, micros % 1_000_000),
        );
        self.lines += 1;
        if records().is_some() {
            let line = self.text.as_bytes()[start..].iter().copied();
            self.digests[0].add(line.clone());
            let is_name = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
            self.digests[1].add(line.filter(|byte| !is_name(byte)));
        }
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

    /// Adds one line to the file that `TRACES` names, if it names one: the test, which of its
    /// worlds this is, the lines of its trace, and a digest of them, with and without names. With
    /// `TRACE_DIR` the text goes there too, as far as it is kept. Two runs of a suite with one
    /// engine give the same lines, sorted.
    pub(super) fn keep(&self) {
        let Some(file) = records() else { return };
        let world = WORLDS.with(|count| count.replace(count.get() + 1));
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("main").replace("::", ".");
        let [whole, nameless] = self.digests.map(|digest| digest.0);
        let line = format!("{test} {world} {} {whole:016x} {nameless:016x}\n", self.lines);
        let written = OpenOptions::new().create(true).append(true).open(file);
        // Worse than no record is a test that fails for want of one.
        let _ = written.and_then(|mut file| file.write_all(line.as_bytes()));
        if let Some(folder) = std::env::var_os("TRACE_DIR") {
            let _ = std::fs::write(Path::new(&folder).join(format!("{test}.{world}")), &self.text);
        }
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
