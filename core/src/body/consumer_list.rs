//! The clients of a consumer group (`GetConsumerListByGroupResponseBody`).

use serde::{Deserialize, Serialize};

use super::error::{BodyError, parse, to_json};
use super::text::or_default;

/// The body of a reply to `GET_CONSUMER_LIST_BY_GROUP` (38).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerList {
    /// The client ids, in the broker's order: sort them before queues are shared out.
    #[serde(rename = "consumerIdList", default, deserialize_with = "or_default")]
    pub client_ids: Vec<String>,
}

impl ConsumerList {
    /// Reads the body: at most 16 MiB.
    pub fn parse(json: &[u8]) -> Result<Self, BodyError> {
        parse("consumer list", json)
    }

    /// The body as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_as_it_was_written() {
        let list = ConsumerList { client_ids: vec!["10.0.0.1@1#2".into(), "b".into()] };
        let json = list.to_json();
        assert_eq!(json, br#"{"consumerIdList":["10.0.0.1@1#2","b"]}"#);
        assert_eq!(ConsumerList::parse(&json), Ok(list));
    }

    #[test]
    fn an_empty_list_may_be_null_or_missing() {
        for json in ["{}", r#"{"consumerIdList":null}"#, r#"{"consumerIdList":[],"later":{0:1}}"#] {
            assert_eq!(ConsumerList::parse(json.as_bytes()), Ok(ConsumerList::default()), "{json}");
        }
        assert!(ConsumerList::parse(b"").is_err());
    }
}
