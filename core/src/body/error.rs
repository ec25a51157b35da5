//! Why a JSON body was refused, and the one way in for all of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bare_keys::quote_bare_keys;

/// Largest JSON body that is read: 16 MiB, the largest frame a Java peer takes.
pub const BODY_MAX: usize = 16 << 20;

/// Why a JSON body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes than any such body has.
    #[error("a {what} of {length} bytes is not read: the limit is {limit}")]
    TooLarge {
        /// What kind of body, as "route".
        what: &'static str,
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not JSON, nested too deeply, or not of the right shape.
    #[error("the {what} can't be read: {reason}")]
    Invalid {
        /// What kind of body.
        what: &'static str,
        /// What is wrong, and where.
        reason: Box<str>,
    },
    /// A route that claims more queues than a client could ever serve.
    #[error("the route has {found} queues, the limit is {limit}")]
    TooManyQueues {
        /// Read and write queues of all brokers.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
}

/// Longest reason kept: names in it come from the peer.
const REASON_MAX: usize = 256;

/// Reads JSON, also with integers as bare keys. The depth is bounded (128) by `serde_json`.
pub(super) fn parse<T: DeserializeOwned>(what: &'static str, json: &[u8]) -> Result<T, BodyError> {
    if json.len() > BODY_MAX {
        return Err(BodyError::TooLarge { what, length: json.len(), limit: BODY_MAX });
    }
    let plain = match serde_json::from_slice(json) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let error = match quote_bare_keys(json) {
        None => plain,
        Some(quoted) => match serde_json::from_slice(&quoted) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        },
    };
    let reason: String = error.to_string().chars().take(REASON_MAX).collect();
    Err(BodyError::Invalid { what, reason: reason.into() })
}

/// Writes JSON. Our own structs hold nothing that JSON could not, so this can't fail.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
