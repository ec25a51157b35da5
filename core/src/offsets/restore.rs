//! What a file of offsets and its backup come to, whole or not: one answer for all who read such.

use super::StoredOffsets;
use crate::body::OffsetFile;

/// The file, in the folder of its group, which is in that of its client (`LocalFileOffsetStore`).
pub const FILE: &str = "offsets.json";
/// The one before.
pub const BACKUP: &str = "offsets.json.bak";

/// Reads what is in [`FILE`] and in [`BACKUP`], as far as they are there: the file where it is
/// whole, or else its backup. Where neither is, the group begins as if it were new, and the
/// [`damage`](StoredOffsets::damage) says so.
pub fn restore(file: Option<&[u8]>, backup: Option<&[u8]>) -> StoredOffsets {
    let read = |json: &[u8]| match json {
        [] => Err("it is empty".to_owned()),
        json => OffsetFile::parse(json).map_err(|error| error.to_string()),
    };
    let (file, backup) = (file.map(read), backup.map(read));
    let why = match (file, &backup) {
        (Some(Ok(file)), _) => return file.offsets.into(),
        (None, None) => return StoredOffsets::default(),
        (Some(Err(why)), _) => why,
        (None, Some(_)) => "it is not there".to_owned(),
    };
    match backup {
        Some(Ok(backup)) => StoredOffsets::from(backup.offsets)
            .damaged(format!("{FILE} is not read: {why}; its backup is, which may be older")),
        Some(Err(also)) => StoredOffsets::default().damaged(format!(
            "neither {FILE} is read nor its backup: {why}; {also}; the group begins as if new"
        )),
        None => StoredOffsets::default().damaged(format!(
            "{FILE} is not read: {why}; it has no backup, and the group begins as if new"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{QueueName, Topic};

    fn file(offset: i64) -> OffsetFile {
        let topic = Topic::new("t").unwrap();
        let queue = QueueName { topic, broker: "b".into(), queue: 0 };
        OffsetFile { offsets: [(queue, offset)].into() }
    }

    #[test]
    fn bcast_06_a_damaged_file_gives_its_backup_or_else_nothing_and_says_so() {
        let json = |offset| file(offset).to_json().unwrap();
        let (new, old) = (json(7), json(5));
        let got = |file: Option<&[u8]>, backup: Option<&[u8]>| {
            let restored = restore(file, backup);
            (restored.offsets.into_values().next(), restored.damage.is_some())
        };
        assert_eq!(got(None, None), (None, false));
        assert_eq!(got(Some(&new), Some(&old)), (Some(7), false));
        assert_eq!(got(Some(&new), None), (Some(7), false));
        assert_eq!(got(Some(&new), Some(b"{")), (Some(7), false));
        for cut in 0..new.len() {
            assert_eq!(got(Some(&new[..cut]), Some(&old)), (Some(5), true), "cut at {cut}");
            assert_eq!(got(Some(&new[..cut]), Some(b"")), (None, true), "cut at {cut}");
        }
        assert_eq!(got(Some(b"\0\0\0"), None), (None, true));
        assert_eq!(got(None, Some(&old)), (Some(5), true));
        assert_eq!(got(None, Some(b"no JSON")), (None, true));
    }
}
