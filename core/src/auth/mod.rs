//! Signs requests for brokers and nameservers that check access keys (ACL 1.0 and 2.0).
//!
//! What is signed: the values of all ext fields, in the order of their keys, without separators,
//! and then the body (`AclClientRPCHook`, `AclUtils.combineRequestContent`). The answer to a wrong
//! signature is code 16 (5.x) or code 1 with `AclException` in its remark (4.x).
//!
//! The server signs every field it got: fields added after signing break it, and so does signing a
//! request again with the old signature in it. A request that is sent again is signed anew.

mod base64;
mod signed;
mod signer;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

pub use crate::config::{Credentials, CredentialsProvider, RotatingCredentials};
use crate::frame::RequestCode;
pub(crate) use signer::Signer;

/// The ext field that names the key.
pub const ACCESS_KEY: &str = "AccessKey";
/// The ext field with the token of a temporary key.
pub const SECURITY_TOKEN: &str = "SecurityToken";
/// The ext field with the signature; never signed itself.
pub const SIGNATURE: &str = "Signature";
/// The ext field of a query by unique key (code 12), which not all servers take into account.
pub const UNIQUE_KEY_QUERY: &str = "_UNIQUE_KEY_QUERY";

/// The header version at which every server leaves [`UNIQUE_KEY_QUERY`] out (`V4_9_3`): a request
/// with code 12 that shows this version, or an older one, needs no knowledge of the broker.
pub const UNIQUE_KEY_QUERY_VERSION: i32 = 399;
/// The first version whose brokers look at a header's version for this (`V5_0_0_SNAPSHOT`).
const VERSION_5: i32 = 412;

/// Whether a server takes this ext field into account for the signature.
///
/// `header` is the version that the request shows, `broker` the version that the broker has told
/// (in
/// the answer to a heartbeat). Brokers of 4.x always leave [`UNIQUE_KEY_QUERY`] out of a query's
/// signature (`PlainAccessValidator`); later ones do so for requests up to version 399
/// (`DefaultAuthenticationContextBuilder`; rmq#5310).
pub fn is_signed(code: RequestCode, field: &str, header: i32, broker: i32) -> bool {
    let left_out = code == RequestCode::QUERY_MESSAGE
        && field == UNIQUE_KEY_QUERY
        && (broker < VERSION_5 || header <= UNIQUE_KEY_QUERY_VERSION);
    field != SIGNATURE && !left_out
}

impl Credentials {
    /// The fields to add to a request before it is signed: the key, and the token if there is one.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let token = self.token().map(|token| (SECURITY_TOKEN, token));
        std::iter::once((ACCESS_KEY, self.access_key())).chain(token)
    }

    /// The signature of a request with these ext fields and this body: 28 characters of base64,
    /// to be sent as [`SIGNATURE`].
    ///
    /// `fields` need not hold this key's own fields, and old ones of these names are passed over;
    /// fields for which [`is_signed`] is false must not be among them. The order is free.
    pub fn sign<'a>(
        &'a self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> String {
        let Some(mut mac) = self.mac() else { return String::new() };
        for (_, value) in self.sorted(fields) {
            mac.update(value.as_bytes());
        }
        mac.update(body);
        let coded = base64::encode(&mac.finalize().into_bytes().into());
        String::from_utf8_lossy(&coded).into_owned()
    }

    /// What begins a signature; there always is one, since HMAC takes keys of every length.
    fn mac(&self) -> Option<Hmac<Sha1>> {
        Hmac::new_from_slice(self.secret().as_bytes()).ok()
    }

    /// The bytes that [`Self::sign`] signs.
    pub fn content<'a>(
        &'a self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> Vec<u8> {
        let fields = self.sorted(fields);
        let values = fields.iter().flat_map(|(_, value)| value.bytes());
        values.chain(body.iter().copied()).collect()
    }

    /// All fields that are signed, in the order of Java's `TreeMap`: by UTF-16 units.
    fn sorted<'a>(
        &'a self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<(&'a str, &'a str)> {
        let own = |name: &str| {
            name == ACCESS_KEY || name == SIGNATURE || {
                name == SECURITY_TOKEN && self.token().is_some()
            }
        };
        let given = fields.into_iter().filter(|(name, _)| !own(name));
        let added = self.fields().map(|(name, value)| (name as &str, value));
        let mut fields: Vec<(&str, &str)> = added.chain(given).collect();
        fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_javas() {
        // `AclUtilsTest`'s own example signs a content as it is.
        let credentials = Credentials::new("", "12345678");
        let signature = credentials.sign([], b"RocketMQ123body");
        assert_eq!(signature, "XyjLU4Dujqc8ufRB3vmUlhhCOk8=");
    }

    #[test]
    fn wire_24_the_order_of_fields_does_not_matter() {
        let credentials = Credentials::new("key", "secret").security_token("token");
        // An emoji stands before U+FF5E in UTF-16, and behind it in UTF-8.
        let fields = [("b", "2"), ("a", "1"), ("\u{FF5E}", "4"), ("😀", "3"), ("Z", "0")];
        let content = credentials.content(fields, b"!");
        assert_eq!(content, b"keytoken01234!");
        let mut reversed = fields;
        reversed.reverse();
        assert_eq!(credentials.content(reversed, b"!"), content);
        assert_eq!(credentials.sign(reversed, b"!"), credentials.sign(fields, b"!"));
        // Signed again, with what the first round added.
        let again = [(SIGNATURE, "old"), (ACCESS_KEY, "key"), (SECURITY_TOKEN, "old")];
        let again = fields.into_iter().chain(again);
        assert_eq!(credentials.content(again, b"!"), content);
    }

    #[test]
    fn the_unique_key_query_is_signed_only_where_the_broker_does() {
        let query = RequestCode::QUERY_MESSAGE;
        let signed = |header, broker| is_signed(query, UNIQUE_KEY_QUERY, header, broker);
        assert!(signed(479, 479) && signed(401, 413));
        assert!(!signed(399, 479) && !signed(479, 407) && !signed(479, 355));
        assert!(is_signed(RequestCode::PULL_MESSAGE, UNIQUE_KEY_QUERY, 479, 407));
        assert!(is_signed(query, "key", 479, 407) && !is_signed(query, SIGNATURE, 479, 479));
    }
}
