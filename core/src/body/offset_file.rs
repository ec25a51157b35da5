//! The file that Java's client keeps offsets in (`OffsetSerializeWrapper`, `offsets.json`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::{BODY_MAX, BodyError, parse, push_json};
use super::queue::QueueTable;
use crate::name::{QueueName, Topic};

/// The offsets of one group on one client, as `LocalFileOffsetStore` writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFile {
    /// The first offset of each queue that is not done with.
    pub offsets: BTreeMap<QueueName, i64>,
}

#[derive(Deserialize)]
struct Table {
    #[serde(rename = "offsetTable")]
    offsets: QueueTable<i64>,
}

impl OffsetFile {
    /// Reads a file: at most 16 MiB. Queues that no client could read from, and offsets below 0,
    /// are left out.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        let table: Table = parse("file of offsets", json)?;
        let named = |topic: &str, broker: &str, queue: i32| {
            let (topic, queue) = (Topic::new(topic).ok()?, u32::try_from(queue).ok()?);
            Some(QueueName { topic, broker: broker.into(), queue })
        };
        let entries = table.offsets.iter().filter(|(_, offset)| **offset >= 0);
        let entries = entries.filter_map(|(queue, offset)| {
            Some((named(&queue.topic, &queue.broker_name, queue.queue_id)?, *offset))
        });
        Ok(Self { offsets: entries.collect() })
    }

    /// The file as fastjson writes it when it is to be pretty: queues as keys, and tabs. `None`
    /// where it would be larger than what is read.
    pub fn to_json(&self) -> Option<Vec<u8>> {
        let mut out = b"{\n\t\"offsetTable\":{".to_vec();
        for (number, (queue, offset)) in self.offsets.iter().enumerate() {
            out.extend_from_slice(if number > 0 { b",{" } else { b"{" });
            member(&mut out, "\n\t\t\t\"brokerName\":", &*queue.broker);
            member(&mut out, ",\n\t\t\t\"queueId\":", &queue.queue);
            member(&mut out, ",\n\t\t\t\"topic\":", queue.topic.as_str());
            member(&mut out, "\n\t\t}:", offset);
            if out.len() > BODY_MAX {
                return None;
            }
        }
        let end: &[u8] = if self.offsets.is_empty() { b"}\n}" } else { b"\n\t}\n}" };
        out.extend_from_slice(end);
        Some(out)
    }
}

fn member<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    out.extend_from_slice(name.as_bytes());
    push_json(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(topic: &str, broker: &str, queue: u32) -> QueueName {
        QueueName { topic: Topic::new(topic).unwrap(), broker: broker.into(), queue }
    }

    #[test]
    fn bcast_05_a_file_is_what_java_writes() {
        let file = OffsetFile { offsets: [(queue("T", "b-0", 3), 7)].into() };
        let java = "{\n\t\"offsetTable\":{{\n\t\t\t\"brokerName\":\"b-0\",\n\t\t\t\"queueId\":3,\n\
                    \t\
                    \t\t\"topic\":\"T\"\n\t\t}:7\n\t}\n}";
        assert_eq!(file.to_json().unwrap(), java.as_bytes());
        assert_eq!(OffsetFile::parse(java.as_bytes()), Ok(file));
        let none = OffsetFile::default();
        assert_eq!(none.to_json().unwrap(), b"{\n\t\"offsetTable\":{}\n}");
    }

    #[test]
    fn what_is_written_reads_back_and_what_no_queue_is_called_is_left_out() {
        let offsets = (0..300).map(|at| (queue("T", "b \"1\"\u{1}", at), i64::from(at) << 40));
        let file = OffsetFile { offsets: offsets.collect() };
        assert_eq!(OffsetFile::parse(&file.to_json().unwrap()), Ok(file));
        let odd = br#"{"offsetTable":{{"brokerName":"b","queueId":-1,"topic":"T"}:7,
            {"brokerName":"b","queueId":1,"topic":"T T"}:7,
            {"brokerName":"b","queueId":2,"topic":"T"}:-7,
            {"brokerName":"b","queueId":3,"topic":"T"}:9}}"#;
        assert_eq!(OffsetFile::parse(odd).unwrap().offsets, [(queue("T", "b", 3), 9)].into());
    }

    #[test]
    fn bcast_06_no_cut_of_a_file_reads_as_another_one() {
        let offsets = (0..3).map(|at| (queue("T", "b", at), 1000 + i64::from(at))).collect();
        let whole = OffsetFile { offsets }.to_json().unwrap();
        for length in 0..whole.len() {
            assert!(OffsetFile::parse(&whole[..length]).is_err(), "{length} bytes of it are read");
        }
        for text in ["null", "{}", "[]", "7", "\0\0\0\0", r#"{"offsetTable":7}"#] {
            assert!(OffsetFile::parse(text.as_bytes()).is_err(), "{text:?} is read");
        }
    }
}
