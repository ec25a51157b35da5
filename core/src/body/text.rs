//! Shared text in JSON, and fields that are missing or null.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serializer};

/// Reads text into an `Arc<str>`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(from).map(Arc::from)
}

/// Writes an `Arc<str>`.
pub(super) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

/// Reads null as the default, which is what a missing field becomes too.
pub(super) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}
