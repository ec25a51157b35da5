//! Notes of the engine as log records, written after the lock is gone: an appender may itself send
//! messages through us. What its calls would log is left out while its thread is writing a record
//! of whichever client: we never call an appender within our own call of it. Within a record of the
//! application's own we may: we can't know of it.
//!
//! Each record has the target `rocketry`, the note's text, `client`, and the note's facts as
//! key-values; the table of names and levels is at [`Note`]. No record holds a message or a part of
//! one.

use log::kv::Value;
use log::{Level, Record};

use crate::engine::{Fact, Note};

const TARGET: &str = "rocketry";

enum Kept {
    Text(String),
    Number(i64),
}

/// Writes one note.
pub(crate) fn log_note(client: &str, note: &Note) {
    let level = if note.is_trouble() { Level::Warn } else { Level::Info };
    if !log::log_enabled!(target: TARGET, level) {
        return;
    }
    let mut facts = vec![("client", Kept::Text(client.to_owned()))];
    note.facts(&mut |name, fact| {
        facts.push(match fact {
            Fact::Text(_) => (name, Kept::Text(fact.to_string())),
            Fact::Number(number) => (name, Kept::Number(number)),
        });
    });
    let facts: Vec<(&str, Value<'_>)> = facts
        .iter()
        .map(|(name, kept)| match kept {
            Kept::Text(text) => (*name, Value::from(text.as_str())),
            Kept::Number(number) => (*name, Value::from(*number)),
        })
        .collect();
    let mut record = Record::builder();
    record.target(TARGET).level(level).module_path_static(Some(module_path!()));
    log::logger().log(&record.key_values(&&facts[..]).args(format_args!("{note}")).build());
}
