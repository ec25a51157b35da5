//! The reading half of a connection: bytes in, frames out.

use bytes::{Buf, Bytes, BytesMut};

use super::content::{Content, Frame};
use super::error::FrameError;
use super::foreign::Foreign;
use super::head::{Head, HeaderForm};
use crate::config::Config;

/// What a read buffer usually holds.
const CHUNK: usize = 64 << 10;
/// The least that is handed out to read into.
const SPACE_MIN: usize = 16 << 10;
/// Larger buffers are not kept for later frames.
const KEEP_MAX: usize = 4 * CHUNK;
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
/// until there is none. Memory follows what has arrived, never what a length word promises.
#[derive(Debug)]
pub struct Inbound {
    /// Initialised up to its length; data lies in `start..filled`. Frames without a body only move
    /// `start`; a frame with a body is split off, with all before it.
    buffer: BytesMut,
    start: usize,
    filled: usize,
    /// Bytes of the allocation that `buffer` is the end of.
    allocated: usize,
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
    /// Its body: a slice of the read buffer, which it keeps alive.
    pub body: Bytes,
    /// Bytes on the wire, length words included.
    pub size: usize,
}

impl Inbound {
    /// An empty one; allocates nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            buffer: BytesMut::new(),
            start: 0,
            filled: 0,
            allocated: 0,
            wanted: 0,
            limits,
            failed: None,
        }
    }

    /// Where to read the next bytes to: at least 16 KiB, usually 64 KiB.
    ///
    /// Grows towards a large frame in steps, each at most twice what has arrived and 64 KiB.
    pub fn space(&mut self) -> &mut [u8] {
        self.rewind();
        if self.buffer.len() - self.filled < SPACE_MIN {
            self.make_room();
        }
        &mut self.buffer[self.filled..]
    }

    /// The first `n` bytes of [`space`](Self::space) hold data now. More than it had is clamped.
    pub fn filled(&mut self, n: usize) {
        if self.failed.is_none() {
            self.filled += n.min(self.buffer.len() - self.filled);
        }
    }

    /// Bytes that arrived and are not part of a frame taken.
    pub const fn buffered(&self) -> usize {
        self.filled - self.start
    }

    /// One whole frame, its header decoded in place by `decode`; `None` until more bytes come.
    ///
    /// An empty body costs neither a split nor an allocation. After an error the connection is of
    /// no use: every further call gives the same error, and what arrives is dropped.
    pub fn next<T>(
        &mut self,
        decode: impl FnOnce(&Head<'_>) -> T,
    ) -> Result<Option<Whole<T>>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.try_next(decode).inspect_err(|error| {
            self.buffer = BytesMut::new();
            (self.start, self.filled, self.allocated, self.wanted) = (0, 0, 0, 0);
            self.failed = Some(error.clone());
        })
    }

    /// One whole frame, decoded as a client needs it.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let whole = self.next(|head| (head.opaque, head.version, Content::read(head)))?;
        Ok(whole.map(|Whole { content: (opaque, version, content), body, size }| Frame {
            opaque,
            version,
            content,
            body,
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
        Ok(Some(Whole { content, body: self.take(&shape), size: shape.size }))
    }

    /// Takes the frame at `start` out of the buffer.
    fn take(&mut self, shape: &Shape) -> Bytes {
        let end = self.start + shape.size;
        let body = if shape.body_at == shape.size {
            self.start = end;
            Bytes::new()
        } else {
            let mut taken = self.buffer.split_to(end);
            taken.advance(self.start + shape.body_at);
            self.start = 0;
            self.filled -= end;
            taken.freeze()
        };
        self.rewind();
        body
    }

    /// Without data, the whole buffer is free again; one that grew for a large frame is let go.
    fn rewind(&mut self) {
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
            if self.allocated > KEEP_MAX {
                self.buffer = BytesMut::new();
                self.allocated = 0;
            }
        }
    }

    fn make_room(&mut self) {
        let data = self.buffered();
        let most = 2 * data + CHUNK;
        let target = if self.wanted > data {
            // With a little over, so that the end of the frame is not read in crumbs.
            (self.wanted + SPACE_MIN).clamp(data + SPACE_MIN, most).max(CHUNK)
        } else {
            most
        };
        if self.start > 0 && target <= self.buffer.len() {
            self.buffer.copy_within(self.start..self.filled, 0);
        } else {
            self.renew(data, target);
        }
        (self.start, self.filled) = (0, data);
    }

    /// Puts the data at the beginning of a buffer of `target` bytes: the present allocation when no
    /// body of it is alive, else a new one. This alone fills with zeros: once per buffer.
    fn renew(&mut self, data: usize, target: usize) {
        let mut old = std::mem::take(&mut self.buffer);
        old.truncate(self.filled);
        old.advance(self.start);
        if target <= self.allocated && self.allocated <= KEEP_MAX && old.try_reclaim(target - data)
        {
            old.resize(target, 0);
            self.buffer = old;
        } else {
            self.buffer = BytesMut::zeroed(target);
            self.buffer[..data].copy_from_slice(&old);
            self.allocated = target;
        }
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
