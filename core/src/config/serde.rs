//! Settings in files, in any format that serde knows.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::env::unknown;
use super::table::FIELDS;
use super::value::Value;
use super::{Config, SETTINGS, Setting};

impl Serialize for Config {
    /// Every field under its name: durations and sizes as text, numbers and flags as such. A binary
    /// format gets text only.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Config", SETTINGS.len())?;
        for setting in SETTINGS {
            all.serialize_field(setting.name, &(setting.give)(self))?;
        }
        all.end()
    }
}

impl<'de> Deserialize<'de> for Config {
    /// What is left out has its default; a name that is not known is refused. Ranges are looked at
    /// by [`Config::check`], which every `connect` calls.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Config", FIELDS, ConfigVisitor)
    }
}

struct ConfigVisitor;

impl<'de> Visitor<'de> for ConfigVisitor {
    type Value = Config;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings of a client")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let mut config = Config::default();
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                // Some formats want the value read before they say where the error is.
                let _ = map.next_value::<IgnoredAny>();
                let why = unknown(&name, &name, |setting: &Setting| setting.name.to_owned());
                return Err(de::Error::custom(why));
            };
            if seen.contains(&setting.name) {
                return Err(de::Error::duplicate_field(setting.name));
            }
            seen.push(setting.name);
            config.set(setting, &name, &map.next_value()?).map_err(de::Error::custom)?;
        }
        Ok(config)
    }

    /// Formats without names give every field, in order.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Config, A::Error> {
        let mut config = Config::default();
        for (at, setting) in SETTINGS.iter().enumerate() {
            let given = list.next_element()?.ok_or_else(|| de::Error::invalid_length(at, &self))?;
            config.set(setting, setting.name, &given).map_err(de::Error::custom)?;
        }
        Ok(config)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.text());
        }
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(GivenVisitor)
        } else {
            deserializer.deserialize_string(GivenVisitor)
        }
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true or false, a list of text, or nothing")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    /// A negative number is left to the setting, whose error names it.
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(u64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Number))
    }

    /// Likewise.
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Deserialize::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(Value::List(all))
    }
}
