//! The fields that any request may carry.

use std::borrow::Cow;
use std::sync::Arc;

use crate::frame::error::HeaderError;
use crate::frame::head::Fields;
use crate::frame::header::{FieldSink, FieldValue, Header};

/// What any request may carry besides its own fields (`RpcRequestHeader`, and `lo` of
/// `TopicRequestHeader`). The broker's name, `bname`, is a field of each request.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Common {
    /// The namespace that topics and groups lie in. `ns` on the wire.
    pub namespace: Option<Arc<str>>,
    /// Whether topics and groups already have the namespace before them. `nsd` on the wire.
    pub namespaced: Option<bool>,
    /// Whether no answer is wanted; the flag of the frame is what counts. `oway` on the wire.
    pub oneway: Option<bool>,
    /// Whether queues are those of a static topic, numbered over all brokers. `lo` on the wire.
    pub logical: Option<bool>,
}

impl Common {
    /// Takes a field, if it is one of these.
    pub(in crate::frame) fn take(
        &mut self,
        key: &str,
        value: Cow<'_, str>,
    ) -> Result<(), HeaderError> {
        match key {
            "ns" => self.namespace = FieldValue::read("ns", value)?,
            "nsd" => self.namespaced = FieldValue::read("nsd", value)?,
            "oway" => self.oneway = FieldValue::read("oway", value)?,
            "lo" => self.logical = FieldValue::read("lo", value)?,
            _ => {}
        }
        Ok(())
    }
}

impl Header for Common {
    const NAMES: &'static [&'static str] = &["ns", "nsd", "oway", "lo"];

    fn write<W: FieldSink>(&self, to: &mut W) {
        self.namespace.write("ns", to);
        self.namespaced.write("nsd", to);
        self.oneway.write("oway", to);
        self.logical.write("lo", to);
    }

    fn read(fields: &Fields<'_>) -> Result<Self, HeaderError> {
        let mut common = Self::default();
        fields.visit(&mut |key, value| common.take(key, value))?;
        Ok(common)
    }
}
