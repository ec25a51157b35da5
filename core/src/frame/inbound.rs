//! The reading half of a connection: bytes in, frames out.

use bytes::Bytes;

use super::content::{Content, Frame};
use super::error::FrameError;
use super::foreign::Foreign;
use super::head::{Head, HeaderForm};
use super::recycled::Recycled;
use crate::config::Config;

/// What a read buffer holds at first.
const CHUNK: usize = 64 << 10;
/// What it holds where reads fill it: more frames come with one system call then, and what answers
/// them leaves with one. Pulls of eight queues, of 32 messages of 1 KiB each, are 300 KiB.
const CHUNK_MAX: usize = 512 << 10;
/// After so many reads that would have had room in half of the first size, it is that again.
const CALM: u32 = 64;
/// The least that is handed out to read into.
const SPACE_MIN: usize = 16 << 10;
/// The two words before a header: the frame's length, and the header's form and length.
const WORDS: usize = 8;
/// From here up a length word may be the text of another protocol; below it, it never is.
const FOREIGN_MIN: u32 = 0x1500_0000;

/// How large the parts of a frame may be. A peer that goes past one of them is cut off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a frame, without its length word: 32 MiB, unless [`Config::max_frame`] says
    /// otherwise. Java takes 16 MiB by default.
    pub frame: usize,
    /// Bytes of a header: 2 MiB.
    pub header: usize,
    /// Extension fields of a header: 1,024.
    pub fields: usize,
}

impl Default for Limits {
    /// What is read.
    fn default() -> Self {
        Self { frame: 32 << 20, header: 2 << 20, fields: 1024 }
    }
}

impl Limits {
    /// What is sent: as what is read, but headers of 64 KiB. Brokers answer a batch with the ids of
    /// all its messages in one header; no request of a client is that long.
    pub const SENT: Self = Self { frame: 32 << 20, header: 64 << 10, fields: 1024 };

    /// What is read: [`Config::max_frame`], and in any case what a message of
    /// [`Config::max_body`] takes.
    pub fn of(config: &Config) -> Self {
        Self { frame: config.frame_max(), ..Self::default() }
    }

    /// What is sent, where so much is read.
    #[must_use]
    pub fn sent(&self) -> Self {
        Self { frame: self.frame, ..Self::SENT }
    }
}

/// Cuts the bytes of one connection into frames.
///
/// Read into [`space`](Self::space), tell [`filled`](Self::filled) how much came, and take frames
/// until there is none. Memory follows what has arrived, never what a length word promises; and
/// what is kept of it follows what is kept of its frames, see [`Whole::body`]; beside that, up to
/// 1 MiB of buffers whose bodies are gone wait for the next reads.
#[derive(Debug)]
pub struct Inbound {
    /// Initialised up to its length; data lies in `start..filled`. Taking a frame only moves
    /// `start`, unless the buffer goes with the body.
    buffer: Vec<u8>,
    recycled: Recycled,
    /// What the next buffer is to hold.
    chunk: usize,
    /// Small reads in a row.
    calm: u32,
    /// The last read filled what it was given.
    full: bool,
    start: usize,
    filled: usize,
    /// Size of the frame whose beginning is here, when known.
    wanted: usize,
    limits: Limits,
    failed: Option<FrameError>,
}

/// A whole frame.
#[derive(Debug)]
pub struct Whole<T> {
    /// What was made of its header.
    pub content: T,
    /// Its body. One that fills more than half of the read buffer is a slice of it, and keeps it
    /// alive; a smaller one is a copy. So a body that is kept holds less than twice its length,
    /// whatever came in the same read.
    pub body: Bytes,
    /// Bytes of memory that the body keeps alive.
    pub held: usize,
    /// Bytes on the wire, length words included.
    pub size: usize,
}

impl Inbound {
    /// An empty one; allocates nothing yet.
    pub fn new(limits: Limits) -> Self {
        let (buffer, recycled, failed) = Default::default();
        let (start, filled, wanted) = Default::default();
        Self {
            buffer,
            recycled,
            chunk: CHUNK,
            calm: 0,
            full: false,
            start,
            filled,
            wanted,
            limits,
            failed,
        }
    }

    /// Where to read the next bytes to: at least 16 KiB, usually 64 KiB, and up to 512 KiB where
    /// what is read fills it.
    ///
    /// Grows towards a large frame in steps, each at most twice what has arrived and that.
    pub fn space(&mut self) -> &mut [u8] {
        self.resize();
        self.rewind();
        if self.buffer.len() - self.filled < SPACE_MIN {
            self.make_room();
        }
        &mut self.buffer[self.filled..]
    }

    /// The first `n` bytes of [`space`](Self::space) hold data now. More than it had is clamped.
    pub fn filled(&mut self, n: usize) {
        if self.failed.is_some() {
            return;
        }
        let space = self.buffer.len() - self.filled;
        self.filled += n.min(space);
        self.full = n >= space;
        self.calm = if n > CHUNK / 2 { 0 } else { (self.calm + 1).min(CALM) };
    }

    /// Sizes the next buffer by how the last reads filled theirs. A large frame fills what it is
    /// given, too, and has room made for it anyhow.
    fn resize(&mut self) {
        if std::mem::take(&mut self.full) && self.wanted <= CHUNK_MAX {
            self.chunk = (2 * self.chunk).min(CHUNK_MAX);
        } else if self.calm == CALM {
            self.chunk = CHUNK;
        }
    }

