//! Signing what is encoded.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::signed::Signed;
use super::{SIGNATURE, UNIQUE_KEY_QUERY, base64};
use crate::config::{Credentials, CredentialsProvider};
use crate::contain::contained;
use crate::frame::RequestCode;
use crate::frame::header::WireFields;
use crate::message::Values;

/// Signs the requests of one connection, one after the other, by what its provider says.
///
/// The beginning of a signature, which depends on the secret alone, is computed once for each.
pub(crate) struct Signer {
    provider: CredentialsProvider,
    keyed: Option<Keyed>,
    /// Whether the provider has panicked, and that was told.
    told: bool,
    /// Reused from one request to the next, as is `content`.
    signed: Signed,
    content: Vec<u8>,
}

struct Keyed {
    credentials: Arc<Credentials>,
    mac: Hmac<Sha1>,
}

impl Keyed {
    /// Adds key and token.
    fn name(&self, to: &mut impl WireFields) {
        self.credentials.fields().for_each(|(name, value)| to.text(name, value));
    }

    /// Adds the signature.
    fn sign(&self, content: &[u8], body: &[u8], to: &mut impl WireFields) {
        let mut mac = self.mac.clone();
        mac.update(content);
        mac.update(body);
        let signature = base64::encode(&mac.finalize().into_bytes().into());
        to.text(SIGNATURE, std::str::from_utf8(&signature).unwrap_or_default());
    }
}

impl Signer {
    pub(crate) fn new(provider: CredentialsProvider) -> Self {
        let (signed, content) = (Signed::default(), Vec::new());
        Self { provider, keyed: None, told: false, signed, content }
    }

    /// Adds key, token and signature behind the fields that are written: what is signed is those,
    /// which `fields` writes once more, and the body.
    pub(crate) fn sign<T: WireFields>(
        &mut self,
        (code, body): (RequestCode, &[u8]),
        fields: impl FnOnce(&mut Signed),
        to: &mut T,
    ) {
        self.renew();
        let Some(keyed) = &self.keyed else { return };
        keyed.name(to);
        self.signed.begin(keyed.credentials.fields(), T::LONGEST_NAME);
        fields(&mut self.signed);
        let mark = (code == RequestCode::QUERY_MESSAGE).then_some(UNIQUE_KEY_QUERY);
        keyed.sign(self.signed.content(mark), body, to);
    }

    /// The same of a send that knows what of it is signed. Queue and broker stand in the order of
    /// the names where they have to; those of a key, and of a namespace, are before and behind all
    /// others.
    pub(crate) fn sign_publish(
        &mut self,
        values: &Values,
        (queue, broker): (i32, &str),
        namespace: Option<&str>,
        body: &[u8],
        to: &mut impl WireFields,
    ) {
        self.renew();
        let Some(keyed) = &self.keyed else { return };
        keyed.name(to);
        let (before, behind) = values.parts();
        let mut number = itoa::Buffer::new();
        let token = keyed.credentials.token().unwrap_or_default();
        let namespace = namespace.map_or(["", ""], |namespace| [namespace, "true"]);
        let content = &mut self.content;
        content.clear();
        content.extend_from_slice(keyed.credentials.access_key().as_bytes());
        content.extend_from_slice(token.as_bytes());
        content.extend_from_slice(before);
        content.extend_from_slice(number.format(queue).as_bytes());
        content.extend_from_slice(behind);
        content.extend_from_slice(broker.as_bytes());
        namespace.iter().for_each(|value| content.extend_from_slice(value.as_bytes()));
        keyed.sign(content, body, to);
    }

    /// Takes the credentials of now, if they are others than before.
    fn renew(&mut self) {
        let Some(credentials) = self.provider.current() else {
            if !std::mem::replace(&mut self.told, true) {
                contained(|| {
                    log::error!(
                        "the credentials provider panicked: the last key goes on being used"
                    );
                });
            }
            return;
        };
        self.told = false;
        let known = self.keyed.as_ref().map(|keyed| &keyed.credentials);
        if known.is_some_and(|known| Arc::ptr_eq(known, &credentials) || *known == credentials) {
            return;
        }
        self.keyed = credentials.mac().map(|mac| Keyed { credentials, mac });
    }
}

/// Shows neither keys nor what was signed last.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}
