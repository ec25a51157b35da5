//! Notes of the engine as log records, written after the lock is gone: an appender may itself send
//! messages through us.

use crate::engine::Note;

/// Writes one note. Trouble is a warning, the rest is information.
pub(crate) fn log_note(client: &str, note: &Note) {
    let level = if note.is_trouble() { log::Level::Warn } else { log::Level::Info };
    log::log!(target: "rocketry", level, client = client; "{note}");
}
