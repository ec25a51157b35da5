//! What goes behind the fields of every request of a client: its namespace and its signature.

use std::sync::Arc;

use super::code::RequestCode;
use super::header::{FieldSink, WireFields, WriteFields};
use super::{CLIENT_VERSION, json, version};
#[cfg(feature = "acl")]
use crate::auth::Signer;
use crate::config::Config;
use crate::message::Publish;

/// The ext fields of a namespace (`MixAll.RPC_REQUEST_HEADER_NAMESPACE_FIELD` and the one beside
/// it, as `NamespaceRpcHook` adds them).
const NAMESPACED: &str = "nsd";
const NAMESPACE: &str = "ns";

/// What is added to every request; the order is Java's: the namespace, then the signature, which
/// covers it.
#[derive(Debug)]
pub(crate) struct Seal {
    namespace: Option<Arc<str>>,
    #[cfg(feature = "acl")]
    signer: Option<Signer>,
}

impl Seal {
    /// What the settings say; `None` where nothing is to be added.
    pub(crate) fn of(config: &Config) -> Option<Box<Self>> {
        let namespace = config.namespace_v2.as_deref().map(Arc::from);
        #[cfg(feature = "acl")]
        {
            let signer = config.provider().map(Signer::new);
            let any = namespace.is_some() || signer.is_some();
            any.then(|| Box::new(Self { namespace, signer }))
        }
        #[cfg(not(feature = "acl"))]
        namespace.map(|namespace| Box::new(Self { namespace: Some(namespace) }))
    }

    /// The version that a request shows. A search by unique key shows one at which every broker
    /// leaves its mark out of the signature, which is so whatever the broker's version.
    pub(super) const fn version(&self, code: RequestCode) -> i32 {
        #[cfg(feature = "acl")]
        if self.signer.is_some() && code.0 == RequestCode::QUERY_MESSAGE.0 {
            return version::V4_9_3;
        }
        let _ = (code, version::V4_9_3);
        CLIENT_VERSION
    }

    /// Adds what is to be added behind the fields of a send, which may know what of it is signed.
    pub(super) fn close_publish(
        &mut self,
        publish: &Publish,
        aim: (i32, &str),
        to: &mut impl WireFields,
    ) {
        #[cfg(feature = "acl")]
        if let (Some(signer), Some(values)) = (&mut self.signer, publish.values()) {
            let namespace = self.namespace.as_deref();
            write_namespace(namespace, to);
            return signer.sign_publish(values, aim, namespace, publish.body(), to);
        }
        self.close((publish.code(), publish.body()), &Aimed { publish, aim }, to);
    }

    /// Adds what is to be added behind `fields`, which are written.
    pub(super) fn close(
        &mut self,
        request: (RequestCode, &[u8]),
        fields: &impl WriteFields,
        to: &mut impl WireFields,
    ) {
        let namespace = self.namespace.as_deref();
        write_namespace(namespace, to);
        #[cfg(feature = "acl")]
        if let Some(signer) = &mut self.signer {
            let all = |signed: &mut _| {
                fields.write_fields(signed);
                write_namespace(namespace, signed);
            };
            signer.sign(request, all, to);
        }
        #[cfg(not(feature = "acl"))]
        let _ = (request, fields);
    }
}

fn write_namespace(namespace: Option<&str>, to: &mut impl FieldSink) {
    if let Some(namespace) = namespace {
        to.flag(NAMESPACED, true);
        to.text(NAMESPACE, namespace);
    }
}

/// A send of which nobody has kept what is signed: its fields are read once more.
struct Aimed<'a> {
    publish: &'a Publish,
    aim: (i32, &'a str),
}

impl WriteFields for Aimed<'_> {
    fn write_fields<W: FieldSink>(&self, to: &mut W) {
        let fields = [b"{", self.publish.fields(), b"}"].concat();
        let text = std::str::from_utf8(&fields).unwrap_or_default();
        let visited = json::visit_fields(
            (&fields, text),
            0,
            (usize::MAX, &json::Found::UNKNOWN),
            &mut |name, value| {
                to.pair(name, &value);
                Ok(())
            },
        );
        debug_assert!(visited.is_ok(), "{visited:?}");
        to.int("e", i64::from(self.aim.0));
        to.text("n", self.aim.1);
    }
}

#[cfg(feature = "acl")]
#[cfg(test)]
mod tests {
    use super::super::{Kind, Opaque, OutFrame, Outbound, Request};
    use super::*;
    use crate::config::{Credentials, CredentialsProvider};

    #[test]
    fn what_is_to_be_written_is_not_shown() {
        let credentials = Credentials::new("key", "secret").security_token("tttttttt");
        let credentials = Some(CredentialsProvider::fixed(credentials));
        let config = Config { credentials, ..Config::default() };
        let mut outbound = Outbound::of(&config);
        let request = Request::Unknown { code: RequestCode(4711), fields: Vec::new() };
        outbound.push(&OutFrame::request(Opaque::new(Kind::Plain, 1), request)).unwrap();
        let shown = format!("{outbound:?}");
        assert!(!shown.contains("116, 116, 116"), "{shown}");
    }
}
