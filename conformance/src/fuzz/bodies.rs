//! Bodies in JSON.

use rocketry_core::body::{ConsumerList, Heartbeat, QUEUES_MAX, RouteBody};
use serde_json::Value;

/// A route: what is read can be written and read again, and claims a bounded number of queues.
pub fn route_body(data: &[u8]) {
    match RouteBody::parse(data) {
        Ok(route) => {
            let queues = route.queues.iter();
            let queues = queues.map(|q| u64::from(q.read_queues) + u64::from(q.write_queues));
            assert!(queues.sum::<u64>() <= QUEUES_MAX);
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
