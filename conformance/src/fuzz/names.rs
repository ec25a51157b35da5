//! Short texts: ids of messages, and the names that users and peers give.

use rocketry_core::config::Config;
use rocketry_core::consumer::Filter;
use rocketry_core::message::{OffsetMessageId, UniqueId, java_string_hash};
use rocketry_core::name::{Endpoint, Group, Topic};
use rocketry_core::trace::TraceContext;

/// Ids: those that are read are written as the same.
pub fn ids(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match UniqueId::parse(&text) {
        Ok(id) => assert_eq!(id.as_str(), text),
        Err(error) => assert!(error.to_string().len() < 256),
    }
    match OffsetMessageId::parse(&text) {
        Ok(id) => {
            assert_eq!(id.to_string(), text.to_ascii_uppercase());
            assert_eq!(OffsetMessageId::parse(&id.to_string()), Ok(id));
        }
        Err(error) => assert!(error.to_string().len() < 256),
    }
}

/// Trace records: what is read is written so that it reads as the same.
pub fn trace(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match TraceContext::parse(&text) {
        Ok(contexts) => {
            let mut written = String::new();
            contexts.iter().for_each(|context| context.encode_into(&mut written));
            let again = TraceContext::parse(&written);
            assert_eq!(again.as_ref().map(Vec::len), Ok(contexts.len()), "{written:?}");
            for (context, again) in contexts.iter().zip(again.iter().flatten()) {
                assert_eq!(context.kind, again.kind);
                assert_eq!(context.request_id, again.request_id);
                assert_eq!(context.messages[0].message_id, again.messages[0].message_id);
            }
        }
        Err(error) => assert!(error.to_string().len() < 256),
    }
}

/// Names, addresses, expressions and settings.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(topic) = Topic::new(&text) {
        assert_eq!(topic.as_str(), text);
    }
    if let Ok(group) = Group::new(&text) {
        assert_eq!(group.as_str(), text);
    }
    if let Ok(endpoint) = Endpoint::parse(&text) {
        assert!(!endpoint.host().is_empty());
        assert_eq!(Endpoint::parse(endpoint.as_str()), Ok(endpoint));
    }
    if let Ok(config) = Config::new(&text) {
        assert!(!config.name_servers.is_empty());
    }
    if let Ok(expression) = Filter::parse(&text) {
        assert_eq!(Filter::parse(&expression.text()), Ok(expression));
    }
    assert_eq!(java_string_hash(&text), java_string_hash(&text.clone()));
}
