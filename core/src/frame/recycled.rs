//! Read buffers used again: a new one would be zeroed, 64 KiB for each pull.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of buffers that one connection keeps for its next reads.
const KEEP: usize = 1 << 20;
/// Less than this is copied as it is.
const SMALL: usize = 4 << 10;

/// The buffers of one connection that nobody uses now. All of their bytes are initialised.
#[derive(Clone, Debug, Default)]
pub(super) struct Recycled(Arc<Mutex<VecDeque<Vec<u8>>>>);

/// A buffer whose bodies are being looked at; the last of them gives it back.
struct Lent {
    buffer: Vec<u8>,
    to: Recycled,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.to.keep(std::mem::take(&mut self.buffer));
    }
}

impl Recycled {
    /// A buffer of at least so many bytes, and less than twice as many: whatever stands in it.
    pub(super) fn buffer(&self, least: usize) -> Vec<u8> {
        self.kept(least, 2 * least).unwrap_or_else(|| vec![0; least])
    }

    /// One that is kept, of at least so many bytes, and less than `most`: the last that came back,
    /// which the processor may know best.
    fn kept(&self, least: usize, most: usize) -> Option<Vec<u8>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Vec<u8>| (least..most).contains(&buffer.len());
        kept.iter().rposition(fits).and_then(|place| kept.remove(place))
    }

    /// A copy, and how much memory it holds. A small one is not worth a buffer.
    pub(super) fn copy(&self, bytes: &[u8]) -> (Bytes, usize) {
        let length = bytes.len();
        if length < SMALL {
            return (Bytes::copy_from_slice(bytes), length);
        }
        // Rounded, so that others of about this length can use it next.
        let least = length.next_multiple_of(SMALL);
        let buffer = match self.kept(least, 2 * length) {
            Some(mut buffer) => {
                buffer[..length].copy_from_slice(bytes);
                buffer
            }
            // Written once, and not zeroed before.
            None => {
                let mut fresh = Vec::with_capacity(least);
                fresh.extend_from_slice(bytes);
                fresh.resize(least, 0);
                fresh
            }
        };
        let held = buffer.len();
        (self.lend(buffer).slice(..length), held)
    }

    /// A buffer as bytes, which come back here when the last slice of them is dropped.
    pub(super) fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, to: self.clone() })
    }

    /// Keeps a buffer for later, instead of those that came back first where they are too many:
    /// what comes now may be of another size than what nobody asks for any more.
    fn keep(&self, buffer: Vec<u8>) {
        if buffer.len() > KEEP {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = buffer.len() + kept.iter().map(Vec::len).sum::<usize>();
        while bytes > KEEP
            && let Some(first) = kept.pop_front()
        {
            bytes -= first.len();
        }
        kept.push_back(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_a_size_that_nobody_asks_for_any_more_make_room_for_others() {
        let recycled = Recycled::default();
        let lent: Vec<Bytes> = (0..KEEP / SMALL).map(|_| recycled.lend(vec![0; SMALL])).collect();
        drop(lent);
        drop(recycled.lend(vec![7; KEEP / 2]));
        assert_eq!(recycled.buffer(KEEP / 2)[0], 7, "it is used again");
        drop(recycled.lend(vec![0; KEEP + 1]));
        let kept = recycled.0.lock().unwrap().iter().map(Vec::len).sum::<usize>();
        assert_eq!(kept, KEEP / 2, "the rest of the small ones");
    }

    #[test]
    fn a_copy_holds_less_than_twice_its_length_whatever_is_kept() {
        let recycled = Recycled::default();
        for length in [SMALL, SMALL + 1, 3 * SMALL, 4 * SMALL - 1, 5 * SMALL] {
            drop(recycled.lend(vec![7; 4 * SMALL - 1]));
            let (copy, held) = recycled.copy(&vec![1; length]);
            assert!(copy.iter().all(|byte| *byte == 1) && copy.len() == length);
            assert!((length..2 * length).contains(&held), "{length}: {held} held");
        }
    }
}
