//! Signing what has just been encoded.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::members::{self, Member};
use super::{ACCESS_KEY, SECURITY_TOKEN, SIGNATURE, UNIQUE_KEY_QUERY, base64};
use crate::config::{Credentials, CredentialsProvider};
use crate::contain::contained;
use crate::frame::RequestCode;
use crate::frame::header::WrittenFields;
use crate::message::Values;

/// Signs the requests of one connection, one after the other, by what its provider says.
///
/// The beginning of a signature, which depends on the secret alone, is computed once for each.
pub(crate) struct Signer {
    provider: CredentialsProvider,
    keyed: Option<Keyed>,
    /// Whether the provider has panicked, and that was told.
    told: bool,
    /// Reused from one request to the next.
    members: Vec<Member>,
    content: Vec<u8>,
}

struct Keyed {
    credentials: Arc<Credentials>,
    mac: Hmac<Sha1>,
}

impl Keyed {
    /// Adds key and token.
    fn name(&self, to: &mut impl WrittenFields) {
        to.text(ACCESS_KEY, self.credentials.access_key());
        if let Some(token) = self.credentials.token() {
            to.text(SECURITY_TOKEN, token);
        }
    }

    /// Adds the signature.
    fn sign(&self, content: &[u8], body: &[u8], to: &mut impl WrittenFields) {
        let mut mac = self.mac.clone();
        mac.update(content);
        mac.update(body);
        let signature = base64::encode(&mac.finalize().into_bytes().into());
        to.text(SIGNATURE, std::str::from_utf8(&signature).unwrap_or_default());
    }
}

impl Signer {
    pub(crate) const fn new(provider: CredentialsProvider) -> Self {
        Self { provider, keyed: None, told: false, members: Vec::new(), content: Vec::new() }
    }

    /// Adds key, token and signature behind the fields that are written: what is signed is all
    /// there is by then, and the body.
    pub(crate) fn sign(&mut self, code: RequestCode, body: &[u8], to: &mut impl WrittenFields) {
        self.renew();
        let Some(keyed) = &self.keyed else { return };
        keyed.name(to);
        let (form, text) = to.written();
        members::find(form, text, &mut self.members);
        members::sort(&mut self.members, text);
        self.content.clear();
        for (at, member) in self.members.iter().enumerate() {
            let name = member.name(text);
            // Of two of one name a server knows the last.
            let next = self.members.get(at + 1);
            let hidden = next.is_some_and(|next| next.has_name_of(member, text));
            let mark = code == RequestCode::QUERY_MESSAGE && name == UNIQUE_KEY_QUERY.as_bytes();
            if !hidden && !mark && name != SIGNATURE.as_bytes() {
                member.put_value(text, &mut self.content);
            }
        }
        keyed.sign(&self.content, body, to);
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
        to: &mut impl WrittenFields,
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
