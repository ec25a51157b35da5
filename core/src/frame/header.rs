//! Typed headers: a struct per header, made from a table of fields and their names on the wire.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::HeaderError;
use super::head::Fields;

/// The extension fields of one kind of request or reply.
pub trait Header: Sized {
    /// The names of the fields on the wire, in the order of the table, without those that any
    /// request may carry.
    const NAMES: &'static [&'static str];

    /// Writes the fields that have a value, in the order of the table.
    fn write<W: FieldSink>(&self, to: &mut W);
    /// Reads the fields; unknown ones are ignored, the last of two equal ones counts.
    fn read(fields: &Fields<'_>) -> Result<Self, HeaderError>;
}

/// Where extension fields are written to. On the wire every value is text.
pub trait FieldSink {
    /// A text. Names given here need no escape in JSON.
    fn text(&mut self, key: &'static str, value: &str);
    /// A number, written in decimal.
    fn int(&mut self, key: &'static str, value: i64);
    /// `true` or `false`.
    fn flag(&mut self, key: &'static str, value: bool);
    /// A text under a name of any characters.
    fn pair(&mut self, key: &str, value: &str);
}

/// A sink whose fields stand on the wire.
pub(crate) trait WireFields: FieldSink {
    /// Bytes of the longest name that is not left out.
    #[cfg(feature = "acl")]
    const LONGEST_NAME: usize;
}

/// What has fields: a request, or a reply.
pub(crate) trait WriteFields {
    /// Writes those that have a value.
    fn write_fields<W: FieldSink>(&self, to: &mut W);
}

/// A type that an extension field can have.
pub trait FieldValue: Sized {
    /// Writes the value; nothing at all when there is none.
    fn write<W: FieldSink>(&self, key: &'static str, to: &mut W);
    /// Reads the text of the wire.
    fn read(key: &'static str, text: Cow<'_, str>) -> Result<Self, HeaderError>;
    /// What an absent field means: an error, unless the type knows better.
    fn absent(key: &'static str) -> Result<Self, HeaderError> {
        Err(HeaderError::Missing { field: key })
    }
}

impl FieldValue for Arc<str> {
    fn write<W: FieldSink>(&self, key: &'static str, to: &mut W) {
        to.text(key, self);
    }

    fn read(_: &'static str, text: Cow<'_, str>) -> Result<Self, HeaderError> {
        Ok(Self::from(&*text))
    }
}

impl FieldValue for bool {
    fn write<W: FieldSink>(&self, key: &'static str, to: &mut W) {
        to.flag(key, *self);
    }

    /// In any case of letters, as Java's `Boolean.parseBoolean`, but nothing else is `false`.
    fn read(key: &'static str, text: Cow<'_, str>) -> Result<Self, HeaderError> {
        match &*text {
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            text => Err(HeaderError::invalid(key, text, "true or false")),
        }
    }
}

macro_rules! integers {
    ($($type:ty: $expected:literal,)*) => { $(
        impl FieldValue for $type {
            fn write<W: FieldSink>(&self, key: &'static str, to: &mut W) {
                to.int(key, i64::from(*self));
            }

            fn read(key: &'static str, text: Cow<'_, str>) -> Result<Self, HeaderError> {
                text.parse().map_err(|_| HeaderError::invalid(key, &text, $expected))
            }
        }
    )* };
}

integers! {
    i32: "a 32-bit integer",
    u32: "an unsigned 32-bit integer",
    i64: "a 64-bit integer",
}

impl<T: FieldValue> FieldValue for Option<T> {
    fn write<W: FieldSink>(&self, key: &'static str, to: &mut W) {
        if let Some(value) = self {
            value.write(key, to);
        }
    }

    fn read(key: &'static str, text: Cow<'_, str>) -> Result<Self, HeaderError> {
        T::read(key, text).map(Some)
    }

    fn absent(_: &'static str) -> Result<Self, HeaderError> {
        Ok(None)
    }
}

/// Makes a struct and its [`Header`] from lines of `field: Type = "wireName"`, each with
/// `or default` after it where an absent field has a value; `..common` at the end adds the fields
/// of [`Common`](super::request::Common).
macro_rules! header {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $wire:literal $(or $default:expr)?,)*
            $(..$common:ident)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Default, Debug)]
        pub struct $name {
            $($(#[$field_doc])* #[doc = concat!(" `", $wire, "` on the wire.")] pub $field: $type,)*
            $(
                /// The fields that any request may carry.
                pub $common: $crate::frame::request::Common,
            )?
        }

        impl $crate::frame::header::Header for $name {
            const NAMES: &'static [&'static str] = &[$($wire),*];

            #[allow(unused_variables, reason = "some headers have no fields")]
            fn write<W: $crate::frame::header::FieldSink>(&self, to: &mut W) {
                $($crate::frame::header::FieldValue::write(&self.$field, $wire, to);)*
                $($crate::frame::header::Header::write(&self.$common, to);)?
            }

            #[allow(unused_variables, reason = "some headers have no fields")]
            fn read(
                fields: &$crate::frame::head::Fields<'_>,
            ) -> Result<Self, $crate::frame::error::HeaderError> {
                $(let mut $field: Option<$type> = None;)*
                $(let mut $common = $crate::frame::request::Common::default();)?
                fields.visit(&mut |key, value| {
                    match key {
                        $($wire => {
                            let read = <$type as $crate::frame::header::FieldValue>::read;
                            $field = Some(read($wire, value)?);
                        })*
                        _ => { $($common.take(key, value)?;)? }
                    }
                    Ok(())
                })?;
                Ok(Self {
                    $($field: match $field {
                        Some(value) => value,
                        None => $crate::frame::header::header!(@absent $type, $wire $(, $default)?),
                    },)*
                    $($common,)?
                })
            }
        }
    };
    (@absent $type:ty, $wire:literal) => {
        <$type as $crate::frame::header::FieldValue>::absent($wire)?
    };
    (@absent $type:ty, $wire:literal, $default:expr) => {
        $default
    };
}

pub(crate) use header;
