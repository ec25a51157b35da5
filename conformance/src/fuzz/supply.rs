//! Numbers, bytes and texts taken one after the other from a fuzzer's input.

use std::borrow::Cow;

/// What is left of an input. At its end it gives zeros and empty texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supply<'a> {
    rest: &'a [u8],
}

impl<'a> Supply<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// At most `most` bytes.
    pub(super) fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let taken = self.take(N);
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }

    pub(super) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(super) fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(super) fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    pub(super) fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    /// Bytes under a length of one byte.
    pub(super) fn chunk(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// Bytes under a length of two bytes.
    pub(super) fn long_chunk(&mut self) -> &'a [u8] {
        let length = usize::from(self.short());
        self.take(length)
    }

    /// A text under a length of one byte.
    pub(super) fn text(&mut self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.chunk())
    }
}
