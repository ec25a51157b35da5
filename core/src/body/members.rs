//! What a list of a group's members says to one of them.

use std::fmt;
use std::hash::Hasher;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{BodyError, parse_with};

/// One member's place among the others, which is all that the shares of most groups follow from.
///
/// A group may have a million members, as far as a peer says: their ids are counted as they are
/// read, by a hash of 64 bits each, and neither kept nor sorted. Two ids that share a hash, one
/// chance in 30 million among a million members, count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// How many there are, each id counted once.
    pub(crate) count: usize,
    /// How many stand before this one, in the order of their ids; `None` if it is not there.
    pub(crate) place: Option<usize>,
    /// It is there more than once.
    pub(crate) doubled: bool,
    /// A sum over the hashes of all ids: lists of other members have others.
    pub(crate) digest: u64,
}

impl Members {
    /// Reads the body of a reply to `GET_CONSUMER_LIST_BY_GROUP` (38), of at most 16 MiB, as the
    /// member `me` sees it.
    ///
    /// Java orders ids by UTF-16 units; for the ASCII that client ids are, bytes give the same.
    pub(crate) fn parse(json: &[u8], me: &str) -> Result<Self, BodyError> {
        let counted = parse_with("consumer list", json, |json| {
            let mut from = serde_json::Deserializer::from_slice(json);
            let counted = Body(me).deserialize(&mut from)?;
            from.end().map(|()| counted)
        })?;
        Ok(counted.members())
    }
}

/// Hashes of the ids before and behind one, and how often that one came.
#[derive(Default)]
struct Counted {
    before: Vec<u64>,
    behind: Vec<u64>,
    own: usize,
}

impl Counted {
    fn add(&mut self, id: &str, me: &str) {
        let side = match id.cmp(me) {
            std::cmp::Ordering::Less => &mut self.before,
            std::cmp::Ordering::Greater => &mut self.behind,
            std::cmp::Ordering::Equal => return self.own += 1,
        };
        // The same in each run: a key of its own per process would be chance from outside.
        #[expect(deprecated, reason = "the one of the standard library with a fixed key")]
        let mut hasher = std::hash::SipHasher::new();
        hasher.write(id.as_bytes());
        side.push(hasher.finish());
    }

    fn members(mut self) -> Members {
        let (before, one) = distinct(&mut self.before);
        let (behind, other) = distinct(&mut self.behind);
        let count = before + behind + usize::from(self.own > 0);
        let place = (self.own > 0).then_some(before);
        Members { count, place, doubled: self.own > 1, digest: one.wrapping_add(other) }
    }
}

/// How many they are without those that come twice, and their sum.
fn distinct(hashes: &mut Vec<u64>) -> (usize, u64) {
    hashes.sort_unstable();
    hashes.dedup();
    (hashes.len(), hashes.iter().fold(0, |sum, hash| sum.wrapping_add(*hash)))
}

/// The whole body.
struct Body<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = Counted;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Counted, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Counted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a consumer list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counted, A::Error> {
        let mut counted = Counted::default();
        while let Some(is_list) = map.next_key_seed(Key)? {
            if is_list {
                map.next_value_seed(Ids { me: self.0, to: &mut counted })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(counted)
    }
}

/// Whether a key is that of the list.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == "consumerIdList")
    }
}

/// The list, which may be null.
struct Ids<'a> {
    me: &'a str,
    to: &'a mut Counted,
}

impl<'de> DeserializeSeed<'de> for Ids<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ids<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of ids")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(OneId { me: self.me, to: self.to })?.is_some() {}
        Ok(())
    }
}

struct OneId<'a> {
    me: &'a str,
    to: &'a mut Counted,
}

impl<'de> DeserializeSeed<'de> for OneId<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for OneId<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<(), E> {
        self.to.add(id, self.me);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::ConsumerList;
    use crate::rng::Rng;

    #[test]
    fn a_place_is_the_one_in_the_sorted_list_of_distinct_ids() {
        let mut rng = Rng::new(38);
        for _ in 0..500 {
            let count = rng.below(40);
            let ids = (0..count).map(|_| format!("10.0.0.{}@\"{}", rng.below(20), rng.below(3)));
            let list = ConsumerList { client_ids: ids.collect() };
            let me = format!("10.0.0.{}@\"1", rng.below(20));
            let mut sorted = list.client_ids.clone();
            sorted.sort();
            sorted.dedup();
            let times = list.client_ids.iter().filter(|id| **id == me).count();
            let expected = (sorted.len(), sorted.binary_search(&me).ok(), times > 1);
            let read = Members::parse(&list.to_json(), &me).unwrap();
            assert_eq!((read.count, read.place, read.doubled), expected);
            // The order and what comes twice make no difference, another member does.
            let mut other = ConsumerList { client_ids: sorted.clone() };
            assert_eq!(Members::parse(&other.to_json(), &me).unwrap().digest, read.digest);
            other.client_ids.push("another".to_owned());
            assert_ne!(Members::parse(&other.to_json(), &me).unwrap().digest, read.digest);
        }
    }

    #[test]
    fn what_is_no_list_is_refused_as_the_list_itself_would_be() {
        for json in [
            "{}",
            r#"{"consumerIdList":null,"later":{0:1}}"#,
            r#"{"more":[1,{"consumerIdList":["x"]}],'consumerIdList':['a',"b",]}"#,
            r#"{"consumerIdList":["a"]} x"#,
            r#"{"consumerIdList":[1]}"#,
            r#"{"consumerIdList":{"a":1}}"#,
            r#"{"consumerIdList":["a"#,
            "",
        ] {
            let (list, members) =
                (ConsumerList::parse(json.as_bytes()), Members::parse(json.as_bytes(), "a"));
            assert_eq!(list.is_ok(), members.is_ok(), "{json}: {members:?}");
            if let (Ok(list), Ok(members)) = (list, members) {
                assert_eq!(list.client_ids.len(), members.count, "{json}");
            }
        }
    }
}
