//! What was sent and what came back, message by message.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Set once a broker has said that it stored the message; the other bits count its deliveries.
const SENT: u32 = 1 << 31;

/// Each message's fate. Shared by threads and tasks.
#[derive(Debug)]
pub(crate) struct Tally {
    messages: Vec<AtomicU32>,
    sent: AtomicUsize,
    consumed: AtomicUsize,
    duplicates: AtomicUsize,
}

impl Tally {
    pub(crate) fn new(count: usize) -> Self {
        let messages = (0..count).map(|_| AtomicU32::new(0)).collect();
        let (sent, consumed, duplicates) = Default::default();
        Self { messages, sent, consumed, duplicates }
    }

    /// A broker has said that it stored the message.
    pub(crate) fn note_sent(&self, index: usize) {
        if self.messages[index].fetch_or(SENT, Ordering::Relaxed) & SENT == 0 {
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The message was delivered. One that was never made counts as a duplicate: it is too many.
    pub(crate) fn note_received(&self, index: usize) {
        let before = self.messages.get(index).map(|one| one.fetch_add(1, Ordering::Relaxed));
        let is_first = before.is_some_and(|before| before & !SENT == 0);
        let counter = if is_first { &self.consumed } else { &self.duplicates };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages that a broker stored.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages that came, duplicates left out.
    pub(crate) fn consumed(&self) -> usize {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Deliveries beyond the first of each message.
    fn duplicates(&self) -> usize {
        self.duplicates.load(Ordering::Relaxed)
    }

    /// Whether as many messages came as were sent.
    pub(crate) fn is_complete(&self) -> bool {
        self.consumed() >= self.sent()
    }

    /// Messages that a broker stored and nobody got.
    pub(crate) fn lost(&self) -> usize {
        self.messages.iter().filter(|one| one.load(Ordering::Relaxed) == SENT).count()
    }

    /// Whether each message came exactly once.
    pub(crate) fn is_exact(&self) -> bool {
        self.lost() == 0 && self.duplicates() == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, consumed) = (self.sent(), self.consumed());
        let (lost, duplicates) = (self.lost(), self.duplicates());
        write!(f, "sent {sent}, consumed {consumed}, lost {lost}, duplicates {duplicates}")
    }
}
