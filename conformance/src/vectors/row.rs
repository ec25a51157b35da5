//! One row of a vector file, and its fields by name.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

/// A row, or an object within one. What is missing or of another type is named in the error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a>(pub(super) &'a Value);

impl<'a> Row<'a> {
    pub(super) fn has(self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    pub(super) fn text(self, key: &str) -> Result<&'a str, String> {
        self.0[key].as_str().ok_or_else(|| format!("no text {key:?} in the row"))
    }

    /// A text, or none where the row says null or nothing.
    pub(super) fn maybe(self, key: &str) -> Option<&'a str> {
        self.0[key].as_str()
    }

    /// A number, also one written as text.
    pub(super) fn int(self, key: &str) -> Result<i64, String> {
        let value = &self.0[key];
        let found = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        found.ok_or_else(|| format!("no number {key:?} in the row"))
    }

    pub(super) fn flag(self, key: &str) -> Result<bool, String> {
        self.0[key].as_bool().ok_or_else(|| format!("no true or false {key:?} in the row"))
    }

    pub(super) fn bytes(self, key: &str) -> Result<Vec<u8>, String> {
        let text = self.text(key)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let pairs = text.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?));
        bytes.collect::<Option<_>>().ok_or_else(|| format!("{key:?} is not hexadecimal"))
    }

    pub(super) fn list(self, key: &str) -> Result<&'a [Value], String> {
        let list = self.0[key].as_array().ok_or_else(|| format!("no list {key:?} in the row"))?;
        Ok(list)
    }

    pub(super) fn texts(self, key: &str) -> Result<Vec<&'a str>, String> {
        let texts: Option<_> = self.list(key)?.iter().map(Value::as_str).collect();
        texts.ok_or_else(|| format!("{key:?} is not a list of texts"))
    }

    /// Names and texts; null counts as an object without any, and a null text as absent: that is
    /// how Java reads an empty value of the binary form.
    pub(super) fn map(self, key: &str) -> Result<BTreeMap<&'a str, &'a str>, String> {
        if self.0[key].is_null() {
            return Ok(BTreeMap::new());
        }
        let object = self.0[key].as_object();
        let pairs = object.map(|object| {
            let pairs = object.iter().filter(|(_, value)| !value.is_null());
            let pairs = pairs.map(|(name, value)| Some((name.as_str(), value.as_str()?)));
            pairs.collect::<Option<BTreeMap<_, _>>>()
        });
        pairs.flatten().ok_or_else(|| format!("{key:?} is not an object of texts"))
    }

    /// An address written `ip|port`.
    pub(super) fn host(self, key: &str) -> Result<SocketAddr, String> {
        let wrong = || format!("{key:?} is not ip|port");
        let (ip, port) = self.text(key)?.rsplit_once('|').ok_or_else(wrong)?;
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        Ok(SocketAddr::new(ip, port.parse().map_err(|_| wrong())?))
    }
}