    /// Bytes that arrived and are not part of a frame taken.
    pub const fn buffered(&self) -> usize {
        self.filled - self.start
    }

    /// One whole frame, its header decoded in place by `decode`; `None` until more bytes come.
    ///
    /// An empty body costs no allocation. After an error the connection is of
    /// no use: every further call gives the same error, and what arrives is dropped.
    pub fn next<T>(
        &mut self,
        decode: impl FnOnce(&Head<'_>) -> T,
    ) -> Result<Option<Whole<T>>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.try_next(decode).inspect_err(|error| {
            self.buffer = Vec::new();
            (self.start, self.filled, self.wanted) = (0, 0, 0);
            self.failed = Some(error.clone());
        })
    }

    /// One whole frame, decoded as a client needs it.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let whole = self.next(|head| (head.opaque, head.version, Content::read(head)))?;
        Ok(whole.map(|Whole { content: (opaque, version, content), body, held, size }| Frame {
            opaque,
            version,
            content,
            body,
            held,
            size,
        }))
    }

    fn try_next<T>(
        &mut self,
        decode: impl FnOnce(&Head<'_>) -> T,
    ) -> Result<Option<Whole<T>>, FrameError> {
        let data = &self.buffer[self.start..self.filled];
        let Some(shape) = Shape::read(data, &self.limits)? else { return Ok(None) };
        let Some(frame) = data.get(..shape.size) else {
            self.wanted = shape.size;
            return Ok(None);
        };
        self.wanted = 0;
        let head = Head::read(shape.form, &frame[WORDS..shape.body_at], self.limits.fields)?;
        let content = decode(&head);
        let (body, held) = self.take(&shape);
        Ok(Some(Whole { content, body, held, size: shape.size }))
    }

    /// Takes the frame at `start` out of the buffer: its body, and how much memory that holds.
    fn take(&mut self, shape: &Shape) -> (Bytes, usize) {
        let (from, end) = (self.start + shape.body_at, self.start + shape.size);
        let length = end - from;
        let taken = if 2 * length > self.buffer.len() {
            let rest = self.filled - end;
            let mut fresh = Vec::new();
            if rest > 0 {
                fresh = self.recycled.buffer((rest + SPACE_MIN).max(self.chunk));
                fresh[..rest].copy_from_slice(&self.buffer[end..self.filled]);
            }
            let full = std::mem::replace(&mut self.buffer, fresh);
            (self.start, self.filled) = (0, rest);
            let held = full.len();
            (self.recycled.lend(full).slice(from..end), held)
        } else {
            // A read buffer is as large as what came with this body: a kept one must not hold it.
            self.start = end;
            self.recycled.copy(&self.buffer[from..end])
        };
        self.rewind();
        taken
    }

    /// Without data, the whole buffer is free again; one that grew for a large frame is let go.
    fn rewind(&mut self) {
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
            if self.buffer.len() > 2 * self.chunk {
                self.buffer = Vec::new();
            }
        }
    }

    fn make_room(&mut self) {
        let data = self.buffered();
        let most = 2 * data + self.chunk;
        let target = if self.wanted > data {
            // With a little over, so that the end of the frame is not read in crumbs.
            (self.wanted + SPACE_MIN).clamp(data + SPACE_MIN, most).max(self.chunk)
        } else {
            most
        };
        if self.buffer.len() <= CHUNK_MAX && target > self.buffer.len() {
            let mut fresh = self.recycled.buffer(target);
            fresh[..data].copy_from_slice(&self.buffer[self.start..self.filled]);
            self.buffer = fresh;
        } else {
            self.buffer.copy_within(self.start..self.filled, 0);
            // Where it stands, if the allocator can: two copies of a large frame are never held.
            self.buffer.reserve_exact(target.saturating_sub(self.buffer.len()));
            self.buffer.resize(target.max(self.buffer.len()), 0);
        }
        (self.start, self.filled) = (0, data);
    }
}

/// What the two words of a frame say.
struct Shape {
    form: HeaderForm,
    body_at: usize,
    size: usize,
}

impl Shape {
    /// Judges each word as soon as it is there: a bad length is not waited for.
    fn read(data: &[u8], limits: &Limits) -> Result<Option<Self>, FrameError> {
        let Some(word) = data.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*word);
        if length as u32 >= FOREIGN_MIN
            && let Some(foreign) = Foreign::recognise(data)
        {
            return Err(FrameError::Foreign(foreign));
        }
        let (Ok(room), Ok(length)) =
            (usize::try_from(length.wrapping_sub(4)), usize::try_from(length))
        else {
            return Err(FrameError::TooSmall { length });
        };
        if length > limits.frame {
            return Err(FrameError::TooLarge { length, limit: limits.frame });
        }
        let Some(&[form, high, middle, low]) = data[4..].first_chunk::<4>() else {
            return Ok(None);
        };
        let header = u32::from_be_bytes([0, high, middle, low]) as usize;
        if header == 0
            && let Some(foreign) = Foreign::recognise_settings(data)
        {
            return Err(FrameError::Foreign(foreign));
        }
        let Some(form) = HeaderForm::from_byte(form) else {
            return Err(FrameError::SerializeType { found: form });
        };
        if header > limits.header {
            return Err(FrameError::HeaderTooLarge { length: header, limit: limits.header });
        }
        if header > room {
            return Err(FrameError::HeaderPastFrame { header, room });
        }
        Ok(Some(Self { form, body_at: WORDS + header, size: 4 + length }))
    }
}
