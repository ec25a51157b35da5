//! Why a JSON body was refused, and the one way in for all of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::standard::{self, Bounds, Stop};

/// Largest JSON body that is read: 16 MiB, the largest frame a Java peer takes.
pub const BODY_MAX: usize = 16 << 20;

/// Most values in a JSON body, members of lists and objects together: 1,048,576. A value may
/// be two bytes that become two hundred in memory, so their number is bounded before any is read.
pub const ELEMENTS_MAX: usize = 1 << 20;

/// Most bytes that a JSON body takes per value once it is read, besides four times its own length:
/// no body takes more than [`ELEMENTS_MAX`] times that and 64 MiB.
pub const VALUE_MAX: usize = 128;

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
    /// More values than any such body has.
    #[error("a {what} of more than {limit} values is not read")]
    TooManyElements {
        /// What kind of body.
        what: &'static str,
        /// Values allowed.
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
    /// A route that names more brokers than a client could ever be connected to.
    #[error("the route names {found} brokers, the limit is {limit}")]
    TooManyBrokers {
        /// Brokers, or addresses of theirs if those are more.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
}

/// Longest reason kept: names in it come from the peer.
const REASON_MAX: usize = 256;

/// Reads JSON in fastjson's dialect too. Depth (127), size and the number of values are bounded.
pub(super) fn parse<T: DeserializeOwned>(what: &'static str, json: &[u8]) -> Result<T, BodyError> {
    parse_with(what, json, |json| serde_json::from_slice(json))
}

/// As [`parse`], by a function that reads standard JSON.
pub(super) fn parse_with<T>(
    what: &'static str,
    json: &[u8],
    read: impl Fn(&[u8]) -> serde_json::Result<T>,
) -> Result<T, BodyError> {
    if json.len() > BODY_MAX {
        return Err(BodyError::TooLarge { what, length: json.len(), limit: BODY_MAX });
    }
    measure(what, json)?;
    // Standard JSON, which nearly all is, is read as it stands.
    let plain = match read(json) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let bounds = Bounds { elements: ELEMENTS_MAX, size: 2 * BODY_MAX };
    let reason = match standard::standard(json, bounds) {
        Ok(standard) if standard == json => plain.to_string(),
        Ok(standard) => match read(&standard) {
            Ok(value) => return Ok(value),
            Err(error) => error.to_string(),
        },
        Err(Stop::Elements) => {
            return Err(BodyError::TooManyElements { what, limit: ELEMENTS_MAX });
        }
        Err(Stop::Size) => {
            return Err(BodyError::TooLarge { what, length: bounds.size, limit: BODY_MAX });
        }
        Err(Stop::Syntax(at, expected)) => format!("expected {expected} at byte {at}"),
        Err(Stop::Depth(at)) => format!("more than {} levels at byte {at}", standard::DEPTH_MAX),
    };
    Err(invalid(what, &reason))
}

/// A body that is JSON and all the same not what it should be.
pub(super) fn invalid(what: &'static str, reason: &str) -> BodyError {
    let reason: String = reason.chars().take(REASON_MAX).collect();
    BodyError::Invalid { what, reason: reason.into() }
}

/// Bounds the values and the depth of standard JSON, also of what is passed over: each value stands
/// behind a bracket or a comma. Other dialects may be miscounted, and are counted again where they
/// are read.
fn measure(what: &'static str, json: &[u8]) -> Result<(), BodyError> {
    let (mut count, mut depth, mut at) = (0, 0_u32, 0);
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(json, at),
            b',' => count += 1,
            b'{' | b'[' => (count, depth) = (count + 1, depth + 1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > standard::DEPTH_MAX {
            let limit = standard::DEPTH_MAX;
            return Err(invalid(what, &format!("more than {limit} levels at byte {at}")));
        }
        if count > ELEMENTS_MAX {
            return Err(BodyError::TooManyElements { what, limit: ELEMENTS_MAX });
        }
    }
    Ok(())
}

/// Just behind the quote that ends the text which begins at `at`.
fn string_end(json: &[u8], mut at: usize) -> usize {
    let rest = |at| json.get(at..).unwrap_or_default();
    while let Some(found) = memchr::memchr2(b'"', b'\\', rest(at)) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

/// Writes JSON. Our own structs hold nothing that JSON could not, so this can't fail.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Writes an object whose members need not all be standard JSON.
#[derive(Debug)]
pub(super) struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    pub(super) fn new() -> Self {
        Self(vec![b'{'])
    }

    /// A member, its value written by `value`.
    pub(super) fn member(mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        push_json(&mut self.0, name);
        self.0.push(b':');
        value(&mut self.0);
        self
    }

    /// A member whose value is standard JSON.
    pub(super) fn field<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Self {
        self.member(name, |out| push_json(out, value))
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// Appends JSON. What we write can't fail, and a `Vec` takes it all.
pub(super) fn push_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    out.extend_from_slice(&serde_json::to_vec(value).unwrap_or_default());
}

/// Gives a body that derives its JSON the two ways in and out.
macro_rules! json_body {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Reads the body: at most 16 MiB. Unknown fields and the order of fields don't matter.
            pub fn parse(json: &[u8]) -> Result<Self, $crate::body::BodyError> {
                $crate::body::error::parse($what, json)
            }

            /// The body as JSON, with fields in the order that Java writes them.
            pub fn to_json(&self) -> Vec<u8> {
                $crate::body::error::to_json(self)
            }
        }
    };
}

pub(super) use json_body;
