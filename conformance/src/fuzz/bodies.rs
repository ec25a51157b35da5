//! Bodies in JSON.

use rocketry_core::body::*;
use rocketry_core::offsets::restore;
use serde_json::Value;

/// A route: what is read can be written and read again, and claims a bounded number of queues.
pub fn route_body(data: &[u8]) {
    match RouteBody::parse(data) {
        Ok(route) => {
            let queues = route.queues.iter();
            let queues = queues.map(|q| u64::from(q.read_queues) + u64::from(q.write_queues));
            assert!(queues.sum::<u64>() <= QUEUES_MAX);
            // What was refused is not written again.
            let route = RouteBody { refused: Vec::new(), ..route };
            assert_eq!(RouteBody::parse(&route.to_json()), Ok(route));
        }
        Err(error) => assert!(error.to_string().len() < 4096, "a bounded reason"),
    }
}

/// Heartbeats and lists of consumers, with bare keys and unknown fields: what is read can be
/// written and read again, and a list that is standard JSON is read as `serde_json` reads it.
pub fn tolerant_json(data: &[u8]) {
    match Heartbeat::parse(data) {
        Ok(heartbeat) => {
            let _ = heartbeat.fingerprint_of_content();
            assert_eq!(Heartbeat::parse(&heartbeat.to_json()), Ok(heartbeat));
        }
        Err(error) => assert!(error.to_string().len() < 4096, "a bounded reason"),
    }
    let list = ConsumerList::parse(data);
    if let Ok(list) = &list {
        assert_eq!(ConsumerList::parse(&list.to_json()).as_ref(), Ok(list));
    }
    if let Ok(Value::Object(map)) = serde_json::from_slice(data)
        && let Some(Value::Array(ids)) = map.get("consumerIdList")
        && ids.iter().all(Value::is_string)
        && data.windows(16).filter(|at| at == b"\"consumerIdList\"").count() == 1
    {
        let Ok(list) = list else { panic!("serde_json reads it, we do not: {list:?}") };
        assert!(
            list.client_ids.iter().map(String::as_str).eq(ids.iter().filter_map(Value::as_str))
        );
    }
}

/// Reads one kind of body; what is read can be written and read again.
type Check = fn(&[u8]);

macro_rules! checks {
    ($($body:ident,)*) => {
        [$(|json| match $body::parse(json) {
            Ok(read) => assert_eq!($body::parse(&read.to_json()), Ok(read)),
            Err(error) => assert!(error.to_string().len() < 4096, "a bounded reason"),
        }),*]
    };
}

/// Every body there is, besides those with a target of their own.
const CHECKS: [Check; 22] = checks! {
    AssignmentQuery, Assignments, BatchAckBody, CheckClientBody, ClusterInfo,
    ConsumeDirectlyResult, ConsumeStats, ConsumerConnections, ConsumerStatusBody, GroupConfig,
    GroupConfigList, GroupConfigTable, LockBody, LockedBody, ProducerConnections,
    RequestModeBody, ResetOffsetBody, RunningInfo, TopicConfig, TopicConfigTable, TopicList,
    TopicStats,
};

/// The first byte tells the kind of body, the rest is JSON.
pub fn json_bodies(data: &[u8]) {
    let Some((kind, json)) = data.split_first() else { return };
    CHECKS[usize::from(*kind) % CHECKS.len()](json);
}

/// A file of offsets, whole or torn: what is read can be written and read again, and what is not
/// is told of.
pub fn offset_file(data: &[u8]) {
    let restored = restore(Some(data), None);
    match OffsetFile::parse(data) {
        Ok(file) => {
            let json = file.to_json();
            let again = json.as_deref().map(OffsetFile::parse);
            assert!(again.is_none_or(|again| again.as_ref() == Ok(&file)), "{file:?}");
            assert!(file.offsets.values().all(|offset| *offset >= 0), "{file:?}");
            assert_eq!((restored.offsets, restored.damage), (file.offsets, None));
        }
        Err(error) => {
            assert!(error.to_string().len() < 4096, "a bounded reason");
            assert!(restored.offsets.is_empty() && restored.damage.is_some(), "{restored:?}");
        }
    }
}

/// Every kind of body with the number that [`json_bodies`] knows it by.
pub(super) fn kinds() -> std::ops::Range<u8> {
    0..CHECKS.len() as u8
}
