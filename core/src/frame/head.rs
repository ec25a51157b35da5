//! The decoded header of a frame, borrowed from the read buffer, in whichever form it came.

use std::borrow::Cow;

use super::binary;
use super::error::HeaderError;
use super::json::{self, Found};
use super::opaque::Opaque;

/// Bytes of text that is not UTF-8 and is read all the same, each bad byte as U+FFFD, which takes
/// three. Only small headers: a broker's are UTF-8, and damage must not make them grow.
pub(super) const LOSSY_MAX: usize = 8 << 10;
/// Bit 0 of the flag: the frame answers a request (`RemotingCommand.RPC_TYPE`).
pub const FLAG_REPLY: i32 = 1;
/// Bit 1 of the flag: the request wants no answer (`RemotingCommand.RPC_ONEWAY`).
pub const FLAG_ONEWAY: i32 = 2;

/// The form of a header: the first byte of the frame's second word (Java's `SerializeType`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum HeaderForm {
    /// A JSON object; 0 on the wire.
    #[default]
    Json,
    /// Java's `RocketMQSerializable`; 1 on the wire.
    Binary,
}

impl HeaderForm {
    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::Binary => 1,
        }
    }

    /// The form of a byte on the wire, if it is known.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Json),
            1 => Some(Self::Binary),
            _ => None,
        }
    }
}

/// The fixed part of a header and, unparsed, its extension fields.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// A request's or a reply's code.
    pub code: i32,
    /// Bits: [`FLAG_REPLY`], [`FLAG_ONEWAY`].
    pub flag: i32,
    /// The number that ties a reply to its request.
    pub opaque: Opaque,
    /// The ordinal of the peer's version in Java's `MQVersion.Version`.
    pub version: i32,
    /// The language of the peer.
    pub language: Language,
    /// Why a request failed, in words.
    pub remark: Option<Cow<'a, str>>,
    /// The extension fields.
    pub fields: Fields<'a>,
}

impl<'a> Head<'a> {
    /// Reads a header of the given form; at most `max_fields` extension fields will be visited.
    pub fn read(
        form: HeaderForm,
        header: &'a [u8],
        max_fields: usize,
    ) -> Result<Self, HeaderError> {
        match form {
            HeaderForm::Json => json::read_head(header, max_fields),
            HeaderForm::Binary => binary::read_head(header, max_fields),
        }
    }

    /// The frame answers one of our requests.
    pub const fn is_reply(&self) -> bool {
        self.flag & FLAG_REPLY != 0
    }

    /// The frame is a request that must not be answered.
    pub const fn is_oneway(&self) -> bool {
        self.flag & FLAG_ONEWAY != 0
    }
}

/// Names and values of extension fields, in the order of the wire.
pub type Pairs = Vec<(Box<str>, Box<str>)>;

/// What is called with the name and the value of each field; an error ends the visit.
pub type Visitor<'v, 'a> = dyn FnMut(&str, Cow<'a, str>) -> Result<(), HeaderError> + 'v;

/// The extension fields of a header, unparsed. Java's `RemotingCommand.extFields`.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    form: HeaderForm,
    header: &'a [u8],
    /// The header as text; empty when it is binary, or not UTF-8.
    text: &'a str,
    /// Where in the header they stand: the first byte, and the one behind the last.
    pub(super) range: (usize, usize),
    pub(super) found: Found,
    limit: usize,
}

impl<'a> Fields<'a> {
    /// No fields.
    pub const NONE: Fields<'static> = Fields::new(HeaderForm::Json, (b"", ""), 0);

    /// No fields of `header` yet. `text` is the header as text, or empty.
    pub(super) const fn new(
        form: HeaderForm,
        (header, text): (&'a [u8], &'a str),
        limit: usize,
    ) -> Self {
        Self { form, header, text, range: (0, 0), found: Found::UNKNOWN, limit }
    }

    /// Calls `f` with each field in the order of the wire; a field without a value is left out.
    ///
    /// A name may come twice: the last one counts. The first error ends the visit.
    pub fn visit(&self, f: &mut Visitor<'_, 'a>) -> Result<(), HeaderError> {
        let (start, end) = self.range;
        if start == end {
            return Ok(());
        }
        let header = self.header.get(..end).unwrap_or_default();
        match self.form {
            HeaderForm::Json => {
                let text = self.text.get(..end).unwrap_or_default();
                json::visit_fields((header, text), start, (self.limit, &self.found), f)
            }
            HeaderForm::Binary => binary::visit_fields(header, start, self.limit, f),
        }
    }

    /// The value of one field; `None` when it is absent, or the fields can't be read to the end.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut found = None;
        let all = self.visit(&mut |key, value| {
            if key == name {
                found = Some(value);
            }
            Ok(())
        });
        all.ok().and(found)
    }

    /// All fields, each a name and a value, in the order of the wire.
    pub fn to_pairs(&self) -> Result<Pairs, HeaderError> {
        let mut pairs = Vec::new();
        self.visit(&mut |key, value| {
            pairs.push((Box::from(key), Box::from(&*value)));
            Ok(())
        })?;
        Ok(pairs)
    }

    /// There is no field (a field without a value counts as one).
    pub fn is_empty(&self) -> bool {
        let bytes = self.header.get(self.range.0..self.range.1).unwrap_or_default();
        match self.form {
            HeaderForm::Json => !bytes.iter().any(|b| !b" \t\r\n{}".contains(b)),
            HeaderForm::Binary => bytes.is_empty(),
        }
    }
}

macro_rules! languages {
    ($($variant:ident = $code:literal, $name:literal;)*) => {
        /// The language of a peer (Java's `LanguageCode`).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Language {
            $(#[doc = concat!("`", $name, "`, ", $code, " in the binary form.")] $variant,)*
            /// A name or number that is not in Java's table, or none at all.
            Unknown,
        }

        impl Language {
            /// The language of a name in a JSON header.
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }

            /// The language of a number in a binary header.
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }

            /// The name in a JSON header; that of an unknown language is `OTHER`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Unknown => "OTHER",
                }
            }

            /// The number in a binary header; that of an unknown language is 7, `OTHER`.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Unknown => 7,
                }
            }
        }
    };
}

languages! {
    Java = 0, "JAVA";
    Cpp = 1, "CPP";
    DotNet = 2, "DOTNET";
    Python = 3, "PYTHON";
    Delphi = 4, "DELPHI";
    Erlang = 5, "ERLANG";
    Ruby = 6, "RUBY";
    Other = 7, "OTHER";
    Http = 8, "HTTP";
    Go = 9, "GO";
    Php = 10, "PHP";
    Oms = 11, "OMS";
    Rust = 12, "RUST";
    NodeJs = 13, "NODE_JS";
}
